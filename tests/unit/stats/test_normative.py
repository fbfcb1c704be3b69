"""Normative deviation: refitting without the person, one-sample formulas, calibration in simulation, and laws."""

import math

import numpy as np
import numpy.typing as npt
import pytest
import statsmodels.api as sm
from scipy import stats

from morpho.errors import DesignError
from morpho.stats.normative import (
    check_calibration,
    find_centiles,
    fit_norm,
    score_controls,
    score_people,
)

FloatArray = npt.NDArray[np.float64]


def make_design(n: int, seed: int = 0) -> FloatArray:
    """Make a design of intercept, age, age squared, and sex."""
    rng = np.random.default_rng(seed)
    age = rng.uniform(18, 70, n)
    return np.column_stack([np.ones(n), age, age**2, rng.permutation(n) % 2])


def make_volumes(X: FloatArray, regions: int, seed: int = 1) -> FloatArray:
    rng = np.random.default_rng(seed)
    slopes = np.array([[4000.0], [10.0], [-0.3], [250.0]])
    return X @ slopes + rng.normal(0, 350, (len(X), regions))


def as_normal(t: FloatArray, df: int) -> FloatArray:
    return stats.norm.ppf(stats.t.cdf(t, df))


def test_a_person_without_covariates_by_hand() -> None:
    # 25 controls, mean 10, sd 2: t = (y - 10) / (2 sqrt(1 + 1/25)) on 24 df (Crawford and Howell 1998). Tables give
    # 2.063899 for the upper 2.5 % of that t, and 1.959964 for that of the normal distribution.
    controls = np.tile([-1.0, 1.0], 13)[:25]
    controls = 10 + 2 * (controls - controls.mean()) / controls.std(ddof=1)
    norm = fit_norm(controls, np.ones((25, 1)))
    assert norm.residual_sd == pytest.approx(2)
    y = 10 + 2.063899 * 2 * 1.0198039
    assert score_people(norm, [y, 10.0], np.ones((2, 1))) == pytest.approx([1.959964, 0], abs=1e-5)


def test_scores_of_people_are_predictions_of_statsmodels() -> None:
    X = make_design(40)
    y = make_volumes(X, 1)[:, 0]
    people = make_design(5, seed=2)
    volumes = make_volumes(people, 1, seed=3)[:, 0]
    fit = sm.OLS(y, X).fit()
    prediction = fit.get_prediction(people)
    t = (volumes - prediction.predicted_mean) / np.sqrt(prediction.var_pred_mean + fit.mse_resid)
    np.testing.assert_allclose(score_people(fit_norm(y, X), volumes, people), as_normal(t, 36), rtol=1e-8)


def test_scores_of_controls_are_those_of_new_people_after_refitting_without_them() -> None:
    X = make_design(30)
    y = make_volumes(X, 3)
    seen = score_controls(fit_norm(y, X))
    for person in range(30):
        others = np.arange(30) != person
        refitted = fit_norm(y[others], X[others])
        np.testing.assert_allclose(seen[[person]], score_people(refitted, y[[person]], X[[person]]), rtol=1e-8)


def test_scores_of_controls_are_externally_studentised_residuals() -> None:
    X = make_design(40)
    y = make_volumes(X, 1)[:, 0]
    t = sm.OLS(y, X).fit().get_influence().resid_studentized_external
    np.testing.assert_allclose(score_controls(fit_norm(y, X)), as_normal(t, 35), rtol=1e-8)


def test_new_and_own_controls_are_calibrated_with_few_controls() -> None:
    X, people = make_design(26), make_design(10, seed=5)
    norm = fit_norm(make_volumes(X, 4000), X)
    for z in (score_people(norm, make_volumes(people, 4000, seed=6), people), score_controls(norm)):
        assert z.mean() == pytest.approx(0, abs=0.03)
        assert 0.97 < z.std() < 1.03
        assert (np.abs(z) > 1.96).mean() == pytest.approx(0.05, abs=0.004)
        assert (np.abs(z) > 3).mean() == pytest.approx(0.0027, abs=0.001)


