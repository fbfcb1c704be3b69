"""Verdicts: planted faults are named, ordinary scans pass, and nothing depends on group or order."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from morpho.failures import Failure
from morpho.infer.quality.assessment import Assessment, QualityLimits, assess_quality, make_limits
from morpho.infer.quality.dictionaries import SCAN_METRICS
from morpho.quality_metrics import METRIC_FLAGS

TableOf = Callable[..., pd.DataFrame]
LIMITS = QualityLimits({"registration_correlation": [0.5, None]}, {"mask_parts": [None, 1]}, 3.5, 4.0, 4.0)


@pytest.fixture
def assess(metrics_of: TableOf, cohort_of: TableOf, scans_of: TableOf) -> Callable[..., Assessment]:
    """Judge scans of which some metrics, {metric: {scan number: value}}, are planted."""

    def run(n: int, planted: dict[str, dict[int, float]] | None = None, limits: QualityLimits = LIMITS) -> Assessment:
        metrics, cohort = metrics_of(n), cohort_of(n)
        for metric, values in (planted or {}).items():
            for number, value in values.items():
                metrics.loc[number, metric] = value
        return assess_quality(metrics, cohort, scans_of(cohort["scan"].tolist()), {}, limits)

    return run


def test_every_planted_fault_is_named_in_its_direction_only(
    metrics_of: TableOf, cohort_of: TableOf, scans_of: TableOf
) -> None:
    """30 standard deviations are too much for every metric; in a harmless direction they are no fault of that name."""
    base, cohort = metrics_of(30), cohort_of(30)
    for metric, codes in METRIC_FLAGS.items():
        for code, value in zip(codes, (-10.0, 50.0), strict=True):
            metrics = base.copy()
            metrics.loc[7, metric] = value
            row = assess_quality(
                metrics, cohort, scans_of(cohort["scan"].tolist()), {}, replace(LIMITS, hard_limits={}, limits={})
            )
            flags = row.scans.set_index("scan").loc["sub-007", "flags"].split(",")
            named = [flag for flag in flags if flag in {*codes}]
            assert named == ([code] if code else []), (metric, value)


def test_fixed_limits_fail_or_flag_and_the_reason_says_value_and_limit(assess: Callable[..., Assessment]) -> None:
    table = assess(12, {"registration_correlation": {2: 0.31}, "mask_parts": {4: 3.0}}).scans.set_index("scan")
    failed, flagged = table.loc["sub-002"], table.loc["sub-004"]
    assert (failed["verdict"], failed["hard_failures"]) == ("failed", "registration_failed")
    assert failed["reason"].startswith("registration_failed: registration_correlation 0.31 is below 0.5; ")
    assert (flagged["verdict"], flagged["hard_failures"]) == ("flagged", "")
    assert "mask_in_parts: mask_parts 3 is above 1, mask_parts 3 is high, robust z" in flagged["reason"]


def test_unusual_metrics_and_regions_are_said_with_what_they_were_compared_with(
    metrics_of: TableOf, cohort_of: TableOf, scans_of: TableOf
) -> None:
    metrics, cohort = metrics_of(24), cohort_of(24)
    metrics.loc[3, "white_matter_snr"] = 9.0
    cohort.loc[3, ["hippocampus_L_mm3", "amygdala_R_mm3"]] = [900.0, 1200.0]
    row = (
        assess_quality(metrics, cohort, scans_of(cohort["scan"].tolist()), {}, LIMITS)
        .scans.set_index("scan")
        .loc["sub-003"]
    )
    assert row["verdict"] == "flagged"
    assert {"noisy", "region_volume_outlier"} <= set(row["flags"].split(","))
    assert "noisy: white_matter_snr 9 is low, robust z -" in row["reason"]
    assert "among 24 whole heads (limit 3.5)" in row["reason"]
    regions = row["reason"].partition("region_volume_outlier: ")[2]
    assert "hippocampus L 900 mm3, expected 3" in regions
    assert "amygdala R 1200 mm3" in regions
    assert "mean" not in regions


def test_a_scan_that_was_not_measured_has_a_row_with_the_code_of_its_failure(
    metrics_of: TableOf, cohort_of: TableOf, scans_of: TableOf
) -> None:
    metrics, cohort = metrics_of(10).iloc[1:], cohort_of(10).iloc[1:]
    failures = {"sub-000": Failure("preprocess", "no brain", "logs/x.log", "not_a_brain")}
    scans = scans_of([f"sub-{number:03}" for number in range(10)])
    table = assess_quality(metrics, cohort, scans, failures, LIMITS).scans
    assert list(table) == list(SCAN_METRICS)
    row = table.set_index("scan").loc["sub-000"]
    assert (row["verdict"], row["hard_failures"]) == ("failed", "not_a_brain")
    assert row["reason"] == "not_a_brain: preprocess failed: no brain (log: logs/x.log)"
    assert np.isnan(row["quality_index"])
    assert np.isnan(row["tiv_ml"])


def test_a_few_scans_are_not_compared_and_the_reason_says_so(assess: Callable[..., Assessment]) -> None:
    table = assess(7, {"white_matter_snr": {3: 1.0}}).scans
    assert set(table["verdict"]) == {"passed"}
    assert set(table["reason"]) == {"not compared with other scans: 7 whole heads, where 8 are the least"}
    assert table[["quality_index", "distance"]].isna().all(axis=None)
    assert "noisy" in assess(8, {"white_matter_snr": {3: 1.0}}).scans["flags"].iloc[3].split(",")


def test_whole_heads_and_extracted_brains_are_compared_within_their_kind(
    metrics_of: TableOf, cohort_of: TableOf, scans_of: TableOf
) -> None:
    """Extracted brains of half the contrast are no outliers among themselves."""
    metrics, cohort = metrics_of(40), cohort_of(40)
    extracted = metrics.index >= 20
    for table in (metrics, cohort):
        table.loc[extracted, "input_kind"] = "extracted"
    metrics.loc[extracted, "contrast_to_noise"] /= 2
    table = assess_quality(metrics, cohort, scans_of(cohort["scan"].tolist()), {}, LIMITS).scans
    assert table["flags"].str.contains("low_contrast").sum() <= 2
    mixed = assess_quality(
        metrics.assign(input_kind="whole_head"), cohort, scans_of(cohort["scan"].tolist()), {}, LIMITS
    )
    assert table["quality_index"].iloc[20:].median() == pytest.approx(0.0)
    assert mixed.scans["quality_index"].iloc[20:].median() > 0.2


def test_verdicts_are_blind_to_group_and_to_the_order_of_rows(
    metrics_of: TableOf, cohort_of: TableOf, scans_of: TableOf
) -> None:
    metrics, cohort = metrics_of(25), cohort_of(25).assign(site=["a", "b"] * 12 + ["a"])
    scans = scans_of(cohort["scan"].tolist())
    result = assess_quality(metrics, cohort, scans, {}, LIMITS)
    blind = assess_quality(metrics, cohort.drop(columns="group"), scans, {}, LIMITS)
    pd.testing.assert_frame_equal(result.scans, blind.scans)
    shuffled = assess_quality(
        metrics.sample(frac=1, random_state=2), cohort.sample(frac=1, random_state=5), scans, {}, LIMITS
    )
    pd.testing.assert_frame_equal(result.scans, shuffled.scans, check_exact=True)


def test_limits_come_from_the_configuration_and_matter(assess: Callable[..., Assessment]) -> None:
    quality = {**vars(LIMITS), "decisions": None}
    assert make_limits(quality) == LIMITS
    strict = assess(24, limits=replace(LIMITS, outlier_mads=1.5, region_mads=1.0, distance_mads=0.5)).scans
    lax = assess(24, limits=replace(LIMITS, outlier_mads=50, region_mads=50, distance_mads=50)).scans
    assert (strict["verdict"] == "flagged").mean() > 0.9
    assert set(lax["verdict"]) == {"passed"}


def test_no_measured_scan_at_all_gives_verdicts_all_the_same(
    metrics_of: TableOf, cohort_of: TableOf, scans_of: TableOf
) -> None:
    failures = {"sub-000": Failure("preprocess", "broken", "log", "unreadable_image")}
    result = assess_quality(metrics_of(8).iloc[:0], cohort_of(8).iloc[:0], scans_of(["sub-000"]), failures, LIMITS)
    assert result.scans["verdict"].tolist() == ["failed"]
    assert result.deviations.empty


def test_the_share_of_flagged_scans_in_good_cohorts(assess: Callable[..., Assessment]) -> None:
    """Normal, independent metrics and volumes, default limits: in 24 scans about one in five is flagged, none fails."""
    tables = pd.concat([assess(24).scans for _ in range(8)])
    assert (tables["verdict"] != "failed").all()
    assert 0.03 < (tables["verdict"] == "flagged").mean() < 0.35
