"""The configuration that is written says what was guessed, whatever the table holds, and lets it be completed."""

import re
from typing import Any

import pandas as pd
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from morpho.cli.guess_roles import guess_roles
from morpho.cli.guess_scans import ScanGuess
from morpho.cli.guess_variables import guess_variables
from morpho.cli.people import People
from morpho.cli.pipeline import config_schema, merge_configs, read_default_config
from morpho.cli.study_file import Study, write_study
from morpho.config import find_violations

DEFAULTS = read_default_config()["participants"]["variables"]
NASTY = [
    "yes",
    "no",
    "null",
    "1.0",
    "01",
    "# x",
    "a: b",
    "{a",
    "[",
    "'",
    '"',
    "- a",
    "&a",
    "*a",
    "!a",
    "%",
    "ü",
    "a\u2028b",
]
CELLS = st.sampled_from(NASTY) | st.text(
    st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1, max_size=60
).filter(lambda text: text.strip() == text)


def study_of(people: People | None, scans: ScanGuess | None = None, title: str | None = None) -> Study:
    roles = {} if people is None else guess_roles(people)
    taken = [guess.column for guess in roles.values()]
    variables = guess_variables(people or People(pd.DataFrame({"participant_id": []})), taken, DEFAULTS)
    return Study("/a b", "/out: #1", title, scans or ScanGuess(), people, roles, variables)


def people_of(**columns: list[object]) -> People:
    n = len(next(iter(columns.values())))
    cells = {name: [None if value is None else str(value) for value in values] for name, values in columns.items()}
    return People(pd.DataFrame({"participant_id": [f"sub-{row}" for row in range(n)], **cells}, dtype="str"))


def whole(text: str) -> dict[str, Any]:
    return merge_configs(read_default_config(), yaml.safe_load(text))


def test_guesses_are_what_yaml_reads() -> None:
    people = people_of(Sex=["m", "f"], age=[20, 30], dx=["HC", "MDD"], BDI=[1, 20], hand=["R", "L"])
    text = write_study(study_of(people, ScanGuess({"run": 1}, "first"), "A: title"))
    assert yaml.safe_load(text) == {
        "bids_dir": "/a b",
        "output_dir": "/out: #1",
        "scans": {"filters": {"run": 1}},
        "participants": {
            "columns": {"group": "dx", "sex": "Sex", "age": "age", "site": None},
            "group_levels": {"control": ["HC"], "patient": ["MDD"]},
            "sex_levels": {"F": ["f"], "M": ["m"]},
            "severity": {"BDI": "BDI"},
            "variables": {"handedness": {"column": "hand"}},
        },
        "report": {"title": "A: title"},
    }
    assert find_violations(whole(text), config_schema()) == []


def test_cohort_without_table_has_no_block_of_participants() -> None:
    assert set(yaml.safe_load(write_study(study_of(None)))) == {"bids_dir", "output_dir"}


def test_covariates_are_those_that_the_cohort_has() -> None:
    assert yaml.safe_load(write_study(study_of(people_of(age=[20, 30]))))["models"] == {"covariates": ["age"]}
    assert yaml.safe_load(write_study(study_of(people_of(x=["a", "b"]))))["models"] == {"covariates": []}


def test_open_spelling_has_a_line_that_is_valid_when_its_mark_is_taken_away() -> None:
    people = people_of(dx=["HC", "MDD", "Bipolar II", "2"], sex=["f", "m", "f", "m"])
    text = write_study(study_of(people))
    assert "CHECK morpho refuses to run until these values of 'dx' mean something" in text
    completed = re.sub(r"^    # ((?:Bipolar_II|group_2): .*)$", r"    \1", text, flags=re.MULTILINE)
    levels = yaml.safe_load(completed)["participants"]["group_levels"]
    assert levels == {"control": ["HC"], "patient": ["MDD"], "Bipolar_II": ["Bipolar II"], "group_2": ["2"]}
    assert find_violations(whole(completed), config_schema()) == []


def test_left_over_columns_have_lines_that_are_valid_when_their_marks_are_taken_away() -> None:
    people = people_of(dx=["HC", "MDD", "HC"], group=["x", "y", "x"], IQ=[80, 90, 100])
    text = write_study(study_of(people))
    completed = re.sub(r"^(  (?:  )?)# (variables:|IQ: .*|group_column: .*)$", r"\1\2", text, flags=re.MULTILINE)
    variables = yaml.safe_load(completed)["participants"]["variables"]
    assert variables == {"IQ": {"column": "IQ"}, "group_column": {"column": "group", "levels": {}}}
    assert find_violations(whole(completed), config_schema()) == []


@settings(max_examples=25, deadline=None)
@given(st.lists(CELLS, min_size=3, max_size=3), CELLS, CELLS)
def test_no_cell_and_no_column_name_can_break_the_file(values: list[str], column: str, title: str) -> None:
    people = people_of(**{"dx": values, "sex": values[::-1], column: ["1", "2", "3"], f"{column}x": values})
    text = write_study(study_of(people, title=title))
    read = yaml.safe_load(text)
    assert set(read) <= {"bids_dir", "output_dir", "participants", "models", "report"}
    assert read["report"]["title"] == title
    assert read["participants"]["columns"]["sex"] == "sex"
    assert all(len(line) < 400 for line in text.splitlines())
