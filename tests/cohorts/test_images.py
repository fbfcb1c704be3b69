"""What the user sees of each dirty image: the same head with a note, or a refusal that names cause and remedy.

`load_t1w` is where a file becomes a scan, so most is said there. That the sides of a whole measured head swap when it
is mirrored, and stay when its axes are stored in another order, is shown in ``tests/validation/test_known_volumes.py``
(test_mirrored_and_tilted_head_swaps_its_sides, test_loss_of_the_left_hippocampus_is_measured_on_the_left); how the
refusals become rows of a cohort, in ``tests/e2e/test_failures.py``.
"""

import itertools
import os
import re
import resource
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nibabel.affines import apply_affine
from nibabel.nifti1 import Nifti1Image
from nibabel.orientations import aff2axcodes
from nibabel.processing import resample_from_to

from morpho.errors import EmptyImageError, FieldOfViewError, ImageError, OrientationError
from morpho.images import array_of, like, voxel_volume_mm3
from morpho.measure.preprocess import preprocess_t1w
from morpho.measure.volumes import measure_volumes
from morpho.phantom import Person, Phantom, Scanner, simulate_head
from morpho.phantom_maps import HeadMaps
from morpho.t1w import load_t1w
from tests.cohorts.images import BUILDERS, clean, mirrored, stored_as, turned, write

LETTERS = ("RL", "AP", "IS")
ORDERS = ["".join(codes) for axes in itertools.permutations(LETTERS) for codes in itertools.product(*axes)]
GREY = (250.0, 480.0)  # signal of grey matter in the small head, whose white matter has 600
SIDES = pd.DataFrame({"roi": "grey", "hemisphere": ["L", "R"], "label_indices": [[1], [2]]})

