"""Quality control joined with statistics: a rating changes the result as it must, good scans are mostly left alone."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from morpho.infer.models import compare_groups
from morpho.infer.quality.assessment import Assessment, QualityLimits, assess_quality
from morpho.infer.quality.decisions import decide_scans
from morpho.infer.quality.sets import StudySets, prepare_sets
from morpho.qc_decisions import read_decisions
from morpho.quality_metrics import METRICS

N = 80
PLANTED_MM3, NOISE_MM3 = -250.0, 220.0
REGIONS = ("hippocampus", "amygdala", "insula", "thalamus", "putamen", "caudate")
FAULTY = "sub-017"  # a patient
SAME_FOR_ALL = ("mask_parts", "voxel_size_max_mm", "voxel_volume_mm3")
LIMITS = QualityLimits({"registration_correlation": [0.5, None]}, {}, 3.5, 4.0, 4.0)
MODELS: dict[str, Any] = {
    "reference_group": "control", "comparison_group": "patient", "covariates": ["age", "sex"], "head_size": "tiv",
    "head_size_substitute": "affine_tiv", "min_group_size": 3, "min_residual_df": 3,
    "confidence": 0.95, "n_permutations": 19, "seed": 1, "age_model": "linear",
    "smallest_effects": {"g": 0.2, "partial_r": 0.1},
    "families": {"primary": {"rois": ["hippocampus", "amygdala"], "hemispheres": ["L"]}},
}  # fmt: skip


def draw_cohort(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Draw people whose volumes follow head size, sex and age; patients have smaller hippocampi."""
    names = [f"sub-{number:03}" for number in range(n)]
    is_patient, is_man = np.arange(n) % 2 == 1, rng.random(n) < 0.5
    tiv, age = rng.normal(1.5e6, 1.2e5, n), rng.uniform(20, 60, n)
    cohort = pd.DataFrame({"participant_id": names, "session_id": "", "scan": names, "input_kind": "extracted"})
    cohort["group"] = np.where(is_patient, "patient", "control")
    cohort = cohort.assign(sex=np.where(is_man, "M", "F"), age_years=age, tiv_whole_mm3=tiv)
    expected = 3400 + 1.5e-3 * (tiv - 1.5e6) + 120 * is_man - 6 * (age - 40)
    volumes = {f"{roi}_{side}_mm3": expected + NOISE_MM3 * rng.standard_normal(n) for roi in REGIONS for side in "LR"}
    cohort = cohort.assign(**volumes)
    cohort["hippocampus_L_mm3"] += PLANTED_MM3 * is_patient
    return cohort


