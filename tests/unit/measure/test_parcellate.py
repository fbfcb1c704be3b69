"""Region labels: those of the atlas, stretched over the grey ribbon next to them, and those found in the scan."""

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nibabel.nifti1 import Nifti1Image
from numpy.typing import NDArray

from morpho.errors import GridMismatchError, ImageError
from morpho.images import array_of, labels_of
from morpho.measure.parcellate import crop_to_structures, label_regions, overlap_with_atlas

# A line of voxels, 2 mm apart: cortex 1, free voxels, cortex 2, a nucleus 3.
AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])
LABELS = pd.DataFrame({"index": [1, 2, 3], "tissue": ["cortex", "cortex", "subcortex"]})


def line(values: list[float], kind: type[np.generic] = np.float32, affine: NDArray[np.float64] = AFFINE) -> Nifti1Image:
    return nib.Nifti1Image(np.array(values, kind).reshape(-1, 1, 1), affine)


def regions(
    carried: list[int],
    grey: list[float],
    *,
    reach_mm: float = 3.0,
    affine: NDArray[np.float64] = AFFINE,
    found: dict[int, list[float]] | None = None,
) -> list[int]:
    structures = {label: line(share, affine=affine) for label, share in (found or {}).items()}
    images = line(list(carried), np.int16, affine), line(grey, affine=affine)
    return labels_of(label_regions(*images, structures, LABELS, reach_mm=reach_mm)).ravel().tolist()


def test_free_grey_matter_joins_the_nearest_parcel() -> None:
    assert regions([1, 0, 0, 0, 0, 2], [1.0] * 6) == [1, 1, 0, 0, 2, 2]


@pytest.mark.parametrize(("reach_mm", "expected"), [(0.0, [1, 0, 0, 0]), (4.0, [1, 1, 1, 0]), (9.0, [1, 1, 1, 1])])
def test_reach_is_in_millimetres(reach_mm: float, expected: list[int]) -> None:
    assert regions([1, 0, 0, 0], [1.0] * 4, reach_mm=reach_mm) == expected


def test_reach_follows_the_voxel_size() -> None:
    assert regions([1, 0, 0, 0], [1.0] * 4, affine=np.diag([1.0, 2, 2, 1])) == [1, 1, 1, 1]


def test_only_voxels_that_are_half_grey_join() -> None:
    assert regions([1, 0, 2, 0], [1.0, 0.49, 1.0, 0.5]) == [1, 0, 2, 2]


def test_labels_of_the_atlas_stay_whatever_their_tissue() -> None:
    assert regions([1, 2, 3, 0], [0.0, 0.2, 0.0, 0.0]) == [1, 2, 3, 0]


def test_nuclei_do_not_grow() -> None:
    assert regions([3, 0, 0], [1.0] * 3) == [3, 0, 0]


def test_image_without_cortex_stays_as_it_is() -> None:
    assert regions([3, 0, 3], [1.0] * 3, reach_mm=100.0) == [3, 0, 3]


def test_nothing_is_free_to_join() -> None:
    assert regions([1, 2, 3], [1.0] * 3) == [1, 2, 3]
    assert regions([1, 0, 2], [1.0, 0.0, 1.0]) == [1, 0, 2]


def test_nearest_parcel_is_the_nearest_in_millimetres(
    rng: np.random.Generator, awkward_affine: NDArray[np.float64]
) -> None:
    """Against all distances of a small oblique image, voxels of 1.5 x 2 x 3 mm."""
    data = np.zeros((9, 8, 7), np.int16)
    data[tuple(rng.integers(0, size, 12) for size in data.shape)] = np.tile([1, 2, 3], 4)
    carried = nib.Nifti1Image(data, awkward_affine)
    grey = nib.Nifti1Image(np.ones(data.shape, np.float32), awkward_affine)
    result = labels_of(label_regions(carried, grey, {}, LABELS, reach_mm=4.0))
    cortical = np.argwhere(np.isin(data, [1, 2]))
    for voxel in np.argwhere(data == 0):
        distances_mm = np.linalg.norm((cortical - voxel) * [1.5, 2.0, 3.0], axis=1)
        nearest = {int(data[tuple(at)]) for at in cortical[distances_mm < distances_mm.min() + 1e-9]}
        assert result[tuple(voxel)] in (nearest if distances_mm.min() <= 4 else {0})


