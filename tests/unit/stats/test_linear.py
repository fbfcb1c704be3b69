"""Least squares: equal to statsmodels and R, whatever the units, the row order or the parametrisation."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from morpho.errors import DesignError
from morpho.stats.linear import (
    LinearFit,
    compare_nested,
    estimate_contrast,
    find_dependent_columns,
    fit_linear,
    hc3_se,
    partition_design,
)

SAME = 1e-10


def read_oracle(name: str) -> pd.DataFrame:
    data = os.environ.get("MORPHO_TEST_DATA", Path(__file__).parents[3] / ".." / "shared" / "data")
    path = Path(data).parent / "oracles" / name
    if not path.exists():
        pytest.skip(f"no {name} in the folder 'oracles' beside the test data (MORPHO_TEST_DATA)")
    return pd.read_csv(path)


def make_design(rng: np.random.Generator, n: int = 60) -> np.ndarray:
    """Intercept, group, age in years, sex, head size in dm3, two site dummies."""
    site = rng.integers(0, 3, n)
    head_dm3 = rng.normal(1.5, 0.1, n)
    group = (rng.normal(size=n) + (head_dm3 - 1.5) * 10 > 0).astype(float)
    columns = [np.ones(n), group, rng.uniform(18, 65, n), rng.integers(0, 2, n), head_dm3, site == 1, site == 2]
    return np.column_stack(columns).astype(float)


@pytest.fixture(name="X")
def make_x() -> np.ndarray:
    return make_design(np.random.default_rng(1))


@pytest.fixture(name="Y")
def make_y(X: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(2)
    return 4000 + 100 * X[:, [1]] - 5 * X[:, [2]] + 300 * rng.normal(size=(len(X), 4)) * (1 + X[:, [1]])


@pytest.fixture
def fit(Y: np.ndarray, X: np.ndarray) -> LinearFit:
    return fit_linear(Y, X)


def test_fit_equals_statsmodels(fit: LinearFit, Y: np.ndarray, X: np.ndarray) -> None:
    for outcome in range(Y.shape[1]):
        peer = sm.OLS(Y[:, outcome], X).fit()
        assert fit.coefficients[:, outcome] == pytest.approx(peer.params, rel=SAME)
        assert fit.residuals[:, outcome] == pytest.approx(peer.resid, rel=SAME, abs=1e-9)
        assert fit.residual_variance[outcome] == pytest.approx(peer.scale, rel=SAME)
        assert fit.unit_covariance == pytest.approx(peer.normalized_cov_params, rel=SAME)
        assert fit.leverage == pytest.approx(peer.get_influence().hat_matrix_diag, rel=SAME)
        assert fit.df == peer.df_resid


@pytest.mark.parametrize("contrast", [[0, 1, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1, -1], [0, 1, 0, 0.5, 0, 0, 2]])
def test_contrast_equals_statsmodels(fit: LinearFit, Y: np.ndarray, X: np.ndarray, contrast: list[float]) -> None:
    test = estimate_contrast(fit, contrast)
    for outcome in range(Y.shape[1]):
        peer = sm.OLS(Y[:, outcome], X).fit().t_test(contrast)
        ours = test.estimate[outcome], test.se[outcome], test.t[outcome], test.p[outcome]
        theirs = peer.effect.item(), peer.sd.item(), peer.tvalue.item(), peer.pvalue.item()
        assert ours == pytest.approx(theirs, rel=SAME)


def test_joint_test_equals_wald_test_and_anova_of_statsmodels(fit: LinearFit, Y: np.ndarray, X: np.ndarray) -> None:
    sites = np.eye(7)[5:]
    test = compare_nested(fit, sites)
    for outcome in range(Y.shape[1]):
        larger, smaller = sm.OLS(Y[:, outcome], X).fit(), sm.OLS(Y[:, outcome], X[:, :5]).fit()
        peer = larger.wald_test(sites, use_f=True, scalar=True)
        assert (test.F[outcome], test.p[outcome]) == pytest.approx((peer.statistic, peer.pvalue), rel=SAME)
        assert (test.df_numerator, test.df_denominator) == (2, 53)
        assert test.partial_eta_squared[outcome] == pytest.approx(1 - larger.ssr / smaller.ssr, rel=1e-9)


def test_joint_test_of_one_contrast_is_t_squared(fit: LinearFit) -> None:
    single, joint = estimate_contrast(fit, np.eye(7)[1]), compare_nested(fit, np.eye(7)[1])
    assert single.t**2 == pytest.approx(joint.F, rel=SAME)
    assert joint.p == pytest.approx(single.p, rel=1e-9)
    assert joint.partial_eta_squared == pytest.approx(single.t**2 / (single.t**2 + 53), rel=SAME)


def test_joint_test_does_not_depend_on_how_the_hypothesis_is_written(fit: LinearFit) -> None:
    plain, mixed = np.eye(7)[[1, 3]], np.array([[2.0, 1.0], [-1.0, 5.0]]) @ np.eye(7)[[1, 3]]
    expected = compare_nested(fit, plain)
    assert compare_nested(fit, mixed).p == pytest.approx(expected.p, rel=1e-9)


@pytest.mark.parametrize("contrast", [[0, 1, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1, -1]])
def test_hc3_equals_statsmodels(fit: LinearFit, Y: np.ndarray, X: np.ndarray, contrast: list[float]) -> None:
    se = hc3_se(fit, X, contrast)
    for outcome in range(Y.shape[1]):
        peer = sm.OLS(Y[:, outcome], X).fit(cov_type="HC3", use_t=True).t_test(contrast)
        assert se[outcome] == pytest.approx(peer.sd.item(), rel=SAME)


def test_hc3_is_missing_where_a_person_alone_determines_a_coefficient(X: np.ndarray, Y: np.ndarray) -> None:
    design = np.column_stack([X, np.eye(len(X))[:, 0]])
    assert np.isnan(hc3_se(fit_linear(Y, design), design, np.eye(8)[1])).all()


def test_mtcars_equals_r() -> None:
    cars = read_oracle("mtcars.csv")
    X = np.column_stack([np.ones(len(cars)), cars["am"], cars["wt"], cars["hp"]])
    fit, am = fit_linear(cars[["mpg"]], X), np.eye(4)[1]
    test, se = estimate_contrast(fit, am), hc3_se(fit, X, am)
    # R 4.2.2: summary(lm(mpg ~ am + wt + hp)), sandwich 3.0-2, car 3.1-1
    row = [test.estimate[0], test.se[0], test.t[0], test.p[0], np.sqrt(fit.residual_variance[0])]
    assert row == pytest.approx(
        [2.083710130323, 1.376420152305, 1.513861975091, 0.1412682367365, 2.537511939943], rel=1e-10
    )
    assert fit.df == 28
    assert se == pytest.approx([1.46672667603251], rel=1e-12)
    assert 2 * stats.t.sf(test.estimate / se, 28) == pytest.approx([0.16645857], abs=1e-8)


@pytest.mark.parametrize("contrasts", [np.eye(7)[[1]], [[0, 0, 0, 0, 0, 1, -1]], np.eye(7)[4:]])
def test_partition_asks_the_same_question(X: np.ndarray, Y: np.ndarray, contrasts: np.ndarray) -> None:
    tested, nuisance = partition_design(X, contrasts)
    q = len(contrasts)
    fit, rewritten = fit_linear(Y, X), fit_linear(Y, np.hstack([tested, nuisance]))
    assert rewritten.coefficients[:q] == pytest.approx(contrasts @ fit.coefficients, rel=1e-8)
    assert rewritten.residual_variance == pytest.approx(fit.residual_variance, rel=SAME)
    ours, theirs = compare_nested(rewritten, np.eye(7)[:q]).F, compare_nested(fit, contrasts).F
    assert ours == pytest.approx(theirs, rel=1e-9)


def test_partition_gives_a_single_column_back(X: np.ndarray) -> None:
    tested, nuisance = partition_design(X, np.eye(7)[4])
    assert tested[:, 0] == pytest.approx(X[:, 4], rel=1e-14)
    assert np.sort(np.abs(nuisance).max(axis=0)) == pytest.approx(np.sort(X[:, [0, 1, 2, 3, 5, 6]].max(axis=0)))


def test_units_of_outcome_and_covariate_do_not_change_t(fit: LinearFit, Y: np.ndarray, X: np.ndarray) -> None:
    scaled = fit_linear(Y / 1e6, X * [1, 1, 365.25, 1, 1e6, 1, 1])
    expected = estimate_contrast(fit, np.eye(7)[1]).t
    assert estimate_contrast(scaled, np.eye(7)[1]).t == pytest.approx(expected, rel=1e-9)


def test_order_of_people_does_not_change_t(fit: LinearFit, Y: np.ndarray, X: np.ndarray) -> None:
    order = np.random.default_rng(3).permutation(len(X))
    shuffled = estimate_contrast(fit_linear(Y[order], X[order]), np.eye(7)[1])
    assert shuffled.t == pytest.approx(estimate_contrast(fit, np.eye(7)[1]).t, rel=1e-9)


def test_swapping_the_groups_turns_the_sign(fit: LinearFit, Y: np.ndarray, X: np.ndarray) -> None:
    swapped = X.copy()
    swapped[:, 1] = 1 - X[:, 1]
    expected = -estimate_contrast(fit, np.eye(7)[1]).estimate
    assert estimate_contrast(fit_linear(Y, swapped), np.eye(7)[1]).estimate == pytest.approx(expected, rel=1e-9)


def test_outcome_without_residuals_has_no_t(X: np.ndarray) -> None:
    fit = fit_linear(np.column_stack([np.full(len(X), 4321.7), X @ np.arange(7.0), X[:, 2] ** 2]), X)
    test, joint = estimate_contrast(fit, np.eye(7)[1]), compare_nested(fit, np.eye(7)[1:3])
    assert np.isnan(test.t).tolist() == np.isnan(test.p).tolist() == [True, True, False]
    assert np.isnan(joint.F).tolist() == np.isnan(joint.p).tolist() == [True, True, False]


def test_dependent_columns_are_named() -> None:
    X = make_design(np.random.default_rng(4))
    confounded = np.column_stack([X, X[:, 5] + X[:, 6]])
    assert find_dependent_columns(X) == []
    assert find_dependent_columns(confounded) == [5, 6, 7]
    assert find_dependent_columns(np.column_stack([X, np.zeros(60)])) == [7]
    with pytest.raises(DesignError, match=r"Columns \[5, 6, 7\].*cannot be told apart"):
        fit_linear(X[:, :1], confounded)


def test_a_column_that_is_nearly_but_not_quite_dependent_is_kept() -> None:
    rng = np.random.default_rng(5)
    age = rng.uniform(20, 70, 50)
    assert find_dependent_columns(np.column_stack([np.ones(50), age, age + 1e-5 * rng.normal(size=50)])) == []
    assert find_dependent_columns(np.column_stack([np.ones(50), age, age + 1e-9 * rng.normal(size=50)])) == [1, 2]


def test_as_many_columns_as_people_are_refused(X: np.ndarray, Y: np.ndarray) -> None:
    with pytest.raises(DesignError, match="7 people and 7 columns make no model"):
        fit_linear(Y[:7], X[:7])
    with pytest.raises(DesignError, match="Outcomes of 59 people and a design of 60"):
        fit_linear(Y[:-1], X)


def test_gaps_are_refused(X: np.ndarray, Y: np.ndarray) -> None:
    Y[3, 2] = np.nan
    with pytest.raises(DesignError, match=r"outcomes must be a table .* 1 values that are missing"):
        fit_linear(Y, X)
    with pytest.raises(DesignError, match="got 1 axes"):
        fit_linear(Y[:, 0], X)


@pytest.mark.parametrize(
    "contrasts", [[[0, 1, 0]], [[0] * 7], [[0, 1, 0, 0, 0, 0, 0], [0, 2, 0, 0, 0, 0, 0]], [[np.nan] * 7], [[[0.0] * 7]]]
)
def test_contrasts_that_make_no_hypothesis_are_refused(fit: LinearFit, contrasts: list[list[float]]) -> None:
    with pytest.raises(DesignError, match="Contrasts need 7 finite weights"):
        compare_nested(fit, contrasts)


def test_two_contrasts_are_no_single_one(fit: LinearFit) -> None:
    with pytest.raises(DesignError, match="Contrasts need 7 finite weights"):
        estimate_contrast(fit, np.eye(7)[1:3])


def test_null_p_values_are_uniform(X: np.ndarray) -> None:
    outcomes = np.random.default_rng(6).normal(size=(len(X), 2000))
    fit = fit_linear(outcomes, X)
    assert stats.kstest(estimate_contrast(fit, np.eye(7)[1]).p, "uniform").pvalue > 0.01
    assert stats.kstest(compare_nested(fit, np.eye(7)[4:]).p, "uniform").pvalue > 0.01
