"""Scales and study variables by the names of their columns; what cannot be used is left out and told."""

import pandas as pd

from morpho.cli.guess_variables import VariableGuesses, guess_variables, suggest_entry
from morpho.cli.people import People
from morpho.cli.pipeline import read_default_config

DEFAULTS = read_default_config()["participants"]["variables"]


def people_of(**columns: list[object]) -> People:
    n = len(next(iter(columns.values())))
    cells = {name: [None if value is None else str(value) for value in values] for name, values in columns.items()}
    return People(pd.DataFrame({"participant_id": [f"sub-{row}" for row in range(n)], **cells}, dtype="str"))


def guess(people: People, *taken: str) -> VariableGuesses:
    return guess_variables(people, taken, DEFAULTS)


def test_scales_are_named_as_usual() -> None:
    guesses = guess(people_of(hdrs_17=[20, 3, 4], BDI2=[30, None, 1]))
    assert guesses.severity == {"HAMD17": "hdrs_17", "BDI-II": "BDI2"}
    assert guesses.checks == []


def test_two_columns_of_one_scale_keep_their_names_and_must_be_checked() -> None:
    guesses = guess(people_of(madrs_baseline=[20, 3, 4], madrs_total=[1, 2, 3]))
    assert guesses.severity == {"madrs_baseline": "madrs_baseline", "madrs_total": "madrs_total"}
    assert "several columns are of one scale (MADRS)" in guesses.checks[0]


def test_scale_with_text_or_nothing_is_not_used_and_told() -> None:
    guesses = guess(people_of(MADRS=["20", "3,5"], BDI=[None, None], x=[1, 2]))
    assert guesses.severity == {}
    assert ["cells that are no number" in check for check in guesses.checks] == [True, False]
    assert "(BDI) has no value" in guesses.checks[1]


def test_variables_are_recognised_under_other_names() -> None:
    guesses = guess(people_of(edu=[10, 12, 13], onset_age=[20, 30, 31], val66met=["VV", "VM", "MM"], stai=[30, 40, 50]))
    assert guesses.variables == {
        "education_years": {"column": "edu"},
        "age_onset_years": {"column": "onset_age"},
        "bdnf": {"column": "val66met"},
        "anxiety_total": {"column": "stai"},
    }


def test_default_columns_need_no_line() -> None:
    guesses = guess(people_of(bmi=[20, 21, 30], medication=["naive", "medicated", None]))
    assert guesses.by_itself == ["bmi", "medication"]
    assert guesses.variables == {}


def test_default_column_that_cannot_be_read_is_taken_away_with_the_reason() -> None:
    guesses = guess(people_of(medication=["SSRI", "none"], bmi=["20", "obese"]))
    assert guesses.variables == {"medication": None, "bmi": None}
    assert "none of naive, free, current: SSRI (1), none (1)" in guesses.why["medication"]
    assert len(guesses.checks) == 2


def test_default_column_with_another_meaning_is_taken_away() -> None:
    assert guess(people_of(state=["MDD", "HC"]), "state").variables == {"state": None}


def test_other_name_gives_way_to_the_column_of_the_default() -> None:
    guesses = guess(people_of(ctq=[30, 40, 50], ctq_total=[31, 41, 51]))
    assert (guesses.by_itself, list(guesses.unused)) == (["ctq_total"], ["ctq"])


def test_duration_in_years_is_not_taken_for_months() -> None:
    people = people_of(illness_duration=[1, 2, 3])
    assert guess(people).variables == {"illness_months": {"column": "illness_duration"}}
    in_years = People(people.raw, {"illness_duration": {"Units": "years"}})
    guesses = guess(in_years)
    assert guesses.variables == {}
    assert "seems to be in years" in guesses.checks[0]


def test_handedness_is_levels_or_a_number() -> None:
    assert guess(people_of(hand=["R", "L"])).variables == {"handedness": {"column": "hand"}}
    assert guess(people_of(Edinburgh=[100, -40, 80])).variables == {
        "handedness": {"column": "Edinburgh", "levels": None}
    }


def test_what_is_left_over_is_described_and_could_be_used() -> None:
    people = people_of(IQ=[80, 100, 120], icd=["F32.0", "F32.1", "F32.0"], note=["a", "a", "a"])
    guesses = guess(people)
    assert guesses.unused == {"IQ": "80 to 120", "icd": "F32.0 (2), F32.1 (1)", "note": "a (3)"}
    assert suggest_entry(people, "IQ") == {"column": "IQ"}
    assert suggest_entry(people, "icd") == {"column": "icd", "levels": {}}
    assert suggest_entry(people, "note") is None
