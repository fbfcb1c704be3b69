"""The people of a cohort as `morpho init` looks at them: the participants table, and what is said about its columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from morpho.cli.vocabulary import TABLE_COLUMNS
from morpho.codebook import describe_levels, read_codebook
from morpho.columns import parse_numbers
from morpho.participants import join_sessions, read_participants, read_sessions

LONGEST_CELL = 40


@dataclass(frozen=True)
class People:
    """Rows of a participants table (one per person, or per person and session) and descriptions of its columns.

    `about` is the content of ``participants.json``: column -> Description, Levels, Units and others.
    """

    raw: pd.DataFrame
    about: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def columns(self) -> list[str]:
        """Names of the columns but for ids and times."""
        return [str(name) for name in self.raw.columns if name not in TABLE_COLUMNS]

    @property
    def n(self) -> int:
        """Number of people."""
        return int(self.raw["participant_id"].nunique())

    def count(self, column: str) -> dict[str, int]:
        """Count the people of each value, the most frequent first."""
        people = self.raw.loc[:, ["participant_id", column]].dropna().drop_duplicates()
        counts = people[column].value_counts()
        return {str(value): int(n) for value, n in sorted(counts.items(), key=lambda pair: (-pair[1], str(pair[0])))}

    def filled(self, column: str) -> int:
        """Count the people who have a value."""
        return int(self.raw.loc[self.raw[column].notna(), "participant_id"].nunique())

    def numbers(self, column: str) -> pd.Series[float] | None:
        """Column as numbers, without missing cells; None if a cell is no number or all are missing."""
        problems: list[str] = []
        numbers = parse_numbers(self.raw, column, problems).dropna()
        return None if problems or numbers.empty else numbers

    def describe(self, column: str) -> str:
        """Give what ``participants.json`` says about a column, in one text; "" if nothing."""
        entry = self.about.get(column, {})
        words = [entry.get(key) for key in ("LongName", "Description", "Units")]
        return " ".join(str(word) for word in words if isinstance(word, str))

    def levels(self, column: str) -> dict[str, str]:
        """Descriptions of the levels of a column in ``participants.json``, by level without regard to case."""
        return describe_levels(self.about, column)


def read_people(bids_dir: Path) -> People | None:
    """Read the participants table, the tables of sessions, and what is said about the columns.

    Parameters
    ----------
    bids_dir
        BIDS folder.

    Returns
    -------
    People; None if there is neither kind of table.

    Raises
    ------
    ParticipantsError
        If a table cannot be read without guessing.
    """
    raw = read_participants(bids_dir / "participants.tsv")
    subjects = [path.name for path in bids_dir.glob("sub-*") if path.is_dir()]
    sessions = read_sessions(bids_dir, subjects)
    columns = {name for rows in sessions.values() for row in rows for name in row}
    joined = join_sessions(raw, sessions, columns)
    return None if joined is None else People(joined, read_codebook(bids_dir / "participants.json"))


def shown(value: object) -> str:
    """Cell of a table as it may stand in a comment: on one line, and not too long."""
    text = " ".join(str(value).split())
    return text if len(text) <= LONGEST_CELL else f"{text[: LONGEST_CELL - 3]}..."


def say_n(n: int, one: str, several: str = "") -> str:
    """Write a number with its noun, ``1 scan`` or ``2 scans``; `several` is the plural if it is not regular."""
    return f"{n} {one if n == 1 else several or one + 's'}"


def list_counts(counts: Mapping[str, int], most: int = 8) -> str:
    """Values and how many people have them: ``depr (16), control (8)``."""
    listed = [f"{shown(value)} ({n})" for value, n in list(counts.items())[:most]]
    return ", ".join(listed) + (f" and {len(counts) - most} more" if len(counts) > most else "")
