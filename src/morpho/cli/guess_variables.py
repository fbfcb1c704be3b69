"""Guess severity scales and study variables from the names of columns, and say what is left over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from morpho.cli.people import People, list_counts
from morpho.cli.vocabulary import NUMERIC_HANDEDNESS, VARIABLE_NAMES, find_scale, squeeze
from morpho.columns import map_levels

FEW_LEVELS = 10
FEW_NUMBERS = 3
MONTHS = ("illness_months", "episode_months", "months_to_relapse")


@dataclass
class VariableGuesses:
    """Severity (scale -> column), variables (name -> entry, None: taken away), why of each, and what is left over.

    `by_itself` are defaults that are read without being named; `unused` says what columns without a meaning hold.
    """

    severity: dict[str, str] = field(default_factory=dict)
    variables: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    by_itself: list[str] = field(default_factory=list)
    unused: dict[str, str] = field(default_factory=dict)
    checks: list[str] = field(default_factory=list)


def guess_variables(
    people: People, taken: Collection[str | None], defaults: Mapping[str, Mapping[str, Any]]
) -> VariableGuesses:
    """Guess severity scales and study variables.

    Parameters
    ----------
    people
        Participants table.
    taken
        Columns that have a meaning already.
    defaults
        Study variables of the default configuration.

    Returns
    -------
    Guesses; no column has two meanings.
    """
    guesses = VariableGuesses()
    free = [column for column in people.columns if column not in taken]
    _guess_severity(people, free, guesses)
    free = [column for column in free if column not in guesses.severity.values()]
    columns = {str(entry["column"]): name for name, entry in defaults.items()}
    for column in people.columns:
        if column in columns and column not in free:
            name = columns[column]
            guesses.variables[name] = None
            guesses.why[name] = f"column '{column}' has another meaning above"
    for column in [*(name for name in free if name in columns), *(name for name in free if name not in columns)]:
        _guess_variable(people, column, defaults, guesses)
    return guesses


def _guess_severity(people: People, free: Collection[str], guesses: VariableGuesses) -> None:
    """Find severity scales; two columns of one scale keep their own names."""
    found = {column: scale for column in free if (scale := find_scale(column)) is not None}
    n_of_scale = Counter(found.values())
    for column, scale in found.items():
        name = scale if n_of_scale[scale] == 1 else column
        numbers = people.numbers(column)
        if numbers is None:
            has_any = people.filled(column) > 0
            problem = "cells that are no number" if has_any else "no value"
            guesses.checks.append(f"severity: column '{column}' ({scale}) has {problem}, and is not used")
            continue
        guesses.severity[name] = column
        guesses.why[name] = (
            f"{scale} by its name; {people.filled(column)} of {people.n} people, {numbers.min():g} to {numbers.max():g}"
        )
    several = sorted({scale for scale, n in n_of_scale.items() if n > 1})
    if several:
        guesses.checks.append(f"severity: several columns are of one scale ({', '.join(several)}); keep what you mean")


def _guess_variable(
    people: People, column: str, defaults: Mapping[str, Mapping[str, Any]], guesses: VariableGuesses
) -> None:
    """Find out which study variable a column holds, if any."""
    own = next((name for name, entry in defaults.items() if entry["column"] == column), None)
    name = own or _find_variable(column, guesses, people)
    if name is None:
        guesses.unused[column] = describe_values(people, column)
        return
    entry: dict[str, Any] = {"column": column}
    levels = defaults[name].get("levels")
    if name == "handedness" and people.numbers(column) is not None:
        entry["levels"] = levels = None
    problem = _problem_with(people, column, name, levels)
    if not problem and name in MONTHS and "year" in f"{column} {people.describe(column)}".lower():
        problem = "seems to be in years, not in months"
    if problem:
        guesses.checks.append(f"{name}: column '{column}' {problem}; it is not used")
        if own is None:
            guesses.unused[column] = describe_values(people, column)
            return
        remedy = (
            f"; to use it: {{column: {column}, levels: {{...}}}}, with its values after the levels" if levels else ""
        )
        guesses.variables[own], guesses.why[own] = None, f"column '{column}' {problem}{remedy}"
    elif own and entry == {"column": column}:
        guesses.by_itself.append(name)
    else:
        guesses.variables[name] = entry
        guesses.why[name] = f"{people.filled(column)} of {people.n} people: {describe_values(people, column)}"


def _find_variable(column: str, guesses: VariableGuesses, people: People) -> str | None:
    """Study variable that a column's name stands for and that no other column holds."""
    text = squeeze(column).removesuffix("total").removesuffix("score") or squeeze(column)
    for name, others in VARIABLE_NAMES.items():
        known = {squeeze(name), *others} | (set(NUMERIC_HANDEDNESS) if name == "handedness" else set())
        is_free = name not in guesses.variables and name not in guesses.by_itself and name not in people.columns
        if is_free and {text, squeeze(column)} & known:
            return name
    return None


def _problem_with(people: People, column: str, name: str, levels: Mapping[str, Any] | None) -> str:
    """Why a column cannot hold a variable; "" if it can."""
    if not people.filled(column):
        return "is empty"
    if levels is None:
        return "" if people.numbers(column) is not None else "has cells that are no number"
    problems: list[str] = []
    mapped = map_levels(people.raw[column], name, f"variables.{name}.levels", levels, problems) if levels else None
    if problems and mapped is not None:
        unknown = people.raw.loc[people.raw[column].notna() & mapped.isna(), column].value_counts()
        seen = list_counts({str(value): int(n) for value, n in unknown.items()})
        return f"has values that are none of {', '.join(map(str, levels))}: {seen}"
    return ""


def describe_values(people: People, column: str) -> str:
    """Say in a few words what a column holds."""
    counts = people.count(column)
    numbers = people.numbers(column)
    if not counts:
        return "empty"
    if numbers is not None and len(counts) >= FEW_NUMBERS:
        return f"{numbers.min():g} to {numbers.max():g}"
    return list_counts(counts) if len(counts) <= FEW_LEVELS else f"{len(counts)} different texts"


def suggest_entry(people: People, column: str) -> dict[str, Any] | None:
    """Suggest how a column without a meaning could be used; None if it holds neither numbers nor few levels."""
    counts = people.count(column)
    if people.numbers(column) is not None and len(counts) >= FEW_NUMBERS:
        units = people.about.get(column, {}).get("Units")
        return {"column": column, **({"unit": units} if isinstance(units, str) and units.strip() == units else {})}
    return {"column": column, "levels": {}} if 1 < len(counts) <= FEW_LEVELS else None
