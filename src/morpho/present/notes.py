"""How to read each section of the report: what a number means here, and what it does not.

Takes the tables and settings of the run, gives plain sentences; nothing is said that does not apply to this run.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from morpho.present.sample_views import name_contrast
from morpho.present.wording import (
    NOT_THE_SAME,
    count_things,
    format_number,
    format_range,
    join_words,
    percent_of,
    roi_name,
    text_or,
)

Row = dict[Hashable, Any]

SMALL_CELL = 20  # below it, the permutation p is the one to read
DISPUTED = ("subgenual_cingulate", "dlpfc")  # authors draw them differently


def explain_precision(precision: pd.DataFrame) -> tuple[str, ...]:
    """Say what the sample can show, question by question, for the first family of regions.

    Parameters
    ----------
    precision
        Table of precision; may be empty.

    Returns
    -------
    Two or more sentences per question with any model; one sentence if there is none.
    """
    sentences: list[str] = []
    known = precision[precision["detectable"].notna()]
    for contrast, rows in known.groupby("contrast", sort=False, dropna=False):
        first = rows[rows["family"] == rows["family"].iloc[0]]
        sentences += _say_detectable(first, name_contrast(contrast))
        sentences += _say_expected(first)
    if known.empty:
        return ("No model could be estimated, so this sample shows nothing about differences or associations.",)
    shown = known[known["recovery_low"].notna()]
    if len(shown):
        low, high = 100 * shown["recovery_low"].min(), 100 * shown["recovery_high"].max()
        sentences.append(
            f"Measuring loses a part: of a change planted in a scan, morpho showed {format_range([low, high], 0)} %, "
            "depending on the region. If it loses as much of a true difference, only larger ones are found (last "
            "columns)."
        )
    return tuple(sentences)


def _say_detectable(rows: pd.DataFrame, question: str) -> list[str]:
    """Say what effect is found, and how wide intervals are."""
    row = rows.iloc[0]
    is_g = row["effect_size"] == "g"
    people = (
        f"{format_range(rows['n_reference'], 0)} and {format_range(rows['n_comparison'], 0)} people"
        if is_g
        else f"{format_range(rows['n'], 0)} people"
    )
    what, unit = ("difference", " standard deviations") if is_g else ("partial correlation", "")
    size = int(row["family_size"])
    corrected = f" ({format_range(rows['detectable_family'], 2)} corrected for {size} tests)" if size > 1 else ""
    return [
        f"{question}, {people}: a true {what} of {format_range(rows['detectable'], 2)}{unit}{corrected} is found in "
        f"{100 * row['power_wanted']:.0f} of 100 studies of this size; smaller ones are missed more often. Where none "
        f"is seen, the interval reaches {format_range(rows['half_width_at_zero'], 2)} to either side."
    ]


def _say_expected(rows: pd.DataFrame) -> list[str]:
    """Say what the best evidence expects of the region with the largest expected effect, volume before thickness."""
    given = rows[rows["expected"].notna()]
    if given.empty:
        return []
    is_same = ~given["expected_source"].map(text_or).str.contains(NOT_THE_SAME)
    chosen = given[is_same] if is_same.any() else given
    row = chosen.sort_values("expected", key=abs, kind="stable").iloc[-1]
    source = f" ({text_or(row['expected_source'])})" if text_or(row["expected_source"]) else ""
    text = (
        f"The best evidence expects {format_number(row['expected'], 2)} for {roi_name(str(row['roi']))}{source}; a "
        f"study of this size finds it {100 * row['power_at_expected']:.0f} times in 100."
    )
    if math.isfinite(row["people_needed"]):
        where = " in each group" if row["effect_size"] == "g" else ""
        text += f" To find it {100 * row['power_wanted']:.0f} times takes {row['people_needed']:,.0f} people{where}."
    if row["half_width_at_expected"] > abs(row["expected"]):
        text += " Not finding it here would say nothing against it."
    return [text]


def explain_claims(claims: pd.DataFrame, meanings: Mapping[str, str]) -> tuple[str, ...]:
    """Say what verdicts are made from, and what each of them means.

    Parameters
    ----------
    claims
        Table of claims; may be empty.
    meanings
        Verdict -> what it means.

    Returns
    -------
    Sentences; none if no claim has a verdict.
    """
    present = [verdict for verdict in meanings if (claims["verdict"] == verdict).any()]
    if not present:
        return ()
    return (
        "Verdicts come from effects and their intervals, not from p values. Intervals hold for all deciding regions of "
        "a claim together; nothing is corrected over the claims, so of many claims some will look right by chance.",
        *(f"{verdict.capitalize()}: {meanings[verdict]}." for verdict in present),
    )


def explain_groups(effects: pd.DataFrame, sensitivity: pd.DataFrame, settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Say how to read the group comparison.

    Parameters
    ----------
    effects
        Group comparison; may be empty.
    sensitivity
        Variants of the analysis; may be empty.
    settings
        Block ``models`` of the configuration.

    Returns
    -------
    Sentences; none if nothing was fitted.
    """
    fitted = effects[effects["status"] == "fitted"]
    if fitted.empty:
        return ()
    bound = settings["smallest_effects"]["g"]
    confidence = percent_of(settings["confidence"])
    sentences = [
        "These are associations in a sample that was observed: a difference between groups is not the effect of "
        "depression.",
        f"Read g and its {confidence} interval first. Intervals and p are of one region alone. "
        f"{_name_families(fitted)} Within each, p FDR controls the share of false findings, and p FWER any false "
        f"finding (largest statistic of {settings['n_permutations']} permutations).",
        f"The smallest effect of interest is g = {bound:g}. Only an interval (90 %) inside ±{bound:g} speaks for no "
        "difference worth the name; a large p does not. A Bayes factor below 1 speaks for none, above 1 for some.",
    ]
    if (fitted[["n_reference", "n_comparison"]].min(axis=1) < SMALL_CELL).any():
        sentences.append(f"A group has fewer than {SMALL_CELL} people: read the permuted p in place of p.")
    if _has_thickness(fitted):
        sentences.append(
            "ENIGMA-MDD published volume of hippocampus and amygdala, but thickness of the cortex. Thickness is not "
            "volume: compare directions, not sizes."
        )
    return (*sentences, _tell_medication(sensitivity))


