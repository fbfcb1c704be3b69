"""Tables of quality as the report shows them: all scans, what is wrong with how many, and how raters agree.

Takes the tables of quality control, gives `TableView` objects and sentences. Nobody's group is known here; the quality
of the groups is in `morpho.present.quality_groups`.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from morpho.present.quality_words import metric_label, name_code, split_codes, tell_decision, worst_scans
from morpho.present.views import (
    UNSORTED,
    Cell,
    Column,
    TableView,
    choose_digits,
    number_cell,
    sort_value,
    text_cell,
)
from morpho.present.wording import MISSING, TIE, count_things, format_interval, text_or
from morpho.quality_metrics import FLAGS, HARD_FAILURES, METRIC_FLAGS, METRICS

EXTRA = {
    "quality_index": "All metrics that tell quality, in one robust z; higher is worse",
    "distance": "Distance from the cohort in all metrics together, robust z",
}


def view_metrics(
    metrics: pd.DataFrame, decisions: pd.DataFrame | None, *, pages: Mapping[str, str], link: str
) -> TableView:
    """View the quality metrics of all scans (of a large cohort those of `worst_scans`), the worst first.

    Parameters
    ----------
    metrics
        One row per chosen scan: verdict, hard_failures, flags, quality_index, distance and the metrics.
    decisions
        Decisions about the scans; None if there are none.
    pages
        Scan -> address of its page.
    link
        Address of the full table.

    Returns
    -------
    View in which the metrics that led to a flag stand out.
    """
    shown = [
        name for name in ("quality_index", "distance", *METRICS) if name in metrics and metrics[name].notna().any()
    ]
    columns = [Column(name, "", numeric=False) for name in ("scan", "verdict", "what was found", "decision")]
    columns += [Column(metric_label(name), describe_metric(name), numeric=True) for name in shown]
    digits = {name: choose_digits(metrics[name]) for name in shown}
    medians = {name: float(metrics[name].median()) for name in shown}
    known = {} if decisions is None else {str(row["scan"]): row for row in decisions.to_dict("records")}
    rows = []
    for row in worst_scans(metrics).to_dict("records"):
        scan = str(row["scan"])
        found = [name_code(code) for name in ("hard_failures", "flags") for code in split_codes(row[name])]
        numbers = [number_cell(row[name], digits[name], flagged=is_flagged(row, name, medians[name])) for name in shown]
        verdict = str(row["verdict"])
        rows.append(
            (
                text_cell(scan, link=pages.get(scan, "")),
                Cell(verdict, verdict, flagged=verdict != "passed"),
                text_cell("; ".join(found)),
                text_cell("left out" if known.get(scan, {}).get("decision") == "exclude" else "kept"),
                *numbers,
            )
        )
    details = "The worst scans come first. Marked numbers led to a flag; what each column is stands below the table."
    title = "All scans and their metrics" if len(rows) == len(metrics) else "Scans in most trouble and their metrics"
    return TableView(title, details, tuple(columns), tuple(rows), link)


def describe_metric(name: str) -> str:
    """Say what a metric, the quality index or the distance is."""
    return METRICS[name]["Description"] if name in METRICS else EXTRA.get(name, "")


def is_flagged(row: Mapping[object, object], metric: str, median: float) -> bool:
    """Tell whether a metric of a scan led to one of its flags: its code is among them, on the side where it lies."""
    if metric == "distance":
        return "unusual_overall" in split_codes(row["flags"])
    low, high = METRIC_FLAGS.get(metric, ("", ""))
    value = row[metric]
    if not isinstance(value, int | float) or pd.isna(value):
        return False
    code = low if value < median else high
    return bool(code) and code in split_codes(row["flags"])


def view_codes(metrics: pd.DataFrame) -> TableView:
    """View how many scans have each hard failure and each flag.

    Parameters
    ----------
    metrics
        Columns hard_failures and flags, codes separated by commas.

    Returns
    -------
    Hard failures first, in the order of the vocabulary; codes that no scan has are left out.
    """
    counts: dict[str, int] = {}
    for name in ("hard_failures", "flags"):
        for codes in metrics[name]:
            for code in split_codes(codes):
                counts[code] = counts.get(code, 0) + 1
    columns = (
        Column("what was found", "", numeric=False),
        Column("kind", "a hard failure leaves a scan out, a flag does not", numeric=False),
        Column("scans", "", numeric=True),
    )
    rows = tuple(
        (text_cell(name_code(code)), text_cell(kind), number_cell(counts[code], 0))
        for kind, codes in (("hard failure", HARD_FAILURES), ("flag", FLAGS))
        for code in codes
        if code in counts
    )
    return TableView("What was found, in how many scans", "", columns, rows, "")


def count_verdicts(metrics: pd.DataFrame) -> str:
    """Count the verdicts in one sentence."""
    n = {name: int((metrics["verdict"] == name).sum()) for name in ("passed", "flagged", "failed")}
    return (
        f"{count_things(len(metrics), 'scan')}: {n['passed']} passed, {n['flagged']} flagged, {n['failed']} failed. "
        "A flag asks for a look and leaves the scan in; a hard failure leaves it out, unless somebody decides to keep "
        "it."
    )


def decision_lines(decisions: pd.DataFrame | None) -> dict[str, str]:
    """Say for every scan whether the statistics have it, and who decided."""
    if decisions is None:
        return {}
    return {str(row["scan"]): tell_decision(row) for row in decisions.to_dict("records")}


def view_agreement(agreement: pd.DataFrame) -> TableView:
    """View how well pairs of raters agree.

    Parameters
    ----------
    agreement
        Table of pairs of raters; may be empty.

    Returns
    -------
    One row per pair; where there is no kappa, the reason stands in its place.
    """
    columns = (
        Column("raters", "", numeric=False),
        Column("scans", "rated by both", numeric=True),
        Column("agreement", "share of these scans on which they say the same", numeric=True),
        Column(f"kappa [95{TIE}%{TIE}CI]", "agreement beyond chance; 1 is perfect, 0 is chance", numeric=True),
    )
    rows = tuple(
        (
            text_cell(f"{row['rater_1']}, {row['rater_2']}"),
            number_cell(row["n_scans"], 0),
            number_cell(row["agreement"], 2),
            Cell(
                text_or(row["reason"], MISSING)
                if pd.isna(row["kappa"])
                else format_interval(row["kappa"], row["kappa_ci_low"], row["kappa_ci_high"], 2),
                sort_value(row["kappa"]),
            ),
        )
        for row in agreement.to_dict("records")
    )
    return TableView("Agreement of the raters", "", columns, rows, UNSORTED)
