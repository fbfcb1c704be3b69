"""Results of claims as the tables that are written: claims, tests, and one table for each kind of test."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from morpho.infer.claims.claims import ClaimsFile
from morpho.infer.claims.dictionaries import (
    ASSOCIATIONS,
    CLAIM_TESTS,
    CLAIMS,
    CONTRASTS,
    DETAILS,
    INTERACTIONS,
    describe_detail,
)
from morpho.infer.claims.engine import ClaimResults, run_claims
from morpho.infer.models import COUNT_COLUMNS, NO_OTHERS
from morpho.infer.quality.set_names import SET_COLUMNS
from morpho.infer.quality.sets import EFFECT_TABLES, add_effects, run_others
from morpho.infer.study import Study
from morpho.tables import ColumnDictionary

COUNTS = {*COUNT_COLUMNS, "df_numerator", "n_tests", "n_refused", "n_events", "n_non_events"}

LINEAR_TABLES: Mapping[str, ColumnDictionary] = {
    "contrasts": CONTRASTS,
    "associations": ASSOCIATIONS,
    "interactions": INTERACTIONS,
}


def tabulate_claims(
    study: Study, file: ClaimsFile, others: Mapping[str, Study] = NO_OTHERS
) -> dict[str, tuple[pd.DataFrame, ColumnDictionary]]:
    """Test all claims, and write beside every effect what it is in the other sets of scans.

    Parameters
    ----------
    study, file
        As for `morpho.infer.claims.engine.run_claims`.
    others
        The same study with other sets of scans (`morpho.infer.quality.sets.StudySets`); verdicts rest on the main one.

    Returns
    -------
    As `split_results`, tables of effects with the columns of `morpho.infer.quality.set_names.SET_COLUMNS`.
    """
    tables = split_results(run_claims(study, file))
    sets = run_others(study, others, tables, lambda other: split_results(run_claims(other, file)))
    for name, where in EFFECT_TABLES.items():
        if name in tables:
            table, dictionary = tables[name]
            beside = {chosen: found[name][0] for chosen, found in sets.items()}
            tables[name] = (add_effects(table, beside, where), {**dictionary, **SET_COLUMNS})
    return tables


def split_results(results: ClaimResults) -> dict[str, tuple[pd.DataFrame, ColumnDictionary]]:
    """Split the results of claims into tables with their dictionaries.

    Parameters
    ----------
    results
        From `morpho.infer.claims.engine.run_claims`.

    Returns
    -------
    Name of the file without its ending -> table and dictionary: claims, claim_tests, contrasts (differences),
    associations (slopes), interactions, and the detailed tables of the other kinds of tests. A table of tests that were
    not made has its columns and no row.
    """
    tests = results.tests.reindex(columns=list(dict.fromkeys([*results.tests.columns, *CLAIM_TESTS, "is_interaction"])))
    linear = tests[tests["kind"] == "linear"]
    is_interaction = linear["is_interaction"].fillna(value=False).astype(bool)
    size = linear["effect_size"]
    parts = {
        "contrasts": linear[~is_interaction & (size == "g")],
        "associations": linear[~is_interaction & (size == "partial_r")],
        "interactions": linear[is_interaction],
    }
    tables: dict[str, tuple[pd.DataFrame, ColumnDictionary]] = {
        "claims": (results.claims.reindex(columns=list(CLAIMS)), CLAIMS),
        "claim_tests": (tests[list(CLAIM_TESTS)], CLAIM_TESTS),
    }
    tables |= {name: (parts[name].reindex(columns=list(columns)), columns) for name, columns in LINEAR_TABLES.items()}
    for name in DETAILS:
        dictionary = describe_detail(name)
        table = results.details.get(name, pd.DataFrame())
        tables[name] = (table.reindex(columns=list(dictionary)), dictionary)
    return {name: (_count_in_integers(table), dictionary) for name, (table, dictionary) in tables.items()}


def _count_in_integers(table: pd.DataFrame) -> pd.DataFrame:
    """Give counts the type of whole numbers with gaps."""
    counts = [name for name in COUNTS if name in table]
    return table.astype({name: "Int64" for name in counts if pd.to_numeric(table[name]).dropna().mod(1).eq(0).all()})
