"""The bias field: found again where it is known, flat where there is none, and right at every voxel of a crop."""

import numpy as np
import pytest
from numpy.typing import NDArray

from morpho.errors import NotABrainError
from morpho.measure.bias import BiasField, estimate_bias_field
from morpho.measure.head import HeadShares
from morpho.measure.sampling import AlignedGrid

Array = NDArray[np.float64]
CLASSES = (
    "outside", "fluid", "cortex", "white_matter", "deep_grey_matter", "hippocampus_amygdala", "cerebellum",
    "brain_stem",
)  # fmt: skip
SIGNAL = {
    "outside": 0.0, "fluid": 0.2, "cortex": 0.62, "white_matter": 1.0, "deep_grey_matter": 0.8,
    "hippocampus_amygdala": 0.65, "cerebellum": 0.66, "brain_stem": 0.92,
}  # fmt: skip
# A small brain of 112 x 136 x 104 mm on a grid of 2 mm, in a scan with voxels of 1 x 1.25 x 0.8 mm.
SHAPE = (70, 84, 64)
RADII = np.array([28.0, 34.0, 26.0])
START, STEP = np.array([12.0, -5.0, 30.0]), np.array([2.0, 1.6, 2.5])
WHITE_SIGNAL = 437.0


def positions() -> Array:
    """Position of each voxel of the grid from -1 to 1, shape (3, *SHAPE)."""
    axes = [np.linspace(-1, 1, size) for size in SHAPE]
    return np.stack(np.meshgrid(*axes, indexing="ij"))


def make_shares() -> NDArray[np.float32]:
    """Head of known shares: white core with grey nuclei, ribbon with folds, fluid, cerebellum and brain stem below."""
    index = np.moveaxis(np.indices(SHAPE), 0, -1) - (np.array(SHAPE) - 1) / 2
    radius = np.linalg.norm(index / RADII, axis=-1)
    folds = 0.72 + 0.1 * np.sin(index[..., 0] / 3) * np.sin(index[..., 1] / 3.5) * np.sin(index[..., 2] / 3)
    outwards = np.concatenate([np.abs(index[..., :1]), index[..., 1:]], axis=-1)
    nuclei = np.linalg.norm((outwards - [8, 3, 0]) / [4, 7, 5], axis=-1) < 1
    temporal = np.linalg.norm((outwards - [11, -2, -9]) / [3, 6, 3], axis=-1) < 1
    below, stem = index[..., 2] < -14, np.linalg.norm(index[..., :2] / [5, 6], axis=-1) < 1
    kinds = np.select(
        [radius >= 1, radius >= 0.92, below & stem, below & (index[..., 1] < 0), nuclei, temporal, radius > folds],
        [0, 1, 7, 6, 4, 5, 2],
        default=3,
    )
    return np.stack([kinds == number for number in range(len(CLASSES))]).astype(np.float32)


SHARES = make_shares()


def make_head(
    field: Array | float, rng: np.random.Generator, *, noise: float = 0.03, shares: Array = SHARES
) -> HeadShares:
    """Coarse segmentation of a scan with a known field."""
    signal = np.tensordot(np.array([SIGNAL[name] for name in CLASSES]), shares, axes=1)
    signal = signal * field + rng.normal(0, noise, SHAPE)
    signal = (WHITE_SIGNAL * np.where(shares[0] > 0.5, 0, signal)).clip(0)
    return HeadShares(shares, signal.astype(np.float32), AlignedGrid(SHAPE, START, STEP), CLASSES)


def on_grid(bias: BiasField) -> Array:
    """Field at the voxels of the coarse grid (evaluate knows whole voxels of the scan, which lie between them)."""
    low, high = np.floor(START).astype(int), np.ceil(START + STEP * SHAPE).astype(int)
    dense = bias.evaluate(tuple(high - low), tuple(low))
    index = [np.rint(START[k] + STEP[k] * np.arange(SHAPE[k])).astype(int) - low[k] for k in range(3)]
    return np.asarray(dense[np.ix_(*index)], dtype=float)


def spread_over_tissue(ratio: Array) -> Array:
    """1st and 99th percentile over grey and white matter of a ratio, its median being 1."""
    inside = ratio[SHARES[:2].sum(axis=0) < 0.5]
    return np.asarray(np.percentile(inside, [1, 99]) / np.median(inside))


def smooth_field(strength: float) -> Array:
    """Field that falls off from one corner, as that of a coil near it: no cosine, so that no basis is favoured."""
    x, y, z = positions()
    return np.asarray(np.exp(strength * (0.5 * np.sin(1.3 * x + 0.4) + 0.4 * y * z - 0.3 * z**2 + 0.3 * y)))


@pytest.mark.parametrize(("strength", "range_of_field", "tolerance"), [(0.3, 0.25, 0.02), (0.6, 0.5, 0.04)])
def test_known_field_is_found_up_to_a_factor(
    rng: np.random.Generator, strength: float, range_of_field: float, tolerance: float
) -> None:
    field = smooth_field(strength)
    found = on_grid(estimate_bias_field(make_head(field, rng)))
    assert np.ptp(spread_over_tissue(field)) > range_of_field
    np.testing.assert_allclose(spread_over_tissue(found / field), 1, atol=tolerance)


def test_flat_scan_stays_flat(rng: np.random.Generator) -> None:
    found = on_grid(estimate_bias_field(make_head(1.0, rng)))
    np.testing.assert_allclose(spread_over_tissue(found), 1, atol=0.01)


