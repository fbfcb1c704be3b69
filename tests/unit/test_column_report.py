"""What every column was read as, with its missing cells."""

import logging
from typing import Any

import pandas as pd
import pytest

from morpho.column_names import list_uses
from morpho.column_report import COLUMN_REPORT, report_columns
from morpho.covariates import standardise_participants

SETTINGS: dict[str, Any] = {
    "columns": {"group": "dx", "sex": "sex", "age": "age", "site": None},
    "group_levels": {"control": ["hc"], "patient": ["mdd", "1"]},
    "sex_levels": {"F": ["f"], "M": ["m"]},
    "severity": {"BDI": "bdi"},
    "variables": {
        "mood": {"column": "bdi"},
        "family": {"column": "family", "levels": {}},
        "weeks": {"column": "weeks"},
        "pss": {"column": "pss"},
    },
}
RAW = {
    "dx": ["hc", "MDD", "1", "mdd"],
    "sex": ["f", None, "m", "F"],
    "age": ["30", "41.5", None, None],
    "bdi": ["0", "12", "30", None],
    "family": ["a", "b", None, "a"],
    "notes": ["x", None, None, "Anna"],
    "pss": [None] * 4,
}


def report(raw: pd.DataFrame) -> dict[str, tuple[Any, ...]]:
    table = standardise_participants(raw, **SETTINGS)
    uses = list_uses(raw, SETTINGS["columns"], SETTINGS["severity"], SETTINGS["variables"])
    found = report_columns(raw, table, uses)
    assert tuple(found.columns) == tuple(COLUMN_REPORT)
    return {f"{row[0]}:{row[1]}": tuple(row[2:]) for row in found.itertuples(index=False, name=None)}


def table_of(**columns: list[str | None]) -> pd.DataFrame:
    n_rows = len(next(iter(columns.values())))
    return pd.DataFrame({"participant_id": [f"sub-{n}" for n in range(n_rows)], **columns}, dtype="str")


def test_every_column_has_its_use_type_counts_and_content() -> None:
    assert report(table_of(**RAW)) == {
        "dx:group": ("category", 4, 0, "patient (3, as MDD, 1, mdd), control (1, as hc)"),
        "sex:sex": ("category", 3, 1, "F (2, as f, F), M (1, as m)"),
        "age:age_years": ("number", 2, 2, "30 to 41.5, median 35.75"),
        "bdi:severity_BDI": ("number", 3, 1, "0 to 30, median 12"),
        "bdi:mood": ("number", 3, 1, "0 to 30, median 12"),
        "family:family": ("category", 3, 1, "a (2), b (1)"),
        "notes:": ("not used", 2, 2, ""),
        "pss:pss": ("number", 0, 4, ""),
    }


def test_weeks_come_from_the_times_of_sessions() -> None:
    raw = table_of(session_id=["ses-1", "ses-2"], acq_time=["2024-01-01", "2024-01-15"], bdi=["1", "2"])
    raw["participant_id"] = "sub-1"
    assert report(raw)["acq_time:weeks"] == ("number", 2, 0, "0 to 2, median 1")


def test_what_was_read_is_logged_without_ids(caplog: pytest.LogCaptureFixture) -> None:
    families: list[str | None] = [f"fam-{n}" for n in range(11)]
    raw = table_of(bdi=[None] * 11, family=families, dx=["hc"] * 11)
    with caplog.at_level(logging.INFO):
        standardise_participants(raw, **SETTINGS)
    assert "column 'dx': group, category, 0 missing: control (11, as hc)" in caplog.text
    assert "column 'family': family, category, 0 missing: 11 levels" in caplog.text
    assert "fam-" not in caplog.text
    assert "sub-" not in caplog.text