# What is measured all the same, and the note that goes with it.
ACCEPTED = {
    "tilted": [],
    "left_handed": [],
    "only_sform": [],
    "only_qform": ["no sform; the qform gives the geometry"],
    "qform_turned_a_little": ["sform and qform differ by a rotation of 8 degrees; the sform is used"],
    "broken_qform_beside_sform": [
        "the qform is broken (its quaternion [0.9, 0.9, 0.9] is no rotation); the sform gives the geometry"
    ],
    "zero_voxel_size_beside_sform": ["voxel sizes [0.0, 0.0, 0.0] of the header are broken; the sform gives them"],
    "negative_voxel_size": ["voxel sizes [-2.0, 2.0, 2.0] of the header are taken as positive"],
    "half_millimetre": [],
    "four_axes_one_volume": ["dropped trailing axes of shape (1, 1)"],
    "nan_and_infinite": ["3 voxels were NaN or infinite and are now 0"],
    "a_few_negative": ["2 voxels were negative and are now 0"],
    "int64": [],
    "float64_with_slope": [],
    "uint8_with_slope": [],
    "big_endian": [],
    "slope_of_nan": [],
    "uncompressed": [],
    "nifti_2": [],
    "pair_of_files": [],
    "comment_in_header": [],
}
# What is refused, and the words that name the cause, the value seen and the remedy, in this order.
REFUSED: dict[str, tuple[type[ImageError], tuple[str, ...]]] = {
    "qform_flipped_left_right": (OrientationError, ("RAS against LAS", "left and right", "Set the code of the wrong")),
    "qform_upside_down": (OrientationError, ("RAS against LAI", "left and right", "Set the code of the wrong")),
    "no_orientation": (OrientationError, ("sform code 0, qform code 0", "which side is left?", "set the sform")),
    "singular_sform": (ImageError, ("singular sform", "[[0.0, 0.0, 0.0]", "set its code to 0")),
    "sheared_sform": (ImageError, ("sheared sform", "84 degrees", "as it was acquired")),
    "sform_of_another_size": (ImageError, ("[2.2, 2.2, 2.2] mm by its sform", "[2.0, 2.0, 2.0]", "Correct the wrong")),
    "template_space": (ImageError, ("space of a template", "sform code 4", "set the sform code to 1")),
    "broken_qform_alone": (ImageError, ("its qform is no rotation", "convert it again")),
    "qfac_of_5": (OrientationError, ("qfac is 5 (1 or -1 is allowed)", "left and right", "set the sform")),
    "zero_voxel_size_alone": (ImageError, ("[0.0, 0.0, 0.0] mm", "no sform", "Convert it again")),
    "nan_voxel_size_alone": (ImageError, ("[nan, 2.0, 2.0] mm", "no sform", "Convert it again")),
    "voxels_of_20_micrometres": (ImageError, ("[0.02, 0.02, 0.02] mm", "0.2 to 5.0 mm", "Check the header")),
    "voxels_of_20_mm": (ImageError, ("[20.0, 20.0, 20.0] mm", "0.2 to 5.0 mm", "Check the header")),
    "beyond_this_world": (ImageError, ("1e+20 mm from the origin", "at most 10000", "Set the header")),
    "slab": (ImageError, ("a slab", "60] mm", "at least 24 voxels and 70 mm", "whole head")),
    "two_volumes": (ImageError, ("79, 2)", "is one volume", "Split or average")),
    "single_slice": (ImageError, ("(83, 90)", "is one volume")),
    "standardised": (ImageError, ("no magnitude image", "50 % of its signal is negative", "air is near 0")),
    "constant": (EmptyImageError, ("one value only (7.0)", "nothing to measure")),
    "all_zero": (EmptyImageError, ("one value only (0.0)", "nothing to measure")),
    "all_nan": (EmptyImageError, ("no finite value", "nothing to measure")),
    "huge_intercept": (ImageError, ("from 1e+08", "none near 0", "scl_inter")),
    "huge_slope": (ImageError, ("up to 6", "e+32", "1e-09 to 1e+12", "scl_slope")),
    "complex_values": (ImageError, ("complex64 values", "magnitude image", "Convert it again")),
    "coloured": (ImageError, ("'R'", "magnitude image", "Convert it again")),
    "analyze_without_mark": (ImageError, ("no NIfTI mark", "Convert it again from the original images")),
    "broken_extension": (ImageError, ("extension content", "copy or convert it again")),
    "truncated_gzip": (ImageError, ("ends too early", "copy or convert it again")),
    "truncated_nifti": (ImageError, ("1180612 bytes", "ends after 1178612", "copy it again")),
    "wrong_checksum": (ImageError, ("checksum does not fit", "copy or convert it again")),
    "text_file": (ImageError, ("a text that begins with 'Scan on paper", "Fetch or copy it again")),
    "page_of_an_error": (ImageError, ("a text that begins with '<!DOCTYPE html>", "Fetch or copy it again")),
    "empty_file": (ImageError, ("empty (0 bytes)", "Fetch or copy it again")),
    "missing_file": (ImageError, ("is not there", "datalad get")),
    "folder_with_the_name_of_a_scan": (ImageError, ("sub-01_T1w.nii.gz is a folder", "NIfTI file is expected")),
    "broken_annex_link": (ImageError, ("a link to a file that is not here", "MD5E-s9--0", "datalad get")),
    "annex_pointer": (ImageError, ("git-annex pointer", "datalad get")),
    "no_permission": (ImageError, ("may not be read by this user", "Change its permissions")),
    "compressed_but_named_nii": (ImageError, ("it is compressed", "Add .gz to its name")),
    "not_compressed_but_named_gz": (ImageError, ("it is not compressed", "Rename it to end with .nii")),
    "huge_claim": (ImageError, ("54000000000352 bytes", "ends after 400", "copy it again")),
    "huge_claim_compressed": (ImageError, ("54000000000352 bytes", "ends after 400", "copy it again")),
    "one_slice_too_many": (ImageError, ("shape (82, 90, 79)", "do not belong together", "Convert it again")),
    "values_inside_the_header": (ImageError, ("from byte 0", "352 bytes", "Convert it again")),
    "unknown_data_type": (ImageError, ("data code 99", "convert it again")),
    "no_nifti_mark": (ImageError, ("no NIfTI mark", "Convert it again")),
}


