"""Discrimination: numbers of pROC, hand arithmetic, laws and simulated coverage."""

import math
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy import special, stats

from morpho.errors import DesignError
from morpho.stats.discrimination import (
    area_under_curve,
    balanced_accuracy,
    calibration,
    compare_areas,
    correct_repeated_cv_se,
    predictive_values,
)


def read_oracle(name: str) -> pd.DataFrame:
    data = os.environ.get("MORPHO_TEST_DATA", Path(__file__).parents[3] / ".." / "shared" / "data")
    path = Path(data).parent / "oracles" / name
    if not path.exists():
        pytest.skip(f"no {name} in the folder 'oracles' beside the test data (MORPHO_TEST_DATA)")
    return pd.read_csv(path)


@pytest.mark.parametrize(
    ("marker", "expected"),
    [
        ("s100b", (0.7313685636856, 0.6301182117616, 0.8326189156097)),
        ("ndka", (0.6119579945799, 0.5012449992717, 0.7226709898882)),
        ("wfns", (0.8236788617886, 0.7485348878195, 0.8988228357578)),
    ],
)
def test_bleeding_in_the_brain_equals_r_proc(marker: str, expected: tuple[float, float, float]) -> None:
    study = read_oracle("aSAH.csv")
    area = area_under_curve(study["outcome"] == "Poor", study[marker], 0.95)
    assert (area.value, area.ci_low, area.ci_high) == pytest.approx(expected, rel=1e-11)


def test_paired_comparison_equals_r_proc() -> None:
    study = read_oracle("aSAH.csv")
    comparison = compare_areas(study["outcome"] == "Poor", study["wfns"], study["s100b"])
    assert comparison.z == pytest.approx(2.2089836, rel=1e-7)
    assert comparison.p == pytest.approx(0.02717578, rel=1e-6)
    assert comparison.difference == pytest.approx(0.8236788617886 - 0.7313685636856, rel=1e-10)


def test_area_is_the_share_of_pairs_in_order() -> None:
    rng = np.random.default_rng(1)
    y, score = np.repeat([0, 1], [8, 6]), rng.integers(0, 5, 14) * 1.0
    pairs = [(b > a) + 0.5 * (b == a) for a in score[y == 0] for b in score[y == 1]]
    assert area_under_curve(y, score, 0.95).value == pytest.approx(np.mean(pairs), rel=1e-12)


def test_area_depends_on_order_only_and_turns_with_the_sign() -> None:
    rng = np.random.default_rng(2)
    y, score = np.repeat([0, 1], 20), rng.normal(size=40)
    area, same, turned = (area_under_curve(y, values, 0.95) for values in (score, np.exp(score), -score))
    assert same == area
    assert (turned.value, turned.se) == pytest.approx((1 - area.value, area.se), rel=1e-12)


def test_complete_separation_is_an_area_of_one() -> None:
    area = area_under_curve([0, 0, 1, 1], [1.0, 2.0, 3.0, 4.0], 0.95)
    assert (area.value, area.se, area.ci_low, area.ci_high) == (1.0, 0.0, 1.0, 1.0)


def test_interval_covers_the_true_area() -> None:
    rng = np.random.default_rng(3)
    y = np.repeat([0, 1], [40, 30])
    truth = stats.norm.cdf(1 / math.sqrt(2))
    areas = [area_under_curve(y, rng.normal(size=70) + y, 0.95) for _ in range(1000)]
    assert 0.92 < np.mean([area.ci_low < truth < area.ci_high for area in areas]) < 0.97


def test_comparison_of_equal_markers_keeps_its_level() -> None:
    rng = np.random.default_rng(4)
    y = np.repeat([0, 1], 40)
    shared = rng.normal(size=(1000, 80)) + y
    a, b = shared + rng.normal(size=shared.shape), shared + rng.normal(size=shared.shape)
    p = [compare_areas(y, first, second).p for first, second in zip(a, b, strict=True)]
    assert 0.03 < np.mean(np.array(p) < 0.05) < 0.07


def test_comparison_of_a_score_with_itself_finds_nothing() -> None:
    y, score = np.repeat([0, 1], 10), np.random.default_rng(5).normal(size=20)
    same = compare_areas(y, score, 3 * score + 1)
    assert (same.difference, same.z, same.p) == (0.0, 0.0, 1.0)


def test_comparison_of_two_complete_separations_is_refused() -> None:
    score = np.arange(6.0)
    with pytest.raises(DesignError, match="areas 1 and 0 differ, but neither varies"):
        compare_areas([0, 0, 0, 1, 1, 1], score, -score)


