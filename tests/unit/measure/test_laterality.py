"""Left and right told from the brain alone: exchanging the sides exchanges the sign, and a missing side shows."""

import json
from pathlib import Path

import ants
import nibabel as nib
import numpy as np
import pytest
from nibabel.affines import apply_affine
from nibabel.nifti1 import Nifti1Image
from numpy.typing import NDArray

from morpho.atlas import Template
from morpho.errors import AtlasError, GridMismatchError
from morpho.images import like, mask_of
from morpho.measure import laterality
from morpho.measure.laterality import (
    GRID_MM,
    GRID_SHAPE,
    GRID_START_MM,
    N_LATERAL,
    load_asymmetry_map,
    measure_laterality,
    sample_tissue,
    score_asymmetry,
    split_sides,
)
from morpho.measure.preprocess import preprocess_t1w
from morpho.measure.register import TissueImages, register_to_template
from morpho.measure.segment import segment_tissue
from morpho.t1w import load_t1w

Array = NDArray[np.float64]
HALF_SHAPE = (2, N_LATERAL, *GRID_SHAPE[1:])
SCAN_SHAPE, SCAN_MM = (62, 50, 44), (3.0, 4.0, 4.0)


@pytest.fixture
def aligned(tmp_path: Path) -> Path:
    """Affine of a scan that lies on the template already."""
    return write_affine(tmp_path, np.zeros(3))


def write_affine(folder: Path, shift_mm: Array) -> Path:
    """Affine of a scan that lies `shift_mm` (right, anterior, superior) from the template."""
    lps = (-shift_mm[0], -shift_mm[1], shift_mm[2])
    transform = ants.create_ants_transform(transform_type="AffineTransform", dimension=3, translation=lps)
    ants.write_transform(transform, str(folder / "affine.mat"))
    return folder / "affine.mat"


def scan_affine(*, flipped: bool = False) -> Array:
    """Grid in the middle of the template, its first axis from left to right or the other way."""
    affine = np.diag([-SCAN_MM[0] if flipped else SCAN_MM[0], *SCAN_MM[1:], 1.0])
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(SCAN_SHAPE) - 1) / 2)
    return affine


def scan_of(share_left: float, share_right: float, *, flipped: bool = False) -> Nifti1Image:
    """Ellipsoid in the middle of the template with one share of tissue on each side."""
    affine = scan_affine(flipped=flipped)
    places = apply_affine(affine, np.moveaxis(np.indices(SCAN_SHAPE), 0, -1))
    inside = ((places / (60.0, 75.0, 55.0)) ** 2).sum(axis=-1) < 1
    data = np.where(places[..., 0] < 0, share_left, share_right) * inside
    return nib.Nifti1Image(data.astype(np.float32), affine)


def mirror(image: Nifti1Image) -> Nifti1Image:
    """Mirror the data along the first axis, and leave the header as it is."""
    return like(image, np.flip(np.asarray(image.dataobj), 0))


# --- sample_tissue, split_sides -----------------------------------------------------------------------------------


def test_middle_plane_of_the_grid_is_the_middle_of_the_template() -> None:
    x_mm = GRID_START_MM[0] + GRID_MM * np.arange(GRID_SHAPE[0])
    np.testing.assert_array_equal(x_mm, -x_mm[::-1])
    assert x_mm[N_LATERAL] == 0


@pytest.mark.parametrize("flipped", [False, True])
def test_tissue_lands_where_it_is(tmp_path: Path, flipped: bool) -> None:
    """A soft ball, seen through a scan that lies 9 mm right, 6 mm behind and 5 mm above the template."""
    centre, shift = np.array([-30.0, 14.0, 20.0]), np.array([9.0, -6.0, 5.0])
    affine = scan_affine(flipped=flipped)
    places = apply_affine(affine, np.moveaxis(np.indices(SCAN_SHAPE), 0, -1))
    ball = np.exp(-(((places - centre - shift) / 9.0) ** 2).sum(axis=-1)).astype(np.float32)
    image, nothing = nib.Nifti1Image(ball, affine), nib.Nifti1Image(np.zeros(SCAN_SHAPE, np.float32), affine)
    grey, white = sample_tissue(image, nothing, write_affine(tmp_path, shift))
    index = np.stack(np.indices(GRID_SHAPE))
    found = (index * grey).reshape(3, -1).sum(axis=1) / grey.sum() * GRID_MM + GRID_START_MM
    np.testing.assert_allclose(found, centre, atol=0.1)
    assert grey.sum() * GRID_MM**3 == pytest.approx(ball.sum() * np.prod(SCAN_MM), rel=0.02)
    assert not white.any()


def test_sides_are_left_and_mirrored_right() -> None:
    x_mm = np.broadcast_to(GRID_START_MM[0] + GRID_MM * np.arange(GRID_SHAPE[0])[:, None, None], (2, *GRID_SHAPE))
    left, right = split_sides(x_mm.astype(np.float32))
    assert left.shape == right.shape == HALF_SHAPE
    assert (left < 0).all()
    np.testing.assert_array_equal(left, -right)


