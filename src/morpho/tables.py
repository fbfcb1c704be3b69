"""Tables and JSON files on disk, in one form: UTF-8, tab-separated, missing cells "n/a", a JSON dictionary beside.

Files appear whole or not at all: they are written under another name and then moved into place.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterable, Mapping
from io import StringIO
from pathlib import Path
from typing import Any

import pandas as pd

from morpho.disk import write_whole
from morpho.errors import MorphoError

MISSING = "n/a"
NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?|[+-]?inf")
INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
INTEGER_SIGNS, PLAIN_SIGNS = frozenset("0123456789+-"), frozenset("0123456789+-.eE")
LONGEST_INTEGER = 18
TABLES_AT_ONCE = 2000
KEY_COLUMNS = frozenset({"participant_id", "session_id", "scan", "folder", "path"})
TEXT_COLUMNS = KEY_COLUMNS | {
    "roi", "hemisphere", "family", "scale", "contrast", "status", "reason", "stage", "formula", "head_size",
    "head_size_note", "input_kind", "group", "sex", "site", "run", "variant", "left_out", "effect_size", "claim_id",
    "test", "population", "verdict", "direction", "predictor", "raw_unit", "subgroup", "level", "target", "positive",
    "negative", "outcome", "event", "kind", "scheme", "model", "modifier", "note", "flags", "needs", "sentence",
    "hard_failures", "metric", "adjusted_for", "automatic_decision", "human_decision", "raters", "human_reason",
    "decision", "basis", "rater", "rater_1", "rater_2", "date", "log",
}  # fmt: skip

ColumnDictionary = Mapping[str, Mapping[str, object]]
MADE_WITH = "MadeWith"
_STAMP: dict[str, object] = {}


def describe_column(
    description: str, *, units: str | None = None, levels: Mapping[str, str] | None = None
) -> dict[str, object]:
    """Describe one column of a table as BIDS does (keys Description, Units, Levels)."""
    entry: dict[str, object] = {"Description": description}
    if units is not None:
        entry["Units"] = units
    if levels is not None:
        entry["Levels"] = dict(levels)
    return entry


def dictionary_path(path: str | Path) -> Path:
    """Path of the JSON dictionary beside a table: ``cohort.tsv`` has ``cohort.json``."""
    return Path(path).with_suffix(".json")


def stamp_tables(made_with: Mapping[str, object], *, add: bool = False) -> None:
    """Say under ``MadeWith`` in the dictionary of every table that this process writes from now on what made it.

    With `add`, what was said before stays.
    """
    if not add:
        _STAMP.clear()
    _STAMP.update(made_with)


def write_table(table: pd.DataFrame, path: str | Path, dictionary: ColumnDictionary, *, digits: int = 10) -> None:
    """Write a table and, beside it, the dictionary of its columns.

    Missing values and empty text become "n/a"; tabs and line breaks inside a cell become a space, because a TSV
    cannot hold them.

    Parameters
    ----------
    table
        Its index is not written.
    path
        The ``.tsv`` file; its folder is made.
    dictionary
        Description of every column; entries of columns that the table lacks are left out.
    digits
        Significant digits of floating-point numbers.

    Raises
    ------
    ValueError
        If a column has no description: a defect of the caller, not of the data.
    """
    undescribed = [str(column) for column in table.columns if column not in dictionary]
    if undescribed:
        message = f"Columns {undescribed} of {Path(path).name} have no description. Add them to its dictionary."
        raise ValueError(message)
    cells = pd.DataFrame(
        {column: _format_column(table[column], digits) for column in table.columns},
        dtype=object,
    )
    text = cells.to_csv(sep="\t", index=False, quoting=csv.QUOTE_NONE, lineterminator="\n")
    described: dict[str, object] = {str(column): dict(dictionary[column]) for column in table.columns}
    write_json(described | ({MADE_WITH: _STAMP} if _STAMP else {}), dictionary_path(path))
    write_text(text, path)


def _format_column(values: pd.Series[Any], digits: int) -> list[str]:
    """Text of the cells of a column; each different text is formatted once."""
    known: dict[Any, str] = {}
    cells = []
    for value in values.tolist():
        if type(value) is not str:
            cells.append(_format_cell(value, digits))
            continue
        if value not in known:
            known[value] = _format_cell(value, digits)
        cells.append(known[value])
    return cells


def _format_cell(value: Any, digits: int) -> str:
    """Text of one cell."""
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return MISSING
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(float(f"{value:.{digits}g}"))
    return re.sub(r"\s*[\t\r\n]\s*", " ", str(value)).strip() or MISSING


def read_table(path: str | Path, *, text: Iterable[str] = ()) -> pd.DataFrame:
    """Read a table that `write_table` wrote.

    Parameters
    ----------
    path
        The ``.tsv`` file.
    text
        Columns to keep as text even if all their cells look like numbers, besides those known to be text
        (`TEXT_COLUMNS`: identifiers, names, reasons).

    Returns
    -------
    Columns of whole numbers without gaps are int64, other numbers float64 (missing is NaN), true/false is bool, the
    rest text (missing is NaN). In `KEY_COLUMNS`, such as ``session_id``, absent is "" instead.

    Raises
    ------
    MorphoError
        If the file is empty, is not UTF-8, has NUL bytes, names a column twice or not at all, or has rows that are
        longer or shorter than its header.
    """
    path = Path(path)
    keep_text = TEXT_COLUMNS.union(text)
    cells = _read_cells(path)
    return pd.DataFrame({str(name): _parse_column(cells[name], keep_text) for name in cells.columns})


def read_tables(paths: Mapping[str, str | Path], *, key: str) -> pd.DataFrame:
    """Read many small tables of the same columns as one, such as those of all scans of a cohort.

    Parameters
    ----------
    paths
        Name -> its table.
    key
        Name of a column for these names, before all others.

    Returns
    -------
    The rows of all tables in their order, parsed as by `read_table`; a table without rows adds none.

    Raises
    ------
    MorphoError
        As `read_table`, or if two tables have other columns.
    """
    names, parts = list(paths), []
    header: list[str] = []
    for first in range(0, len(names), TABLES_AT_ONCE):
        rows: list[str] = []
        for name in names[first : first + TABLES_AT_ONCE]:
            lines = _read_lines(Path(paths[name]))
            columns = [column.strip() for column in lines[0].split("\t")]
            header = header or columns
            if columns != header:
                message = (
                    f"Table {paths[name]} has the columns {', '.join(columns)}, others have {', '.join(header)}. "
                    "Tables of one cohort must have the same. Delete it and run again."
                )
                raise MorphoError(message)
            rows += [f"{name}\t{line}" for line in lines[1:]]
        cells = _split_cells(["\t".join([key, *header]), *rows])
        parts.append(pd.DataFrame({str(name): _parse_column(cells[name], TEXT_COLUMNS) for name in cells.columns}))
    return pd.concat([part for part in parts if len(part)], ignore_index=True) if parts else pd.DataFrame({key: []})


def _read_cells(path: Path) -> pd.DataFrame:
    """Read all cells as text, nothing interpreted."""
    return _split_cells(_read_lines(path))


def _split_cells(lines: list[str]) -> pd.DataFrame:
    """Split the lines of a checked table."""
    buffer = StringIO("\n".join(lines))
    return pd.read_csv(buffer, sep="\t", dtype=str, quoting=csv.QUOTE_NONE, keep_default_na=False)


def _read_lines(path: Path) -> list[str]:
    """Read the lines of a table that are not empty, and check that they are one."""
    try:
        content = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"Table {path} is not UTF-8 ({error.reason} at byte {error.start}). Save it as UTF-8."
        raise MorphoError(message) from error
    lines = [line for line in content.split("\n") if line.strip()]
    if not lines or "\0" in content:
        what = "is damaged: it has NUL bytes" if lines else "is empty; it must have at least a header line"
        message = f"Table {path} {what}. Delete it and run again."
        raise MorphoError(message)
    header = [name.strip() for name in lines[0].split("\t")]
    twice = sorted({name or "(no name)" for name in header if not name or header.count(name) > 1})
    if twice:
        message = (
            f"Table {path} has columns without a name of their own: {', '.join(twice)}. Give every column one name."
        )
        raise MorphoError(message)
    n_tabs = len(header) - 1
    if any(line.count("\t") != n_tabs for line in lines):
        numbered = enumerate(content.split("\n"), start=1)
        ragged = [str(number) for number, line in numbered if line.strip() and line.count("\t") != n_tabs]
        message = (
            f"Table {path} has {len(header)} columns but another number of cells in line(s) {', '.join(ragged[:10])}. "
            "Each line needs one cell per column, separated by tabs; write n/a where there is no value."
        )
        raise MorphoError(message)
    return lines


def _parse_column(cells: pd.Series[str], keep_text: frozenset[str]) -> pd.Series[Any]:
    """Give a column of text cells its type."""
    values = cells.str.strip()
    present = values[~values.isin({MISSING, ""})]
    if cells.name in KEY_COLUMNS:
        return values.where(~values.isin({MISSING, ""}), "")
    if cells.name not in keep_text:
        quick = _parse_plain_numbers(values, present)
        if quick is not None:
            return quick
        if len(present) == len(values) and len(values) and values.str.fullmatch(INTEGER).all():
            return values.astype("int64")
        if present.str.fullmatch(NUMBER).all():
            numbers = present.astype("float64")
            if not present[numbers.abs() == math.inf].str.contains(r"[0-9]").any():  # beyond floating point: no number
                return numbers.reindex(values.index)
        if len(present) == len(values) and values.str.lower().isin({"true", "false"}).all():
            return values.str.lower() == "true"
    return present.reindex(values.index)


def _parse_plain_numbers(values: pd.Series[str], present: pd.Series[str]) -> pd.Series[Any] | None:
    """Parse a column of nothing but digits, points, signs and exponents, without a look at every cell; else None."""
    signs = set("".join(present.tolist()))
    if not len(present) or not signs <= PLAIN_SIGNS:
        return None
    try:
        if signs <= INTEGER_SIGNS and len(present) == len(values):
            is_short = values.str.len().max() <= LONGEST_INTEGER
            integers = [int(cell) for cell in values.tolist()]
            return pd.Series(integers, values.index, "int64", str(values.name)) if is_short else None
        numbers = pd.Series([float(cell) for cell in present.tolist()], present.index, "float64", str(values.name))
    except ValueError:
        return None
    return None if (numbers.abs() == math.inf).any() else numbers.reindex(values.index)


def write_json(value: object, path: str | Path) -> None:
    """Write a value as indented JSON in UTF-8; NaN and infinity are refused (ValueError), as JSON has none."""
    write_text(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n", path)


def write_text(text: str, path: str | Path) -> None:
    """Write a text file in UTF-8 so that it is there whole or not at all; its folder is made."""
    write_whole(text.encode(), Path(path))
