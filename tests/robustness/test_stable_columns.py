"""Pain 24: one long and one wide table with a dictionary beside each, and columns that keep their names.

Other people's scripts read these columns. Names may be added at will; one that goes, or means something else, needs a
line in CHANGELOG.md and a change here.
"""

import json
from pathlib import Path

import pandas as pd
import pytest

from morpho.infer.claims.dictionaries import CLAIM_TESTS, CLAIMS
from morpho.infer.cohort import assemble_cohort, describe_cohort, describe_volumes
from morpho.infer.dictionaries import EFFECTS, SENSITIVITY, SEVERITY
from morpho.infer.quality.dictionaries import SCAN_DECISIONS, SCAN_METRICS
from morpho.infer.sharing.dictionaries import EXPORT
from morpho.tables import read_table, write_table

KEPT = {
    "roi_volumes": (describe_volumes(), "participant_id session_id scan roi hemisphere volume_mm3"),
    "group_comparison": (
        EFFECTS,
        "family roi hemisphere contrast status reason formula head_size n_reference n_comparison n_sites "
        "mean_reference_mm3 sd_reference_mm3 mean_comparison_mm3 sd_comparison_mm3 estimate_mm3 ci_low_mm3 ci_high_mm3 "
        "percent percent_ci_low percent_ci_high se_mm3 t df p p_permutation p_familywise p_fdr p_holm family_size d g "
        "g_ci_low g_ci_high d_enigma d_enigma_se d_enigma_ci_low d_enigma_ci_high equivalence_p effect_no_head_size "
        "effect_loso_min effect_loso_max effect_unflagged",
    ),
    "severity_association": (
        SEVERITY,
        "family roi hemisphere scale status reason formula n slope_mm3_per_point t df p p_fdr family_size partial_r "
        "partial_r_ci_low partial_r_ci_high spearman_r",
    ),
    "sensitivity": (
        SENSITIVITY,
        "family roi hemisphere variant left_out status reason n effect_size estimate ci_low ci_high p",
    ),
    "claims": (CLAIMS, "claim_id claim status verdict sentence needs evidence source n_tests n_refused"),
    "claim_tests": (
        CLAIM_TESTS,
        "claim_id test family roi hemisphere status reason contrast n effect_size estimate ci_low ci_high p p_fdr "
        "verdict expected smallest_effect",
    ),
    "metrics": (SCAN_METRICS, "scan verdict hard_failures flags reason input_kind tiv_ml quality_index distance"),
    "scan_decisions": (SCAN_DECISIONS, "scan automatic_decision human_decision raters decision basis flagged"),
    "enigma_export": (EXPORT, "Structure d_icv se_icv low_ci_icv up_ci_icv n_controls n_patients pobs fdr_p"),
}


@pytest.mark.parametrize(("columns", "kept"), KEPT.values(), ids=KEPT.keys())
def test_columns_keep_their_names(columns: dict[str, object], kept: str) -> None:
    assert [name for name in kept.split() if name not in columns] == []


def test_volumes_are_there_long_and_wide_with_a_dictionary_each(tmp_path: Path) -> None:
    keys = {"participant_id": "sub-01", "session_id": "ses-1", "scan": "sub-01_ses-1"}
    rows = [("hippocampus", "L", 3000.5), ("hippocampus", "R", 3100.0), ("tiv", "whole", 1.5e6)]
    long = pd.DataFrame([{**keys, "roi": r, "hemisphere": h, "volume_mm3": v} for r, h, v in rows])
    scans = pd.DataFrame([{**keys, "folder": "sub-01/ses-1", "path": "x", "chosen": True, "reason": ""}])
    wide, _ = assemble_cohort(long, scans, None, {}, input_kinds={"sub-01_ses-1": "whole_head"})
    write_table(long, tmp_path / "roi_volumes.tsv", describe_volumes())
    write_table(wide, tmp_path / "cohort.tsv", describe_cohort(wide, {}))
    for name in ("roi_volumes", "cohort"):
        table = read_table(tmp_path / f"{name}.tsv")
        dictionary = json.loads((tmp_path / f"{name}.json").read_text(encoding="utf-8"))
        assert list(dictionary) == list(table)
        assert all(entry["Description"] for entry in dictionary.values())
        assert all(entry["Units"] == "mm^3" for column, entry in dictionary.items() if column.endswith("_mm3"))
    assert len(table) == 1
    assert table.loc[0, ["hippocampus_L_mm3", "hippocampus_R_mm3", "tiv_whole_mm3"]].tolist() == [3000.5, 3100.0, 1.5e6]
