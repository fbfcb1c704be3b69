"""Raw scans: what is measured is what the scanner wrote, and what cannot be measured is refused with a reason."""

import struct
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from nibabel.nifti1 import Nifti1Image
from nibabel.orientations import aff2axcodes, apply_orientation, axcodes2ornt, io_orientation, ornt_transform
from numpy.typing import NDArray

from morpho.errors import EmptyImageError, ImageError, OrientationError
from morpho.images import array_of
from morpho.t1w import load_t1w

Affine = NDArray[np.float64]
SCAN_SHAPE = (50, 40, 36)  # with the voxels of `BOX` or `awkward_affine` as large as a head
BOX = np.diag([2.0, 2.0, 2.0, 1.0])
SLOPE = 112  # where the header holds scl_slope and scl_inter


def scan_data(rng: np.random.Generator) -> NDArray[np.int16]:
    return rng.integers(0, 1000, SCAN_SHAPE).astype(np.int16)


def write(image: Nifti1Image, path: Path) -> Path:
    image.to_filename(path)
    return path


def store(data: NDArray[np.int16], affine: Affine, path: Path) -> Path:
    image = nib.Nifti1Image(data, affine)
    image.set_sform(affine, code=1)
    image.set_qform(affine, code=1)
    return write(image, path)


def stored_as(codes: str, data: NDArray[np.int16], affine: Affine) -> tuple[NDArray[np.int16], Affine]:
    """Store the same voxels with their axes in another order."""
    turn = ornt_transform(io_orientation(affine), axcodes2ornt(codes))
    return apply_orientation(data, turn), affine @ nib.orientations.inv_ornt_aff(turn, data.shape)


def test_clean_scan_comes_without_notes(tmp_path: Path, rng: np.random.Generator) -> None:
    data = scan_data(rng)
    scan, notes = load_t1w(store(data, np.diag([2.0, 2.5, 3.0, 1.0]), tmp_path / "a.nii"))
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
    image = nib.Nifti1Image(scan_data(rng), BOX)
    image.header.set_slope_inter(0.5, 3)
    scan, _ = load_t1w(write(image, tmp_path / "a.nii"))
    np.testing.assert_allclose(array_of(scan), 0.5 * np.asarray(image.dataobj) + 3)


def test_trailing_axes_of_one_are_dropped_with_a_note(tmp_path: Path, rng: np.random.Generator) -> None:
    data = scan_data(rng)
    scan, notes = load_t1w(store(data[..., None], BOX, tmp_path / "a.nii"))
    assert scan.shape == SCAN_SHAPE
    assert notes == ["dropped trailing axes of shape (1,)"]


def test_broken_values_become_zero_and_are_counted(tmp_path: Path, rng: np.random.Generator) -> None:
    data = scan_data(rng).astype(np.float32) + 1
    data[0, 0, :3] = np.nan, np.inf, -np.inf
    data[0, 1, 0] = -4
    scan, notes = load_t1w(write(nib.Nifti1Image(data, BOX), tmp_path / "a.nii"))
    assert notes == ["3 voxels were NaN or infinite and are now 0", "1 voxels were negative and are now 0"]
    assert (array_of(scan) == 0).sum() == 4


def test_a_few_negative_voxels_are_noise(tmp_path: Path, rng: np.random.Generator) -> None:
    """Half of the air of a head is below 0, by a few percent of its signal, after some filters."""
    data = rng.normal(0, 20, SCAN_SHAPE).astype(np.float32)
    data[15:35, 10:30, 8:28] += 600
    scan, notes = load_t1w(write(nib.Nifti1Image(data, BOX), tmp_path / "a.nii"))
    assert notes == [f"{int((data < 0).sum())} voxels were negative and are now 0"]
    np.testing.assert_array_equal(array_of(scan), np.maximum(data, 0))


@pytest.mark.parametrize("sign", [1, -1])
def test_image_around_zero_is_no_magnitude_image(tmp_path: Path, rng: np.random.Generator, sign: int) -> None:
    """To cut off half of the values of a standardised or an uncombined image would leave half a brain."""
    data = scan_data(rng).astype(np.float32)
    data = sign * (data - data.mean()) / data.std()
    with pytest.raises(ImageError, match=r"no magnitude image: 50 % of its signal is negative \(down to -1\.\d+\)"):
        load_t1w(write(nib.Nifti1Image(data, BOX), tmp_path / "a.nii"))


@pytest.mark.parametrize("stored", [np.uint8, np.int32, np.int64, np.uint16, np.float32, np.float64, ">i2", ">f8"])
def test_type_of_the_stored_numbers_does_not_matter(tmp_path: Path, rng: np.random.Generator, stored: str) -> None:
    data = rng.integers(0, 250, SCAN_SHAPE)
    scan, notes = load_t1w(write(nib.Nifti1Image(data.astype(stored), BOX, dtype=stored), tmp_path / "a.nii.gz"))
    assert notes == []
    np.testing.assert_array_equal(array_of(scan), data)
    assert array_of(scan).dtype == np.dtype(np.float32)


