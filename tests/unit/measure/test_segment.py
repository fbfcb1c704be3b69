"""Tissue maps: shares that sum to one, and that are the true shares where these are known."""

from dataclasses import fields, replace

import nibabel as nib
import numpy as np
import pytest
from nibabel.nifti1 import Nifti1Image
from numpy.typing import NDArray

from morpho.atlas import Template
from morpho.errors import GridMismatchError, ImageError
from morpho.images import array_of, check_same_grid, like, mask_of
from morpho.measure.segment import TissueMaps, segment_tissue

Array = NDArray[np.float64]
TISSUES = [field.name for field in fields(TissueMaps)]
SIGNAL = {"csf": 110.0, "grey_matter": 330.0, "white_matter": 520.0}
NOISE = 10.0


@pytest.fixture
def priors(small_template: Template) -> TissueMaps:
    return TissueMaps(*(getattr(small_template, name) for name in TISSUES))


@pytest.fixture
def t1w(small_template: Template, rng: np.random.Generator) -> Nifti1Image:
    """Scan of the template itself, with a little noise; air is dark."""
    return noisy_scan({name: array_of(getattr(small_template, name)) for name in TISSUES}, small_template, rng)


def noisy_scan(shares: dict[str, Array], template: Template, rng: np.random.Generator) -> Nifti1Image:
    signal = np.asarray(sum(SIGNAL[name] * share for name, share in shares.items()))
    noisy = np.where(mask_of(template.brain_mask), signal + rng.normal(0, NOISE, signal.shape), 0)
    return like(template.t1w, np.maximum(noisy, 0).astype(np.float32))


def segment(
    t1w: Nifti1Image, template: Template, priors: TissueMaps, *, prior_weight: float = 0.25, smoothing: float = 0.1
) -> dict[str, NDArray[np.float32]]:
    maps = segment_tissue(t1w, template.brain_mask, priors, prior_weight=prior_weight, smoothing=smoothing)
    for name in TISSUES:
        check_same_grid(t1w, getattr(maps, name))
    return {name: array_of(getattr(maps, name)) for name in TISSUES}


def shifted(priors: TissueMaps, voxels: int) -> TissueMaps:
    """Move the priors along y, so that they contradict the scan."""
    return TissueMaps(*(like(p, np.roll(array_of(p), voxels, axis=1)) for p in (getattr(priors, n) for n in TISSUES)))


def test_shares_sum_to_one_in_the_mask_and_are_zero_outside(
    t1w: Nifti1Image, small_template: Template, priors: TissueMaps
) -> None:
    shares = segment(t1w, small_template, priors)
    inside = mask_of(small_template.brain_mask)
    total = sum(shares.values())
    np.testing.assert_allclose(total[inside], 1, atol=1e-5)
    assert total[~inside].max() == 0
    assert all(0 <= share.min() <= share.max() <= 1 for share in shares.values())


def test_pure_tissue_is_found_where_it_is(t1w: Nifti1Image, small_template: Template, priors: TissueMaps) -> None:
    shares = segment(t1w, small_template, priors)
    for name in TISSUES:
        pure = array_of(getattr(small_template, name)) > 0.98
        assert shares[name][pure].mean() > 0.95


def test_volume_of_each_tissue_is_the_true_one(t1w: Nifti1Image, small_template: Template, priors: TissueMaps) -> None:
    shares = segment(t1w, small_template, priors)
    for name in TISSUES:
        assert shares[name].sum() == pytest.approx(array_of(getattr(small_template, name)).sum(), rel=0.04)


def test_unit_of_the_signal_does_not_matter(t1w: Nifti1Image, small_template: Template, priors: TissueMaps) -> None:
    one = segment(t1w, small_template, priors)
    thousand = segment(like(t1w, 1000 * array_of(t1w)), small_template, priors)
    for name in TISSUES:
        assert np.abs(one[name] - thousand[name]).mean() < 1e-3


def test_one_scan_has_one_segmentation(t1w: Nifti1Image, small_template: Template, priors: TissueMaps) -> None:
    first, second = (segment(t1w, small_template, priors) for _ in range(2))
    for name in TISSUES:
        np.testing.assert_array_equal(first[name], second[name])


