"""What a study of this size can say: numbers that agree with the fitted models, and sentences that say them."""

import logging
import math

import pandas as pd
import pytest
from scipy import stats

from morpho.infer.sharing.precision import PRECISION, TEXTS, describe_precision, say_precision
from morpho.infer.sharing.references import compare_with_published
from morpho.reference_data import load_recovery, load_references
from morpho.stats.effects import correlate_partially, standardise_difference
from morpho.stats.power import detect_difference


def plan_groups(**cells: object) -> pd.DataFrame:
    base = {"family": "primary", "roi": "hippocampus", "hemisphere": "mean", "contrast": "patient - control"}
    base |= {"status": "fitted", "n_reference": 64, "n_comparison": 64, "df": 126, "family_size": 8}
    return pd.DataFrame([base | cells])


def plan_slope(**cells: object) -> pd.DataFrame:
    base = {
        "roi": "amygdala",
        "hemisphere": "mean",
        "contrast": "severity",
        "n": 85,
        "df": 83,
        "effect_size": "partial_r",
    }
    return pd.DataFrame([base | cells])


def describe(rows: pd.DataFrame, **options: float) -> pd.Series:
    table = describe_precision(rows, **options)
    assert len(table) == 1
    return table.iloc[0]


def test_numbers_have_units_and_every_column_is_described() -> None:
    table = describe_precision(plan_groups())
    assert table.columns.tolist() == list(PRECISION)
    assert {name for name, entry in PRECISION.items() if "Units" in entry} == set(PRECISION) - TEXTS


def test_detectable_difference_is_that_of_the_study_and_corrected_for_the_family() -> None:
    row = describe(plan_groups())
    assert row["detectable"] == pytest.approx(0.4991, abs=1e-3)  # Cohen: 64 per group find 0.5
    assert row["detectable_family"] == pytest.approx(detect_difference(64, 64, df=126, alpha=0.05 / 8, power=0.8))
    assert row["n"] == 128


def test_half_width_is_that_of_the_interval_of_g() -> None:
    row = describe(plan_groups(expected=0.4, vif=1.3))
    interval = standardise_difference(0.0, 126, 1.3 * 2 / 64, 0.95)
    assert row["half_width_at_zero"] == pytest.approx(interval.g_ci_high)
    assert row["half_width_at_zero"] == pytest.approx(1.96 * math.sqrt(1.3 * 2 / 64), rel=0.01)
    assert row["half_width_at_expected"] > row["half_width_at_zero"]


def test_effects_of_half_a_standard_deviation_in_cohens_study() -> None:
    row = describe(plan_groups(expected=-0.5, family_size=14))
    assert row["power_at_expected"] == pytest.approx(0.8015, abs=1e-3)
    assert (row["people_needed"], row["people_needed_family"]) == (64, 115)
    assert row["power_at_expected_family"] < row["power_at_expected"]


def test_slopes_are_planned_by_fishers_z() -> None:
    row = describe(plan_slope(expected=0.3, expected_source="somebody 2020"))
    assert row["detectable"] == pytest.approx(0.3, abs=1e-3)  # Cohen: 85 people find 0.3
    assert row["people_needed"] == 85
    interval = correlate_partially(0.0, 83, 0.95)
    assert row["half_width_at_zero"] == pytest.approx(interval.ci_high)
    assert row["half_width_at_expected"] < row["half_width_at_zero"]  # a correlation is bounded
    assert row["expected_source"] == "somebody 2020"


def test_higher_confidence_and_power_ask_for_more() -> None:
    usual, strict = describe(plan_groups()), describe(plan_groups(), confidence=0.99, power=0.95, alpha=0.01)
    assert (strict[["detectable", "half_width_at_zero"]] > usual[["detectable", "half_width_at_zero"]]).all()
    assert strict["power_wanted"] == 0.95


def test_true_effects_are_divided_by_what_the_measurement_shows() -> None:
    row = describe_precision(plan_groups(), load_recovery()).iloc[0]
    assert (row["recovery_low"], row["recovery_high"]) == (0.71, 0.73)
    assert row["detectable_true_low"] == pytest.approx(row["detectable"] / 0.73)
    assert row["detectable_true_high"] == pytest.approx(row["detectable"] / 0.71)


