"""A small made-up study for the tests of `morpho.present`: tables as the models write them, images with two sides."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import yaml
from nibabel.nifti1 import Nifti1Image
from scipy import stats

from morpho.present.style import FigureStyle, read_style

CONFIDENCE = 0.95
PRIMARY = ("hippocampus", "amygdala", "rostral_anterior_cingulate", "dlpfc")
FORMULA = "volume_mm3 ~ C(group, Treatment('control')) + age_years + C(sex, Sum) + affine_tiv_whole_dm3 + C(site)"
SEVERITY_FORMULA = "volume_mm3 ~ severity + age_years + C(sex, Sum) + affine_tiv_whole_dm3"
HEAD_SIZE_NOTE = "total intracranial volume could not be measured in 3 of 59 scans; affine head size serves"
N_REFERENCE, N_COMPARISON = 26, 33
FAMILIES = {"primary": (PRIMARY, ("mean",)), "hemispheres": (PRIMARY, ("L", "R")), "totals": (("brain_volume",), ("whole",))}
TOO_FEW = "too few people: 2 patient with all values, where config models.min_group_size asks for 3"


def load_style() -> FigureStyle:
    """Style that the project ships."""
    path = Path(__file__).parents[3] / "config" / "figures.yaml"
    return read_style(yaml.safe_load(path.read_text(encoding="utf-8")))


def _places() -> list[tuple[str, str, str]]:
    return [
        (family, roi, side) for family, (rois, sides) in FAMILIES.items() for roi in rois for side in sides
    ]


def make_effects() -> pd.DataFrame:
    """Group comparison; the left and right amygdala were refused."""
    rng = np.random.default_rng(3)
    rows = []
    for family, roi, side in _places():
        row: dict[str, object] = {"family": family, "roi": roi, "hemisphere": side, "contrast": "patient - control"}
        row |= {"head_size": "affine_tiv_whole_mm3", "head_size_note": HEAD_SIZE_NOTE, "family_size": 4, "p_fdr": np.nan}
        if family == "hemispheres" and roi == "amygdala":
            rows.append(row | {"status": "refused", "reason": TOO_FEW, "formula": np.nan})
            continue
        g = float(rng.normal(-0.3, 0.25))
        half = 0.52
        row |= {"status": "fitted", "reason": np.nan, "formula": FORMULA}
        row |= {"n_reference": N_REFERENCE, "n_comparison": N_COMPARISON, "n_sites": 2, "df": 53}
        row |= {"g": g, "g_ci_low": g - half, "g_ci_high": g + half, "d": g * 1.01}
        row |= {"d_enigma": g * 1.03, "d_enigma_ci_low": g - half, "d_enigma_ci_high": g + half}
        row |= {"mean_reference_mm3": 3800.0, "sd_reference_mm3": 300.0}
        row |= {"mean_comparison_mm3": 3800 + 300 * g, "sd_comparison_mm3": 310.0}
        row |= {"adjusted_mean_reference_mm3": 3800.0, "adjusted_mean_comparison_mm3": 3800 + 300 * g}
        row |= {"estimate_mm3": 300 * g, "ci_low_mm3": 300 * (g - half), "ci_high_mm3": 300 * (g + half), "se_mm3": 78.0}
        row |= {"percent": 7.9 * g, "percent_ci_low": 7.9 * (g - half), "percent_ci_high": 7.9 * (g + half)}
        p = float(2 * stats.norm.sf(abs(g) / 0.26))
        rows.append(row | {"t": g / 0.26, "p": p, "p_fdr": min(1.0, 2 * p), "vif_group": 1.1})
    return pd.DataFrame(rows)


def make_adjusted(effects: pd.DataFrame) -> pd.DataFrame:
    """Adjusted volumes behind `make_effects`."""
    rng = np.random.default_rng(4)
    parts = []
    for row in effects[effects["status"] == "fitted"].to_dict("records"):
        group = ["control"] * N_REFERENCE + ["patient"] * N_COMPARISON
        mean = np.where(np.array(group) == "control", 3800.0, row["adjusted_mean_comparison_mm3"])
        volume = mean + rng.normal(0, 300, len(group))
        parts.append(
            pd.DataFrame(
                {
                    "family": row["family"], "roi": row["roi"], "hemisphere": row["hemisphere"],
                    "participant_id": [f"sub-{i:02d}" for i in range(len(group))], "group": group,
                    "volume_mm3": volume + 50, "adjusted_volume_mm3": volume,
                }
            )
        )  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def make_residuals() -> pd.DataFrame:
    """Partial residuals of the scale BDI in 33 patients."""
    rng = np.random.default_rng(5)
    parts = []
    for family, roi, side in _places():
        severity = rng.normal(0, 8, N_COMPARISON)
        severity -= severity.mean()
        volume = -6 * severity + rng.normal(0, 250, N_COMPARISON)
        parts.append(
            pd.DataFrame(
                {
                    "family": family, "scale": "BDI", "roi": roi, "hemisphere": side,
                    "participant_id": [f"sub-{i:02d}" for i in range(N_COMPARISON)],
                    "severity_residual": severity, "volume_residual_mm3": volume - volume.mean(),
                }
            )
        )  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def make_associations(residuals: pd.DataFrame) -> pd.DataFrame:
    """Associations with BDI; the primary amygdala was refused."""
    rows = []
    for family, roi, side in _places():
        here = residuals[(residuals["family"] == family) & (residuals["roi"] == roi) & (residuals["hemisphere"] == side)]
        row = {"family": family, "scale": "BDI", "roi": roi, "hemisphere": side, "head_size_note": HEAD_SIZE_NOTE}
        row |= {"head_size": "affine_tiv_whole_mm3", "family_size": 4}
        if family == "primary" and roi == "amygdala":
            rows.append(row | {"status": "refused", "reason": TOO_FEW, "formula": np.nan})
            continue
        fit = stats.linregress(here["severity_residual"], here["volume_residual_mm3"])
        half = 2.04 * fit.stderr
        row |= {"status": "fitted", "reason": np.nan, "formula": SEVERITY_FORMULA, "n": N_COMPARISON, "n_sites": 1}
        row |= {"slope_mm3_per_point": fit.slope, "slope_ci_low_mm3": fit.slope - half}
        row |= {"slope_ci_high_mm3": fit.slope + half, "t": fit.slope / fit.stderr, "df": 29, "p": fit.pvalue}
        row |= {"p_fdr": min(1.0, 2 * fit.pvalue), "partial_r": fit.rvalue}
        r_low, r_high = np.tanh(np.arctanh(fit.rvalue) + np.array([-1, 1]) * 1.96 / np.sqrt(28))
        rows.append(row | {"partial_r_ci_low": r_low, "partial_r_ci_high": r_high})
    return pd.DataFrame(rows)
