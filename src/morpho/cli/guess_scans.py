"""Look at the T1w scans of a BIDS folder: how many there are of whom, and what to choose among several."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from morpho.cli.people import list_counts, say_n
from morpho.scans import ENTITIES, NO_T1W

PLAIN = "none"
ARBITRARY = ("first in the alphabet", "fewer entities in its name")


@dataclass
class ScanGuess:
    """What the scans table shows: filters to set (with the reason), other filters to think of, facts, and checks."""

    filters: dict[str, Any] = field(default_factory=dict)
    why: str = ""
    suggestions: list[tuple[dict[str, Any], str]] = field(default_factory=list)
    facts: list[str] = field(default_factory=list)
    checks: list[str] = field(default_factory=list)


def guess_scans(scans: pd.DataFrame) -> ScanGuess:
    """Look at the scans table.

    Parameters
    ----------
    scans
        From `morpho.bids.find_scans`, without filters.

    Returns
    -------
    Facts and guesses. A filter is set only if nobody loses a session by it and the choice would be arbitrary without.
    """
    guess = ScanGuess()
    chosen = scans[scans["chosen"]]
    n_files = int((scans["path"] != "").sum())
    people = say_n(chosen["participant_id"].nunique(), "person", "people")
    guess.facts.append(f"{say_n(n_files, 'T1w image')}; {len(chosen)} measured, one of each session, of {people}")
    for entity in ENTITIES.values():
        _look_at_entity(scans, chosen, entity, guess)
    _look_at_sessions(chosen, guess)
    _look_at_losses(scans, guess)
    return guess


def _look_at_entity(scans: pd.DataFrame, chosen: pd.DataFrame, entity: str, guess: ScanGuess) -> None:
    """Look at an entity of file names that differs between scans."""
    usable = scans[scans["chosen"] | scans["reason"].str.contains(" was chosen: ", regex=False)]
    sessions_of = {str(value): set(rows["scan"]) for value, rows in usable.groupby(entity)}
    if len(sessions_of) < 2:
        return
    counts = {value or PLAIN: len(sessions) for value, sessions in sorted(sessions_of.items())}
    taken = Counter(value or PLAIN for value in chosen[entity])
    guess.facts.append(
        f"{entity}: {list_counts(counts)} sessions; without a filter {list_counts(dict(taken))} are measured"
    )
    in_all = [value for value, sessions in sessions_of.items() if len(sessions) == usable["scan"].nunique()]
    reasons = scans.loc[~scans["chosen"], "reason"]
    is_arbitrary = reasons.str.endswith(ARBITRARY).any() and entity in {"acquisition", "description", "direction"}
    for value in sessions_of:
        loses = usable["scan"].nunique() - len(sessions_of[value])
        words = say_n(len(sessions_of[value]), "session") + (
            f", {loses} would be left out" if loses else ", nobody is left out"
        )
        guess.suggestions.append(({entity: value or None}, words))
    if is_arbitrary and in_all:
        best = max(in_all, key=lambda value: (taken[value or PLAIN], value))
        guess.filters[entity] = best or None
        guess.why = f"all sessions have it; among {', '.join(counts)} the choice would be arbitrary otherwise"
        guess.checks.append(
            f"scans: several {entity} values in a session; '{best or PLAIN}' was chosen, is it the one?"
        )
    elif (is_arbitrary or len(taken) > 1) and entity != "run":
        guess.checks.append(f"scans: images of several kinds are measured ({entity}: {list_counts(dict(taken))})")


def _look_at_sessions(chosen: pd.DataFrame, guess: ScanGuess) -> None:
    """Count sessions."""
    counts = Counter(value for value in chosen["session_id"] if value)
    if not counts:
        guess.facts.append("no sessions")
        return
    guess.facts.append(f"sessions: {list_counts(dict(sorted(counts.items())))} scans")
    if len(counts) > 1:
        for session, n in sorted(counts.items()):
            guess.suggestions.append(({"session": session.removeprefix("ses-")}, say_n(n, "scan")))


def _look_at_losses(scans: pd.DataFrame, guess: ScanGuess) -> None:
    """Count people and files that are left out for other reasons than a better scan."""
    left = scans[~scans["chosen"] & ~scans["reason"].str.contains(" was chosen: ", regex=False)]
    without = left.loc[left["reason"] == NO_T1W, "scan"]
    if len(without):
        guess.facts.append(f"{say_n(len(without), 'person or session', 'people or sessions')} without T1w")
    for reason, n in left.loc[left["reason"] != NO_T1W, "reason"].value_counts().head(5).items():
        guess.checks.append(f"scans: {n} x {reason}")


def match_people(scans: pd.DataFrame, listed: Collection[str]) -> tuple[list[str], list[str]]:
    """Compare who was scanned with who is listed.

    Parameters
    ----------
    scans
        Scans table.
    listed
        Ids of the participants table.

    Returns
    -------
    without_scan
        Listed people of whom nothing is measured, sorted.
    without_row
        Measured people who are not listed, sorted.
    """
    scanned = set(scans.loc[scans["chosen"], "participant_id"])
    return sorted(set(listed) - scanned), sorted(scanned - set(listed))
