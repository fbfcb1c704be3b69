"""Stage 6 of measuring a scan: numbers that tell whether its volumes can be trusted, and flags against its cohort.

Takes what the earlier stages made of one scan, gives one row of metrics; takes the rows of a cohort, gives flags.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from nibabel.affines import voxel_sizes
from nibabel.nifti1 import Nifti1Image
from numpy.typing import NDArray
from scipy import ndimage

from morpho.images import FloatArray, array_of, check_same_grid, mask_of, voxel_volume_mm3

MM3_PER_ML = 1000.0
SIGMA_PER_MAD = 1.4826  # 1 / 0.6745: the median absolute deviation of a normal distribution is 0.6745 sigma
PURE_TISSUE = 0.95

# Metric -> meaning and unit, as written to the JSON dictionary beside the table.
METRICS: dict[str, dict[str, str]] = {
    "brain_mask_volume_ml": {"Description": "Volume of the brain mask", "Units": "mL"},
    "grey_matter_ml": {"Description": "Sum of grey-matter shares", "Units": "mL"},
    "white_matter_ml": {"Description": "Sum of white-matter shares", "Units": "mL"},
    "csf_ml": {"Description": "Sum of fluid shares inside the mask", "Units": "mL"},
    "grey_to_white_ratio": {"Description": "Grey matter over white matter", "Units": "ratio"},
    "tiv_difference_percent": {
        "Description": "Affine estimate of intracranial volume minus that of the mask, percent of the mask's; missing "
        "for brain-extracted scans",
        "Units": "percent",
    },
    "contrast_to_noise": {
        "Description": "Mean white minus mean grey signal, over the root of the mean variance of both, in voxels that "
        "are at least 95 % one tissue",
        "Units": "ratio",
    },
    "white_matter_snr": {"Description": "Mean over standard deviation of the signal in white matter", "Units": "ratio"},
    "mask_parts": {"Description": "Connected parts of the brain mask (1 is right)", "Units": "count"},
    "edge_contact_voxels": {"Description": "Mask voxels on the border of the image", "Units": "count"},
    "registration_correlation": {
        "Description": "Pearson correlation of template and aligned scan, as images of their tissues, inside the "
        "template's brain",
        "Units": "r",
    },
    "structure_overlap": {
        "Description": "Smallest Dice of left and right hippocampus and amygdala, as the network finds them, with "
        "where the aligned atlas expects them; missing if the atlas labels neither",
        "Units": "ratio",
    },
    "jacobian_low": {
        "Description": "1st percentile of local volume change of the deformable alignment",
        "Units": "ratio",
    },
    "jacobian_high": {"Description": "99th percentile of local volume change", "Units": "ratio"},
    "asymmetry_percent": {
        "Description": "Largest |L - R| / mean of both over the regions, percent",
        "Units": "percent",
    },
    "voxel_size_max_mm": {"Description": "Longest edge of a voxel", "Units": "mm"},
}

# Columns of the cohort's quality table.
QUALITY_DICTIONARY: dict[str, dict[str, str]] = {
    "scan": {"Description": "Participant and session as in file names"},
    "input_kind": {"Description": "whole_head, or extracted: the brain was extracted before it came to morpho"},
    "hard_flags": {"Description": "What is wrong with the scan by itself, comma-separated; n/a if nothing"},
    "cohort_flags": {"Description": "Metrics far from the cohort's median, comma-separated; n/a if none"},
    **METRICS,
}


def measure_quality(
    t1w: Nifti1Image,
    brain_mask: Nifti1Image,
    grey_matter: Nifti1Image,
    white_matter: Nifti1Image,
    volumes: pd.DataFrame,
    alignment: Mapping[str, Any],
    structure_overlap: float | None,
) -> pd.DataFrame:
    """Measure the quality of one scan.

    Parameters
    ----------
    t1w, brain_mask, grey_matter, white_matter : shape (X, Y, Z)
        Bias-corrected scan, mask and tissue shares on one grid, native space.
    volumes
        Table of `measure_volumes` and `measure_totals` together.
    alignment
        Keys correlation, jacobian_low, jacobian_high.
    structure_overlap
        Dice of hippocampus and amygdala with where the atlas expects them; None if the atlas has neither.

    Returns
    -------
    One row with the columns of `METRICS`.

    Raises
    ------
    GridMismatchError
        If the images do not share one grid.
    """
    check_same_grid(t1w, brain_mask, grey_matter, white_matter)
    mask = mask_of(brain_mask)
    total = volumes.loc[volumes["hemisphere"] == "whole"].set_index("roi")["volume_mm3"] / MM3_PER_ML
    row = {
        "brain_mask_volume_ml": float(mask.sum()) * voxel_volume_mm3(t1w) / MM3_PER_ML,
        "grey_matter_ml": total["total_grey_matter"],
        "white_matter_ml": total["total_white_matter"],
        "csf_ml": total["total_csf"],
        "grey_to_white_ratio": total["total_grey_matter"] / total["total_white_matter"],
        "tiv_difference_percent": 100 * (total["affine_tiv"] / total["tiv"] - 1),
        **_measure_contrast(array_of(t1w), array_of(grey_matter), array_of(white_matter)),
        "mask_parts": int(ndimage.label(mask)[1]),
        "edge_contact_voxels": _count_edge_voxels(mask),
        "registration_correlation": alignment["correlation"],
        "structure_overlap": np.nan if structure_overlap is None else structure_overlap,
        "jacobian_low": alignment["jacobian_low"],
        "jacobian_high": alignment["jacobian_high"],
        "asymmetry_percent": _largest_asymmetry_percent(volumes),
        "voxel_size_max_mm": float(voxel_sizes(t1w.affine).max()),
    }
    return pd.DataFrame([row])[list(METRICS)]


def flag_scans(
    metrics: pd.DataFrame,
    *,
    min_registration_correlation: float,
    min_structure_overlap: float,
    brain_volume_range_ml: tuple[float, float],
    outlier_mads: float,
) -> pd.DataFrame:
    """Flag scans that look wrong, by themselves or against their cohort.

    Parameters
    ----------
    metrics
        One row per scan: scan and the columns of `METRICS`.
    min_registration_correlation
        A lower correlation with the template is a hard flag.
    min_structure_overlap
        A lower overlap of hippocampus and amygdala with the atlas is a hard flag.
    brain_volume_range_ml
        A brain mask outside this range is a hard flag.
    outlier_mads
        Distance from the cohort's median, in scaled median absolute deviations, beyond which a metric is flagged.

    Returns
    -------
    `metrics` with the columns ``hard_flags`` and ``cohort_flags`` (comma-separated words, empty if none).
    """
    low, high = brain_volume_range_ml
    hard = pd.DataFrame(
        {
            "low_registration_correlation": ~(metrics["registration_correlation"] >= min_registration_correlation),
            "low_structure_overlap": metrics["structure_overlap"] < min_structure_overlap,
            "implausible_brain_volume": ~metrics["brain_mask_volume_ml"].between(low, high),
            "brain_touches_image_edge": metrics["edge_contact_voxels"] > 0,
        }
    )
    cohort = pd.DataFrame({name: robust_z(metrics[name]).abs() > outlier_mads for name in METRICS})
    return metrics.assign(hard_flags=_join_flags(hard), cohort_flags=_join_flags(cohort))


def robust_z(values: pd.Series) -> pd.Series:
    """Distance from the median in scaled median absolute deviations; zero where the deviation itself is zero.

    Examples
    --------
    >>> robust_z(pd.Series([1.0, 2.0, 3.0, 4.0, 100.0])).round(2).tolist()
    [-1.35, -0.67, 0.0, 0.67, 65.43]
    """
    deviation = values - values.median()
    spread = SIGMA_PER_MAD * deviation.abs().median()
    return deviation / spread if spread > 0 else deviation * 0


def _join_flags(flags: pd.DataFrame) -> pd.Series:
    """Names of the columns that are true, joined by commas, per row."""
    return pd.Series([",".join(flags.columns[row]) for row in flags.to_numpy(dtype=bool)], index=flags.index)


def _measure_contrast(signal: FloatArray, grey: FloatArray, white: FloatArray) -> dict[str, float]:
    """Contrast to noise of grey and white, and signal to noise of white matter, in nearly pure voxels."""
    in_grey, in_white = signal[grey >= PURE_TISSUE], signal[white >= PURE_TISSUE]
    if in_grey.size == 0 or in_white.size == 0:
        return {"contrast_to_noise": np.nan, "white_matter_snr": np.nan}
    noise = float(np.sqrt((in_grey.var() + in_white.var()) / 2))
    return {
        "contrast_to_noise": float(in_white.mean() - in_grey.mean()) / noise,
        "white_matter_snr": float(in_white.mean() / in_white.std()),
    }


def _count_edge_voxels(mask: NDArray[np.bool_]) -> int:
    """Mask voxels that lie on a face of the image."""
    return int(mask.sum()) - int(mask[1:-1, 1:-1, 1:-1].sum())


def _largest_asymmetry_percent(volumes: pd.DataFrame) -> float:
    """Largest |L - R| over the mean of both sides, percent."""
    sides = volumes[volumes["hemisphere"].isin(["L", "R"])].pivot_table(
        index="roi", columns="hemisphere", values="volume_mm3"
    )
    return float((100 * (sides["L"] - sides["R"]).abs() / sides.mean(axis=1)).max())
