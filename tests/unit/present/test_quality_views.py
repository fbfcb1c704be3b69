"""Quality in words and tables: the worst first, what led to a flag marked, groups only where they are compared."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pandas as pd

from morpho.present.quality_groups import explain_quality, view_comparison
from morpho.present.quality_views import (
    count_verdicts,
    decision_lines,
    is_flagged,
    view_agreement,
    view_codes,
    view_metrics,
)
from morpho.present.quality_words import ADVICE, advise, metric_label, rank_scans, tell_decision, tell_reasons
from morpho.quality_metrics import FLAGS, HARD_FAILURES, METRICS


def test_scans_are_ranked_failed_flagged_passed_and_by_index(study: ModuleType) -> None:
    order = rank_scans(study.make_metrics())["scan"].tolist()
    assert order == ["sub-05", "sub-04", "sub-02", "sub-01", "sub-03", "sub-00", "sub-06_ses-2"]


def test_every_hard_failure_comes_with_advice() -> None:
    assert set(ADVICE) == set(HARD_FAILURES)
    assert advise(["not_a_brain", "a_new_code"]) == [ADVICE["not_a_brain"]]


def test_reasons_begin_with_the_meaning_and_name_metrics_in_words() -> None:
    reason = "noisy: white_matter_snr 9.3, robust z -6.2 (limit 3.5); region_volume_outlier: hippocampus L 2100 mm3"
    first, second = tell_reasons(reason)
    assert first == "Much noise: white matter snr 9.3, robust z -6.2 (limit 3.5)."
    assert second.startswith("A region's volume is far from")
    assert tell_reasons(np.nan) == []
    assert tell_reasons("something else") == ["something else"]


def test_metrics_are_labelled_with_their_units() -> None:
    labels = {name: metric_label(name) for name in METRICS}
    assert labels["brain_mask_volume_ml"] == "brain mask volume, mL"
    assert labels["noise_white_percent"] == "noise white, %"
    assert labels["hemisphere_ratio"] == "hemisphere ratio"
    assert labels["white_matter_snr"] == "white matter SNR"
    assert len(set(labels.values())) == len(METRICS)


def test_decisions_say_who_decided(study: ModuleType) -> None:
    lines = decision_lines(study.make_decisions())
    assert lines["sub-00"] == "In the statistics, as quality control decides."
    assert lines["sub-02"] == "Left out of the statistics, as people decided (AB: exclude; moved)."
    assert lines["sub-03"].endswith("decides (people were not of one mind).")
    assert lines["sub-04"] == "In the statistics, as people decided (AB: keep)."
    assert tell_decision(None) == ""


def test_a_metric_is_marked_where_its_code_and_side_are_the_flag(study: ModuleType) -> None:
    row = study.make_metrics().iloc[2].to_dict()
    assert is_flagged(row, "contrast_to_noise", 2.1)
    assert not is_flagged(row, "contrast_to_noise", 0.5)  # too high is no fault
    assert is_flagged(row, "mask_parts", 1.0)
    assert not is_flagged(row, "registration_correlation", 0.91)
    assert is_flagged(row | {"flags": "unusual_overall"}, "distance", 0.0)


def test_the_table_of_metrics_has_the_worst_first_and_links(study: ModuleType) -> None:
    view = view_metrics(study.make_metrics(), study.make_decisions(), pages={"sub-05": "scans/sub-05.html"}, link="x")
    assert [row[0].text for row in view.rows][:3] == ["sub-05", "sub-04", "sub-02"]
    assert view.rows[0][0].link == "scans/sub-05.html"
    labels = [column.label for column in view.columns]
    flagged = [label for label, cell in zip(labels, view.rows[2], strict=True) if cell.flagged]
    assert flagged == ["verdict", "contrast to noise", "mask parts"]
    decision = labels.index("decision")
    assert [row[decision].text for row in view.rows[:3]] == ["left out", "kept", "left out"]
    assert not {"tiv, mL", "TIV, mL"} & set(labels)  # nobody has it


def test_codes_are_counted_and_verdicts_too(study: ModuleType) -> None:
    metrics = study.make_metrics()
    rows = {row[0].text: (row[1].text, row[2].text) for row in view_codes(metrics).rows}
    assert rows == {
        HARD_FAILURES["not_a_brain"]: ("hard failure", "1"),
        HARD_FAILURES["registration_failed"]: ("hard failure", "1"),
        FLAGS["low_contrast"]: ("flag", "1"),
        FLAGS["mask_in_parts"]: ("flag", "1"),
    }
    assert count_verdicts(metrics).startswith("7 scans: 4 passed, 1 flagged, 2 failed.")


def test_quality_of_groups_stands_beside_the_published_slope(study: ModuleType, effects: pd.DataFrame) -> None:
    comparison = study.make_comparison()
    view = view_comparison(comparison, confidence=0.95, link="")
    assert [row[0].text for row in view.rows] == ["quality index", "contrast to noise"]
    assert view.refusals == ("ghost, %: too few people",)
    first, second, third = explain_quality(effects, comparison)
    assert "0.45" in first
    assert "0.7\N{NO-BREAK SPACE}% of grey matter per mm/min" in second
    assert "family primary" in third
    assert explain_quality(effects, None) == ()
    assert explain_quality(effects, comparison.iloc[2:])[0].startswith("The quality of the groups could not")


def test_agreement_has_kappa_or_the_reason_for_none(study: ModuleType) -> None:
    agreement = study.make_agreement()
    assert view_agreement(agreement).rows[0][3].text.startswith("0.62")
    same = agreement.assign(kappa=np.nan, reason="both say the same of all scans")
    assert view_agreement(same).rows[0][3].text == "both say the same of all scans"
