"""Raw scans: what is measured is what the scanner wrote, and what cannot be measured is refused with a reason."""

import struct
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from nibabel.nifti1 import Nifti1Image
from nibabel.orientations import aff2axcodes, apply_orientation, axcodes2ornt, io_orientation, ornt_transform
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from morpho.errors import EmptyImageError, ImageError, OrientationError
from morpho.images import array_of
from morpho.t1w import load_t1w

Affine = NDArray[np.float64]
SCAN_SHAPE = (25, 30, 36)


def scan_data(rng: np.random.Generator) -> NDArray[np.int16]:
    return rng.integers(0, 1000, SCAN_SHAPE).astype(np.int16)


def write(image: Nifti1Image, path: Path) -> Path:
    image.to_filename(path)
    return path


def store(data: NDArray[np.int16], affine: Affine, path: Path, *, sform: int = 1, qform: int = 1) -> Path:
    image = nib.Nifti1Image(data, affine)
    image.set_sform(affine, code=sform)
    image.set_qform(affine, code=qform)
    return write(image, path)


def stored_as(codes: str, data: NDArray[np.int16], affine: Affine) -> tuple[NDArray[np.int16], Affine]:
    """Store the same voxels with their axes in another order."""
    turn = ornt_transform(io_orientation(affine), axcodes2ornt(codes))
    return apply_orientation(data, turn), affine @ nib.orientations.inv_ornt_aff(turn, data.shape)


def test_clean_scan_comes_without_notes(tmp_path: Path, rng: np.random.Generator) -> None:
    data = scan_data(rng)
    scan, notes = load_t1w(store(data, np.diag([1.0, 1.5, 2.0, 1.0]), tmp_path / "a.nii"))
    assert notes == []
    assert array_of(scan).dtype == np.float32
    np.testing.assert_array_equal(array_of(scan), data)


@pytest.mark.parametrize("codes", ["LAS", "PSR", "LPI", "SAL", "IRP"])
def test_order_of_axes_on_disk_does_not_matter(
    tmp_path: Path, rng: np.random.Generator, awkward_affine: Affine, codes: str
) -> None:
    data = scan_data(rng)
    first, _ = load_t1w(store(data, awkward_affine, tmp_path / "a.nii"))
    turned, turned_affine = stored_as(codes, data, awkward_affine)
    assert "".join(aff2axcodes(turned_affine)) == codes
    second, notes = load_t1w(store(turned, turned_affine, tmp_path / "b.nii"))
    assert "".join(aff2axcodes(second.affine)) == "RAS"
    assert notes == []
    np.testing.assert_array_equal(array_of(first), array_of(second))
    np.testing.assert_allclose(first.affine, second.affine, atol=1e-3)


def test_each_voxel_stays_where_it_was_in_the_world(
    tmp_path: Path, rng: np.random.Generator, awkward_affine: Affine
) -> None:
    data = scan_data(rng)
    data[3, 20, 7] = 5000
    scan, _ = load_t1w(store(data, awkward_affine, tmp_path / "a.nii"))
    brightest = np.array(np.unravel_index(array_of(scan).argmax(), scan.shape))
    expected = awkward_affine @ [3, 20, 7, 1]
    np.testing.assert_allclose(scan.affine @ [*brightest, 1], expected, atol=1e-3)


def test_scaling_in_the_header_is_applied(tmp_path: Path, rng: np.random.Generator) -> None:
    image = nib.Nifti1Image(scan_data(rng), np.eye(4))
    image.header.set_slope_inter(0.5, 3)
    scan, _ = load_t1w(write(image, tmp_path / "a.nii"))
    np.testing.assert_allclose(array_of(scan), 0.5 * np.asarray(image.dataobj) + 3)


def test_trailing_axes_of_one_are_dropped_with_a_note(tmp_path: Path, rng: np.random.Generator) -> None:
    data = scan_data(rng)
    scan, notes = load_t1w(store(data[..., None], np.eye(4), tmp_path / "a.nii"))
    assert scan.shape == SCAN_SHAPE
    assert notes == ["dropped trailing axes of shape (1,)"]


def test_broken_values_become_zero_and_are_counted(tmp_path: Path, rng: np.random.Generator) -> None:
    data = scan_data(rng).astype(np.float32) + 1
    data[0, 0, :3] = np.nan, np.inf, -np.inf
    data[0, 1, 0] = -4
    scan, notes = load_t1w(write(nib.Nifti1Image(data, np.eye(4)), tmp_path / "a.nii"))
    assert notes == ["3 voxels were NaN or infinite and are now 0", "1 voxels were negative and are now 0"]
    assert (array_of(scan) == 0).sum() == 4


def test_qform_serves_where_there_is_no_sform(tmp_path: Path, rng: np.random.Generator, awkward_affine: Affine) -> None:
    path = store(scan_data(rng), awkward_affine, tmp_path / "a.nii", sform=0)
    scan, notes = load_t1w(path)
    assert notes == ["no sform; the qform gives the geometry"]
    both, _ = load_t1w(store(scan_data(rng), awkward_affine, tmp_path / "b.nii"))
    np.testing.assert_allclose(scan.affine, both.affine, atol=1e-3)


