"""Figures of agreement against published and hand-made values."""

import numpy as np
import pandas as pd
import pytest
from agreement import (
    bias_percent,
    compare_volumes,
    dice,
    figure,
    icc_3_1,
    overlap_rows,
    pearson,
    person_of_scan,
    rescan_percent,
)

# Shrout PE, Fleiss JL. Psychol Bull 1979;86:420-428, table 2: six targets, four judges.
SHROUT_FLEISS = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]


def test_icc_is_that_of_shrout_and_fleiss():
    assert icc_3_1(SHROUT_FLEISS) == pytest.approx(0.71, abs=0.005)


def test_icc_ignores_a_constant_difference_between_raters_and_rows_with_gaps():
    table = np.array([[1.0, 6.0], [2.0, 7.0], [4.0, 9.0], [np.nan, 3.0]])
    assert icc_3_1(table) == pytest.approx(1.0)


def test_icc_and_r_need_three_targets():
    assert np.isnan(icc_3_1([[1, 2], [3, 4]]))
    assert np.isnan(pearson([1, 2], [2, 4]))
    assert np.isnan(pearson([1, 1, 1], [1, 2, 3]))


def test_r_leaves_out_gaps():
    assert pearson([1, 2, 3, np.nan], [2, 4, 6, -50]) == pytest.approx(1.0)


def test_dice_of_half_overlap_and_of_nothing():
    assert dice([1, 1, 0, 0], [0, 1, 1, 0]) == 0.5
    assert np.isnan(dice([0, 0], [0, 0]))


def test_bias_and_rescan_difference_by_hand():
    assert bias_percent([110, 130, np.nan], [100, 100, 100]) == pytest.approx(20)
    assert rescan_percent(4000, 4040) == pytest.approx(0.99502, abs=1e-5)


def test_scans_that_pairs_connect_are_one_person():
    assert person_of_scan(["a", "b", "c", "d"], [("b", "c"), ("a", "c")]) == {"a": "a", "b": "a", "c": "a", "d": "d"}


def volumes(values):
    rows = [(scan, "hippocampus", "both", value) for scan, value in zip("abcde", values, strict=True)]
    return pd.DataFrame(rows, columns=["scan", "structure", "side", "volume_mm3"])


def test_comparison_averages_people_and_keeps_a_scan_that_failed():
    manual = volumes([100, 110, 200, 300, 400])
    # The mean of a and b is right, each of them is not; c failed.
    ours = volumes([110, 100, np.nan, 300, 400])
    table = compare_volumes("morpho", ours, manual, [("a", "b")])
    assert figure(table, "hippocampus", "r_people") == pytest.approx(1.0)
    assert figure(table, "hippocampus", "r") < 1
    assert figure(table, "hippocampus", "rescan_percent") == pytest.approx(2 * 10 / 210 * 100)
    counted = table[(table["level"] == "cohort") & (table["measure"] == "r")]["n"].item()
    assert counted == 4
    assert table[(table["name"] == "c") & (table["measure"] == "volume_mm3")]["value"].isna().all()


def test_overlap_of_both_sides_is_the_mean_of_scans_and_sides():
    table = overlap_rows("morpho", {("a", "amygdala", "L"): 0.6, ("a", "amygdala", "R"): 0.8})
    assert figure(table, "amygdala", "dice") == pytest.approx(0.7)
    assert figure(table, "amygdala", "dice", side="L") == pytest.approx(0.6)
    assert np.isnan(figure(table, "hippocampus", "dice"))
