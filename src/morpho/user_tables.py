"""Read tables as people have them: any usual encoding, line end, quotes and spelling of missing, all cells as text.

Nothing is guessed and nothing is interpreted; a table that can be read in two ways is refused. The tables that morpho
writes itself are read by `morpho.tables`.
"""

from __future__ import annotations

import csv
import difflib
import io
import logging
import os
import re
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from morpho.errors import ParticipantsError

LOGGER = logging.getLogger(__name__)

MISSING_SPELLINGS = frozenset({"", "n/a", "na", "nan", "<na>", "#n/a", "-", "--", "\u2013", "\u2014", "."})  # any case
LISTED = 10
LONGEST_SHOWN = 80
SEPARATORS = {"\t": "tabs", ",": "commas", ";": "semicolons", " ": "spaces"}
UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
NO_TEXT = {b"PK\x03\x04": "a spreadsheet (or another zip file)", b"\xd0\xcf\x11\xe0": "a spreadsheet of old Excel",
           b"\x1f\x8b": "compressed (gzip)"}  # fmt: skip
INVISIBLE = "\ufeff\u200b\u200c\u200d\u200e\u200f\u2060"  # marks that copying from other programs leaves in cells
AROUND_CELLS = INVISIBLE + "".join(chr(code) for code in range(0x3001) if chr(code).isspace())

Cells = list[str | None]


def read_cells(path: str | Path, *, key: str = "participant_id") -> pd.DataFrame:
    """Read a table that a person wrote, all its cells as text; see `read_rows`.

    Parameters
    ----------
    path
        Tab-separated; a name that ends with ``.csv`` means separated by commas.
    key
        Column of ids that the table must have.

    Returns
    -------
    Columns and rows of the file; missing (`MISSING_SPELLINGS`) is NaN.
    """
    header, rows = read_rows(path, key=key)
    return pd.DataFrame(rows, columns=header, dtype="str")


def read_rows(path: str | Path, *, key: str = "participant_id") -> tuple[list[str], list[Cells]]:
    """Read a table that a person wrote, all its cells as text, without making a data frame of it.

    UTF-8 with or without byte-order mark, UTF-16 with one, and Latin-1 (with a logged warning) are understood, as are
    Windows line ends, quoted cells, spaces and invisible marks around cells, and blank lines.

    Parameters
    ----------
    path
        Tab-separated; a name that ends with ``.csv`` means separated by commas.
    key
        Column of ids that the table must have.

    Returns
    -------
    header
        Names of the columns.
    rows
        Cells of each line that is not blank, one per column; None is missing (`MISSING_SPELLINGS`).

    Raises
    ------
    ParticipantsError
        If there is no such file, it cannot be read, is no text or empty, has another separator, has rows of another
        length than its header, lacks the column of ids, or names a column twice.
    """
    path = Path(path)
    separator = "," if path.suffix.lower() == ".csv" else "\t"
    lines = _split_lines(_decode(path), separator, path.name)
    if not lines:
        message = f"{path.name} is empty. It needs a header line with {key} and one line per participant or session."
        raise ParticipantsError(message)
    header = lines.pop(0)[1]
    while len(header) > 1 and not header[-1]:
        header.pop()
    _check_header(header, path.name, separator, key)
    rows = _check_rows(lines, len(header), path.name, separator)
    return header, [[None if cell.casefold() in MISSING_SPELLINGS else cell for cell in row] for row in rows]


def decode_text(content: bytes, name: str) -> str:
    """Decode a text that a person wrote: UTF-8, UTF-16 with a mark, or else Latin-1 with a logged warning.

    Parameters
    ----------
    content
        The whole file.
    name
        Name of the file, for messages.

    Returns
    -------
    The text, without byte-order mark; ends of lines as they are.

    Raises
    ------
    ParticipantsError
        If it is no text.
    """
    for mark, kind in NO_TEXT.items():
        if content.startswith(mark):
            message = f"{name} is {kind}, not text. Save it as plain text; a table with its cells separated by tabs."
            raise ParticipantsError(message)
    try:
        text = content.decode("utf-16" if content.startswith(UTF_16_MARKS) else "utf-8-sig")
    except UnicodeDecodeError:
        LOGGER.warning("%s is not UTF-8; it was read as Latin-1. Check special letters, or save it as UTF-8", name)
        text = content.decode("latin-1")
    if "\0" in text:
        message = (
            f"{name} has NUL bytes (the first as character {text.index(chr(0)) + 1}): it is damaged, or UTF-16 "
            "without a mark. Save it as UTF-8 text."
        )
        raise ParticipantsError(message)
    return text


