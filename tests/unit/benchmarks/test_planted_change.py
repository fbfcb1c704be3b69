"""Planting: what is said to be planted is, and scans far from it stay as they are."""

import nibabel as nib
import numpy as np
import pytest
from contraction import contract
from measuring import BenchmarkError, Measured, label_indices
from planted_change import Change, Maps, Planted, planted_by, role_of, rows_of
from raw_scan import read_scans

SHAPE = (64, 60, 62)
AFFINE = np.array([[-1.0, 0, 0, 30], [0, 1.0, 0, -20], [0, 0, 1.2, -40], [0, 0, 0, 1]])


def ball(centre, radius):
    axes = np.meshgrid(*[np.arange(size) - middle for size, middle in zip(SHAPE, centre, strict=True)], indexing="ij")
    return np.sqrt(sum(part**2 for part in axes)) < radius


@pytest.fixture(scope="module")
def maps():
    """Hippocampus of each side, amygdala close to the left one."""
    labels = np.zeros(SHAPE, np.int32)
    labels[ball((20, 30, 30), 6)] = label_indices()["hippocampus", "L"][0]
    labels[ball((44, 30, 30), 6)] = label_indices()["hippocampus", "R"][0]
    labels[ball((20, 40, 30), 3)] = label_indices()["amygdala", "L"][0]
    return Maps(np.where(labels > 0, 0.8, 0).astype(np.float32), labels, {}, 1.2)


@pytest.fixture(scope="module")
def contraction(maps):
    target = maps.weights(("hippocampus", "both"))
    return contract(target > 0, target, maps.others("hippocampus"), (1, 1, 1.2), 0.1)


def test_planted_change_of_the_target_and_its_check_agree(maps, contraction):
    planted = planted_by(contraction, maps, "hippocampus")
    both = planted["hippocampus", "both"]
    assert both.percent == pytest.approx(-10, rel=0.005)
    assert both.check_percent == pytest.approx(both.percent, abs=0.2)
    assert both.map_mm3 == pytest.approx(2 * 0.8 * ball((20, 30, 30), 6).sum() * 1.2)
    # Left and right shrink alike, the neighbour keeps its size.
    assert planted["hippocampus", "L"].percent == pytest.approx(planted["hippocampus", "R"].percent, abs=0.3)
    assert abs(planted["amygdala", "L"].percent) < 0.5
    assert np.isnan(planted["amygdala", "R"].percent)


def test_structures_with_shares_of_their_own_replace_their_label():
    grid = np.zeros((2, 2, 2), np.float32)
    left, cortex = label_indices()["hippocampus", "L"][0], label_indices()["frontal_pole", "L"][0]
    labels = np.full(grid.shape, cortex, np.int32)
    labels[0] = left
    maps = Maps(grid + 0.9, labels, {left: grid + 0.25}, 1.0)
    sums = maps.sums()
    assert sums["hippocampus", "L"] == pytest.approx(8 * 0.25)
    assert sums["frontal_pole", "L"] == pytest.approx(4 * 0.65)
    assert sums["total_grey_matter", "whole"] == pytest.approx(8 * 0.9)
    for where in (("hippocampus", "both"), ("frontal_pole", "both"), ("prefrontal_cortex", "L")):
        assert maps.weights(where).sum() == pytest.approx(sums[where])


def test_scan_changes_near_the_region_only_and_zeros_stay_zeros(tmp_path, contraction):
    values = np.random.default_rng(1).uniform(50, 100, SHAPE).astype(np.float32)
    values[:, :20] = 0
    nib.save(nib.Nifti1Image(values, AFFINE), tmp_path / "sub-x_T1w.nii.gz")
    (scan,) = read_scans([tmp_path / "sub-x_T1w.nii.gz"])
    assert scan.name == "x"
    unchanged = scan.unchanged()
    changed = np.asanyarray(scan.changed(unchanged, contraction).dataobj)
    still = np.ones(SHAPE, bool)
    still[contraction.box] = np.abs(contraction.backward).max(axis=0) == 0
    assert still.any()
    assert np.array_equal(changed[still], np.asanyarray(unchanged.dataobj)[still])
    assert np.abs(changed - np.asanyarray(unchanged.dataobj)).max() > 1
    assert np.all(changed[:, :18] == 0)
    assert np.allclose(unchanged.affine[:3, 3], AFFINE[:3, 3] + AFFINE[:3, :3] @ [0.5, 0.5, 0.5])


def test_smooth_scan_moves_by_half_a_voxel(tmp_path):
    x = np.arange(SHAPE[0])[:, None, None] * np.ones(SHAPE)
    nib.save(nib.Nifti1Image((100 + x).astype(np.float32), AFFINE), tmp_path / "a.nii.gz")
    (scan,) = read_scans([tmp_path / "a.nii.gz"])
    moved = np.asanyarray(scan.unchanged().dataobj)
    assert np.abs(moved - (100.5 + x))[5:-5].max() < 1e-3


def test_scans_of_one_name_are_told_apart_and_bad_files_refused(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        nib.save(nib.Nifti1Image(np.ones((12, 12, 12), np.float32), AFFINE), tmp_path / folder / "sub-1_T1w.nii")
    scans = read_scans([tmp_path / "a" / "sub-1_T1w.nii", tmp_path / "b" / "sub-1_T1w.nii"])
    assert [scan.name for scan in scans] == ["1", "1n2"]
    with pytest.raises(BenchmarkError, match="There is no T1w image"):
        read_scans([tmp_path / "absent.nii"])


def test_roles_follow_from_shared_labels():
    assert role_of("hippocampus", "hippocampus") == "target"
    assert role_of("rostral_anterior_cingulate", "anterior_cingulate") == "related"
    assert role_of("amygdala", "hippocampus") == "left_alone"
    assert role_of("total_grey_matter", "hippocampus") == "total"


def test_recovered_and_residual_by_hand(tmp_path):
    planted = {("hippocampus", "L"): Planted(100, -10, -10), ("amygdala", "L"): Planted(50, 1, np.nan)}
    change = Change("x", "hippocampus", 10, planted)
    before = Measured("x", tmp_path, volumes_mm3={("hippocampus", "L"): 100.0, ("amygdala", "L"): 50.0})
    after = Measured(change.subject, tmp_path, volumes_mm3={("hippocampus", "L"): 91.0, ("amygdala", "L"): 51.0})
    target, other = rows_of(change, before, after)
    assert target["recovered"] == pytest.approx(0.9)
    assert other["residual_percent"] == pytest.approx(1.0)
    (failed,) = rows_of(change, before, Measured("y", tmp_path, failure="lost"))
    assert failed["note"] == "lost"
    assert change.subject == "xhippocampus10"
