"""Bootstrap within sites and classes: what a draw keeps, agreement with DeLong, and areas by counting."""

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy import stats

from morpho.errors import DesignError
from morpho.stats.bootstrap import BlockAreas, BlockRates, bootstrap_within, draw_within
from morpho.stats.discrimination import area_under_curve


def test_bootstrap_keeps_each_block_and_class() -> None:
    sites, y = np.repeat(["a", "b", "c"], [10, 6, 8]), np.tile([0, 1], 12)
    seen = []

    def count(rows: NDArray[np.intp]) -> float:
        seen.append(pd.crosstab(sites[rows], y[rows]).to_numpy().tolist())
        return float(rows.mean())

    result = bootstrap_within(count, sites, y, draws=50, confidence=0.9, rng=np.random.default_rng(0))
    assert all(table == [[5, 5], [3, 3], [4, 4]] for table in seen)
    assert result.value == np.arange(24).mean()
    assert result.ci_low < result.value < result.ci_high


def test_bootstrap_of_the_area_agrees_with_delong_and_repeats_with_its_seed() -> None:
    rng = np.random.default_rng(8)
    y = np.repeat([0, 1], 60)
    score = rng.normal(size=120) + y

    def measure(rows: NDArray[np.intp]) -> float:
        return area_under_curve(y[rows], score[rows], 0.95).value

    first, again = (
        bootstrap_within(measure, np.zeros(120), y, draws=1000, confidence=0.95, rng=np.random.default_rng(1))
        for _ in range(2)
    )
    exact = area_under_curve(y, score, 0.95)
    assert first == again
    assert (first.value, first.se) == pytest.approx((exact.value, exact.se), rel=0.1)
    assert (first.ci_low, first.ci_high) == pytest.approx((exact.ci_low, exact.ci_high), abs=0.02)


def test_bootstrap_of_a_statistic_that_fails_is_refused() -> None:
    with pytest.raises(DesignError, match="no value in 5 of 5 bootstrap draws"):
        bootstrap_within(
            lambda _: np.nan, [0, 0, 0, 0], [0, 0, 1, 1], draws=5, confidence=0.9, rng=np.random.default_rng(0)
        )


def average_slowly(y: NDArray[np.bool_], sites: NDArray[np.str_], score: NDArray[np.float64]) -> float:
    """Rank the people of each site, as one would by hand."""
    total = weights = 0.0
    for site in np.unique(sites):
        case, values = y[sites == site], score[sites == site]
        n1, n0 = int(case.sum()), int((~case).sum())
        if n1 and n0:
            won = float(stats.rankdata(values)[case].sum()) - n1 * (n1 + 1) / 2
            weight = n1 * n0 / (n1 + n0)
            total, weights = total + weight * (won / (n1 * n0)), weights + weight
    return total / weights


@pytest.mark.parametrize("digits", [1, 15])  # with and without ties
def test_areas_by_counting_are_those_of_ranks_to_the_last_digit(digits: int) -> None:
    rng = np.random.default_rng(3)
    sites, y = rng.choice(["a", "b", "c", "only controls"], 200), rng.random(200) < 0.4
    y &= sites != "only controls"
    score = np.round(rng.normal(size=200) + y, digits)
    quick = BlockAreas(y, sites, score)
    slow = draw_within(
        [lambda rows: average_slowly(y[rows], sites[rows], score[rows])],
        sites, y, draws=20, rng=np.random.default_rng(0),
    )  # fmt: skip
    fast = draw_within([quick], sites, y, draws=20, rng=np.random.default_rng(0))
    assert len(np.unique(slow)) == 20
    np.testing.assert_array_equal(fast, slow)


def test_the_area_of_everybody_is_that_of_ranks_to_the_last_digit() -> None:
    rng = np.random.default_rng(4)
    y, score = rng.random(301) < 0.3, rng.normal(size=301)
    n1, n0 = int(y.sum()), int((~y).sum())
    ranks = float(stats.rankdata(score)[y].sum())
    assert BlockAreas(y, None, score)(np.arange(301)) == (ranks - n1 * (n1 + 1) / 2) / (n1 * n0)


def test_blocks_without_a_class_have_no_area() -> None:
    assert np.isnan(BlockAreas([0, 0, 1, 1], ["a", "a", "b", "b"], [1.0, 2.0, 3.0, 4.0])(np.arange(4)))


def test_rates_of_blocks_are_weighed_by_their_size() -> None:
    y = np.array([1, 0, 1, 1, 0, 0])
    called = np.array([True, False, True, False, True, True])
    rates = BlockRates(y, np.array(["a", "a", "b", "b", "b", "b"]), called)
    # Site a: (1 + 1) / 2, weight 1/2; site b: (1/2 + 0) / 2, weight 1.
    assert rates(np.arange(6)) == pytest.approx((0.5 * 1 + 1 * 0.25) / 1.5)
