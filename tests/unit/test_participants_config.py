"""Contradictions of the block `participants`."""

from typing import Any

import pytest

from morpho.participants_config import participants_problems


@pytest.fixture
def participants() -> dict[str, Any]:
    return {
        "columns": {"group": "dx", "sex": "sex", "age": "age", "site": None},
        "group_levels": {"control": ["hc"], "patient": ["mdd"]},
        "sex_levels": {"F": ["f"], "M": ["m"]},
        "severity": {"HADS-depr": "HADS-depr"},
        "variables": {},
    }


def with_variables(participants: dict[str, Any], **variables: dict[str, Any]) -> list[str]:
    return participants_problems({**participants, "variables": variables})


def test_variables_may_share_columns_with_each_other_and_with_scales(participants: dict[str, Any]) -> None:
    levels = {"first": ["F32"], "recurrent": ["F33"]}
    shared = {"ICD-10": {"column": "ICD"}, "episode": {"column": "ICD", "levels": levels}}
    assert with_variables(participants, **shared, mood={"column": "HADS-depr"}) == []


@pytest.mark.parametrize(
    ("column", "owner"),
    [
        ("dx", "participants.columns.group"),
        ("age", "participants.columns.age"),
        ("participant_id", "the participants"),
        ("session_id", "the sessions"),
    ],
)
def test_variable_takes_no_column_of_another_role(participants: dict[str, Any], column: str, owner: str) -> None:
    [problem] = with_variables(participants, state={"column": column})
    assert f"column '{column}' is given to {owner} and participants.variables.state" in problem
    assert "participants.variables.state: null takes the variable away" in problem


@pytest.mark.parametrize(
    "name",
    ["participant_id", "session_id", "scan", "group", "sex", "site", "age_years", "input_kind", "visit", "severity_BDI",
     "hippocampus_mean_mm3"],
)  # fmt: skip
def test_variable_has_no_name_of_another_column(participants: dict[str, Any], name: str) -> None:
    for entry in ({"column": "x"}, {"column": "x", "levels": {}}):
        [problem] = with_variables(participants, **{name: entry})
        assert problem.startswith(f"participants.variables.{name} has the name of another column")


def test_number_has_no_name_that_is_read_as_text(participants: dict[str, Any]) -> None:
    [problem] = with_variables(participants, stage={"column": "stage"})
    assert "participants.variables.stage has the name" in problem
    assert with_variables(participants, stage={"column": "stage", "levels": {}}) == []


def test_spelling_of_two_levels_of_a_variable_is_refused(participants: dict[str, Any]) -> None:
    levels = {"mild": ["F32.0", "Moderate"], "moderate": ["F32.1"]}
    [problem] = with_variables(participants, **{"ICD-10": {"column": "ICD", "levels": levels}})
    assert "participants.variables.ICD-10.levels: the spelling 'moderate' is given to mild and moderate" in problem


def test_level_that_means_missing_is_refused(participants: dict[str, Any]) -> None:
    [problem] = with_variables(participants, arm={"column": "arm", "levels": {"n/a": ["none"], "drug": []}})
    assert "participants.variables.arm.levels has a level 'n/a', which means missing" in problem
