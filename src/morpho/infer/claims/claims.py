"""Claims as data: what each says, which columns it needs, and the tests that speak for or against it.

Takes the content of the claims file (`config/claims.yaml`, explained in config/claims.md) and gives claims with their
tests, spelled out for the columns of one cohort. Whether a test can be made is decided here; making it is the business
of `morpho.infer.claims.engine`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import pandas as pd
import patsy

from morpho.formulas import find_names, quote_name, split_terms
from morpho.infer.contrasts import Effect
from morpho.infer.variables import list_missing

Direction = Literal["negative", "positive", "either"]
EACH = "each"  # stands for every column of the domain that a test is made for
COVARIATES = "covariates"


@dataclass(frozen=True)
class ClaimTest:
    """One test of a claim: which people, which model, which quantity, of which regions.

    `options` are passed on to analyses that are no linear model. `decides` names the regions whose result decides on
    the claim, `direction` and `expected` (by region, "" for all) what the claim says of them; `smallest` is the
    smallest effect of interest, None for that of the configuration.
    """

    name: str
    kind: str
    formula: str
    effect: Effect
    population: str
    families: tuple[str, ...]
    decides: tuple[str, ...]
    direction: Direction
    expected: Mapping[str, float]
    smallest: float | None
    needs: tuple[str, ...]
    outcome: str = "volume"
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Evidence:
    """What the strongest evidence says: in words, with its source, and as an effect where there is one."""

    says: str
    source: str


@dataclass(frozen=True)
class Claim:
    """A claim about brain structure, its place in the review, and its tests; none if T1w scans cannot answer it."""

    claim_id: str
    claim: str
    review: str
    confirmatory: bool
    evidence: Evidence
    tests: tuple[ClaimTest, ...]
    out_of_reach: str = ""


@dataclass(frozen=True)
class ClaimsFile:
    """Content of a claims file: claims, and the variables and populations that they use."""

    claims: tuple[Claim, ...]
    variables: Mapping[str, Mapping[str, Any]]
    populations: Mapping[str, Mapping[str, Any]]


def expand_tests(claim: Claim, domains: Mapping[str, Sequence[str]]) -> list[ClaimTest]:
    """Spell out the tests that are made for every column of a domain.

    Parameters
    ----------
    claim
        A claim; a test with option ``each: severity`` stands for one test per severity scale.
    domains
        Columns by domain.

    Returns
    -------
    Tests; one for a domain without columns stays as it is, and needs "a variable of domain severity".
    """
    tests: list[ClaimTest] = []
    for test in claim.tests:
        domain = test.options.get(EACH)
        columns = domains.get(str(domain), ())
        tests += [_spell_out(test, column) for column in columns] if domain and columns else [test]
    return tests


def list_needs(
    test: ClaimTest, people: pd.DataFrame, file: ClaimsFile, domains: Mapping[str, Sequence[str]]
) -> list[str]:
    """List what a cohort lacks for a test.

    Parameters
    ----------
    test
        One test.
    people
        The cohort's columns, before variables are added.
    file
        Variables and populations.
    domains
        Columns by domain.

    Returns
    -------
    Columns, or domains, that are absent or empty; empty if the test can be made.
    """
    if test.options.get(EACH):
        return [f"a variable of domain {test.options[EACH]}"]
    names = [*name_variables(test), *test.needs, *file.populations[test.population]]
    missing = [lack for name in names for lack in list_missing(name, people, file.variables, domains)]
    return list(dict.fromkeys(missing))


def name_variables(test: ClaimTest) -> tuple[str, ...]:
    """Name the variables of the formula (the word "covariates" is none)."""
    if not test.formula:
        return ()
    names: list[str] = []
    for term in patsy.ModelDesc.from_formula(test.formula).rhs_termlist:
        for factor in term.factors:
            names += find_names(factor.name())
    return tuple(name for name in dict.fromkeys(names) if name != COVARIATES)


def write_terms(test: ClaimTest) -> str:
    """Write the terms of interest of a formula: its right side without "covariates" and without the intercept."""
    terms = split_terms(test.formula.partition("~")[2])
    return " + ".join(term for term in terms if term not in {COVARIATES, "1", ""})


def _spell_out(test: ClaimTest, column: str) -> ClaimTest:
    """Put a column where a test says "each"."""
    effect, quoted = test.effect, quote_name(column)
    swap = {EACH: column}
    return ClaimTest(
        **{
            **vars(test),
            "name": f"{test.name}_{column}",
            "formula": re.sub(rf"\b{EACH}\b", lambda _: quoted, test.formula),
            "effect": Effect(
                **{
                    **vars(effect),
                    "of": swap.get(effect.of, effect.of),
                    "between": swap.get(effect.between, effect.between),
                    "joint": tuple(swap.get(name, name) for name in effect.joint),
                }
            ),
            "needs": (*(swap.get(name, name) for name in test.needs), column),
            "options": {
                key: swap.get(value, value) if isinstance(value, str) else value
                for key, value in test.options.items()
                if key != EACH
            },
        }
    )
