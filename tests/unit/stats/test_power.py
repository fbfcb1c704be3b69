"""Power and numbers of people: Cohen's tables, statsmodels, and simulation."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.power import TTestIndPower

from morpho.errors import DesignError
from morpho.stats.power import (
    detect_correlation,
    detect_difference,
    people_for_correlation,
    people_for_difference,
    power_of_correlation,
    power_of_difference,
)


@pytest.mark.parametrize(("g", "n_reference", "n_comparison"), [(0.5, 64, 64), (0.2, 30, 80), (-0.9, 12, 12)])
def test_power_is_that_of_statsmodels(g: float, n_reference: int, n_comparison: int) -> None:
    expected = TTestIndPower().power(abs(g), n_reference, 0.05, ratio=n_comparison / n_reference)
    power = power_of_difference(g, n_reference, n_comparison, df=n_reference + n_comparison - 2, alpha=0.05)
    df = n_reference + n_comparison - 2
    shift = abs(g) / math.sqrt(1 / n_reference + 1 / n_comparison)
    in_the_wrong_direction = stats.nct.cdf(stats.t.ppf(0.025, df), df, shift)  # theirs counts these findings too
    assert power == pytest.approx(expected - in_the_wrong_direction, abs=1e-9)


def test_power_without_a_difference_is_half_the_level() -> None:
    assert power_of_difference(0.0, 20, 30, df=48, alpha=0.05) == pytest.approx(0.025)
    assert power_of_correlation(0.0, df=40, alpha=0.05) == pytest.approx(0.025)


@pytest.mark.parametrize(("n_reference", "n_comparison"), [(10, 10), (20, 35), (64, 64), (200, 40)])
def test_the_detectable_difference_has_the_wanted_power_in_statsmodels(n_reference: int, n_comparison: int) -> None:
    g = detect_difference(n_reference, n_comparison, df=n_reference + n_comparison - 2, alpha=0.05, power=0.8)
    power = TTestIndPower().power(g, n_reference, 0.05, ratio=n_comparison / n_reference)
    assert power == pytest.approx(0.80, abs=1e-5)


def test_groups_that_differ_in_a_covariate_need_a_larger_difference() -> None:
    balanced, unbalanced = (detect_difference(30, 30, df=56, alpha=0.05, power=0.8, vif=vif) for vif in (1.0, 4.0))
    assert unbalanced == pytest.approx(2 * balanced)


@pytest.mark.parametrize(
    ("d", "n", "n_corrected"),  # computed with statsmodels' TTestIndPower, alone and with Bonferroni over 14 tests
    [(0.14, 802, 1442), (0.20, 394, 708), (0.30, 176, 316), (0.50, 64, 115)],
)
def test_people_needed(d: float, n: int, n_corrected: int) -> None:
    assert people_for_difference(d, alpha=0.05, power=0.8) == n
    assert people_for_difference(-d, alpha=0.05 / 14, power=0.8) == n_corrected


def test_covariates_cost_people() -> None:
    few, more = (people_for_difference(2.5, alpha=0.05, power=0.8, n_covariates=k) for k in (0, 6))
    assert few < more
    without, with_four = (people_for_correlation(0.3, alpha=0.05, power=0.8, n_covariates=k) for k in (0, 4))
    assert with_four == without + 4


def test_no_number_of_people_finds_what_is_not_there() -> None:
    assert people_for_difference(0.0, alpha=0.05, power=0.8) == math.inf
    assert people_for_correlation(0.0, alpha=0.05, power=0.8) == math.inf
    assert people_for_correlation(1e-6, alpha=0.05, power=0.8) == math.inf


@pytest.mark.parametrize(("r", "n"), [(0.1, 783), (0.3, 85), (0.5, 30)])
def test_people_for_a_correlation(r: float, n: int) -> None:
    # ((1.959964 + 0.841621) / artanh r)^2 + 3 = 782.6, 84.9, 29.0..., rounded up
    assert people_for_correlation(r, alpha=0.05, power=0.8) == n


@settings(max_examples=30, deadline=None)
@given(df=st.integers(5, 2000), power=st.floats(0.3, 0.99))
def test_detectable_correlation_has_the_wanted_power(df: int, power: float) -> None:
    r = detect_correlation(df=df, alpha=0.05, power=power)
    assert power_of_correlation(r, df=df, alpha=0.05) == pytest.approx(power, abs=1e-9)
    assert power_of_correlation(-r, df=df, alpha=0.05) == pytest.approx(power, abs=1e-9)


def test_power_of_a_huge_effect_is_one() -> None:
    powers = [power_of_difference(g, 30, 30, df=58, alpha=0.05) for g in np.linspace(9, 60, 400)]
    assert powers == pytest.approx([1.0] * 400)


def test_number_of_people_is_the_smallest_with_enough_power() -> None:
    n = int(people_for_difference(0.4, alpha=0.01, power=0.9, n_covariates=3))
    enough, short = (power_of_difference(0.4, m, m, df=2 * m - 5, alpha=0.01) for m in (n, n - 1))
    assert short < 0.9 <= enough


def test_power_is_the_share_of_studies_that_find_the_difference() -> None:
    rng = np.random.default_rng(7)
    reference, comparison = rng.normal(size=(4000, 20)), rng.normal(0.6, 1, size=(4000, 35))
    found = (stats.ttest_ind(comparison, reference, axis=1).statistic > stats.t.isf(0.025, 53)).mean()
    assert power_of_difference(0.6, 20, 35, df=53, alpha=0.05) == pytest.approx(found, abs=0.02)


def test_a_study_too_small_for_a_test_is_refused() -> None:
    with pytest.raises(DesignError, match="two people in each group and one degree of freedom"):
        detect_difference(1, 20, df=19, alpha=0.05, power=0.8)
    with pytest.raises(DesignError, match="0 degrees of freedom"):
        detect_correlation(df=1, alpha=0.05, power=0.8)