def list_some(items: Iterable[str]) -> str:
    """First items of a list, and how many more there are."""
    listed = list(items)
    more = f" and {len(listed) - LISTED} more" if len(listed) > LISTED else ""
    return ", ".join(listed[:LISTED]) + more


def _decode(path: Path) -> str:
    """Text of a file of unknown encoding."""
    if not os.path.isfile(path):  # noqa: PTH113 - unlike Path.is_file, it does not raise where a folder is closed
        message = f"There is no file '{path}'. Name an existing table."
        if path.is_symlink():
            message = f"'{path}' is a link to a file that is not here. Fetch it (`datalad get`), or correct the link."
        raise ParticipantsError(message)
    try:
        content = path.read_bytes()
    except OSError as error:
        message = f"'{path}' cannot be read: {error.strerror}. Check its permissions, or copy it elsewhere."
        raise ParticipantsError(message) from error
    return decode_text(content, path.name)


def _split_lines(text: str, separator: str, name: str) -> list[tuple[int, list[str]]]:
    """Split a text into its lines that are not blank: number and cells of each."""
    if separator == "\t":
        numbered = enumerate(re.split(r"\r\n|\r|\n", text), start=1)
        split = [(number, list(map(_clean_cell, line.split("\t")))) for number, line in numbered]
        return [(number, cells) for number, cells in split if any(cells)]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, strict=True)
    lines = []
    try:
        for line in reader:
            cells = [_clean_cell(re.sub(r"\s*[\r\n]+\s*", " ", cell)) for cell in line]
            if any(cells):
                lines.append((reader.line_num, cells))
    except csv.Error as error:
        message = (
            f"{name} cannot be split into cells at line {reader.line_num}: {error}. A cell that begins with a "
            'quotation mark must end with one, and a mark inside it is written twice ("").'
        )
        raise ParticipantsError(message) from error
    return lines


def _clean_cell(cell: str) -> str:
    """Cell without surrounding spaces, invisible marks and one pair of quotes."""
    cell = cell.strip(AROUND_CELLS)
    if len(cell) > 1 and cell[0] == cell[-1] and cell[0] in "\"'":
        cell = cell[1:-1].strip(AROUND_CELLS)
    return cell


def _check_header(header: list[str], name: str, separator: str, key: str) -> None:
    """Refuse a header with another separator, with ambiguous names, or without the column of ids."""
    expected = SEPARATORS[separator]
    for other, word in SEPARATORS.items():
        is_other = other in header[0] if other != " " else key in header[0].split()
        if len(header) == 1 and is_other and header[0] != key and other != separator:
            message = (
                f"{name} is separated by {word}, not by {expected}. Its header: '{header[0][:LONGEST_SHOWN]}'. Save it "
                f"as text separated by {expected}."
            )
            raise ParticipantsError(message)
    twice = sorted({column or "(no name)" for column in header if header.count(column) > 1})
    if twice:
        message = f"{name} has several columns named {', '.join(twice)}. Give every column its own name."
        raise ParticipantsError(message)
    if key not in header:
        close = difflib.get_close_matches(key, [column.casefold() for column in header], n=1)
        meant = [column for column in header if column.casefold() in close]
        todo = f"Rename '{meant[0]}' to '{key}'." if meant else "Name the column of ids so."
        message = f"{name} has no column '{key}'. Columns: {list_some(header)}. {todo}"
        raise ParticipantsError(message)


def _check_rows(lines: list[tuple[int, list[str]]], width: int, name: str, separator: str) -> list[list[str]]:
    """Cells of each line; cells beyond the header may only be empty."""
    rows, wrong = [], []
    for number, cells in lines:
        if len(cells) < width or any(cells[width:]):
            wrong.append(f"line {number} ('{cells[0][:LONGEST_SHOWN]}') has {len(cells)}")
        rows.append(cells[:width])
    if wrong:
        message = (
            f"{name} has {width} columns, but {list_some(wrong)}. Every line needs one cell per column, separated by "
            f"{SEPARATORS[separator]}; write n/a where there is no value."
        )
        raise ParticipantsError(message)
    return rows
