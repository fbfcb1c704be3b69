"""Stage 6 of measuring a scan: numbers that tell whether its volumes can be trusted.

Takes the raw scan and what the earlier stages made of it, gives one row of metrics. Nothing is judged here: limits are
in the configuration, verdicts in `morpho.infer.quality`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from nibabel.nifti1 import Nifti1Image

from morpho.images import array_of, check_same_grid, mask_of, voxel_volume_mm3
from morpho.measure.background import Background, measure_background
from morpho.measure.ghost import ghost_within_brain_percent, unexplained_signal
from morpho.measure.mask_shape import (
    blanked_voxels,
    box_in_raw,
    contact_area_mm2,
    measure_mask_shape,
    place_in_raw,
    voxel_edges_mm,
)
from morpho.measure.sharpness import blur_fwhm_mm, edge_width_mm, noise_in_white_matter
from morpho.measure.tissue_signal import PURE_TISSUE, measure_contrast, odd_signal_percent, shading_percent
from morpho.quality_metrics import METRICS

MM3_PER_ML = 1000.0
MISSING = float("nan")


@dataclass(frozen=True)
class MeasuredScan:
    """The raw scan, shape (U, V, W), and what was made of it, shape (X, Y, Z) on a part of its grid.

    `expected` has the probability of hippocampus and amygdala of each side according to the aligned atlas, on parts of
    the grid; `input_kind` is "whole_head" or "extracted".
    """

    raw: Nifti1Image
    t1w: Nifti1Image
    brain_mask: Nifti1Image
    grey_matter: Nifti1Image
    white_matter: Nifti1Image
    csf: Nifti1Image
    expected: Mapping[tuple[str, str], Nifti1Image]
    input_kind: str


def measure_quality(
    scan: MeasuredScan,
    volumes: pd.DataFrame,
    alignment: Mapping[str, Any],
    structure_overlap: float | None,
    laterality: Mapping[str, float],
) -> pd.DataFrame:
    """Measure the quality of one scan.

    Parameters
    ----------
    scan
        Images of the scan.
    volumes
        Table of `measure_volumes` and `measure_totals` together.
    alignment
        Keys correlation, jacobian_low, jacobian_high.
    structure_overlap
        Dice of hippocampus and amygdala with where the atlas expects them; None if the atlas has neither.
    laterality
        Metrics about left and right by name (laterality_score, hemisphere_ratio); absent ones are missing.

    Returns
    -------
    One row: ``input_kind`` and the columns of `morpho.quality_metrics.METRICS`, where units and definitions are.

    Raises
    ------
    GridMismatchError
        If the images do not share one grid.
    """
    check_same_grid(scan.t1w, scan.brain_mask, scan.grey_matter, scan.white_matter, scan.csf)
    missing = dict.fromkeys(METRICS, MISSING)
    found = {
        **_measure_sizes(scan, volumes),
        **_measure_signal(scan),
        **_measure_raw(scan),
        **_measure_asymmetry(volumes),
        **laterality,
        "registration_correlation": alignment["correlation"],
        "structure_overlap": MISSING if structure_overlap is None else structure_overlap,
        "jacobian_low": alignment["jacobian_low"],
        "jacobian_high": alignment["jacobian_high"],
    }
    return pd.DataFrame([missing | found])[list(METRICS)].assign(input_kind=scan.input_kind)[["input_kind", *METRICS]]


def _measure_sizes(scan: MeasuredScan, volumes: pd.DataFrame) -> dict[str, float]:
    """Volumes of mask and tissues, their ratios, intracranial volume by two estimates, size of a voxel."""
    total = volumes.loc[volumes["hemisphere"] == "whole"].set_index("roi")["volume_mm3"] / MM3_PER_ML
    mask_ml = float(mask_of(scan.brain_mask).sum()) * voxel_volume_mm3(scan.brain_mask) / MM3_PER_ML
    return {
        "brain_mask_volume_ml": mask_ml,
        "grey_matter_ml": total["total_grey_matter"],
        "white_matter_ml": total["total_white_matter"],
        "csf_ml": total["total_csf"],
        "grey_to_white_ratio": total["total_grey_matter"] / total["total_white_matter"],
        "csf_share": total["total_csf"] / mask_ml,
        "tiv_ml": total["tiv"],
        "affine_tiv_ml": total["affine_tiv"],
        "tiv_difference_percent": 100 * (total["affine_tiv"] / total["tiv"] - 1),
        "voxel_size_max_mm": float(voxel_edges_mm(scan.raw).max()),
        "voxel_volume_mm3": voxel_volume_mm3(scan.raw),
    }


def _measure_signal(scan: MeasuredScan) -> dict[str, float]:
    """Contrast, noise and sharpness inside the brain."""
    signal, grey, white, fluid = (
        array_of(image) for image in (scan.t1w, scan.grey_matter, scan.white_matter, scan.csf)
    )
    contrast, voxel_mm = measure_contrast(signal, grey, white), voxel_edges_mm(scan.t1w)
    return {
        "contrast_to_noise": contrast.contrast_to_noise,
        "white_to_grey_contrast": contrast.white_to_grey,
        "white_matter_snr": contrast.white_matter_snr,
        "noise_white_percent": noise_in_white_matter(signal, white),
        "blur_fwhm_mm": blur_fwhm_mm(signal, [grey, white], voxel_mm),
        "edge_width_mm": edge_width_mm(signal, grey, white, voxel_mm),
        "structure_odd_signal_percent": odd_signal_percent(scan.t1w, (fluid, grey, white), scan.expected),
    }


def _measure_raw(scan: MeasuredScan) -> dict[str, float]:
    """Shading, ghosts, air and shape of the mask, from the raw scan."""
    raw, voxel_mm, box = array_of(scan.raw), voxel_edges_mm(scan.raw), box_in_raw(scan.brain_mask, scan.raw)
    brain, part, corrected = place_in_raw(scan.brain_mask, scan.raw), mask_of(scan.brain_mask), array_of(scan.t1w)
    blanked = blanked_voxels(raw, float(np.prod(voxel_mm)))
    shape = measure_mask_shape(brain, ~blanked, voxel_mm)
    tissues = array_of(scan.csf), array_of(scan.grey_matter), array_of(scan.white_matter)
    white = tissues[2] >= PURE_TISSUE
    air, ghost = Background(), MISSING
    if white.any():
        white_signal, residual = float(raw[box][white].mean()), unexplained_signal(corrected, tissues)
        air = measure_background(raw, brain, blanked, voxel_mm, white_signal)
        ghost = ghost_within_brain_percent(raw, box, residual, part, white_signal, float(np.prod(voxel_mm)))
    is_head = scan.input_kind == "whole_head"
    return {
        "noise_air_percent": air.noise_percent,
        "ghost_percent": air.ghost_percent,
        "air_artefact_percent": air.artefact_percent,
        "brain_ghost_percent": ghost,
        "bias_field_percent": shading_percent(raw[box], corrected, part),
        "mask_parts": shape.parts,
        "mask_holes_mm3": shape.holes_mm3,
        "edge_contact_mm2": shape.edge_contact_mm2,
        "defacing_contact_mm2": contact_area_mm2(brain, blanked, voxel_mm) if is_head else MISSING,
    }


def _measure_asymmetry(volumes: pd.DataFrame) -> dict[str, float]:
    """Difference of left and right over the mean of both sides, percent: of the hippocampus, and the largest of all."""
    sides = volumes[volumes["hemisphere"].isin(["L", "R"])].pivot_table(
        index="roi", columns="hemisphere", values="volume_mm3"
    )
    percent = 100 * (sides["L"] - sides["R"]).abs() / sides.mean(axis=1)
    return {
        "hippocampus_asymmetry_percent": float(percent.get("hippocampus", MISSING)),
        "asymmetry_percent": float(percent.max()),
    }