def _has_thickness(fitted: pd.DataFrame) -> bool:
    """Tell whether a volume stands beside a published thickness."""
    return "enigma_measure" in fitted and bool(fitted["enigma_measure"].map(text_or).str.contains(NOT_THE_SAME).any())


def _name_families(fitted: pd.DataFrame) -> str:
    """Name the families of tests with their sizes."""
    sizes = fitted.groupby("family", sort=False)["family_size"].max()
    named = [f"{family} ({count_things(int(size), 'test')})" for family, size in sizes.items()]
    return f"Families of tests that are corrected together: {join_words(named)}."


def _tell_medication(sensitivity: pd.DataFrame) -> str:
    """Say what can be told of medication in this cohort."""
    text = "Medication may make or hide a difference: patients often take it, controls seldom do."
    tried = sensitivity[(sensitivity["variant"] == "unmedicated") & (sensitivity["status"] == "fitted")]
    if len(tried):
        return f"{text} The variant 'unmedicated' leaves out people who take an antidepressant."
    return f"{text} This cohort gives no way to look at it (variable medication, people who take none)."


def explain_severity(associations: pd.DataFrame, settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Say how to read the severity associations; none if nothing was fitted.

    Parameters
    ----------
    associations
        Severity association; may be empty.
    settings
        Block ``models`` of the configuration.

    Returns
    -------
    Sentences.
    """
    fitted = associations[associations["status"] == "fitted"]
    if fitted.empty:
        return ()
    small = " With fewer than 20 people read the permuted p." if (fitted["n"] < SMALL_CELL).any() else ""
    return (
        "Within patients only, at one time: an association does not say that severity changes volume, nor the reverse. "
        f"{_name_families(fitted)} Each scale has its own. The smallest partial r of interest is "
        f"{settings['smallest_effects']['partial_r']:g}.{small}",
    )


def explain_regions(regions: pd.DataFrame | None, shown: set[str]) -> tuple[str, ...]:
    """Say how regions that authors draw differently are drawn here.

    Parameters
    ----------
    regions
        Columns roi and description; None if the volumes come from a table.
    shown
        Regions of the results.

    Returns
    -------
    One sentence, or none if no such region is shown.
    """
    disputed = [roi for roi in DISPUTED if roi in shown]
    if not disputed:
        return ()
    names = join_words([roi_name(roi) for roi in disputed])
    if regions is None:
        return (f"Authors draw {names} differently; here they are as in the table of volumes, which does not say how.",)
    known = regions.drop_duplicates("roi").set_index("roi")["description"]
    drawn = [f"{roi_name(roi)}: {text_or(known.get(roi), 'not described')}" for roi in disputed]
    return (f"Authors draw {names} differently. Here, {'; '.join(drawn)}.",)
