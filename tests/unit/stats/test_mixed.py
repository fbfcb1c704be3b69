"""Mixed models: lme4's and lmerTest's numbers, textbook t tests as special cases, and laws."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from numpy.typing import NDArray
from scipy import stats

from morpho.errors import DesignError
from morpho.stats.mixed import MixedFit, estimate_contrast, fit_mixed

Data = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]


def read_oracle(name: str) -> pd.DataFrame:
    data = os.environ.get("MORPHO_TEST_DATA", Path(__file__).parents[3] / ".." / "shared" / "data")
    path = Path(data).parent / "oracles" / name
    if not path.exists():
        pytest.skip(f"no {name} in the folder 'oracles' beside the test data (MORPHO_TEST_DATA)")
    return pd.read_csv(path)


def fit_sleepstudy(n_random: int) -> MixedFit:
    study = read_oracle("sleepstudy.csv")
    X = np.column_stack([np.ones(len(study)), study["Days"]])
    return fit_mixed(study["Reaction"], X, X[:, :n_random], study["Subject"])


def simulate(seed: int, n_people: int = 25, slope_sd: float = 0.5) -> Data:
    """People with two to five visits, a group, and slopes that differ between people."""
    rng = np.random.default_rng(seed)
    subjects = np.repeat(np.arange(n_people), rng.integers(2, 6, n_people))
    time = np.concatenate([np.arange(n) for n in np.bincount(subjects)]) * 1.0
    group = (subjects % 2) * 1.0
    X = np.column_stack([np.ones(len(time)), time, group, time * group])
    starts, slopes = rng.normal(0, 2, n_people), rng.normal(0, slope_sd, n_people)
    y = 10 + 0.3 * time + starts[subjects] + slopes[subjects] * time + rng.normal(size=len(time))
    return y, X, X[:, :2], subjects


def test_sleepstudy_with_random_slopes_equals_r_lmertest() -> None:
    # lme4 1.1-31 stops its search a little early: its standard errors are 6e-6 too large (REML 1743.62827195995).
    fit = fit_sleepstudy(2)
    assert fit.coefficients == pytest.approx([251.405104848485, 10.467285959596], rel=1e-10)
    assert fit.se == pytest.approx([6.824596694955, 1.545789643906], rel=1e-5)
    assert fit.df == pytest.approx([17, 17], abs=1e-4)
    assert fit.t == pytest.approx([36.838089646284, 6.771481488999], rel=1e-5)
    assert fit.p == pytest.approx([1.171558111208e-17, 3.263824469927e-06], rel=1e-3)
    expected = [612.100158024769, 9.604408951158, 35.071714450939]
    assert fit.random_covariance[np.tril_indices(2)] == pytest.approx(expected, rel=3e-5)
    assert fit.residual_variance == pytest.approx(654.940008259961, rel=3e-6)
    assert fit.reml_criterion == pytest.approx(1743.62827195995, rel=1e-10)
    assert fit.reml_criterion <= 1743.62827195995
    assert (fit.n_observations, fit.n_subjects, fit.singular) == (180, 18, False)


def test_sleepstudy_with_random_intercepts_equals_r_lmertest() -> None:
    fit = fit_sleepstudy(1)
    assert fit.coefficients == pytest.approx([251.405104848484, 10.467285959596], rel=1e-10)
    assert fit.se == pytest.approx([9.746716269209, 0.8042214289452], rel=1e-7)
    assert fit.df == pytest.approx([22.810198955255, 161], rel=1e-6)
    assert fit.p == pytest.approx([2.241350959345e-18, 6.412601231024e-27], rel=1e-5)
    assert fit.random_covariance[0, 0] == pytest.approx(1378.17851380905, rel=1e-6)
    assert fit.residual_variance == pytest.approx(960.456578560467, rel=1e-7)
    assert fit.reml_criterion == pytest.approx(1786.46508539492, rel=1e-11)


def test_orthodont_group_by_time_equals_r_lmertest() -> None:
    growth = read_oracle("Orthodont.csv")
    age, female = growth["age"] - 11, (growth["Sex"] == "Female") * 1.0
    X = np.column_stack([np.ones(len(growth)), age, female, age * female])
    fit = fit_mixed(growth["distance"], X, X[:, :1], growth["Subject"])
    assert fit.coefficients == pytest.approx([24.96875, 0.784375, -2.3210227273, -0.3048295455], rel=1e-9)
    assert fit.se == pytest.approx([0.48600076, 0.07750110, 0.76141686, 0.12142090], rel=1e-7)
    assert fit.df == pytest.approx([25, 79, 25, 79], rel=1e-6)
    assert fit.p[3] == pytest.approx(0.01409745, rel=1e-6)
    assert fit.random_covariance[0, 0] == pytest.approx(3.298634103, rel=1e-7)
    assert fit.residual_variance == pytest.approx(1.922054792, rel=1e-8)


def test_two_visits_without_gaps_are_the_paired_t_test() -> None:
    rng = np.random.default_rng(1)
    people = rng.normal(0, 3, 15)
    before, after = people + rng.normal(size=15), people + 0.7 + rng.normal(size=15)
    X = np.column_stack([np.ones(30), np.repeat([0.0, 1.0], 15)])
    fit = fit_mixed(np.concatenate([before, after]), X, X[:, :1], np.tile(np.arange(15), 2))
    paired = stats.ttest_rel(after, before)
    assert fit.df[1] == pytest.approx(14, rel=1e-6)
    assert fit.t[1] == pytest.approx(paired.statistic, rel=1e-6)
    assert fit.p[1] == pytest.approx(paired.pvalue, rel=1e-5)
    limits = paired.confidence_interval(0.95)
    assert (fit.ci_low[1], fit.ci_high[1]) == pytest.approx((limits.low, limits.high), rel=1e-5)


def test_groups_of_people_with_equal_visits_are_the_t_test_of_their_means() -> None:
    rng = np.random.default_rng(2)
    means = rng.normal(0, 2, (20, 1))
    y = means + rng.normal(size=(20, 3))
    group = np.repeat(np.arange(20) % 2, 3) * 1.0
    X = np.column_stack([np.ones(60), group])
    fit = fit_mixed(y.ravel(), X, X[:, :1], np.repeat(np.arange(20), 3))
    t = stats.ttest_ind(y[1::2].mean(axis=1), y[::2].mean(axis=1))
    assert fit.t[1] == pytest.approx(t.statistic, rel=1e-6)
    assert fit.df[1] == pytest.approx(18, rel=1e-5)


def test_uneven_visits_equal_statsmodels_estimates() -> None:
    y, X, Z, subjects = simulate(3)
    fit = fit_mixed(y, X, Z, subjects)
    other = sm.MixedLM(y, X, groups=subjects, exog_re=Z).fit(reml=True, method=["powell", "lbfgs"])
    assert fit.coefficients == pytest.approx(other.fe_params, rel=1e-4)
    assert fit.reml_criterion == pytest.approx(-2 * other.llf, rel=1e-8)
    assert fit.reml_criterion <= -2 * other.llf
    assert fit.residual_variance == pytest.approx(other.scale, rel=1e-4)
    assert fit.random_covariance == pytest.approx(other.cov_re, rel=1e-3)


def test_uneven_visits_satisfy_generalised_least_squares() -> None:
    y, X, Z, subjects = simulate(4)
    fit = fit_mixed(y, X, Z, subjects)
    V = Z @ fit.random_covariance @ Z.T * (subjects[:, None] == subjects) + fit.residual_variance * np.eye(len(y))
    precision = np.linalg.inv(V)
    covariance = np.linalg.inv(X.T @ precision @ X)
    assert fit.covariance == pytest.approx(covariance, rel=1e-8)
    assert fit.coefficients == pytest.approx(covariance @ X.T @ precision @ y, rel=1e-8)
    residual = y - X @ fit.coefficients
    log_determinants = np.linalg.slogdet(V)[1] + np.linalg.slogdet(X.T @ precision @ X)[1]
    criterion = log_determinants + residual @ precision @ residual + (len(y) - 4) * np.log(2 * np.pi)
    assert fit.reml_criterion == pytest.approx(criterion, rel=1e-10)


def test_a_contrast_of_one_column_is_that_coefficient() -> None:
    fit = fit_mixed(*simulate(5))
    contrast = estimate_contrast(fit, [0, 0, 0, 1])
    assert (contrast.estimate, contrast.se, contrast.df) == pytest.approx((fit.coefficients[3], fit.se[3], fit.df[3]))
    assert (contrast.p, contrast.ci_low, contrast.ci_high) == pytest.approx((fit.p[3], fit.ci_low[3], fit.ci_high[3]))


def test_a_contrast_is_the_coefficient_of_the_model_coded_for_it() -> None:
    y, X, Z, subjects = simulate(6)
    coded = X.copy()
    coded[:, 1] -= X[:, 3]  # the time column now belongs to group 0 only, so column 3 is the slope of group 1
    contrast = estimate_contrast(fit_mixed(y, X, Z, subjects), [0, 1, 0, 1])
    fit = fit_mixed(y, coded, Z, subjects)
    assert (contrast.estimate, contrast.se) == pytest.approx((fit.coefficients[3], fit.se[3]), rel=1e-6)
    assert contrast.df == pytest.approx(fit.df[3], rel=1e-5)


@pytest.mark.parametrize("weights", [[1, 0, 0], [0, 0, 0, 0]])
def test_a_contrast_that_does_not_fit_is_refused(weights: list[int]) -> None:
    with pytest.raises(DesignError, match=r"one weight per fixed column \(4\)"):
        estimate_contrast(fit_mixed(*simulate(5)), weights)


def test_order_of_scans_and_units_change_nothing_but_the_scale() -> None:
    y, X, Z, subjects = simulate(7)
    fit = fit_mixed(y, X, Z, subjects)
    order = np.random.default_rng(0).permutation(len(y))
    units = np.array([1, 365.25, 1, 365.25])
    other = fit_mixed(1e6 * y[order], (X * units)[order], (Z * units[:2])[order], [f"sub-{k}" for k in subjects[order]])
    assert other.t == pytest.approx(fit.t, rel=1e-5)
    assert other.df == pytest.approx(fit.df, rel=1e-4)
    assert other.coefficients == pytest.approx(1e6 * fit.coefficients / units, rel=1e-6)
    scale = 1e12 / np.outer(units[:2], units[:2])
    assert other.random_covariance == pytest.approx(fit.random_covariance * scale, rel=1e-4)


def test_no_spread_between_people_gives_the_ordinary_regression() -> None:
    rng = np.random.default_rng(8)
    y = rng.normal(size=(12, 4))
    y -= y.mean(axis=1, keepdims=True)  # people's means are equal: less spread between them than chance alone gives
    X = np.column_stack([np.ones(48), np.tile(np.arange(4.0), 12)])
    fit = fit_mixed(y.ravel(), X, X[:, :1], np.repeat(np.arange(12), 4))
    ordinary = sm.OLS(y.ravel(), X).fit()
    assert fit.singular
    assert fit.random_covariance[0, 0] == pytest.approx(0, abs=1e-6)
    assert fit.df == pytest.approx([46, 46], rel=1e-4)
    assert fit.se == pytest.approx(ordinary.bse, rel=1e-5)
    assert fit.p[1] == pytest.approx(ordinary.pvalues[1], rel=1e-4)


def test_slopes_that_do_not_differ_make_a_singular_fit_with_sensible_degrees_of_freedom() -> None:
    fits = [fit_mixed(*simulate(seed, slope_sd=0.0)) for seed in range(8)]
    singular = [fit for fit in fits if fit.singular]
    assert 0 < len(singular) < len(fits)
    for fit in singular:
        assert np.linalg.eigvalsh(fit.random_covariance)[0] == pytest.approx(0, abs=1e-6)
        assert (fit.df > 10).all()
        assert (fit.df <= fit.n_observations - 4 + 1e-6).all()
        assert fit.df[2] < 40  # the group difference still knows that there are 25 people


def test_degrees_of_freedom_lie_between_people_and_scans() -> None:
    y, X, Z, subjects = simulate(9)
    fit = fit_mixed(y, X, Z[:, :1], subjects)
    assert fit.df[2] < fit.n_subjects + 10 < fit.df[1] <= fit.n_observations - 4 + 1e-6


def test_false_positive_rate_is_near_alpha_in_a_small_uneven_sample() -> None:
    p = []
    for seed in range(250):
        y, X, Z, subjects = simulate(1000 + seed, n_people=12)
        p.append(fit_mixed(y, X, Z, subjects).p[3])
    assert 0.02 <= np.mean(np.array(p) < 0.05) <= 0.08


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda y, X, Z, s: (np.r_[np.nan, y[1:]], X, Z, s), "missing or infinite"),
        (lambda y, X, Z, s: (y, np.column_stack([X, X[:, 1] * 2]), Z, s), "5 fixed columns are redundant"),
        (lambda y, X, Z, s: (y, X, np.column_stack([Z[:, 0], Z[:, 0]]), s), "2 random columns are redundant"),
        (lambda y, X, Z, _: (y, X, Z, np.arange(len(y))), "too few for 2 random effects each"),
        (lambda _, X, Z, s: (X[:, 1], X, Z, s), "explain the outcome completely"),
    ],
)
def test_data_that_no_mixed_model_fits_are_refused(change: object, message: str) -> None:
    with pytest.raises(DesignError, match=message):
        fit_mixed(*change(*simulate(10)))
