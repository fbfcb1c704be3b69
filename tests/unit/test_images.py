"""Images on disk and their grids: what is written comes back, and what is broken is refused with a reason."""

import stat
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from nibabel.nifti1 import Nifti1Image
from numpy.typing import NDArray

from morpho.errors import GridMismatchError, ImageError
from morpho.images import (
    array_of,
    bounding_box,
    check_same_grid,
    labels_of,
    like,
    load_image,
    mask_of,
    save_image,
    voxel_volume_mm3,
)

Affine = NDArray[np.float64]
SCAN_SHAPE = (25, 30, 36)


def scan_data(rng: np.random.Generator) -> NDArray[np.int16]:
    return rng.integers(0, 1000, SCAN_SHAPE).astype(np.int16)


def write(image: Nifti1Image, path: Path) -> Path:
    image.to_filename(path)
    return path


# --- load_image ---------------------------------------------------------------------------------------------------


def test_loaded_image_has_the_values_on_disk(tmp_path: Path, rng: np.random.Generator, awkward_affine: Affine) -> None:
    data = scan_data(rng)
    loaded = load_image(write(nib.Nifti1Image(data, awkward_affine), tmp_path / "a.nii.gz"))
    np.testing.assert_array_equal(np.asanyarray(loaded.dataobj), data)
    np.testing.assert_allclose(loaded.affine, awkward_affine, atol=1e-5)


def test_image_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.nii.gz").write_bytes(b"no image")
    with pytest.raises(ImageError, match=r"a\.nii\.gz cannot be read as NIfTI"):
        load_image(tmp_path / "a.nii.gz")


# --- grids --------------------------------------------------------------------------------------------------------


def test_volume_of_an_oblique_voxel(shape: tuple[int, ...], awkward_affine: Affine) -> None:
    assert voxel_volume_mm3(nib.Nifti1Image(np.zeros(shape, np.uint8), awkward_affine)) == pytest.approx(9.0)


def test_volume_of_a_sheared_voxel_is_its_determinant(shape: tuple[int, ...]) -> None:
    sheared = np.array([[2.0, 1, 0, 0], [0, 2, 0, 0], [0, 0, 2, 0], [0, 0, 0, 1]])
    assert voxel_volume_mm3(nib.Nifti1Image(np.zeros(shape, np.uint8), sheared)) == pytest.approx(8.0)


def test_one_grid_may_differ_by_a_thousandth_of_a_millimetre(shape: tuple[int, ...], awkward_affine: Affine) -> None:
    image = nib.Nifti1Image(np.zeros(shape, np.uint8), awkward_affine)
    shifted = awkward_affine.copy()
    shifted[0, 3] += 0.9e-3
    check_same_grid(image, nib.Nifti1Image(np.zeros((*shape, 1), np.float32), shifted))
    shifted[0, 3] += 0.2e-3
    with pytest.raises(GridMismatchError, match=r"differ by 0.0011 mm"):
        check_same_grid(image, image, nib.Nifti1Image(np.zeros(shape, np.uint8), shifted))


def test_different_shapes_are_no_grid(shape: tuple[int, ...], awkward_affine: Affine) -> None:
    images = [nib.Nifti1Image(np.zeros(size, np.uint8), awkward_affine) for size in (shape, shape[::-1])]
    with pytest.raises(GridMismatchError, match=r"\(7, 8, 9\) and \(9, 8, 7\)"):
        check_same_grid(*images)


def test_mask_is_what_is_above_zero(awkward_affine: Affine) -> None:
    image = nib.Nifti1Image(np.array([[[0.0, 0.2, 1.0, -1.0]]], np.float32), awkward_affine)
    assert mask_of(image).tolist() == [[[False, True, True, False]]]


def test_labels_are_whole_numbers(awkward_affine: Affine) -> None:
    image = nib.Nifti1Image(np.array([[[0.0, 3.0, 1034.0]]], np.float32), awkward_affine)
    assert labels_of(image).tolist() == [[[0, 3, 1034]]]
    assert labels_of(image).dtype == np.int32


@pytest.mark.parametrize("value", [0.5, np.nan, np.inf, 3e9])
def test_interpolated_labels_are_refused(awkward_affine: Affine, value: float) -> None:
    with pytest.raises(ImageError, match="holds fractions"):
        labels_of(nib.Nifti1Image(np.array([[[1.0, value]]], np.float32), awkward_affine))


def test_image_like_another_lies_on_its_grid(shape: tuple[int, ...], awkward_affine: Affine) -> None:
    image = nib.Nifti1Image(np.zeros(shape, np.uint8), awkward_affine)
    made = like(image, np.ones(shape, np.float32))
    check_same_grid(image, made)
    assert array_of(made).sum() == np.prod(shape)


