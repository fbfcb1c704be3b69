"""The coarse segmentation of a head: it looks where the brain is, and finds it."""

from collections.abc import Callable
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from nibabel.affines import voxel_sizes
from nibabel.nifti1 import Nifti1Image
from numpy.typing import NDArray

from morpho.errors import BrainMaskError
from morpho.images import array_of, voxel_volume_mm3
from morpho.measure.head import HeadShares, InputKind, segment_head
from morpho.networks import Network
from morpho.phantom import Phantom

Array = NDArray[np.float64]
BRAIN_MM = np.array([68.0, 85.0, 66.0])  # half axes
CENTRE_TOLERANCE_MM = 6.0


class Session:
    """Calls dim voxels outside and all others brain; counts how often it was asked."""

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold
        self.asked = 0

    def run(self, _: None, given: dict[str, Any]) -> list[NDArray[np.float32]]:
        self.asked += 1
        inside = (given["image"][0, 0] > self.threshold).astype(np.float32)
        return [np.stack([1 - inside, 0.25 * inside, 0.75 * inside])[None]]


@pytest.fixture
def simple_network(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], Session]:
    """Put a network that looks at the signal only in place of the one that ships."""

    def install(threshold: float) -> Session:
        session = Session(threshold)
        network = Network("head", (96, 112, 96), 2.0, ("outside", "fluid", "white_matter"), session)
        monkeypatch.setattr("morpho.measure.head.load_network", lambda _: network)
        return session

    return install


def brain_scan(
    centre_mm: tuple[float, float, float],
    *,
    field_mm: tuple[float, float, float] = (256.0, 256.0, 256.0),
    voxel_mm: tuple[float, float, float] = (4.0, 4.0, 4.0),
    head: bool = False,
) -> Nifti1Image:
    """Bright brain in a field of view, its centre in mm from the first voxel; a dimmer head and neck around it."""
    shape = np.rint(np.array(field_mm) / voxel_mm).astype(int)
    position = np.moveaxis(np.indices(shape), 0, -1) * voxel_mm - np.array(centre_mm)
    signal = 100.0 * (np.linalg.norm(position / BRAIN_MM, axis=-1) < 1)
    if head:
        inside = np.linalg.norm(np.add(position, (0, 0, 12)) / (BRAIN_MM + 18), axis=-1) < 1
        neck = (np.linalg.norm(position[..., :2], axis=-1) < 60) & (position[..., 2] < -60)
        signal = np.maximum(signal, 30.0 * (inside | neck))
    return nib.Nifti1Image(signal.astype(np.float32), np.diag([*voxel_mm, 1.0]))


def off_centre_mm(head: HeadShares, scan: Nifti1Image, centre_mm: tuple[float, float, float]) -> float:
    """Distance of the middle of the grid from the brain's centre, along the worst axis."""
    middle = head.grid.start + head.grid.step * (np.array(head.grid.shape) - 1) / 2
    return float(np.abs(middle * voxel_sizes(scan.affine) - centre_mm).max())


# --- where it looks, with a network that is easy to understand ------------------------------------------------------


@pytest.mark.parametrize("kind", ["extracted", "whole_head"])
@pytest.mark.parametrize("centre_mm", [(128, 128, 150), (90, 100, 110), (170, 165, 180)], ids=str)
def test_brain_lies_in_the_middle_of_the_grid(
    simple_network: Callable[[float], Session], kind: InputKind, centre_mm: tuple[float, float, float]
) -> None:
    simple_network(0.5)
    scan = brain_scan(centre_mm, head=kind == "whole_head")
    assert off_centre_mm(segment_head(scan, kind), scan, centre_mm) < CENTRE_TOLERANCE_MM


@pytest.mark.parametrize("voxel_mm", [(2.0, 3.0, 4.0), (1.5, 4.0, 2.5)], ids=str)
def test_voxels_need_not_be_cubes(
    simple_network: Callable[[float], Session], voxel_mm: tuple[float, float, float]
) -> None:
    simple_network(0.5)
    scan = brain_scan((110, 120, 140), voxel_mm=voxel_mm, head=True)
    head = segment_head(scan, "whole_head")
    assert off_centre_mm(head, scan, (110, 120, 140)) < CENTRE_TOLERANCE_MM
    np.testing.assert_allclose(voxel_sizes(head.grid.affine(scan.affine)), 2.0)
    volume_mm3 = head.share("fluid", "white_matter").sum() * 8
    assert volume_mm3 == pytest.approx(4 / 3 * np.pi * BRAIN_MM.prod(), rel=0.06)


