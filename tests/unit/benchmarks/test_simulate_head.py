"""Simulated heads: what they say is true of them is true of them."""

import nibabel as nib
import numpy as np
import pytest
from simulate_head import draw_scanner, simulate_head, smooth_field

STRUCTURES = {"ball": (17,), "inside": tuple(range(1, 500))}


@pytest.fixture(scope="module")
def label_map():
    """Ball of label 17 (radius 6) in white matter (radius 20) under skin (radius 24), on the left."""
    grid = np.meshgrid(*[np.arange(size) - (size - 1) / 2 for size in (52, 54, 56)], indexing="ij")
    radius = np.sqrt(sum(part**2 for part in grid))
    labels = np.select([radius < 20, radius < 24], [2, 511], 0).astype(np.int16)
    labels[np.sqrt((grid[0] + 9) ** 2 + grid[1] ** 2 + grid[2] ** 2) < 6] = 17
    return labels


@pytest.fixture(scope="module")
def head(label_map):
    return simulate_head(label_map, STRUCTURES, seed=4)


def test_true_volume_is_near_that_of_the_map(head, label_map):
    # The smooth deformation changes volumes a little, no more.
    assert head.volume_mm3("inside") == pytest.approx(np.isin(label_map, (2, 17)).sum(), rel=0.1)
    assert head.volume_mm3("ball") == pytest.approx((label_map == 17).sum(), rel=0.2)


def test_shares_are_fractions_at_the_edge_and_whole_inside(head):
    ball = head.shares["ball"]
    assert ball.max() == 1
    assert ((ball > 0) & (ball < 1)).sum() > 0.2 * (ball == 1).sum()
    assert np.allclose(ball * 27, np.round(ball * 27), atol=1e-4)
    assert (ball <= head.shares["inside"] + 1e-6).all()


def test_scan_and_truth_lie_in_one_world_in_spite_of_another_orientation(head):
    canonical = nib.as_closest_canonical(head.t1w)
    assert np.allclose(canonical.affine, head.affine)
    assert canonical.shape == head.shares["ball"].shape
    scan = np.asanyarray(canonical.dataobj).astype(float)
    ball, outside = scan[head.shares["ball"] == 1].mean(), scan[head.shares["inside"] == 0]
    white = scan[(head.shares["inside"] == 1) & (head.shares["ball"] == 0)].mean()
    assert np.median(outside) < 0.2 * ball < 0.2 * white
    # Left stays left: the ball lies at smaller x than the middle of the head.
    x = np.argwhere(head.shares["ball"] > 0.5)[:, 0].mean()
    assert x < np.argwhere(head.shares["inside"] > 0.5)[:, 0].mean() - 4


def test_same_seed_same_head_and_other_seed_another(label_map, head):
    again = simulate_head(label_map, STRUCTURES, seed=4)
    assert np.array_equal(np.asanyarray(again.t1w.dataobj), np.asanyarray(head.t1w.dataobj))
    other = simulate_head(label_map, STRUCTURES, seed=5, points=2)
    assert other.t1w.header.get_zooms() != head.t1w.header.get_zooms()


def test_scan_is_whole_numbers_as_scanners_write(head):
    assert head.t1w.get_data_dtype() == np.int16
    assert np.asanyarray(head.t1w.dataobj).max() < 5000


def test_scanners_cover_what_they_promise():
    scanners = [draw_scanner(np.random.default_rng(seed)) for seed in range(60)]
    sizes = np.array([scanner.voxel_mm for scanner in scanners])
    assert sizes.min() >= 0.8
    assert sizes.max() <= 1.3
    assert 10 < (np.ptp(sizes, axis=1) > 0).sum() < 50
    codes = {scanner.axis_codes for scanner in scanners}
    assert len(codes) > 20
    assert all(len(set(code.translate(str.maketrans("LPI", "RAS")))) == 3 for code in codes)


def test_smooth_field_has_mean_zero_and_spread_one():
    field = smooth_field((30, 31, 32), 10.0, np.random.default_rng(0))
    assert float(field.mean()) == pytest.approx(0, abs=1e-5)
    assert float(field.std()) == pytest.approx(1, abs=1e-5)
    assert float(np.abs(np.diff(field, axis=0)).max()) < 0.5


def test_too_many_structures_are_refused(label_map):
    with pytest.raises(ValueError, match="at most 11"):
        simulate_head(label_map, {str(number): (17,) for number in range(12)}, seed=1)
