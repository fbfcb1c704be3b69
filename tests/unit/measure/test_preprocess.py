"""Preprocessing: the brain is found, its shading evened out, and its voxels stay where the scanner put them."""

import nibabel as nib
import numpy as np
import pytest
from nibabel.affines import voxel_sizes
from nibabel.nifti1 import Nifti1Image
from numpy.typing import NDArray

from morpho.atlas import Template
from morpho.errors import BrainMaskError
from morpho.images import array_of, check_same_grid, mask_of, voxel_volume_mm3
from morpho.measure.preprocess import PreprocessedScan, detect_input_kind, preprocess_t1w

# The small head with voxels of 3.5 mm has a brain of about 1300 ml.
VOXEL_MM = 3.5
AIR_VOXELS = 5
SIGNAL = 700.0


def ball(volume_ml: float, voxel_mm: float = 5.0, size: int = 44) -> NDArray[np.bool_]:
    radius_mm = (3 * volume_ml * 1000 / (4 * np.pi)) ** (1 / 3)
    axis = (np.arange(size) - (size - 1) / 2) * voxel_mm
    x, y, z = np.meshgrid(axis, axis, axis, indexing="ij", sparse=True)
    return np.asarray(x**2 + y**2 + z**2 <= radius_mm**2)


def ball_scan(volume_ml: float) -> Nifti1Image:
    return nib.Nifti1Image(SIGNAL * ball(volume_ml).astype(np.float32), np.diag([5.0, 5.0, 5.0, 1.0]))


@pytest.fixture(scope="module")
def brain(small_template: Template) -> Nifti1Image:
    """Lay an extracted brain without shading in air, on an oblique grid."""
    data = np.pad(array_of(small_template.t1w) * SIGNAL, AIR_VOXELS)
    affine = np.diag([VOXEL_MM, VOXEL_MM, VOXEL_MM, 1.0])
    angle = np.deg2rad(10)
    affine[:2, :2] = VOXEL_MM * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return nib.Nifti1Image(data.astype(np.float32), affine)


@pytest.fixture(scope="module")
def shading(brain: Nifti1Image) -> NDArray[np.float32]:
    """Smooth field from 0.7 to 1.3 over the image."""
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, size) for size in brain.shape), indexing="ij", sparse=True)
    return (1 + 0.3 * np.sin(2 * x + 0.5) * np.cos(1.5 * y) - 0.1 * z).astype(np.float32)


@pytest.fixture(scope="module")
def preprocessed(brain: Nifti1Image, shading: NDArray[np.float32]) -> PreprocessedScan:
    return preprocess(nib.Nifti1Image(array_of(brain) * shading, brain.affine))


