"""Read tables as people have them: any usual encoding, line end, quotes and spelling of missing, all cells as text.

Nothing is guessed and nothing is interpreted; a table that can be read in two ways is refused. The tables that morpho
writes itself are read by `morpho.tables`.
"""

from __future__ import annotations

import csv
import logging
import re
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from morpho.errors import ParticipantsError

LOGGER = logging.getLogger(__name__)

MISSING_SPELLINGS = frozenset({"", "n/a", "NA", "N/A", "NaN", "nan", "-", "."})
LISTED = 10
SEPARATORS = {"\t": "tabs", ",": "commas", ";": "semicolons"}


def read_cells(path: str | Path, *, key: str = "participant_id") -> pd.DataFrame:
    """Read a table that a person wrote, all its cells as text.

    UTF-8 with or without byte-order mark, UTF-16 with one, and Latin-1 (with a logged warning) are understood, as are
    Windows line ends, quoted cells, spaces around cells and blank lines.

    Parameters
    ----------
    path
        Tab-separated; a name that ends with ``.csv`` means separated by commas.
    key
        Column of ids that the table must have.

    Returns
    -------
    Columns and rows of the file; missing (`MISSING_SPELLINGS`) is NaN.

    Raises
    ------
    ParticipantsError
        If there is no such file, it is empty, has another separator, has rows of another length than its header, lacks
        the column of ids, or names a column twice.
    """
    path = Path(path)
    if not path.is_file():
        message = f"There is no file '{path}'. Name an existing table."
        raise ParticipantsError(message)
    separator = "," if path.suffix.lower() == ".csv" else "\t"
    lines = [line for line in re.split(r"\r\n|\r|\n", _decode(path)) if line.strip()]
    if not lines:
        message = f"{path.name} is empty. It needs a header line with {key} and one line per participant or session."
        raise ParticipantsError(message)
    header = _split_line(lines[0], separator)
    while len(header) > 1 and not header[-1]:
        header.pop()
    _check_header(header, path.name, separator, key)
    rows = _split_rows([_split_line(line, separator) for line in lines[1:]], len(header), path.name, separator)
    raw = pd.DataFrame(rows, columns=header, dtype="str")
    return raw.mask(raw.isin(MISSING_SPELLINGS))


def list_some(items: Iterable[str]) -> str:
    """First items of a list, and how many more there are."""
    listed = list(items)
    more = f" and {len(listed) - LISTED} more" if len(listed) > LISTED else ""
    return ", ".join(listed[:LISTED]) + more


def _decode(path: Path) -> str:
    """Text of a file of unknown encoding."""
    content = path.read_bytes()
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        LOGGER.warning("%s is not UTF-8; it was read as Latin-1. Check special letters, or save it as UTF-8", path.name)
        return content.decode("latin-1")


def _split_line(line: str, separator: str) -> list[str]:
    """Cells of a line without surrounding spaces and one pair of quotes."""
    cells = line.split(separator) if separator == "\t" else next(csv.reader([line], skipinitialspace=True))
    return [_clean_cell(cell) for cell in cells]


def _clean_cell(cell: str) -> str:
    """Cell without surrounding spaces and one pair of quotes."""
    cell = cell.strip()
    if len(cell) > 1 and cell[0] == cell[-1] and cell[0] in "\"'":
        cell = cell[1:-1].strip()
    return cell


def _check_header(header: list[str], name: str, separator: str, key: str) -> None:
    """Refuse a header with another separator, with ambiguous names, or without the column of ids."""
    expected = SEPARATORS[separator]
    for other, word in SEPARATORS.items():
        if len(header) == 1 and other in header[0] and other != separator:
            message = (
                f"{name} is separated by {word}, not by {expected}. Its header: '{header[0][:80]}'. Save it as text "
                f"separated by {expected}."
            )
            raise ParticipantsError(message)
    twice = sorted({column or "(no name)" for column in header if header.count(column) > 1})
    if twice:
        message = f"{name} has several columns named {', '.join(twice)}. Give every column its own name."
        raise ParticipantsError(message)
    if key not in header:
        message = f"{name} has no column '{key}'. Columns: {', '.join(header)}. Name the column of ids so."
        raise ParticipantsError(message)


def _split_rows(lines: list[list[str]], width: int, name: str, separator: str) -> list[list[str]]:
    """Cells of each line; cells beyond the header may only be empty."""
    rows, wrong = [], []
    for number, cells in enumerate(lines, start=2):
        if not any(cells):
            continue
        if len(cells) < width or any(cells[width:]):
            wrong.append(f"line {number} ('{cells[0]}') has {len(cells)}")
        rows.append(cells[:width])
    if wrong:
        message = (
            f"{name} has {width} columns, but {list_some(wrong)}. Every line needs one cell per column, separated by "
            f"{SEPARATORS[separator]}; write n/a where there is no value."
        )
        raise ParticipantsError(message)
    return rows
