"""Quality between groups: the t test of scipy, refusals, and the motion that would make a difference in volume."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from morpho.infer.design import HeadSize
from morpho.infer.quality.comparison import add_quality, compare_quality
from morpho.infer.quality.dictionaries import QUALITY_COMPARISON, QUALITY_DIFFERENCE
from morpho.infer.study import Settings, Study, build_study
from morpho.quality_metrics import METRICS
from morpho.stats.effects import correct_small_sample

SETTINGS = Settings(["age", "sex"], HeadSize("tiv_whole_mm3", ""), {}, 3, 0.95, 0, 1, {"g": 0.2})


@pytest.fixture
def study(cohort_of: Callable[[int], pd.DataFrame]) -> Study:
    return build_study(cohort_of(31), SETTINGS, reference_group="control", comparison_group="patient")[0]


@pytest.fixture
def metrics(metrics_of: Callable[[int], pd.DataFrame], rng: np.random.Generator) -> pd.DataFrame:
    return metrics_of(31).assign(quality_index=rng.standard_normal(31), distance=rng.standard_normal(31))


def test_the_difference_is_that_of_a_t_test_and_its_sign_that_of_patients_minus_controls(
    study: Study, metrics: pd.DataFrame
) -> None:
    table = compare_quality(study, metrics.sample(frac=1, random_state=1)).set_index("metric")
    assert [*table.reset_index()] == list(QUALITY_COMPARISON)
    assert list(table.index) == ["quality_index", "distance", *METRICS]
    control, patient = (metrics.loc[metrics.index % 2 == side, "blur_fwhm_mm"] for side in (0, 1))
    row = table.loc["blur_fwhm_mm"]
    assert (row["n_reference"], row["n_comparison"]) == (16, 15)
    assert row["mean_comparison"] == pytest.approx(patient.mean())
    assert row["sd_reference"] == pytest.approx(control.std())
    test = stats.ttest_ind(patient, control)
    assert row["g"] == pytest.approx(test.statistic * np.sqrt(1 / 16 + 1 / 15) * correct_small_sample(29))
    assert row["g_ci_low"] < row["g"] < row["g_ci_high"]
    assert (row["g_ci_low"] > 0 or row["g_ci_high"] < 0) == (test.pvalue < 0.05)


def test_only_scans_of_the_study_take_part_and_missing_values_are_nobodys(study: Study, metrics: pd.DataFrame) -> None:
    extra = metrics.iloc[[0]].assign(scan="sub-999", blur_fwhm_mm=1e6)
    metrics.loc[[0, 1], "blur_fwhm_mm"] = np.nan
    row = compare_quality(study, pd.concat([metrics, extra])).set_index("metric").loc["blur_fwhm_mm"]
    assert (row["n_reference"], row["n_comparison"]) == (15, 14)
    assert row["mean_reference"] < 25


def test_what_does_not_vary_or_is_unknown_is_refused_with_the_reason(study: Study, metrics: pd.DataFrame) -> None:
    metrics.loc[metrics.index % 2 == 1, "ghost_percent"] = np.nan
    table = compare_quality(study, metrics).set_index("metric")
    assert table.loc["mask_parts", "reason"] == "the metric does not vary within the groups"
    assert table.loc["ghost_percent", "reason"].startswith(
        "16 and 0 people with a value in the two groups, where config"
    )
    assert table.loc[["mask_parts", "ghost_percent"], "g"].isna().all()


def test_a_study_without_groups_is_refused_throughout(study: Study, metrics: pd.DataFrame) -> None:
    bare = Study(study.people.drop(columns="group"), study.visits, study.settings, {}, {})
    table = compare_quality(bare, metrics)
    assert set(table["status"]) == {"refused"}
    assert table["n_reference"].eq(0).all()


def test_every_row_has_the_difference_in_quality_and_grey_matter_the_motion(
    study: Study, metrics: pd.DataFrame
) -> None:
    """1.4 per cent less grey matter are 2 mm/min more motion by the published slope."""
    comparison = compare_quality(study, metrics)
    effects = pd.DataFrame(
        {"roi": ["hippocampus", "total_grey_matter", "total_white_matter"], "percent": [-1.4, 0.7, -1.4]}
    )
    added = add_quality(effects, comparison)
    assert list(added) == ["roi", "percent", *QUALITY_DIFFERENCE]
    assert added["motion_equivalent_mm_per_min"].tolist()[:2] == pytest.approx([2.0, -1.0])
    assert np.isnan(added["motion_equivalent_mm_per_min"].iloc[2])
    index = comparison.set_index("metric").loc["quality_index"]
    assert set(added["quality_g"]) == {index["g"]}
    assert set(added["quality_g_ci_high"]) == {index["g_ci_high"]}


def test_where_nothing_is_known_of_scans_quality_is_missing() -> None:
    added = add_quality(pd.DataFrame({"roi": ["amygdala"], "percent": [0.7]}), None)
    assert added["quality_g"].isna().all()
    assert added["motion_equivalent_mm_per_min"].item() == pytest.approx(-1.0)
