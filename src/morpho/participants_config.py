"""Check the block `participants` of the configuration for contradictions that a schema cannot see."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from morpho.formulas import WORDS
from morpho.tables import KEY_COLUMNS, MISSING, TEXT_COLUMNS

RESERVED = KEY_COLUMNS | WORDS | {"group", "sex", "age_years", "site", "input_kind", "visit", "quality_index"}


def participants_problems(participants: Mapping[str, Any]) -> list[str]:
    """Find columns with two meanings, spellings of two levels, and variables named as other columns of the cohort.

    Parameters
    ----------
    participants
        The block `participants` without removed entries (`morpho.config.drop_removed`).

    Returns
    -------
    One sentence for each problem.
    """
    return [*_column_problems(participants), *_level_problems(participants), *_variable_problems(participants)]


def _column_problems(participants: Mapping[str, Any]) -> list[str]:
    """Columns with two meanings; only a study variable may share one, with a scale or another variable."""
    uses: dict[str, list[str]] = {"participant_id": ["the participants"], "session_id": ["the sessions"]}
    for block in ("columns", "severity"):
        for key, column in participants[block].items():
            if column is not None:
                uses.setdefault(column, []).append(f"participants.{block}.{key}")
    problems = [
        f"column '{column}' is given to {' and '.join(keys)}; a column can mean one thing"
        for column, keys in uses.items()
        if len(keys) > 1
    ]
    others = set(uses).difference(participants["severity"].values())
    return problems + [
        f"column '{entry['column']}' is given to {uses[entry['column']][0]} and participants.variables.{name}; a "
        f"column can mean one thing (participants.variables.{name}: null takes the variable away)"
        for name, entry in participants["variables"].items()
        if entry["column"] in others
    ]


def _level_problems(participants: Mapping[str, Any]) -> list[str]:
    """Spellings that belong to two levels, and levels that would be taken for missing."""
    blocks = {key: participants[key] for key in ("group_levels", "sex_levels")}
    blocks |= {f"variables.{name}.levels": entry.get("levels") for name, entry in participants["variables"].items()}
    problems = []
    for key, levels in blocks.items():
        owners: dict[str, set[str]] = {}
        for level, spellings in (levels or {}).items():
            for spelling in (level, *spellings):
                owners.setdefault(str(spelling).strip().casefold(), set()).add(level)
        problems += [
            f"participants.{key}: the spelling '{spelling}' is given to {' and '.join(sorted(owned))}; it can mean one "
            "level (null takes a default level away)"
            for spelling, owned in owners.items()
            if len(owned) > 1
        ]
        if MISSING in (levels or {}):
            problems.append(f"participants.{key} has a level '{MISSING}', which means missing; give it another name")
    return problems


def _variable_problems(participants: Mapping[str, Any]) -> list[str]:
    """Study variables with names that other columns have, in the cohort table or wherever numbers are read as text."""
    problems = []
    for name, entry in participants["variables"].items():
        taken = RESERVED if entry.get("levels") is not None else RESERVED | TEXT_COLUMNS
        if name in taken or name.startswith("severity_") or name.endswith("_mm3"):
            problems.append(
                f"participants.variables.{name} has the name of another column of morpho's tables; give the variable "
                f"another name (taken are {', '.join(sorted(taken))}, severity_* and *_mm3)"
            )
    return problems
