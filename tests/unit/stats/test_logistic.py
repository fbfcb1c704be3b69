"""Firth's logistic regression: numbers of brglm2 and logistf, separation, and laws."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from numpy.typing import NDArray
from scipy import special

from morpho.errors import DesignError
from morpho.stats.logistic import FirthFit, fit_firth, profile_coefficient

Array = NDArray[np.float64]


def read_oracle(name: str) -> pd.DataFrame:
    data = os.environ.get("MORPHO_TEST_DATA", Path(__file__).parents[3] / ".." / "shared" / "data")
    path = Path(data).parent / "oracles" / name
    if not path.exists():
        pytest.skip(f"no {name} in the folder 'oracles' beside the test data (MORPHO_TEST_DATA)")
    return pd.read_csv(path)


def fit_endometrial() -> FirthFit:
    study = read_oracle("endometrial.csv")
    return fit_firth(np.column_stack([np.ones(len(study)), study[["NV", "PI", "EH"]]]), study["HG"])


def simulate(seed: int, n: int = 60) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    X = np.column_stack([np.ones(n), rng.normal(size=(n, 2))])
    return X, (rng.random(n) < special.expit(X @ [0.2, 0.8, 0.0])).astype(float)


def test_endometrial_cancer_equals_r_brglm2() -> None:
    fit = fit_endometrial()
    assert fit.coefficients == pytest.approx([3.774559713591, 2.92927335318, -0.03475175986858, -2.604163925276], 1e-9)
    assert fit.se == pytest.approx([1.488691663425, 1.550763729446, 0.03957814734748, 0.7760176424978], rel=1e-8)


@pytest.mark.parametrize(
    ("index", "low", "high"),
    [
        (0, 1.0825371, 7.20928050),
        (1, 0.6097244, 7.85463171),
        (2, -0.1244587, 0.04045547),
        (3, -4.3651832, -1.23272106),
    ],
)
def test_endometrial_profile_limits_equal_r_logistf(index: int, low: float, high: float) -> None:
    # logistf's limits as printed in the test suite of the Python package firthlogist.
    profile = profile_coefficient(fit_endometrial(), index, 0.95)
    assert (profile.ci_low, profile.ci_high) == pytest.approx((low, high), abs=1e-6)
    assert (profile.p < 0.05) == (low > 0 or high < 0)


def test_a_two_by_two_table_gains_half_a_person_in_each_cell() -> None:
    # Firth 1993: in a saturated model the estimate is the log odds ratio with 1/2 added to each cell.
    exposed = np.repeat([0.0, 0.0, 1.0, 1.0], [7, 3, 0, 6])  # everyone exposed is ill: separation
    ill = np.repeat([0.0, 1.0, 0.0, 1.0], [7, 3, 0, 6])
    fit = fit_firth(np.column_stack([np.ones(16), exposed]), ill)
    assert fit.coefficients == pytest.approx([np.log(3.5 / 7.5), np.log(6.5 / 0.5) - np.log(3.5 / 7.5)], rel=1e-8)
    profile = profile_coefficient(fit, 1, 0.95)
    assert 0 < profile.ci_low < profile.value < profile.ci_high < 20
    assert profile.p < 0.05


def test_penalised_likelihood_is_largest_at_the_estimate() -> None:
    X, y = simulate(1)
    fit = fit_firth(X, y)

    def penalise(coefficients: Array) -> float:
        log_odds = X @ coefficients
        weights = special.expit(log_odds) * special.expit(-log_odds)
        likelihood = special.log_expit(np.where(y == 1, log_odds, -log_odds)).sum()
        return float(likelihood + np.linalg.slogdet((X.T * weights) @ X)[1] / 2)

    assert fit.penalised_log_likelihood == pytest.approx(penalise(fit.coefficients), rel=1e-12)
    for step in np.vstack([np.eye(3), -np.eye(3)]) * 1e-3:
        assert penalise(fit.coefficients + step) < fit.penalised_log_likelihood


def test_profile_test_of_zero_is_the_loss_of_penalised_likelihood() -> None:
    X, y = simulate(2)
    fit = fit_firth(X, y)
    profile = profile_coefficient(fit, 1, 0.95)
    at_limit = profile_coefficient(fit, 1, 1 - profile.p)  # an interval of that confidence ends at 0
    assert min(abs(at_limit.ci_low), abs(at_limit.ci_high)) == pytest.approx(0, abs=1e-6)


def test_large_samples_agree_with_maximum_likelihood() -> None:
    X, y = simulate(3, n=20_000)
    fit = fit_firth(X, y)
    likelihood = sm.GLM(y, X, family=sm.families.Binomial()).fit()
    assert fit.coefficients == pytest.approx(likelihood.params, abs=1e-3)
    assert fit.se == pytest.approx(likelihood.bse, rel=1e-3)
    profile = profile_coefficient(fit, 1, 0.95)
    limits = likelihood.conf_int()[1]
    assert (profile.ci_low, profile.ci_high) == pytest.approx(tuple(limits), abs=1e-3)


def test_bias_is_smaller_than_that_of_maximum_likelihood() -> None:
    firth, likelihood = [], []
    for seed in range(300):
        X, y = simulate(100 + seed)
        firth.append(fit_firth(X, y).coefficients[1])
        likelihood.append(sm.GLM(y, X, family=sm.families.Binomial()).fit().params[1])
    assert abs(np.mean(firth) - 0.8) < 0.05 < abs(np.mean(likelihood) - 0.8)


def test_units_of_a_column_scale_its_coefficient_only() -> None:
    X, y = simulate(4)
    units = np.array([1, 1e6, 1e-3])
    fit, other = fit_firth(X, y), fit_firth(X * units, y)
    assert other.coefficients == pytest.approx(fit.coefficients / units, rel=1e-8)
    assert other.penalised_log_likelihood == pytest.approx(fit.penalised_log_likelihood + np.log(units).sum())
    limits, others = (profile_coefficient(item, 1, 0.95) for item in (fit, other))
    assert (others.ci_low, others.ci_high) == pytest.approx((limits.ci_low / 1e6, limits.ci_high / 1e6), rel=1e-6)


def test_turning_the_classes_round_turns_the_signs_round() -> None:
    X, y = simulate(5)
    assert fit_firth(X, 1 - y).coefficients == pytest.approx(-fit_firth(X, y).coefficients, rel=1e-8)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X, y: (X, np.ones_like(y)), r"the values \[1\.0\]; it needs both 0 and 1"),
        (lambda X, y: (X, y + 1), r"the values \[1\.0, 2\.0\]"),
        (lambda X, y: (X[:3], y[:3]), "3 columns for 3 people"),
        (lambda X, y: (np.column_stack([X, X[:, 1]]), y), "some of the 4 columns are redundant"),
        (lambda X, y: (np.vstack([X[:1] * np.nan, X[1:]]), y), "missing or infinite"),
    ],
)
def test_data_that_no_logistic_model_fits_are_refused(change: object, message: str) -> None:
    X, y = simulate(6)
    y[:3] = [0, 1, 0]
    with pytest.raises(DesignError, match=message):
        fit_firth(*change(X, y))


def test_profiles_of_small_separated_samples_always_end() -> None:
    rng = np.random.default_rng(77)
    for _ in range(60):
        n, columns = int(rng.integers(10, 50)), int(rng.integers(1, 5))
        X = np.column_stack([np.ones(n), rng.normal(size=(n, columns))])
        y = (X[:, 1] * rng.choice([3, 100]) + rng.logistic(size=n) > 0).astype(float)
        if 0 < y.sum() < n:
            profile = profile_coefficient(fit_firth(X, y), 1, 0.95)
            assert profile.ci_low < profile.value < profile.ci_high
            assert (profile.p < 0.05) == (profile.ci_low > 0 or profile.ci_high < 0)


def test_large_samples_climb_to_the_same_top(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(11)
    X = np.column_stack([np.ones(2500), rng.normal(size=(2500, 3)), rng.random(2500) < 0.02])
    y = rng.random(2500) < special.expit(X @ [-3.0, 0.5, 0.0, -0.2, 2.0])
    quick = fit_firth(X, y)
    limits = [profile_coefficient(quick, index, 0.95) for index in (1, 4)]
    monkeypatch.setattr("morpho.stats.logistic.MANY", 10_000)
    slow = fit_firth(X, y)
    assert quick.n_iterations != slow.n_iterations  # another way
    assert quick.coefficients == pytest.approx(slow.coefficients, abs=1e-6 * slow.se.min())
    assert quick.se == pytest.approx(slow.se, rel=1e-8)
    for index, found in zip((1, 4), limits, strict=True):
        wanted = profile_coefficient(slow, index, 0.95)
        assert (found.ci_low, found.ci_high) == pytest.approx((wanted.ci_low, wanted.ci_high), abs=1e-6 * wanted.value)
        assert found.chi2 == pytest.approx(wanted.chi2, rel=1e-8)


def test_a_separated_large_sample_still_has_limits() -> None:
    exposed = np.arange(2500) < 12
    fit = fit_firth(np.column_stack([np.ones(2500), exposed]), exposed | (np.arange(2500) % 2 == 0))
    profile = profile_coefficient(fit, 1, 0.95)
    assert 0 < profile.ci_low < profile.value < profile.ci_high < 20
