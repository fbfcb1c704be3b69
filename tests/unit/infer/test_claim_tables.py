"""Results of claims become tables that have the columns of their dictionaries, and lose no row."""

import numpy as np
import pandas as pd
import pytest

from morpho.infer.claims.engine import ClaimResults
from morpho.infer.claims.tables import LINEAR_TABLES, split_results


def make_results() -> ClaimResults:
    rows = [
        ("linear", "g", False), ("linear", "partial_r", False), ("linear", "g", True), ("linear", "partial_r", True),
        ("linear", "partial_eta_squared", True), ("change", "d_z", np.nan), ("prediction", "auc", np.nan),
    ]  # fmt: skip
    tests = pd.DataFrame(rows, columns=["kind", "effect_size", "is_interaction"])
    tests = tests.assign(claim_id="C01", test=[f"t{number}" for number in range(len(rows))], estimate=0.1, other=1.0)
    claims = pd.DataFrame([{"claim_id": "C01", "status": "tested", "verdict": "consistent"}])
    details = {"change": pd.DataFrame({"claim_id": ["C01"], "test": ["t5"], "roi": ["hippocampus"]})}
    return ClaimResults(claims, tests, details)


def test_tables_have_the_columns_of_their_dictionaries_in_order() -> None:
    for name, (table, dictionary) in split_results(make_results()).items():
        assert list(table.columns) == list(dictionary), name


@pytest.mark.parametrize(
    ("name", "tests"), [("contrasts", ["t0"]), ("associations", ["t1"]), ("interactions", ["t2", "t3", "t4"])]
)
def test_linear_tests_are_split_by_their_effect(name: str, tests: list[str]) -> None:
    assert split_results(make_results())[name][0]["test"].tolist() == tests


def test_every_linear_row_is_in_one_table_and_all_rows_in_the_common_one() -> None:
    tables = split_results(make_results())
    assert sum(len(tables[name][0]) for name in LINEAR_TABLES) == 5
    assert tables["claim_tests"][0]["test"].tolist() == [f"t{number}" for number in range(7)]
    assert tables["change"][0]["roi"].tolist() == ["hippocampus"]


def test_without_any_test_tables_have_their_columns_and_no_row() -> None:
    tables = split_results(ClaimResults(make_results().claims, pd.DataFrame(), {}))
    assert len(tables["claims"][0]) == 1
    assert {name for name, (table, _) in tables.items() if len(table)} == {"claims"}
