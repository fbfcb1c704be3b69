"""Pain 1: an intracranial volume that is wrong is named, with the shipped limits, and effects are told without it."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from morpho.infer.quality.assessment import assess_quality, make_limits
from morpho.infer.quality.decisions import decide_scans
from morpho.infer.quality.sets import prepare_sets
from morpho.quality_metrics import METRICS

ROOT = Path(__file__).parents[2]
CONFIG = yaml.safe_load((ROOT / "config/config.yaml").read_text(encoding="utf-8"))
LIMITS = make_limits(CONFIG["quality"])
N = 30
WRONG = "sub-07"
# Of the scans behind the shipped limits (config.yaml gives their ranges), with a spread like theirs.
TYPICAL = {
    "brain_mask_volume_ml": (1400, 120), "grey_matter_ml": (650, 50), "white_matter_ml": (430, 40), "csf_ml": (340, 30),
    "grey_to_white_ratio": (1.5, 0.05), "csf_share": (0.245, 0.01), "tiv_ml": (1400, 120), "affine_tiv_ml": (1270, 110),
    "tiv_difference_percent": (-9, 1.2), "contrast_to_noise": (4.2, 0.3), "white_to_grey_contrast": (1.45, 0.04),
    "white_matter_snr": (25, 2), "noise_white_percent": (1.6, 0.2), "noise_air_percent": (1.9, 0.1),
    "ghost_percent": (1.1, 0.1), "air_artefact_percent": (1.8, 0.2), "brain_ghost_percent": (0.5, 0.1),
    "bias_field_percent": (33, 3), "blur_fwhm_mm": (1.5, 0.1), "edge_width_mm": (2.4, 0.15),
    "laterality_score": (1, 0.15), "hemisphere_ratio": (0.98, 0.004), "mirror_correlation": (0.86, 0.01),
    "registration_correlation": (0.85, 0.01), "structure_overlap": (0.73, 0.015),
    "structure_odd_signal_percent": (3, 0.8), "hippocampus_asymmetry_percent": (5, 1.5), "asymmetry_percent": (12, 2),
    "jacobian_low": (0.38, 0.03), "jacobian_high": (2.1, 0.1),
}  # fmt: skip
FIXED = {"mask_parts": 1, "mask_holes_mm3": 0, "edge_contact_mm2": 100, "defacing_contact_mm2": 0,
         "voxel_size_max_mm": 1, "voxel_volume_mm3": 1}  # fmt: skip


def make_tables(**wrong: float) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Make metrics, cohort and scans table of ordinary whole heads, one of which has some wrong metrics."""
    rng = np.random.default_rng(11)
    names = [f"sub-{number:02}" for number in range(N)]
    metrics = pd.DataFrame({name: rng.normal(*TYPICAL[name], N) for name in METRICS if name in TYPICAL}).assign(**FIXED)
    metrics = metrics.assign(scan=names, input_kind="whole_head")
    for name, value in wrong.items():
        metrics.loc[metrics["scan"] == WRONG, name] = value
    volumes = {f"hippocampus_{side}_mm3": rng.normal(3800, 200, N) for side in ("L", "R", "mean")}
    keys = {"participant_id": names, "session_id": "", "scan": names}
    cohort = pd.DataFrame(
        {**keys, "input_kind": "whole_head", "group": np.where(np.arange(N) % 2, "patient", "control"),
         "age_years": rng.uniform(20, 45, N), "sex": rng.choice(["F", "M"], N), **volumes,
         "tiv_whole_mm3": 1000 * metrics["tiv_ml"], "affine_tiv_whole_mm3": 1000 * metrics["affine_tiv_ml"]}
    )  # fmt: skip
    return metrics, cohort, pd.DataFrame({**keys, "chosen": True})


def judge(**wrong: float) -> dict[str, Any]:
    """Judge the wrong scan among the others with the shipped limits."""
    metrics, cohort, scans = make_tables(**wrong)
    return assess_quality(metrics, cohort, scans, {}, LIMITS).scans.set_index("scan").loc[WRONG].to_dict()


def test_all_metrics_of_an_ordinary_scan_are_described_here() -> None:
    assert set(TYPICAL) | set(FIXED) == set(METRICS)
    assert judge()["verdict"] == "passed", judge()["reason"]


@pytest.mark.parametrize(
    ("wrong", "code", "said"),
    [
        ({"tiv_ml": 850.0}, "implausible_tiv", "below 900"),
        ({"tiv_ml": 2150.0}, "implausible_tiv", "above 2100"),
        ({"tiv_difference_percent": -35.0}, "tiv_estimators_differ", "below -20"),
        ({"tiv_difference_percent": 30.0}, "tiv_estimators_differ", "above 10"),
        ({"tiv_difference_percent": -2.0}, "tiv_estimators_differ", "robust z"),
        ({"csf_share": 0.31}, "unusual_tissue_volumes", "robust z"),
    ],
    ids=["small", "large", "affine far below", "affine far above", "unlike the cohort", "little brain in the skull"],
)
def test_a_wrong_intracranial_volume_is_flagged_and_stays(wrong: dict[str, float], code: str, said: str) -> None:
    row = judge(**wrong)
    assert row["verdict"] == "flagged"
    assert code in row["flags"].split(",")
    assert said in row["reason"]


def test_effects_are_told_without_the_flagged_scan() -> None:
    metrics, cohort, scans = make_tables(tiv_ml=850.0)
    assessed = assess_quality(metrics, cohort, scans, {}, LIMITS).scans
    decisions = decide_scans(scans, cohort["scan"], assessed, None)
    models = CONFIG["models"] | {"families": {"primary": {"rois": ["hippocampus"], "hemispheres": ["mean"]}}}
    sets = prepare_sets(cohort, decisions, models, {"variables": {}, "severity": {}})
    assert WRONG in set(sets.main.people["scan"])
    assert WRONG not in set(sets.others["unflagged"].people["scan"])
