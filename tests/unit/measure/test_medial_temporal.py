"""Hippocampus and amygdala: found where they are, laid back where they belong, left and right treated alike."""

from typing import Any

import nibabel as nib
import numpy as np
import pytest
from nibabel.nifti1 import Nifti1Image
from numpy.typing import NDArray

from morpho.atlas import Template
from morpho.errors import SegmentationError
from morpho.images import array_of
from morpho.measure.medial_temporal import locate_medial_temporal_lobes, segment_medial_temporal_lobes
from morpho.measure.sampling import AlignedGrid
from morpho.networks import Network

Array = NDArray[np.float64]
Shares = dict[tuple[str, str], NDArray[np.float32]]
GRID = AlignedGrid((44, 40, 36), np.array([-3.0, 8.0, 5.0]), np.array([2.0, 1.5, 2.5]))
# Middle of the template's medial temporal lobes, in mm.
LOBES_MM = ((-26.0, -16.0, -17.0), (26.0, -16.0, -17.0))


def boxes(left: tuple[int, ...], right: tuple[int, ...], left_at: Array, right_at: Array) -> NDArray[np.float32]:
    """Coarse share of two boxes of some size (voxels of the grid) around two positions."""
    expected = np.zeros(GRID.shape, np.float32)
    for size, at in ((left, left_at), (right, right_at)):
        low = np.rint(at - (np.array(size) - 1) / 2).astype(int)
        expected[tuple(slice(start, start + length) for start, length in zip(low, size, strict=True))] = 0.9
    return expected


# --- locate_medial_temporal_lobes ---------------------------------------------------------------------------------

LEFT_AT, RIGHT_AT = np.array([8.0, 20.0, 15.0]), np.array([29.0, 21.0, 17.0])


def assert_located(expected: NDArray[np.float32], left: Array = LEFT_AT, right: Array = RIGHT_AT) -> None:
    found = locate_medial_temporal_lobes(expected, GRID)
    for at, truth in zip(found, (left, right), strict=True):
        np.testing.assert_allclose((at - GRID.start) / GRID.step, truth, atol=0.05)


