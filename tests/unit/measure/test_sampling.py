"""Values carried between a scan and an aligned grid: right in place, in mean and at the border."""

import nibabel as nib
import numpy as np
import pytest
from nibabel.affines import apply_affine, voxel_sizes
from numpy.typing import NDArray

from morpho.measure.sampling import AlignedGrid, grid_around, sample_on_grid, sample_on_scan

Array = NDArray[np.float64]
SHAPE = (30, 34, 38)


def ramp(positions: Array) -> Array:
    """Value that rises differently along each axis; linear sampling must give it exactly."""
    return np.asarray(2.0 + positions @ np.array([0.5, -0.3, 0.2]))


def voxels(shape: tuple[int, ...]) -> Array:
    """Index of each voxel, shape (*shape, 3)."""
    return np.moveaxis(np.indices(shape), 0, -1).astype(float)


def ramp_image(shape: tuple[int, ...] = SHAPE) -> NDArray[np.float32]:
    return ramp(voxels(shape)).astype(np.float32)


def smooth_image(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """One gentle wave along each axis; nearly zero at the border."""
    waves = [np.sin(np.pi * (np.arange(size) + 0.5) / size) for size in shape]
    return np.einsum("i,j,k->ijk", *waves).astype(np.float32)


# --- grid_around --------------------------------------------------------------------------------------------------


def test_middle_of_the_grid_lies_at_the_asked_for_voxel(awkward_affine: Array) -> None:
    scan = nib.Nifti1Image(np.zeros(SHAPE, np.float32), awkward_affine)
    centre = np.array([11.0, 20.5, 7.25])
    grid = grid_around(scan, centre, (9, 10, 11), 1.0)
    np.testing.assert_allclose(grid.start + grid.step * (np.array(grid.shape) - 1) / 2, centre)


def test_voxels_of_the_grid_have_the_asked_for_size(awkward_affine: Array) -> None:
    scan = nib.Nifti1Image(np.zeros(SHAPE, np.float32), awkward_affine)
    grid = grid_around(scan, np.zeros(3), (9, 10, 11), 2.0)
    np.testing.assert_allclose(voxel_sizes(grid.affine(awkward_affine)), 2.0)
    # Voxels of the scan are 1.5, 2 and 3 mm long.
    np.testing.assert_allclose(grid.step, [2 / 1.5, 1.0, 2 / 3])


def test_affine_puts_a_point_where_the_scan_has_it(awkward_affine: Array) -> None:
    grid = AlignedGrid((5, 6, 7), np.array([3.0, -2.0, 1.5]), np.array([1.2, 0.5, 2.0]))
    index = np.array([2.0, 3.0, 4.0])
    in_scan = grid.start + grid.step * index
    np.testing.assert_allclose(
        apply_affine(grid.affine(awkward_affine), index), apply_affine(awkward_affine, in_scan), atol=1e-9
    )


# --- sample_on_grid -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [(1.0, 1.0, 1.0), (0.4, 0.7, 1.0), (2.0, 1.3, 1.6)])
def test_ramp_is_sampled_exactly(step: tuple[float, float, float]) -> None:
    """Also on a coarser grid: the mean of a ramp over a voxel is its value in the middle."""
    grid = AlignedGrid((5, 6, 7), np.array([9.3, 10.6, 11.5]), np.array(step))
    positions = grid.start + grid.step * voxels(grid.shape)
    np.testing.assert_allclose(sample_on_grid(ramp_image(), grid), ramp(positions), atol=2e-4)


def test_voxel_for_voxel_the_same_grid_changes_nothing(rng: np.random.Generator) -> None:
    values = rng.uniform(0, 9, SHAPE).astype(np.float32)
    np.testing.assert_array_equal(sample_on_grid(values, AlignedGrid(SHAPE, np.zeros(3), np.ones(3))), values)
    moved = sample_on_grid(values, AlignedGrid((4, 5, 6), np.array([7.0, 8.0, 9.0]), np.ones(3)))
    np.testing.assert_array_equal(moved, values[7:11, 8:13, 9:15])


def test_outside_of_the_scan_is_zero() -> None:
    ones = np.ones(SHAPE, np.float32)
    sampled = sample_on_grid(ones, AlignedGrid((6, 40, 44), np.array([-2.0, -3.0, -3.0]), np.ones(3)))
    assert sampled[:2].max() == sampled[:, :3].max() == sampled[:, :, -3:].max() == 0
    assert sampled[2:, 3:37, 3:41].min() == pytest.approx(1)


@pytest.mark.parametrize("start", [500.0, -500.0])
def test_grid_that_misses_the_scan_is_empty(start: float) -> None:
    grid = AlignedGrid((4, 5, 6), np.array([0.0, start, 0.0]), np.ones(3))
    assert not sample_on_grid(np.ones(SHAPE, np.float32), grid).any()


def test_coarser_grid_keeps_the_amount() -> None:
    """A small bright block seen by voxels twice and three times as long: its sum is that of the fine scan."""
    values = np.zeros(SHAPE, np.float32)
    values[13:16, 15:19, 17:21] = 5
    step = np.array([2.0, 3.0, 1.0])
    grid = AlignedGrid((13, 10, 34), np.array([1.0, 2.0, 2.0]), step)
    assert sample_on_grid(values, grid).sum() * step.prod() == pytest.approx(values.sum(), rel=0.02)


def test_coarser_grid_averages_noise_and_keeps_waves(rng: np.random.Generator) -> None:
    """Voxels that cover 8 of the scan's are at most as noisy as their mean; a wave of 4 such voxels stays visible."""
    grid = AlignedGrid((26, 26, 26), np.full(3, 4.5), np.full(3, 2.0))
    noise = rng.normal(0, 1, (60, 60, 60)).astype(np.float32)
    assert sample_on_grid(noise, grid).std() < 1.1 / np.sqrt(8)
    wave = np.broadcast_to(np.sin(2 * np.pi * np.arange(60) / 8)[:, None, None], noise.shape).astype(np.float32)
    truth = np.sin(2 * np.pi * (4.5 + 2 * np.arange(26)) / 8)
    kept = np.polyfit(truth, sample_on_grid(wave, grid)[:, 10, 10], 1)[0]
    assert 0.7 < kept < 1


def test_anisotropic_scan_is_seen_in_true_proportions() -> None:
    """A ball of 12 mm in voxels of 1 x 1 x 3 mm is a ball on a grid of 1 mm."""
    affine = np.diag([1.0, 1.0, 3.0, 1.0])
    centre = np.array([20.0, 20.0, 8.0])
    scan = nib.Nifti1Image((np.linalg.norm((voxels((41, 41, 17)) - centre) * [1, 1, 3], axis=-1) < 12) * 1.0, affine)
    seen = sample_on_grid(np.asarray(scan.dataobj, np.float32), grid_around(scan, centre, (33, 33, 33), 1.0))
    reach_mm = [(seen > 0.5).any(axis=other).sum() for other in ((1, 2), (0, 2), (0, 1))]
    np.testing.assert_allclose(reach_mm, 24, atol=3)
    assert seen.sum() == pytest.approx(4 / 3 * np.pi * 12**3, rel=0.03)


# --- sample_on_scan -----------------------------------------------------------------------------------------------


def test_ramp_comes_back_to_the_scan() -> None:
    grid = AlignedGrid((20, 20, 20), np.array([2.5, 3.5, 4.5]), np.array([1.3, 0.8, 1.0]))
    on_grid = ramp(grid.start + grid.step * voxels(grid.shape)).astype(np.float32)
    back = sample_on_scan(on_grid, grid, SHAPE)
    inside = (slice(3, 27), slice(4, 18), slice(5, 23))
    np.testing.assert_allclose(back[inside], ramp_image()[inside], atol=1e-4)


@pytest.mark.parametrize("voxel_mm", [0.8, 1.0, 2.0])
def test_smooth_image_survives_the_way_there_and_back(voxel_mm: float) -> None:
    scan = nib.Nifti1Image(smooth_image((40, 44, 36)), np.diag([1.0, 1.2, 1.5, 1.0]))
    shape = (int(np.ceil(60 / voxel_mm)), int(np.ceil(70 / voxel_mm)), int(np.ceil(70 / voxel_mm)))
    grid = grid_around(scan, (np.array(scan.shape) - 1) / 2, shape, voxel_mm)
    values = np.asarray(scan.dataobj, np.float32)
    there = sample_on_grid(values, grid)
    back = sample_on_scan(there, grid, scan.shape)
    inside = (slice(3, -3),) * 3
    np.testing.assert_allclose(back[inside], values[inside], atol=0.015)


def test_scan_beyond_the_grid_gets_zero() -> None:
    grid = AlignedGrid((10, 10, 10), np.array([8.0, 8.0, 8.0]), np.ones(3))
    back = sample_on_scan(np.ones((10, 10, 10), np.float32), grid, SHAPE)
    assert back[8:18, 8:18, 8:18].min() == 1
    assert back.sum() == pytest.approx(1000)


def test_sampling_is_linear_in_its_values(rng: np.random.Generator) -> None:
    first, second = rng.uniform(0, 1, (2, *SHAPE)).astype(np.float32)
    grid = AlignedGrid((9, 8, 7), np.array([2.2, 3.1, 4.7]), np.array([1.5, 2.0, 0.7]))
    together = sample_on_grid(2 * first + second, grid)
    np.testing.assert_allclose(together, 2 * sample_on_grid(first, grid) + sample_on_grid(second, grid), atol=1e-5)


def test_values_are_left_as_they_were(rng: np.random.Generator) -> None:
    values = rng.uniform(0, 1, SHAPE).astype(np.float32)
    before = values.copy()
    sample_on_grid(values, AlignedGrid((9, 8, 7), np.zeros(3), np.full(3, 2.0)))
    np.testing.assert_array_equal(values, before)
