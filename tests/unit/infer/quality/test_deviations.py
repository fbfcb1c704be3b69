"""Volumes against expectation: planted outliers are found, groups not looked at, covariates taken into account."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from morpho.infer.quality.deviations import measure_deviations
from morpho.infer.quality.dictionaries import REGION_DEVIATIONS

CohortOf = Callable[[int], pd.DataFrame]


def z_of(deviations: pd.DataFrame, roi: str = "hippocampus", side: str = "L") -> pd.Series:
    rows = deviations[(deviations["roi"] == roi) & (deviations["hemisphere"] == side)]
    return rows.set_index("scan")["z"]


def test_one_row_per_scan_and_volume_in_the_order_of_the_cohort(cohort_of: CohortOf) -> None:
    cohort = cohort_of(24)
    deviations = measure_deviations(cohort)
    assert list(deviations) == list(REGION_DEVIATIONS)
    volumes = [name for name in cohort if name.endswith("_mm3")]
    assert len(deviations) == 24 * len(volumes)
    first = deviations.iloc[: len(volumes)]
    assert set(first["scan"]) == {cohort["scan"].iloc[0]}
    assert (first["roi"] + "_" + first["hemisphere"] + "_mm3").tolist() == volumes
    assert first["volume_mm3"].tolist() == cohort.loc[0, volumes].tolist()


def test_half_an_erased_hippocampus_is_far_from_what_is_expected(cohort_of: CohortOf) -> None:
    """1700 of 3400 mm3 are 6.8 standard deviations of the residuals."""
    cohort = cohort_of(24)
    before = z_of(measure_deviations(cohort))
    cohort.loc[5, "hippocampus_L_mm3"] -= 1700
    after = z_of(measure_deviations(cohort))
    assert after["sub-005"] < -4
    others = after.index != "sub-005"
    assert np.abs(after - before)[others].max() < 1.2


def test_what_is_expected_follows_head_size_sex_and_age(cohort_of: CohortOf) -> None:
    """The planted dependence has a correlation of about 0.75 with the volume; noise alone is left in z."""
    cohort = cohort_of(200)
    deviations = measure_deviations(cohort)
    assert set(deviations.loc[deviations["roi"] == "hippocampus", "adjusted_for"]) == {"head size, sex, age"}
    assert set(deviations.loc[deviations["roi"] == "tiv", "adjusted_for"]) == {"sex, age"}
    rows = deviations[(deviations["roi"] == "amygdala") & (deviations["hemisphere"] == "R")]
    truth = (
        3400 + 2e-3 * (cohort["tiv_whole_mm3"] - 1.5e6) + 150 * (cohort["sex"] == "M") - 8 * (cohort["age_years"] - 40)
    )
    assert np.abs(rows["expected_mm3"].to_numpy() - truth.to_numpy()).mean() < 60
    assert rows["z"].std() == pytest.approx(1.0, abs=0.1)


def test_a_small_cohort_takes_fewer_covariates_and_a_tiny_one_none(cohort_of: CohortOf) -> None:
    """Five scans for each column: 10 for head size, 15 for sex; below 8 scans nothing is expected."""
    taken = {}
    for n in (7, 8, 10, 15, 20):
        rows = measure_deviations(cohort_of(n)).query("roi == 'hippocampus'")
        taken[n] = set(rows["adjusted_for"])
        assert rows["z"].notna().all() == (n >= 8)
    assert taken == {7: {""}, 8: {"nothing"}, 10: {"head size"}, 15: {"head size, sex"}, 20: {"head size, sex, age"}}


def test_nobody_is_flagged_for_a_group(cohort_of: CohortOf) -> None:
    """The column group is not read at all: names and a missing column give the same numbers."""
    cohort = cohort_of(30)
    plain = measure_deviations(cohort.drop(columns="group"))
    pd.testing.assert_frame_equal(measure_deviations(cohort), plain)
    pd.testing.assert_frame_equal(measure_deviations(cohort.assign(group="patient")), plain)


def test_the_order_of_scans_does_not_matter(cohort_of: CohortOf) -> None:
    cohort = cohort_of(26)
    shuffled = measure_deviations(cohort.sample(frac=1, random_state=3))
    both = [
        table.sort_values(["scan", "roi", "hemisphere"], ignore_index=True)
        for table in (measure_deviations(cohort), shuffled)
    ]
    pd.testing.assert_frame_equal(*both, check_exact=True)


def test_kinds_are_apart_and_the_head_size_is_one_that_all_of_a_kind_have(cohort_of: CohortOf) -> None:
    """Extracted brains have no TIV and smaller volumes; the affine estimate serves."""
    cohort = cohort_of(40)
    extracted = cohort.index >= 20
    cohort.loc[extracted, ["input_kind", "tiv_whole_mm3"]] = ["extracted", np.nan]
    cohort.loc[extracted, "hippocampus_L_mm3"] -= 1500
    deviations = measure_deviations(cohort)
    assert z_of(deviations).abs().max() < 4
    rows = deviations[deviations["scan"] == "sub-030"].set_index(["roi", "hemisphere"])
    assert rows.loc[("hippocampus", "L"), "adjusted_for"] == "head size, sex, age"
    assert np.isnan(rows.loc[("tiv", "whole"), "z"])


def test_sites_are_taken_into_account_and_unknown_values_are_in_the_middle(cohort_of: CohortOf) -> None:
    cohort = cohort_of(60).assign(site=np.repeat(["a", "b", "c"], [30, 27, 3]))
    cohort.loc[cohort["site"] == "b", "hippocampus_L_mm3"] += 2000
    cohort.loc[[0, 31], ["age_years", "sex"]] = [np.nan, None]
    deviations = measure_deviations(cohort)
    assert set(deviations.loc[deviations["roi"] == "hippocampus", "adjusted_for"]) == {"head size, sex, age, site"}
    z = z_of(deviations)
    assert z.notna().all()
    assert z.abs().max() < 4.5
    assert abs(z[(cohort["site"] == "b").to_numpy()].mean()) < 0.4


def test_a_wrong_head_size_does_not_hide_a_wrong_volume(cohort_of: CohortOf) -> None:
    cohort = cohort_of(40)
    cohort.loc[0, ["tiv_whole_mm3", "affine_tiv_whole_mm3"]] = 0.5e6
    cohort.loc[1, "amygdala_R_mm3"] -= 1800
    z = z_of(measure_deviations(cohort), "amygdala", "R")
    assert z["sub-001"] < -4
    assert z_of(measure_deviations(cohort), "tiv", "whole")["sub-000"] < -4


def test_missing_volumes_and_an_empty_cohort_are_legal(cohort_of: CohortOf) -> None:
    cohort = cohort_of(12)
    cohort.loc[2, "hippocampus_L_mm3"] = np.nan
    z = z_of(measure_deviations(cohort))
    assert z.index[z.isna()].tolist() == ["sub-002"]
    assert measure_deviations(cohort.iloc[:0]).empty
