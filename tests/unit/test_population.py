"""Ages outside of those that morpho knows are told, with what to do; ages inside are not."""

import math

import pandas as pd
import pytest

from morpho.population import tell_ages, tell_sample


@pytest.mark.parametrize(("youngest", "oldest"), [(18, 50), (19.5, 44), (math.nan, math.nan)])
def test_nothing_is_said_of_ages_that_were_tried(youngest: float, oldest: float) -> None:
    assert tell_ages(youngest, oldest) == ()


def test_children_and_old_people_are_told_apart() -> None:
    (young,) = tell_ages(14, 40)
    assert young.startswith("The youngest person is 14 years old")
    assert "template: 18.5 to 43.5 years" in young
    (old,) = tell_ages(30, 71)
    assert old.startswith("The oldest person is 71 years old")
    assert "tried on real scans of people aged 19 to 50" in old
    assert len(tell_ages(14, 71)) == 2


def test_a_shared_report_tells_nobodys_age() -> None:
    assert all("14" not in line and "71" not in line for line in tell_ages(14, 71, shown=False))
    assert tell_ages(14, 40, shown=False)[0].startswith("Some are younger than 18 years")


def test_a_sample_is_told_by_the_range_of_all_its_groups() -> None:
    sample = pd.DataFrame(
        {
            "variable": ["people", "age_years", "age_years"],
            "minimum": [math.nan, 15.0, 20.0],
            "maximum": [200.0, 40, 45],
        }
    )
    assert tell_sample(sample, shown=True) == tell_ages(15, 45)
    assert tell_sample(sample.iloc[:1], shown=True) == ()
