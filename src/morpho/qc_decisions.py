"""Read ``qc_decisions.tsv``: what people decided about scans, as the quality page of the report exports it.

Takes the table as people have it and gives one row per decision. Nothing is guessed: whatever cannot be read is told,
all problems at once. What follows from the decisions: `morpho.infer.quality.decisions`.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from morpho.errors import DecisionsError, ParticipantsError
from morpho.user_tables import list_some, read_cells

LOGGER = logging.getLogger(__name__)

COLUMNS = ("scan", "decision", "rater", "reason", "date")
DECISIONS = ("keep", "exclude", "unsure")
UNNAMED = "unnamed"


def read_decisions(path: str | Path, scans: Iterable[str]) -> pd.DataFrame:
    """Read what people decided about scans.

    Parameters
    ----------
    path
        Table with the columns `COLUMNS`; see `morpho.user_tables.read_cells`. Scans are called as in file names
        (``sub-01_ses-1``, or without "sub-"), decisions are of `DECISIONS` in any case, dates ISO 8601, with or
        without a time; a time without zone is UTC.
    scans
        All scans that were found, chosen or not.

    Returns
    -------
    Columns scan, decision, rater (`UNNAMED` if the cell is empty), reason ("" if there is none) and date (UTC, without
    zone); in the order of the file, lines that are wholly the same once.

    Raises
    ------
    DecisionsError
        With all problems: no such file, a missing column, unknown scans or decisions, dates that cannot be read, and
        raters who decided twice about a scan at the same time.
    """
    path = Path(path)
    try:
        cells = read_cells(path, key="scan")
    except ParticipantsError as error:
        message = f"{error} (config quality.decisions)"
        raise DecisionsError(message) from error
    absent = [name for name in COLUMNS if name not in cells]
    if absent:
        message = (
            f"{path.name} has no column {', '.join(absent)}. Columns: {', '.join(map(str, cells.columns))}. It needs "
            f"{', '.join(COLUMNS)}, as the report's quality page exports it (config quality.decisions)."
        )
        raise DecisionsError(message)
    table = cells[list(COLUMNS)].drop_duplicates(ignore_index=True)
    table["scan"] = "sub-" + table["scan"].str.removeprefix("sub-")
    table["decision"] = table["decision"].str.casefold()
    table = table.fillna({"rater": UNNAMED, "reason": ""})
    dates = [_parse_date(cell) for cell in table["date"].astype(object)]
    problems = [*_find_unknown(table, set(scans)), *_find_bad_dates(table, dates)]
    table["date"] = pd.Series(dates, index=table.index, dtype="datetime64[us]")
    problems += _find_repeated(table)
    if problems:
        listed = "\n".join(f"- {problem}" for problem in problems)
        message = f"{path.name} cannot be used (config quality.decisions):\n{listed}\nCorrect these lines."
        raise DecisionsError(message)
    LOGGER.info("%s: %d decisions about %d scans", path.name, len(table), table["scan"].nunique())
    return table


def _parse_date(cell: object) -> dt.datetime | None:
    """Read a date or time, as UTC without zone; None if it is none."""
    try:
        date = dt.datetime.fromisoformat(str(cell))
        return date if date.tzinfo is None else date.astimezone(dt.UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):  # the year 0, or 10,000, in UTC
        return None


def _find_unknown(table: pd.DataFrame, scans: set[str]) -> list[str]:
    """Describe scans that were not found, and decisions that are none."""
    problems = []
    n_missing = int(table["scan"].isna().sum())
    if n_missing:
        problems.append(f"{n_missing} line(s) without scan")
    strangers = sorted(set(table["scan"].dropna()) - scans)
    if strangers:
        known = list_some(sorted(scans)) or "none"
        problems.append(f"scans that were not found: {list_some(strangers)}. Found were: {known}")
    wrong = table[~table["decision"].isin(DECISIONS)].astype(object).fillna("n/a")
    if len(wrong):
        seen = list_some(f"{row['scan']}: '{row['decision']}'" for row in wrong.to_dict("records"))
        problems.append(f"decisions that are none of {', '.join(DECISIONS)}: {seen}")
    return problems


def _find_bad_dates(table: pd.DataFrame, dates: Iterable[dt.datetime | None]) -> list[str]:
    """Describe dates that are not ISO 8601."""
    cells = table[["scan", "date"]].astype(object).fillna("n/a").to_dict("records")
    wrong = [f"{row['scan']}: '{row['date']}'" for row, date in zip(cells, dates, strict=True) if date is None]
    if not wrong:
        return []
    return [f"dates that are not ISO 8601, such as 2024-03-05 or 2024-03-05T14:30:00Z: {list_some(wrong)}"]


def _find_repeated(table: pd.DataFrame) -> list[str]:
    """Describe raters who decided about a scan more than once at the same time, so that none is the latest."""
    keys = ["scan", "rater", "date"]
    twice = table[table.duplicated(keys, keep=False) & table["date"].notna()]
    if twice.empty:
        return []
    seen = sorted({f"{scan} by {rater}" for scan, rater in zip(twice["scan"], twice["rater"], strict=True)})
    return [f"several lines of one rater and date, of which none is the latest: {list_some(seen)}"]
