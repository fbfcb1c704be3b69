"""Synthetic heads: what they say of themselves is true, on any scanner."""

from collections.abc import Mapping
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from morpho.errors import ConfigError
from morpho.images import array_of, voxel_volume_mm3
from morpho.phantom import Person, Phantom, Scanner, simulate_head
from morpho.phantom_maps import HeadMaps

REGIONS = ["hippocampus", "amygdala"]
PERSON = Person(head_scale=1.0, warp_mm=0.0)
SCANNER = Scanner(voxel_size_mm=(1.0, 1.0, 1.0), shading=0.0, noise=0.0)


def true_volumes(
    maps: HeadMaps, person: Person = PERSON, scanner: Scanner = SCANNER
) -> Mapping[tuple[str, str], float]:
    return simulate_head(maps, person, scanner, REGIONS).volumes_mm3


@pytest.fixture(scope="module")
def plain(small_maps: HeadMaps) -> Phantom:
    return simulate_head(small_maps, PERSON, SCANNER, REGIONS)


def test_true_volume_is_the_grey_matter_under_the_label(small_maps: HeadMaps, plain: Phantom) -> None:
    for (name, side), mm3 in plain.volumes_mm3.items():
        expected = small_maps.grey_matter[small_maps.labels == small_maps.label_of[name, side]].sum()
        assert mm3 == pytest.approx(expected, rel=0.02)
    assert set(plain.volumes_mm3) == {(name, side) for name in REGIONS for side in "LR"}
    assert plain.tiv_mm3 == pytest.approx(small_maps.inside_skull.sum(), rel=0.02)


def test_left_is_left(small_maps: HeadMaps, plain: Phantom) -> None:
    """The small head has the larger hippocampus on the left, where x is negative."""
    assert plain.volumes_mm3["hippocampus", "L"] > 1.15 * plain.volumes_mm3["hippocampus", "R"]
    voxels = np.argwhere(small_maps.labels == small_maps.label_of["hippocampus", "L"])
    assert (small_maps.affine @ [*voxels.mean(axis=0), 1])[0] < 0


@pytest.mark.parametrize("scale", [0.9, 0.6])
def test_hippocampus_shrinks_to_the_asked_for_share_and_nothing_else_does(
    small_maps: HeadMaps, plain: Phantom, scale: float
) -> None:
    shrunk = true_volumes(small_maps, replace(PERSON, hippocampus_scale=scale))
    both = [sum(table["hippocampus", side] for side in "LR") for table in (shrunk, plain.volumes_mm3)]
    assert both[0] / both[1] == pytest.approx(scale, abs=0.01)
    for side in "LR":
        assert shrunk["amygdala", side] == plain.volumes_mm3["amygdala", side]


def test_lost_grey_matter_becomes_the_tissue_next_to_it(small_maps: HeadMaps, plain: Phantom) -> None:
    shrunk = simulate_head(small_maps, replace(PERSON, hippocampus_scale=0.6), SCANNER, REGIONS)
    change = array_of(shrunk.t1w) - array_of(plain.t1w)
    # White matter is brighter than grey: the signal rises by 0.38 of white for each voxel lost, nowhere else.
    lost = sum(plain.volumes_mm3["hippocampus", side] - shrunk.volumes_mm3["hippocampus", side] for side in "LR")
    assert change.min() >= -1
    assert change.sum() == pytest.approx(0.38 * 600 * lost, rel=0.03)
    assert shrunk.tiv_mm3 == plain.tiv_mm3


def test_volumes_grow_with_the_cube_of_the_head(small_maps: HeadMaps, plain: Phantom) -> None:
    small = simulate_head(small_maps, replace(PERSON, head_scale=0.8), SCANNER, REGIONS)
    assert small.tiv_mm3 / plain.tiv_mm3 == pytest.approx(0.8**3, rel=0.01)
    for region, mm3 in small.volumes_mm3.items():
        assert mm3 / plain.volumes_mm3[region] == pytest.approx(0.8**3, rel=0.06)


