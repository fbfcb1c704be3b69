"""Volumes of regions and totals: sums of shares, times the volume of a voxel."""

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nibabel.nifti1 import Nifti1Image
from numpy.typing import NDArray

from morpho.errors import GridMismatchError, ImageError, SmallRegionError
from morpho.measure.volumes import COLUMNS, measure_totals, measure_volumes

Affine = NDArray[np.float64]
ROIS = pd.DataFrame(
    {
        "roi": ["cingulate", "cingulate", "amygdala", "amygdala"],
        "hemisphere": ["L", "R", "L", "R"],
        "label_indices": [[3, 4], [13, 14], [1], [11]],
    }
)


@pytest.fixture
def grey(rng: np.random.Generator, shape: tuple[int, ...], awkward_affine: Affine) -> Nifti1Image:
    return nib.Nifti1Image(rng.uniform(0, 1, shape).astype(np.float32), awkward_affine)


@pytest.fixture
def regions(rng: np.random.Generator, shape: tuple[int, ...], awkward_affine: Affine) -> Nifti1Image:
    return nib.Nifti1Image(rng.choice(np.array([0, 1, 3, 4, 11, 13, 14], np.int16), shape), awkward_affine)


def volumes(
    grey: Nifti1Image,
    regions: Nifti1Image,
    rois: pd.DataFrame = ROIS,
    structures: dict[int, Nifti1Image] | None = None,
) -> pd.Series:
    table = measure_volumes(grey, regions, structures or {}, rois, min_voxels=1)
    return table.set_index(["roi", "hemisphere"])["volume_mm3"]


def test_rows_columns_and_types(grey: Nifti1Image, regions: Nifti1Image) -> None:
    table = measure_volumes(grey, regions, {}, ROIS, min_voxels=1)
    assert table.columns.tolist() == COLUMNS
    assert list(zip(table["roi"], table["hemisphere"], strict=True)) == [
        (roi, side) for roi in ("cingulate", "amygdala") for side in ("L", "R", "mean")
    ]
    assert table["n_voxels"].dtype == "Int64"
    assert table["n_voxels"].isna().tolist() == [False, False, True] * 2


def test_volume_is_the_share_times_the_voxel(grey: Nifti1Image, regions: Nifti1Image) -> None:
    data, labels = np.asarray(grey.dataobj, float), np.asarray(regions.dataobj)
    table = measure_volumes(grey, regions, {}, ROIS, min_voxels=1)
    for row, indices in zip(table.query("hemisphere != 'mean'").to_dict("records"), ROIS["label_indices"], strict=True):
        inside = np.isin(labels, indices)
        assert row["volume_mm3"] == pytest.approx(data[inside].sum() * 9.0)
        assert row["n_voxels"] == inside.sum()


def test_mean_is_that_of_both_sides(grey: Nifti1Image, regions: Nifti1Image) -> None:
    found = volumes(grey, regions)
    for roi in ("cingulate", "amygdala"):
        assert found[roi, "mean"] == pytest.approx((found[roi, "L"] + found[roi, "R"]) / 2)


def test_volumes_of_parts_add_up(grey: Nifti1Image, regions: Nifti1Image) -> None:
    parts = pd.DataFrame(
        {"roi": ["a", "b"], "hemisphere": "L", "label_indices": [[3], [4]]},
    )
    found = volumes(grey, regions, parts)
    assert found["a", "L"] + found["b", "L"] == pytest.approx(volumes(grey, regions)["cingulate", "L"])


def test_volume_scales_with_the_voxel(grey: Nifti1Image, regions: Nifti1Image) -> None:
    larger = [nib.Nifti1Image(np.asarray(i.dataobj), i.affine @ np.diag([2.0, 1, 3, 1])) for i in (grey, regions)]
    np.testing.assert_allclose(volumes(*larger), 6 * volumes(grey, regions))


def test_names_of_labels_do_not_matter(grey: Nifti1Image, regions: Nifti1Image) -> None:
    renamed = nib.Nifti1Image(np.where(np.asarray(regions.dataobj) == 4, 2035, regions.dataobj), regions.affine)
    rois = ROIS.assign(label_indices=[[3, 2035], [13, 14], [1], [11]])
    np.testing.assert_allclose(volumes(grey, renamed, rois), volumes(grey, regions))


