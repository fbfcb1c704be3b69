"""Tables of one region as its page shows them: variants of the analysis, tests of claims, and scans far from expected.

Takes rows of one region, gives `TableView` objects.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from morpho.present.strips import measure_spread
from morpho.present.views import (
    UNSORTED,
    Cell,
    Column,
    TableView,
    drop_empty_columns,
    number_cell,
    sort_value,
    text_cell,
)
from morpho.present.wording import (
    MISSING,
    SIDES,
    count_things,
    effect_name,
    format_interval,
    format_number,
    format_p,
    is_missing,
    percent_of,
    text_or,
)

MOST_SCANS = 20
SIDE_NAMES = {"mean": "mean of both sides", "whole": "both sides"}


def side_name(hemisphere: object) -> str:
    """Name of a side, as a column head."""
    text = text_or(hemisphere)
    return SIDES.get(text, SIDE_NAMES.get(text, text)).strip()


def view_region_sensitivity(rows: pd.DataFrame, labels: Mapping[str, str], *, link: str) -> TableView | None:
    """View the effect of one region in every variant of the analysis.

    Parameters
    ----------
    rows
        Rows of one region of the table of variants; may be empty.
    labels
        Variant -> what it is, in words.
    link
        Address of the full table.

    Returns
    -------
    One row per variant, one column per family and side; None if there are no rows.
    """
    if rows.empty:
        return None
    places = list(dict.fromkeys(zip(rows["family"], rows["hemisphere"], strict=True)))
    names = list(dict.fromkeys(zip(rows["variant"], rows["left_out"].map(text_or), strict=True)))
    columns = [Column("variant", "", numeric=False)]
    columns += [Column(f"{family}: {side_name(side)}", "", numeric=True) for family, side in places]
    lines = []
    for variant, left_out in names:
        words = labels.get(str(variant), str(variant).replace("_", " "))
        cells = [text_cell(f"without site {left_out}" if left_out else words)]
        here = rows[(rows["variant"] == variant) & (rows["left_out"].map(text_or) == left_out)]
        for family, side in places:
            cells.append(_variant_cell(here[(here["family"] == family) & (here["hemisphere"] == side)]))
        lines.append(tuple(cells))
    details = "Hedges' g with its interval, and the people analysed. All variants are of the same study."
    return TableView("Variants of the analysis", details, tuple(columns), tuple(lines), link)


def _variant_cell(rows: pd.DataFrame) -> Cell:
    """Cell of one variant in one place; empty where the variant does not apply."""
    if rows.empty:
        return Cell("", UNSORTED)
    row = rows.iloc[0]
    if row["status"] != "fitted":
        return Cell("not estimated", UNSORTED)
    text = format_interval(row["estimate"], row["ci_low"], row["ci_high"], 2)
    return Cell(f"{text}, n {format_number(row['n'], 0)}", sort_value(row["estimate"]))


def view_region_tests(tests: pd.DataFrame, *, link: str) -> TableView:
    """View the tests of all claims on one region.

    Parameters
    ----------
    tests
        Rows of one region of the tests of claims; may be empty.
    link
        Address of the full table.

    Returns
    -------
    View in the order of the table; those that decide on a claim are told.
    """
    columns = (
        Column("claim", "", numeric=False),
        Column("side", "", numeric=False),
        Column("effect", "", numeric=False),
        Column(
            "estimate [CI]",
            "where the verdict rests on it, the interval holds for all deciding regions of the claim together",
            numeric=True,
        ),
        Column("p FDR", "corrected within the family of the test", numeric=True),
        Column("n", "people analysed", numeric=True),
        Column("decides", "whether the verdict on the claim rests on it", numeric=False),
        Column("verdict", "of this row alone, or why it was not estimated", numeric=False),
    )
    lines = []
    for row in tests.to_dict("records"):
        fitted = row["status"] == "fitted"
        kind = "ci" if is_missing(row["simultaneous_ci_low"]) else "simultaneous_ci"
        limits = row[f"{kind}_low"], row[f"{kind}_high"]
        estimate = format_interval(row["estimate"], *limits, 2) if fitted else "not estimated"
        lines.append(
            (
                text_cell(f"{row['claim_id']}, {str(row['test']).replace('_', ' ')}"),
                text_cell(side_name(row["hemisphere"])),
                text_cell(f"{effect_name(text_or(row['effect_size']))}: {text_or(row['contrast'])}".strip(": ")),
                Cell(estimate, sort_value(row["estimate"]) if fitted else UNSORTED),
                Cell(format_p(row["p_fdr"]), sort_value(row["p_fdr"])) if fitted else Cell(MISSING, UNSORTED),
                number_cell(row["n"], 0),
                text_cell("yes" if str(row["decides"]).lower() == "true" else "no"),
                text_cell(text_or(row["verdict"]) if fitted else text_or(row["reason"], "no reason given")),
            )
        )
    return drop_empty_columns(TableView("Tests of claims", "", columns, tuple(lines), link))


def view_deviations(rows: pd.DataFrame, *, limit: float, pages: Mapping[str, str], link: str) -> TableView | None:
    """View the scans whose volume is farthest from what the cohort predicts.

    Parameters
    ----------
    rows
        Rows of one region of the deviations; may be empty.
    limit
        Robust z from which a volume stands out.
    pages
        Scan -> address of its page.
    link
        Address of the full table.

    Returns
    -------
    The farthest scans first, at most `MOST_SCANS`; None if nobody has a z.
    """
    known = rows[rows["z"].notna()]
    if known.empty:
        return None
    n_beyond = int((known["z"].abs() >= limit).sum())
    spread = measure_spread(known["z"])
    far = known.loc[known["z"].abs().sort_values(ascending=False, kind="stable").index[:MOST_SCANS]]
    columns = (
        Column("scan", "", numeric=False),
        Column("side", "", numeric=False),
        Column("volume, mm³", "as measured", numeric=True),
        Column("expected, mm³", "from the other scans, given what the cohort knows, blind to group", numeric=True),
        Column("robust z", "difference over the robust standard deviation of such differences", numeric=True),
    )
    lines = tuple(
        (
            text_cell(str(row["scan"]), link=pages.get(str(row["scan"]), "")),
            text_cell(side_name(row["hemisphere"])),
            number_cell(row["volume_mm3"], 0),
            number_cell(row["expected_mm3"], 0),
            number_cell(row["z"], 1, flagged=abs(row["z"]) >= limit),
        )
        for row in far.to_dict("records")
    )
    middle = "" if spread is None else f" {percent_of(0.9)} lie between {spread.low:.1f} and {spread.high:.1f}."
    details = (
        f"Of {count_things(len(known), 'volume')}, {n_beyond} are {limit:g} or more robust standard deviations from "
        f"what head size, age, sex and site predict.{middle} Shown are the {len(lines)} farthest."
    )
    return TableView("Scans farthest from expected", details.replace("-", "−"), columns, lines, link)