def test_images_of_two_grids_are_refused(aligned: Path) -> None:
    scan = scan_of(1, 1)
    with pytest.raises(GridMismatchError, match="one grid"):
        sample_tissue(scan, scan.slicer[1:], aligned)


# --- score_asymmetry ----------------------------------------------------------------------------------------------


@pytest.fixture
def weights(rng: np.random.Generator) -> NDArray[np.float32]:
    """Random weights; the outermost two planes do not count."""
    values = rng.normal(size=HALF_SHAPE).astype(np.float32)
    values[:, :2] = 0
    return values


def test_score_by_hand() -> None:
    weights, asymmetry = np.zeros((2, 1, 1, 3), np.float32), np.zeros((2, 1, 1, 3), np.float32)
    weights[0, 0, 0, :2] = 2, -1
    asymmetry[0, 0, 0] = 3, 1, 90  # the last place has no weight, and no say in the size
    asymmetry[1, 0, 0] = 0, 4, 90  # nor does a weight of 0 beside one that is not: 26 = 3^2 + 1^2 + 4^2
    assert score_asymmetry(asymmetry, weights, usual_size=10) == pytest.approx(5)
    assert score_asymmetry(asymmetry, weights, usual_size=2) == pytest.approx(5 * 2 / np.sqrt(26))


def test_exchanging_the_sides_exchanges_the_sign(rng: np.random.Generator, weights: NDArray[np.float32]) -> None:
    left, right = split_sides(rng.uniform(size=(2, *GRID_SHAPE)).astype(np.float32))
    there, back = (score_asymmetry(values, weights, 10) for values in (left - right, right - left))
    assert there == pytest.approx(-back)
    assert abs(there) > 1e-3


def test_large_asymmetries_count_no_more_than_usual_ones(
    rng: np.random.Generator, weights: NDArray[np.float32]
) -> None:
    asymmetry = rng.normal(size=HALF_SHAPE).astype(np.float32)
    size = float(np.linalg.norm(asymmetry[:, 2:]))
    scores = [score_asymmetry(factor * asymmetry, weights, size) for factor in (0.5, 1, 2, 50)]
    np.testing.assert_allclose(scores, np.array([0.5, 1, 1, 1]) * scores[1], rtol=1e-4)


# --- measure_laterality -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize(("left", "right", "ratio"), [(0.8, 0.4, 0.5), (0.3, 0.4, 0.75), (0.6, 0.6, 1), (0.5, 0, 0)])
def test_ratio_of_the_hemispheres(aligned: Path, left: float, right: float, ratio: float, flipped: bool) -> None:
    """Smoothing carries a little of a missing side across the middle."""
    scan = scan_of(left, right, flipped=flipped)
    assert measure_laterality(scan, scan, aligned)["hemisphere_ratio"] == pytest.approx(ratio, abs=0.02)


def test_mirrored_scan_has_the_score_with_the_other_sign(aligned: Path, rng: np.random.Generator) -> None:
    """Shares differ from place to place and side to side; the mirror image has them on the other side."""
    grey, white = (like(scan_of(1, 1), rng.uniform(0, 1, SCAN_SHAPE).astype(np.float32)) for _ in range(2))
    true = measure_laterality(grey, white, aligned)
    mirrored = measure_laterality(mirror(grey), mirror(white), aligned)
    assert mirrored["laterality_score"] == pytest.approx(-true["laterality_score"], rel=1e-3)
    assert abs(true["laterality_score"]) > 1e-3
    for name in ("hemisphere_ratio", "mirror_correlation"):
        assert mirrored[name] == pytest.approx(true[name], rel=1e-4)


def test_orientation_on_disk_does_not_matter(aligned: Path, rng: np.random.Generator) -> None:
    grey = like(scan_of(1, 1), rng.uniform(0, 1, SCAN_SHAPE).astype(np.float32))
    reordered = nib.Nifti1Image(np.flip(np.asarray(grey.dataobj), 0), scan_affine(flipped=True))
    first, second = (measure_laterality(image, image, aligned) for image in (grey, reordered))
    assert second == pytest.approx(first, rel=1e-3, abs=1e-5)


def test_symmetric_brain_is_no_evidence(template: Template, aligned: Path) -> None:
    found = measure_laterality(template.grey_matter, template.white_matter, aligned)
    expected = {"laterality_score": 0, "hemisphere_ratio": 1, "mirror_correlation": 1}
    assert found == pytest.approx(expected, abs=1e-3)