def test_field_of_view_that_ends_below_the_brain_is_no_obstacle(simple_network: Callable[[float], Session]) -> None:
    """A field of 140 mm height holds the brain and hardly any neck."""
    simple_network(0.5)
    scan = brain_scan((128, 128, 70), field_mm=(256, 256, 140), head=True)
    assert off_centre_mm(segment_head(scan, "whole_head"), scan, (128, 128, 70)) < CENTRE_TOLERANCE_MM


def test_network_is_asked_again_only_if_the_brain_is_off(simple_network: Callable[[float], Session]) -> None:
    session = simple_network(0.5)
    segment_head(brain_scan((128, 128, 128)), "extracted")
    assert session.asked == 1


def test_signal_is_that_of_the_scan_on_the_grid(simple_network: Callable[[float], Session]) -> None:
    simple_network(0.5)
    head = segment_head(brain_scan((128, 128, 128)), "extracted")
    assert head.signal.shape == head.grid.shape == head.shares.shape[1:]
    assert head.signal[48, 56, 48] == pytest.approx(100)
    assert head.signal[0, 0, 0] == 0


def test_shares_are_asked_for_by_name(simple_network: Callable[[float], Session]) -> None:
    simple_network(0.5)
    head = segment_head(brain_scan((128, 128, 128)), "extracted")
    np.testing.assert_array_equal(head.share("fluid"), head.shares[1])
    np.testing.assert_array_equal(head.share("white_matter", "outside"), head.shares[0] + head.shares[2])


def test_scan_in_which_no_brain_is_seen_is_refused(simple_network: Callable[[float], Session]) -> None:
    simple_network(1.9)
    with pytest.raises(BrainMaskError, match=r"No brain was found.*T1w"):
        segment_head(brain_scan((128, 128, 128)), "extracted")


# --- with the network that ships -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def coarse(whole_head: Phantom) -> HeadShares:
    return segment_head(as_float(whole_head), "whole_head")


def as_float(phantom: Phantom) -> Nifti1Image:
    return nib.Nifti1Image(array_of(phantom.t1w), phantom.t1w.affine)


def test_shares_of_a_head_sum_to_one(coarse: HeadShares) -> None:
    np.testing.assert_allclose(coarse.shares.sum(axis=0), 1, atol=1e-5)


def test_inside_of_the_skull_has_its_true_volume(coarse: HeadShares, whole_head: Phantom) -> None:
    inside_mm3 = float((1 - coarse.share("outside")).sum(dtype=float)) * 8
    assert inside_mm3 == pytest.approx(whole_head.tiv_mm3, rel=0.04)


def test_tissues_of_a_head_are_ordered_by_their_signal(coarse: HeadShares) -> None:
    """Where the network is sure of a tissue, the signal is that of the tissue."""
    fluid, cortex, white = (
        float(np.median(coarse.signal[coarse.share(name) > 0.8])) for name in ("fluid", "cortex", "white_matter")
    )
    assert fluid < 0.6 * white
    assert 0.5 * white < cortex < 0.85 * white


def test_head_at_the_edge_of_a_large_field_of_view_is_found(coarse: HeadShares, whole_head: Phantom) -> None:
    """The same head, but with 80 mm of air on its left, behind and above it."""
    scan = as_float(whole_head)
    widened = np.pad(array_of(scan), ((40, 0), (40, 0), (0, 40)))
    moved = segment_head(nib.Nifti1Image(widened, scan.affine), "whole_head")
    inside = [float((1 - head.share("outside")).sum(dtype=float)) for head in (coarse, moved)]
    assert inside[1] == pytest.approx(inside[0], rel=0.01)
    middle = [head.grid.start + head.grid.step * (np.array(head.grid.shape) - 1) / 2 for head in (coarse, moved)]
    np.testing.assert_allclose(middle[1] - [40, 40, 0], middle[0], atol=CENTRE_TOLERANCE_MM / 2)
    assert voxel_volume_mm3(scan) == pytest.approx(8)
