"""The participants table as `morpho init` looks at it."""

import json
from pathlib import Path

import pandas as pd
import pytest

from morpho.cli.people import People, list_counts, read_people, say_n, shown


@pytest.fixture
def people() -> People:
    raw = pd.DataFrame(
        {
            "participant_id": ["sub-1", "sub-1", "sub-2", "sub-3"],
            "session_id": ["ses-1", "ses-2", "ses-1", ""],
            "group": ["a", "a", "b", "b"],
            "score": ["1", "2.5", None, "4"],
            "mixed": ["1", "x", None, None],
        },
        dtype="str",
    )
    about = {"group": {"Levels": {"A": "first", "b": {"Description": "second"}}}, "score": {"Units": "points"}}
    return People(raw, about)


def test_people_are_counted_once_whatever_their_sessions(people: People) -> None:
    assert people.n == 3
    assert people.count("group") == {"b": 2, "a": 1}
    assert people.filled("score") == 2


def test_numbers_are_those_of_a_column_that_has_no_text(people: People) -> None:
    numbers = people.numbers("score")
    assert numbers is not None
    assert numbers.tolist() == [1, 2.5, 4]
    assert people.numbers("mixed") is None


def test_descriptions_of_levels_have_either_form(people: People) -> None:
    assert people.levels("group") == {"a": "first", "b": "second"}
    assert people.levels("score") == {}


def test_sessions_tables_are_part_of_the_people(tmp_path: Path) -> None:
    (tmp_path / "sub-1").mkdir()
    (tmp_path / "sub-1" / "sub-1_sessions.tsv").write_text("session_id\thamd\nses-1\t20\nses-2\t8\n", encoding="utf-8")
    (tmp_path / "participants.tsv").write_text("participant_id\tsex\nsub-1\tf\nsub-2\tm\n", encoding="utf-8")
    people = read_people(tmp_path)
    assert people is not None
    assert people.columns == ["sex", "hamd"]
    assert people.count("hamd") == {"20": 1, "8": 1}


@pytest.mark.parametrize("text", ["{", "[1]", json.dumps({"sex": "text"})])
def test_description_that_cannot_be_used_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "participants.tsv").write_text("participant_id\tsex\nsub-1\tf\n", encoding="utf-8")
    (tmp_path / "participants.json").write_text(text, encoding="utf-8")
    people = read_people(tmp_path)
    assert people is not None
    assert (people.levels("sex"), people.describe("sex")) == ({}, "")


def test_folder_without_tables_has_no_people(tmp_path: Path) -> None:
    assert read_people(tmp_path) is None


def test_cells_in_comments_are_short_and_on_one_line() -> None:
    assert shown("a\nb\t c") == "a b c"
    assert len(shown("x" * 200)) == 40
    assert list_counts({"a": 2, "b": 1, "c": 1}, most=2) == "a (2), b (1) and 1 more"
    assert [say_n(1, "scan"), say_n(2, "scan"), say_n(2, "person", "people")] == ["1 scan", "2 scans", "2 people"]