@pytest.mark.parametrize(("y", "message"), [([0, 0, 0, 1], "1 of class 1"), ([0, 0, 1, 1, 2], "1 of neither")])
def test_classes_that_cannot_be_told_apart_are_refused(y: list[int], message: str) -> None:
    with pytest.raises(DesignError, match=message):
        area_under_curve(y, np.arange(len(y)), 0.95)


def test_missing_scores_are_refused() -> None:
    with pytest.raises(DesignError, match="1 scores are missing"):
        area_under_curve([0, 0, 1, 1], [1, np.nan, 2, 3], 0.95)


def test_balanced_accuracy_averages_both_classes() -> None:
    y = np.repeat([0, 1], [8, 2])
    assert balanced_accuracy(y, np.zeros(10)) == 0.5
    assert balanced_accuracy(y, [0, 0, 0, 0, 0, 0, 1, 1, 1, 0]) == pytest.approx((6 / 8 + 1 / 2) / 2)


def simulate_probabilities(seed: int, n: int = 40_000) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    log_odds = rng.normal(-0.5, 1, n)
    return (rng.random(n) < special.expit(log_odds)).astype(int), log_odds


def test_true_probabilities_are_calibrated() -> None:
    y, log_odds = simulate_probabilities(6)
    result = calibration(y, special.expit(log_odds))
    assert result.intercept == pytest.approx(0, abs=0.04)
    assert result.slope == pytest.approx(1, abs=0.04)
    chance = special.expit(log_odds)
    assert result.brier == pytest.approx(np.mean(chance * (1 - chance)), abs=0.003)


def test_too_extreme_probabilities_have_a_small_slope_and_too_low_ones_a_positive_intercept() -> None:
    y, log_odds = simulate_probabilities(7)
    assert calibration(y, special.expit(2 * log_odds)).slope == pytest.approx(0.5, abs=0.02)
    low = calibration(y, special.expit(log_odds - 1))
    assert (low.intercept, low.slope) == pytest.approx((1, 1), abs=0.04)


def test_brier_score_by_hand() -> None:
    result = calibration([0, 0, 1, 1], [0.2, 0.6, 0.5, 0.9])
    assert result.brier == pytest.approx((0.04 + 0.36 + 0.25 + 0.01) / 4, rel=1e-12)


@pytest.mark.parametrize(
    "chance",
    [[0.0, 0.6, 0.5, 0.9], [0.2, 0.6, 0.5, 1.0], [0.5, 0.5, 0.5, 0.5], [0.1, 0.4, 0.4, 0.8], [0.9, 0.8, 0.2, 0.1]],
)
def test_probabilities_without_a_slope_are_refused(chance: list[float]) -> None:
    with pytest.raises(DesignError, match="above 0 and below 1 that overlap"):
        calibration([0, 0, 1, 1], chance)


def test_repeated_splits_are_worth_less_than_independent_ones() -> None:
    scores = np.array([0.6, 0.7, 0.5, 0.65, 0.55])
    naive = scores.std(ddof=1) / math.sqrt(5)
    assert correct_repeated_cv_se(scores, 0.2) == pytest.approx(naive * math.sqrt(1 + 5 * 0.25), rel=1e-12)
    many = correct_repeated_cv_se(np.tile(scores, 10_000), 0.2)
    assert many == pytest.approx(scores.std() * 0.5, rel=1e-3)  # repeating does not make it vanish


@pytest.mark.parametrize(("scores", "fraction"), [([0.5], 0.2), ([0.5, np.nan], 0.2), ([0.5, 0.6], 1.0)])
def test_scores_that_have_no_corrected_error_are_refused(scores: list[float], fraction: float) -> None:
    with pytest.raises(DesignError, match="two or more finite scores"):
        correct_repeated_cv_se(scores, fraction)


def test_predictive_values_follow_the_prevalence() -> None:
    rare, common = predictive_values(0.9, 0.9, 0.01), predictive_values(0.9, 0.9, 0.5)
    assert rare.positive == pytest.approx(0.009 / (0.009 + 0.099), rel=1e-12)
    assert (common.positive, common.negative) == pytest.approx((0.9, 0.9), rel=1e-12)


def test_a_test_that_is_never_positive_has_no_positive_predictive_value() -> None:
    values = predictive_values(0.0, 1.0, 0.2)
    assert math.isnan(values.positive)
    assert values.negative == pytest.approx(0.8)


def test_percentages_are_refused() -> None:
    with pytest.raises(DesignError, match="Divide percentages by 100"):
        predictive_values(80, 90, 10)
