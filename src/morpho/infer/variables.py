"""Variables that claims speak of, made from the columns of a cohort: groupings, logarithms, counts, common scales.

Takes people and the blocks `variables` and `populations` of the claims file. A variable whose columns the cohort lacks
is not made; who lacks a value gets a missing one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from morpho.errors import ConfigError

Condition = Mapping[str, Any]
COMPARISON = re.compile(r"(<=|>=|<|>)\s*(-?\d+(?:\.\d+)?)")
KINDS = ("levels", "log1p", "log", "scores", "common_scale")


def add_variables(
    people: pd.DataFrame, variables: Mapping[str, Mapping[str, Any]], domains: Mapping[str, Sequence[str]]
) -> pd.DataFrame:
    """Add the variables that can be made from the columns at hand.

    Parameters
    ----------
    people
        One row per participant or visit.
    variables
        Name -> one of ``{levels: {level: condition}}`` (a category, its first level first; people who meet no
        condition are missing), ``{log1p: column}`` (missing below 0), ``{log: column}`` (missing up to 0),
        ``{scores: {column: ..., values: {level: number}}}``, ``{common_scale: domain}`` (the first scale of a domain
        that a person has, standardised among the patients who have it).
    domains
        Columns by domain.

    Returns
    -------
    People with one more column per variable that could be made.

    Raises
    ------
    ConfigError
        If a variable is made in none of these ways, or takes the name of a column.
    """
    added: dict[str, pd.Series[Any]] = {}
    for name, recipe in variables.items():
        if name in people:
            msg = f"Variable {name!r} of the claims file has the name of a column of the cohort. Give it another name."
            raise ConfigError(msg)
        if len(recipe) != 1 or next(iter(recipe)) not in KINDS:
            msg = f"Variable {name!r} of the claims file is {dict(recipe)}. Make it by one of: {', '.join(KINDS)}."
            raise ConfigError(msg)
        if not list_missing(name, people, variables, domains):
            added[name] = _make(recipe, people, domains)
    return pd.concat([people, pd.DataFrame(added, index=people.index)], axis="columns") if added else people


def list_missing(
    name: str,
    people: pd.DataFrame,
    variables: Mapping[str, Mapping[str, Any]],
    domains: Mapping[str, Sequence[str]],
) -> list[str]:
    """List the columns of the cohort that a variable needs and that are absent or empty.

    Parameters
    ----------
    name
        A variable of the claims file or a column of the cohort.
    people, variables, domains
        As for `add_variables`.

    Returns
    -------
    Names of columns, or "a variable of domain X"; empty if everything is there.
    """
    recipe = variables.get(name)
    if recipe is None:
        return [] if name in people and people[name].notna().any() else [name]
    kind, content = next(iter(recipe.items()))
    if kind == "common_scale":
        return [] if domains.get(content) else [f"a scale of domain {content}"]
    if kind == "levels":
        columns = list(dict.fromkeys(column for condition in content.values() for column in condition))
    else:
        columns = [content["column"] if kind == "scores" else content]
    return [column for column in columns if column not in people or people[column].isna().all()]


def select_population(people: pd.DataFrame, condition: Condition) -> pd.DataFrame:
    """Keep the people who meet all parts of a condition.

    Parameters
    ----------
    people
        One row per participant or visit.
    condition
        Column -> value, list of values, or comparison such as ``"<= 21"``; a missing cell never meets it.

    Returns
    -------
    Rows of `people`, in their order.
    """
    return people[_meets(people, condition)]


def _make(recipe: Mapping[str, Any], people: pd.DataFrame, domains: Mapping[str, Sequence[str]]) -> pd.Series[Any]:
    """Make one variable by its recipe."""
    kind, content = next(iter(recipe.items()))
    if kind == "levels":
        values = pd.Series(np.nan, index=people.index, dtype="object")
        for level, condition in reversed(list(content.items())):
            values[_meets(people, condition)] = level
        return pd.Series(pd.Categorical(values, categories=list(content)), index=people.index)
    if kind == "scores":
        scores = {str(level): float(value) for level, value in content["values"].items()}
        return pd.Series(people[content["column"]].map(scores), dtype="float64")
    if kind == "common_scale":
        is_patient = people["group"] == "patient" if "group" in people else pd.Series(data=True, index=people.index)
        return _standardise_within(people[list(domains[content])], is_patient)
    values = people[content].astype("float64")
    numbers = np.log1p(values.where(values >= 0)) if kind == "log1p" else np.log(values.where(values > 0))
    return pd.Series(numbers, dtype="float64")


def _standardise_within(scales: pd.DataFrame, is_reference: pd.Series[bool]) -> pd.Series[float]:
    """Give each person the z among patients of the first scale they have; a constant scale, or one of two, is none."""
    patients = scales[is_reference]
    usable = [str(name) for name in scales.columns if patients[name].count() > 2 and patients[name].std() > 0]
    z = (scales[usable] - patients[usable].mean()) / patients[usable].std(ddof=1)
    return z.bfill(axis="columns").iloc[:, 0] if usable else pd.Series(np.nan, index=scales.index)


def _meets(people: pd.DataFrame, condition: Condition) -> pd.Series[bool]:
    """Whether each person meets a condition."""
    meets = pd.Series(data=True, index=people.index)
    for column, wanted in condition.items():
        values = people[column]
        comparison = COMPARISON.fullmatch(wanted.strip()) if isinstance(wanted, str) else None
        if comparison:
            limit = float(comparison[2])
            compare = {"<=": values.le, ">=": values.ge, "<": values.lt, ">": values.gt}[comparison[1]]
            meets &= compare(limit)
        else:
            meets &= values.isin(wanted if isinstance(wanted, list) else [wanted])
    return meets
