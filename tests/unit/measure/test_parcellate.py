"""Region labels: kept where the atlas has them, and stretched over the grey ribbon next to them."""

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from morpho.errors import GridMismatchError, ImageError
from morpho.images import labels_of
from morpho.measure.parcellate import label_regions

# A line of voxels, 2 mm apart: cortex 1, free voxels, cortex 2, a nucleus 3.
AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])
LABELS = pd.DataFrame({"index": [1, 2, 3], "tissue": ["cortex", "cortex", "subcortex"]})


def regions(
    carried: list[int], grey: list[float], *, reach_mm: float = 3.0, affine: NDArray[np.float64] = AFFINE
) -> list[int]:
    images = [
        nib.Nifti1Image(np.array(values, kind).reshape(-1, 1, 1), affine)
        for values, kind in ((carried, np.int16), (grey, np.float32))
    ]
    return labels_of(label_regions(images[0], images[1], LABELS, reach_mm=reach_mm)).ravel().tolist()


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


def test_result_lies_on_the_grid_of_the_scan(
    rng: np.random.Generator, shape: tuple[int, ...], awkward_affine: NDArray[np.float64]
) -> None:
    carried = nib.Nifti1Image(rng.choice(np.array([0, 1, 2, 3], np.float32), shape), awkward_affine)
    grey = nib.Nifti1Image(rng.uniform(0, 1, shape).astype(np.float32), awkward_affine)
    result = label_regions(carried, grey, LABELS, reach_mm=3.0)
    np.testing.assert_array_equal(result.affine, awkward_affine)
    assert result.get_data_dtype() == np.int16
    kept = labels_of(carried) > 0
    np.testing.assert_array_equal(labels_of(result)[kept], labels_of(carried)[kept])
    assert set(np.unique(labels_of(result)[~kept])) <= {0, 1, 2}


def test_images_must_share_one_grid(shape: tuple[int, ...]) -> None:
    carried, grey = (nib.Nifti1Image(np.zeros(shape, np.uint8), affine) for affine in (np.eye(4), AFFINE))
    with pytest.raises(GridMismatchError, match="Affines differ"):
        label_regions(carried, grey, LABELS, reach_mm=3.0)


def test_interpolated_labels_are_refused(shape: tuple[int, ...]) -> None:
    carried, grey = (nib.Nifti1Image(np.full(shape, 0.5, np.float32), AFFINE) for _ in range(2))
    with pytest.raises(ImageError, match="fractions"):
        label_regions(carried, grey, LABELS, reach_mm=3.0)
