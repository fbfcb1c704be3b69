"""Preprocessing: the brain is found, its shading evened out, and its voxels stay where the scanner put them."""

import nibabel as nib
import numpy as np
import pytest
from nibabel.affines import apply_affine, voxel_sizes
from nibabel.nifti1 import Nifti1Image
from numpy.typing import NDArray
from scipy import ndimage

from morpho.atlas import Template
from morpho.errors import (
    BrainMaskError,
    FieldOfViewError,
    MissingHemisphereError,
    NotABrainError,
    OrientationError,
)
from morpho.images import array_of, check_same_grid, mask_of, voxel_volume_mm3
from morpho.measure.head import HeadShares, InputKind
from morpho.measure.preprocess import PreprocessedScan, detect_input_kind, preprocess_t1w
from morpho.measure.sampling import grid_around, sample_on_grid
from morpho.phantom import Phantom

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


# Class of the coarse segmentation -> map of the small template.
CLASSES = {"outside": None, "fluid": "csf", "cortex": "grey_matter", "white_matter": "white_matter"}
OTHERS = ("deep_grey_matter", "hippocampus_amygdala", "cerebellum", "brain_stem")


@pytest.fixture(scope="module")
def truth(small_template: Template) -> NDArray[np.float32]:
    """Give the true shares in the voxels of `brain`, shape (classes, X, Y, Z)."""
    maps = [np.pad(array_of(getattr(small_template, name)), AIR_VOXELS) for name in CLASSES.values() if name]
    nothing = [np.zeros_like(maps[0])] * len(OTHERS)
    return np.stack([1 - np.sum(maps, axis=0), *maps, *nothing]).astype(np.float32)


