"""Covariates in standard names, levels and units; all doubts of a table told at once."""

import logging
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from morpho.config import drop_removed
from morpho.covariates import (
    describe_participants,
    group_by_domain,
    standardise_participants,
    text_variables,
    varying_columns,
)
from morpho.errors import ParticipantsError
from morpho.participants import read_participants

CONFIG = Path(__file__).parents[2] / "config"

SETTINGS: dict[str, Any] = {
    "columns": {"group": "group", "sex": "sex", "age": "age", "site": "site"},
    "group_levels": {"control": ["hc", "0"], "patient": ["mdd", 1]},
    "sex_levels": {"F": ["f", "female"], "M": ["m", "male"]},
    "severity": {"BDI": "bdi_total"},
    "variables": {},
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
    described = describe_participants(table, {})
    assert list(described) == table.columns.tolist()
    assert described["age_years"]["Units"] == "years"
    assert described["severity_BDI"]["Units"] == "points"


YES_NO = {"yes": ["y", "1"], "no": ["n", "0"]}
VARIABLES: dict[str, Any] = {
    "HADS-anx": {"column": "HADS anx", "unit": "points", "domain": "anxiety"},
    "severe": {"column": "ICD-10", "levels": {"yes": ["F32.2"], "no": ["F32.0", "F32.1"]}, "domain": "clinical"},
    "ICD-10": {"column": "ICD-10", "levels": {"mild": ["F32.0"], "moderate": ["F32.1"], "severe": ["F32.2"]}},
    "2nd arm": {"column": "arm", "levels": {}, "domain": "treatment"},
    "relapse": {"column": "relapse", "levels": YES_NO, "unit": None, "domain": "outcome"},
}


def test_study_variables_are_columns_of_their_own_names() -> None:
    raw = table_of(**{"ICD-10": ["f32.2", "F32.0", None], "HADS anx": ["7", None, "0"], "arm": ["B", "a", "1"]})
    table = standardise(raw, severity={}, variables=VARIABLES)
    assert table.columns.tolist() == ["participant_id", "HADS-anx", "severe", "ICD-10", "2nd arm"]
    assert table["HADS-anx"].fillna(-1).tolist() == [7.0, -1.0, 0.0]
    assert table["severe"].fillna("?").tolist() == ["yes", "no", "?"]
    assert table["ICD-10"].fillna("?").tolist() == ["severe", "mild", "?"]
    assert table["2nd arm"].tolist() == ["B", "a", "1"]


def test_variables_without_a_column_are_logged_and_absent(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        table = standardise(table_of(relapse=["Y", "0"]), severity={}, variables=VARIABLES)
    assert table["relapse"].tolist() == ["yes", "no"]
    assert "relapse; without a column: HADS-anx, severe, ICD-10, 2nd arm" in caplog.text


def test_cells_that_a_variable_cannot_hold_are_refused_with_the_way_out() -> None:
    raw = table_of(**{"HADS anx": ["7,5", "1"], "relapse": ["maybe", "n"]})
    message = problems_of(raw, severity={}, variables=VARIABLES)
    assert "'sub-01': '7,5'. Write the decimal point as '.' (or take the variable away: config" in message
    assert "no relapse of config participants.variables.relapse.levels: 'maybe' (1 x). Known are yes: y, 1;" in message
    assert "config participants.variables.relapse: null)" in message


def test_a_scale_and_a_variable_may_share_a_column() -> None:
    table = standardise(table_of(bdi_total=["3"]), variables={"mood": {"column": "bdi_total", "domain": "symptoms"}})
    assert table[["severity_BDI", "mood"]].to_numpy().tolist() == [[3.0, 3.0]]


def test_column_of_a_variable_is_not_offered_for_another_role() -> None:
    raw = table_of(age_onset=["20"])
    assert "but 'age_onset'; set the key" in problems_of(raw, severity={})
    standardise(raw, severity={}, variables={"onset": {"column": "age_onset"}})


def test_variables_are_described_with_their_units_and_levels() -> None:
    raw = table_of(**{"ICD-10": ["f32.2"], "HADS anx": ["7"], "arm": ["B"]})
    table = standardise(raw, severity={}, variables=VARIABLES)
    described = describe_participants(table, VARIABLES)
    assert list(described) == table.columns.tolist()
    assert described["HADS-anx"]["Units"] == "points"
    assert described["severe"]["Levels"] == {"yes": "yes, F32.2", "no": "no, F32.0, F32.1"}
    assert "Levels" not in described["2nd arm"]


def test_columns_are_grouped_by_domain_severity_first() -> None:
    columns = ["severity_BDI", "relapse", "HADS-anx", "ICD-10", "other"]
    expected = {"severity": ("severity_BDI",), "anxiety": ("HADS-anx",), "outcome": ("relapse",)}
    assert group_by_domain(VARIABLES, {"BDI": "x", "HAMD": "y"}, columns) == expected
    assert group_by_domain(VARIABLES, {}, []) == {}


def test_variables_with_levels_are_text() -> None:
    assert text_variables(VARIABLES) == ("severe", "ICD-10", "2nd arm", "relapse")


def test_group_and_sex_do_not_vary_over_time() -> None:
    settings = SETTINGS | {"variables": VARIABLES}
    expected = {"age", "site", "bdi_total", "HADS anx", "ICD-10", "arm", "relapse", "acq_time"}
    assert varying_columns(settings) == expected
    without = settings | {"columns": {"group": "group", "sex": "sex", "age": None, "site": None}}
    assert varying_columns(without) == expected - {"age", "site"}


def sessions_of(**columns: list[str | None]) -> pd.DataFrame:
    return table_of(**columns).assign(participant_id=["sub-01", "sub-01", "sub-02"])


def test_sessions_are_kept_and_weeks_counted_where_there_is_no_column_for_them() -> None:
    raw = sessions_of(session_id=["ses-1", "ses-2", ""], acq_time=["2024-01-01", "2024-01-22", None])
    weeks = {"weeks": {"column": "weeks"}}
    table = standardise(raw, severity={}, variables=weeks)
    assert table.columns.tolist() == ["participant_id", "session_id", "weeks"]
    assert table["weeks"].fillna(-1).tolist() == [0.0, 3.0, -1.0]
    given = standardise(raw.assign(weeks=["0", "2.5", "0"]), severity={}, variables=weeks)
    assert given["weeks"].tolist() == [0.0, 2.5, 0.0]
    assert "weeks" not in standardise(raw, severity={})
    assert "weeks" not in standardise(raw.drop(columns="session_id"), severity={}, variables=weeks)


def test_person_of_two_sexes_is_refused() -> None:
    raw = sessions_of(session_id=["ses-1", "ses-2", ""], sex=["f", "m", "f"])
    assert "rows of the same person have different sexes: sub-01." in problems_of(raw, severity={})
    table = standardise(raw.assign(sex=["f", None, "m"]), severity={})
    assert table["sex"].fillna("?").tolist() == ["F", "?", "M"]


DS002748 = """participant_id age gender group IQ_Raven ICD-10 MADRS Zung_SDS BDI HADS-anx HADS-depr MC-SDS ECR-avoid
sub-02 50 m depr 80 F32.0 n/a 47 10 n/a n/a 15 62
sub-11 25 f depr 118 F32.1 21 50 22 12 9 12 73
sub-52 33 f control 104 n/a n/a 30 1 3 2 NA .
"""


def test_configuration_of_ds002748_reads_its_columns(tmp_path: Path) -> None:
    defaults = yaml.safe_load((CONFIG / "config.yaml").read_text(encoding="utf-8"))["participants"]
    study = yaml.safe_load((CONFIG / "ds002748.yaml").read_text(encoding="utf-8"))["participants"]
    merged = {key: defaults[key] | study.get(key, {}) for key in defaults}
    anxiety = merged["variables"]["anxiety_total"] = defaults["variables"]["anxiety_total"] | {"column": "HADS-anx"}
    settings = drop_removed({"participants": merged})["participants"]
    path = tmp_path / "participants.tsv"
    path.write_text(DS002748.replace(" ", "\t"), encoding="utf-16")
    raw = read_participants(path)
    assert raw is not None
    table = standardise_participants(raw, **settings)
    assert table["group"].tolist() == ["patient", "patient", "control"]
    assert table["ICD-10"].fillna("?").tolist() == ["mild", "moderate", "?"]
    assert table["anxiety_total"].fillna(-1).tolist() == [-1.0, 12.0, 3.0]
    assert table["severity_HADS-depr"].fillna(-1).tolist() == [-1.0, 9.0, 2.0]
    assert table["ECR-avoid"].fillna(-1).tolist() == [62.0, 73.0, -1.0]
    assert {"handedness", "RRS-sum", "TAS-26", "state"}.isdisjoint(table.columns)
    domains = group_by_domain(settings["variables"], settings["severity"], table.columns)
    assert domains["severity"] == tuple(f"severity_{name}" for name in ("BDI", "Zung_SDS", "MADRS", "HADS-depr"))
    assert domains["symptoms"] == ("MC-SDS", "ECR-avoid")
    assert (domains["cognition"], domains["anxiety"]) == (("IQ_Raven",), ("anxiety_total",))
    assert anxiety["unit"] == describe_participants(table, settings["variables"])["anxiety_total"]["Units"]


def test_default_levels_understand_the_usual_spellings() -> None:
    variables = yaml.safe_load((CONFIG / "config.yaml").read_text(encoding="utf-8"))["participants"]["variables"]
    raw = table_of(
        **{
            "5-HTTLPR": ["LL", "L/S", "ss"],
            "bdnf": ["Val/Val", "AG", "Met/Met"],
            "treatment_resistant": ["TRUE", "N", "0"],
            "medication": ["drug-naive", "unmedicated", "yes"],
            "handedness": ["R", "left", "ambidextrous"],
            "treatment": ["sertraline", "1", "placebo"],
            "bmi": ["22.5", None, "31"],
        }
    )
    table = standardise(raw, severity={}, variables=variables)
    assert table["httlpr"].tolist() == ["LL", "SL", "SS"]
    assert table["bdnf"].tolist() == ["VV", "VM", "MM"]
    assert table["treatment_resistant"].tolist() == ["yes", "no", "no"]
    assert table["medication"].tolist() == ["naive", "free", "current"]
    assert table["handedness"].tolist() == ["right", "left", "ambidextrous"]
    assert table["treatment"].tolist() == ["sertraline", "1", "placebo"]
    assert table["bmi"].fillna(0).tolist() == [22.5, 0.0, 31.0]
