"""The mixture of tissues: shares of simulated voxels whose shares are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from morpho.errors import ImageError
from morpho.measure.mixture import (
    DEEP_GREY,
    FLUID,
    GREY,
    WHITE,
    TissueSignals,
    fit_tissue_signals,
    tissue_shares,
)

Array = NDArray[np.float32]
MEAN = np.array([0.25, 0.65, 0.80, 1.00])
NOISE = 0.03
N = 120_000
# Which pairs meet in a mixed voxel, and how often.
PAIRS = ((FLUID, GREY), (GREY, WHITE), (DEEP_GREY, WHITE), (FLUID, WHITE))
PAIR_SHARES = (0.4, 0.45, 0.05, 0.1)
TISSUES = TissueSignals(MEAN, np.array([0.05, 0.04, 0.04, 0.03]))


def simulate(rng: np.random.Generator, n: int = N) -> tuple[Array, Array]:
    """Draw true shares, shape (4, n), half of the voxels being mixed, and their signals."""
    shares = np.zeros((4, n), dtype=np.float32)
    shares[rng.choice(4, n, p=[0.2, 0.4, 0.05, 0.35]), np.arange(n)] = 1
    mixed = np.flatnonzero(rng.random(n) < 0.5)
    first, second = np.array(PAIRS)[rng.choice(len(PAIRS), len(mixed), p=PAIR_SHARES)].T
    share = rng.random(len(mixed)).astype(np.float32)
    shares[:, mixed] = 0
    shares[first, mixed], shares[second, mixed] = 1 - share, share
    return shares, (MEAN @ shares + rng.normal(0, NOISE, n)).clip(0).astype(np.float32)


def coarse(shares: Array, rng: np.random.Generator) -> Array:
    """Prior as a coarse segmentation gives it: 60 % of the truth, the rest the overall mean, and some noise."""
    blurred = 0.6 * shares + 0.4 * shares.mean(axis=1, keepdims=True) + rng.normal(0, 0.1, shares.shape)
    blurred = blurred.clip(1e-3)
    return np.asarray(blurred / blurred.sum(axis=0), dtype=np.float32)


def flat(shares: Array) -> Array:
    return np.full(shares.shape, 0.25, dtype=np.float32)


@pytest.fixture(scope="module")
def voxels() -> tuple[Array, Array, Array]:
    """Simulate true shares, signals and a coarse prior."""
    rng = np.random.default_rng(20260101)
    shares, signal = simulate(rng)
    return shares, signal, coarse(shares, rng)


@pytest.fixture(scope="module")
def fitted(voxels: tuple[Array, Array, Array]) -> TissueSignals:
    return fit_tissue_signals(*voxels[1:], prior_weight=1.0)


@pytest.fixture(scope="module")
def found(voxels: tuple[Array, Array, Array], fitted: TissueSignals) -> Array:
    return tissue_shares(*voxels[1:], fitted, prior_weight=1.0)


# --- fit_tissue_signals -------------------------------------------------------------------------------------------


def test_means_of_the_tissues_are_the_true_ones(fitted: TissueSignals) -> None:
    np.testing.assert_allclose(fitted.mean, MEAN, atol=0.02)


def test_spreads_of_the_tissues_are_those_of_the_noise(fitted: TissueSignals) -> None:
    np.testing.assert_allclose(fitted.spread, NOISE, atol=0.015)


@pytest.mark.parametrize("shift", [-0.1, 0.1])
def test_means_follow_the_scan_and_not_the_usual_values(
    voxels: tuple[Array, Array, Array], rng: np.random.Generator, shift: float
) -> None:
    shares, _, prior = voxels
    truth = MEAN + shift * np.array([0.5, 1.0, 0.5, 0.0])
    signal = (truth @ shares + rng.normal(0, NOISE, N)).clip(0).astype(np.float32)
    np.testing.assert_allclose(fit_tissue_signals(signal, prior, prior_weight=1.0).mean, truth, atol=0.03)


def test_tissue_that_the_brain_lacks_keeps_its_usual_place(rng: np.random.Generator) -> None:
    shares, signal = simulate(rng)
    without = shares[DEEP_GREY] == 0
    prior = coarse(shares, rng)[:, without]
    prior[DEEP_GREY] = 0
    mean = fit_tissue_signals(signal[without], prior, prior_weight=1.0).mean
    np.testing.assert_allclose(mean[[FLUID, GREY, WHITE]], MEAN[[FLUID, GREY, WHITE]], atol=0.02)
    assert mean[GREY] < mean[DEEP_GREY] < mean[WHITE]


def test_one_scan_has_one_fit(voxels: tuple[Array, Array, Array], fitted: TissueSignals) -> None:
    again = fit_tissue_signals(*voxels[1:], prior_weight=1.0)
    np.testing.assert_array_equal(again.mean, fitted.mean)
    np.testing.assert_array_equal(again.spread, fitted.spread)


def test_scan_with_the_contrast_of_t2_is_refused_with_its_signals(voxels: tuple[Array, Array, Array]) -> None:
    _, signal, prior = voxels
    with pytest.raises(ImageError, match=r"mean signals [01]\.\d\d, 0\.[56]\d, 0\.[23]\d; in a T1w scan they rise"):
        fit_tissue_signals((1.25 - signal).clip(0), prior, prior_weight=1.0)


def test_scan_without_contrast_is_refused(voxels: tuple[Array, Array, Array], rng: np.random.Generator) -> None:
    """All tissues alike: which of them comes out brightest is chance, so the noise is drawn against their order."""
    shares, _, prior = voxels
    signal = (0.7 - 0.01 * np.arange(4) @ shares + rng.normal(0, NOISE, N)).astype(np.float32)
    with pytest.raises(ImageError, match=r"mean signals 0\.\d\d, 0\.\d\d, 0\.\d\d.*Is the scan T1w"):
        fit_tissue_signals(signal, prior, prior_weight=1.0)


# --- tissue_shares ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("partner", [FLUID, WHITE])
@pytest.mark.parametrize(("low", "high"), [(0.2, 0.3), (0.45, 0.55), (0.7, 0.8)])
def test_share_of_grey_matter_in_mixed_voxels_is_the_true_one(
    voxels: tuple[Array, Array, Array], found: Array, partner: int, low: float, high: float
) -> None:
    shares = voxels[0]
    grey_truth, grey_found = (part[GREY] + part[DEEP_GREY] for part in (shares, found))
    here = (grey_truth > low) & (grey_truth < high) & (shares[partner] > 0.1)
    assert grey_found[here].mean() == pytest.approx(grey_truth[here].mean(), abs=0.1)
    assert np.abs(grey_found - grey_truth)[here].mean() < 0.15


@pytest.mark.parametrize("tissue", [FLUID, GREY, DEEP_GREY, WHITE])
def test_pure_tissue_is_recovered(voxels: tuple[Array, Array, Array], found: Array, tissue: int) -> None:
    pure = voxels[0][tissue] == 1
    assert found[tissue][pure].mean() > 0.88


def test_totals_are_the_true_ones(voxels: tuple[Array, Array, Array], found: Array) -> None:
    """Grey matter as a whole; a share of the deep one that is taken for cortex does not change it."""
    for part in ([FLUID], [GREY, DEEP_GREY], [WHITE]):
        assert found[part].sum() == pytest.approx(voxels[0][part].sum(), rel=0.04)


def test_without_noise_a_mixture_is_a_rule_of_three() -> None:
    """Halfway between grey and white signal is half of either, if the prior allows these two only."""
    tissues = TissueSignals(MEAN, np.full(4, 0.02))
    prior = np.tile(np.array([[0], [0.5], [0], [0.5]], np.float32), 3)
    signal = np.array([0.7375, 0.825, 0.9125], np.float32)
    shares = tissue_shares(signal, prior, tissues, prior_weight=1.0)
    np.testing.assert_allclose(shares[WHITE], [0.25, 0.5, 0.75], atol=0.06)
    np.testing.assert_allclose(shares[[FLUID, DEEP_GREY]], 0, atol=0.06)


def test_prior_decides_where_the_signal_cannot() -> None:
    """Signal of deep grey matter is also that of a mixture of cortex and white matter."""
    signal = np.full(2, MEAN[DEEP_GREY], np.float32)
    prior = np.array([[0, 0], [0.5, 0.05], [0, 0.9], [0.5, 0.05]], np.float32)
    mixed, deep = tissue_shares(signal, prior, TISSUES, prior_weight=1.0).T
    assert deep[DEEP_GREY] > 0.8
    assert mixed[DEEP_GREY] < 0.1


def test_weight_of_the_prior_is_between_nothing_and_all() -> None:
    """A voxel halfway between grey and white, of which the prior says that it is grey."""
    signal, prior = np.array([0.9], np.float32), np.array([[0], [0.95], [0], [0.05]], np.float32)
    grey = [tissue_shares(signal, prior, TISSUES, prior_weight=weight)[GREY, 0] for weight in (0.0, 0.5, 1.0)]
    assert grey[0] < grey[1] < grey[2]
    other = prior[::-1].copy()
    ignored = [tissue_shares(signal, kind, TISSUES, prior_weight=0.0) for kind in (prior, other)]
    np.testing.assert_allclose(*ignored, atol=1e-6)


@pytest.mark.parametrize("spread_of_fluid", [0.05, 0.2])
def test_voxel_brighter_than_white_matter_is_no_fluid(spread_of_fluid: float) -> None:
    """A vessel or fat, brighter than all tissues, is further from the dark ones than from white matter."""
    tissues = TissueSignals(MEAN, np.array([spread_of_fluid, 0.08, 0.08, 0.04]))
    signal = np.linspace(1.0, 2.0, 51).astype(np.float32)
    shares = tissue_shares(signal, np.full((4, 51), 0.25, np.float32), tissues, prior_weight=1.0)
    assert shares[FLUID].max() < 0.05
    assert shares[WHITE].min() > 0.8


@pytest.mark.parametrize("spread_of_grey", [0.05, 0.12])
def test_voxel_darker_than_fluid_is_fluid(spread_of_grey: float) -> None:
    tissues = TissueSignals(MEAN, np.array([0.03, spread_of_grey, 0.08, 0.04]))
    signal = np.linspace(0.0, 0.25, 26).astype(np.float32)
    shares = tissue_shares(signal, np.full((4, 26), 0.25, np.float32), tissues, prior_weight=1.0)
    assert shares[FLUID].min() > 0.8


def test_voxels_do_not_know_of_each_other(
    voxels: tuple[Array, Array, Array], found: Array, fitted: TissueSignals
) -> None:
    _, signal, prior = voxels
    part = slice(1000, 1100)
    np.testing.assert_array_equal(tissue_shares(signal[part], prior[:, part], fitted, prior_weight=1.0), found[:, part])


def test_more_voxels_than_are_handled_at_once(rng: np.random.Generator) -> None:
    signal = rng.uniform(0, 1.2, 250_000).astype(np.float32)
    prior = np.full((4, len(signal)), 0.25, np.float32)
    shares = tissue_shares(signal, prior, TISSUES, prior_weight=1.0)
    np.testing.assert_allclose(shares.sum(axis=0), 1, atol=1e-5)
    last = tissue_shares(signal[-5:], prior[:, -5:], TISSUES, prior_weight=1.0)
    np.testing.assert_array_equal(shares[:, -5:], last)


# --- laws ---------------------------------------------------------------------------------------------------------

SIGNALS = hnp.arrays(np.float32, 7, elements=st.floats(0, 1e4, width=32))
PRIORS = hnp.arrays(np.float32, (4, 7), elements=st.floats(0, 1, width=32))
MEANS = st.tuples(st.floats(0, 0.4), st.floats(0.45, 0.75), st.floats(0.5, 0.99), st.floats(0.8, 1.2))
SPREADS = st.tuples(*[st.floats(0.02, 0.2)] * 4)


@given(signal=SIGNALS, prior=PRIORS, mean=MEANS, spread=SPREADS, weight=st.floats(0, 1))
@settings(max_examples=150, deadline=None)
def test_shares_are_shares_whatever_comes_in(
    signal: Array, prior: Array, mean: tuple[float, ...], spread: tuple[float, ...], weight: float
) -> None:
    tissues = TissueSignals(np.array(mean), np.array(spread))
    shares = tissue_shares(signal, prior, tissues, prior_weight=weight)
    assert shares.shape == (4, 7)
    assert shares.min() >= 0
    assert shares.max() <= 1 + 1e-6
    np.testing.assert_allclose(shares.sum(axis=0), 1, atol=1e-5)
