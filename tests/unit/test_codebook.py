"""What participants.json says about codes, against how they are read."""

import json
from pathlib import Path

import pandas as pd
import pytest

from morpho.codebook import check_codebook, read_codebook
from morpho.errors import ParticipantsError

LEVELS = {
    "columns": {"group": "dx", "sex": "sex"},
    "group_levels": {"control": ["hc", "healthy control", "0"], "patient": ["mdd", "1"]},
    "sex_levels": {"F": ["female", "2"], "M": ["male", "1"]},
}
RAW = pd.DataFrame({"participant_id": ["sub-1", "sub-2", "sub-3"], "dx": ["0", "1", None], "sex": ["1", "2", "f"]})


def codebook(folder: Path, content: object) -> dict[str, dict[str, object]]:
    (folder / "participants.json").write_text(json.dumps(content), encoding="utf-8")
    return read_codebook(folder / "participants.json")


@pytest.mark.parametrize(
    "about",
    [
        {"sex": {"Levels": {"1": "female", "2": "male"}}},
        {"sex": {"Levels": {"1": {"Description": "Female"}, "2": {"Description": "Males."}}}},
    ],
)
def test_sexes_that_the_codebook_has_the_other_way_round_are_refused(tmp_path: Path, about: object) -> None:
    wanted = (
        r"(?i)1 is 'female', but .*sex_levels reads 1 as M\. Take 1 .* to F there.*2 is 'males?', but .* as F\. Take"
    )
    with pytest.raises(ParticipantsError, match=wanted):
        check_codebook(RAW, codebook(tmp_path, about), LEVELS)


def test_groups_too_and_only_codes_that_the_table_has(tmp_path: Path) -> None:
    about = codebook(tmp_path, {"dx": {"Levels": {"0": "MDD", "1": "Healthy controls", "2": "HC"}}})
    with pytest.raises(ParticipantsError, match=r"0 is 'MDD'.* reads 0 as control.* 1 is 'Healthy controls'.*patient"):
        check_codebook(RAW, about, LEVELS)
    check_codebook(RAW.assign(dx="2"), about, LEVELS)


@pytest.mark.parametrize(
    "about",
    [
        {},
        [],
        {"sex": "male is 1"},
        {"sex": {"Levels": ["male"]}},
        {"sex": {"Levels": {"1": "male", "2": "female"}}, "dx": {"Levels": {"0": "HC", "1": "MDD"}}},
        {"sex": {"Levels": {"1": "not male", "2": "see the paper"}}, "dx": {"Levels": {"0": "non-depressed"}}},
        {"sex": {"Levels": {"1": 2, "2": None}}},
    ],
)
def test_what_agrees_or_cannot_be_understood_is_let_pass(tmp_path: Path, about: object) -> None:
    check_codebook(RAW, codebook(tmp_path, about), LEVELS)


def test_a_codebook_that_is_absent_or_damaged_says_nothing(tmp_path: Path) -> None:
    assert read_codebook(tmp_path / "participants.json") == {}
    (tmp_path / "participants.json").write_bytes(b'\xff{"sex": ')
    assert read_codebook(tmp_path / "participants.json") == {}