def test_place_in_the_world_does_not_matter(
    t1w: Nifti1Image, small_template: Template, priors: TissueMaps, awkward_affine: Array
) -> None:
    """Oblique grid far from the origin; ANTs compares origins more strictly than files store them."""
    turned = awkward_affine @ np.diag([1 / 1.5, 1 / 2, 1 / 3, 1])
    turned[:3, 3] = 1234.5678
    moved = [nib.Nifti1Image(array_of(getattr(priors, name)), turned) for name in TISSUES]
    mask = nib.Nifti1Image(mask_of(small_template.brain_mask).astype(np.uint8), turned)
    template = replace(small_template, brain_mask=mask)
    there = segment(nib.Nifti1Image(array_of(t1w), turned), template, TissueMaps(*moved))
    here = segment(t1w, small_template, priors)
    for name in TISSUES:
        np.testing.assert_allclose(there[name], here[name], atol=1e-3)


def test_bright_vessels_do_not_disturb_the_tissues(
    t1w: Nifti1Image, small_template: Template, priors: TissueMaps
) -> None:
    data = array_of(t1w).copy()
    inside = np.argwhere(mask_of(small_template.brain_mask))
    data[tuple(inside[:: len(inside) // 30].T)] = 20_000
    with_vessels, without = (segment(scan, small_template, priors) for scan in (like(t1w, data), t1w))
    for name in TISSUES:
        assert with_vessels[name].sum() == pytest.approx(without[name].sum(), rel=0.02)


def test_heavier_priors_pull_towards_themselves(t1w: Nifti1Image, small_template: Template, priors: TissueMaps) -> None:
    wrong = shifted(priors, 3)
    inside = mask_of(small_template.brain_mask)
    distance = []
    for weight in (0.0, 0.9):
        grey = segment(t1w, small_template, wrong, prior_weight=weight)["grey_matter"]
        distance.append(np.abs(grey - array_of(wrong.grey_matter))[inside].mean())
    assert distance[1] < 0.9 * distance[0]


def test_smoothing_makes_maps_smoother(small_template: Template, priors: TissueMaps, rng: np.random.Generator) -> None:
    shares = {name: array_of(getattr(small_template, name)) for name in TISSUES}
    scan = noisy_scan(shares, small_template, rng)
    noisy = like(scan, array_of(scan) + rng.normal(0, 80, scan.shape).astype(np.float32).clip(-100, 100))
    roughness = [
        np.abs(np.diff(segment(noisy, small_template, priors, smoothing=strength)["white_matter"], axis=0)).sum()
        for strength in (0.0, 0.4)
    ]
    assert roughness[1] < 0.9 * roughness[0]


def test_brain_beyond_the_template_is_segmented_too(
    small_template: Template, priors: TissueMaps, t1w: Nifti1Image
) -> None:
    """Priors that know nothing of the brain's front must not leave it empty."""
    data = [array_of(getattr(priors, name)).copy() for name in TISSUES]
    for prior in data:
        prior[:, 44:] = 0
    shares = segment(t1w, small_template, TissueMaps(*(like(t1w, prior) for prior in data)))
    front = mask_of(small_template.brain_mask).copy()
    front[:, :44] = False
    np.testing.assert_allclose(sum(shares.values())[front], 1, atol=1e-5)


def test_scan_without_one_of_the_tissues_is_refused(
    small_template: Template, priors: TissueMaps, rng: np.random.Generator
) -> None:
    csf = array_of(small_template.csf)
    shares = {"csf": csf, "grey_matter": 1 - csf}
    no_white = TissueMaps(
        grey_matter=like(priors.csf, 1 - csf), white_matter=like(priors.csf, np.zeros_like(csf)), csf=priors.csf
    )
    scan = noisy_scan(shares, small_template, rng)
    with pytest.raises(ImageError, match="no T1 contrast"):
        segment(scan, small_template, no_white, prior_weight=0.9)


def test_scan_without_contrast_is_refused(t1w: Nifti1Image, small_template: Template, priors: TissueMaps) -> None:
    flat = like(t1w, np.where(mask_of(small_template.brain_mask), np.float32(300), np.float32(0)))
    with pytest.raises(ImageError, match="no T1 contrast"):
        segment(flat, small_template, priors)


def test_empty_mask_is_refused(t1w: Nifti1Image, small_template: Template, priors: TissueMaps) -> None:
    nothing = replace(small_template, brain_mask=like(t1w, np.zeros(t1w.shape, np.uint8)))
    with pytest.raises(ImageError, match="is empty"):
        segment(t1w, nothing, priors)


def test_images_must_share_one_grid(t1w: Nifti1Image, small_template: Template, priors: TissueMaps) -> None:
    moved = replace(priors, csf=nib.Nifti1Image(array_of(priors.csf), np.eye(4)))
    with pytest.raises(GridMismatchError, match="Affines differ"):
        segment(t1w, small_template, moved)
