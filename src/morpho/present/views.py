"""Tables as the report shows them: rounded, with a value to sort by in every cell.

Takes the tables of the run, gives `TableView` objects of plain text. Full numbers stay in the TSV files.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from morpho.present.wording import (
    format_counts,
    format_number,
    text_or,
)

Row = dict[Hashable, Any]

STEP_NAMES = {
    "found": "T1w scans found",
    "chosen": "chosen, at most one per session",
    "measured": "measured",
    "with_participants_row": "with a row in participants.tsv",
}
TABLE_STEP_NAMES = {
    "found": "in the table of volumes",
    "with_participants_row": "with a row in the participants table",
}
UNSORTED = ""  # sorts behind everything else
QUALITY_TEXT = ("scan", "input_kind", "hard_flags", "cohort_flags")


@dataclass(frozen=True)
class Cell:
    """One cell: the text shown, the value to sort by (number or text, as text), and whether it stands out."""

    text: str
    sort: str
    flagged: bool = False


@dataclass(frozen=True)
class Column:
    """Head of a column: its label, an explanation, and whether its cells are numbers."""

    label: str
    explanation: str
    numeric: bool


@dataclass(frozen=True)
class TableView:
    """One table: caption, details, columns, rows, link to the full table ("" if none), and why rows were refused."""

    caption: str
    details: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    link: str
    refusals: tuple[str, ...] = ()


def view_quality(quality: pd.DataFrame, dictionary: Mapping[str, Mapping[str, object]], *, link: str) -> TableView:
    """View the quality metrics of all scans, flagged ones first.

    Parameters
    ----------
    quality
        One row per scan: scan, input_kind, hard_flags, cohort_flags and metrics.
    dictionary
        Description and Units of the metrics.
    link
        Address of the full table.

    Returns
    -------
    View in which a metric that is flagged stands out.
    """
    metrics = [str(column) for column in quality.columns if column not in QUALITY_TEXT]
    columns = [Column(name.replace("_", " "), "", numeric=False) for name in QUALITY_TEXT]
    for name in metrics:
        entry = dictionary.get(name, {})
        unit = str(entry.get("Units", ""))
        shown = name.removesuffix("_percent").removesuffix("_ml").removesuffix("_mm").replace("_", " ")
        columns.append(Column(f"{shown}, {unit}" if unit else shown, str(entry.get("Description", "")), numeric=True))
    digits = {name: _choose_digits(quality[name]) for name in metrics}
    rows = [_quality_cells(row, digits) for row in sort_by_flags(quality).to_dict("records")]
    details = "Marked metrics are far from the cohort's median; flagged scans come first."
    return TableView("Quality metrics of the measured scans", details, tuple(columns), tuple(rows), link)


def sort_by_flags(quality: pd.DataFrame) -> pd.DataFrame:
    """Sort scans by trouble: hard flags first, then the number of cohort flags, then the name."""
    hard = quality["hard_flags"].map(text_or)
    soft = quality["cohort_flags"].map(lambda flags: len([word for word in text_or(flags).split(",") if word]))
    rank = pd.DataFrame({"hard": hard == "", "soft": -soft, "scan": quality["scan"]})
    return quality.loc[rank.sort_values(["hard", "soft", "scan"]).index]


def _quality_cells(row: Row, digits: Mapping[str, int]) -> tuple[Cell, ...]:
    """Cells of one scan."""
    flags = text_or(row["cohort_flags"]).split(",")
    words = [text_cell(text_or(row[name]).replace(",", ", ").replace("_", " ")) for name in QUALITY_TEXT[1:]]
    words[1] = Cell(words[1].text, words[1].sort, flagged=bool(words[1].text))
    values = [
        Cell(format_number(row[name], places), sort_value(row[name]), flagged=name in flags)
        for name, places in digits.items()
    ]
    return (text_cell(str(row["scan"])), *words, *values)


def view_flow(flow: pd.DataFrame, effects: pd.DataFrame, *, is_table: bool = False) -> list[tuple[str, str]]:
    """View the way from scans found to people analysed, as steps of (count, words).

    Parameters
    ----------
    flow
        Columns step, group, n_participants, n_scans, as counted by `morpho.infer.cohort`.
    effects
        Group comparison, for the people analysed.
    is_table
        Whether the volumes come from a table, so that nothing was chosen or measured here.

    Returns
    -------
    Steps in order; counts are text, because models of different regions may differ.
    """
    steps = []
    names = TABLE_STEP_NAMES if is_table else STEP_NAMES
    for row in flow.to_dict("records"):
        if is_table and row["step"] in ("chosen", "measured"):
            continue
        people = f"{int(row['n_participants'])} participant{'' if row['n_participants'] == 1 else 's'}"
        name = f"in group {text_or(row['group'])}" if row["step"] == "group" else names.get(row["step"], row["step"])
        steps.append((f"{int(row['n_scans'])}", f"{name} ({people})"))
    fitted = effects[effects["status"] == "fitted"]
    counts = (fitted["n_reference"] + fitted["n_comparison"]).tolist()
    steps.append((format_counts(counts), "participants analysed in the group models"))
    return steps


def view_plain(table: pd.DataFrame, columns: Mapping[str, str], *, caption: str, link: str) -> TableView:
    """View a table of text.

    Parameters
    ----------
    table
        Any table.
    columns
        Column -> label, in the order to show.
    caption
        Caption of the view.
    link
        Address of the full table.

    Returns
    -------
    View with empty cells where values are missing, without the columns that are empty altogether.
    """
    columns = {name: label for name, label in columns.items() if any(text_or(value) for value in table[name])}
    heads = tuple(Column(label, "", numeric=False) for label in columns.values())
    rows = [tuple(text_cell(text_or(row[name])) for name in columns) for row in table.to_dict("records")]
    return TableView(caption, "", heads, tuple(rows), link)


def text_cell(text: str) -> Cell:
    """Cell of text."""
    return Cell(text, text)


def number_cell(value: Any, digits: int) -> Cell:
    """Cell of a number."""
    return Cell(format_number(value, digits), sort_value(value))


def sort_value(value: Any) -> str:
    """Write the number to sort by."""
    return UNSORTED if pd.isna(value) else repr(float(value))


def _choose_digits(values: pd.Series[Any]) -> int:
    """Choose decimals for a column of numbers: none for counts, else about three significant digits."""
    present = values.dropna().astype(float).abs()
    if present.empty or (present % 1 == 0).all() or present.median() >= 100:
        return 0
    return 1 if present.median() >= 10 else 2
