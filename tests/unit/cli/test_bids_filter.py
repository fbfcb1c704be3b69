"""A filter file of other BIDS Apps becomes the block `scans`; whatever it says that is not understood is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from morpho.cli.bids_filter import read_bids_filter
from morpho.errors import CommandLineError


def write(folder: Path, content: Any) -> Path:
    path = folder / "filter.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_entities_become_filters_by_their_long_names(tmp_path: Path) -> None:
    query = {"acquisition": "mprage", "session": ["1", "ses-2"], "run": None, "inv": 2}
    expected = {"acquisition": "mprage", "session": ["1", "ses-2"], "run": None, "inversion": 2}
    assert read_bids_filter(write(tmp_path, {"t1w": query})) == {"filters": expected}


def test_people_are_chosen_by_the_other_key_of_the_block(tmp_path: Path) -> None:
    scans = read_bids_filter(write(tmp_path, {"t1w": {"subject": ["01", "02"]}}))
    assert scans == {"filters": {}, "participants": ["01", "02"]}


def test_what_every_t1w_is_anyway_says_nothing_and_other_queries_are_passed_over(tmp_path: Path) -> None:
    content = {
        "t1w": {"datatype": "anat", "suffix": "T1w", "extension": [".nii", ".nii.gz"], "acquisition": "a"},
        "bold": {"task": "rest", "nonsense": 1},
    }
    assert read_bids_filter(write(tmp_path, content)) == {"filters": {"acquisition": "a"}}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"t1w": {"acqisition": "mprage"}}, r"unknown entity 'acqisition' \(did you mean acquisition\?\)"),
        ({"T1w": {"acquisition": "mprage"}}, r"unknown query 'T1w' \(did you mean t1w\?\)"),
        ({"bold": {"task": "rest"}}, 'it has no query "t1w"'),
        ({"t1w": {"suffix": "T2w"}}, "unknown entity 'suffix'"),
        ({"t1w": {"run": "*"}}, r"run is '\*': queries are not understood"),
        ({"t1w": {"run": "Query.NONE"}}, "queries are not understood"),
        ({"t1w": {"run": True}}, "run is True: give a text"),
        ({"t1w": {"run": []}}, "run is an empty list"),
        ({"t1w": {"subject": None}}, "every scan has a participant"),
        ({"t1w": {"run": {"a": 1}}}, "run is {'a': 1}: give a text"),
        ([], "holds list, not an object"),
        ("{'t1w': 1}", "cannot be read as JSON"),
    ],
)
def test_what_is_not_understood_is_refused(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(CommandLineError, match=message):
        read_bids_filter(write(tmp_path, content))


def test_all_problems_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(CommandLineError, match=r"(?s)unknown query 'x'.*unknown entity 'y'.*run is True"):
        read_bids_filter(write(tmp_path, {"x": {}, "t1w": {"y": 1, "run": True}}))


def test_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandLineError, match=r"absent\.json' cannot be read"):
        read_bids_filter(tmp_path / "absent.json")
