"""Variables of the claims file are made from columns as written, and missing where a column or a value is."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from morpho.errors import ConfigError
from morpho.infer.variables import add_variables, list_missing, select_population

COURSE = {"levels": {"control": {"group": "control"}, "first": {"group": "patient", "episode": ["first", "single"]}}}


@pytest.fixture
def people() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "group": ["control", "control", "patient", "patient", "patient", "patient"],
            "episode": [np.nan, "first", "single", "first", "recurrent", np.nan],
            "age_years": [20.0, 21.0, 22.0, np.nan, 30.0, 21.0],
            "httlpr": ["LL", "SL", "SS", "LL", np.nan, "other"],
            "crp": [1.0, 0.0, np.e, -2.0, np.nan, 1.0],
            "severity_A": [np.nan, np.nan, 10.0, 20.0, 30.0, np.nan],
            "severity_B": [5.0, np.nan, 1.0, 3.0, np.nan, 5.0],
            "empty": np.nan,
        }
    )


def make(people: pd.DataFrame, recipe: dict[str, Any], **domains: tuple[str, ...]) -> pd.Series:
    return add_variables(people, {"made": recipe}, domains)["made"]


def test_levels_are_the_conditions_met_and_nothing_where_none_is(people: pd.DataFrame) -> None:
    made = make(people, COURSE)
    assert made.cat.categories.tolist() == ["control", "first"]
    assert made.astype(object).where(made.notna(), "").tolist() == ["control", "control", "first", "first", "", ""]


def test_the_first_level_that_is_met_counts(people: pd.DataFrame) -> None:
    recipe = {"levels": {"young": {"age_years": "< 22"}, "all": {"age_years": "> 0"}}}
    made = make(people, recipe).astype(object)
    assert made.where(made.notna(), "").tolist() == ["young", "young", "all", "", "all", "young"]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("log1p", [np.log(2), 0.0, np.log1p(np.e), np.nan, np.nan, np.log(2)]),
        ("log", [0.0, np.nan, 1.0, np.nan, np.nan, 0.0]),
    ],
)
def test_logarithms_are_missing_where_there_is_none(people: pd.DataFrame, kind: str, expected: list[float]) -> None:
    assert make(people, {kind: "crp"}).tolist() == pytest.approx(expected, nan_ok=True)


def test_the_logarithm_of_a_negative_duration_is_missing(people: pd.DataFrame) -> None:
    made = make(people.assign(crp=-1.0), {"log1p": "crp"})
    assert made.isna().all()


def test_scores_are_the_numbers_of_levels(people: pd.DataFrame) -> None:
    made = make(people, {"scores": {"column": "httlpr", "values": {"LL": 0, "SL": 1, "SS": 2}}})
    assert made.tolist() == pytest.approx([0, 1, 2, 0, np.nan, np.nan], nan_ok=True)


def test_a_common_scale_takes_the_first_that_a_person_has(people: pd.DataFrame) -> None:
    """Among patients A is 20 +- 10, and B (1, 3, 5) is 3 +- 2; the last patient has B alone, the control too."""
    made = make(people, {"common_scale": "severity"}, severity=("severity_A", "severity_B"))
    assert made.tolist() == pytest.approx([1.0, np.nan, -1.0, 0.0, 1.0, 1.0], nan_ok=True)


@pytest.mark.parametrize("values", [[4.0] * 6, [np.nan, np.nan, 1.0, 2.0, np.nan, np.nan]])
def test_a_scale_that_does_not_vary_or_of_two_patients_is_passed_over(
    people: pd.DataFrame, values: list[float]
) -> None:
    domains = {"severity": ("severity_A", "severity_B")}
    given = people.assign(severity_A=values)
    made = add_variables(given, {"made": {"common_scale": "severity"}}, domains)["made"]
    assert made.tolist() == pytest.approx([1.0, np.nan, -1.0, 0.0, np.nan, 1.0], nan_ok=True)


def test_without_a_usable_scale_nobody_has_a_value(people: pd.DataFrame) -> None:
    assert make(people, {"common_scale": "severity"}, severity=("empty",)).isna().all()


def test_without_groups_all_people_are_the_reference(people: pd.DataFrame) -> None:
    made = make(people.drop(columns="group"), {"common_scale": "severity"}, severity=("severity_A",))
    assert made.tolist() == pytest.approx([np.nan, np.nan, -1, 0, 1, np.nan], nan_ok=True)


def test_a_variable_whose_columns_are_absent_or_empty_is_not_made(people: pd.DataFrame) -> None:
    recipes = {
        "course": COURSE,
        "log_x": {"log": "x"},
        "log_empty": {"log1p": "empty"},
        "common": {"common_scale": "s"},
    }
    added = add_variables(people.drop(columns="episode"), recipes, {})
    assert added.columns.tolist() == people.columns.drop("episode").tolist()
    missing = [list_missing(name, people.drop(columns="episode"), recipes, {}) for name in recipes]
    assert missing == [["episode"], ["x"], ["empty"], ["a scale of domain s"]]
    assert list_missing("age_years", people, recipes, {}) == []


def test_names_and_conditions_may_have_hyphens_spaces_and_digits(people: pd.DataFrame) -> None:
    odd = people.rename(columns={"episode": "ICD-10", "crp": "2nd CRP (mg/l)"})
    recipes = {"course": {"levels": {"mild": {"ICD-10": "single"}, "other": {"ICD-10": "recurrent"}}},
               "log": {"log": "2nd CRP (mg/l)"}}  # fmt: skip
    added = add_variables(odd, recipes, {})
    assert added["course"].dropna().tolist() == ["mild", "other"]
    assert added["log"].count() == 3


@pytest.mark.parametrize(
    ("condition", "rows"),
    [
        ({}, [0, 1, 2, 3, 4, 5]),
        ({"group": "patient"}, [2, 3, 4, 5]),
        ({"group": ["patient", "control"], "age_years": "<= 21"}, [0, 1, 5]),
        ({"age_years": "> 21"}, [2, 4]),
        ({"age_years": ">= 21.5"}, [2, 4]),
        ({"crp": "< -1"}, [3]),
        ({"httlpr": "other"}, [5]),
    ],
)
def test_a_missing_cell_never_meets_a_condition(
    people: pd.DataFrame, condition: dict[str, Any], rows: list[int]
) -> None:
    assert select_population(people, condition).index.tolist() == rows


def test_recipes_that_cannot_be_read_and_names_of_columns_are_refused(people: pd.DataFrame) -> None:
    with pytest.raises(ConfigError, match=r"'made' of the claims file is .*'sqrt'.*Make it by one of: levels, log1p"):
        make(people, {"sqrt": "crp"})
    with pytest.raises(ConfigError, match="'crp' of the claims file has the name of a column"):
        add_variables(people, {"crp": {"log": "crp"}}, {})
