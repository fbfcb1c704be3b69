"""One column of a table that a person wrote: text cells to levels, numbers or weeks.

Nothing is guessed: a cell that cannot be read is a problem, which is told together with all others of its table.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping

import pandas as pd

from morpho.tables import NUMBER
from morpho.user_tables import list_some

WEEK = dt.timedelta(weeks=1)


def spell_levels(levels: Mapping[str, Iterable[str | int]]) -> dict[str, str]:
    """Turn levels and their spellings round: spelling without regard to case -> level, which is a spelling of itself.

    >>> spell_levels({"F": ["female", 2]})
    {'f': 'F', 'female': 'F', '2': 'F'}
    """
    return {str(spelling).strip().casefold(): level for level, given in levels.items() for spelling in (level, *given)}


def map_levels(
    cells: pd.Series[str], what: str, key: str, levels: Mapping[str, Iterable[str | int]], problems: list[str]
) -> pd.Series[str]:
    """Level of each cell; cells that are no spelling of a level are a problem.

    Parameters
    ----------
    cells
        Column of text; missing is NaN and stays so.
    what, key
        What the levels are, in a word, and their key in the block `participants` of the configuration.
    levels
        Level -> its spellings, compared without regard to case; a level is a spelling of itself.
    problems
        A sentence is added to it if there are unknown cells.

    Returns
    -------
    Level of each cell, NaN where it is missing or unknown.
    """
    mapped = cells.str.casefold().map(spell_levels(levels)).astype("str")
    unknown = cells[cells.notna() & mapped.isna()].value_counts()
    if len(unknown):
        seen = list_some(f"'{value}' ({count} x)" for value, count in unknown.items())
        known = "; ".join(f"{level}: {', '.join(map(str, given))}" for level, given in levels.items())
        problems.append(
            f"column '{cells.name}' has values that are no {what} of config participants.{key}: {seen}. Known "
            f"are {known}. Add the spelling there, or write n/a in the table"
        )
    return mapped


def parse_numbers(raw: pd.DataFrame, column: str, problems: list[str]) -> pd.Series[float]:
    """Column of a table as numbers; cells that are no number are a problem of the participant in their row."""
    cells = raw[column]
    numbers = read_numbers(cells)
    wrong = cells.notna() & numbers.isna()
    if wrong.any():
        seen = list_some(f"'{raw['participant_id'][row]}': '{cells[row]}'" for row in cells.index[wrong])
        comma = cells[wrong].str.fullmatch(r"[+-]?\d+,\d+").any()
        hint = "Write the decimal point as '.'" if comma else "Write a number, or n/a"
        problems.append(f"column '{column}' has cells that are no number: {seen}. {hint}")
    return numbers


def read_numbers(cells: pd.Series[str]) -> pd.Series[float]:
    """Read cells that are wholly a finite number; others, and those beyond the range of floating point, are NaN."""
    is_number = cells.str.fullmatch(NUMBER).fillna(value=False).astype(bool)
    numbers = cells.where(is_number).astype("float64")
    return numbers.where(numbers.abs() < float("inf"))


def count_weeks(raw: pd.DataFrame, column: str, problems: list[str]) -> pd.Series[float]:
    """Count the weeks since the first session of each participant.

    Parameters
    ----------
    raw
        Rows of sessions, with ``participant_id``.
    column
        Its column of ISO times; a time zone is not looked at.
    problems
        A sentence is added to it if cells are no ISO time.

    Returns
    -------
    Weeks of each row, fractions included; NaN where there is no time.
    """
    times: list[dt.datetime | None] = []
    wrong = []
    for participant, cell in zip(raw["participant_id"], raw[column].astype(object), strict=True):
        try:
            times.append(None if pd.isna(cell) else dt.datetime.fromisoformat(cell).replace(tzinfo=None))
        except ValueError:
            times.append(None)
            wrong.append(f"'{participant}': '{cell}'")
    if wrong:
        example = "Write them as 2024-03-05T14:30:00, or n/a"
        problems.append(f"column '{column}' has cells that are no ISO time: {list_some(wrong)}. {example}")
    first: dict[str, dt.datetime] = {}
    for participant, time in zip(raw["participant_id"], times, strict=True):
        if time is not None:
            first[participant] = min(time, first.get(participant, time))
    weeks = [
        float("nan") if time is None else (time - first[participant]) / WEEK
        for participant, time in zip(raw["participant_id"], times, strict=True)
    ]
    return pd.Series(weeks, index=raw.index, dtype="float64")