def test_result_lies_on_the_grid_of_the_scan(
    rng: np.random.Generator, shape: tuple[int, ...], awkward_affine: NDArray[np.float64]
) -> None:
    carried = nib.Nifti1Image(rng.choice(np.array([0, 1, 2, 3], np.float32), shape), awkward_affine)
    grey = nib.Nifti1Image(rng.uniform(0, 1, shape).astype(np.float32), awkward_affine)
    result = label_regions(carried, grey, {}, LABELS, reach_mm=3.0)
    np.testing.assert_array_equal(result.affine, awkward_affine)
    assert result.get_data_dtype() == np.int16
    kept = labels_of(carried) > 0
    np.testing.assert_array_equal(labels_of(result)[kept], labels_of(carried)[kept])
    assert set(np.unique(labels_of(result)[~kept])) <= {0, 1, 2}


def test_images_must_share_one_grid(shape: tuple[int, ...]) -> None:
    carried, grey = (nib.Nifti1Image(np.zeros(shape, np.uint8), affine) for affine in (np.eye(4), AFFINE))
    with pytest.raises(GridMismatchError, match="Affines differ"):
        label_regions(carried, grey, {}, LABELS, reach_mm=3.0)


def test_interpolated_labels_are_refused(shape: tuple[int, ...]) -> None:
    carried, grey = (nib.Nifti1Image(np.full(shape, 0.5, np.float32), AFFINE) for _ in range(2))
    with pytest.raises(ImageError, match="fractions"):
        label_regions(carried, grey, {}, LABELS, reach_mm=3.0)


# --- structures found in the scan ---------------------------------------------------------------------------------


def test_found_structure_replaces_what_the_atlas_says_of_it() -> None:
    """Label 3 is carried to voxels 1 to 3 and found in 3 to 5: it lies there and nowhere else."""
    share = [0, 0, 0.4, 0.5, 1.0, 0.7, 0.49]
    assert regions([0, 3, 3, 3, 0, 0, 0], [0.0] * 7, found={3: share}) == [0, 0, 0, 3, 3, 3, 0]


def test_found_structure_takes_voxels_of_other_labels() -> None:
    assert regions([1, 1, 2, 2], [1.0] * 4, found={3: [0, 0.6, 0.6, 0]}, reach_mm=0.0) == [1, 3, 3, 2]


def test_grey_matter_that_a_structure_gave_up_joins_the_cortex() -> None:
    """As any grey matter that no label covers, and only within reach."""
    assert regions([1, 3, 3, 3], [1.0] * 4, found={3: [0, 0, 0, 1]}) == [1, 1, 0, 3]


def test_structure_that_was_not_found_leaves_no_label() -> None:
    assert regions([3, 3, 0], [0.0] * 3, found={3: [0, 0, 0]}) == [0, 0, 0]


def test_structures_that_are_not_given_stay_as_carried() -> None:
    assert regions([3, 4, 4], [0.0] * 3, found={3: [0, 0, 1]}) == [0, 4, 3]


def test_labels_of_the_atlas_are_left_as_they_were() -> None:
    carried = line([3, 3, 1], np.int16)
    label_regions(carried, line([1, 1, 1]), {3: line([0, 1, 0])}, LABELS, reach_mm=3.0)
    assert labels_of(carried).ravel().tolist() == [3, 3, 1]


