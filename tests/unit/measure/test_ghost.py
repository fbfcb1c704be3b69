"""A ghost upon a brain of folds that are known: its strength comes back, without air and without other axes."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from morpho.measure.ghost import ghost_within_brain_percent, unexplained_signal

SHAPE, WHITE = (48, 64, 40), 700.0
BOX = (slice(4, 44), slice(4, 60), slice(4, 36))
Image = NDArray[np.float32]


def folds(rng: np.random.Generator) -> tuple[Image, Image, Image]:
    """Fluid, grey and white matter in folds of about 2 voxels, on the box of a brain that fills most of the image."""
    height = ndimage.gaussian_filter(rng.standard_normal(tuple(axis.stop - axis.start for axis in BOX)), 1.5)
    low, high = np.percentile(height, [20, 60])
    fluid, white = (height < low).astype(np.float32), (height > high).astype(np.float32)
    return fluid, 1 - fluid - white, white


def measured(rng: np.random.Generator, ghost: float, axis: int, voxel_mm3: float = 3.0) -> float:
    tissues = folds(rng)
    raw = np.zeros(SHAPE, np.float32)
    raw[BOX] = WHITE * (0.2 * tissues[0] + 0.6 * tissues[1] + tissues[2])
    inside = raw > 0
    raw = raw + ghost * np.roll(raw, SHAPE[axis] // 2, axis) + inside * rng.normal(0, 0.03 * WHITE, SHAPE)
    raw = np.where(inside, raw, 0).astype(np.float32)  # the brain was extracted after the ghost
    residual = unexplained_signal(raw[BOX] / np.float32(WHITE), tissues)
    return ghost_within_brain_percent(raw, BOX, residual, np.ones(residual.shape, bool), WHITE, voxel_mm3)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("ghost", [0.05, 0.2])
def test_ghost_is_as_strong_as_it_was_cast(rng: np.random.Generator, ghost: float, axis: int) -> None:
    assert measured(rng, ghost, axis) == pytest.approx(100 * ghost, rel=0.15)


def test_clean_scan_has_no_ghost(rng: np.random.Generator) -> None:
    assert measured(rng, 0.0, 1) < 0.5


def test_too_little_overlap_gives_no_number(rng: np.random.Generator) -> None:
    """Voxels of 0.1 mm3: the whole brain has 7 ml."""
    assert np.isnan(measured(rng, 0.1, 1, voxel_mm3=0.1))


def test_tissues_explain_a_scan_made_of_them(rng: np.random.Generator) -> None:
    fluid, grey, white = folds(rng)
    signal = 0.2 * fluid + 0.6 * grey + white
    np.testing.assert_allclose(unexplained_signal(signal, (fluid, grey, white)), 0, atol=1e-6)
    np.testing.assert_allclose(
        unexplained_signal(signal + np.float32(0.1) * (grey > 2), (fluid, grey, white)), 0, atol=1e-6
    )


def test_nothing_is_unexplained_where_a_tissue_is_unknown(rng: np.random.Generator) -> None:
    fluid, grey, white = folds(rng)
    assert not unexplained_signal(grey + white, (0 * fluid, grey, white)).any()