def test_sform_wins_over_a_qform_that_is_turned_a_little(tmp_path: Path, rng: np.random.Generator) -> None:
    turned = np.eye(4)
    turned[:3, :3] = Rotation.from_euler("z", 5, degrees=True).as_matrix()
    image = nib.Nifti1Image(scan_data(rng), np.eye(4))
    image.set_sform(np.eye(4), code=1)
    image.set_qform(turned, code=1)
    scan, notes = load_t1w(write(image, tmp_path / "a.nii"))
    assert notes == ["sform and qform differ by a rotation; the sform is used"]
    np.testing.assert_array_equal(scan.affine, np.eye(4))


def test_equal_forms_near_45_degrees_do_not_contradict_each_other(tmp_path: Path, rng: np.random.Generator) -> None:
    image = nib.Nifti1Image(scan_data(rng), np.eye(4))
    for degrees, set_form in ((45.05, image.set_sform), (44.95, image.set_qform)):
        form = np.eye(4)
        form[:3, :3] = Rotation.from_euler("z", degrees, degrees=True).as_matrix()
        set_form(form, code=1)
    assert load_t1w(write(image, tmp_path / "a.nii"))[1] == []


def test_broken_qform_is_noted_where_an_sform_is_there(tmp_path: Path, rng: np.random.Generator) -> None:
    path = store(scan_data(rng), np.eye(4), tmp_path / "a.nii")
    content = bytearray(path.read_bytes())
    content[256:268] = struct.pack("<3f", 0.9, 0.9, 0.9)
    path.write_bytes(content)
    scan, notes = load_t1w(path)
    assert [note[:20] for note in notes] == ["the qform is broken "]
    np.testing.assert_array_equal(scan.affine, np.eye(4))


def test_scan_without_orientation_is_refused(tmp_path: Path, rng: np.random.Generator) -> None:
    path = store(scan_data(rng), np.eye(4), tmp_path / "a.nii", sform=0, qform=0)
    with pytest.raises(OrientationError, match="nothing about its orientation"):
        load_t1w(path)


def test_forms_that_disagree_about_left_and_right_are_refused(tmp_path: Path, rng: np.random.Generator) -> None:
    image = nib.Nifti1Image(scan_data(rng), np.eye(4))
    image.set_sform(np.eye(4), code=1)
    image.set_qform(np.diag([-1.0, 1, 1, 1]), code=1)
    with pytest.raises(OrientationError, match=r"disagree about the axes \(RAS against LAS\)"):
        load_t1w(write(image, tmp_path / "a.nii"))


@pytest.mark.parametrize(
    ("diagonal", "reason"),
    [
        ([1.0, 1.0, 0.0, 1.0], "singular sform"),
        ([np.nan, 1.0, 1.0, 1.0], "singular sform"),
        ([1.0, 1.0, 7.0, 1.0], r"voxels of \[1.0, 1.0, 7.0\] mm; 0.2 to 5.0 mm"),
        ([0.1, 1.0, 1.0, 1.0], "0.2 to 5.0 mm"),
    ],
)
def test_impossible_geometry_is_refused(
    tmp_path: Path, rng: np.random.Generator, diagonal: list[float], reason: str
) -> None:
    image = nib.Nifti1Image(scan_data(rng), None)
    image.header.set_sform(np.diag(diagonal), code=1)
    path = tmp_path / "a.nii"
    path.write_bytes(image.to_bytes())
    with pytest.raises(ImageError, match=reason):
        load_t1w(path)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (np.ones((30, 30)), "one volume"),
        (np.ones((30, 30, 30, 2)), "one volume"),
        (np.ones((30, 30, 12)), r"shape \(30, 30, 12\), a slab"),
        (np.zeros((30, 30, 30)), r"one value only \(0.0\)"),
        (np.full((30, 30, 30), np.nan), r"one value only \(0.0\)"),
        (np.ones((30, 30, 30), np.complex64), "complex64 values"),
        (np.zeros((30, 30, 30), [("R", "u1"), ("G", "u1"), ("B", "u1")]), "a magnitude image of plain numbers"),
    ],
)
def test_what_is_no_t1w_scan_is_refused(tmp_path: Path, data: NDArray[np.generic], reason: str) -> None:
    stored = data.astype(np.float32) if data.dtype == np.float64 else data
    with pytest.raises(ImageError, match=reason):
        load_t1w(write(nib.Nifti1Image(stored, np.eye(4)), tmp_path / "a.nii"))


def test_image_without_signal_is_known_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(EmptyImageError):
        load_t1w(write(nib.Nifti1Image(np.zeros((30, 30, 30), np.float32), np.eye(4)), tmp_path / "a.nii"))


@pytest.mark.parametrize("name", ["ds002748", "ds000011"])
def test_real_scans_are_loaded(shared_data: Path, name: str) -> None:
    paths = sorted((shared_data / name).glob("sub-*/anat/*_T1w.nii.gz"))
    if not paths:
        pytest.skip(f"no real scans: {name} is not in MORPHO_TEST_DATA")
    scan, _ = load_t1w(paths[0])
    assert "".join(aff2axcodes(scan.affine)) == "RAS"
    assert np.isfinite(array_of(scan)).all()
