"""Tables as the report shows them: rounded, with a value to sort by in every cell.

Takes the tables of the run, gives `TableView` objects of plain text. Full numbers stay in the TSV files.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from morpho.present.wording import MINUS, THOUSANDS, format_number, text_or

Row = dict[Hashable, Any]

PLAIN_NUMBER = re.compile(rf"{MINUS}?[0-9{THOUSANDS}]+(\.[0-9]+)?")
UNSORTED = ""  # sorts behind everything else


@dataclass(frozen=True)
class Cell:
    """One cell: the text shown, the value to sort by (number or text, as text), whether it stands out, and a link.

    `link` is an address relative to the page, "" if there is none.
    """

    text: str
    sort: str
    flagged: bool = False
    link: str = ""

    @property
    def value(self) -> str:
        """Value to sort by where the text does not tell it; "" where it does: the same text, or a plain number."""
        return "" if self.sort == self.text or PLAIN_NUMBER.fullmatch(self.text) else self.sort


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


def drop_empty_columns(view: TableView, *, keep: Sequence[str] = ()) -> TableView:
    """Leave out the columns in which no row has anything to show ("" or "n/a"), but those whose label is in `keep`."""
    shown = [
        index
        for index, column in enumerate(view.columns)
        if column.label in keep or any(row[index].text not in ("", "n/a") for row in view.rows)
    ]
    return replace(
        view,
        columns=tuple(view.columns[index] for index in shown),
        rows=tuple(tuple(row[index] for index in shown) for row in view.rows),
    )


def drop_column(view: TableView, label: str) -> TableView:
    """Leave out the columns of one label."""
    kept = [index for index, column in enumerate(view.columns) if column.label != label]
    return replace(
        view,
        columns=tuple(view.columns[index] for index in kept),
        rows=tuple(tuple(row[index] for index in kept) for row in view.rows),
    )


def text_cell(text: str, *, link: str = "") -> Cell:
    """Cell of text."""
    return Cell(text, text, link=link)


def number_cell(value: Any, digits: int, *, flagged: bool = False) -> Cell:
    """Cell of a number."""
    return Cell(format_number(value, digits), sort_value(value), flagged=flagged)


def sort_value(value: Any) -> str:
    """Write the number to sort by."""
    return UNSORTED if pd.isna(value) else f"{float(value):.7g}"


def choose_digits(values: pd.Series[Any]) -> int:
    """Choose decimals for a column of numbers: none for counts, else about three significant digits."""
    present = values.dropna().astype(float).abs()
    if present.empty or (present % 1 == 0).all() or present.median() >= 100:
        return 0
    return 1 if present.median() >= 10 else 2