def test_box_is_tight_and_its_margin_ends_at_the_image(shape: tuple[int, ...]) -> None:
    mask = np.zeros(shape, bool)
    mask[2, 3:6, 7] = True
    mask[4, 4, 8] = True
    assert bounding_box(mask, np.zeros(3, int)) == (slice(2, 5), slice(3, 6), slice(7, 9))
    assert bounding_box(mask, np.array([1, 9, 2])) == (slice(1, 6), slice(0, 8), slice(5, 9))


def test_empty_mask_has_no_box(shape: tuple[int, ...]) -> None:
    with pytest.raises(ImageError, match=r"mask of shape \(7, 8, 9\) is empty"):
        bounding_box(np.zeros(shape, bool), np.zeros(3, int))


# --- save_image ---------------------------------------------------------------------------------------------------


def test_probabilities_are_stored_to_half_a_step(
    tmp_path: Path, rng: np.random.Generator, shape: tuple[int, ...], awkward_affine: Affine
) -> None:
    values = rng.uniform(0, 1, shape).astype(np.float32)
    values[0, 0, :2] = 0, 1
    save_image(nib.Nifti1Image(values, awkward_affine), tmp_path / "new" / "a.nii.gz", kind="probability")
    back = load_image(tmp_path / "new" / "a.nii.gz")
    assert back.get_data_dtype() == np.uint8
    np.testing.assert_allclose(array_of(back), values, atol=0.5 / 255 + 1e-6)
    assert array_of(back)[0, 0, :2].tolist() == pytest.approx([0, 1], abs=1e-6)


def test_intensities_are_stored_to_half_a_step(
    tmp_path: Path, rng: np.random.Generator, shape: tuple[int, ...], awkward_affine: Affine
) -> None:
    values = rng.normal(400, 300, shape).astype(np.float32)
    save_image(nib.Nifti1Image(values, awkward_affine), tmp_path / "a.nii.gz", kind="intensity")
    back = load_image(tmp_path / "a.nii.gz")
    assert back.get_data_dtype() == np.int16
    np.testing.assert_allclose(array_of(back), values, atol=0.51 * np.abs(values).max() / 32767)


@pytest.mark.parametrize(
    ("values", "stored"),
    [([0, 255], np.uint8), ([0, 256], np.int16), ([-1, 4], np.int16), ([0, 40000], np.int32), ([0.0, 7.0], np.uint8)],
)
def test_labels_are_stored_exactly(tmp_path: Path, values: list[float], stored: type[np.generic]) -> None:
    data = np.array([[values]], np.float32 if isinstance(values[0], float) else np.int32)
    save_image(nib.Nifti1Image(data, np.eye(4)), tmp_path / "a.nii.gz", kind="label")
    back = load_image(tmp_path / "a.nii.gz")
    assert back.get_data_dtype() == stored
    assert labels_of(back).tolist() == [[values]]


def test_fractions_are_no_labels(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="holds fractions"):
        save_image(nib.Nifti1Image(np.array([[[0.5]]]), np.eye(4)), tmp_path / "a.nii.gz", kind="label")
    assert not list(tmp_path.iterdir())


def test_both_forms_of_the_geometry_are_written(tmp_path: Path, shape: tuple[int, ...], awkward_affine: Affine) -> None:
    save_image(nib.Nifti1Image(np.zeros(shape, np.uint8), awkward_affine), tmp_path / "a.nii.gz", kind="label")
    header = load_image(tmp_path / "a.nii.gz").header
    for form, code in (header.get_sform(coded=True), header.get_qform(coded=True)):
        assert code == 1
        np.testing.assert_allclose(form, awkward_affine, atol=1e-4)
    assert header.get_xyzt_units() == ("mm", "sec")


def test_equal_images_have_equal_bytes(tmp_path: Path, rng: np.random.Generator, shape: tuple[int, ...]) -> None:
    image = nib.Nifti1Image(rng.uniform(0, 1, shape).astype(np.float32), np.eye(4))
    for name in ("a.nii.gz", "another_name.nii.gz"):
        save_image(image, tmp_path / name, kind="probability")
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "another_name.nii.gz").read_bytes()


def test_written_image_has_the_usual_permissions(tmp_path: Path, shape: tuple[int, ...]) -> None:
    (tmp_path / "usual").touch()
    save_image(nib.Nifti1Image(np.zeros(shape, np.uint8), np.eye(4)), tmp_path / "a.nii.gz", kind="label")
    assert stat.S_IMODE((tmp_path / "a.nii.gz").stat().st_mode) == stat.S_IMODE((tmp_path / "usual").stat().st_mode)


def test_failed_write_leaves_the_earlier_image_alone(
    tmp_path: Path, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        message = "disk full"
        raise OSError(message)

    path = tmp_path / "a.nii.gz"
    save_image(nib.Nifti1Image(np.ones(shape, np.uint8), np.eye(4)), path, kind="label")
    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        save_image(nib.Nifti1Image(np.zeros(shape, np.uint8), np.eye(4)), path, kind="label")
    assert labels_of(load_image(path)).sum() == np.prod(shape)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.nii.gz"]
