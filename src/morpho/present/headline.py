"""The first lines of the report: what was asked, what came out in plain words, and what calls for care.

Takes the tables of the models, gives sentences. Estimates and intervals come first, tests second.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from morpho.present.wording import (
    TIE,
    count_things,
    format_counts,
    format_interval,
    format_number,
    join_words,
    percent_of,
    region_name,
    split_contrast,
    state_p,
    text_or,
)

Row = dict[Hashable, Any]

HIGH_VIF = 5.0  # beyond it, most of the spread of group is shared with the covariates


@dataclass(frozen=True)
class DetectableEffect:
    """The smallest true difference (Hedges' g, one test, no correction) found with probability `power` at `alpha`."""

    g: float
    power: float
    alpha: float
    n_reference: int
    n_comparison: int


@dataclass(frozen=True)
class Headline:
    """Sentences of the headline: the question, one line per region of the first family, summaries, warnings."""

    question: str
    estimates: tuple[str, ...]
    summary: tuple[str, ...]
    warnings: tuple[str, ...]


def write_headline(
    effects: pd.DataFrame,
    associations: pd.DataFrame,
    quality: pd.DataFrame,
    *,
    detectable: DetectableEffect | None,
    confidence: float,
) -> Headline:
    """Write the headline from the first family of the group comparison and of each severity scale.

    Parameters
    ----------
    effects, associations
        Group comparison and severity association; either may be empty.
    quality
        Quality table, for its flags.
    detectable
        Smallest detectable effect; None if it cannot be computed.
    confidence
        Coverage of the intervals, between 0 and 1; tests are at the level 1 - `confidence`.

    Returns
    -------
    Plain sentences.
    """
    first = effects[effects["family"] == effects["family"].iloc[0]] if len(effects) else effects
    fitted = first[first["status"] == "fitted"]
    summary = [*_summarise_effects(first, confidence), *_summarise_power(detectable, effects)]
    for _, rows in associations.groupby("scale", sort=False):
        summary.append(_summarise_scale(rows[rows["family"] == rows["family"].iloc[0]], confidence))
    return Headline(
        question=_ask(effects, associations),
        estimates=tuple(_describe_effect(row) for row in fitted.to_dict("records")),
        summary=tuple(summary),
        warnings=tuple(_find_warnings(effects, associations, quality)),
    )


def analysed_sizes(effects: pd.DataFrame) -> tuple[int, int]:
    """Count the people analysed in the first family: the fewest of each group over its fitted models.

    Parameters
    ----------
    effects
        Group comparison.

    Returns
    -------
    People of the reference and of the comparison group; 0 and 0 if nothing was fitted.
    """
    fitted = effects[effects["status"] == "fitted"]
    if fitted.empty:
        return 0, 0
    first = fitted[fitted["family"] == fitted["family"].iloc[0]]
    return int(first["n_reference"].min()), int(first["n_comparison"].min())


def find_detectable(
    effects: pd.DataFrame, smallest_g: Callable[..., float], *, alpha: float, power: float
) -> DetectableEffect | None:
    """Find the smallest effect that the analysed groups could show.

    Parameters
    ----------
    effects
        Group comparison.
    smallest_g
        Hedges' g from the sizes of both groups, alpha and power (`morpho.stats.effects.smallest_detectable_g`).
    alpha, power
        Of one two-sided test.

    Returns
    -------
    None if no model was fitted.
    """
    n_reference, n_comparison = analysed_sizes(effects)
    if min(n_reference, n_comparison) == 0:
        return None
    g = smallest_g(n_reference, n_comparison, alpha=alpha, power=power)
    return DetectableEffect(g, power, alpha, n_reference, n_comparison)


def _ask(effects: pd.DataFrame, associations: pd.DataFrame) -> str:
    """Write the question of the study."""
    scales = list(dict.fromkeys(associations["scale"]))
    severity = f"do they go with {join_words(scales)}" if scales else ""
    if effects.empty:
        return f"Volumes of grey-matter regions: {severity or 'no comparison was asked for'}."
    comparison, reference = split_contrast(effects)
    fitted = effects[effects["status"] == "fitted"]
    sizes = [
        f"{name} (n{TIE}={TIE}{format_counts(fitted[column])})"
        for name, column in ((comparison, "n_comparison"), (reference, "n_reference"))
    ]
    question = f"Do volumes of grey-matter regions differ between {join_words(sizes)}"
    return f"{question}, and {severity} within {comparison}?" if severity else f"{question}?"


def _describe_effect(row: Row) -> str:
    """One region in words: percent, g and corrected p."""
    comparison = str(row["contrast"]).partition(" - ")[0]
    direction = "smaller" if row["percent"] < 0 else "larger"
    percent = format_number(abs(row["percent"]), 1)
    low, high = (format_number(row[f"percent_ci_{end}"], 1) for end in ("low", "high"))
    interval = f"[{low},{TIE}{high}]{TIE}%"
    g = format_interval(row["g"], row["g_ci_low"], row["g_ci_high"], 2)
    return (
        f"{region_name(row['roi'], row['hemisphere'])}: {percent} % {direction} in {comparison}, "
        f"difference {interval}; g{TIE}={TIE}{g}; {state_p(row['p'])}, corrected {state_p(row['p_fdr'])}"
    )


def _summarise_effects(first: pd.DataFrame, confidence: float) -> list[str]:
    """Count intervals without zero and corrected p values in one family."""
    if first.empty:
        return ["No group comparison was made."]
    fitted = first[first["status"] == "fitted"]
    family, n_refused = str(first["family"].iloc[0]), len(first) - len(fitted)
    if fitted.empty:
        return [
            f"None of the {count_things(len(first), 'model')} of the family {family} could be estimated (see below)."
        ]
    apart = int(((fitted["g_ci_low"] > 0) | (fitted["g_ci_high"] < 0)).sum())
    found = int((fitted["p_fdr"] < 1 - confidence).sum())
    sentences = [
        f"Family {family}: {percent_of(confidence)} interval without zero in {apart} of "
        f"{count_things(len(fitted), 'estimated region')}; p below {1 - confidence:.2g} after correction for the "
        f"{count_things(len(first), 'test')} of the family in {found}."
    ]
    if apart < len(fitted):
        sentences.append(
            "An interval that includes zero does not show that there is no difference: all values inside it are "
            "compatible with the data."
        )
    if n_refused:
        sentences.append(f"{count_things(n_refused, 'region')} of the family could not be estimated (see below).")
    return sentences


def _summarise_power(detectable: DetectableEffect | None, effects: pd.DataFrame) -> list[str]:
    """Say what this study could have seen."""
    if detectable is None or effects.empty:
        return []
    comparison, reference = split_contrast(effects)
    return [
        f"Smallest detectable effect: with {detectable.n_comparison} {comparison} and {detectable.n_reference} "
        f"{reference}, a single uncorrected test at level {detectable.alpha:.2g} finds a true difference of "
        f"g = {format_number(detectable.g, 2)} with {percent_of(detectable.power)} probability; smaller differences "
        "are more likely to be missed, and correction for several tests makes this worse."
    ]


def _summarise_scale(rows: pd.DataFrame, confidence: float) -> str:
    """Range of partial correlations with one scale."""
    scale, family = str(rows["scale"].iloc[0]), str(rows["family"].iloc[0])
    fitted = rows[rows["status"] == "fitted"]
    if fitted.empty:
        return f"{scale}: no association with volume could be estimated in the family {family} (see below)."
    ordered = fitted.sort_values("partial_r").to_dict("records")
    ends = [ordered[0], ordered[-1]]
    described = [
        f"{format_interval(row['partial_r'], row['partial_r_ci_low'], row['partial_r_ci_high'], 2)} "
        f"({region_name(row['roi'], row['hemisphere'])})"
        for row in ends[: len(fitted)]
    ]
    apart = int(((fitted["partial_r_ci_low"] > 0) | (fitted["partial_r_ci_high"] < 0)).sum())
    found = int((fitted["p_fdr"] < 1 - confidence).sum())
    return (
        f"{scale} (n = {format_counts(fitted['n'])}): partial correlation with volume from {' to '.join(described)}; "
        f"interval without zero in {apart} of {count_things(len(fitted), 'region')}, "
        f"p below {1 - confidence:.2g} after correction in {found}."
    )


def _find_warnings(effects: pd.DataFrame, associations: pd.DataFrame, quality: pd.DataFrame) -> list[str]:
    """Collect what a reader should know before believing the numbers."""
    notes = dict.fromkeys([*effects["head_size_note"].dropna(), *associations["head_size_note"].dropna()])
    warnings = [f"Head size: {note}." for note in notes if "could not be measured" in note]
    flagged = quality.loc[quality["hard_flags"].map(text_or) != "", "scan"].tolist()
    if flagged:
        warnings.append(
            f"{count_things(len(flagged), 'scan carries', 'scans carry')} a quality flag: "
            f"{join_words([str(scan) for scan in flagged])}. Look at the overlays before believing the numbers."
        )
    if len(set(quality["input_kind"])) > 1:
        warnings.append(
            "Some scans show whole heads, others extracted brains; volumes may differ for that reason alone."
        )
    if len(effects) and (effects["vif"] > HIGH_VIF).any():
        warnings.append("Groups differ strongly in a covariate (vif above 5): their effect is hard to tell from it.")
    return warnings