def test_a_region_that_no_benchmark_shrank_has_no_recovery() -> None:
    row = describe_precision(plan_groups(roi="total_grey_matter"), load_recovery()).iloc[0]
    assert row[["recovery_low", "detectable_true_high"]].isna().all()
    assert "planted" not in say_precision(row.to_dict())


def test_the_family_is_counted_with_its_refused_tests() -> None:
    rows = pd.concat([plan_groups(roi=roi) for roi in ("hippocampus", "amygdala", "vmpfc")])
    rows["status"] = ["fitted", "refused", "fitted"]
    rows.loc[rows["status"] == "refused", ["n_reference", "n_comparison", "df"]] = math.nan
    table = describe_precision(rows.drop(columns="family_size"))
    assert table["family_size"].tolist() == [3, 3, 3]
    assert table["detectable"].isna().tolist() == [False, True, False]


def test_a_refused_test_is_logged_and_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        row = describe(plan_groups(status="refused"))
    assert say_precision(row.to_dict()) == ""
    assert "no precision for hippocampus (patient - control)" in caplog.text


def test_a_model_without_degrees_of_freedom_is_logged_not_raised(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert math.isnan(describe(plan_groups(n_reference=1, df=60))["detectable"])
    assert "two people in each group" in caplog.text


def test_other_effect_sizes_are_left_out() -> None:
    rows = pd.concat([plan_slope(), plan_slope(effect_size="log_odds_ratio")])
    assert describe_precision(rows)["effect_size"].tolist() == ["partial_r"]


def test_published_effects_become_the_expected_ones() -> None:
    effects = plan_groups().assign(g=0.1, g_ci_low=-0.3, g_ci_high=0.5)
    compared = compare_with_published(effects, load_references(), contrast="patient_control", age_band="adult")
    row = describe(compared)
    assert row["expected"] == -0.144
    assert row["expected_source"] == "ENIGMA-MDD, volume"
    assert row["people_needed"] == 758  # computed with statsmodels: TTestIndPower().solve_power(0.144, ...) = 757.97


def test_sentences_name_the_study_its_reach_and_what_it_would_take() -> None:
    rows = plan_groups(n_reference=21, n_comparison=51, df=67, expected=-0.144, expected_source="ENIGMA-MDD, volume")
    text = say_precision(describe_precision(rows, load_recovery()).iloc[0].to_dict())
    assert text.startswith("hippocampus (mean of left and right; patient - control): 21 and 51 people with 67 degrees")
    assert "find a true difference of 0.74 standard deviations in 80 of 100 studies" in text
    assert "when corrected for 8 tests" in text
    assert "Expected is -0.14 (ENIGMA-MDD, volume)" in text
    assert "80 times take 758 people in each group" in text
    assert "not finding it would say nothing" in text
    assert "shows 71 to 73 % of a change" in text


def test_sentences_of_a_large_study_do_not_call_it_uninformative() -> None:
    rows = plan_groups(n_reference=2000, n_comparison=2000, df=3996, expected=-0.144)
    text = say_precision(describe_precision(rows).iloc[0].to_dict())
    assert "Expected is -0.14: a study like this finds it 100 times in 100" in text
    assert "say nothing" not in text


def test_sentences_of_a_slope_have_no_standard_deviations_and_no_family_of_one() -> None:
    text = say_precision(describe_precision(plan_slope(expected=0.0)).iloc[0].to_dict())
    assert "standard deviations" not in text
    assert "corrected" not in text
    assert "more than 10,000,000 people in all" in text


def test_order_of_rows_is_kept_and_does_not_matter() -> None:
    rows = pd.concat([plan_groups(roi="amygdala", df=100), plan_groups(roi="hippocampus")], ignore_index=True)
    there, back = describe_precision(rows), describe_precision(rows[::-1])
    assert there["roi"].tolist() == ["amygdala", "hippocampus"]
    pd.testing.assert_frame_equal(there[::-1].reset_index(drop=True), back)


def test_the_interval_at_zero_covers_as_promised() -> None:
    row = describe(plan_groups(n_reference=20, n_comparison=30, df=48))
    chance = stats.t.ppf(0.975, 48) * math.sqrt(1 / 20 + 1 / 30)  # what |d| stays below in 95 of 100 null studies
    assert row["half_width_at_zero"] == pytest.approx(chance, rel=0.05)
