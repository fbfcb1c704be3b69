"""Comparison with known truth: a perfect measurement has no error, a wrong one the error that it has."""

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from agreement import COLUMNS
from known_truth import SIDED, STRUCTURES, cohort_rows, compare_head, summarise, truth_of
from measuring import BRAIN_MASK, REGIONS, Measured, label_indices
from simulate_head import SimulatedHead

AFFINE = np.diag([1.0, 1.0, 1.5, 1.0])


def make_head(size):
    """Make a brain of 20 x 20 x 12 voxels in which each sided structure is a box `size` voxels long."""
    shares = {f"{structure}{side}": np.zeros((24, 24, 16), np.float32) for structure, side in STRUCTURES}
    shares["tivboth"][2:22, 2:22, 2:14] = 1
    for position, (structure, side) in enumerate(SIDED):
        shares[f"{structure}{side}"][3 + 4 * position : 6 + 4 * position, 4 : 4 + size + position, 4:8] = 1
        shares["total_grey_matterboth"] += shares[f"{structure}{side}"]
    return SimulatedHead(nib.Nifti1Image(np.zeros((2, 2, 2)), AFFINE), shares, AFFINE)


def measure(head, name, folder, factor):
    """Write outputs of morpho that are perfect, but for volumes too large by a factor."""
    regions = np.zeros(head.shares["tivboth"].shape, np.int16)
    for structure, side in SIDED:
        regions[head.shares[f"{structure}{side}"] > 0] = label_indices()[structure, side][0]
    nib.save(nib.Nifti1Image(regions[2:, 1:, :-1], nib.Nifti1Image(regions, AFFINE).slicer[2:, 1:, :-1].affine),
             folder / f"sub-{name}_{REGIONS}")  # fmt: skip
    mask = nib.Nifti1Image(head.shares["tivboth"].astype(np.uint8), AFFINE)
    nib.save(mask, folder / f"sub-{name}_{BRAIN_MASK}")
    volumes = {(structure, side): head.volume_mm3(f"{structure}{side}") * factor for structure, side in STRUCTURES}
    volumes |= {(structure, "whole"): volumes[structure, "both"] for structure in ("tiv", "total_grey_matter")}
    return Measured(name, folder, volumes_mm3=volumes)


@pytest.fixture
def table(tmp_path):
    rows = []
    for number, factor in ((1, 1.0), (2, 1.1), (3, 0.96)):
        head = make_head(4 + number)
        rows += compare_head(measure(head, f"h{number}", tmp_path, factor), truth_of(head))
    rows += compare_head(Measured("h4", tmp_path, failure="segment: lost"), truth_of(make_head(9)))
    heads = pd.DataFrame(rows, columns=list(COLUMNS))
    return pd.concat([heads, pd.DataFrame(cohort_rows(heads, "morpho"), columns=list(COLUMNS))], ignore_index=True)


def test_truth_is_share_times_voxel():
    truth = truth_of(make_head(5))
    assert truth.volumes_mm3["hippocampus", "L"] == 3 * 5 * 4 * 1.5
    assert truth.mask(("tiv", "both")).sum() == 20 * 20 * 12
    assert truth.mask(("amygdala", "R")).sum() == 3 * 8 * 4


def test_figures_of_three_heads_and_a_failure(table):
    summary = summarise(table, ["morpho"])
    assert summary["hippocampus_dice"] == 1
    assert summary["mask_dice"] == 1
    assert summary["amygdala_bias"] == pytest.approx((0 + 10 - 4) / 3)
    assert summary["tiv_error"] == pytest.approx((0 + 10 + 4) / 3)
    assert summary["tiv_max_error"] == pytest.approx(10)
    assert 0.9 < summary["hippocampus_r"] < 1
    assert summary["n"] == 4
    assert summary["failed"] == 1
