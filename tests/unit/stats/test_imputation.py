"""Pooling of imputed data sets: numbers of mice, limits and a simulation."""

import math

import numpy as np
import pytest
from scipy import stats

from morpho.errors import DesignError
from morpho.stats.imputation import pool_imputations

ESTIMATES = [-0.15, -0.11, -0.19, -0.13, -0.17]
VARIANCES = [0.0036, 0.0040, 0.0038, 0.0035, 0.0041]


def test_pooling_equals_r_mice() -> None:
    # mice 3.15.0: pool.scalar(n = 200, k = 6), so 194 degrees of freedom of the complete data.
    pooled = pool_imputations(ESTIMATES, VARIANCES, 194)
    assert (pooled.estimate, pooled.within, pooled.between) == pytest.approx((-0.15, 0.0038, 0.001), rel=1e-12)
    assert pooled.total == pytest.approx(0.005, rel=1e-12)
    assert pooled.df == pytest.approx(47.054431968811, rel=1e-12)
    assert pooled.relative_increase == pytest.approx(0.3157894736842, rel=1e-12)
    assert pooled.fraction_missing == pytest.approx(0.2703669413519, rel=1e-12)


def test_pooling_a_large_sample_equals_r_mice() -> None:
    pooled = pool_imputations(ESTIMATES, VARIANCES, math.inf)
    assert pooled.df == pytest.approx(69.4444, abs=5e-5)
    assert pooled.fraction_missing == pytest.approx(0.2609816, abs=5e-8)


def test_test_and_interval_use_the_pooled_degrees_of_freedom() -> None:
    pooled = pool_imputations(ESTIMATES, VARIANCES, 194, confidence=0.9)
    assert pooled.t == pytest.approx(-0.15 / math.sqrt(0.005))
    assert pooled.p == pytest.approx(2 * stats.t.sf(-pooled.t, pooled.df))
    half = stats.t.ppf(0.95, pooled.df) * math.sqrt(0.005)
    assert (pooled.ci_low, pooled.ci_high) == pytest.approx((-0.15 - half, -0.15 + half))


def test_imputations_that_agree_leave_the_complete_analysis() -> None:
    pooled = pool_imputations([2.0, 2.0, 2.0], [0.25, 0.25, 0.25], 40)
    assert (pooled.estimate, pooled.se, pooled.between) == (2.0, 0.5, 0.0)
    assert pooled.df == pytest.approx(41 / 43 * 40)  # Barnard and Rubin's observed-data degrees of freedom
    assert pool_imputations([2.0, 2.0], [0.25, 0.25], math.inf).df == math.inf


def test_degrees_of_freedom_never_exceed_those_of_the_complete_data() -> None:
    for spread in (1e-6, 0.1, 10.0):
        pooled = pool_imputations([0.0, spread, -spread], [1.0, 1.0, 1.0], 30)
        assert 0 < pooled.df < 30


def test_interval_covers_a_mean_with_values_missing() -> None:
    rng = np.random.default_rng(1)
    covered = []
    for _ in range(800):
        seen = rng.normal(1.0, 1.0, 20)  # ten more people are missing at random
        means, variances = [], []
        for _ in range(10):
            sd = math.sqrt(19 * seen.var(ddof=1) / rng.chisquare(19))
            centre = rng.normal(seen.mean(), sd / math.sqrt(20))
            full = np.concatenate([seen, rng.normal(centre, sd, 10)])
            means.append(full.mean())
            variances.append(full.var(ddof=1) / 30)
        pooled = pool_imputations(means, variances, 29)
        covered.append(pooled.ci_low < 1.0 < pooled.ci_high)
    assert 0.92 < np.mean(covered) < 0.98


@pytest.mark.parametrize(
    ("estimates", "variances"),
    [([1.0], [1.0]), ([1.0, 2.0], [1.0]), ([1.0, math.nan], [1.0, 1.0]), ([1.0, 2.0], [1.0, 0.0])],
)
def test_what_cannot_be_pooled_is_refused(estimates: list[float], variances: list[float]) -> None:
    with pytest.raises(DesignError, match="two or more imputed data sets"):
        pool_imputations(estimates, variances, 50)


def test_degrees_of_freedom_must_be_positive() -> None:
    with pytest.raises(DesignError, match="must be above 0; got 0"):
        pool_imputations(ESTIMATES, VARIANCES, 0)
