"""Layout of a brain: the template has one, a ball has none, and turned axes are named as they are."""

import re
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
from nibabel.nifti1 import Nifti1Image
from numpy.typing import NDArray

from morpho.images import FloatArray, array_of
from morpho.measure.head import HeadShares
from morpho.measure.layout import find_implausible_parts, measure_balance, measure_doubt, turned_views
from morpho.measure.sampling import AlignedGrid

SHAPE = (80, 96, 80)  # of 2 mm
CLASSES = (
    "outside", "fluid", "cortex", "white_matter", "deep_grey_matter", "hippocampus_amygdala", "cerebellum",
    "brain_stem",
)  # fmt: skip
MIDDLE = np.array([40, 50, 42])
# Radii (voxels) and place relative to the middle of the cerebrum of ellipsoids that stand for the parts of a brain.
PARTS = {
    "cortex": ((32, 40, 28), (0, 0, 0)),
    "white_matter": ((26, 34, 22), (0, 0, 0)),
    "deep_grey_matter": ((10, 10, 7), (0, 8, -4)),
    "hippocampus_amygdala": ((14, 7, 4), (0, 7, -12)),
    "cerebellum": ((14, 13, 12), (0, -9, -30)),
    "brain_stem": ((6, 6, 14), (0, 5, -20)),
}
Image = NDArray[np.float32]


def brain(moved: str = "", by: tuple[int, int, int] = (0, 0, 0), grown: float = 1.0) -> HeadShares:
    """Make a brain of ellipsoids, later parts over earlier ones; one part may be moved (voxels) or grown."""
    label = np.zeros(SHAPE, int)
    axes = np.meshgrid(*[np.arange(size) for size in SHAPE], indexing="ij", sparse=True)
    for name, (radii, place) in PARTS.items():
        centre = MIDDLE + np.array(place) + (np.array(by) if name == moved else 0)
        size = np.array(radii) * (grown if name == moved else 1.0)
        inside = sum(((axis - c) / r) ** 2 for axis, c, r in zip(axes, centre, size, strict=True)) <= 1
        label[inside] = CLASSES.index(name)
    shares = np.stack([(label == number) for number in range(len(CLASSES))]).astype(np.float32)
    return HeadShares(shares, 1 - shares[0], AlignedGrid(SHAPE, np.zeros(3), np.ones(3)), CLASSES)


def test_brain_has_no_implausible_parts() -> None:
    assert find_implausible_parts(brain()) == []


@pytest.mark.parametrize(
    ("part", "by", "problem"),
    [
        ("cerebellum", (0, 0, 30), "cerebellum lies .* above"),
        ("cerebellum", (0, 25, 0), "cerebellum lies .* forward"),
        ("brain_stem", (0, 0, 20), "brain stem lies .* above"),
        ("hippocampus_amygdala", (0, 0, 16), "hippocampus amygdala lies .* above"),
    ],
)
def test_part_in_the_wrong_place_is_named(part: str, by: tuple[int, int, int], problem: str) -> None:
    found = find_implausible_parts(brain(part, by))
    assert any(re.search(problem, text) for text in found)


@pytest.mark.parametrize(("part", "grown"), [("cerebellum", 0.5), ("brain_stem", 0.5), ("hippocampus_amygdala", 1.8)])
def test_part_of_the_wrong_size_is_named(part: str, grown: float) -> None:
    assert any(
        part.replace("_", " ") in text and "% of the brain" in text
        for text in find_implausible_parts(brain(part, grown=grown))
    )


def test_side_does_not_matter() -> None:
    head = brain()
    assert find_implausible_parts(replace(head, shares=head.shares[:, ::-1])) == []


def test_upside_down_brain_is_implausible() -> None:
    head = brain()
    assert len(find_implausible_parts(replace(head, shares=head.shares[:, :, ::-1, ::-1]))) >= 3


def test_cerebrum_alone_is_implausible_in_many_ways() -> None:
    head = brain()
    shares = np.zeros_like(head.shares)
    shares[0], shares[2], shares[3] = head.shares[0], head.shares[2], 1 - head.shares[0] - head.shares[2]
    assert len(find_implausible_parts(replace(head, shares=shares))) >= 4


def test_doubt_is_what_the_likeliest_class_lacks() -> None:
    head = brain()
    assert measure_doubt(head) == 0
    mixed = np.where(
        head.shares[:1] > 0, head.shares, 0.7 * head.shares + 0.3 * np.roll(head.shares[1:], 1, 0).sum(0) / 7
    )
    mixed = mixed.astype(np.float32)
    inside = head.shares[0] == 0
    assert measure_doubt(replace(head, shares=mixed)) == pytest.approx(float((1 - mixed.max(axis=0))[inside].mean()))
    assert (
        measure_doubt(replace(head, shares=np.eye(8, dtype=np.float32)[:, :1, None, None] * np.ones(SHAPE, np.float32)))
        == 1
    )


@pytest.mark.parametrize("left", [1.0, 0.4, 0.0])
def test_balance_is_that_of_the_signal(left: float) -> None:
    head = brain()
    signal = head.signal.copy()
    signal[: MIDDLE[0]] *= left
    assert measure_balance(replace(head, signal=signal)) == pytest.approx(left, abs=0.05)


# --- turned_views -------------------------------------------------------------------------------------------------


def claim(image: Nifti1Image, codes: str) -> Nifti1Image:
    """Store the voxels in the order of `codes`, under a header that says RAS."""
    change = nib.orientations.ornt_transform(
        nib.orientations.axcodes2ornt("RAS"), nib.orientations.axcodes2ornt(tuple(codes))
    )
    stored = image.as_reoriented(change)
    return nib.Nifti1Image(array_of(stored), np.diag([*nib.affines.voxel_sizes(stored.affine), 1.0]))


@pytest.mark.parametrize("codes", ["RPI", "RIA", "RSP", "ASR", "IAR", "PRS"])
def test_the_view_of_the_true_axes_shows_the_image_as_it_is(rng: np.random.Generator, codes: str) -> None:
    image = nib.Nifti1Image(rng.random((5, 6, 7)).astype(np.float32), np.diag([1.0, 2.0, 3.0, 1.0]))
    views = dict(turned_views(claim(image, codes)))
    np.testing.assert_array_equal(array_of(views[codes]), array_of(image))
    np.testing.assert_allclose(nib.affines.voxel_sizes(views[codes].affine), [1, 2, 3])


def test_views_are_all_turns_but_for_left_and_right(rng: np.random.Generator) -> None:
    """48 ways to name the axes, half of them mirror images of the others, less the one of the header."""
    data: FloatArray = rng.random((5, 5, 5)).astype(np.float32)
    views = [array_of(view) for _, view in turned_views(nib.Nifti1Image(data, np.eye(4)))]
    seen = {view.tobytes() for view in views} | {np.ascontiguousarray(view[::-1]).tobytes() for view in views}
    assert len(views) == 23
    assert len(seen) == 46
    assert data.tobytes() not in seen
