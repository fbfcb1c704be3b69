"""Parts of the tables of models that effects and associations share: their frame, p values, intervals and regions.

Takes rows of the tables of the models, gives columns, cells and `TableView` objects.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from morpho.present.views import UNSORTED, Cell, Column, TableView, sort_value, text_cell
from morpho.present.wording import (
    MISSING,
    count_things,
    describe_adjustment,
    format_interval,
    format_p,
    region_name,
    text_or,
)

Row = dict[Hashable, Any]

P_COLUMNS = ("p", "p_permutation", "p_fdr", "p_familywise")


def assemble_view(
    caption: str, columns: list[Column], cells: list[list[Cell]], rows: pd.DataFrame, link: str
) -> TableView:
    """Make a view of one family; a column of notes is added if any fitted model has one.

    Parameters
    ----------
    caption
        Caption of the view.
    columns, cells
        Heads and rows, one row of cells per row of `rows`.
    rows
        Rows of the table of a model: status, reason, formula, head_size_note, family and family_size.
    link
        Address of the full table.

    Returns
    -------
    View whose refused rows say "not estimated" in the place of their first number, the reasons above the table.
    """
    refused = (rows["status"] != "fitted").tolist()
    # Why a model was refused is said above the table; the first number of its row says that it was.
    cells = [
        [line[0], Cell("not estimated", UNSORTED, flagged=True), *line[2:]] if out else line
        for line, out in zip(cells, refused, strict=True)
    ]
    notes = [text_cell("" if out else text_or(reason)) for reason, out in zip(rows["reason"], refused, strict=True)]
    if any(note.text for note in notes):
        columns = [*columns, Column("note", "", numeric=False)]
        cells = [[*line, note] for line, note in zip(cells, notes, strict=True)]
    return TableView(
        caption, _describe_models(rows), tuple(columns), tuple(map(tuple, cells)), link, _list_refusals(rows)
    )


def put_family_first(view: TableView, rows: pd.DataFrame) -> TableView:
    """Put the family before the other columns; the sizes of families are theirs, so details do not name one."""
    fitted = rows[rows["status"] == "fitted"]
    details = f"Adjusted for {describe_adjustment(fitted['formula'])}." if len(fitted) else view.details
    return replace(
        view,
        details=details,
        columns=(Column("family", "regions corrected together", numeric=False), *view.columns),
        rows=tuple((text_cell(str(name)), *cells) for name, cells in zip(rows["family"], view.rows, strict=True)),
    )


def p_columns(rows: pd.DataFrame) -> list[Column]:
    """Heads of the columns of `p_cells`; they name the family and its size."""
    tests = f"{int(rows['family_size'].max())} tests of the family {rows['family'].iloc[0]}"
    return [
        Column("p", "two-sided, of this region alone", numeric=True),
        Column("p permuted", "of this region alone, by permutation; to be read where cells are small", numeric=True),
        Column("p FDR", f"corrected for the {tests}: false discovery rate", numeric=True),
        Column("p FWER", f"corrected for the {tests}: family-wise error, by permutation", numeric=True),
    ]


def p_cells(row: Row) -> list[Cell]:
    """Cells of p and corrected p; a refused model has none, although it counts in the correction."""
    if row["status"] != "fitted":
        return [Cell(MISSING, UNSORTED)] * len(P_COLUMNS)
    return [Cell(format_p(row[name]), sort_value(row[name])) for name in P_COLUMNS]


def interval_cell(row: Row, value: str, low: str, high: str, *, digits: int) -> Cell:
    """Cell of an estimate with its interval, sorted by the estimate."""
    return Cell(format_interval(row[value], row[low], row[high], digits), sort_value(row[value]))


def region_cell(row: Row, pages: Mapping[str, str]) -> Cell:
    """Cell that names the region of a row and leads to its page, if it has one."""
    return text_cell(region_name(row["roi"], row["hemisphere"]), link=pages.get(str(row["roi"]), ""))


def _describe_models(rows: pd.DataFrame) -> str:
    """Say what the models of a family adjust for, and which head size they use and why."""
    fitted = rows[rows["status"] == "fitted"]
    if fitted.empty:
        return "Nothing could be estimated."
    notes = "; ".join(dict.fromkeys(text_or(note) for note in fitted["head_size_note"] if text_or(note)))
    size = int(rows["family_size"].max())
    corrected = f" Corrected p values are for the {count_things(size, 'test')} of the family {rows['family'].iloc[0]}."
    adjusted = f"Adjusted for {describe_adjustment(fitted['formula'])}."
    return adjusted + (f" Head size: {notes}." if notes else "") + corrected


def _list_refusals(rows: pd.DataFrame) -> tuple[str, ...]:
    """List the regions that were refused, one line per reason."""
    refused = rows[rows["status"] == "refused"]
    reasons = refused["reason"].map(lambda reason: text_or(reason, "no reason given"))
    lines = []
    for reason in dict.fromkeys(reasons):
        names = [region_name(row["roi"], row["hemisphere"]) for row in refused[reasons == reason].to_dict("records")]
        lines.append(f"{', '.join(names)}: {reason}")
    return tuple(lines)
