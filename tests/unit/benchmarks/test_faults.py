"""Faults have the strength that they say, and leave everything else as it was."""

import numpy as np
import pytest
from faults import (
    FAULTS,
    NO_SCANS,
    Anatomy,
    Scan,
    add_ghost,
    add_motion,
    add_noise,
    add_shading,
    blur,
    cut_front,
    cut_half,
    cut_side,
    cut_top,
    deface_into_brain,
    erase_to_fluid,
    erase_to_white,
    mirror,
    remove_hemisphere,
    scan_fruit,
    scan_noise,
    scan_nothing,
    turn_header,
)
from nibabel.nifti1 import Nifti1Image
from nibabel.orientations import aff2axcodes
from numpy.typing import NDArray

from morpho.images import array_of
from morpho.quality_metrics import FLAGS, HARD_FAILURES

SHAPE, WHITE, VOXEL_MM = (40, 48, 44), 600.0, np.array([2.0, 2.0, 1.5])
BRAIN = (slice(8, 32), slice(10, 38), slice(10, 36))
Values = NDArray[np.float32]


@pytest.fixture
def scan(rng: np.random.Generator) -> Scan:
    """Brain of white matter in a box with a hippocampus of 0.6 in it, faint air around it; shading from 0.8 to 1.2."""
    brain, hippocampus = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
    brain[BRAIN] = True
    hippocampus[12:16, 14:30, 14:18] = True
    shading = WHITE * np.broadcast_to(np.linspace(0.8, 1.2, SHAPE[0])[:, None, None], SHAPE).astype(np.float32)
    values = shading * np.where(hippocampus, 0.6, brain) + rng.uniform(0.5, 1.5, SHAPE)
    image = Nifti1Image(values.astype(np.float32), np.diag([*VOXEL_MM, 1.0]))
    return Scan(image, Anatomy(brain, hippocampus, shading, WHITE))


def extracted(scan: Scan) -> Scan:
    values = np.where(scan.anatomy.brain, scan.values, 0)
    return Scan(Nifti1Image(values, scan.image.affine), scan.anatomy)


def test_noise_follows_rayleigh_in_air_and_is_normal_in_tissue(scan: Scan, rng: np.random.Generator) -> None:
    """Standard deviation 10 % of 600: air has a mean of 60 times the root of pi / 2, a brain spreads by 60."""
    added = array_of(add_noise(scan, 10, rng))
    assert added[~scan.anatomy.brain].mean() == pytest.approx(60 * np.sqrt(np.pi / 2), rel=0.02)
    assert (added - scan.values)[scan.anatomy.brain].std() == pytest.approx(60, rel=0.03)


def test_ghost_is_the_scan_moved_by_half_the_image(scan: Scan) -> None:
    added = array_of(add_ghost(scan, 20, np.random.default_rng(0)))
    np.testing.assert_allclose(added[20, 2, 20] - scan.values[20, 2, 20], 0.2 * scan.values[20, 26, 20], rtol=1e-5)


def test_background_of_an_extracted_brain_stays_zero(scan: Scan, rng: np.random.Generator) -> None:
    for fault in (add_noise, add_ghost, blur, add_motion):
        changed = array_of(fault(extracted(scan), 5, rng))
        assert not changed[:6].any()
        assert changed[scan.anatomy.brain].min() > 0


def test_no_motion_changes_nothing_and_more_motion_more(scan: Scan) -> None:
    change = [
        float(np.abs(array_of(add_motion(scan, size, np.random.default_rng(1))) - scan.values).mean())
        for size in (0, 1, 4)
    ]
    assert change[0] < 1e-3 * WHITE
    assert change[0] < change[1] < change[2]


def test_blur_keeps_the_sum_and_takes_the_edges(scan: Scan) -> None:
    blurred = array_of(blur(scan, 4, np.random.default_rng(0)))
    assert blurred.sum() == pytest.approx(scan.values.sum(), rel=1e-3)
    assert np.abs(np.diff(blurred, axis=1)).max() < 0.5 * np.abs(np.diff(scan.values, axis=1)).max()


def test_shading_is_smooth_and_as_large_as_asked(scan: Scan, rng: np.random.Generator) -> None:
    """No shading is 0 %; a field is a smooth factor that is 1 in the middle of the image."""
    np.testing.assert_allclose(array_of(add_shading(scan, 0, rng)), scan.values, rtol=1e-5)
    field = array_of(add_shading(scan, 100, rng)) / scan.values
    assert field[20, 24, 22] == pytest.approx(1, abs=1e-5)
    assert np.abs(np.diff(np.log(field), axis=1)).max() < 0.05
    assert field.max() / field.min() > 1.3