def test_signal_of_white_matter_is_found(rng: np.random.Generator) -> None:
    """Where the field is 1, white matter has the signal that it had before shading."""
    field = smooth_field(0.4)
    bias = estimate_bias_field(make_head(field, rng))
    white = SHARES[CLASSES.index("white_matter")] > 0.5
    assert (on_grid(bias)[white] * bias.white_matter_signal / field[white]).mean() == pytest.approx(
        WHITE_SIGNAL, rel=0.01
    )


def test_field_has_mean_one_over_the_brain(rng: np.random.Generator) -> None:
    """The mean is that of the logarithm; so the field says nothing about the unit of the signal."""
    bias = estimate_bias_field(make_head(5 * smooth_field(0.4), rng))
    assert np.log(on_grid(bias)[SHARES[0] < 0.5]).mean() == pytest.approx(0, abs=0.03)


def test_unit_of_the_signal_does_not_matter(rng: np.random.Generator) -> None:
    head = make_head(smooth_field(0.4), rng)
    thousand = HeadShares(head.shares, 1000 * head.signal, head.grid, head.classes)
    one, other = estimate_bias_field(head), estimate_bias_field(thousand)
    np.testing.assert_allclose(other.coefficients, one.coefficients, atol=1e-4)
    assert other.white_matter_signal == pytest.approx(1000 * one.white_matter_signal, rel=1e-4)


def test_unusual_contrast_is_no_shading(rng: np.random.Generator) -> None:
    """Means of the tissues are fitted, not assumed: cerebellum and brain stem may be as dark as they like."""
    head = make_head(1.0, rng)
    signal = head.signal.copy()
    signal[SHARES[CLASSES.index("cerebellum")] > 0.5] *= 0.8
    signal[SHARES[CLASSES.index("brain_stem")] > 0.5] *= 1.2
    found = on_grid(estimate_bias_field(HeadShares(head.shares, signal, head.grid, head.classes)))
    np.testing.assert_allclose(spread_over_tissue(found), 1, atol=0.02)


def test_a_few_wrong_labels_do_not_matter(rng: np.random.Generator) -> None:
    """One voxel in twenty is called another tissue than it is."""
    field = smooth_field(0.4)
    head = make_head(field, rng)
    brain = np.argwhere(SHARES[0] < 0.5)
    wrong = tuple(brain[rng.choice(len(brain), len(brain) // 20, replace=False)].T)
    shares = head.shares.copy()
    shares[(slice(None), *wrong)] = np.eye(len(CLASSES), dtype=np.float32)[rng.integers(1, 8, len(wrong[0]))].T
    found = on_grid(estimate_bias_field(HeadShares(shares, head.signal, head.grid, head.classes)))
    np.testing.assert_allclose(spread_over_tissue(found / field), 1, atol=0.03)


def test_one_scan_has_one_field(rng: np.random.Generator) -> None:
    head = make_head(smooth_field(0.4), rng)
    first, second = (estimate_bias_field(head) for _ in range(2))
    np.testing.assert_array_equal(first.coefficients, second.coefficients)


def test_scan_with_hardly_any_signal_is_refused(rng: np.random.Generator) -> None:
    head = make_head(1.0, rng)
    signal = np.zeros_like(head.signal)
    signal[40:46, 50:56, 38:44] = 5
    with pytest.raises(NotABrainError, match=r"Only \d+ voxels of the brain have signal, at least 1000"):
        estimate_bias_field(HeadShares(head.shares, signal, head.grid, head.classes))


def test_brain_without_white_matter_is_refused(rng: np.random.Generator) -> None:
    """The signal of white matter is the unit of all that follows; without white matter there is none."""
    shares = SHARES.copy()
    white = CLASSES.index("white_matter")
    shares[CLASSES.index("cortex")] += shares[white]
    shares[white] = 0
    with pytest.raises(NotABrainError, match="white matter"):
        estimate_bias_field(make_head(1.0, rng, shares=shares))


# --- evaluate -----------------------------------------------------------------------------------------------------


@pytest.fixture
def bias(rng: np.random.Generator) -> BiasField:
    coefficients = rng.normal(0, 0.1, (3, 4, 2))
    return BiasField(coefficients, np.array([2.0, -3.0, 4.0]), np.array([40.0, 50.0, 30.0]), 500.0)


def test_field_of_a_part_is_the_part_of_the_field(bias: BiasField) -> None:
    whole = bias.evaluate((30, 34, 38))
    np.testing.assert_array_equal(bias.evaluate((10, 12, 14), (5, 6, 7)), whole[5:15, 6:18, 7:21])


def test_cosine_by_hand() -> None:
    """One half wave along y over 20 voxels from voxel 10: exp(0.2 cos(pi (y - 10) / 20)), and constant beyond."""
    coefficients = np.zeros((1, 2, 1))
    coefficients[0, 1, 0] = 0.2
    field = BiasField(coefficients, np.array([0.0, 10.0, 0.0]), np.array([5.0, 20.0, 5.0]), 1.0).evaluate((2, 45, 3))
    y = np.clip((np.arange(45) - 10) / 20, 0, 1)
    np.testing.assert_allclose(field, np.broadcast_to(np.exp(0.2 * np.cos(np.pi * y))[:, None], (2, 45, 3)), rtol=1e-6)


def test_field_without_waves_is_one() -> None:
    field = BiasField(np.zeros((3, 3, 3)), np.zeros(3), np.full(3, 9.0), 700.0).evaluate((4, 5, 6))
    np.testing.assert_array_equal(field, 1)


def test_field_stays_within_reason() -> None:
    """However badly a fit went, no voxel is divided by nothing or by everything."""
    field = BiasField(np.full((2, 2, 2), 50.0), np.zeros(3), np.full(3, 9.0), 1.0).evaluate((10, 10, 10))
    assert 0.2 < field.min() < field.max() < 5
