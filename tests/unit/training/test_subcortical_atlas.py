"""The shipped subcortical atlas: whole, on the template, each side where it belongs, sizes of real structures."""

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from nibabel.nifti1 import Nifti1Image
from numpy.typing import NDArray

from morpho.atlas import TEMPLATE_SPACE, Template, file_sha256, find_data_file
from morpho.images import array_of, load_image

SIDES = ("hippocampus_L", "hippocampus_R", "amygdala_L", "amygdala_R")
MAPS = (*SIDES, "deep_grey_matter")
OTHER_SIDE = [1, 0, 3, 2, 4]


@pytest.fixture(scope="module")
def atlas_file() -> Path:
    return find_data_file("morpho:weights/subcortical_atlas.nii.gz")


@pytest.fixture(scope="module")
def image(atlas_file: Path) -> Nifti1Image:
    return load_image(atlas_file)


@pytest.fixture(scope="module")
def description() -> dict[str, Any]:
    text = find_data_file("morpho:weights/subcortical_atlas.json").read_text()
    return dict(json.loads(text))


@pytest.fixture(scope="module")
def shares(image: Nifti1Image) -> NDArray[np.float32]:
    """Shares of shape (X, Y, Z, structures)."""
    return array_of(image)


def centres_mm(image: Nifti1Image, shares: NDArray[np.float32]) -> dict[str, NDArray[np.float64]]:
    """Centre of each map, weighted by share (mm, RAS+)."""
    voxels = np.indices(shares.shape[:3]).reshape(3, -1)
    weights = shares.reshape(-1, len(MAPS)).astype(np.float64)
    centres = (voxels @ weights / weights.sum(axis=0)).T @ image.affine[:3, :3].T + image.affine[:3, 3]
    return dict(zip(MAPS, centres, strict=True))


def test_description_says_what_the_file_is(atlas_file: Path, description: dict[str, Any]) -> None:
    assert description["sha256"] == file_sha256(atlas_file)
    assert tuple(description["maps"]) == MAPS
    assert TEMPLATE_SPACE in description["template"]
    assert description["source"]["licence"] == "Apache-2.0"
    assert "10.1016/j.media.2023.102789" in description["source"]["reference"]


def test_no_held_out_map_was_used(description: dict[str, Any]) -> None:
    used, held_out = description["label_maps"], description["held_out"]
    assert not set(used) & set(held_out)
    assert len(used) == len(set(used)) == description["n_label_maps"]
    assert len(used) + len(held_out) == 20


def test_atlas_lies_on_the_grid_of_the_template(image: Nifti1Image, template: Template) -> None:
    assert image.shape[3] == len(MAPS)
    assert nib.aff2axcodes(image.affine) == ("R", "A", "S")
    np.testing.assert_array_equal(image.affine[:3, :3], np.eye(3))
    first = image.affine[:3, 3] - template.t1w.affine[:3, 3]
    np.testing.assert_array_equal(first, np.rint(first))
    assert (first >= 0).all()
    assert (first + image.shape[:3] <= template.t1w.shape).all()


def test_atlas_is_small(atlas_file: Path, image: Nifti1Image) -> None:
    assert image.get_data_dtype() == np.uint8
    assert atlas_file.stat().st_size < 300_000


def test_shares_are_shares(image: Nifti1Image, shares: NDArray[np.float32]) -> None:
    assert shares.min() == 0
    assert 0.9 < shares.max() <= 1
    # Sums of the stored whole numbers are exact: 255 is a share of 1.
    assert np.asarray(image.dataobj.get_unscaled()).sum(axis=3, dtype=int).max() <= 255


def test_edge_is_empty(shares: NDArray[np.float32]) -> None:
    for axis in range(3):
        edge = np.take(shares, [0, 1, -2, -1], axis=axis)
        assert edge.max() == 0


def test_sides_mirror_each_other(image: Nifti1Image, shares: NDArray[np.float32]) -> None:
    middle = image.affine[0, 3] + (image.shape[0] - 1) / 2
    assert middle == 0
    np.testing.assert_array_equal(shares[::-1], shares[..., OTHER_SIDE])


def test_each_structure_lies_on_its_side(image: Nifti1Image, shares: NDArray[np.float32]) -> None:
    x_mm = image.affine[0, 3] + np.arange(image.shape[0])
    for number, name in enumerate(SIDES):
        of_its_side = x_mm < 0 if name.endswith("_L") else x_mm > 0
        assert shares[of_its_side, ..., number].sum() > 0.999 * shares[..., number].sum()


def test_structures_lie_where_anatomy_has_them(image: Nifti1Image, shares: NDArray[np.float32]) -> None:
    centres = centres_mm(image, shares)
    for side in "LR":
        hippocampus, amygdala = centres[f"hippocampus_{side}"], centres[f"amygdala_{side}"]
        assert 18 < abs(hippocampus[0]) < 34
        assert 18 < abs(amygdala[0]) < 34
        assert amygdala[1] > hippocampus[1] + 10  # the amygdala lies in front
        assert centres["deep_grey_matter"][2] > amygdala[2] + 10  # and both lie below the deep nuclei
    assert centres["deep_grey_matter"][0] == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(
    ("name", "low_ml", "high_ml"),
    [("hippocampus", 3.5, 5.0), ("amygdala", 1.4, 2.3)],
)
def test_volumes_are_those_of_freesurfer(
    shares: NDArray[np.float32], description: dict[str, Any], name: str, low_ml: float, high_ml: float
) -> None:
    # FreeSurfer's sizes in adults, times the template's being about a quarter larger than a person's brain.
    for side in "LR":
        number = MAPS.index(f"{name}_{side}")
        volume_mm3 = shares[..., number].sum(dtype=np.float64)
        assert low_ml < volume_mm3 / 1000 < high_ml
        assert volume_mm3 == pytest.approx(description["expected_volumes_mm3"][f"{name}_{side}"], abs=1)


def test_structures_lie_in_grey_matter_of_the_template(
    image: Nifti1Image, shares: NDArray[np.float32], template: Template
) -> None:
    first = np.rint(image.affine[:3, 3] - template.t1w.affine[:3, 3]).astype(int)
    box = tuple(slice(start, start + size) for start, size in zip(first, image.shape, strict=False))
    grey = array_of(template.grey_matter)[box]
    for name in SIDES:
        assert grey[shares[..., MAPS.index(name)] > 0.5].mean() > 0.7


def test_people_agree_with_the_atlas_of_the_others(description: dict[str, Any]) -> None:
    assert set(description["leave_one_out_dice"]) == set(MAPS)
    assert min(description["leave_one_out_dice"].values()) > 0.7