def test_plain_residuals_make_controls_look_too_normal() -> None:
    X = make_design(26)
    norm = fit_norm(make_volumes(X, 4000), X)
    plain = norm.residuals / norm.residual_sd
    assert (np.abs(plain) > 1.96).mean() < 0.045
    assert plain.std() < 0.95
    people = make_design(10, seed=5)
    overlooked = (make_volumes(people, 4000, seed=6) - people @ norm.coefficients) / norm.residual_sd
    assert (np.abs(overlooked) > 1.96).mean() > 0.065


def test_regions_are_scored_as_each_by_itself() -> None:
    X, people = make_design(30), make_design(4, seed=2)
    y, volumes = make_volumes(X, 3), make_volumes(people, 3, seed=3)
    together = fit_norm(y, X)
    for region in range(3):
        alone = fit_norm(y[:, region], X)
        np.testing.assert_allclose(score_controls(together)[:, region], score_controls(alone), rtol=1e-10)
        expected = score_people(alone, volumes[:, region], people)
        np.testing.assert_allclose(score_people(together, volumes, people)[:, region], expected, rtol=1e-10)


def test_units_coding_and_order_do_not_matter() -> None:
    X, people = make_design(30), make_design(4, seed=2)
    y, volumes = make_volumes(X, 2), make_volumes(people, 2, seed=3)
    expected = score_people(fit_norm(y, X), volumes, people)
    np.testing.assert_allclose(score_people(fit_norm(y / 1000, X), volumes / 1000, people), expected, rtol=1e-8)
    recoded = np.array([[1, -3, 9, 0], [0, 0.1, -0.6, 0], [0, 0, 0.01, 0], [0.5, 0, 0, 2]])  # age in tens, centred
    seen = score_people(fit_norm(y, X @ recoded), volumes, people @ recoded)
    np.testing.assert_allclose(seen, expected, rtol=1e-6)
    order = np.random.default_rng(4).permutation(30)
    np.testing.assert_allclose(score_people(fit_norm(y[order], X[order]), volumes, people), expected, rtol=1e-8)
    np.testing.assert_allclose(score_people(fit_norm(-y, X), -volumes, people), -expected, rtol=1e-8)


def test_scores_approach_plain_z_with_many_controls() -> None:
    controls = np.random.default_rng(7).normal(size=20_000)
    norm = fit_norm(controls, np.ones((20_000, 1)))
    z = score_people(norm, [controls.mean() + 2 * controls.std()], np.ones((1, 1)))
    assert z[0] == pytest.approx(2.0, abs=1e-3)


def test_the_same_volume_is_less_unusual_far_from_the_controls() -> None:
    X = make_design(30)
    norm = fit_norm(make_volumes(X, 1)[:, 0], X)
    people = np.array([[1.0, 45, 45**2, 0], [1.0, 90, 90**2, 0]])
    near, far = score_people(norm, people @ norm.coefficients - 1000, people)
    assert near < far < 0


def test_a_missing_volume_has_no_score() -> None:
    X, people = make_design(30), make_design(2, seed=2)
    volumes = make_volumes(people, 3, seed=3)
    volumes[1, 2] = np.nan
    z = score_people(fit_norm(make_volumes(X, 3), X), volumes, people)
    np.testing.assert_array_equal(np.isnan(z), np.isnan(volumes))


def test_the_only_control_of_a_site_has_no_score() -> None:
    X = np.column_stack([make_design(30), np.arange(30) == 4])
    z = score_controls(fit_norm(make_volumes(make_design(30), 2), X))
    np.testing.assert_array_equal(np.isnan(z).any(axis=1), np.arange(30) == 4)


def test_a_wild_volume_gets_a_large_finite_score() -> None:
    X = make_design(30)
    y = make_volumes(X, 1)[:, 0]
    z = score_people(fit_norm(y, X), [-1e200, 1e200], X[:2])
    assert z == pytest.approx([-37.5, 37.5], abs=0.1)
    y[0] = 1e12
    assert 20 < score_controls(fit_norm(y, X))[0] < 38


def test_centiles_are_those_of_the_t_distribution() -> None:
    controls = np.random.default_rng(8).normal(size=25)
    norm = fit_norm(controls, np.ones((25, 1)))
    z = score_people(norm, [controls.mean() - controls.std(ddof=1)], np.ones((1, 1)))
    assert find_centiles(z)[0] == pytest.approx(100 * stats.t.cdf(-1 / math.sqrt(1 + 1 / 25), 24), rel=1e-10)
    assert find_centiles([0.0, -1.959963984540054]) == pytest.approx([50, 2.5])