@pytest.fixture
def quick_bias(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spend no time on the bias field, for tests of the mask."""
    monkeypatch.setattr("morpho.measure.preprocess.N4_ITERATIONS", (1,))


def preprocess(scan: Nifti1Image) -> PreprocessedScan:
    return preprocess_t1w(scan, brain="auto", margin_mm=12)


# --- detect_input_kind --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("volume_ml", "kind"), [(1200, "extracted"), (2250, "extracted"), (2350, "whole_head")])
def test_kind_follows_the_volume_with_signal(volume_ml: float, kind: str) -> None:
    assert detect_input_kind(ball_scan(volume_ml)) == kind


def test_dark_skull_counts_as_inside_and_noise_of_the_air_does_not(rng: np.random.Generator) -> None:
    head, skull = ball(3000), ball(2000) & ~ball(1500)
    signal = np.where(head & ~skull, SIGNAL, 0)
    assert detect_input_kind(nib.Nifti1Image(signal.astype(np.float32), np.diag([5.0, 5, 5, 1]))) == "whole_head"
    noise = rng.uniform(0, 0.04 * SIGNAL, signal.shape)
    extracted = np.where(ball(1400), SIGNAL, noise)
    assert detect_input_kind(nib.Nifti1Image(extracted.astype(np.float32), np.diag([5.0, 5, 5, 1]))) == "extracted"


def test_kind_does_not_depend_on_the_unit_of_signal() -> None:
    for factor in (1e-3, 1e3):
        scan = ball_scan(2350)
        assert detect_input_kind(nib.Nifti1Image(factor * array_of(scan), scan.affine)) == "whole_head"


# --- extracted brains ---------------------------------------------------------------------------------------------


def test_brain_mask_is_the_brain(preprocessed: PreprocessedScan, small_template: Template) -> None:
    assert preprocessed.input_kind == "extracted"
    n_true = mask_of(small_template.brain_mask).sum()
    assert mask_of(preprocessed.brain_mask).sum() == pytest.approx(n_true, rel=0.02)


def test_shading_is_removed(preprocessed: PreprocessedScan, brain: Nifti1Image, shading: NDArray[np.float32]) -> None:
    """N4 finds the field up to a factor; what is left of it varies by less than a third of what was there."""
    inside = mask_of(preprocessed.brain_mask) & (array_of(preprocessed.t1w) > 0)
    truth, field = (
        data[_box_of(preprocessed, brain)][inside] for data in (array_of(brain), shading.astype(np.float64))
    )
    found = array_of(preprocessed.t1w)[inside]
    white = truth > 0.9 * SIGNAL
    left = (found[white] / truth[white]).std() / (found[white] / truth[white]).mean()
    assert left < field[white].std() / field[white].mean() / 3


def test_voxels_stay_where_they_were(preprocessed: PreprocessedScan, brain: Nifti1Image) -> None:
    check_same_grid(preprocessed.t1w, preprocessed.brain_mask)
    np.testing.assert_allclose(preprocessed.t1w.affine[:3, :3], brain.affine[:3, :3], atol=1e-6)
    offset = np.linalg.inv(brain.affine) @ preprocessed.t1w.affine[:, 3]
    np.testing.assert_allclose(offset, np.rint(offset), atol=1e-4)
    centres = [
        image.affine @ [*np.argwhere(mask).mean(axis=0), 1]
        for image, mask in ((brain, array_of(brain) > 0), (preprocessed.t1w, mask_of(preprocessed.brain_mask)))
    ]
    np.testing.assert_allclose(*centres, atol=0.3)


@pytest.mark.usefixtures("quick_bias")
@pytest.mark.parametrize(("margin_mm", "voxels"), [(0.0, 0), (12.0, 4)])
def test_margin_of_air_is_in_millimetres(brain: Nifti1Image, margin_mm: float, voxels: int) -> None:
    mask = mask_of(preprocess_t1w(brain, brain="auto", margin_mm=margin_mm).brain_mask)
    for axis in range(3):
        where = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        assert (where[0], mask.shape[axis] - 1 - where[-1]) == (voxels, voxels)


def test_unit_of_the_signal_does_not_matter(
    preprocessed: PreprocessedScan, brain: Nifti1Image, shading: NDArray[np.float32]
) -> None:
    ten = preprocess(nib.Nifti1Image(10 * array_of(brain) * shading, brain.affine))
    inside = mask_of(preprocessed.brain_mask)
    np.testing.assert_array_equal(inside, mask_of(ten.brain_mask))
    np.testing.assert_allclose(array_of(ten.t1w)[inside], 10 * array_of(preprocessed.t1w)[inside], rtol=0.03)


@pytest.mark.usefixtures("quick_bias")
def test_neck_falls_off_and_far_away_specks_do_not_count(brain: Nifti1Image) -> None:
    data = array_of(brain).copy()
    x, y = (size // 2 for size in data.shape[:2])
    bottom = int(np.flatnonzero(data[x, y])[0])
    data[x : x + 2, y : y + 2, :bottom] = SIGNAL
    data[1:3, 1:3, -3:-1] = SIGNAL
    mask = mask_of(preprocess(nib.Nifti1Image(data, brain.affine)).brain_mask)
    assert mask.sum() == pytest.approx((array_of(brain) > 0).sum(), rel=0.003)


@pytest.mark.usefixtures("quick_bias")
def test_hole_in_the_brain_is_filled(brain: Nifti1Image) -> None:
    data = array_of(brain).copy()
    centre = tuple(slice(size // 2 - 2, size // 2 + 2) for size in data.shape)
    data[centre] = 0
    mask = mask_of(preprocess(nib.Nifti1Image(data, brain.affine)).brain_mask)
    assert mask.sum() == (array_of(brain) > 0).sum()


@pytest.mark.parametrize(("volume_ml", "found"), [(300, "29[0-9]|30[0-9]"), (3000, "29[0-9]{2}|30[0-9]{2}")])
def test_brain_of_impossible_size_is_refused(volume_ml: float, found: str) -> None:
    with pytest.raises(BrainMaskError, match=rf"has ({found}) ml, 500 to 2300 .*taken as extracted.*preprocess\.brain"):
        preprocess_t1w(ball_scan(volume_ml), brain="extracted", margin_mm=0)


def test_scan_without_a_brain_is_refused() -> None:
    sheet = np.zeros((40, 40, 40), np.float32)
    sheet[20] = SIGNAL
    with pytest.raises(BrainMaskError, match="mask is empty"):
        preprocess_t1w(nib.Nifti1Image(sheet, np.diag([4.0, 4, 4, 1])), brain="extracted", margin_mm=0)


# --- whole heads --------------------------------------------------------------------------------------------------


def test_brain_is_found_in_a_whole_head(preprocessed_head: PreprocessedScan) -> None:
    assert preprocessed_head.input_kind == "whole_head"
    mask = mask_of(preprocessed_head.brain_mask)
    assert 1000 < mask.sum() * voxel_volume_mm3(preprocessed_head.t1w) / 1000 < 1900
    np.testing.assert_allclose(voxel_sizes(preprocessed_head.t1w.affine), 2.0)
    # Cropped: six voxels of air (12 mm) around the brain, no neck, no table.
    assert mask[6:-6, 6:-6, 6:-6].sum() == mask.sum()
    assert mask[6].any()


def _box_of(scan: PreprocessedScan, original: Nifti1Image) -> tuple[slice, ...]:
    """Where the cropped scan lies in the original."""
    start = np.rint(np.linalg.inv(original.affine) @ scan.t1w.affine[:, 3])[:3].astype(int)
    return tuple(slice(first, first + size) for first, size in zip(start, scan.t1w.shape, strict=True))
