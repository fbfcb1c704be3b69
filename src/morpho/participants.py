"""Read ``participants.tsv`` without guessing.

Takes the file as people have it (encodings, quotes, spellings of missing), gives all its cells as text, and checks that
it speaks of the people who were scanned. What the columns mean is the matter of `morpho.covariates`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from morpho.errors import ParticipantsError

LOGGER = logging.getLogger(__name__)

MISSING_SPELLINGS = frozenset({"", "n/a", "NA", "N/A", "NaN", "nan", "-", "."})
LISTED = 10


def read_participants(path: str | Path) -> pd.DataFrame | None:
    """Read a participants table as text.

    UTF-8 with or without byte-order mark, UTF-16 with one, and Latin-1 (with a logged warning) are understood, as are
    Windows line ends, quoted cells, spaces around cells and blank lines.

    Parameters
    ----------
    path
        ``participants.tsv``.

    Returns
    -------
    One row per participant, all columns of the file as text, missing is NaN; ``participant_id`` is first and begins
    with "sub-". None if there is no such file: a cohort without a table can be measured, but not compared.

    Raises
    ------
    ParticipantsError
        If the file is empty, is separated by commas or semicolons, has rows of another length than its header, lacks
        ``participant_id``, or names a column or a participant twice.
    """
    path = Path(path)
    if not path.is_file():
        LOGGER.warning("there is no %s: volumes are measured, but groups cannot be compared", path.name)
        return None
    lines = [line for line in re.split(r"\r\n|\r|\n", _decode(path)) if line.strip()]
    if not lines:
        message = f"{path.name} is empty. It needs a header line with participant_id and one line per participant."
        raise ParticipantsError(message)
    header = [_clean_cell(cell) for cell in lines[0].split("\t")]
    while len(header) > 1 and not header[-1]:
        header.pop()
    _check_header(header, path.name)
    rows = _split_rows(lines[1:], len(header), path.name)
    raw = pd.DataFrame(rows, columns=header, dtype="str")
    raw = raw.mask(raw.isin(MISSING_SPELLINGS))
    raw.insert(0, "participant_id", _normalise_ids(raw.pop("participant_id"), path.name))
    LOGGER.info("%s: %d participants, columns %s", path.name, len(raw), ", ".join(header))
    return raw


def _decode(path: Path) -> str:
    """Text of a file of unknown encoding."""
    content = path.read_bytes()
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        LOGGER.warning("%s is not UTF-8; it was read as Latin-1. Check special letters, or save it as UTF-8", path.name)
        return content.decode("latin-1")


def _clean_cell(cell: str) -> str:
    """Cell without surrounding spaces and one pair of quotes."""
    cell = cell.strip()
    if len(cell) > 1 and cell[0] == cell[-1] and cell[0] in "\"'":
        cell = cell[1:-1].strip()
    return cell


def _check_header(header: list[str], name: str) -> None:
    """Refuse a header that is not tab-separated, is ambiguous, or has no participant_id."""
    for separator, word in ((",", "commas"), (";", "semicolons")):
        if len(header) == 1 and separator in header[0]:
            message = (
                f"{name} is separated by {word}, not by tabs. Its header: '{header[0][:80]}'. Save it as "
                "tab-separated text."
            )
            raise ParticipantsError(message)
    twice = sorted({column or "(no name)" for column in header if header.count(column) > 1})
    if twice:
        message = f"{name} has several columns named {', '.join(twice)}. Give every column its own name."
        raise ParticipantsError(message)
    if "participant_id" not in header:
        message = f"{name} has no column 'participant_id'. Columns: {', '.join(header)}. Name the column of ids so."
        raise ParticipantsError(message)


def _split_rows(lines: list[str], width: int, name: str) -> list[list[str]]:
    """Cells of each line; cells beyond the header may only be empty."""
    rows, wrong = [], []
    for number, line in enumerate(lines, start=2):
        cells = [_clean_cell(cell) for cell in line.split("\t")]
        if not any(cells):
            continue
        if len(cells) < width or any(cells[width:]):
            wrong.append(f"line {number} ('{cells[0]}') has {len(cells)}")
        rows.append(cells[:width])
    if wrong:
        message = (
            f"{name} has {width} columns, but {list_some(wrong)}. Every line needs one cell per column, separated by "
            "tabs; write n/a where there is no value."
        )
        raise ParticipantsError(message)
    return rows


def _normalise_ids(ids: pd.Series[str], name: str) -> pd.Series[str]:
    """Ids with "sub-"; missing and repeated ids are refused."""
    problems = []
    if ids.isna().any():
        problems.append(f"{int(ids.isna().sum())} row(s) without participant_id")
    normalised = "sub-" + ids.str.removeprefix("sub-")
    counts = normalised.value_counts()
    if (counts > 1).any():
        listed = list_some(f"{identifier} ({count} rows)" for identifier, count in counts[counts > 1].items())
        problems.append(f"participants named more than once: {listed}")
    if problems:
        message = f"{name} has {'; '.join(problems)}. It must have one row per participant ('01' and 'sub-01' are one)."
        raise ParticipantsError(message)
    return normalised


def check_matches(participants: pd.DataFrame, scans: pd.DataFrame) -> None:
    """Check that the participants table speaks of the people who were scanned.

    A scanned participant without a row is legal. But an id that differs from one in the table by case or leading
    zeros alone (often lost in a spreadsheet), or a table of which no row fits, is refused.

    Parameters
    ----------
    participants
        Column participant_id.
    scans
        The scans table: columns participant_id, chosen.

    Raises
    ------
    ParticipantsError
        If ids nearly match, or none does.
    """
    listed = set(participants["participant_id"])
    scanned = sorted(set(scans.loc[scans["chosen"], "participant_id"]))
    without_row = [identifier for identifier in scanned if identifier not in listed]
    unused = {_bare_id(identifier): identifier for identifier in listed.difference(scanned)}
    pairs = [f"{name} / {unused[_bare_id(name)]}" for name in without_row if _bare_id(name) in unused]
    if pairs:
        message = (
            f"Ids of the BIDS folder and of participants.tsv differ by leading zeros or case alone: {list_some(pairs)} "
            "(folder / table). Write them in participants.tsv as in the folder."
        )
        raise ParticipantsError(message)
    if scanned and len(without_row) == len(scanned):
        message = (
            f"No scanned participant has a row in participants.tsv. Scanned: {list_some(scanned)}; in the table: "
            f"{list_some(sorted(listed)) or 'none'}. Write the ids of the folders into the column participant_id."
        )
        raise ParticipantsError(message)


def _bare_id(identifier: str) -> str:
    """Id without prefix, case and leading zeros."""
    return identifier.removeprefix("sub-").lower().lstrip("0")


def list_some(items: Iterable[str]) -> str:
    """First items of a list, and how many more there are."""
    listed = list(items)
    more = f" and {len(listed) - LISTED} more" if len(listed) > LISTED else ""
    return ", ".join(listed[:LISTED]) + more
