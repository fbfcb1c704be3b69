"""The first lines of the report: what was asked, what this sample answers, and what calls for care.

Takes the tables of the models and of the claims, gives sentences. They rest on estimates, intervals and the verdicts
made from them, never on p values.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from morpho.present.set_views import tell_dependence
from morpho.present.verdicts import group_verdicts, name_verdict
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
)

Row = dict[Hashable, Any]

MOST_NAMED = 8  # scans; more are counted only
HIGH_VIF = 5.0  # beyond it, most of the spread of group is shared with the covariates
# What a verdict says of a sample; the claims are named behind it.
ANSWERS = {
    "consistent": "is consistent with {}",
    "contrary": "is contrary to {}",
    "inconclusive": "is inconclusive on {}",
    "equivalent to none": "shows an effect equivalent to none for {}",
}


@dataclass(frozen=True)
class Headline:
    """Sentences: the question, the answer in one sentence, one line per region of the first family, summaries, care."""

    question: str
    answer: str
    estimates: tuple[str, ...]
    summary: tuple[str, ...]
    warnings: tuple[str, ...]


def write_headline(
    effects: pd.DataFrame,
    associations: pd.DataFrame,
    claims: pd.DataFrame,
    metrics: pd.DataFrame | None,
    *,
    confidence: float,
    smallest: int = 0,
) -> Headline:
    """Write the headline from the claims, and the first family of the group comparison and of each severity scale.

    Parameters
    ----------
    effects, associations
        Group comparison and severity association; either may be empty.
    claims
        Table of claims; may be empty.
    metrics
        Quality metrics with verdicts; None if no scan was measured here.
    confidence
        Coverage of the intervals, between 0 and 1.
    smallest
        Fewest scans of a count that is shown; single scans are named only if it is 0.

    Returns
    -------
    Plain sentences.
    """
    first = effects[effects["family"] == effects["family"].iloc[0]] if len(effects) else effects
    fitted = first[first["status"] == "fitted"]
    summary = [*_tell_confirmatory(claims), *_summarise_effects(first, confidence)]
    for _, rows in associations.groupby("scale", sort=False):
        summary.append(_summarise_scale(rows[rows["family"] == rows["family"].iloc[0]]))
    return Headline(
        question=_ask(effects, associations),
        answer=answer_from_claims(claims),
        estimates=tuple(describe_effect(row) for row in fitted.to_dict("records")),
        summary=tuple(summary),
        warnings=(
            *_find_warnings(effects, associations),
            *tell_dependence(fitted),
            *(() if metrics is None else _find_quality_warnings(metrics, smallest=smallest)),
        ),
    )


def answer_from_claims(claims: pd.DataFrame) -> str:
    """Answer in one sentence: which claims this sample is consistent with, contrary to, or inconclusive on.

    Parameters
    ----------
    claims
        Table of claims; may be empty.

    Returns
    -------
    One sentence. Claims without a verdict are counted, not named.
    """
    if claims.empty:
        return "There were no claims to judge."
    groups = group_verdicts(claims)
    answers = [
        template.format(f"{len(groups[verdict])} ({', '.join(groups[verdict])})")
        for verdict, template in ANSWERS.items()
        if verdict in groups
    ]
    counts = count_things(len(claims), "claim")
    if answers:
        n_judged = sum(len(groups.get(verdict, [])) for verdict in ANSWERS)
        return f"Of {counts}, {n_judged} could be judged: this sample {join_words(answers)}."
    reasons = {
        "not estimable": len(groups.get("not estimable", [])),
        "in need of columns that it lacks": int(claims["status"].isin(["not_testable", "described"]).sum()),
        "out of reach of T1w scans": int((claims["status"] == "out_of_reach").sum()),
    }
    told = [f"{count} {reason}" for reason, count in reasons.items() if count]
    return f"This sample cannot judge any claim (of {len(claims)}, {join_words(told)})."


def _tell_confirmatory(claims: pd.DataFrame) -> list[str]:
    """Say what became of the claims that were set before looking at the data."""
    if claims.empty:
        return []
    planned = claims[claims["confirmatory"].astype(str).str.lower() == "true"]
    told = {"not_testable": "not testable here", "out_of_reach": "out of reach"}
    named = [f"{row['claim_id']} {told.get(row['status']) or name_verdict(row)}" for row in planned.to_dict("records")]
    if not named:
        return ["No claim was set before looking at the data: all of this is exploration."]
    return [f"Set before looking at the data: {join_words(named)}. All other claims are explored."]


def _ask(effects: pd.DataFrame, associations: pd.DataFrame) -> str:
    """Write the question of the study."""
    scales = list(dict.fromkeys(associations["scale"]))
    severity = f"do they go with {join_words(scales)}" if scales else ""
    if effects.empty:
        return f"Volumes of grey-matter regions: {severity or 'no comparison was asked for'}."
    comparison, reference = split_contrast(effects)
    fitted = effects[effects["status"] == "fitted"]
    if fitted.empty:
        refused = f"The groups could not be compared: {'; '.join(dict.fromkeys(effects['reason'].astype(str)))}."
        return f"{refused} Do volumes go with {join_words(scales)} within {comparison}?" if scales else refused
    sizes = [
        f"{name} (n{TIE}={TIE}{format_counts(fitted[column])})"
        for name, column in ((comparison, "n_comparison"), (reference, "n_reference"))
    ]
    question = f"Do volumes of grey-matter regions differ between {join_words(sizes)}"
    return f"{question}, and {severity} within {comparison}?" if severity else f"{question}?"


def describe_effect(row: Row) -> str:
    """One region in words: percent and g, with their intervals."""
    comparison = str(row["contrast"]).partition(" - ")[0]
    direction = "smaller" if row["percent"] < 0 else "larger"
    percent = format_number(abs(row["percent"]), 1)
    low, high = (format_number(row[f"percent_ci_{end}"], 1) for end in ("low", "high"))
    interval = f"[{low},{TIE}{high}]{TIE}%"
    g = format_interval(row["g"], row["g_ci_low"], row["g_ci_high"], 2)
    return (
        f"{region_name(row['roi'], row['hemisphere'])}: {percent} % {direction} in {comparison}, "
        f"difference {interval}; g{TIE}={TIE}{g}"
    )


def _summarise_effects(first: pd.DataFrame, confidence: float) -> list[str]:
    """Count what the intervals of one family exclude: no difference, or any difference worth the name."""
    if first.empty:
        return ["No group comparison was made."]
    fitted = first[first["status"] == "fitted"]
    family, n_refused = str(first["family"].iloc[0]), len(first) - len(fitted)
    if fitted.empty:
        return [
            f"None of the {count_things(len(first), 'model')} of the family {family} could be estimated (see below)."
        ]
    apart = (fitted["g_ci_low"] > 0) | (fitted["g_ci_high"] < 0)
    bound = fitted["equivalence_bound_g"]
    within = (fitted["g_ci90_low"] > -bound) & (fitted["g_ci90_high"] < bound)
    unclear = int((~apart & ~within).sum())
    sentences = [
        f"Family {family}, {count_things(len(fitted), 'estimated region')}: {percent_of(confidence)} interval without "
        f"zero in {int(apart.sum())}; 90{TIE}% interval within ±{bound.iloc[0]:g}, so equivalent to none, in "
        f"{int(within.sum())}; inconclusive in {unclear}."
    ]
    if unclear:
        sentences.append(
            "An interval that includes zero does not show that there is no difference: all values inside it are "
            "compatible with the data."
        )
    if n_refused:
        sentences.append(f"{count_things(n_refused, 'region')} of the family could not be estimated (see below).")
    return sentences


def _summarise_scale(rows: pd.DataFrame) -> str:
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
    return (
        f"{scale} (n = {format_counts(fitted['n'])}): partial correlation with volume from {' to '.join(described)}; "
        f"interval without zero in {apart} of {count_things(len(fitted), 'region')}, not corrected for their number."
    )


def _find_warnings(effects: pd.DataFrame, associations: pd.DataFrame) -> list[str]:
    """Collect what a reader should know of the models before believing the numbers."""
    notes = dict.fromkeys([*effects["head_size_note"].dropna(), *associations["head_size_note"].dropna()])
    warnings = [f"Head size: {note}." for note in notes if "could not be measured" in note]
    if len(effects) and (effects["vif"] > HIGH_VIF).any():
        warnings.append("Groups differ strongly in a covariate (vif above 5): their effect is hard to tell from it.")
    return warnings


def _find_quality_warnings(metrics: pd.DataFrame, *, smallest: int) -> list[str]:
    """Collect what quality control says against the scans."""
    warnings = []
    tails = {
        "failed": "failed quality control; the statistics leave out what nobody decided to keep",
        "flagged": "carry a flag and stay in. Look at them before believing the numbers",
    }
    for verdict, tail in tails.items():
        scans = [str(scan) for scan in metrics.loc[metrics["verdict"] == verdict, "scan"]]
        if not scans:
            continue
        names = f" ({join_words(scans)})" if not smallest and len(scans) <= MOST_NAMED else ""
        if len(scans) == 1:
            tail = tail.replace("carry", "carries").replace("stay in", "stays in").replace("at them", "at it")
        count = count_things(len(scans), "scan") if len(scans) >= smallest else "Few scans"
        warnings.append(f"{count}{names} {tail}.")
    if len(set(metrics["input_kind"].dropna())) > 1:
        warnings.append(
            "Some scans show whole heads, others extracted brains; volumes may differ for that reason alone."
        )
    return warnings
