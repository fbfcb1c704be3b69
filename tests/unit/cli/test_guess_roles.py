"""Which column is group, sex, age or site, and what its values mean; what nothing explains stays open."""

from typing import Any

import pandas as pd
import pytest

from morpho.cli.guess_roles import count_groups, guess_roles
from morpho.cli.people import People


def people_of(about: dict[str, Any] | None = None, **columns: list[object]) -> People:
    n = len(next(iter(columns.values())))
    cells = {name: [None if value is None else str(value) for value in values] for name, values in columns.items()}
    raw = pd.DataFrame({"participant_id": [f"sub-{row}" for row in range(n)], **cells}, dtype="str")
    return People(raw, about or {})


def test_plain_table() -> None:
    people = people_of(Gender=["f", "M"], Age=[20, 30], DX=["HC", "mdd"], scanner=["A", "B"])
    roles = guess_roles(people)
    assert {role: guess.column for role, guess in roles.items()} == {
        "group": "DX", "sex": "Gender", "age": "Age", "site": "scanner",
    }  # fmt: skip
    assert roles["group"].levels == {"control": ["HC"], "patient": ["mdd"]}
    assert roles["sex"].levels == {"F": ["f"], "M": ["M"]}
    assert [guess.checks for guess in roles.values()] == [[]] * 4


def test_table_without_anything_has_no_roles() -> None:
    roles = guess_roles(people_of(x=[1, 2]))
    assert {guess.column for guess in roles.values()} == {None}
    assert all(guess.why.startswith("no column looks like") for guess in roles.values())


def test_columns_of_other_names_are_found_by_their_values() -> None:
    roles = guess_roles(people_of(a=["female", "male"], b=["patient", "control"]))
    assert (roles["sex"].column, roles["group"].column) == ("a", "b")


def test_column_named_group_gives_way_to_one_that_holds_groups() -> None:
    roles = guess_roles(people_of(group=["x", "y", "x"], diagnosis=["MDD", "HC", "HC"]))
    assert roles["group"].column == "diagnosis"


def test_two_columns_that_are_as_good_must_be_checked() -> None:
    (check,) = guess_roles(people_of(group=["MDD", "HC"], diagnosis=["MDD", "HC"]))["group"].checks
    assert "diagnosis could be it as well" in check


def test_spelling_that_nothing_explains_stays_open() -> None:
    roles = guess_roles(people_of(group=["MDD", "HC", "BD", "BD"], sex=["f", "m", "d", "f"]))
    assert roles["group"].levels == {"control": ["HC"], "patient": ["MDD"]}
    assert roles["group"].unmapped == {"BD": 2}
    assert roles["group"].say_unmapped("group") == ["group: nothing says what these values mean: BD (2)"]
    assert roles["sex"].unmapped == {"d": 1}


def test_description_explains_levels_and_counts_more_than_habits() -> None:
    about = {
        "sex": {"Levels": {"1": "female", "2": "male"}},
        "group": {"Levels": {"0": "patients with depression", "1": "healthy volunteers", "2": "bipolar patients"}},
    }
    roles = guess_roles(people_of(about, sex=[1, 2, 2], group=[0, 1, 2]))
    assert roles["sex"].levels == {"F": ["1"], "M": ["2"]}
    assert roles["group"].levels == {"control": ["1"], "patient": ["0"]}
    assert roles["group"].unmapped == {"2": 1}


def test_description_of_another_illness_outweighs_a_plain_name() -> None:
    about = {"group": {"Levels": {"depr": "bipolar depression"}}}
    roles = guess_roles(people_of(about, group=["HC", "depr"]))
    assert roles["group"].unmapped == {"depr": 1}


def test_numbers_that_are_described_are_never_taken_as_usual() -> None:
    about = {"sex": {"Levels": {"1": "see the codebook", "2": "see the codebook"}}}
    assert guess_roles(people_of(about, sex=[1, 2]))["sex"].unmapped == {"1": 1, "2": 1}


def test_numbers_without_description_are_usual_ones_and_must_be_checked() -> None:
    roles = guess_roles(people_of(sex=[1, 2], group=[0, 1]))
    assert roles["sex"].levels == {"F": ["2"], "M": ["1"]}
    assert roles["group"].levels == {"control": ["0"], "patient": ["1"]}
    assert [len(roles[role].checks) for role in ("sex", "group")] == [1, 1]


def test_unusual_numbers_stay_open() -> None:
    roles = guess_roles(people_of(sex=[0, 1], group=[1, 2]))
    assert roles["sex"].unmapped == {"0": 1, "1": 1}
    assert roles["group"].unmapped == {"1": 1, "2": 1}


def test_yes_and_no_say_who_is_a_patient() -> None:
    roles = guess_roles(people_of(sex=["f", "m"], patient=["Yes", "no"]))
    assert roles["group"].column == "patient"
    assert roles["group"].levels == {"control": ["no"], "patient": ["Yes"]}


@pytest.mark.parametrize("about", [{"age": {"Units": "months"}}, {}])
def test_ages_in_months_are_not_taken(about: dict[str, Any]) -> None:
    ages = [100, 110] if about else [300, 310]
    guess = guess_roles(people_of(about, age=ages))["age"]
    assert guess.column is None
    assert "morpho needs years" in guess.checks[0]


def test_age_of_onset_is_no_age() -> None:
    assert guess_roles(people_of(age_of_onset=[20, 30]))["age"].column is None


def test_age_with_text_is_taken_and_told() -> None:
    guess = guess_roles(people_of(age=["20", "30+"]))["age"]
    assert guess.column == "age"
    assert "morpho refuses them" in guess.checks[0]


def test_only_people_with_scans_are_counted() -> None:
    people = people_of(group=["HC", "MDD", "MDD", "HC", None])
    groups = count_groups(people, guess_roles(people)["group"], {"sub-0", "sub-1", "sub-2", "sub-4"})
    assert groups == {"control": 1, "patient": 2}
