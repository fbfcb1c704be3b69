"""Where voxels lie: the header is believed where it is sound, and refused where side or size are open."""

import struct
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from nibabel.nifti1 import Nifti1Image
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from morpho.errors import ImageError, OrientationError
from morpho.nifti_files import open_nifti
from morpho.t1w_geometry import MOST_VOXELS, check_grid, find_affine

Affine = NDArray[np.float64]
SHAPE = (5, 6, 7)
BOX = np.diag([2.0, 1.5, 1.0, 1.0])
PIXDIM, CODES, QUATERNION, SROW = 76, 252, 256, 280


def turned(affine: Affine, degrees: tuple[float, float, float]) -> Affine:
    turn = np.eye(4)
    turn[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    return turn @ affine


def with_forms(sform: Affine, qform: Affine, codes: tuple[int, int] = (1, 1)) -> Nifti1Image:
    """Image of both forms; pixdim comes from the qform."""
    image = nib.Nifti1Image(np.zeros(SHAPE, np.uint8), None)
    image.header.set_qform(qform, code=codes[1])
    image.header.set_sform(sform, code=codes[0])
    return image


def found(image: Nifti1Image, folder: Path, *changes: tuple[int, bytes]) -> tuple[Affine, list[str]]:
    """Affine and notes of an image that was written with some bytes of its header changed."""
    content = bytearray(image.to_bytes())
    for position, field in changes:
        content[position : position + len(field)] = field
    (folder / "a.nii").write_bytes(content)
    notes: list[str] = []
    return find_affine(open_nifti(folder / "a.nii"), "a.nii", notes), notes


def test_both_forms_of_a_tilted_grid_are_one(tmp_path: Path, awkward_affine: Affine) -> None:
    affine, notes = found(with_forms(awkward_affine, awkward_affine), tmp_path)
    assert notes == []
    np.testing.assert_allclose(affine, awkward_affine, atol=1e-5)


def test_qform_serves_where_there_is_no_sform(tmp_path: Path, awkward_affine: Affine) -> None:
    affine, notes = found(with_forms(np.zeros((4, 4)), awkward_affine, (0, 1)), tmp_path)
    assert notes == ["no sform; the qform gives the geometry"]
    np.testing.assert_allclose(affine, awkward_affine, atol=1e-4)


def test_sform_serves_where_there_is_no_qform(tmp_path: Path, awkward_affine: Affine) -> None:
    affine, notes = found(with_forms(awkward_affine, turned(awkward_affine, (0, 0, 90)), (1, 0)), tmp_path)
    assert notes == []
    np.testing.assert_allclose(affine, awkward_affine, atol=1e-5)


def test_sform_wins_over_a_qform_that_is_turned_a_little(tmp_path: Path) -> None:
    affine, notes = found(with_forms(BOX, turned(BOX, (0, 0, 5))), tmp_path)
    assert notes == ["sform and qform differ by a rotation of 5 degrees; the sform is used"]
    np.testing.assert_array_equal(affine, BOX)


@pytest.mark.parametrize("degrees", [(45.05, 44.95), (46.0, 43.0)])
def test_forms_near_45_degrees_do_not_contradict_each_other(tmp_path: Path, degrees: tuple[float, float]) -> None:
    """The letters of their axes differ, their sides do not."""
    sform, qform = (turned(BOX, (0, 0, angle)) for angle in degrees)
    affine, _ = found(with_forms(sform, qform), tmp_path)
    np.testing.assert_allclose(affine, sform, atol=1e-6)


@pytest.mark.parametrize(
    ("qform", "axes"),
    [
        (np.diag([-1.0, 1, 1, 1]) @ BOX, "RAS against LAS"),
        (turned(BOX, (0, 0, 180)), "RAS against LPS"),
        (turned(BOX, (90, 0, 0)), "RAS against RSP"),
    ],
)
def test_forms_that_may_name_different_sides_are_refused(tmp_path: Path, qform: Affine, axes: str) -> None:
    with pytest.raises(OrientationError, match=rf"a\.nii: sform and qform disagree about the axes \({axes}\)"):
        found(with_forms(BOX, qform), tmp_path)


def test_forms_44_degrees_to_either_side_are_refused(tmp_path: Path) -> None:
    """They have the same letters and lie 88 degrees apart."""
    with pytest.raises(OrientationError, match="left and right are uncertain"):
        found(with_forms(turned(BOX, (0, 0, 44)), turned(BOX, (0, 0, -44))), tmp_path)


@pytest.mark.parametrize("codes", [(0, 0), (0, -3), (77, 0)])
def test_header_without_orientation_is_refused(tmp_path: Path, codes: tuple[int, int]) -> None:
    written = (CODES, struct.pack("<2h", codes[1], codes[0]))
    seen = rf"sform code {codes[0]}, qform code {codes[1]}"
    with pytest.raises(OrientationError, match=rf"nothing about its orientation \({seen}.*which side is left"):
        found(with_forms(BOX, BOX), tmp_path, written)


@pytest.mark.parametrize("codes", [(4, 0), (0, 3), (4, 4), (5, 0)])
def test_scan_in_the_space_of_a_template_has_lost_its_volumes(tmp_path: Path, codes: tuple[int, int]) -> None:
    with pytest.raises(ImageError, match=rf"space of a template \(sform code {codes[0]}, qform code {codes[1]}\)"):
        found(with_forms(BOX, BOX, codes), tmp_path)


def test_template_code_beside_a_native_one_is_harmless_if_the_forms_agree(tmp_path: Path) -> None:
    affine, notes = found(with_forms(BOX, BOX, (4, 1)), tmp_path)
    assert notes == []
    np.testing.assert_array_equal(affine, BOX)


@pytest.mark.parametrize(
    ("sform", "reason"),
    [
        (np.diag([2.0, 1.5, 0.0, 1.0]), r"singular sform .*\[0.0, 0.0, 0.0\]"),
        (np.zeros((4, 4)), "singular sform"),
        (np.array([[1.0, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]), "singular sform"),
        (np.diag([2.0, np.nan, 1.0, 1.0]), "singular sform"),
        (np.array([[1.0, 0.5, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]), "sheared sform .*meet at 63 degrees"),
    ],
)
@pytest.mark.parametrize("q_code", [0, 1])
def test_sform_that_spans_no_box_is_refused(tmp_path: Path, sform: Affine, reason: str, q_code: int) -> None:
    rows = np.asarray(sform[:3], "<f4").tobytes()
    with pytest.raises(ImageError, match=reason):
        found(with_forms(BOX, BOX, (1, q_code)), tmp_path, (SROW, rows))


@pytest.mark.parametrize("scale", [0.99, 1.01, 2.0])
@pytest.mark.parametrize("q_code", [0, 1])
def test_two_voxel_sizes_are_refused(tmp_path: Path, scale: float, q_code: int) -> None:
    with pytest.raises(ImageError, match=r"by its sform, of \[2\.0, 1\.5, 1\.0\] mm by its pixdim, so volumes"):
        found(with_forms(np.diag([scale, scale, scale, 1]) @ BOX, BOX, (1, q_code)), tmp_path)


def test_voxel_sizes_may_be_rounded(tmp_path: Path) -> None:
    exact = np.diag([0.8680556, 0.8680556, 1.0, 1.0])
    affine, notes = found(with_forms(exact, np.diag([0.87, 0.87, 1.0, 1.0])), tmp_path)
    assert notes == []
    np.testing.assert_allclose(affine, exact)


@pytest.mark.parametrize(
    ("position", "field", "problem"),
    [
        (QUATERNION, struct.pack("<3f", 0.9, 0.9, 0.9), r"quaternion \[0.9, 0.9, 0.9\] is no rotation"),
        (QUATERNION, struct.pack("<3f", np.nan, 0, 0), "is no rotation"),
        (PIXDIM, struct.pack("<f", 5), "qfac is 5 "),
        (PIXDIM, struct.pack("<f", np.nan), "qfac is nan "),
    ],
)
def test_broken_qform_is_noted_where_an_sform_is_there_and_refused_else(
    tmp_path: Path, position: int, field: bytes, problem: str
) -> None:
    affine, notes = found(with_forms(BOX, BOX), tmp_path, (position, field))
    np.testing.assert_array_equal(affine, BOX)
    assert len(notes) == 1
    assert notes[0].startswith("the qform is broken (")
    with pytest.raises(ImageError, match=f"{problem}|qform is no rotation"):
        found(with_forms(BOX, BOX, (0, 1)), tmp_path, (position, field))


@pytest.mark.parametrize("qfac", [0.0, 1.0])
def test_qfac_of_0_is_read_as_1(tmp_path: Path, qfac: float) -> None:
    affine, _ = found(with_forms(BOX, BOX, (0, 1)), tmp_path, (PIXDIM, struct.pack("<f", qfac)))
    np.testing.assert_allclose(affine, BOX)


@pytest.mark.parametrize("size", [0.0, np.nan, np.inf])
def test_broken_voxel_size_is_noted_where_an_sform_is_there_and_refused_else(tmp_path: Path, size: float) -> None:
    written = (PIXDIM + 4, struct.pack("<f", size))
    affine, notes = found(with_forms(BOX, BOX), tmp_path, written)
    np.testing.assert_array_equal(affine, BOX)
    assert notes == [f"voxel sizes [{size}, 1.5, 1.0] of the header are broken; the sform gives them"]
    with pytest.raises(ImageError, match=rf"has voxels of \[{size}, 1\.5, 1\.0\] mm by its header and no sform"):
        found(with_forms(BOX, BOX, (0, 1)), tmp_path, written)


@pytest.mark.parametrize("codes", [(1, 1), (0, 1)])
def test_negative_voxel_size_is_taken_as_positive(tmp_path: Path, codes: tuple[int, int]) -> None:
    affine, notes = found(with_forms(BOX, BOX, codes), tmp_path, (PIXDIM + 4, struct.pack("<f", -2)))
    assert notes[0] == "voxel sizes [-2.0, 1.5, 1.0] of the header are taken as positive"
    np.testing.assert_allclose(affine, BOX)


def test_other_units_are_noted(tmp_path: Path) -> None:
    image = with_forms(BOX, BOX)
    image.header.set_xyzt_units("micron", "sec")
    assert found(image, tmp_path)[1] == ["unit of the header is micrometre; voxel sizes are taken as mm"]


@pytest.mark.parametrize(
    ("shape", "size_mm"), [((320, 512, 512), 0.5), ((80, 90, 70), 3.0), ((24, 50, 50), 5.0), ((400, 450, 400), 0.4)]
)
def test_grids_of_heads_are_allowed(shape: tuple[int, ...], size_mm: float) -> None:
    check_grid(shape, np.diag([size_mm, size_mm, size_mm, 1.0]), "a.nii")


@pytest.mark.parametrize(
    ("shape", "sizes_mm", "reason"),
    [
        ((90, 90, 90), (1.0, 1.0, 7.0), r"voxels of \[1\.0, 1\.0, 7\.0\] mm; 0\.2 to 5\.0 mm"),
        ((900, 90, 90), (0.1, 1.0, 1.0), "0.2 to 5.0 mm"),
        ((90, 90, 90), (np.nan, 1.0, 1.0), "0.2 to 5.0 mm"),
        ((600, 600, 600), (0.4, 0.4, 0.4), "216 million voxels; at most 200 million .*0.5 mm"),
        (
            (200, 200, 12),
            (1.0, 1.0, 5.0),
            r"shape \(200, 200, 12\), a slab: it covers \[200, 200, 60\] mm; .*24 voxels",
        ),
        ((200, 200, 60), (1.0, 1.0, 1.0), r"a slab: .*at least 24 voxels and 70 mm per axis"),
    ],
)
def test_grids_of_no_head_are_refused(shape: tuple[int, ...], sizes_mm: tuple[float, ...], reason: str) -> None:
    with pytest.raises(ImageError, match=f"a.nii has {reason}|a.nii has .*{reason}"):
        check_grid(shape, np.diag([*sizes_mm, 1.0]), "a.nii")
    assert MOST_VOXELS < 600**3


@pytest.mark.parametrize("offset_mm", [2e4, 1e30, np.inf, np.nan])
def test_scan_out_of_this_world_is_refused(offset_mm: float) -> None:
    affine = np.eye(4)
    affine[1, 3] = offset_mm
    with pytest.raises(ImageError, match="mm from the origin; at most 10000"):
        check_grid((90, 90, 90), affine, "a.nii")