def test_calibration_of_normal_scores() -> None:
    z = stats.norm.ppf((np.arange(200) + 0.5) / 200)
    calibration = check_calibration(np.append(z, np.nan))
    assert (calibration.n, calibration.share_beyond) == (200, 0.05)
    assert calibration.mean == pytest.approx(0, abs=1e-12)
    assert calibration.sd == pytest.approx(1, abs=0.01)
    assert calibration.p_normal > 0.99


def test_calibration_of_skewed_wide_scores() -> None:
    calibration = check_calibration(2 * np.random.default_rng(9).exponential(size=200))
    assert calibration.mean == pytest.approx(2, abs=0.5)
    assert calibration.sd == pytest.approx(2, abs=0.5)
    assert calibration.share_beyond == pytest.approx(math.exp(-0.98), abs=0.1)
    assert calibration.p_normal < 1e-6


def test_normality_of_too_many_scores_is_left_open() -> None:
    assert math.isnan(check_calibration(np.random.default_rng(10).normal(size=5001)).p_normal)


@pytest.mark.parametrize("z", [[0.1, np.nan, 0.3], [1.0, 1.0, 1.0], np.zeros((5, 2))])
def test_calibration_of_too_few_scores_is_refused(z: npt.ArrayLike) -> None:
    with pytest.raises(DesignError, match="at least 3 scores of one region"):
        check_calibration(z)


def test_too_few_controls_are_refused() -> None:
    X = make_design(24)
    y = make_volumes(X, 1)
    with pytest.raises(DesignError, match="needs at least 25 controls; got 24"):
        fit_norm(y, X)
    assert fit_norm(y, X, min_controls=24).df == 20
    with pytest.raises(DesignError, match="with 4 columns needs at least 6 controls; got 5"):
        fit_norm(y[:5], X[:5], min_controls=3)


def test_incomplete_controls_are_refused() -> None:
    X = make_design(30)
    y = make_volumes(X, 2)
    y[0, 1] = np.nan
    with pytest.raises(DesignError, match="1 volumes and 0 values of the design matrix are missing"):
        fit_norm(y, X)
    X[3, 1] = np.inf
    with pytest.raises(DesignError, match="0 volumes and 1 values"):
        fit_norm(y[:, 0], X)


def test_tables_that_do_not_fit_are_refused() -> None:
    X = make_design(30)
    y = make_volumes(X, 2)
    with pytest.raises(DesignError, match="one row per control"):
        fit_norm(y[:-1], X)
    norm = fit_norm(y, X)
    for volumes, design in ((y[:, 0], X), (y, X[:, :3]), (y[:-1], X)):
        with pytest.raises(DesignError, match="The norm has 4 columns and regions of shape"):
            score_people(norm, volumes, design)


def test_people_without_covariates_or_with_infinite_volumes_are_refused() -> None:
    X, people = make_design(30), make_design(3, seed=2)
    norm = fit_norm(make_volumes(X, 2), X)
    volumes = make_volumes(people, 2)
    volumes[2, 0] = np.inf
    people[0, 1] = np.nan
    with pytest.raises(DesignError, match=r"people \[0, 2\] \(counted from 0\) lack these"):
        score_people(norm, volumes, people)


def test_redundant_columns_and_a_missing_intercept_are_refused() -> None:
    X = make_design(30)
    y = make_volumes(X, 1)
    with pytest.raises(DesignError, match="5 columns of rank 4"):
        fit_norm(y, np.column_stack([X, 2 * X[:, 1] - X[:, 3]]))
    with pytest.raises(DesignError, match="3 columns of rank 3, and of rank 4 with an intercept"):
        fit_norm(y, X[:, 1:])
    dummies = np.column_stack([X[:, 3], 1 - X[:, 3], X[:, 1]])  # two sexes add up to an intercept
    assert fit_norm(y, dummies).df == 27


def test_a_region_without_spread_is_refused() -> None:
    X = make_design(30)
    y = make_volumes(X, 3)
    y[:, 1] = 3000 - 0.2 * X[:, 1]
    with pytest.raises(DesignError, match=r"regions \[1\] \(counted from 0\) have no spread"):
        fit_norm(y, X)