def know(truth: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the coarse segmentation know the truth, whatever is in the scan: network and layout have their own tests."""

    def segment(t1w: Nifti1Image, kind: InputKind) -> HeadShares:
        assert kind in ("whole_head", "extracted")
        grid = grid_around(t1w, (np.array(t1w.shape) - 1) / 2, (96, 112, 96), 2.0)
        shares = np.stack([sample_on_grid(share, grid) for share in truth])
        shares[0] += 1 - shares.sum(axis=0)
        return HeadShares(shares, sample_on_grid(array_of(t1w), grid), grid, (*CLASSES, *OTHERS))

    def find_nothing(head: HeadShares) -> list[str]:
        assert "cortex" in head.classes
        return []

    monkeypatch.setattr("morpho.measure.preprocess.segment_head", segment)
    monkeypatch.setattr("morpho.measure.preprocess.find_implausible_parts", find_nothing)


@pytest.fixture
def known_truth(truth: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch) -> None:
    know(truth, monkeypatch)


@pytest.fixture(scope="module")
def preprocessed(brain: Nifti1Image, shading: NDArray[np.float32], truth: NDArray[np.float32]) -> PreprocessedScan:
    with pytest.MonkeyPatch.context() as monkeypatch:
        know(truth, monkeypatch)
        return preprocess(nib.Nifti1Image(array_of(brain) * shading, brain.affine))


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
    """What is left of a field that varies by 11 % (standard deviation) varies by less than 2 %."""
    inside = mask_of(preprocessed.brain_mask) & (array_of(preprocessed.t1w) > 0)
    truth, field = (
        data[_box_of(preprocessed, brain)][inside] for data in (array_of(brain), shading.astype(np.float64))
    )
    found = array_of(preprocessed.t1w)[inside]
    tissue = truth > 0.5 * SIGNAL
    left = (found[tissue] / truth[tissue]).std() / (found[tissue] / truth[tissue]).mean()
    assert field[tissue].std() / field[tissue].mean() > 0.1
    assert left < 0.02


def test_white_matter_has_signal_one(preprocessed: PreprocessedScan, brain: Nifti1Image) -> None:
    """Pure white matter of the small head is 0.95 of its unit."""
    white = array_of(brain)[_box_of(preprocessed, brain)] > 0.949 * SIGNAL
    assert array_of(preprocessed.t1w)[white].mean() == pytest.approx(1, abs=0.02)


def test_coarse_shares_lie_where_the_tissues_are(
    preprocessed: PreprocessedScan, brain: Nifti1Image, truth: NDArray[np.float32]
) -> None:
    coarse = preprocessed.coarse_shares
    np.testing.assert_allclose(voxel_sizes(coarse.affine), 2.0, atol=1e-6)
    shares = np.asarray(coarse.dataobj)
    assert shares.shape == (96, 112, 96, len(CLASSES) + len(OTHERS))
    for number in (1, 2, 3):
        centres = [
            apply_affine(affine, np.argwhere(data > 0.7).mean(axis=0))
            for affine, data in ((coarse.affine, shares[..., number]), (brain.affine, truth[number]))
        ]
        np.testing.assert_allclose(*centres, atol=0.5)


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


@pytest.mark.usefixtures("known_truth")
@pytest.mark.parametrize(("margin_mm", "voxels"), [(0.0, 0), (12.0, 4)])
def test_margin_of_air_is_in_millimetres(brain: Nifti1Image, margin_mm: float, voxels: int) -> None:
    mask = mask_of(preprocess_t1w(brain, brain="auto", margin_mm=margin_mm).brain_mask)
    for axis in range(3):
        where = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        assert (where[0], mask.shape[axis] - 1 - where[-1]) == (voxels, voxels)


@pytest.mark.usefixtures("known_truth")
def test_unit_of_the_signal_does_not_matter(
    preprocessed: PreprocessedScan, brain: Nifti1Image, shading: NDArray[np.float32]
) -> None:
    ten = preprocess(nib.Nifti1Image(10 * array_of(brain) * shading, brain.affine))
    inside = mask_of(preprocessed.brain_mask)
    np.testing.assert_array_equal(inside, mask_of(ten.brain_mask))
    np.testing.assert_allclose(array_of(ten.t1w)[inside], array_of(preprocessed.t1w)[inside], atol=1e-4)


@pytest.mark.usefixtures("known_truth")
def test_neck_falls_off_and_far_away_specks_do_not_count(brain: Nifti1Image) -> None:
    data = array_of(brain).copy()
    x, y = (size // 2 for size in data.shape[:2])
    bottom = int(np.flatnonzero(data[x, y])[0])
    data[x : x + 2, y : y + 2, :bottom] = SIGNAL
    data[1:3, 1:3, -3:-1] = SIGNAL
    mask = mask_of(preprocess(nib.Nifti1Image(data, brain.affine)).brain_mask)
    assert mask.sum() == pytest.approx((array_of(brain) > 0).sum(), rel=0.003)


@pytest.mark.usefixtures("known_truth")
def test_hole_in_the_brain_is_filled(brain: Nifti1Image) -> None:
    data = array_of(brain).copy()
    centre = tuple(slice(size // 2 - 2, size // 2 + 2) for size in data.shape)
    data[centre] = 0
    mask = mask_of(preprocess(nib.Nifti1Image(data, brain.affine)).brain_mask)
    assert mask.sum() == (array_of(brain) > 0).sum()


@pytest.mark.usefixtures("known_truth")
def test_thick_tissue_below_the_brain_is_not_brain(brain: Nifti1Image) -> None:
    """Neck and orbits that an extraction left behind: too thick to be a thin attachment, but far from the brain."""
    data = array_of(brain).copy()
    x, y = (size // 2 for size in data.shape[:2])
    bottom = int(np.flatnonzero(data[x, y])[0])
    data[x - 8 : x + 8, y - 8 : y + 8, : bottom + 2] = SIGNAL
    mask = mask_of(preprocess(nib.Nifti1Image(data, brain.affine)).brain_mask)
    # What lies within 3 mm of the brain, one layer of voxels, cannot be told from it.
    assert mask.sum() < (array_of(brain) > 0).sum() + 2.5 * 16 * 16


def test_signal_counts_where_the_network_ends_too_early(brain: Nifti1Image, monkeypatch: pytest.MonkeyPatch) -> None:
    """An extracted brain ends where its signal ends, even if the network misses a rim of less than 3 mm."""
    inside = array_of(brain) > 0
    eroded = ndimage.binary_erosion(inside)
    know(shape_truth(eroded), monkeypatch)
    mask = mask_of(preprocess(nib.Nifti1Image(array_of(brain), np.diag([2.9, 2.9, 2.9, 1.0]))).brain_mask)
    assert eroded.sum() < 0.9 * inside.sum()
    assert mask.sum() > 0.98 * inside.sum()


def shape_truth(inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Shares of a thing that is white matter throughout."""
    shares = np.zeros((len(CLASSES) + len(OTHERS), *inside.shape), np.float32)
    shares[0], shares[3] = ~inside, inside
    return shares


@pytest.mark.parametrize(("volume_ml", "found"), [(300, "29[0-9]|30[0-9]"), (3000, "29[0-9]{2}|30[0-9]{2}")])
def test_brain_of_impossible_size_is_refused(volume_ml: float, found: str, monkeypatch: pytest.MonkeyPatch) -> None:
    know(shape_truth(ball(volume_ml)), monkeypatch)
    with pytest.raises(NotABrainError, match=rf"has ({found}) ml, 500 to 2300 .*taken as extracted.*preprocess\.brain"):
        preprocess_t1w(ball_scan(volume_ml), brain="extracted", margin_mm=0)


def test_scan_without_a_brain_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    sheet = np.zeros((40, 40, 40), bool)
    sheet[20] = True
    know(shape_truth(sheet), monkeypatch)
    with pytest.raises(BrainMaskError, match="mask is empty"):
        preprocess_t1w(
            nib.Nifti1Image(SIGNAL * sheet.astype(np.float32), np.diag([4.0, 4, 4, 1])), brain="extracted", margin_mm=0
        )


# --- whole heads --------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("known_truth")
def test_mask_of_a_whole_head_is_the_inside_of_its_skull(brain: Nifti1Image, small_template: Template) -> None:
    """Whatever signal there is: scalp and neck are bright and outside, a void in the brain is dark and inside."""
    data = array_of(brain).copy()
    data[data == 0] = 0.8 * SIGNAL
    data[tuple(slice(size // 2 - 2, size // 2 + 2) for size in data.shape)] = 0
    scan = preprocess_t1w(nib.Nifti1Image(data, brain.affine), brain="whole_head", margin_mm=0)
    assert scan.input_kind == "whole_head"
    assert mask_of(scan.brain_mask).sum() == pytest.approx(mask_of(small_template.brain_mask).sum(), rel=0.01)


def test_brain_is_found_in_a_whole_head(preprocessed_head: PreprocessedScan, whole_head: Phantom) -> None:
    assert preprocessed_head.input_kind == "whole_head"
    mask = mask_of(preprocessed_head.brain_mask)
    assert mask.sum() * voxel_volume_mm3(preprocessed_head.t1w) == pytest.approx(whole_head.tiv_mm3, rel=0.04)
    np.testing.assert_allclose(voxel_sizes(preprocessed_head.t1w.affine), 2.0)
    # Cropped to six voxels (12 mm) around the brain; below it the image itself ends sooner.
    for axis in range(3):
        where = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        assert mask.shape[axis] - 1 - where[-1] == 6
        assert where[0] == 6 or (axis == 2 and where[0] < 6)


def _box_of(scan: PreprocessedScan, original: Nifti1Image) -> tuple[slice, ...]:
    """Where the cropped scan lies in the original."""
    start = np.rint(np.linalg.inv(original.affine) @ scan.t1w.affine[:, 3])[:3].astype(int)
    return tuple(slice(first, first + size) for first, size in zip(start, scan.t1w.shape, strict=True))


# --- what is no whole brain ---------------------------------------------------------------------------------------


def flat(cut: slice, *, at_edge: bool) -> tuple[Nifti1Image, NDArray[np.float32]]:
    """Ball of 1900 ml whose right part is missing; the image ends there, or air follows. Its scan and its truth."""
    whole = ball(1900)
    whole[cut] = False
    if at_edge:
        whole = whole[: cut.start]
    return nib.Nifti1Image(SIGNAL * whole.astype(np.float32), np.diag([5.0, 5.0, 5.0, 1.0])), shape_truth(whole)


def test_half_a_brain_before_the_edge_of_the_image_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ball of 1900 ml has a radius of 77 mm; its middle plane has 18500 mm2."""
    scan, truth = flat(slice(24, None), at_edge=True)
    know(truth, monkeypatch)
    with pytest.raises(FieldOfViewError, match=r"ends in a plane of 1[78]\d{3} mm2 .*field of view cuts it"):
        preprocess(scan)


def test_half_a_brain_in_air_lacks_a_hemisphere(monkeypatch: pytest.MonkeyPatch) -> None:
    scan, truth = flat(slice(24, None), at_edge=False)
    know(truth, monkeypatch)
    with pytest.raises(MissingHemisphereError, match="one hemisphere is missing"):
        preprocess(scan)


def test_hemisphere_of_fluid_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The network makes a whole brain of it, but with doubt; one half has a quarter of the signal."""
    whole = ball(1400)
    know(shape_truth(whole), monkeypatch)
    monkeypatch.setattr("morpho.measure.preprocess.measure_doubt", lambda _: 0.315)
    signal = SIGNAL * whole.astype(np.float32)
    assert preprocess(nib.Nifti1Image(signal, np.diag([5.0, 5, 5, 1]))).input_kind == "extracted"
    signal[22:] *= 0.25
    with pytest.raises(MissingHemisphereError, match=r"has 0\.\d\d of the signal of the other"):
        preprocess(nib.Nifti1Image(signal, np.diag([5.0, 5, 5, 1])))


def test_what_no_view_shows_as_a_brain_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    know(shape_truth(ball(1400)), monkeypatch)
    problems = ["cerebellum is 1.0 % of the brain", "brain stem lies 30 mm above the middle"]
    monkeypatch.setattr("morpho.measure.preprocess.find_implausible_parts", lambda _: problems)
    with pytest.raises(NotABrainError, match=r"cerebellum is 1\.0 % .*brain stem lies 30 mm"):
        preprocess(ball_scan(1400))


def test_brain_that_only_another_view_shows_has_a_wrong_header(monkeypatch: pytest.MonkeyPatch) -> None:
    """The brain is found where the image, turned about the axis from left to right, has its bright side in front."""
    whole = ball(1400)
    signal = SIGNAL * whole.astype(np.float32)
    signal[:, :22] *= 0.5
    signal[:, :, 22:] *= 0.9
    know(shape_truth(whole), monkeypatch)

    def front_is_dark_and_top_bright(head: HeadShares) -> list[str]:
        middle = np.array(head.signal.shape) // 2
        front, back = head.signal[:, middle[1] :].sum(), head.signal[:, : middle[1]].sum()
        top, bottom = head.signal[:, :, middle[2] :].sum(), head.signal[:, :, : middle[2]].sum()
        return [] if front < 0.8 * back and top > bottom else ["cerebellum lies above", "brain stem lies in front"]

    monkeypatch.setattr("morpho.measure.preprocess.find_implausible_parts", front_is_dark_and_top_bright)
    with pytest.raises(OrientationError, match="RPI or the mirror of that"):
        preprocess(nib.Nifti1Image(signal, np.diag([5.0, 5, 5, 1])))
