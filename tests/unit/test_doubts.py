"""What a table says that may be meant otherwise is told with the values seen; what is clear is not spoken of."""

import logging
from typing import Any

import pandas as pd
import pytest

from morpho.covariates import standardise_participants
from morpho.doubts import find_doubts

COLUMNS = {"group": "group", "sex": "sex", "age": "age", "site": "site"}
SETTINGS: dict[str, Any] = {
    "columns": COLUMNS,
    "group_levels": {"control": ["hc", "0"], "patient": ["mdd", "1"]},
    "sex_levels": {"F": ["f", "2"], "M": ["m", "1"]},
    "severity": {"HAMD-17": "hamd"},
    "variables": {"arm": {"column": "arm", "levels": {}}, "bmi": {"column": "bmi"}},
}


def doubts_of(**columns: list[str | None]) -> list[str]:
    n_rows = len(next(iter(columns.values())))
    ids = [f"sub-{number}" for number in range(n_rows)]
    raw = pd.DataFrame({"participant_id": ids, "hamd": None, **columns}, dtype="str")
    table = standardise_participants(raw, **SETTINGS)
    return find_doubts(raw, table, columns=COLUMNS, severity=SETTINGS["severity"], variables=SETTINGS["variables"])


def test_a_clear_table_raises_no_doubt() -> None:
    columns: dict[str, list[str | None]] = {
        "group": ["hc", "hc", "hc", "mdd"],
        "sex": ["f", "m", None, "F"],
        "site": ["1", "2", None, "Nantes"],
        "hamd": [None, "0", "3", "52"],
        "arm": ["placebo", "drug", None, "noned"],
        "bmi": ["22.5", "30", "-1", None],
    }
    assert doubts_of(**columns) == []


def test_codes_are_told_with_what_they_were_taken_for() -> None:
    group, sex = doubts_of(group=["1", "0", "1", "mdd"], sex=["2", "1", None, "f"])
    assert "column 'group' holds codes: '1' was read as patient (2 x), '0' was read as control (1 x)" in group
    assert "column 'sex' holds codes: '2' was read as F (1 x), '1' was read as M (1 x)" in sex
    assert "participants.sex_levels" in sex


def test_words_for_missing_where_every_text_is_a_level() -> None:
    site, arm = doubts_of(site=["A", "Unknown", "unknown", "A"], arm=["none", "drug", "drug", "999"])
    assert site.startswith("column 'site' has 'Unknown' (1 x), 'unknown' (1 x), taken as a level of its own; write n/a")
    assert arm.startswith("column 'arm' has 'none' (1 x), '999' (1 x), taken as a level")


def test_numbers_that_stand_for_missing() -> None:
    hamd, bmi = doubts_of(hamd=["999", "12", "999"], bmi=["22", "-99", "23"])
    assert hamd == "column 'hamd' has 999 (2 x), taken as a number; write n/a if it means missing"
    assert bmi.startswith("column 'bmi' has -99 (1 x)")


def test_points_that_the_scale_cannot_have() -> None:
    high, low = doubts_of(hamd=["53", "12", "-2"])
    assert high.startswith("column 'hamd' has up to 53 points, but HAMD-17 ends at 52; is it another scale")
    assert low.startswith("column 'hamd' has -2 points of HAMD-17")


@pytest.mark.parametrize(
    ("group", "hamd", "n_doubts"),
    [
        (["hc", "hc", "hc", "mdd"], ["0", "0", "0", "20"], 1),
        (["hc", "hc", "hc", "mdd"], ["0", "1", "0", "20"], 0),
        (["hc", "hc", "mdd", "mdd"], ["0", "0", "3", "20"], 0),
        (["hc", "hc", "hc", "mdd"], ["0", "0", "0", None], 0),
        ([None, None, None, "mdd"], ["0", "0", "0", "5"], 0),
    ],
)
def test_controls_who_were_hardly_asked(group: list[str | None], hamd: list[str | None], n_doubts: int) -> None:
    doubts = doubts_of(group=group, hamd=hamd)
    assert len(doubts) == n_doubts
    assert all("is 0 for everybody of group control (3 x); write n/a" in doubt for doubt in doubts)


@pytest.mark.parametrize("name", ["BMI", "b_m_i", "Bmi"])
def test_a_variable_under_a_similar_name(name: str) -> None:
    [doubt] = doubts_of(**{name: ["22"]})
    assert doubt.startswith(f"there is no column 'bmi' (config participants.variables.bmi), but '{name}', which is not")
    assert doubts_of(**{name: ["22"], "bmi": ["23"]}) == []


def test_doubts_are_warnings_and_change_nothing(caplog: pytest.LogCaptureFixture) -> None:
    raw = pd.DataFrame({"participant_id": ["sub-1"], "hamd": ["999"], "sex": ["1"]}, dtype="str")
    table = standardise_participants(raw, **SETTINGS)
    assert table[["severity_HAMD-17", "sex"]].to_numpy().tolist() == [[999.0, "M"]]
    warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert any("column 'hamd' has 999 (1 x)" in line for line in warned)
    assert any("column 'sex' holds codes" in line for line in warned)