def test_millions_of_small_shares_are_summed_without_loss() -> None:
    shares = np.full((200, 200, 50), 0.1, np.float32)
    images = [nib.Nifti1Image(data, np.eye(4)) for data in (shares, np.ones(shares.shape, np.int16))]
    rois = pd.DataFrame({"roi": ["all"], "hemisphere": ["L"], "label_indices": [[1]]})
    assert volumes(*images, rois)["all", "L"] == pytest.approx(2e5, rel=1e-6)


def test_small_regions_are_all_named(grey: Nifti1Image, regions: Nifti1Image) -> None:
    labels = np.asarray(regions.dataobj).copy()
    labels[np.isin(labels, [1, 11])] = 0
    labels[0, 0, :3] = 11
    image = nib.Nifti1Image(labels, regions.affine)
    with pytest.raises(
        SmallRegionError, match=r"fewer than 4 voxels: amygdala L \(0\), amygdala R \(3\)\. .*min_voxels"
    ):
        measure_volumes(grey, image, {}, ROIS, min_voxels=4)
    with pytest.raises(SmallRegionError, match=r"amygdala L \(0\)\."):
        measure_volumes(grey, image, {}, ROIS, min_voxels=3)


def test_label_that_no_voxel_has_counts_as_empty(grey: Nifti1Image, regions: Nifti1Image) -> None:
    rois = pd.DataFrame({"roi": ["hippocampus"], "hemisphere": ["L"], "label_indices": [[999]]})
    with pytest.raises(SmallRegionError, match=r"hippocampus L \(0\)"):
        measure_volumes(grey, regions, {}, rois, min_voxels=1)


def test_images_must_share_one_grid(grey: Nifti1Image, regions: Nifti1Image) -> None:
    moved = nib.Nifti1Image(np.asarray(regions.dataobj), np.eye(4))
    with pytest.raises(GridMismatchError, match="Affines differ"):
        measure_volumes(grey, moved, {}, ROIS, min_voxels=1)
    cut = nib.Nifti1Image(np.asarray(regions.dataobj)[:-1], regions.affine)
    with pytest.raises(GridMismatchError, match="shapes"):
        measure_volumes(grey, cut, {}, ROIS, min_voxels=1)


def test_interpolated_regions_are_refused(grey: Nifti1Image, regions: Nifti1Image) -> None:
    half = nib.Nifti1Image(np.asarray(regions.dataobj) + np.float32(0.5), regions.affine)
    with pytest.raises(ImageError, match="fractions"):
        measure_volumes(grey, half, {}, ROIS, min_voxels=1)


# --- structures found in the scan ---------------------------------------------------------------------------------


@pytest.fixture
def structures(rng: np.random.Generator, grey: Nifti1Image) -> dict[int, Nifti1Image]:
    """Shares of the left and right amygdala (labels 1 and 11), together at most the grey matter of a voxel."""
    split = rng.dirichlet([1, 1, 1], grey.shape).astype(np.float32)
    data = np.asarray(grey.dataobj)
    return {label: nib.Nifti1Image(data * split[..., number], grey.affine) for number, label in enumerate((1, 11))}


def test_structure_is_the_sum_of_its_shares(
    grey: Nifti1Image, regions: Nifti1Image, structures: dict[int, Nifti1Image]
) -> None:
    """Wherever they lie, also where the label image has another label or none."""
    found = volumes(grey, regions, structures=structures)
    for label, side in ((1, "L"), (11, "R")):
        expected = 9.0 * np.asarray(structures[label].dataobj, dtype=float).sum()
        assert found["amygdala", side] == pytest.approx(expected, rel=1e-5)


def test_cortex_beside_a_structure_does_not_count_it(
    grey: Nifti1Image, regions: Nifti1Image, structures: dict[int, Nifti1Image]
) -> None:
    found = volumes(grey, regions, structures=structures)
    rest = np.asarray(grey.dataobj, float) - sum(np.asarray(image.dataobj, float) for image in structures.values())
    for indices, side in (([3, 4], "L"), ([13, 14], "R")):
        expected = 9.0 * rest[np.isin(np.asarray(regions.dataobj), indices)].sum()
        assert found["cingulate", side] == pytest.approx(expected, rel=1e-5)