@pytest.fixture(scope="session")
def head(small_maps: HeadMaps) -> Nifti1Image:
    """Show the small head at twice its size: voxels of 2 mm, about as large as a real one."""
    phantom = simulate_head(small_maps, Person(seed=1), Scanner(voxel_size_mm=(1.0, 1.0, 1.0)), []).t1w
    return nib.Nifti1Image(np.asarray(phantom.dataobj), np.diag([2.0, 2.0, 2.0, 1.0]) @ phantom.affine)


@pytest.fixture(scope="session")
def clean_scan(head: Nifti1Image, tmp_path_factory: pytest.TempPathFactory) -> Nifti1Image:
    scan, notes = load_t1w(clean(head, tmp_path_factory.mktemp("clean")))
    assert notes == []
    return scan


def assert_same_in_the_world(scan: Nifti1Image, expected: Nifti1Image, *, atol: float = 0) -> None:
    """Compare the values of two scans at the same places (mm), and the volume that they cover."""
    rng = np.random.default_rng(7)
    places = np.stack([rng.integers(0, size, 20_000) for size in expected.shape], axis=-1)
    wanted = array_of(expected)[tuple(places.T)]
    voxels = np.rint(apply_affine(np.linalg.inv(scan.affine) @ expected.affine, places) - 1e-6).astype(int)
    np.testing.assert_allclose(array_of(scan)[tuple(voxels.T)], wanted, atol=atol, rtol=1e-6)
    covered = [np.prod(image.shape) * voxel_volume_mm3(image) for image in (scan, expected)]
    assert covered[0] == pytest.approx(covered[1], rel=1e-5)
    assert wanted.std() > 50  # or anything would be the same


def grey_of_both_sides(scan: Nifti1Image) -> dict[str, float]:
    """Grey matter (mm3) left and right of x = 0 mm, as `measure_volumes` finds it."""
    data = array_of(scan)
    x_mm = apply_affine(scan.affine, np.stack(np.indices(scan.shape), axis=-1))[..., 0]
    labels = np.where(x_mm < -0.1, 1, np.where(x_mm > 0.1, 2, 0)).astype(np.int16)
    grey = ((data > GREY[0]) & (data < GREY[1])).astype(np.float32)
    table = measure_volumes(like(scan, grey), like(scan, labels), {}, SIDES, min_voxels=1)
    return dict(zip(table["hemisphere"], table["volume_mm3"], strict=True))


def test_every_dirty_image_has_its_say() -> None:
    assert set(BUILDERS) == set(ACCEPTED) | set(REFUSED)
    assert not set(ACCEPTED) & set(REFUSED)


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_can_be_mended_is_the_same_head(
    head: Nifti1Image, clean_scan: Nifti1Image, tmp_path: Path, name: str
) -> None:
    scan, notes = load_t1w(BUILDERS[name](head, tmp_path))
    assert notes == ACCEPTED[name]
    assert "".join(aff2axcodes(scan.affine)) == "RAS"
    assert array_of(scan).dtype == np.float32
    expected = clean_scan
    if name == "tilted":
        expected = nib.Nifti1Image(array_of(clean_scan), turned(clean_scan.affine, (20, -20, 20)))
    assert_same_in_the_world(scan, expected, atol=666 / 255 if name == "uint8_with_slope" else 1e-3)


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_measured_is_refused_with_cause_and_remedy(head: Nifti1Image, tmp_path: Path, name: str) -> None:
    if name == "no_permission" and os.geteuid() == 0:
        pytest.skip("root may read everything")
    error, words = REFUSED[name]
    path = BUILDERS[name](head, tmp_path)
    with pytest.raises(ImageError, match=".*".join(map(re.escape, words))) as refusal:
        load_t1w(path)
    assert type(refusal.value) is error
    assert path.name in str(refusal.value)


