"""Bayes factors and equivalence: numbers of BayesFactor, pingouin and effectsize, and laws."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from morpho.errors import DesignError
from morpho.stats.evidence import bound_effect, jzs_bayes_factor, jzs_log_bayes_factor

ROOT_HALF = math.sqrt(2) / 2


@pytest.mark.parametrize(
    ("t", "n_effective", "df", "prior_scale", "expected"),
    [
        (-1.860813467, 5, 18, ROOT_HALF, 1.265925149578),  # R BayesFactor: sleep, two groups of 10
        (-4.062127683, 10, 9, ROOT_HALF, 17.258880267773),  # R BayesFactor: sleep, 10 pairs
        (-1.2, 45 * 60 / 105, 103, ROOT_HALF, 0.3949389828),  # R BayesFactor
        (3.5, 10, 38, 0.707, 26.74265923),  # R BayesFactor; pingouin's tests print 26.743
    ],
)
def test_bayes_factor_equals_r(t: float, n_effective: float, df: int, prior_scale: float, expected: float) -> None:
    assert jzs_bayes_factor(t, n_effective, df, prior_scale) == pytest.approx(expected, rel=2e-9)


@pytest.mark.parametrize(("t", "n_effective", "df"), [(0.0, 5.0, 8), (2.0, 50.0, 198), (6.0, 400.0, 1600)])
def test_bayes_factor_is_the_integral_over_cauchy_effects(t: float, n_effective: float, df: int) -> None:
    # The density of t given an effect is itself a sum over the sample standard deviation, `spread`.
    spread = np.linspace(1e-6, 1 + 12 / math.sqrt(df), 1001)
    weight = spread * stats.chi.pdf(spread * math.sqrt(df), df) * math.sqrt(df)
    effect = np.linspace(-60, 60, 2_001) / math.sqrt(n_effective)
    density = [np.trapezoid(stats.norm.pdf(t * spread, d * math.sqrt(n_effective)) * weight, spread) for d in effect]
    mean = np.trapezoid(density * stats.cauchy.pdf(effect, scale=ROOT_HALF), effect)
    assert jzs_bayes_factor(t, n_effective, df) == pytest.approx(mean / stats.t.pdf(t, df), rel=1e-6)


def test_large_t_values_have_a_logarithm_where_the_factor_is_infinite() -> None:
    assert jzs_bayes_factor(60, 500, 2000) == math.inf
    # Laplace's approximation: likelihood ratio at the estimate, times its spread, times the prior there.
    d = 1000 / math.sqrt(5e5)
    ratio = (2e6 + 1) / 2 * math.log1p(1000**2 / 2e6)
    spread = math.sqrt((1 + 1000**2 / 2e6) / 5e5)
    laplace = ratio + math.log(math.sqrt(2 * math.pi) * spread * stats.cauchy.pdf(d, scale=ROOT_HALF))
    assert jzs_log_bayes_factor(1000, 5e5, 2e6) == pytest.approx(laplace, abs=0.5)


@settings(max_examples=25, deadline=None)
@given(t=st.floats(0, 30), df=st.integers(4, 2000))
def test_bayes_factor_grows_with_t_and_ignores_its_sign(t: float, df: int) -> None:
    factor = jzs_log_bayes_factor(t, df / 4, df)
    assert jzs_log_bayes_factor(-t, df / 4, df) == factor
    assert jzs_log_bayes_factor(t + 0.1, df / 4, df) > factor


def test_evidence_for_no_difference_grows_with_people_and_with_the_width_of_the_prior() -> None:
    factors = [jzs_bayes_factor(0.0, n / 4, n - 2) for n in (20, 200, 2000)]
    assert 1 > factors[0] > factors[1] > factors[2]
    assert jzs_bayes_factor(0.0, 50, 198, 1.0) < jzs_bayes_factor(0.0, 50, 198, 0.5)


@pytest.mark.parametrize(("t", "n_effective", "df"), [(math.nan, 5, 8), (1.0, 0, 8), (1.0, 5, -1)])
def test_impossible_numbers_have_no_bayes_factor(t: float, n_effective: float, df: float) -> None:
    with pytest.raises(DesignError, match="finite t value and positive numbers"):
        jzs_bayes_factor(t, n_effective, df)


@pytest.mark.parametrize(
    ("t", "df", "expected"),
    [
        (0.45, 675, "Accepted"),
        (-0.65, 525, "Undecided"),
        (7.0, 2000, "Rejected"),
        (-2.2, 900, "Rejected"),
        (2.25, 1875, "Accepted"),
    ],
)
def test_decisions_equal_r_effectsize(t: float, df: int, expected: str) -> None:
    # effectsize's tests of equivalence_test: d = 2 t / sqrt(df), so v = 4 / df; "Rejected" is not equivalent, not zero.
    result = bound_effect(t, df, 4 / df, 0.2)
    excludes_zero = result.g_low > 0 or result.g_high < 0
    decision = "Accepted" if result.is_equivalent else "Rejected" if excludes_zero else "Undecided"
    assert decision == expected


@settings(max_examples=60, deadline=None)
@given(t=st.floats(-8, 8), df=st.integers(5, 1000), bound=st.floats(0.05, 1.5))
def test_interval_decision_and_p_value_agree(t: float, df: int, bound: float) -> None:
    result = bound_effect(t, df, 4 / (df + 2), bound)
    if abs(result.p - 0.05) > 1e-6:
        is_inside = -bound < result.g_low and result.g_high < bound
        assert is_inside == result.is_equivalent == (result.p < 0.05)


def test_p_values_of_large_samples_are_those_of_the_shifted_normal() -> None:
    v = 4 / 1e6
    result = bound_effect(-20.0, 1e6 - 2, v, 0.05)
    assert result.p_lower == pytest.approx(stats.norm.sf(-20 + 0.05 / math.sqrt(v)), rel=0.05)
    assert result.p == result.p_lower > result.p_upper


def test_turning_the_sign_swaps_the_two_tests() -> None:
    one, other = bound_effect(1.3, 60, 0.07, 0.5), bound_effect(-1.3, 60, 0.07, 0.5)
    assert (one.p_lower, one.p_upper) == (other.p_upper, other.p_lower)
    assert (one.g_low, one.g_high) == pytest.approx((-other.g_high, -other.g_low))


@pytest.mark.parametrize("t", [-100.0, -20.0, -10.0, -1.0, 1.0, 20.0, 100.0])
def test_p_values_exist_far_out(t: float) -> None:
    for df in (30, 500, 5000):
        result = bound_effect(t, df, 0.01, 2.0)
        assert 0 <= min(result.p_lower, result.p_upper) <= result.p <= 1


def test_true_differences_at_the_bound_are_called_equivalent_at_the_level_of_the_test() -> None:
    rng = np.random.default_rng(1)
    v, df, bound = 2 / 150, 298, 0.3
    t = stats.nct.rvs(df, bound / math.sqrt(v), size=800, random_state=rng)
    rate = np.mean([bound_effect(value, df, v, bound).is_equivalent for value in t])
    assert 0.03 < rate < 0.07


def test_a_stricter_level_needs_a_narrower_interval() -> None:
    strict, usual = bound_effect(0.3, 200, 0.02, 0.4, alpha=0.01), bound_effect(0.3, 200, 0.02, 0.4)
    assert strict.g_low < usual.g_low < usual.g_high < strict.g_high
    assert strict.p == usual.p


@pytest.mark.parametrize(("bound", "alpha"), [(0.0, 0.05), (-0.2, 0.05), (0.2, 0.5), (0.2, 0.0)])
def test_impossible_bounds_and_levels_are_refused(bound: float, alpha: float) -> None:
    with pytest.raises(DesignError, match="bound above 0"):
        bound_effect(0.0, 100, 0.04, bound, alpha=alpha)