def test_no_grey_matter_is_lost_or_counted_twice(
    grey: Nifti1Image, regions: Nifti1Image, structures: dict[int, Nifti1Image]
) -> None:
    """With every voxel in some region, structures and the rest add up to the grey matter."""
    full = nib.Nifti1Image(np.where(np.asarray(regions.dataobj) == 0, 5, regions.dataobj).astype(np.int16), grey.affine)
    indices = [1, 3, 4, 5, 11, 13, 14]
    rois = pd.DataFrame({"roi": [str(i) for i in indices], "hemisphere": "L", "label_indices": [[i] for i in indices]})
    found = volumes(grey, full, rois, structures).xs("L", level=1)
    # Grey matter in voxels labelled as a structure that is not part of its share belongs to nobody.
    leftover = np.asarray(grey.dataobj, float) - sum(np.asarray(image.dataobj, float) for image in structures.values())
    nobody = 9.0 * leftover[np.isin(np.asarray(full.dataobj), [1, 11])].sum()
    total = 9.0 * np.asarray(grey.dataobj, float).sum()
    assert found.sum() + nobody == pytest.approx(total, rel=1e-5)


def test_structure_may_exceed_the_grey_matter_of_a_voxel(grey: Nifti1Image, regions: Nifti1Image) -> None:
    """Rounding when maps are stored may do that; no region then has negative grey matter."""
    more = nib.Nifti1Image(np.asarray(grey.dataobj) * np.float32(1.01), grey.affine)
    found = volumes(grey, regions, structures={1: more, 11: nib.Nifti1Image(0 * np.asarray(grey.dataobj), grey.affine)})
    assert found["cingulate"].tolist() == [0, 0, 0]
    assert found["amygdala", "L"] == pytest.approx(1.01 * 9 * np.asarray(grey.dataobj, float).sum(), rel=1e-5)


def test_structure_that_no_region_asks_for_is_still_nobody_elses(grey: Nifti1Image, regions: Nifti1Image) -> None:
    half = nib.Nifti1Image(np.asarray(grey.dataobj) / 2, grey.affine)
    plain, beside = volumes(grey, regions), volumes(grey, regions, structures={999: half})
    np.testing.assert_allclose(beside, plain / 2, rtol=1e-5)


def test_voxels_of_a_structure_are_those_of_its_label(
    grey: Nifti1Image, regions: Nifti1Image, structures: dict[int, Nifti1Image]
) -> None:
    tables = [measure_volumes(grey, regions, given, ROIS, min_voxels=1) for given in ({}, structures)]
    assert tables[0]["n_voxels"].equals(tables[1]["n_voxels"])


def test_structures_must_share_the_grid(grey: Nifti1Image, regions: Nifti1Image) -> None:
    moved = nib.Nifti1Image(np.asarray(grey.dataobj), np.eye(4))
    with pytest.raises(GridMismatchError, match="Affines differ"):
        measure_volumes(grey, regions, {1: moved}, ROIS, min_voxels=1)


# --- totals -------------------------------------------------------------------------------------------------------


def totals(grey: Nifti1Image, *, whole_head: bool = True) -> pd.DataFrame:
    half = nib.Nifti1Image(np.asarray(grey.dataobj) / 2, grey.affine)
    mask = np.zeros(grey.shape, np.uint8)
    mask[1:3, :4, :5] = 1
    images = (grey, half, half, nib.Nifti1Image(mask, grey.affine))
    return measure_totals(*images, has_whole_head=whole_head, affine_tiv_mm3=1.5e6)


def test_totals_by_hand(grey: Nifti1Image) -> None:
    table = totals(grey)
    assert table.columns.tolist() == COLUMNS
    assert set(table["hemisphere"]) == {"whole"}
    grey_mm3 = float(np.asarray(grey.dataobj, float).sum() * 9)
    expected = {
        "total_grey_matter": grey_mm3,
        "total_white_matter": grey_mm3 / 2,
        "total_csf": grey_mm3 / 2,
        "brain_volume": 1.5 * grey_mm3,
        "tiv": 40 * 9.0,
        "affine_tiv": 1.5e6,
    }
    assert table.set_index("roi")["volume_mm3"].to_dict() == pytest.approx(expected)
    assert table["n_voxels"].tolist() == [40] * 5 + [pd.NA]


def test_extracted_brain_has_no_intracranial_volume(grey: Nifti1Image) -> None:
    whole, extracted = (totals(grey, whole_head=kind).set_index("roi")["volume_mm3"] for kind in (True, False))
    assert np.isnan(extracted["tiv"])
    pd.testing.assert_series_equal(whole.drop("tiv"), extracted.drop("tiv"))


def test_totals_need_one_grid(grey: Nifti1Image) -> None:
    moved = nib.Nifti1Image(np.asarray(grey.dataobj), np.eye(4))
    with pytest.raises(GridMismatchError, match="Affines differ"):
        measure_totals(grey, grey, grey, moved, has_whole_head=True, affine_tiv_mm3=1.0)
