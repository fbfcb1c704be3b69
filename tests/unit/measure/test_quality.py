"""Quality of a scan: one row with every metric, from parts whose numbers are known."""

from collections.abc import Mapping
from dataclasses import replace

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nibabel.nifti1 import Nifti1Image
from numpy.typing import NDArray

from morpho.errors import GridMismatchError
from morpho.measure.quality import MeasuredScan, measure_quality
from morpho.quality_metrics import METRICS

ALIGNMENT = {"correlation": 0.91, "jacobian_low": 0.7, "jacobian_high": 1.4, "affine_tiv_mm3": 1.0}
OFFSET = (3, 2, 4)  # of the cropped scan in the raw one, voxels
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
def scan(rng: np.random.Generator, awkward_affine: NDArray[np.float64]) -> MeasuredScan:
    """Grey matter 0.6, white matter 1, noise 0.04, all of it 500 times as bright in the raw scan; no air."""
    shape = (20, 22, 24)
    mask = np.zeros(shape, np.uint8)
    mask[2:18, 2:20, 2:22] = 1
    white, fluid = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    white[2:10, 2:20, 2:22] = 1
    fluid[16:18, 2:20, 2:22] = 1
    grey = mask - white - fluid
    signal = (0.2 * fluid + 0.6 * grey + white + rng.normal(0, 0.04, shape) * mask).astype(np.float32)
    raw = np.pad(500 * signal, [(first, 5) for first in OFFSET])
    to_raw = awkward_affine.copy()
    to_raw[:3, 3] -= awkward_affine[:3, :3] @ OFFSET
    expected = np.zeros(shape, np.float32)
    expected[11:15, 5:10, 5:10] = 1

    def image(data: NDArray[np.generic]) -> Nifti1Image:
        return nib.Nifti1Image(data, awkward_affine)

    return MeasuredScan(
        raw=nib.Nifti1Image(raw, to_raw),
        t1w=image(signal),
        brain_mask=image(mask),
        grey_matter=image(grey.astype(np.float32)),
        white_matter=image(white),
        csf=image(fluid),
        expected={("hippocampus", "L"): image(expected)},
        input_kind="whole_head",
    )


def measured(
    scan: MeasuredScan,
    volumes: pd.DataFrame = VOLUMES,
    overlap: float | None = 0.83,
    laterality: Mapping[str, float] | None = None,
) -> pd.Series:
    table = measure_quality(scan, volumes, ALIGNMENT, overlap, laterality or {})
    assert table.columns.tolist() == ["input_kind", *METRICS]
    assert len(table) == 1
    return table.iloc[0]


def test_sizes_and_ratios_by_hand(scan: MeasuredScan) -> None:
    row, mask_ml = measured(scan), 16 * 18 * 20 * 9 / 1000
    assert row["input_kind"] == "whole_head"
    assert row["brain_mask_volume_ml"] == pytest.approx(mask_ml)
    assert row[["grey_matter_ml", "white_matter_ml", "csf_ml", "tiv_ml", "affine_tiv_ml"]].tolist() == [
        600, 480, 300, 1400, 1540,
    ]  # fmt: skip
    assert row["grey_to_white_ratio"] == pytest.approx(1.25)
    assert row["csf_share"] == pytest.approx(300 / mask_ml)
    assert row["tiv_difference_percent"] == pytest.approx(10.0)
    assert row["voxel_size_max_mm"] == pytest.approx(3.0)
    assert row["voxel_volume_mm3"] == pytest.approx(9.0)


def test_asymmetry_by_hand(scan: MeasuredScan) -> None:
    row = measured(scan)
    assert row["hippocampus_asymmetry_percent"] == pytest.approx(100 * 300 / 3150)
    assert row["asymmetry_percent"] == pytest.approx(100 * 500 / 1250)


def test_what_other_stages_measured_is_passed_on(scan: MeasuredScan) -> None:
    row = measured(scan, laterality={"laterality_score": 0.8, "hemisphere_ratio": 0.97})
    assert row["structure_overlap"] == 0.83
    assert row[["registration_correlation", "jacobian_low", "jacobian_high"]].tolist() == [0.91, 0.7, 1.4]
    assert row[["laterality_score", "hemisphere_ratio"]].tolist() == [0.8, 0.97]
    assert np.isnan(measured(scan)["laterality_score"])


def test_signal_is_that_of_the_image(scan: MeasuredScan) -> None:
    row = measured(scan)
    assert row["contrast_to_noise"] == pytest.approx(0.4 / 0.04, rel=0.05)
    assert row["white_to_grey_contrast"] == pytest.approx(1 / 0.6, rel=0.01)
    assert row["white_matter_snr"] == pytest.approx(1 / 0.04, rel=0.05)
    assert row["noise_white_percent"] == pytest.approx(4.0, rel=0.05)
    assert row["structure_odd_signal_percent"] < 1
    assert row["bias_field_percent"] == pytest.approx(0, abs=1e-3)


def test_unit_of_the_raw_signal_does_not_matter(scan: MeasuredScan) -> None:
    dim = replace(scan, raw=nib.Nifti1Image(np.asarray(scan.raw.dataobj) / 7, scan.raw.affine))
    pd.testing.assert_series_equal(measured(dim), measured(scan), atol=1e-4)


def test_shape_of_the_mask_is_that_on_the_raw_grid(scan: MeasuredScan) -> None:
    """A scan that was blanked around the brain: its box of signal ends where the brain ends."""
    row = measured(scan)
    assert row["mask_parts"] == 1
    assert row["mask_holes_mm3"] == 0
    sizes_mm = np.abs(nib.affines.voxel_sizes(scan.raw.affine))
    faces = [
        18 * 20 * sizes_mm[1] * sizes_mm[2],
        16 * 20 * sizes_mm[0] * sizes_mm[2],
        16 * 18 * sizes_mm[0] * sizes_mm[1],
    ]
    assert row["edge_contact_mm2"] == pytest.approx(max(faces))


def test_scan_without_air_has_no_background(scan: MeasuredScan) -> None:
    assert measured(scan)[["noise_air_percent", "ghost_percent", "air_artefact_percent"]].isna().all()


def test_extracted_scan_has_neither_intracranial_volume_nor_defacing(scan: MeasuredScan) -> None:
    volumes = VOLUMES.assign(volume_mm3=VOLUMES["volume_mm3"].where(VOLUMES["roi"] != "tiv"))
    row = measured(replace(scan, input_kind="extracted"), volumes)
    assert row[["tiv_ml", "tiv_difference_percent", "defacing_contact_mm2"]].isna().all()
    assert measured(scan)["defacing_contact_mm2"] > 0


def test_atlas_without_structures_has_no_overlap(scan: MeasuredScan) -> None:
    row = measured(replace(scan, expected={}), overlap=None)
    assert row[["structure_overlap", "structure_odd_signal_percent"]].isna().all()


def test_images_must_share_one_grid(scan: MeasuredScan) -> None:
    moved = nib.Nifti1Image(np.asarray(scan.t1w.dataobj), np.eye(4))
    with pytest.raises(GridMismatchError, match="Affines differ"):
        measured(replace(scan, t1w=moved))