def test_structures_must_share_the_grid(shape: tuple[int, ...]) -> None:
    carried, grey = (nib.Nifti1Image(np.zeros(shape, np.uint8), AFFINE) for _ in range(2))
    with pytest.raises(GridMismatchError, match="Affines differ"):
        label_regions(carried, grey, {3: nib.Nifti1Image(np.zeros(shape), np.eye(4))}, LABELS, reach_mm=3.0)


# --- overlap_with_atlas -------------------------------------------------------------------------------------------


def test_overlap_by_hand() -> None:
    """Minima 0.5 + 0.2, totals 1.5 + 1.0: 2 x 0.7 / 2.5 = 0.56."""
    assert overlap_with_atlas({7: line([1.0, 0.5, 0.0])}, {7: line([0.5, 0.2, 0.3])}) == pytest.approx(0.56)


def test_overlap_of_the_same_is_one_and_of_others_nothing() -> None:
    share = line([0.2, 0.9, 0.4, 0.0])
    assert overlap_with_atlas({7: share}, {7: share}) == pytest.approx(1)
    assert overlap_with_atlas({7: share}, {7: line([0, 0, 0, 1.0])}) == 0
    assert overlap_with_atlas({7: line([0.0] * 4)}, {7: line([0.0] * 4)}) == 0


def test_worst_structure_counts(rng: np.random.Generator) -> None:
    good, other = (line(rng.uniform(0, 1, 6).tolist()) for _ in range(2))
    alone = overlap_with_atlas({8: good}, {8: other})
    assert overlap_with_atlas({7: good, 8: good}, {7: good, 8: other}) == pytest.approx(alone)
    assert overlap_with_atlas({8: good, 7: good}, {7: other, 8: good, 9: other}) == pytest.approx(alone)


def test_overlap_needs_one_grid() -> None:
    with pytest.raises(GridMismatchError, match="Affines differ"):
        overlap_with_atlas({7: line([1.0, 0])}, {7: line([1.0, 0], affine=np.eye(4))})


# --- crop_to_structures -------------------------------------------------------------------------------------------


def test_box_holds_all_structures_and_a_margin() -> None:
    """Shares in voxels 4 and 7 of 2 mm; a margin of 3 mm is two voxels."""
    shares = {7: line([0, 0, 0, 0, 0.1, 0, 0, 0, 0, 0, 0, 0]), 8: line([0, 0, 0, 0, 0, 0, 0, 1.0, 0, 0, 0, 0])}
    cropped = crop_to_structures(shares, margin_mm=3.0)
    assert [array_of(cropped[label]).ravel().tolist() for label in (7, 8)] == [
        pytest.approx([0, 0, 0.1, 0, 0, 0, 0, 0]), [0, 0, 0, 0, 0, 1, 0, 0],
    ]  # fmt: skip
    assert cropped[7].affine[0, 3] == 4.0


def test_box_does_not_change_the_overlap(rng: np.random.Generator, awkward_affine: NDArray[np.float64]) -> None:
    share = np.zeros((20, 22, 24), np.float32)
    share[6:11, 9:13, 10:18] = rng.uniform(0, 1, (5, 4, 8))
    expected = np.roll(share, 2, axis=1)
    images = [{7: nib.Nifti1Image(data, awkward_affine)} for data in (share, expected)]
    near = crop_to_structures(images[0], margin_mm=8.0)
    inverse = np.linalg.inv(awkward_affine)
    start = np.rint(inverse @ near[7].affine[:, 3])[:3].astype(int)
    box = tuple(slice(at, at + size) for at, size in zip(start, near[7].shape, strict=True))
    cut = {7: images[1][7].slicer[box]}
    assert overlap_with_atlas(near, cut) == pytest.approx(overlap_with_atlas(*images))
    assert np.prod(near[7].shape) < share.size / 2


def test_nothing_to_crop_to_is_refused() -> None:
    with pytest.raises(ImageError, match="is empty"):
        crop_to_structures({7: line([0.0, 0.0])}, margin_mm=3.0)
