"""Effect sizes: hand arithmetic, mirror laws and agreement with scipy and statsmodels."""

import math

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from morpho.errors import DesignError
from morpho.stats.effects import (
    adjust_p,
    correct_small_sample,
    correlate_partially,
    invert_noncentral_t,
    standardise_as_enigma,
    standardise_difference,
)

T_VALUES = st.floats(-20, 20)
DEGREES = st.integers(3, 500)


@pytest.mark.parametrize("df", [2, 5, 28, 300])
def test_small_sample_correction_is_the_ratio_of_gamma_functions(df: int) -> None:
    expected = math.gamma(df / 2) / (math.sqrt(df / 2) * math.gamma((df - 1) / 2))
    assert correct_small_sample(df) == pytest.approx(expected, rel=1e-12)


def test_small_sample_correction_takes_the_bias_out() -> None:
    rng = np.random.default_rng(1)
    t = stats.nct.rvs(4, 2.0, size=200_000, random_state=rng)  # true d = 2 sqrt(v)
    assert np.mean(correct_small_sample(4) * t) == pytest.approx(2.0, abs=0.02)
    assert np.mean(t) > 2.4


def test_small_sample_correction_vanishes_in_large_samples() -> None:
    assert correct_small_sample(1e6) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize(("t", "df"), [(-300.0, 5), (-2.0, 3), (0.0, 10), (2.5, 28), (60.0, 100), (1000.0, 30)])
def test_noncentral_limits_put_the_tails_where_they_belong(t: float, df: int) -> None:
    low, high = invert_noncentral_t(t, df, 0.90)
    mirror = -1 if t < 0 else 1
    tails = stats.nct.cdf(abs(t), df, [mirror * low, mirror * high])
    assert sorted(tails) == pytest.approx([0.05, 0.95], abs=1e-8)
    assert low < t < high


@settings(max_examples=30, deadline=None)
@given(t=T_VALUES, df=DEGREES)
def test_turning_the_sign_of_t_mirrors_the_interval(t: float, df: int) -> None:
    low, high = invert_noncentral_t(t, df, 0.95)
    assert invert_noncentral_t(-t, df, 0.95) == pytest.approx((-high, -low), abs=1e-9)


@settings(max_examples=20, deadline=None)
@given(t=T_VALUES, df=DEGREES)
def test_interval_excludes_zero_exactly_where_p_is_below_alpha(t: float, df: int) -> None:
    low, high = invert_noncentral_t(t, df, 0.95)
    p = 2 * stats.t.sf(abs(t), df)
    if abs(p - 0.05) > 1e-6:
        assert (low > 0 or high < 0) == (p < 0.05)


def test_wider_confidence_gives_a_wider_interval() -> None:
    low_95, high_95 = invert_noncentral_t(2.0, 20, 0.95)
    low_90, high_90 = invert_noncentral_t(2.0, 20, 0.90)
    assert low_95 < low_90 < high_90 < high_95


@pytest.mark.parametrize("t", [math.nan, math.inf])
def test_a_t_value_that_is_not_finite_is_refused(t: float) -> None:
    with pytest.raises(DesignError, match="finite t value"):
        invert_noncentral_t(t, 10, 0.95)


def test_too_few_degrees_of_freedom_are_refused() -> None:
    with pytest.raises(DesignError, match="more than 1 degrees of freedom"):
        correct_small_sample(1)
    with pytest.raises(DesignError, match="more than 1 degrees of freedom"):
        correlate_partially(1.0, 1, 0.95)


def test_d_is_the_difference_over_the_pooled_standard_deviation() -> None:
    a, b = np.array([1.0, 2.0, 4.0, 7.0]), np.array([3.0, 8.0, 9.0, 9.5, 11.0])
    pooled = math.sqrt((3 * a.var(ddof=1) + 4 * b.var(ddof=1)) / 7)
    t = stats.ttest_ind(b, a).statistic
    result = standardise_difference(t, 7, 1 / 4 + 1 / 5, 0.95)
    assert result.d == pytest.approx((b.mean() - a.mean()) / pooled, rel=1e-12)
    assert result.g == pytest.approx(result.d * correct_small_sample(7), rel=1e-12)
    assert result.g_ci_low < result.g < result.g_ci_high


def test_d_is_the_estimate_over_the_residual_standard_deviation_with_covariates() -> None:
    rng = np.random.default_rng(2)
    age = rng.normal(size=40)
    group = (age + rng.normal(size=40) > 0).astype(float)
    fit = sm.OLS(0.5 * group + age + rng.normal(size=40), np.column_stack([np.ones(40), group, age])).fit()
    v = fit.normalized_cov_params[1, 1]
    result = standardise_difference(fit.tvalues[1], fit.df_resid, v, 0.95)
    assert result.d == pytest.approx(fit.params[1] / math.sqrt(fit.scale), rel=1e-12)


def test_enigma_d_is_cohens_d_times_root_of_n_over_df() -> None:
    d = standardise_difference(2.0, 38, 1 / 15 + 1 / 25, 0.95).d
    assert standardise_as_enigma(2.0, 38, 15, 25).value == pytest.approx(d * math.sqrt(40 / 38), rel=1e-12)


def test_enigma_interval_is_1_96_standard_errors_to_either_side() -> None:
    result = standardise_as_enigma(-1.2, 50, 20, 36)
    assert result.ci_high - result.value == pytest.approx(1.96 * result.se)
    assert result.value - result.ci_low == pytest.approx(1.96 * result.se)


def test_partial_correlation_without_covariates_is_pearsons() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(2, 25))
    pearson = stats.pearsonr(x, y)
    t = stats.linregress(x, y)
    result = correlate_partially(t.slope / t.stderr, 23, 0.95)
    expected = pearson.confidence_interval(0.95)
    assert result.value == pytest.approx(pearson.statistic, rel=1e-10)
    assert (result.ci_low, result.ci_high) == pytest.approx((expected.low, expected.high), rel=1e-9)


@settings(max_examples=50, deadline=None)
@given(t=st.floats(-1e6, 1e6), df=DEGREES)
def test_partial_correlation_and_its_interval_stay_between_minus_one_and_one(t: float, df: int) -> None:
    result = correlate_partially(t, df, 0.95)
    assert -1 <= result.ci_low <= result.value + 1e-12
    assert result.value - 1e-12 <= result.ci_high <= 1


def test_a_refused_test_keeps_its_place_in_the_family() -> None:
    adjusted = adjust_p([0.01, np.nan, 0.04, np.nan])
    assert adjusted == pytest.approx([0.04, np.nan, 0.08, np.nan], nan_ok=True)


def test_bonferroni_multiplies_by_all_planned_tests() -> None:
    assert adjust_p([0.01, np.nan, 0.5], "bonferroni") == pytest.approx([0.03, np.nan, 1.0], nan_ok=True)


def test_all_refused_stays_all_missing() -> None:
    assert np.isnan(adjust_p([np.nan, np.nan])).all()


@settings(max_examples=50, deadline=None)
@given(p=st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_correction_equals_scipy_never_helps_and_keeps_the_order(p: list[float]) -> None:
    adjusted = adjust_p(p)
    assert adjusted == pytest.approx(stats.false_discovery_control(p), abs=1e-12)
    assert (adjusted >= np.asarray(p) - 1e-12).all()
    assert (np.diff(adjusted[np.argsort(p, kind="stable")]) >= -1e-12).all()
