"""Pains 19 and 23: what a scan is like reaches the statistics: its quality as a covariate, its voxels in change."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from morpho.infer.models import compare_groups
from morpho.infer.quality.comparison import compare_quality
from morpho.infer.quality.decisions import decide_scans
from morpho.infer.quality.sets import prepare_sets
from morpho.quality_metrics import METRICS

ROOT = Path(__file__).parents[2]
CONFIG = yaml.safe_load((ROOT / "config/config.yaml").read_text(encoding="utf-8"))
FAMILIES = {"primary": {"rois": ["hippocampus"], "hemispheres": ["mean"]}}
MODELS = CONFIG["models"] | {"families": FAMILIES, "n_permutations": 100, "head_size": "none"}
PARTICIPANTS: dict[str, Any] = {"variables": {}, "severity": {}}
N = 120


def make_tables() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Patients move more, and what moves looks smaller; the groups have the same volumes otherwise."""
    rng = np.random.default_rng(21)
    names = [f"sub-{number:03}" for number in range(N)]
    is_patient = np.arange(N) % 2 == 1
    motion = rng.standard_normal(N) + 1.5 * is_patient
    keys = {"participant_id": names, "session_id": "", "scan": names}
    facts = {"quality_index": motion, "voxel_volume_mm3": 1.0, "grey_matter_ml": rng.normal(650, 40, N)}
    metrics = pd.DataFrame({**keys, "verdict": "passed", "reason": "", **facts})
    metrics[[name for name in (*METRICS, "distance") if name not in metrics]] = 1.0
    volume = 3800 - 150 * motion + 100 * rng.standard_normal(N)
    people = {"group": np.where(is_patient, "patient", "control"), "age_years": rng.uniform(20, 60, N)}
    cohort = pd.DataFrame({**keys, **people, "sex": rng.choice(["F", "M"], N), "hippocampus_mean_mm3": volume})
    return metrics, cohort, pd.DataFrame({**keys, "chosen": True})


def test_a_difference_made_by_quality_goes_when_quality_is_a_covariate() -> None:
    metrics, cohort, scans = make_tables()
    study = prepare_sets(cohort, decide_scans(scans, cohort["scan"], metrics, None), MODELS, PARTICIPANTS).main
    result = compare_groups(study)
    assert result.effects.loc[0, "g_ci_high"] < -0.5
    variant = result.sensitivity.query("variant == 'image_quality'").iloc[0]
    assert variant["ci_low"] < 0 < variant["ci_high"]
    assert result.effects.loc[0, "effect_image_quality"] == variant["estimate"]


def test_that_the_groups_differ_in_quality_is_told_with_an_interval() -> None:
    metrics, cohort, scans = make_tables()
    study = prepare_sets(cohort, decide_scans(scans, cohort["scan"], metrics, None), MODELS, PARTICIPANTS).main
    row = compare_quality(study, metrics).set_index("metric").loc["quality_index"]
    assert row["g_ci_low"] > 1
    assert row["g_ci_low"] < row["g"] < row["g_ci_high"]


def test_voxels_of_every_visit_reach_the_analysis_of_change() -> None:
    """What change makes of them: tests/unit/infer/test_longitudinal.py."""
    metrics, cohort, scans = make_tables()
    metrics["voxel_volume_mm3"] = np.where(metrics.index < 10, 0.8, 1.0)
    study = prepare_sets(cohort, decide_scans(scans, cohort["scan"], metrics, None), MODELS, PARTICIPANTS).main
    assert (study.visits.set_index("scan")["voxel_volume_mm3"] == 0.8).sum() == 10


def test_a_cohort_from_a_table_knows_nothing_of_scans_and_lacks_the_variant() -> None:
    _, cohort, scans = make_tables()
    study = prepare_sets(cohort, decide_scans(scans, cohort["scan"], None, None), MODELS, PARTICIPANTS).main
    result = compare_groups(study)
    assert "image_quality" not in set(result.sensitivity["variant"])
    assert result.effects["effect_image_quality"].isna().all()
