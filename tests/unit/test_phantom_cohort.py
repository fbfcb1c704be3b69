"""Synthetic cohorts: the planted effects are the true differences between the simulated people."""

from dataclasses import replace

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from morpho.phantom import Person
from morpho.phantom_cohort import (
    ANISOTROPIC_SCAN,
    PlantedEffects,
    compare_planted,
    demo_scanner,
    describe_demo_participants,
    describe_truth,
    list_planted,
    simulate_participants,
)

EFFECTS = PlantedEffects(hippocampus_percent=-10.0, severity_percent_per_point=-0.5, age_percent_per_year=-0.3)
N = 40


def cohort(effects: PlantedEffects = EFFECTS, *, n: int = N, seed: int = 4) -> pd.DataFrame:
    """Simulate a cohort; one row per person, with the anatomy beside the table's columns."""
    participants, people = simulate_participants(n, effects, seed)
    return participants.assign(
        scale=[person.hippocampus_scale for person in people],
        head_scale=[person.head_scale for person in people],
        anatomy=[person.seed for person in people],
    )


def twins(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    controls, patients = (table[table["group"] == name].reset_index(drop=True) for name in ("control", "patient"))
    return controls, patients


def test_groups_are_as_large_as_asked_for_and_names_are_unique() -> None:
    table = cohort()
    assert table["group"].value_counts().to_dict() == {"control": N, "patient": N}
    assert table["participant_id"].is_unique
    assert set(table["sex"]) == {"F", "M"}
    assert table["age"].between(18, 62).all()


def test_twins_differ_by_their_group_only() -> None:
    controls, patients = twins(cohort())
    pd.testing.assert_frame_equal(*(t[["age", "sex", "head_scale", "anatomy"]] for t in (controls, patients)))


def test_difference_of_the_groups_is_the_planted_one() -> None:
    controls, patients = twins(cohort())
    assert (100 * (patients["scale"] / controls["scale"] - 1)).mean() == pytest.approx(-10.0, abs=1e-9)


def test_slope_on_severity_is_the_planted_one() -> None:
    controls, patients = twins(cohort())
    percent = 100 * (patients["scale"] / controls["scale"] - 1)
    assert np.polyfit(patients["hamd"].astype(float), percent, 1)[0] == pytest.approx(-0.5)


def test_slope_on_age_is_the_planted_one() -> None:
    controls, _ = twins(cohort(n=400))
    percent = 100 * (controls["scale"] / controls["scale"].mean() - 1)
    assert np.polyfit(controls["age"], percent, 1)[0] == pytest.approx(-0.3, abs=0.05)


def test_severity_is_known_of_patients_only() -> None:
    controls, patients = twins(cohort())
    assert controls["hamd"].isna().all()
    assert patients["hamd"].between(12, 30).all()


def test_cohort_without_effects_has_equal_twins() -> None:
    none = replace(EFFECTS, hippocampus_percent=0.0, severity_percent_per_point=0.0)
    controls, patients = twins(cohort(none))
    pd.testing.assert_series_equal(controls["scale"], patients["scale"])


def test_men_have_larger_heads() -> None:
    by_sex = cohort(n=200).groupby("sex")["head_scale"].mean()
    assert by_sex["M"] - by_sex["F"] == pytest.approx(0.04, abs=0.01)


def test_one_seed_is_one_cohort() -> None:
    pd.testing.assert_frame_equal(cohort(), cohort())
    assert cohort()["scale"].tolist() != cohort(seed=5)["scale"].tolist()


def test_phantoms_of_a_demo_can_be_made() -> None:
    assert cohort(PlantedEffects(), n=30)["scale"].between(0.3, 1).all()


def test_demo_uses_several_orientations_and_one_scan_of_thick_slices() -> None:
    scanners = [demo_scanner(number) for number in range(8)]
    assert len({scanner.axis_codes for scanner in scanners}) >= 4
    assert all(nib.orientations.axcodes2ornt(scanner.axis_codes).shape == (3, 2) for scanner in scanners)
    thick = [number for number, scanner in enumerate(scanners) if scanner.voxel_size_mm != (2.0, 2.0, 2.0)]
    assert thick == [ANISOTROPIC_SCAN]
    assert len({scanner.seed for scanner in scanners}) == 8


# --- what was planted and what was found --------------------------------------------------------------------------


@pytest.fixture
def truth() -> pd.DataFrame:
    """Truth of two people, of whom one is a patient with 0.8 of a hippocampus of 5000 mm3 per side."""
    participants = pd.DataFrame({"group": ["control", "patient"]})
    people = [Person(hippocampus_scale=0.9), Person(hippocampus_scale=0.8)]
    tables = [
        {("hippocampus", "L"): mm3, ("hippocampus", "R"): mm3, ("amygdala", "L"): 1.0} for mm3 in (9999.0, 4000.0)
    ]
    return list_planted(participants, people, tables, EFFECTS)


def test_planted_slope_is_in_cubic_millimetres(truth: pd.DataFrame) -> None:
    """0.5 % per point of 0.9 of a whole hippocampus, which has 4000 / 0.8 = 5000 mm3: 22.5 mm3 per point."""
    assert truth["planted"].tolist() == pytest.approx([-10.0, 0.0, -22.5, 0.0])
    assert truth["unit"].tolist() == ["percent", "percent", "mm3 per point", "mm3 per point"]


def test_found_effects_are_set_beside_the_planted_ones(truth: pd.DataFrame) -> None:
    keys = {"roi": ["hippocampus", "hippocampus", "amygdala"], "hemisphere": ["L", "mean", "mean"]}
    effects = pd.DataFrame(
        keys | {"percent": [9, -8, 1], "percent_ci_low": [8, -11, 0.5], "percent_ci_high": [9, -5, 2]}
    )
    slopes = {"slope_mm3_per_point": [9, -20, 3], "slope_ci_low_mm3": [8, -30, -1], "slope_ci_high_mm3": [9, -10, 7]}
    compared = compare_planted(truth, effects, pd.DataFrame(keys | slopes))
    assert compared["recovered"].tolist() == [-8, 1, -20, 3]
    assert compared["inside"].tolist() == ["yes", "no", "yes", "yes"]
    assert set(compared.columns) == set(describe_truth())


def test_table_of_participants_is_described() -> None:
    participants, _ = simulate_participants(2, EFFECTS, seed=0)
    assert set(participants.columns) == set(describe_demo_participants())
