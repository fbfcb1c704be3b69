"""The quality of the scans in both groups, beside the group difference in volume.

Takes the comparison of quality and the group comparison, gives a `TableView` and sentences.
"""

from __future__ import annotations

import pandas as pd

from morpho.present.quality_words import metric_label
from morpho.present.views import Cell, Column, Row, TableView, choose_digits, sort_value, text_cell
from morpho.present.wording import TIE, format_interval, format_number, format_range, percent_of, text_or

MOTION_PERCENT = 0.7  # per cent of grey matter that looks lost per mm/min of motion
MOTION_SOURCE = "Reuter et al. 2015, NeuroImage 107:107-115"


def view_comparison(comparison: pd.DataFrame, *, confidence: float, link: str) -> TableView:
    """View the difference in quality between the groups, one row per metric.

    Parameters
    ----------
    comparison
        Table of the comparison; may be empty.
    confidence
        Coverage of its intervals, between 0 and 1.
    link
        Address of the full table.

    Returns
    -------
    View in the order of the table; metrics that could not be compared are named with the reason.
    """
    columns = (
        Column("metric", "", numeric=False),
        Column(f"g [{percent_of(confidence)}{TIE}CI]", "comparison minus reference group, in SD", numeric=True),
        Column("reference group, mean (SD)", "", numeric=True),
        Column("comparison group, mean (SD)", "", numeric=True),
        Column("n", "scans with a value, reference + comparison", numeric=True),
    )
    fitted = comparison[comparison["status"] == "fitted"]
    rows = tuple(_comparison_cells(row) for row in fitted.to_dict("records"))
    refused = comparison[comparison["status"] != "fitted"]
    reasons: dict[str, list[str]] = {}
    for row in refused.to_dict("records"):
        reasons.setdefault(text_or(row["reason"], "no reason given"), []).append(metric_label(str(row["metric"])))
    lines = tuple(f"{', '.join(names)}: {reason}" for reason, names in reasons.items())
    details = "Unadjusted, kept scans only. No tests: a difference need not be significant to bias a result."
    return TableView("Quality of the scans in both groups", details, columns, rows, link, lines)


def _comparison_cells(row: Row) -> tuple[Cell, ...]:
    """Cells of one metric."""
    name = str(row["metric"])
    means = []
    for role in ("reference", "comparison"):
        mean, sd = row[f"mean_{role}"], row[f"sd_{role}"]
        digits = choose_digits(pd.Series([mean, sd]))
        means.append(Cell(f"{format_number(mean, digits)} ({format_number(sd, digits)})", sort_value(mean)))
    people = f"{format_number(row['n_reference'], 0)} + {format_number(row['n_comparison'], 0)}"
    return (
        text_cell(metric_label(name)),
        Cell(format_interval(row["g"], row["g_ci_low"], row["g_ci_high"], 2), sort_value(row["g"])),
        *means,
        Cell(people, sort_value(row["n_reference"])),
    )


def explain_quality(effects: pd.DataFrame, comparison: pd.DataFrame | None) -> tuple[str, ...]:
    """Say how the quality of the scans bears on the group difference.

    Parameters
    ----------
    effects
        Group comparison, with ``motion_equivalent_mm_per_min``; may be empty.
    comparison
        Quality of the groups; None or empty if it was not compared.

    Returns
    -------
    Sentences; none if there is nothing to compare.
    """
    if comparison is None or comparison.empty:
        return ()
    rows = comparison[(comparison["metric"] == "quality_index") & (comparison["status"] == "fitted")]
    if rows.empty:
        return ("The quality of the groups could not be compared (see the table).",)
    row = rows.iloc[0]
    g = format_interval(row["g"], row["g_ci_low"], row["g_ci_high"], 2)
    sentences = [
        f"Quality index, comparison minus reference group: g{TIE}={TIE}{g}; higher is worse. Poorer scans look as if "
        "they had less grey matter, so a difference here can make or hide one of volume.",
        f"Published slope for motion: about {MOTION_PERCENT:g}{TIE}% of grey matter per mm/min ({MOTION_SOURCE}).",
    ]
    if "motion_equivalent_mm_per_min" in effects:
        fitted = effects[(effects["status"] == "fitted") & effects["motion_equivalent_mm_per_min"].notna()]
        first = fitted[fitted["family"] == fitted["family"].iloc[0]] if len(fitted) else fitted
        low, high = first["motion_equivalent_mm_per_min"].min(), first["motion_equivalent_mm_per_min"].max()
        if len(first):
            sentences.append(
                f"To give the differences of the family {first['family'].iloc[0]} by motion alone, the comparison "
                f"group would have to move by {format_range([low, high], 1)} mm/min more than the other (below zero: "
                "less). T1w scans do not measure motion, so this compares sizes only."
            )
    return tuple(sentences)