@pytest.mark.parametrize(("cut", "axis"), [(cut_side, 0), (cut_front, 1), (cut_top, 2)])
def test_cut_takes_the_depth_asked_for_from_the_brain(scan: Scan, cut: object, axis: int) -> None:
    changed = cut(scan, 12, np.random.default_rng(0))  # type: ignore[operator]
    assert changed.shape[axis] == BRAIN[axis].stop - 12 / VOXEL_MM[axis]
    np.testing.assert_array_equal(changed.affine, scan.image.affine)


def test_half_a_brain_is_left(scan: Scan) -> None:
    left = cut_half(scan, 1, np.random.default_rng(0)).shape[0]
    assert scan.anatomy.brain[:left].sum() / scan.anatomy.brain.sum() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(("erase", "signal"), [(erase_to_fluid, 0.25), (erase_to_white, 1.0)])
@pytest.mark.parametrize("percent", [25, 50])
def test_erased_part_has_the_other_signal_in_its_own_shading(
    scan: Scan, rng: np.random.Generator, erase: object, signal: float, percent: float
) -> None:
    changed = array_of(erase(scan, percent, rng)) / scan.anatomy.shading  # type: ignore[operator]
    gone = np.abs(changed - 0.6)[scan.anatomy.hippocampus] > 0.2
    assert gone.mean() == pytest.approx(percent / 100, abs=0.13)
    assert np.median(changed[scan.anatomy.hippocampus][gone]) == pytest.approx(signal, abs=0.04)
    far = np.zeros(SHAPE, bool)
    far[:, 34:] = True
    np.testing.assert_array_equal(changed[far], (scan.values / scan.anatomy.shading)[far])


def test_mirror_changes_the_voxels_and_not_the_header(scan: Scan) -> None:
    mirrored = mirror(scan, 1, np.random.default_rng(0))
    np.testing.assert_array_equal(array_of(mirrored), scan.values[::-1])
    np.testing.assert_array_equal(mirrored.affine, scan.image.affine)


def test_hemisphere_is_empty_or_fluid(scan: Scan, rng: np.random.Generator) -> None:
    right, left = np.s_[22:30, 12:36, 12:34], np.s_[17:19, 12:36, 12:34]
    head = array_of(remove_hemisphere(scan, 1, rng)) / scan.anatomy.shading
    brain = array_of(remove_hemisphere(extracted(scan), 1, rng))
    assert head[right].mean() == pytest.approx(0.25, abs=0.01)
    assert not brain[right].any()
    np.testing.assert_array_equal(brain[left], scan.values[left])


@pytest.mark.parametrize(("degrees", "codes"), [(0, "RAS"), (90, "RSP"), (180, "RPI")])
def test_turned_header_names_other_axes(scan: Scan, degrees: float, codes: str) -> None:
    turned = turn_header(scan, degrees, np.random.default_rng(0))
    assert "".join(aff2axcodes(turned.affine)) == codes
    np.testing.assert_array_equal(array_of(turned), scan.values)


def test_defacing_reaches_into_the_brain_by_its_depth(scan: Scan) -> None:
    gone = [
        int((array_of(deface_into_brain(scan, depth, np.random.default_rng(0))) == 0)[scan.anatomy.brain].sum())
        for depth in (0, 5, 10)
    ]
    assert gone[0] == 0
    assert 0 < gone[1] < gone[2]


def test_fruit_has_its_diameter_a_bright_peel_and_dark_seeds(rng: np.random.Generator) -> None:
    values = array_of(scan_fruit(100, rng))
    across_mm = 1.1 * np.flatnonzero(values[88, :, 104] > 200).size
    assert across_mm == pytest.approx(100, rel=0.1)
    pulp, along = np.median(values[values > 200]), values[88, :, 104]
    bright = 1.1 * np.abs(np.flatnonzero(along > 1.3 * pulp) - 103.5)
    assert bright.max() == pytest.approx(48, abs=4)
    assert (values[60:116, 76:132, 96:112] < 0.4 * pulp).any()
    assert values[:20].mean() < 0.1 * pulp


def test_images_of_nothing(rng: np.random.Generator) -> None:
    assert not array_of(scan_nothing(0, rng)).any()
    assert array_of(scan_noise(50, rng)).mean() == pytest.approx(50 * np.sqrt(np.pi / 2), rel=0.01)


def test_every_fault_has_a_name_that_quality_control_knows() -> None:
    for planned in (FAULTS | NO_SCANS).values():
        assert planned.names <= {*FLAGS, *HARD_FAILURES}
        assert list(planned.strengths) == sorted(planned.strengths)