def draw_metrics(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Draw normal metrics with six common causes, mean 20, standard deviation 1."""
    causes = rng.standard_normal((n, 6)) @ rng.standard_normal((6, len(METRICS)))
    values = causes + 1.5 * rng.standard_normal((n, len(METRICS)))
    table = pd.DataFrame(20 + values / values.std(axis=0), columns=list(METRICS))
    names = [f"sub-{number:03}" for number in range(n)]
    return table.assign(**dict.fromkeys(SAME_FOR_ALL, 1.0), scan=names, input_kind="extracted")


def assess(cohort: pd.DataFrame, metrics: pd.DataFrame) -> Assessment:
    return assess_quality(
        metrics, cohort, cohort[["participant_id", "session_id", "scan"]].assign(chosen=True), {}, LIMITS
    )


def prepare(cohort: pd.DataFrame, assessment: Assessment, decisions: Path | None = None) -> StudySets:
    """Decide as the workflow does, with the file of the report's quality page."""
    scans = cohort[["participant_id", "session_id", "scan"]].assign(chosen=True)
    human = None if decisions is None else read_decisions(decisions, scans["scan"])
    decided = decide_scans(scans, cohort["scan"], assessment.scans, human)
    return prepare_sets(cohort, decided, MODELS, {"variables": {}, "severity": {}})


def compare(studies: StudySets) -> Mapping[str, Any]:
    """Give the row of the hippocampus."""
    return compare_groups(studies.main, studies.others).effects.set_index("roi").loc["hippocampus"].to_dict()


def rate(folder: Path, **said: str) -> Path:
    """Write what the quality page exports."""
    rows = [f"{scan.replace('_', '-')}\t{word}\tAB\tseen\t2024-03-05T14:30:00Z" for scan, word in said.items()]
    path = folder / "qc_decisions.tsv"
    path.write_text("\n".join(["scan\tdecision\trater\treason\tdate", *rows, ""]), encoding="utf-8")
    return path


@pytest.fixture
def metrics(rng: np.random.Generator) -> pd.DataFrame:
    return draw_metrics(N, rng)


@pytest.fixture
def cohort(rng: np.random.Generator) -> pd.DataFrame:
    """Make a cohort in which the hippocampus of one patient was measured to be three times as large as it is."""
    cohort = draw_cohort(N, rng)
    cohort.loc[cohort["scan"] == FAULTY, "hippocampus_L_mm3"] *= 3
    return cohort


def test_a_planted_fault_is_flagged_and_an_exclusion_fed_back_gives_the_planted_value(
    cohort: pd.DataFrame, metrics: pd.DataFrame, tmp_path: Path
) -> None:
    assessment = assess(cohort, metrics)
    verdict = assessment.scans.set_index("scan").loc[FAULTY]
    assert verdict["verdict"] == "flagged"
    assert "region_volume_outlier: hippocampus L" in verdict["reason"]
    before = compare(prepare(cohort, assessment))
    after = compare(prepare(cohort, assessment, rate(tmp_path, sub_017="exclude")))
    alone = compare_groups(prepare(cohort[cohort["scan"] != FAULTY], assessment).main).effects.set_index("roi")
    assert before["n_comparison"] - 1 == after["n_comparison"] == N / 2 - 1
    assert after["estimate_mm3"] == pytest.approx(alone.loc["hippocampus", "estimate_mm3"])
    assert abs(after["estimate_mm3"] - PLANTED_MM3) < 2 * after["se_mm3"]
    assert after["ci_high_mm3"] < 0
    assert before["estimate_mm3"] > after["estimate_mm3"] + 100
    assert before["ci_high_mm3"] > 0


def test_the_faulty_scan_is_seen_in_the_row_whatever_was_decided(
    cohort: pd.DataFrame, metrics: pd.DataFrame, tmp_path: Path
) -> None:
    """Without a rating the unflagged set tells; after it, all_scans does. Human decisions are then the main result."""
    assessment = assess(cohort, metrics)
    before = compare(prepare(cohort, assessment))
    after = compare(prepare(cohort, assessment, rate(tmp_path, sub_017="exclude")))
    assert before["effect_all_scans"] == before["g"] > before["effect_unflagged"] + 0.3
    assert np.isnan(before["effect_human"])
    assert after["effect_all_scans"] == pytest.approx(before["g"])
    numbers = [after[name] for name in ("g", "g_ci_low", "g_ci_high")]
    assert [after[f"{name}_human"] for name in ("effect", "ci_low", "ci_high")] == numbers
    assert after["n_human"] == N - 1


def test_a_hard_failure_is_out_until_somebody_keeps_it(
    cohort: pd.DataFrame, metrics: pd.DataFrame, tmp_path: Path
) -> None:
    metrics.loc[metrics["scan"] == FAULTY, "registration_correlation"] = 0.2
    assessment = assess(cohort, metrics)
    out, kept = (prepare(cohort, assessment, path) for path in (None, rate(tmp_path, sub_017="keep")))
    assert FAULTY not in set(out.main.people["scan"])
    assert FAULTY in set(kept.main.people["scan"])
    assert FAULTY not in set(kept.others["unflagged"].people["scan"])
    assert compare(out)["effect_all_scans"] == pytest.approx(compare(kept)["g"])


def test_verdicts_do_not_know_the_group(cohort: pd.DataFrame, metrics: pd.DataFrame, rng: np.random.Generator) -> None:
    """Any labels give the same verdicts and deviations, so that nobody is flagged for the planted difference."""
    shuffled = cohort.assign(group=rng.permutation(cohort["group"].to_numpy()))
    ours, theirs = assess(cohort, metrics), assess(shuffled, metrics)
    pd.testing.assert_frame_equal(ours.scans, theirs.scans)
    pd.testing.assert_frame_equal(ours.deviations, theirs.deviations)


@pytest.mark.parametrize(("n", "cohorts", "most"), [(24, 10, 0.20), (100, 3, 0.07)])
def test_of_good_scans_few_are_flagged(n: int, cohorts: int, most: float, rng: np.random.Generator) -> None:
    """Normal data without any fault, default limits: in the long run 14 % of 24 scans, 4 % of 100; none fails."""
    tables = pd.concat([assess(draw_cohort(n, rng), draw_metrics(n, rng)).scans for _ in range(cohorts)])
    assert (tables["verdict"] != "failed").all()
    assert (tables["verdict"] == "flagged").mean() < most


def test_neither_the_order_of_scans_nor_of_decisions_matters(
    cohort: pd.DataFrame, metrics: pd.DataFrame, tmp_path: Path
) -> None:
    path = rate(tmp_path, sub_017="exclude", sub_003="keep", sub_004="unsure")
    ours = prepare(cohort, assess(cohort, metrics), path)
    header, *lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([header, *reversed(lines)]), encoding="utf-8")
    turned = cohort.iloc[::-1].reset_index(drop=True)
    theirs = prepare(turned, assess(turned, metrics.iloc[::-1]), path)
    effects = [compare_groups(studies.main, studies.others).effects for studies in (ours, theirs)]
    pd.testing.assert_frame_equal(*effects, rtol=1e-7)