def test_huge_claim_asks_for_no_memory(head: Nifti1Image, tmp_path: Path) -> None:
    """Half a gigabyte above what the process has is all it may get; the header claims 54 terabytes."""
    path = BUILDERS["huge_claim"](head, tmp_path)
    before = resource.getrlimit(resource.RLIMIT_AS)
    in_use = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (in_use + 2**29, before[1]))
    try:
        with pytest.raises(ImageError, match="ends after 400"):
            load_t1w(path)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


# --- left and right -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codes", ORDERS)
def test_none_of_the_48_orders_of_axes_moves_a_voxel(
    head: Nifti1Image, clean_scan: Nifti1Image, tmp_path: Path, codes: str
) -> None:
    image = stored_as(codes, head)
    assert "".join(aff2axcodes(image.header.get_sform())) == codes
    scan, notes = load_t1w(write(image, tmp_path / "t.nii"))
    assert notes == []
    np.testing.assert_array_equal(array_of(scan), array_of(clean_scan))
    np.testing.assert_allclose(scan.affine, clean_scan.affine, atol=1e-5)


def test_there_are_48_orders_of_axes() -> None:
    assert len(set(ORDERS)) == 48


@pytest.mark.parametrize("codes", ["RAS", "LAS", "SPL", "IRP"])
def test_mirror_image_has_the_volumes_of_its_sides_swapped(
    head: Nifti1Image, clean_scan: Nifti1Image, tmp_path: Path, codes: str
) -> None:
    """Whatever the order of the axes on the disk, which alone must not swap them."""
    before = grey_of_both_sides(clean_scan)
    same, _ = load_t1w(write(stored_as(codes, head), tmp_path / "same.nii"))
    assert grey_of_both_sides(same) == before
    flipped, _ = load_t1w(write(stored_as(codes, mirrored(head)), tmp_path / "flipped.nii"))
    after = grey_of_both_sides(flipped)
    assert (after["L"], after["R"]) == pytest.approx((before["R"], before["L"]), rel=1e-6)
    assert abs(before["L"] / before["R"] - 1) > 0.01  # or nobody would notice


# --- whole heads, seen by the network -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def at_3_mm(whole_head: Phantom) -> Nifti1Image:
    shape = np.array(whole_head.t1w.shape) * 2 // 3
    affine = whole_head.t1w.affine @ np.diag([1.5, 1.5, 1.5, 1.0])
    resampled = resample_from_to(whole_head.t1w, (tuple(shape), affine), order=1)
    return nib.Nifti1Image(np.rint(np.asarray(resampled.dataobj)).astype(np.int16), affine)


def test_head_at_3_mm_is_measured(at_3_mm: Nifti1Image, whole_head: Phantom, tmp_path: Path) -> None:
    scan, notes = load_t1w(clean(at_3_mm, tmp_path))
    assert notes == []
    mask = preprocess_t1w(scan, brain="auto", margin_mm=12).brain_mask
    assert float(array_of(mask).sum()) * voxel_volume_mm3(mask) == pytest.approx(whole_head.tiv_mm3, rel=0.05)


@pytest.mark.parametrize("side", ["top", "left"])
def test_field_of_view_that_cuts_the_brain_is_refused(at_3_mm: Nifti1Image, tmp_path: Path, side: str) -> None:
    x, y, z = at_3_mm.shape
    box = (slice(0, x), slice(0, y), slice(0, z // 2 + 5)) if side == "top" else (slice(x // 2 - 5, x),)
    scan, _ = load_t1w(clean(at_3_mm.slicer[box], tmp_path))
    words = r"ends in a plane of \d+ mm2 \(at most 8000 .*its field of view cuts it.*look at the scan"
    with pytest.raises(FieldOfViewError, match=words):
        preprocess_t1w(scan, brain="whole_head", margin_mm=12)