@pytest.mark.parametrize(
    "scanner",
    [
        replace(SCANNER, axis_codes="PSR"),
        replace(SCANNER, axis_codes="LPI", voxel_size_mm=(1.0, 1.5, 2.0)),
        replace(SCANNER, voxel_size_mm=(1.0, 1.0, 3.0), whole_head=False),
    ],
)
def test_truth_does_not_depend_on_the_scanner(small_maps: HeadMaps, plain: Phantom, scanner: Scanner) -> None:
    phantom = simulate_head(small_maps, PERSON, scanner, REGIONS)
    assert "".join(nib.aff2axcodes(phantom.t1w.affine)) == scanner.axis_codes
    np.testing.assert_allclose(nib.affines.voxel_sizes(phantom.t1w.affine), scanner.voxel_size_mm)
    assert phantom.tiv_mm3 == pytest.approx(plain.tiv_mm3, rel=0.02)
    for region, mm3 in phantom.volumes_mm3.items():
        assert mm3 == pytest.approx(plain.volumes_mm3[region], rel=0.04)


def test_tilted_head_has_the_same_volumes(small_maps: HeadMaps, plain: Phantom) -> None:
    tilted = true_volumes(small_maps, replace(PERSON, rotation_degrees=(9.0, -6.0, 12.0)))
    for region, mm3 in tilted.items():
        assert mm3 == pytest.approx(plain.volumes_mm3[region], rel=0.04)


def test_signal_of_white_matter_is_the_asked_for_one(small_maps: HeadMaps) -> None:
    phantom = simulate_head(small_maps, PERSON, replace(SCANNER, white_matter_signal=850.0), [])
    values = array_of(phantom.t1w)
    assert phantom.t1w.get_data_dtype() == np.int16
    assert phantom.volumes_mm3 == {}
    centre = tuple(size // 2 for size in values.shape)
    assert values[centre] == 850


def test_noise_has_the_asked_for_size(small_maps: HeadMaps, plain: Phantom) -> None:
    noisy = simulate_head(small_maps, PERSON, replace(SCANNER, noise=0.03), [])
    difference = (array_of(noisy.t1w) - array_of(plain.t1w))[array_of(plain.t1w) > 500]
    assert difference.std() == pytest.approx(0.03 * 600, rel=0.1)
    # Rician: no negative signal, and air is brighter than zero.
    assert array_of(noisy.t1w).min() >= 0
    assert array_of(noisy.t1w)[:2].mean() > 0


def test_shading_is_smooth_and_within_its_bounds(small_maps: HeadMaps, plain: Phantom) -> None:
    shaded = simulate_head(small_maps, PERSON, replace(SCANNER, shading=0.4), [])
    bright = array_of(plain.t1w) > 300
    ratio = array_of(shaded.t1w)[bright] / array_of(plain.t1w)[bright]
    assert 0.78 < ratio.min() < ratio.max() < 1.22
    assert np.ptp(ratio) > 0.05


def test_extracted_brain_ends_at_its_mask(small_maps: HeadMaps) -> None:
    phantom = simulate_head(small_maps, PERSON, replace(SCANNER, whole_head=False, noise=0.03), [])
    signal_mm3 = (array_of(phantom.t1w) > 0).sum() * voxel_volume_mm3(phantom.t1w)
    assert signal_mm3 == pytest.approx(small_maps.brain_mask.sum(), rel=0.02)


def test_one_seed_is_one_head(small_maps: HeadMaps) -> None:
    scanner = Scanner(voxel_size_mm=(2.0, 2.0, 2.0))
    first, again, other = (
        array_of(simulate_head(small_maps, Person(seed=seed), scanner, []).t1w) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 100


def test_both_forms_of_the_geometry_are_set(plain: Phantom) -> None:
    for form, code in (plain.t1w.header.get_sform(coded=True), plain.t1w.header.get_qform(coded=True)):
        assert code == 1
        np.testing.assert_allclose(form, plain.t1w.affine, atol=1e-5)


@pytest.mark.parametrize("scale", [0.2, 1.01, np.nan])
def test_impossible_hippocampus_is_refused(small_maps: HeadMaps, scale: float) -> None:
    with pytest.raises(ConfigError, match=r"hippocampus_scale is .*0\.3 to 1"):
        simulate_head(small_maps, replace(PERSON, hippocampus_scale=scale), SCANNER, REGIONS)