@pytest.mark.parametrize("slope", [0.0, np.nan, np.inf])
def test_scaling_that_is_none_leaves_values_as_they_are_stored(
    tmp_path: Path, rng: np.random.Generator, slope: float
) -> None:
    data = scan_data(rng)
    content = bytearray(nib.Nifti1Image(data, BOX).to_bytes())
    content[SLOPE : SLOPE + 8] = struct.pack("<2f", slope, 7)
    (tmp_path / "a.nii").write_bytes(content)
    scan, notes = load_t1w(tmp_path / "a.nii")
    np.testing.assert_array_equal(array_of(scan), data)
    assert notes == (["the header scales values by inf; they are taken as they are stored"] if slope == np.inf else [])


def test_what_single_precision_cannot_hold_is_broken(tmp_path: Path, rng: np.random.Generator) -> None:
    data = scan_data(rng).astype(np.float64)
    data[3, 4, 5] = 1e300
    scan, notes = load_t1w(write(nib.Nifti1Image(data, BOX), tmp_path / "a.nii"))
    assert notes == ["1 voxels were NaN or infinite and are now 0"]
    assert array_of(scan)[3, 4, 5] == 0


@pytest.mark.parametrize(
    ("slope", "inter", "reason"),
    [
        (1e20, 0, r"values up to 9\.\d+e\+22; 1e-09 to 1e\+12 can be measured.*scl_slope"),
        (1e-20, 0, r"values up to 9\.\d+e-18; .*scl_slope"),
        (1, 2000, r"values from 2000 to 2999, none near 0.*scl_inter"),
        (1, 1e9, r"values from 1e\+09 to 1e\+09, none near 0.*scl_inter"),
        (1, 1e30, r"one value only \(1\.0\d+e\+30\)"),
        (1e38, 0, r"values up to 3e\+38"),
    ],
)
def test_scaling_that_hides_the_signal_is_refused(
    tmp_path: Path, rng: np.random.Generator, slope: float, inter: float, reason: str
) -> None:
    image = nib.Nifti1Image(scan_data(rng), BOX)
    image.header.set_slope_inter(slope, inter)
    content = bytearray(image.to_bytes())
    content[SLOPE : SLOPE + 8] = struct.pack("<2f", slope, inter)
    (tmp_path / "a.nii").write_bytes(content)
    with pytest.raises(ImageError, match=reason):
        load_t1w(tmp_path / "a.nii")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (np.ones((50, 50)), "one volume"),
        (np.ones((*SCAN_SHAPE, 2)), r"shape \(50, 40, 36, 2\); a T1w scan is one volume"),
        (np.ones((50, 40, 12)), r"shape \(50, 40, 12\), a slab"),
        (np.zeros(SCAN_SHAPE), r"one value only \(0.0\)"),
        (np.full(SCAN_SHAPE, np.nan), "no finite value"),
        (np.ones(SCAN_SHAPE, np.complex64), "complex64 values"),
        (np.zeros(SCAN_SHAPE, [("R", "u1"), ("G", "u1"), ("B", "u1")]), "a magnitude image of plain numbers"),
    ],
)
def test_what_is_no_t1w_scan_is_refused(tmp_path: Path, data: NDArray[np.generic], reason: str) -> None:
    stored = data.astype(np.float32) if data.dtype == np.float64 else data
    with pytest.raises(ImageError, match=reason):
        load_t1w(write(nib.Nifti1Image(stored, BOX), tmp_path / "a.nii"))


def test_geometry_is_repaired_with_a_note_or_refused(tmp_path: Path, rng: np.random.Generator) -> None:
    image = nib.Nifti1Image(scan_data(rng), None)
    image.header.set_qform(BOX, code=1)
    assert load_t1w(write(image, tmp_path / "a.nii"))[1] == ["no sform; the qform gives the geometry"]
    image.header.set_qform(BOX, code=0)
    with pytest.raises(OrientationError, match=r"a\.nii says nothing about its orientation"):
        load_t1w(write(image, tmp_path / "a.nii"))


def test_scan_is_refused_by_its_header_before_its_values_are_read(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("morpho.t1w_geometry.MOST_VOXELS", 71_999)
    monkeypatch.setattr("morpho.t1w._read_values", lambda *_: pytest.fail("values were read"))
    with pytest.raises(ImageError, match=r"shape \(50, 40, 36\), 0 million voxels; at most"):
        load_t1w(store(scan_data(rng), BOX, tmp_path / "a.nii"))


def test_image_without_signal_is_known_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(EmptyImageError):
        load_t1w(write(nib.Nifti1Image(np.zeros(SCAN_SHAPE, np.float32), BOX), tmp_path / "a.nii"))


@pytest.mark.parametrize("name", ["ds002748", "ds000011"])
def test_real_scans_are_loaded(shared_data: Path, name: str) -> None:
    paths = sorted((shared_data / name).glob("sub-*/anat/*_T1w.nii.gz"))
    if not paths:
        pytest.skip(f"no real scans: {name} is not in MORPHO_TEST_DATA")
    scan, _ = load_t1w(paths[0])
    assert "".join(aff2axcodes(scan.affine)) == "RAS"
    assert np.isfinite(array_of(scan)).all()