@pytest.mark.parametrize(
    ("left", "right"),
    [((5, 9, 5), (5, 9, 5)), ((5, 9, 5), (3, 5, 5)), ((3, 5, 5), (5, 9, 5))],
    ids=["alike", "right is a third", "left is a third"],
)
def test_middle_of_each_side_is_found(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    assert_located(boxes(left, right, LEFT_AT, RIGHT_AT))


@pytest.mark.parametrize("shift", [-5, 12])
def test_head_may_lie_anywhere(shift: int) -> None:
    move = np.array([shift, 0, 0])
    assert_located(
        boxes((5, 9, 5), (3, 5, 5), LEFT_AT + move, RIGHT_AT + move), left=LEFT_AT + move, right=RIGHT_AT + move
    )


def test_faint_shares_elsewhere_do_not_count(rng: np.random.Generator) -> None:
    faint = rng.uniform(0, 0.2, GRID.shape).astype(np.float32)
    assert_located(np.maximum(boxes((5, 9, 5), (3, 5, 5), LEFT_AT, RIGHT_AT), faint))


def test_middle_is_weighted_by_share() -> None:
    expected = boxes((5, 9, 5), (5, 9, 5), LEFT_AT, RIGHT_AT)
    expected[9:11, 16:25, 13:18] /= 2  # the inner two of five layers on the left
    # Layers at 6, 7, 8 with 0.9 and 9, 10 with 0.45: (6 + 7 + 8 + 4.5 + 5) / 4 = 7.625.
    assert_located(expected, left=np.array([7.625, 20, 15]))


def test_side_with_next_to_nothing_is_refused_with_its_volume() -> None:
    """225 voxels of 0.9 on the left are 1.6 ml; 36 on the right are 0.26 ml."""
    with pytest.raises(SegmentationError, match=r"with 1\.6 ml left and 0\.3 ml right; at least 0\.4 ml"):
        locate_medial_temporal_lobes(boxes((5, 9, 5), (3, 4, 3), LEFT_AT, RIGHT_AT), GRID)


def test_nothing_at_all_is_refused() -> None:
    with pytest.raises(SegmentationError, match=r"with 0\.0 ml left and 0\.0 ml right.*Look at the scan"):
        locate_medial_temporal_lobes(np.zeros(GRID.shape, np.float32), GRID)


# --- segment_medial_temporal_lobes, with a network that is easy to understand ---------------------------------------


class Session:
    """Calls bright voxels hippocampus in the half with low x and amygdala in the other, as if each image were left."""

    def run(self, _: None, given: dict[str, Any]) -> list[NDArray[np.float32]]:
        bright = given["image"][0, 0].clip(0, 1)
        low = (np.arange(bright.shape[0]) < bright.shape[0] // 2)[:, None, None]
        return [np.stack([1 - bright, bright * low, bright * ~low])[None]]


@pytest.fixture
def simple_network(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network("medial_temporal", (48, 64, 48), 1.0, ("other", "hippocampus", "amygdala"), Session())
    monkeypatch.setattr("morpho.measure.medial_temporal.load_network", lambda _: network)


def two_balls(voxel_mm: tuple[float, float, float], shape: tuple[int, ...]) -> tuple[Nifti1Image, list[Array]]:
    """Balls of 9 mm on the left and 7 mm on the right, soft by a voxel; and where they are, in voxels."""
    affine = np.diag([*voxel_mm, 1.0])
    middle = (np.array(shape) - 1) / 2
    centres = [middle + np.array([side * 26.0, 4.0, -3.0]) / voxel_mm for side in (-1, 1)]
    index = np.moveaxis(np.indices(shape), 0, -1)
    values = np.zeros(shape)
    for centre, radius_mm in zip(centres, (9.0, 7.0), strict=True):
        distance_mm = np.linalg.norm((index - centre) * voxel_mm, axis=-1)
        values = np.maximum(values, np.clip((radius_mm - distance_mm) + 0.5, 0, 1))
    return nib.Nifti1Image((500 * values).astype(np.float32), affine), centres


@pytest.mark.usefixtures("simple_network")
@pytest.mark.parametrize(
    ("voxel_mm", "shape"), [((1.0, 1.0, 1.0), (110, 70, 60)), ((0.9, 1.2, 1.5), (122, 60, 42))], ids=["1 mm", "oblong"]
)
@pytest.mark.parametrize("off_mm", [0.0, 5.0])
def test_what_the_network_sees_is_laid_back_where_it_is(
    voxel_mm: tuple[float, float, float], shape: tuple[int, ...], off_mm: float
) -> None:
    """Also if the lobes are some millimetres from where they were expected."""
    scan, centres = two_balls(voxel_mm, shape)
    off = off_mm / np.array(voxel_mm)
    shares = segment_medial_temporal_lobes(scan, (centres[0] + off, centres[1] - off))
    truth = array_of(scan) / 500
    is_left = np.arange(shape[0])[:, None, None] < shape[0] / 2
    for side, there in (("L", is_left), ("R", ~is_left)):
        both = shares["hippocampus", side] + shares["amygdala", side]
        assert np.abs(both - truth * there).mean() < 0.002
        assert both.sum() == pytest.approx((truth * there).sum(), rel=0.02)


@pytest.mark.usefixtures("simple_network")
def test_each_side_is_shown_as_a_left_one() -> None:
    """What the network calls hippocampus is on the left of a left lobe, and on the right of a right one."""
    scan, centres = two_balls((1.0, 1.0, 1.0), (110, 70, 60))
    shares = segment_medial_temporal_lobes(scan, (centres[0], centres[1]))
    x = np.arange(110)[:, None, None]
    at = {name: float((share * x).sum() / share.sum()) for name, share in shares.items()}
    assert at["hippocampus", "L"] < at["amygdala", "L"] < at["amygdala", "R"] < at["hippocampus", "R"]


@pytest.mark.usefixtures("simple_network")
def test_lobe_at_the_border_of_the_image_is_cut() -> None:
    scan, centres = two_balls((1.0, 1.0, 1.0), (110, 70, 60))
    cut = nib.Nifti1Image(array_of(scan)[:, :, 25:], scan.affine)
    off = np.array([0.0, 0.0, 25.0])
    shares = segment_medial_temporal_lobes(cut, (centres[0] - off, centres[1] - off))
    both, truth = sum(shares.values()), array_of(cut) / 500
    assert both.sum() == pytest.approx(truth.sum(), rel=0.05)
    assert np.abs(both - truth)[:, :, 1:].max() < 0.35


# --- segment_medial_temporal_lobes, with the network that ships ----------------------------------------------------


def around_the_lobes(template: Template) -> Nifti1Image:
    """Cut the lower middle of the template, shaded from left to right so that its sides differ."""
    box = (slice(32, 165), slice(62, 160), slice(22, 92))
    cut = template.t1w.slicer[box]
    shading = np.linspace(0.85, 1.15, cut.shape[0], dtype=np.float32)[:, None, None]
    rng = np.random.default_rng(20260101)
    noise = rng.normal(0, 0.01, cut.shape).astype(np.float32)
    return nib.Nifti1Image(((array_of(cut) * shading + noise) * (array_of(cut) > 0)).clip(0), cut.affine)


def centres_in(scan: Nifti1Image) -> tuple[Array, Array]:
    left, right = (nib.affines.apply_affine(np.linalg.inv(scan.affine), np.array(at)) for at in LOBES_MM)
    return left, right


@pytest.fixture(scope="module")
def lobes(template: Template) -> Nifti1Image:
    return around_the_lobes(template)


@pytest.fixture(scope="module")
def found(lobes: Nifti1Image) -> Shares:
    return segment_medial_temporal_lobes(lobes, centres_in(lobes))


def test_structures_of_the_template_are_found(lobes: Nifti1Image, found: Shares) -> None:
    """The template is larger than an average brain; its hippocampi have about 4.5 ml, its amygdalae 2 ml."""
    for (structure, side), share in found.items():
        low, high = {"hippocampus": (3.0, 7.0), "amygdala": (1.0, 3.5)}[structure]
        assert low < share.sum() / 1000 < high
        at_mm = nib.affines.apply_affine(lobes.affine, np.argwhere(share > 0.5)).mean(axis=0)
        assert at_mm[0] < -15 if side == "L" else at_mm[0] > 15
        assert 0 <= share.min() <= share.max() <= 1 + 1e-6
    hippocampus, amygdala = (
        np.argwhere(found[structure, "L"] > 0.5)[:, 1].mean() for structure in ("hippocampus", "amygdala")
    )
    assert amygdala > hippocampus + 10


def test_a_voxel_is_not_given_out_twice(found: Shares) -> None:
    assert sum(found.values()).max() <= 1 + 1e-5


def test_sides_of_a_mirrored_scan_are_swapped(lobes: Nifti1Image, found: Shares) -> None:
    """Whatever is done for one side must be done in mirror image for the other, or sides differ where they do not."""
    mirror = nib.Nifti1Image(array_of(lobes)[::-1].copy(), lobes.affine)
    (left, *left_rest), (right, *right_rest) = centres_in(lobes)
    last = lobes.shape[0] - 1
    swapped = segment_medial_temporal_lobes(
        mirror, (np.array([last - right, *right_rest]), np.array([last - left, *left_rest]))
    )
    for structure in ("hippocampus", "amygdala"):
        for side, other in (("L", "R"), ("R", "L")):
            np.testing.assert_allclose(swapped[structure, other][::-1], found[structure, side], atol=1e-3)


def test_unit_of_the_signal_does_not_matter(lobes: Nifti1Image, found: Shares) -> None:
    again = segment_medial_temporal_lobes(nib.Nifti1Image(1000 * array_of(lobes), lobes.affine), centres_in(lobes))
    for name, share in found.items():
        np.testing.assert_allclose(again[name], share, atol=1e-3)
