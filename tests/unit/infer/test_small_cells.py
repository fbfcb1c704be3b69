"""Cells of few people are gone, and no sum tells them."""

import numpy as np
import pandas as pd
import pytest

from morpho.infer.sharing.small_cells import suppress_small_cells


def suppress(counts: list[float], smallest: int = 5) -> list[float]:
    table = pd.DataFrame({"n": counts, "group": "patient", "percent": 1.0})
    done = suppress_small_cells(table, count="n", values=["percent"], sums=[["group"]], smallest=smallest)
    assert done["percent"].isna().tolist() == done["suppressed"].tolist()
    return done["n"].tolist()


@pytest.mark.parametrize(
    ("counts", "shown"),
    [
        ([30, 40], [30, 40]),
        ([5, 40], [5, 40]),
        ([4, 40], [np.nan, np.nan]),
        ([4, 40, 12], [np.nan, 40, np.nan]),
        ([1, 1, 40, 20], [np.nan, np.nan, 40, np.nan]),  # two cells that hold 2 together would be known
        ([0, 40, 12], [0, 40, 12]),  # nobody is no small cell
        ([0, 3, 40], [0, np.nan, np.nan]),
        ([3], [np.nan]),
    ],
)
def test_small_cells_and_their_complements(counts: list[float], shown: list[float]) -> None:
    assert suppress(counts) == pytest.approx(shown, nan_ok=True)


def test_cells_stay_hidden_when_they_are_part_of_two_sums() -> None:
    table = pd.DataFrame({"site": list("aabbcc"), "sex": list("FMFMFM"), "n": [3, 30, 20, 25, 40, 45]})
    done = suppress_small_cells(table, count="n", sums=[["site"], ["sex"]], smallest=5)
    assert done["suppressed"].tolist() == [True, True, True, True, False, False]  # no row or column tells a cell


def test_cells_that_were_removed_before_count_among_the_hidden() -> None:
    table = pd.DataFrame({"n": [20, 30, 40], "group": "x"}, index=[7, 8, 9])
    done = suppress_small_cells(table, count="n", sums=[["group"]], already=np.array([True, False, False]))
    assert done["suppressed"].tolist() == [True, True, False]
    assert done.index.tolist() == [7, 8, 9]


def test_suppression_leaves_the_given_table_alone_and_is_stable() -> None:
    table = pd.DataFrame({"n": [4, 40, 12], "group": "x"})
    once = suppress_small_cells(table, count="n", sums=[["group"]], smallest=5)
    assert table["n"].tolist() == [4, 40, 12]
    again = suppress_small_cells(once, count="n", sums=[["group"]], smallest=5)
    assert again["n"].tolist() == pytest.approx(once["n"].tolist(), nan_ok=True)


@pytest.mark.parametrize("seed", range(5))
def test_hidden_cells_of_a_sum_are_two_and_hold_enough_people(seed: int) -> None:
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"n": rng.integers(0, 40, 60), "a": np.repeat(range(6), 10), "b": np.tile(range(10), 6)})
    done = suppress_small_cells(table, count="n", sums=[["a"], ["b"]], smallest=10)
    assert (done["n"].dropna().between(1, 9)).sum() == 0
    for key in ("a", "b"):
        for _, rows in table.assign(hidden=done["suppressed"]).groupby(key):
            n = rows.loc[rows["hidden"], "n"]
            if len(n) and (~rows["hidden"] & (rows["n"] > 0)).any():
                assert len(n) > 1
                assert n.sum() >= 10
