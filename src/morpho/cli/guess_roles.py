"""Guess which columns hold group, sex, age and site, and which level each spelling stands for.

A guess rests on the column's name, on what ``participants.json`` says, and on the values. A spelling that none of them
explains is not mapped: the run refuses it until somebody has said what it means.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from morpho.cli.people import People, list_counts
from morpho.cli.vocabulary import (
    AGE_NAMES,
    CASE_NAMES,
    CONTROL,
    GROUP_NAMES,
    NO_WORDS,
    PATIENT,
    SEX_NAMES,
    SITE_NAMES,
    YES_WORDS,
    classify_group,
    classify_sex,
    mentions_other,
    squeeze,
)
from morpho.covariates import AGE_RANGE_YEARS

MOST_LEVELS = 12
OLDEST_YEARS = AGE_RANGE_YEARS[1]
NUMBERED = {"group": {"0": CONTROL, "1": PATIENT}, "sex": {"1": "M", "2": "F"}}


@dataclass
class RoleGuess:
    """Guess about one role: its column (None: the cohort has none), why, its levels, and what a person must check.

    `levels` has the spellings of each level, `unmapped` the spellings of none with their number of people.
    """

    column: str | None
    why: str
    levels: dict[str, list[str]] = field(default_factory=dict)
    unmapped: dict[str, int] = field(default_factory=dict)
    checks: list[str] = field(default_factory=list)

    def say_unmapped(self, role: str) -> list[str]:
        """Say which values nobody has explained; nothing if there is none."""
        return [f"{role}: nothing says what these values mean: {list_counts(self.unmapped)}"] if self.unmapped else []


def guess_roles(people: People) -> dict[str, RoleGuess]:
    """Guess the columns of group, sex, age and site.

    Parameters
    ----------
    people
        Participants table.

    Returns
    -------
    Role -> guess.
    """
    sex = _guess_sex(people)
    age = _guess_age(people, {sex.column})
    group = _guess_group(people, {sex.column, age.column})
    site = _guess_site(people, {sex.column, age.column, group.column})
    return {"group": group, "sex": sex, "age": age, "site": site}


def _named(people: People, names: Sequence[str], taken: Collection[str | None] = ()) -> list[str]:
    """Columns with one of the names, in the order of the names."""
    found = [(names.index(squeeze(column)), column) for column in people.columns if squeeze(column) in names]
    return [column for _, column in sorted(found) if column not in taken and people.filled(column)]


def _map_level(people: People, column: str, value: str, role: str) -> str | None:
    """Level that a value stands for: by its description, or else by itself."""
    classify = classify_group if role == "group" else classify_sex
    described = people.levels(column).get(value.strip().casefold(), "")
    return classify(described) or (None if mentions_other(described) else classify(value))


def _read_levels(people: People, column: str, role: str, names: Sequence[str], why: str) -> RoleGuess:
    """Guess of a column with levels, each of its values mapped or not."""
    guess = RoleGuess(column, why, {name: [] for name in names})
    counts = people.count(column)
    by_number = {} if people.levels(column) else NUMBERED[role]
    for value, n in counts.items():
        level = _map_level(people, column, value, role)
        if level is None and _is_case_column(column) and role == "group":
            word = value.casefold()
            level = PATIENT if word in YES_WORDS else CONTROL if word in NO_WORDS else None
        elif level is None and set(counts) <= set(by_number):
            level = by_number[value]
            usual = ", ".join(f"{number} = {meaning}" for number, meaning in by_number.items())
            check = f"{column}: numbers without a description are taken as usual ({usual}); a mistake swaps them"
            guess.checks += [check] if check not in guess.checks else []
        if level is None:
            guess.unmapped[value] = n
        else:
            guess.levels[level].append(value)
    return guess


def _is_case_column(column: str) -> bool:
    """Whether a column says by yes and no who is a patient."""
    return squeeze(column) in CASE_NAMES


def _guess_sex(people: People) -> RoleGuess:
    """Guess the column of sex: by its name, or because it holds nothing but sexes."""
    named = _named(people, SEX_NAMES)
    levels = ("F", "M")
    if named:
        guess = _read_levels(people, named[0], "sex", levels, "by its name")
        if len(named) > 1:
            guess.checks.append(f"sex: there are several such columns: {', '.join(named)}; the first one was taken")
        return guess
    for column in people.columns:
        values = people.count(column)
        if {_map_level(people, column, value, "sex") for value in values} == {"F", "M"}:
            return _read_levels(people, column, "sex", levels, "because it holds nothing but sexes")
    return RoleGuess(None, "no column looks like sex")


def _guess_age(people: People, taken: Collection[str | None]) -> RoleGuess:
    """Guess the column of age by its name; ages in months are not taken."""
    named = _named(people, AGE_NAMES, taken)
    if not named:
        return RoleGuess(None, "no column looks like age")
    column = named[0]
    numbers = people.numbers(column)
    if numbers is None:
        check = f"age: column '{column}' has cells that are no number; morpho refuses them"
        return RoleGuess(column, "by its name", checks=[check])
    in_months = "month" in people.describe(column).lower() or float(numbers.median()) > OLDEST_YEARS
    if in_months:
        check = f"age: column '{column}' seems to be in months (median {numbers.median():g}); morpho needs years"
        return RoleGuess(None, f"column '{column}' seems to be in months, and years are needed", checks=[check])
    guess = RoleGuess(column, f"by its name; {numbers.min():g} to {numbers.max():g} years")
    if len(named) > 1:
        guess.checks.append(f"age: there are several such columns: {', '.join(named)}; the first one was taken")
    return guess


def _guess_group(people: People, taken: Collection[str | None]) -> RoleGuess:
    """Guess the column of the group: by its name and values, or by its values alone."""
    candidates: list[tuple[int, int, str]] = []
    for position, column in enumerate(people.columns):
        values = people.count(column)
        if column in taken or not 1 <= len(values) <= MOST_LEVELS:
            continue
        levels = {_map_level(people, column, value, "group") for value in values}
        both, name = {CONTROL, PATIENT} <= levels, squeeze(column)
        is_case = name in CASE_NAMES and {value.casefold() for value in values} <= YES_WORDS | NO_WORDS
        score = (
            4 * both + 3 * (name in GROUP_NAMES) + 3 * is_case + (levels <= {CONTROL, PATIENT} and name in GROUP_NAMES)
        )
        if score:
            candidates.append((-score, GROUP_NAMES.index(name) if name in GROUP_NAMES else position + 99, column))
    if not candidates:
        return RoleGuess(None, "no column looks like a group of patients and controls")
    ranked = [column for *_, column in sorted(candidates)]
    column = ranked[0]
    why = "by its name" if squeeze(column) in (*GROUP_NAMES, *CASE_NAMES) else "because its values are groups"
    guess = _read_levels(people, column, "group", (CONTROL, PATIENT), why)
    rivals = [other for score, _, other in sorted(candidates)[1:] if score == min(candidates)[0]]
    if rivals:
        guess.checks.append(f"group: column '{column}' was taken, but {', '.join(rivals)} could be it as well")
    return guess


def _guess_site(people: People, taken: Collection[str | None]) -> RoleGuess:
    """Guess the column of the site by its name."""
    named = _named(people, SITE_NAMES, taken)
    if not named:
        return RoleGuess(None, "no column looks like a site or scanner")
    guess = RoleGuess(named[0], f"by its name: {list_counts(people.count(named[0]))}")
    if len(named) > 1:
        guess.checks.append(f"site: there are several such columns: {', '.join(named)}; the first one was taken")
    return guess


def count_groups(people: People, group: RoleGuess, scanned: Collection[str]) -> dict[str, int]:
    """Count the people of each mapped group who have a scan.

    Parameters
    ----------
    people
        Participants table.
    group
        Guess about the group.
    scanned
        Ids of people with a scan.

    Returns
    -------
    Group -> number of people; empty if there is no column of groups.
    """
    if group.column is None:
        return {}
    rows = people.raw[people.raw["participant_id"].isin(scanned)]
    level_of: Mapping[str, str] = {value: level for level, values in group.levels.items() for value in values}
    found = rows.assign(level=rows[group.column].map(level_of))[["participant_id", "level"]].dropna().drop_duplicates()
    return {level: int((found["level"] == level).sum()) for level in group.levels}
