"""Robust z and robust regression: hand arithmetic, an independent implementation, laws, and resistance to outliers."""

import numpy as np
import pytest
import statsmodels.api as sm
from numpy.typing import NDArray

from morpho.stats.robust import BISQUARE, SIGMA_PER_MAD, expect_left_out, robust_z

Array = NDArray[np.float64]


@pytest.fixture
def design(rng: np.random.Generator) -> Array:
    """Constant, a number and a two-level factor of 40 people."""
    return np.column_stack([np.ones(40), rng.standard_normal(40), np.tile([-0.5, 0.5], 20)])


@pytest.fixture
def values(design: Array, rng: np.random.Generator) -> Array:
    return (design @ [3400.0, 200.0, 50.0] + 250 * rng.standard_normal(40))[:, np.newaxis]


def fit_others(design: Array, values: Array, row: int, scale: float) -> tuple[float, float]:
    """Fit all rows but one by statsmodels' M-estimator at a given scale; prediction and its factor of variance."""
    inside = np.arange(len(values)) != row
    X = design[inside]
    model = sm.RLM(values[inside, 0], X, M=sm.robust.norms.TukeyBiweight(BISQUARE))
    fit = model.fit(scale_est=lambda _residuals: scale, tol=1e-12, maxiter=500)
    inverse = np.linalg.inv(X.T @ (fit.weights[:, np.newaxis] * X))
    return float(design[row] @ fit.params), float(1 + design[row] @ inverse @ design[row])


def test_missing_values_have_no_say_and_no_z() -> None:
    z = robust_z([1.0, np.nan, 2.0, 3.0, 4.0, 100.0])
    assert np.isnan(z[1])
    assert z[[0, 2, 3, 4, 5]] == pytest.approx(robust_z([1.0, 2.0, 3.0, 4.0, 100.0]))
    assert np.isnan(robust_z([np.nan, np.nan])).all()


def test_columns_are_apart() -> None:
    table = np.array([[1.0, 5.0], [2.0, 5.0], [4.0, 50.0]])
    assert robust_z(table) == pytest.approx(np.column_stack([robust_z(table[:, 0]), robust_z(table[:, 1])]))


def test_where_most_are_the_same_the_mean_deviation_is_the_spread() -> None:
    """Ten parts of which one is 3: mean absolute deviation 0.2."""
    z = robust_z([1.0] * 9 + [3.0])
    assert z[:9].tolist() == [0.0] * 9
    assert z[9] == pytest.approx(2 / (1.2533 * 0.2))
    assert robust_z([7.0, 7.0, 7.0]).tolist() == [0.0, 0.0, 0.0]


def test_rounding_is_no_difference() -> None:
    """Voxels of 1 mm that differ in the seventh digit are all the same."""
    assert np.abs(robust_z([1.0, 1.0000001, 0.9999999, 1.0000002, 1.0000009])).max() < 0.01


def test_normal_values_have_normal_z(rng: np.random.Generator) -> None:
    assert robust_z(rng.normal(50, 7, 20000)).std() == pytest.approx(1.0, abs=0.03)


def test_the_expectation_is_a_robust_fit_without_the_value(design: Array, values: Array) -> None:
    """The deletion formula keeps the weights of the others, which a fit without the value changes a little."""
    found = expect_left_out(design, values, np.ones(40))
    scale = np.ptp(values) / 10
    for row in (0, 7, 23):
        expected, _ = fit_others(design, values, row, scale)
        assert found.expected[row, 0] == pytest.approx(expected, abs=0.15 * 250)


def test_z_is_the_deviation_over_what_a_new_value_scatters(design: Array, values: Array) -> None:
    values[5] -= 3000
    found = expect_left_out(design, values, np.ones(40))
    deviation = (values - found.expected)[:, 0]
    scales = deviation / found.z[:, 0]
    weightless, factor = fit_others(design, values, 5, scales.min() / 1.05)
    assert found.expected[5, 0] == pytest.approx(weightless, abs=30)
    assert scales[5] == pytest.approx(scales.min() * np.sqrt(factor), rel=0.1)
    assert deviation[5] == pytest.approx(-3000, abs=800)


def test_an_outlier_does_not_move_what_is_expected_of_others(design: Array, values: Array) -> None:
    """Nor does its size matter: beyond BISQUARE sigma it has no weight at all."""
    far, farther = values.copy(), values.copy()
    far[3] -= 5000
    farther[3] -= 50000
    one, other = expect_left_out(design, far, np.ones(40)), expect_left_out(design, farther, np.ones(40))
    others = np.arange(40) != 3
    assert one.expected == pytest.approx(other.expected, abs=0.05)
    clean = expect_left_out(design, values, np.ones(40))
    assert np.abs(one.expected - clean.expected)[others].max() < 120
    assert one.z[3, 0] < -10


def test_a_wrong_regressor_with_little_weight_does_not_tilt_the_line(design: Array, values: Array) -> None:
    """Of 16 people one has a head size of -20, which outweighs the others together; the truth is 200 per unit."""
    few, volumes = design[:16].copy(), values[:16]
    few[0, 1] = -20.0
    prior = np.where(np.arange(16) == 0, (2.5 / 20) ** 2, 1.0)
    high, low = np.argmax(few[:, 1]), np.argsort(few[:, 1])[1]
    slopes = {}
    for name, weights in (("weighted", prior), ("unweighted", np.ones(16))):
        expected = expect_left_out(few, volumes, weights).expected[:, 0] - 50 * few[:, 2]
        slopes[name] = (expected[high] - expected[low]) / (few[high, 1] - few[low, 1])
    assert slopes["weighted"] > 100
    assert slopes["unweighted"] < 60


@pytest.mark.parametrize(("n", "columns"), [(10, 2), (24, 3), (200, 3)])
def test_z_of_normal_data_has_standard_deviation_one(n: int, columns: int, rng: np.random.Generator) -> None:
    X = np.column_stack([np.ones(n), rng.standard_normal(n), np.tile([-0.5, 0.5], n // 2)])[:, :columns]
    z = expect_left_out(X, rng.standard_normal((n, 200)), np.ones(n)).z
    assert z.std() == pytest.approx(1.0, abs=0.08)


def test_outcomes_are_apart_and_scales_do_not_matter(design: Array, rng: np.random.Generator) -> None:
    two = rng.standard_normal((40, 2))
    together = expect_left_out(design, two, np.ones(40)).z
    alone = expect_left_out(design * [1, 5, 1], 1000 * two[:, [1]] + 7, np.ones(40)).z
    assert together[:, 1] == pytest.approx(alone[:, 0], abs=1e-6)


def test_values_that_the_regressors_reproduce_have_no_z(design: Array) -> None:
    found = expect_left_out(design, np.column_stack([design @ [1.0, 2.0, 3.0], np.ones(40)]), np.ones(40))
    assert np.isnan(found.z).all()
    assert np.isnan(found.expected).all()


def test_the_constant_of_the_scale_is_that_of_a_normal_distribution() -> None:
    assert pytest.approx(1 / 0.67449, abs=1e-4) == SIGMA_PER_MAD