def test_halves_that_differ_in_kind_are_uncorrelated_though_equal_in_volume(aligned: Path) -> None:
    """What an alignment makes of a single hemisphere: one stretched over both sides of the template."""
    places = apply_affine(scan_affine(), np.moveaxis(np.indices(SCAN_SHAPE), 0, -1))
    rising = like(scan_of(1, 1), np.clip(0.5 + places[..., 0] / 160, 0, 1).astype(np.float32))
    whole = measure_laterality(scan_of(1, 1), scan_of(1, 1), aligned)
    assert whole["mirror_correlation"] > 0.99
    stretched = measure_laterality(rising, like(rising, 1 - np.asarray(rising.dataobj)), aligned)
    assert stretched["hemisphere_ratio"] > 0.95
    assert stretched["mirror_correlation"] < -0.9


def test_nothing_measures_nothing(aligned: Path) -> None:
    empty = scan_of(0, 0)
    found = measure_laterality(empty, empty, aligned)
    assert found == {"laterality_score": 0, "hemisphere_ratio": 0, "mirror_correlation": 0}


# --- the shipped map ----------------------------------------------------------------------------------------------


def test_shipped_map_covers_the_left_half_of_the_brain(template: Template) -> None:
    weights, usual_size = load_asymmetry_map()
    assert weights.shape == HALF_SHAPE
    assert usual_size > 0
    counted = np.argwhere((weights != 0).any(axis=0)) * GRID_MM + GRID_START_MM
    mask = mask_of(template.brain_mask)
    index = np.rint(apply_affine(np.linalg.inv(template.brain_mask.affine), counted)).astype(int)
    assert mask[tuple(index.T)].mean() > 0.85  # the rest lies within 4 mm of the brain
    left_brain_mm3 = mask[: mask.shape[0] // 2].sum()
    assert len(counted) * GRID_MM**3 == pytest.approx(left_brain_mm3, rel=0.2)


def test_shipped_threshold_calls_fewer_than_one_true_scan_in_200() -> None:
    about = json.loads(laterality.MAP_FILE.with_name("asymmetry_map.json").read_text(encoding="utf-8"))
    assert about["flipped_below"] < 0
    for name, least_caught in (("leave_one_person_out", 0.9), ("leave_one_source_out", 0.8)):
        result = about["evaluation"][name]
        assert result["n"] == 50
        assert result["expected_share_wrongly_flipped"] < 1 / 200
        assert result["wrongly_flipped"] == 0
        assert result["caught"] >= least_caught * result["n"]


def test_people_of_the_map_are_from_data_that_may_be_used() -> None:
    about = json.loads(laterality.MAP_FILE.with_name("asymmetry_map.json").read_text(encoding="utf-8"))
    assert {name: source["licence"] for name, source in about["sources"].items()} == {
        "label_maps": "Apache-2.0",
        "ds002748": "CC0",
        "ds000011": "PDDL",
    }
    assert {name: len(people) for name, people in about["people"].items()} == {
        "label_maps": 20,
        "ds002748": 24,
        "ds000011": 6,
    }


def test_damaged_or_missing_map_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load = load_asymmetry_map.__wrapped__  # what is behind the cache
    shipped = laterality.MAP_FILE
    monkeypatch.setattr(laterality, "MAP_FILE", tmp_path / shipped.name)
    with pytest.raises(AtlasError, match="missing"):
        load()
    for file in (shipped, shipped.with_name("asymmetry_map.json")):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    np.testing.assert_array_equal(load()[0], load_asymmetry_map()[0])
    (tmp_path / shipped.name).write_bytes(shipped.read_bytes()[:-1] + b"?")
    with pytest.raises(AtlasError, match="SHA-256"):
        load()


@pytest.mark.slow
def test_mirrored_real_scan_is_told_from_the_true_one(shared_data: Path, template: Template, tmp_path: Path) -> None:
    """A person whom the map has not seen; everything is measured anew of the mirror image."""
    raw, _ = load_t1w(shared_data / "malf" / "1006_SS.nii.gz")
    reference = TissueImages(template.brain_mask, template.grey_matter, template.white_matter, template.csf)
    scores = []
    for name, image in (("true", raw), ("mirrored", mirror(raw))):
        scan = preprocess_t1w(image, brain="auto", margin_mm=12)
        tissue = segment_tissue(scan.t1w, scan.brain_mask, scan.coarse_shares, prior_weight=1.0).tissue
        images = TissueImages(scan.brain_mask, tissue.grey_matter, tissue.white_matter, tissue.csf)
        (tmp_path / name).mkdir()
        settings = {"resolution_mm": 2.0, "iterations": (1, 0, 0), "folder": tmp_path / name}
        transforms, _ = register_to_template(images, reference, **settings)
        found = measure_laterality(tissue.grey_matter, tissue.white_matter, transforms.affine)
        assert found["hemisphere_ratio"] > 0.9
        assert found["mirror_correlation"] > 0.7
        scores.append(found["laterality_score"])
    assert scores[0] > 0.3
    assert scores[1] == pytest.approx(-scores[0], abs=0.2)
