"""Covariates in standard names, levels and units; all doubts of a table told at once."""

import logging
from typing import Any

import pandas as pd
import pytest

from morpho.covariates import describe_participants, standardise_participants
from morpho.errors import ParticipantsError

SETTINGS: dict[str, Any] = {
    "columns": {"group": "group", "sex": "sex", "age": "age", "site": "site"},
    "group_levels": {"control": ["hc", "0"], "patient": ["mdd", 1]},
    "sex_levels": {"F": ["f", "female"], "M": ["m", "male"]},
    "severity": {"BDI": "bdi_total"},
}


def table_of(**columns: list[str | None]) -> pd.DataFrame:
    n_rows = len(next(iter(columns.values())))
    ids = [f"sub-{number:02d}" for number in range(1, n_rows + 1)]
    return pd.DataFrame({"participant_id": ids, **columns}, dtype="str")


def standardise(raw: pd.DataFrame, **changes: Any) -> pd.DataFrame:
    return standardise_participants(raw, **{**SETTINGS, **changes})


def problems_of(raw: pd.DataFrame, **changes: Any) -> str:
    with pytest.raises(ParticipantsError) as caught:
        standardise(raw, **changes)
    return str(caught.value)


def test_levels_numbers_and_missing_cells() -> None:
    raw = table_of(
        group=["HC", "mdd", "1", None, "Control"],
        sex=["F", "Male", None, "m", "female"],
        age=["30", "41.5", None, "0", "120"],
        site=["1", "2", "1", None, "2"],
        bdi_total=["0", "12", "3e1", None, "-1"],
    )
    table = standardise(raw)
    assert table.columns.tolist() == ["participant_id", "group", "sex", "age_years", "site", "severity_BDI"]
    assert table["group"].tolist()[:3] == ["control", "patient", "patient"]
    assert table["group"].isna().tolist() == [False, False, False, True, False]
    assert table["sex"].fillna("?").tolist() == ["F", "M", "?", "M", "F"]
    assert table["age_years"].fillna(-1).tolist() == [30.0, 41.5, -1.0, 0.0, 120.0]
    assert table["severity_BDI"].fillna(-9).tolist() == [0.0, 12.0, 30.0, -9.0, -1.0]
    assert table["site"].fillna("?").tolist() == ["1", "2", "1", "?", "2"]


def test_columns_that_the_cohort_lacks_are_absent_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    table = standardise(table_of(handedness=["r", "l"]), severity={})
    assert table.columns.tolist() == ["participant_id"]
    warned = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert [name for name in ("group", "sex", "age", "site") if any(f"'{name}'" in line for line in warned)] == [
        "group",
        "sex",
        "age",
    ]


@pytest.mark.parametrize(
    ("role", "name"),
    [
        ("sex", "gender"), ("sex", "Sex"), ("group", "dx"), ("group", "Diagnosis"), ("group", "groups"),
        ("age", "age_at_scan"), ("age", "Age"), ("site", "scanner"), ("site", "site_id"), ("group", "case-control"),
    ],
)  # fmt: skip
def test_column_of_a_similar_name_is_never_lost_silently(role: str, name: str) -> None:
    raw = table_of(**{name: ["1", "1"]})
    message = problems_of(raw, severity={})
    assert f"no column '{role}' (config participants.columns.{role}), but '{name}'; set the key" in message
    without = SETTINGS["columns"] | {role: None}
    assert standardise(raw, severity={}, columns=without).columns.tolist() == ["participant_id"]


def test_column_in_use_for_something_else_is_not_offered() -> None:
    columns = SETTINGS["columns"] | {"group": "diagnosis", "sex": None, "age": None, "site": None}
    table = standardise(table_of(diagnosis=["hc"], group=["A"]), severity={}, columns=columns)
    assert table["group"].tolist() == ["control"]


def test_values_that_are_no_level_are_listed_with_counts_and_known_spellings() -> None:
    raw = table_of(group=["hc", "bipolar", "bipolar", "mdd?"], sex=["f", "m", "x", "f"])
    message = problems_of(raw, severity={})
    assert "'bipolar' (2 x), 'mdd?' (1 x). Known are control: hc, 0; patient: mdd, 1" in message
    assert "column 'sex' has values that are no sex of config participants.sex_levels: 'x' (1 x)" in message


def test_cells_that_are_no_number_are_listed_with_their_people() -> None:
    raw = table_of(age=["30", "89+", "inf"], bdi_total=["12,5", "0x10", "7"])
    message = problems_of(raw)
    assert "column 'age' has cells that are no number: 'sub-02': '89+', 'sub-03': 'inf'. Write a number" in message
    assert "'sub-01': '12,5', 'sub-02': '0x10'. Write the decimal point as '.'" in message


def test_impossible_ages_are_listed() -> None:
    message = problems_of(table_of(age=["-1", "120.5", "999", "50"]), severity={})
    assert "ages outside 0 to 120 years: 'sub-01': -1, 'sub-02': 120.5, 'sub-03': 999" in message


def test_severity_column_must_be_there() -> None:
    message = problems_of(table_of(BDI_Total=["1"], age=["30"]))
    assert "no column 'bdi_total' (config participants.severity.BDI). Did you mean BDI_Total?" in message
    assert "Columns: participant_id, BDI_Total, age" in message


def test_all_problems_come_in_one_error() -> None:
    message = problems_of(table_of(gender=["f"], group=["x"], age=["old"]))
    assert message.count("\n- ") == 4


def test_order_of_rows_makes_no_difference() -> None:
    raw = table_of(group=["hc", "mdd", None], sex=["f", "m", "f"], age=["1", "2", "3"], bdi_total=["4", "5", "6"])
    shuffled = standardise(raw.iloc[[2, 0, 1]]).set_index("participant_id").sort_index()
    pd.testing.assert_frame_equal(shuffled, standardise(raw).set_index("participant_id"))


def test_every_column_is_described() -> None:
    table = standardise(table_of(group=["hc"], sex=["f"], age=["1"], site=["a"], bdi_total=["4"]))
    described = describe_participants(table)
    assert list(described) == table.columns.tolist()
    assert described["age_years"]["Units"] == "years"
    assert described["severity_BDI"]["Units"] == "points"
