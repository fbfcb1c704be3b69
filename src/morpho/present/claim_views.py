"""Claims as the report shows them: verdicts first, then the regions behind them, then what was not tested.

Takes the tables of claims and of their tests, gives `TableView` objects. Full numbers stay in the TSV files.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import pandas as pd

from morpho.present.verdicts import VERDICTS, is_judged, name_verdict, split_needs
from morpho.present.views import UNSORTED, Cell, Column, TableView, number_cell, sort_value, text_cell
from morpho.present.wording import (
    MISSING,
    TIE,
    effect_name,
    format_interval,
    format_number,
    format_p,
    join_words,
    region_name,
    text_or,
)

Row = dict[Hashable, Any]

EVIDENCE = "strongest published evidence"  # label of a column


def view_claims(claims: pd.DataFrame, *, link: str) -> TableView:
    """View the claims that were tested: claim, verdict, what was found, and the strongest published evidence.

    Parameters
    ----------
    claims
        Table of claims.
    link
        Address of the full table.

    Returns
    -------
    View in the order of the table; it sorts by verdict in the order of `VERDICTS`.
    """
    columns = tuple(
        Column(label, explanation, numeric=False)
        for label, explanation in (
            ("claim", ""),
            ("verdict", "of this sample"),
            ("what was found", "interval over all deciding regions together"),
            (EVIDENCE, ""),
        )
    )
    rows = [
        (
            text_cell(_name_claim(row)),
            Cell(name_verdict(row), str(_rank(name_verdict(row)))),
            text_cell(_drop_verdict(text_or(row["sentence"]), name_verdict(row))),
            text_cell(_say_evidence(row)),
        )
        for row in claims.to_dict("records")
        if is_judged(row)
    ]
    return TableView("Claims tested in this sample", "", columns, tuple(rows), link)


def view_untested(claims: pd.DataFrame) -> list[TableView]:
    """View the claims that were not tested: those that need more columns, then those out of reach of T1w scans.

    Parameters
    ----------
    claims
        Table of claims.

    Returns
    -------
    One view for each of the two kinds that there is.
    """
    rows = claims.to_dict("records")
    lines = {
        "Not testable in this cohort": [
            (text_cell(_name_claim(row)), text_cell(", ".join(split_needs(row)) or text_or(row["sentence"])))
            for row in rows
            if row["status"] == "not_testable"
        ],
        "Out of reach of T1w scans": [
            (text_cell(_name_claim(row)), text_cell(text_or(row["sentence"])))
            for row in rows
            if row["status"] == "out_of_reach"
        ],
    }
    heads = {"Not testable in this cohort": "needs", "Out of reach of T1w scans": "why"}
    return [
        TableView(
            caption,
            "",
            (Column("claim", "", numeric=False), Column(heads[caption], "", numeric=False)),
            tuple(cells),
            "",
        )
        for caption, cells in lines.items()
        if cells
    ]


def view_deciding(tests: pd.DataFrame, *, link: str) -> TableView:
    """View the tests that verdicts rest on, one row per claim and region.

    Parameters
    ----------
    tests
        Table of the tests of claims; may be empty.
    link
        Address of the full table.

    Returns
    -------
    View in the order of the table.
    """
    columns = (
        Column("claim", "", numeric=False),
        Column("region", "", numeric=False),
        Column("effect", "", numeric=False),
        Column(f"estimate [simultaneous{TIE}CI]", "holds for all deciding regions of the claim together", numeric=True),
        Column("claimed", "from the best evidence, else the smallest effect of interest", numeric=True),
        Column("p FDR", "corrected within the family of the test", numeric=True),
        Column("n", "people analysed", numeric=True),
        Column("verdict", "of this row alone", numeric=False),
    )
    deciding = tests[tests["decides"].astype(str).str.lower() == "true"] if len(tests) else tests
    rows = tuple(_deciding_cells(row) for row in deciding.to_dict("records"))
    return TableView("Tests that the verdicts rest on", "", columns, rows, link)


def _deciding_cells(row: Row) -> tuple[Cell, ...]:
    """Cells of one deciding test."""
    place = region_name(text_or(row["roi"]), text_or(row["hemisphere"]))
    head = [
        text_cell(f"{row['claim_id']}, {str(row['test']).replace('_', ' ')}"),
        text_cell(place or "all regions"),
        text_cell(f"{effect_name(text_or(row['effect_size']))}: {text_or(row['contrast'])}".strip(": ")),
    ]
    if row["status"] != "fitted":
        empty = [Cell(MISSING, UNSORTED)] * 3
        reason = text_or(row["reason"], "no reason given")
        return (*head, Cell("not estimated", UNSORTED, flagged=True), *empty, text_cell(reason))
    estimate = format_interval(row["estimate"], row["simultaneous_ci_low"], row["simultaneous_ci_high"], 2)
    claimed = "any" if row["direction"] == "either" else format_number(row["expected"], 2)
    return (
        *head,
        Cell(estimate, sort_value(row["estimate"])),
        Cell(claimed, sort_value(row["expected"])),
        Cell(format_p(row["p_fdr"]), sort_value(row["p_fdr"])),
        number_cell(row["n"], 0),
        text_cell(text_or(row["verdict"])),
    )


def _name_claim(row: Row) -> str:
    """Write a claim with its identifier, and whether it was set before looking at the data."""
    mark = " (set beforehand)" if row["confirmatory"] is True or str(row["confirmatory"]).lower() == "true" else ""
    return f"{row['claim_id']}: {row['claim']}{mark}"


def _rank(verdict: str) -> int:
    """Place of a verdict in the order of `VERDICTS`; others come last."""
    return VERDICTS.index(verdict) if verdict in VERDICTS else len(VERDICTS)


def _drop_verdict(sentence: str, verdict: str) -> str:
    """Drop the verdict, and what it means, from the beginning of a sentence: the table has a column for it."""
    if not sentence.lower().startswith(f"{verdict}: "):
        return sentence
    if verdict == "not estimable":
        return sentence[len(verdict) + 2 :]
    return sentence.partition(". ")[2] or sentence


def _say_evidence(row: Row) -> str:
    """Write what is published, with its source."""
    parts = [text_or(row["evidence"]).rstrip("."), text_or(row["source"])]
    known = [part for part in parts if part and part != "none"]
    return f"{join_words(known[:1])}. {known[1]}" if len(known) > 1 else "".join(known)
