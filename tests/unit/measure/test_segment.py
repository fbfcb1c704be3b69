"""Tissue maps and structures: shares that sum to one, and that are the true ones where these are known.

The small head has voxels of 2.5 mm here, so that its hippocampi have the size of an adult's. What the networks would
see in it is given; they have tests of their own.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import nibabel as nib
import numpy as np
import pytest
from nibabel.nifti1 import Nifti1Image
from numpy.typing import NDArray
from scipy import ndimage

from morpho.atlas import Atlas, Template
from morpho.errors import GridMismatchError, ImageError, NotABrainError, SegmentationError
from morpho.images import array_of, check_same_grid, labels_of, mask_of
from morpho.measure.sampling import grid_around, sample_on_grid
from morpho.measure.segment import Segmentation, TissueMaps, segment_tissue
from morpho.networks import load_network
from morpho.structures import STRUCTURES

Array = NDArray[np.float32]
TISSUES = [field.name for field in fields(TissueMaps)]
SIGNAL = {"csf": 0.22, "grey_matter": 0.63, "white_matter": 1.0}
NOISE = 0.03
VOXEL_MM = 2.5
COARSE_SHAPE = (70, 80, 64)
AIR = 4


@dataclass(frozen=True)
class Head:
    """Small head in voxels of 2.5 mm: true shares of tissues and structures, its mask and what a coarse look gives."""

    affine: NDArray[np.float64]
    tissue: dict[str, Array]
    structures: dict[tuple[str, str], Array]
    mask: NDArray[np.uint8]
    coarse: Nifti1Image

    def scan(self, rng: np.random.Generator, signal: dict[str, float] = SIGNAL) -> Nifti1Image:
        clean = sum(signal[name] * share for name, share in self.tissue.items())
        noisy = (clean + rng.normal(0, NOISE, self.mask.shape)) * self.mask
        return nib.Nifti1Image(noisy.clip(0).astype(np.float32), self.affine)

    def image(self, data: NDArray[np.generic]) -> Nifti1Image:
        return nib.Nifti1Image(data, self.affine)


def look_coarsely(shares: dict[str, Array], affine: NDArray[np.float64]) -> Nifti1Image:
    """Shares of the classes of network "head" on a 2 mm grid, blurred by 2 mm as the network blurs them."""
    scan = nib.Nifti1Image(shares["fluid"], affine)
    grid = grid_around(scan, (np.array(scan.shape) - 1) / 2, COARSE_SHAPE, 2.0)
    classes = load_network("head").classes
    nothing = np.zeros(COARSE_SHAPE, np.float32)
    known = {name: ndimage.gaussian_filter(sample_on_grid(share, grid), 1.0) for name, share in shares.items()}
    rest = np.maximum(1 - sum(known.values()), 0)
    maps = [rest if name == "outside" else known.get(name, nothing) for name in classes]
    return nib.Nifti1Image(np.stack(maps, axis=-1), grid.affine(affine))


@pytest.fixture(scope="module")
def head(small_template: Template, small_atlas: Atlas) -> Head:
    affine = small_template.t1w.affine.copy()
    affine[:3] *= VOXEL_MM
    affine[:3, 3] -= AIR * VOXEL_MM
    tissue = {name: np.pad(array_of(getattr(small_template, name)), AIR) for name in TISSUES}
    labels = np.pad(labels_of(small_atlas.image), AIR)
    index = small_atlas.labels.set_index(["name", "hemisphere"])["index"]
    structures = {name: np.where(labels == index[name], tissue["grey_matter"], 0) for name in STRUCTURES}
    nuclei = sum(structures.values())
    coarse = {
        "fluid": tissue["csf"], "cortex": tissue["grey_matter"] - nuclei, "hippocampus_amygdala": nuclei,
        "white_matter": tissue["white_matter"],
    }  # fmt: skip
    mask = np.pad(mask_of(small_template.brain_mask), AIR).astype(np.uint8)
    return Head(affine, tissue, structures, mask, look_coarsely(coarse, affine))


@pytest.fixture(autouse=True)
def give_structures(head: Head, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[tuple[str, str], Array]], None]:
    """Let the network of the medial temporal lobes know the truth, or what a test gives it instead."""

    def give(structures: dict[tuple[str, str], Array]) -> None:
        monkeypatch.setattr(
            "morpho.measure.segment.segment_medial_temporal_lobes",
            lambda *_: {name: share.copy() for name, share in structures.items()},
        )

    give(head.structures)
    return give


@pytest.fixture
def t1w(head: Head, rng: np.random.Generator) -> Nifti1Image:
    return head.scan(rng)


def segment(t1w: Nifti1Image, head: Head, *, prior_weight: float = 1.0) -> Segmentation:
    mask = nib.Nifti1Image(head.mask, t1w.affine)
    found = segment_tissue(t1w, mask, head.coarse, prior_weight=prior_weight)
    check_same_grid(t1w, *vars(found.tissue).values(), *found.structures.values())
    return found


def shares_of(found: Segmentation) -> dict[str, Array]:
    return {name: array_of(getattr(found.tissue, name)) for name in TISSUES}


# --- tissues ------------------------------------------------------------------------------------------------------


def test_shares_sum_to_one_in_the_mask_and_are_zero_outside(t1w: Nifti1Image, head: Head) -> None:
    shares = shares_of(segment(t1w, head))
    total = sum(shares.values())
    np.testing.assert_allclose(total[head.mask > 0], 1, atol=1e-5)
    assert total[head.mask == 0].max() == 0
    assert all(0 <= share.min() <= share.max() <= 1 + 1e-6 for share in shares.values())


@pytest.mark.parametrize("prior_weight", [0.5, 1.0])
def test_pure_tissue_is_found_where_it_is(t1w: Nifti1Image, head: Head, prior_weight: float) -> None:
    shares = shares_of(segment(t1w, head, prior_weight=prior_weight))
    for name in TISSUES:
        assert shares[name][head.tissue[name] > 0.98].mean() > 0.95


@pytest.mark.parametrize("prior_weight", [0.5, 1.0])
def test_volume_of_each_tissue_is_the_true_one(t1w: Nifti1Image, head: Head, prior_weight: float) -> None:
    shares = shares_of(segment(t1w, head, prior_weight=prior_weight))
    for name in TISSUES:
        assert shares[name].sum() == pytest.approx(head.tissue[name].sum(), rel=0.06)


def test_share_of_each_voxel_is_the_true_one(t1w: Nifti1Image, head: Head) -> None:
    shares = shares_of(segment(t1w, head))
    inside = head.mask > 0
    for name in TISSUES:
        assert np.abs(shares[name] - head.tissue[name])[inside].mean() < 0.05


def test_brightness_of_white_matter_need_only_be_near_one(t1w: Nifti1Image, head: Head) -> None:
    totals = [
        [share.sum() for share in shares_of(segment(head.image(factor * array_of(t1w)), head)).values()]
        for factor in (np.float32(1), np.float32(0.92), np.float32(1.08))
    ]
    np.testing.assert_allclose(totals[1:], [totals[0]] * 2, rtol=0.01)


def test_one_scan_has_one_segmentation(t1w: Nifti1Image, head: Head) -> None:
    first, second = (shares_of(segment(t1w, head)) for _ in range(2))
    for name in TISSUES:
        np.testing.assert_array_equal(first[name], second[name])


def test_place_in_the_world_does_not_matter(t1w: Nifti1Image, head: Head, awkward_affine: NDArray[np.float64]) -> None:
    """The same voxels on an oblique grid far from the origin."""
    turned = awkward_affine @ np.diag([VOXEL_MM / 1.5, VOXEL_MM / 2, VOXEL_MM / 3, 1])
    turned[:3, 3] = 1234.5678
    coarse = nib.Nifti1Image(np.asarray(head.coarse.dataobj), turned @ np.linalg.inv(head.affine) @ head.coarse.affine)
    there = shares_of(segment(nib.Nifti1Image(array_of(t1w), turned), replace(head, affine=turned, coarse=coarse)))
    here = shares_of(segment(t1w, head))
    for name in TISSUES:
        np.testing.assert_allclose(there[name], here[name], atol=1e-3)


def test_width_of_the_crop_does_not_matter(
    t1w: Nifti1Image, head: Head, give_structures: Callable[[dict[tuple[str, str], Array]], None]
) -> None:
    """Coarse shares have a grid of their own, which stays where it is when the scan is cut."""
    box = (slice(3, -1), slice(2, -3), slice(1, -2))
    give_structures({name: share[box] for name, share in head.structures.items()})
    cut = shares_of(segment(t1w.slicer[box], replace(head, mask=head.mask[box])))
    give_structures(head.structures)
    whole = shares_of(segment(t1w, head))
    for name in TISSUES:
        np.testing.assert_allclose(cut[name], whole[name][box], atol=2e-3)


def test_mirrored_scan_has_mirrored_tissues(
    t1w: Nifti1Image, head: Head, give_structures: Callable[[dict[tuple[str, str], Array]], None]
) -> None:
    coarse = nib.Nifti1Image(np.asarray(head.coarse.dataobj)[::-1].copy(), head.coarse.affine)
    other = {"L": "R", "R": "L"}
    give_structures({(name, other[side]): share[::-1] for (name, side), share in head.structures.items()})
    mirrored = replace(head, mask=head.mask[::-1], coarse=coarse)
    swapped = shares_of(segment(head.image(array_of(t1w)[::-1]), mirrored))
    give_structures(head.structures)
    plain = shares_of(segment(t1w, head))
    for name in TISSUES:
        np.testing.assert_allclose(swapped[name][::-1], plain[name], atol=1e-3)


def test_bright_vessels_do_not_disturb_the_tissues(t1w: Nifti1Image, head: Head) -> None:
    data = array_of(t1w).copy()
    inside = np.argwhere(head.mask)
    data[tuple(inside[:: len(inside) // 30].T)] = 20
    with_vessels, without = (shares_of(segment(scan, head)) for scan in (head.image(data), t1w))
    for name in TISSUES:
        assert with_vessels[name].sum() == pytest.approx(without[name].sum(), rel=0.02)


def test_heavier_priors_pull_towards_themselves(t1w: Nifti1Image, head: Head) -> None:
    """Priors that lie 6 mm further to the front than the brain: where they lie is grey matter at first sight."""
    moved = head.coarse.affine.copy()
    moved[1, 3] += 6
    wrong = replace(head, coarse=nib.Nifti1Image(np.asarray(head.coarse.dataobj), moved))
    claimed = np.roll(head.tissue["grey_matter"], 2, axis=1) > 0.9
    disputed = claimed & (head.tissue["grey_matter"] < 0.5) & (head.mask > 0)
    grey = [
        shares_of(segment(t1w, wrong, prior_weight=weight))["grey_matter"][disputed].mean() for weight in (0.3, 1.0)
    ]
    truth = head.tissue["grey_matter"][disputed].mean()
    assert grey[0] < grey[1]
    assert grey[0] == pytest.approx(truth, abs=0.1)


# --- structures ---------------------------------------------------------------------------------------------------


def test_structures_are_those_of_the_network(t1w: Nifti1Image, head: Head) -> None:
    found = segment(t1w, head).structures
    assert set(found) == set(STRUCTURES)
    for name, image in found.items():
        np.testing.assert_array_equal(array_of(image), head.structures[name])


def test_lobes_are_looked_for_where_they_are(t1w: Nifti1Image, head: Head, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def remember(_: Nifti1Image, centres: tuple[NDArray[np.float64], ...]) -> dict[tuple[str, str], Array]:
        asked.extend(centres)
        return dict(head.structures)

    monkeypatch.setattr("morpho.measure.segment.segment_medial_temporal_lobes", remember)
    segment(t1w, head)
    for side, at in zip("LR", asked, strict=True):
        both = head.structures["hippocampus", side] + head.structures["amygdala", side]
        truth = (np.argwhere(both > 0) * both[both > 0][:, None]).sum(axis=0) / both.sum()
        np.testing.assert_allclose(at, truth, atol=0.5)


def test_structures_are_grey_matter_whatever_their_signal(t1w: Nifti1Image, head: Head) -> None:
    """A bright hippocampus (as its white matter makes it) counts as grey matter, and the rest of a voxel is shared."""
    data = array_of(t1w).copy()
    left = head.structures["hippocampus", "L"]
    data[left > 0] = 1.0
    found = segment(head.image(data), head)
    shares = shares_of(found)
    assert (shares["grey_matter"] >= sum(head.structures.values()) - 1e-5).all()
    np.testing.assert_allclose(sum(shares.values())[head.mask > 0], 1, atol=1e-5)


def test_structures_end_at_the_mask(
    t1w: Nifti1Image, head: Head, give_structures: Callable[[dict[tuple[str, str], Array]], None]
) -> None:
    mask = head.mask.copy()
    left = head.structures["hippocampus", "L"]
    outside = left > 0
    outside[:, :, np.argwhere(outside)[:, 2].min() + 2 :] = False
    mask[outside] = 0
    give_structures(head.structures)
    found = segment(t1w, replace(head, mask=mask))
    assert array_of(found.structures["hippocampus", "L"])[outside].max() == 0
    assert array_of(found.tissue.grey_matter)[outside].max() == 0


def test_impossible_sizes_are_refused_and_all_named(
    t1w: Nifti1Image, head: Head, give_structures: Callable[[dict[tuple[str, str], Array]], None]
) -> None:
    wrong = dict(head.structures)
    wrong["hippocampus", "R"] = wrong["hippocampus", "R"] * np.float32(0.2)
    wrong["amygdala", "L"] = (ndimage.gaussian_filter(wrong["amygdala", "L"], 2) > 0.05).astype(np.float32)
    voxel_ml = VOXEL_MM**3 / 1000
    sizes = {name: f"{wrong[name].sum() * voxel_ml:.2f}" for name in wrong}
    give_structures(wrong)
    with pytest.raises(SegmentationError) as caught:
        segment(t1w, head)
    message = str(caught.value)
    assert f"hippocampus R has {sizes['hippocampus', 'R']} ml (1.0 to 8.0)" in message
    assert f"amygdala L has {sizes['amygdala', 'L']} ml (0.2 to 4.0)" in message
    assert "hippocampus L" not in message
    assert "Look at the scan" in message


# --- what is refused ----------------------------------------------------------------------------------------------


def test_coarse_shares_without_medial_temporal_lobes_are_refused(t1w: Nifti1Image, head: Head) -> None:
    data = np.asarray(head.coarse.dataobj).copy()
    data[..., load_network("head").classes.index("hippocampus_amygdala")] = 0
    blind = replace(head, coarse=nib.Nifti1Image(data, head.coarse.affine))
    with pytest.raises(SegmentationError, match=r"with 0\.0 ml left and 0\.0 ml right"):
        segment(t1w, blind)


def test_scan_with_the_contrast_of_t2_is_refused(head: Head, rng: np.random.Generator) -> None:
    inverted = {"csf": 1.0, "grey_matter": 0.6, "white_matter": 0.25}
    with pytest.raises(NotABrainError, match="Is the scan T1w"):
        segment(head.scan(rng, inverted), head)


def test_scan_with_hardly_any_white_matter_is_refused(head: Head, rng: np.random.Generator) -> None:
    """All that was white is fluid, in the scan as in the coarse shares, but for 1 %."""
    data = np.asarray(head.coarse.dataobj).copy()
    fluid, white = (load_network("head").classes.index(name) for name in ("fluid", "white_matter"))
    data[..., fluid] += 0.99 * data[..., white]
    data[..., white] *= 0.01
    dark = {**SIGNAL, "white_matter": SIGNAL["csf"]}
    with pytest.raises(NotABrainError, match=r"make up .* of the brain; each should have at least 0\.02"):
        segment(head.scan(rng, dark), replace(head, coarse=nib.Nifti1Image(data, head.coarse.affine)))


def test_empty_mask_is_refused(t1w: Nifti1Image, head: Head) -> None:
    with pytest.raises((ImageError, SegmentationError), match=r"is empty|has 0\.00 ml"):
        segment(t1w, replace(head, mask=np.zeros_like(head.mask)))


def test_scan_and_mask_must_share_one_grid(t1w: Nifti1Image, head: Head) -> None:
    with pytest.raises(GridMismatchError, match="Affines differ"):
        segment_tissue(t1w, nib.Nifti1Image(head.mask, np.eye(4)), head.coarse, prior_weight=1.0)
