"""Shape of a brain mask: areas and volumes of boxes are known by hand."""

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray

from morpho.measure.mask_shape import (
    blanked_voxels,
    contact_area_mm2,
    measure_mask_shape,
    place_in_raw,
    voxel_edges_mm,
)

VOXEL_MM = np.array([1.0, 1.5, 2.0])
SHAPE = (20, 22, 24)
EVERYWHERE = np.ones(SHAPE, bool)


def box(*bounds: tuple[int, int]) -> NDArray[np.bool_]:
    mask = np.zeros(SHAPE, bool)
    mask[tuple(slice(*bound) for bound in bounds)] = True
    return mask


def test_whole_mask_in_the_middle_touches_nothing() -> None:
    shape = measure_mask_shape(box((5, 15), (5, 15), (5, 15)), EVERYWHERE, VOXEL_MM)
    assert (shape.parts, shape.holes_mm3, shape.edge_contact_mm2) == (1, 0, 0)


def test_parts_and_holes_are_counted() -> None:
    mask = box((3, 12), (3, 12), (3, 12)) | box((14, 16), (14, 16), (14, 16))
    mask[6:8, 6:8, 6:8] = False
    shape = measure_mask_shape(mask, EVERYWHERE, VOXEL_MM)
    assert shape.parts == 2
    assert shape.holes_mm3 == pytest.approx(8 * 3.0)


@pytest.mark.parametrize(("axis", "face_mm2"), [(0, 3.0), (1, 2.0), (2, 1.5)])
@pytest.mark.parametrize("end", ["low", "high"])
def test_cut_has_the_area_of_the_face(axis: int, face_mm2: float, end: str) -> None:
    bounds = [(5, 15), (5, 13), (5, 12)]
    sides = [10, 8, 7]
    bounds[axis] = (0, 10) if end == "low" else (10, SHAPE[axis])
    sides[axis] = 1
    assert measure_mask_shape(box(*bounds), EVERYWHERE, VOXEL_MM).edge_contact_mm2 == pytest.approx(
        np.prod(sides) * face_mm2
    )


def test_box_of_signal_is_the_field_of_view() -> None:
    """Extracted brain, zero around it, cut at plane 10: the box of signal ends there."""
    brain = box((5, 10), (5, 15), (5, 15))
    assert measure_mask_shape(brain, EVERYWHERE, VOXEL_MM).edge_contact_mm2 == 0
    assert measure_mask_shape(brain, brain, VOXEL_MM).edge_contact_mm2 == pytest.approx(10 * 10 * 3.0)


def test_blanked_voxels_are_blocks_of_zeros_not_noise(rng: np.random.Generator) -> None:
    """Rounded noise has zeros too: one voxel in ten here."""
    signal = rng.integers(1, 9, SHAPE).astype(np.float32)
    signal[rng.random(SHAPE) < 0.1] = 0
    assert not blanked_voxels(signal, 3.0).any()
    signal[:, 12:, :8] = 0
    found = blanked_voxels(signal, 3.0)
    assert found[:, 12:, :8].all()
    assert found.sum() < 1.1 * 20 * 10 * 8


def test_small_block_of_zeros_is_no_blanking() -> None:
    """5 x 5 x 5 voxels of 3 mm3 are 375 mm3, less than 500."""
    signal = np.ones(SHAPE, np.float32)
    signal[5:10, 5:10, 5:10] = 0
    assert not blanked_voxels(signal, 3.0).any()
    assert blanked_voxels(signal, 5.0).sum() == 125


def test_contact_of_brain_and_defacing_is_the_area_between_them() -> None:
    brain, blanked = box((5, 15), (5, 12), (5, 15)), box((0, 20), (12, 22), (0, 24))
    assert contact_area_mm2(brain, blanked, VOXEL_MM) == pytest.approx(10 * 10 * 2.0)
    assert contact_area_mm2(brain, np.roll(blanked, 1, axis=1) & box((0, 20), (14, 22), (0, 24)), VOXEL_MM) == 0


def test_mask_that_reaches_into_blanked_voxels_touches_them_where_signal_ends() -> None:
    brain, blanked = box((5, 15), (5, 16), (5, 15)), box((0, 20), (12, 22), (0, 24))
    assert contact_area_mm2(brain, blanked, VOXEL_MM) == pytest.approx(10 * 10 * 2.0)


def test_cropped_mask_returns_to_its_place(awkward_affine: NDArray[np.float64]) -> None:
    raw = nib.Nifti1Image(np.zeros(SHAPE, np.float32), awkward_affine)
    whole = box((5, 15), (6, 13), (7, 12))
    cropped = nib.Nifti1Image(whole.astype(np.uint8), awkward_affine).slicer[2:18, 4:20, 5:15]
    np.testing.assert_array_equal(place_in_raw(cropped, raw), whole)


def test_edges_of_an_oblique_voxel(awkward_affine: NDArray[np.float64]) -> None:
    image = nib.Nifti1Image(np.zeros(SHAPE, np.float32), awkward_affine)
    np.testing.assert_allclose(voxel_edges_mm(image), np.sqrt((awkward_affine[:3, :3] ** 2).sum(axis=0)))
