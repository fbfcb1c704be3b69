"""Quality of scans: each metric on an image whose metric is known, and flags against limits and cohort."""

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nibabel.nifti1 import Nifti1Image
from numpy.typing import NDArray

from morpho.errors import GridMismatchError
from morpho.measure.quality import METRICS, QUALITY_DICTIONARY, flag_scans, measure_quality, robust_z

ALIGNMENT = {"correlation": 0.91, "jacobian_low": 0.7, "jacobian_high": 1.4, "affine_tiv_mm3": 1.0}
LIMITS = {
    "min_registration_correlation": 0.5, "min_structure_overlap": 0.4, "brain_volume_range_ml": (700, 2200),
    "outlier_mads": 3.5,
}  # fmt: skip
VOLUMES = pd.DataFrame(
    [
        ("hippocampus", "L", 3000.0),
        ("hippocampus", "R", 3300.0),
        ("amygdala", "L", 1000.0),
        ("amygdala", "R", 1500.0),
        ("amygdala", "mean", 1250.0),
        ("total_grey_matter", "whole", 600e3),
        ("total_white_matter", "whole", 480e3),
        ("total_csf", "whole", 300e3),
        ("brain_volume", "whole", 1080e3),
        ("tiv", "whole", 1400e3),
        ("affine_tiv", "whole", 1540e3),
    ],
    columns=["roi", "hemisphere", "volume_mm3"],
)


@pytest.fixture
def images(rng: np.random.Generator, awkward_affine: NDArray[np.float64]) -> dict[str, Nifti1Image]:
    """Scan of two pure tissues: grey 100, white 160, noise 6; the mask is one box that touches no face."""
    shape = (20, 22, 24)
    mask = np.zeros(shape, np.uint8)
    mask[2:18, 2:20, 2:22] = 1
    white = np.zeros(shape, np.float32)
    white[2:10, 2:20, 2:22] = 1
    grey = mask - white
    signal = 100 * grey + 160 * white + rng.normal(0, 6, shape) * mask
    arrays = {"t1w": signal.astype(np.float32), "brain_mask": mask, "grey_matter": grey, "white_matter": white}
    return {name: nib.Nifti1Image(data, awkward_affine) for name, data in arrays.items()}


def measured(
    images: dict[str, Nifti1Image], volumes: pd.DataFrame = VOLUMES, structure_overlap: float | None = 0.83
) -> pd.Series:
    table = measure_quality(**images, volumes=volumes, alignment=ALIGNMENT, structure_overlap=structure_overlap)
    assert table.columns.tolist() == list(METRICS)
    assert len(table) == 1
    return table.iloc[0]


def cohort(n: int = 9, **changed: float) -> pd.DataFrame:
    """Metrics of `n` good scans that differ a little; the last one has the changed values."""
    spread = np.linspace(-1, 1, n)
    table = pd.DataFrame(dict.fromkeys(METRICS, 10 + spread))
    table = table.assign(registration_correlation=0.9, structure_overlap=0.7)
    table = table.assign(brain_mask_volume_ml=1400 + 50 * spread, edge_contact_voxels=0)
    for name, value in changed.items():
        table[name] = table[name].astype(float)
        table.loc[n - 1, name] = value
    return table.assign(scan=[f"sub-{number:02d}" for number in range(n)])


def test_metrics_by_hand(images: dict[str, Nifti1Image]) -> None:
    row = measured(images)
    assert row["brain_mask_volume_ml"] == pytest.approx(16 * 18 * 20 * 9 / 1000)
    assert row["grey_matter_ml"] == 600
    assert row["white_matter_ml"] == 480
    assert row["csf_ml"] == 300
    assert row["grey_to_white_ratio"] == pytest.approx(1.25)
    assert row["tiv_difference_percent"] == pytest.approx(10.0)
    assert row["asymmetry_percent"] == pytest.approx(100 * 500 / 1250)
    assert row["voxel_size_max_mm"] == pytest.approx(3.0)
    assert row["mask_parts"] == 1
    assert row["edge_contact_voxels"] == 0
    assert row["structure_overlap"] == 0.83
    assert row[["registration_correlation", "jacobian_low", "jacobian_high"]].tolist() == [0.91, 0.7, 1.4]


def test_contrast_and_noise_are_those_of_the_image(images: dict[str, Nifti1Image]) -> None:
    row = measured(images)
    assert row["contrast_to_noise"] == pytest.approx(60 / 6, rel=0.05)
    assert row["white_matter_snr"] == pytest.approx(160 / 6, rel=0.05)


def test_contrast_does_not_depend_on_the_unit_of_signal(images: dict[str, Nifti1Image]) -> None:
    doubled = images | {"t1w": nib.Nifti1Image(2 * np.asarray(images["t1w"].dataobj), images["t1w"].affine)}
    names = ["contrast_to_noise", "white_matter_snr"]
    np.testing.assert_allclose(measured(doubled)[names].astype(float), measured(images)[names].astype(float), rtol=1e-5)


def test_contrast_is_missing_without_pure_tissue(images: dict[str, Nifti1Image]) -> None:
    half = nib.Nifti1Image(np.asarray(images["grey_matter"].dataobj) / 2, images["t1w"].affine)
    assert measured(images | {"grey_matter": half})[["contrast_to_noise", "white_matter_snr"]].isna().all()


