"""Variability, overlap and explained variance: numbers of metafor and effectsize, and laws."""

import math

import numpy as np
import pytest
from scipy import stats

from morpho.errors import DesignError
from morpho.stats.spread import compare_variability, overlap, partial_eta_squared


def test_first_trial_of_normand_1999_equals_r_metafor() -> None:
    # escalc(measure="VR") of dat.normand1999 in metafor's tests: -0.3087, variance 0.0065.
    result = compare_variability(47, 155, 64, 156)
    assert result.value == pytest.approx(-0.3087, abs=5e-5)
    assert result.se**2 == pytest.approx(0.0065, abs=5e-5)
    assert (result.ci_low + result.ci_high) / 2 == pytest.approx(result.value)
    assert result.ci_high - result.value == pytest.approx(1.959964 * result.se, rel=1e-6)


def test_swapping_groups_turns_the_ratio_of_spreads_round() -> None:
    one, other = compare_variability(3.0, 20, 2.0, 35), compare_variability(2.0, 35, 3.0, 20)
    assert (one.value, one.ci_low) == pytest.approx((-other.value, -other.ci_high))


def test_ratio_of_spreads_covers_the_truth_without_bias() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(0, 1.5, (2000, 12)).std(axis=1, ddof=1), rng.normal(0, 1, (2000, 30)).std(axis=1, ddof=1)
    results = [compare_variability(x, 12, y, 30) for x, y in zip(a, b, strict=True)]
    assert np.mean([result.value for result in results]) == pytest.approx(math.log(1.5), abs=0.02)
    covered = np.mean([result.ci_low < math.log(1.5) < result.ci_high for result in results])
    assert 0.93 < covered < 0.97


@pytest.mark.parametrize(("sd", "n"), [(0.0, 10), (math.nan, 10), (1.0, 1)])
def test_groups_without_spread_are_refused(sd: float, n: int) -> None:
    with pytest.raises(DesignError, match="some spread in each group"):
        compare_variability(sd, n, 1.0, 20)


def test_overlap_is_the_area_under_both_curves() -> None:
    x = np.linspace(-10, 12, 200_001)
    both = np.minimum(stats.norm.pdf(x), stats.norm.pdf(x, 0.8))
    assert overlap(0.8) == pytest.approx(np.trapezoid(both, x), abs=1e-8)
    assert overlap(-0.8) == overlap(0.8)
    assert overlap(0.0) == 1.0


@pytest.mark.parametrize(
    ("F", "expected"),
    [
        (1.13434, (0.0403187, 0.0, 0.2544051)),
        (9.41322, (0.2585110, 0.0303444, 0.4971196)),
        (2.68145, (0.0903408, 0.0, 0.3280565)),
    ],
)
def test_partial_eta_squared_of_mtcars_equals_r_effectsize(F: float, expected: tuple[float, float, float]) -> None:
    # mpg ~ am * vs + wt, type III, residual df 27; F is rounded to five decimals in the source.
    result = partial_eta_squared(F, 1, 27)
    assert (result.value, result.ci_low, result.ci_high) == pytest.approx(expected, abs=3e-7)


def test_partial_eta_squared_is_the_share_of_the_sum_of_squares() -> None:
    rng = np.random.default_rng(2)
    groups = [rng.normal(shift, 1, 15) for shift in (0.0, 0.4, 1.1)]
    every = np.concatenate(groups)
    within = sum(((group - group.mean()) ** 2).sum() for group in groups)
    total = ((every - every.mean()) ** 2).sum()
    result = partial_eta_squared(stats.f_oneway(*groups).statistic, 2, 42)
    assert result.value == pytest.approx(1 - within / total, rel=1e-10)


@pytest.mark.parametrize(("F", "df1", "df2"), [(0.001, 3, 40), (2.84, 3, 40), (5.0, 3, 40), (400.0, 2, 300)])
def test_limits_exclude_zero_where_the_test_is_significant(F: float, df1: int, df2: int) -> None:
    result = partial_eta_squared(F, df1, df2, 0.90)
    assert (result.ci_low > 0) == (stats.f.sf(F, df1, df2) < 0.05)
    assert 0 <= result.ci_low <= result.ci_high < 1


def test_an_f_value_of_zero_explains_nothing() -> None:
    result = partial_eta_squared(0.0, 2, 50)
    assert (result.value, result.ci_low, result.ci_high) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(("F", "df1", "df2"), [(-1.0, 1, 10), (math.inf, 1, 10), (1.0, 0, 10), (1.0, 1, 0)])
def test_impossible_f_tests_are_refused(F: float, df1: int, df2: int) -> None:
    with pytest.raises(DesignError, match="finite F value"):
        partial_eta_squared(F, df1, df2)