def test_mask_in_two_parts_that_touches_the_edge(images: dict[str, Nifti1Image]) -> None:
    mask = np.asarray(images["brain_mask"].dataobj).copy()
    mask[0, 5:8, 5:7] = 1
    row = measured(images | {"brain_mask": nib.Nifti1Image(mask, images["t1w"].affine)})
    assert row["mask_parts"] == 2
    assert row["edge_contact_voxels"] == 6


def test_extracted_scan_has_no_difference_of_intracranial_volumes(images: dict[str, Nifti1Image]) -> None:
    volumes = VOLUMES.assign(volume_mm3=VOLUMES["volume_mm3"].where(VOLUMES["roi"] != "tiv"))
    assert np.isnan(measured(images, volumes)["tiv_difference_percent"])


def test_atlas_without_structures_has_no_overlap(images: dict[str, Nifti1Image]) -> None:
    assert np.isnan(measured(images, structure_overlap=None)["structure_overlap"])


def test_images_must_share_one_grid(images: dict[str, Nifti1Image]) -> None:
    moved = nib.Nifti1Image(np.asarray(images["t1w"].dataobj), np.eye(4))
    with pytest.raises(GridMismatchError, match="Affines differ"):
        measured(images | {"t1w": moved})


def test_dictionary_describes_every_column() -> None:
    assert set(QUALITY_DICTIONARY) == {"scan", "input_kind", "hard_flags", "cohort_flags", *METRICS}
    assert all(entry["Description"] for entry in QUALITY_DICTIONARY.values())
    assert all(entry["Units"] for entry in METRICS.values())


# --- flags --------------------------------------------------------------------------------------------------------


def test_good_cohort_has_no_flags() -> None:
    flagged = flag_scans(cohort(), **LIMITS)
    assert flagged["hard_flags"].tolist() == flagged["cohort_flags"].tolist() == [""] * 9


@pytest.mark.parametrize(
    ("changed", "flag"),
    [
        ({"registration_correlation": 0.49}, "low_registration_correlation"),
        ({"registration_correlation": np.nan}, "low_registration_correlation"),
        ({"structure_overlap": 0.39}, "low_structure_overlap"),
        ({"brain_mask_volume_ml": 699.0}, "implausible_brain_volume"),
        ({"brain_mask_volume_ml": 2201.0}, "implausible_brain_volume"),
        ({"edge_contact_voxels": 1}, "brain_touches_image_edge"),
    ],
)
def test_each_hard_flag_marks_its_scan_only(changed: dict[str, float], flag: str) -> None:
    assert flag_scans(cohort(**changed), **LIMITS)["hard_flags"].tolist() == [""] * 8 + [flag]


def test_values_at_the_limits_are_allowed() -> None:
    table = cohort(registration_correlation=0.5, structure_overlap=0.4, brain_mask_volume_ml=2200.0)
    assert flag_scans(table, **LIMITS)["hard_flags"].tolist() == [""] * 9


def test_missing_overlap_is_no_flag() -> None:
    """It is missing for everybody if the atlas has no such structures; a failed scan has no row at all."""
    assert flag_scans(cohort(structure_overlap=np.nan), **LIMITS)["hard_flags"].tolist() == [""] * 9


def test_outlier_is_named_by_its_metrics() -> None:
    flagged = flag_scans(cohort(contrast_to_noise=2.0, jacobian_low=40.0), **LIMITS)
    assert flagged["cohort_flags"].tolist() == [""] * 8 + ["contrast_to_noise,jacobian_low"]


def test_limit_of_outliers_is_the_one_asked_for() -> None:
    # 9, 9.25 ... 10.75 and 13 have median 10 and median absolute deviation 0.5: 3 / (1.4826 x 0.5) = 4.05.
    table = cohort(contrast_to_noise=13.0)
    flags = [flag_scans(table, **LIMITS | {"outlier_mads": mads})["cohort_flags"].iloc[-1] for mads in (4.0, 4.1)]
    assert flags == ["contrast_to_noise", ""]


def test_one_scan_alone_is_no_outlier() -> None:
    assert flag_scans(cohort(1), **LIMITS)["cohort_flags"].tolist() == [""]


def test_flags_keep_the_rows_and_metrics_as_they_were() -> None:
    table = cohort(contrast_to_noise=2.0).iloc[::-1]
    flagged = flag_scans(table, **LIMITS)
    pd.testing.assert_frame_equal(flagged[table.columns], table)


# --- robust_z -----------------------------------------------------------------------------------------------------


def test_robust_z_of_normal_values_is_close_to_their_z(rng: np.random.Generator) -> None:
    values = pd.Series(rng.normal(50, 7, 20_000))
    np.testing.assert_allclose(robust_z(values), (values - 50) / 7, atol=0.12)


def test_robust_z_does_not_depend_on_unit_or_origin(rng: np.random.Generator) -> None:
    values = pd.Series(rng.normal(size=50))
    np.testing.assert_allclose(robust_z(3 * values + 8), robust_z(values))


def test_robust_z_without_spread_is_zero() -> None:
    assert robust_z(pd.Series([1.0, 1.0, 1.0, 2.0])).tolist() == [0.0] * 4


def test_missing_values_stay_missing_and_disturb_nobody() -> None:
    values = pd.Series([1.0, 2.0, np.nan, 3.0])
    assert robust_z(values).dropna().tolist() == robust_z(values.dropna()).tolist()
    assert robust_z(values).isna().tolist() == [False, False, True, False]
