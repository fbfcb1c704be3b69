"""What the user sees of each participants table: the same values however it is saved, or a refusal with the way out.

A wrong level, a dropped row or a wrong number is worse than a refusal; all problems of a table come at once.
"""

import logging
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from morpho.column_names import list_uses
from morpho.column_report import report_columns
from morpho.covariates import standardise_participants
from morpho.errors import ParticipantsError
from morpho.infer.cohort import NO_SCAN, NOT_LISTED, assemble_cohort
from morpho.participants import check_matches, read_participants
from tests.cohorts.tables import (
    CLEAN,
    DOUBTFUL,
    HEADER,
    IDS,
    LATIN,
    MISSING,
    REFUSED,
    ROWS,
    SAME,
    SCANNED,
    SETTINGS,
    TRUTH,
    Refused,
    lines,
    with_column,
)


def scans_of(*people: str) -> pd.DataFrame:
    ids = people or SCANNED
    rows = {"participant_id": ids, "session_id": "", "scan": ids, "path": "x", "chosen": True, "reason": ""}
    return pd.DataFrame(rows)


def read(folder: Path, content: bytes, name: str = "participants.tsv") -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read a table as the workflow does before its first job: the cells, and what they mean."""
    (folder / name).write_bytes(content)
    raw = read_participants(folder / name, required=True)
    assert raw is not None
    table = standardise_participants(raw, **SETTINGS)
    check_matches(raw, scans_of())
    return raw, table


def values(table: pd.DataFrame) -> dict[str, list[Any]]:
    return {str(name): [None if pd.isna(cell) else cell for cell in table[name]] for name in table.columns}


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize(("name", "content"), SAME.values(), ids=SAME)
def test_however_it_is_saved_a_table_says_the_same(
    tmp_path: Path, name: str, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    _, table = read(tmp_path, content, name)
    assert values(table) == TRUTH
    assert warnings_of(caplog) == []


@pytest.mark.parametrize("refused", REFUSED.values(), ids=REFUSED)
def test_table_that_cannot_be_read_is_refused_with_cause_value_and_remedy(tmp_path: Path, refused: Refused) -> None:
    with pytest.raises(ParticipantsError) as caught:
        read(tmp_path, refused.content, refused.name)
    for words in refused.says:
        assert words in str(caught.value)


@pytest.mark.parametrize(("content", "warning"), DOUBTFUL.values(), ids=DOUBTFUL)
def test_table_that_may_mean_something_else_is_read_as_it_is_with_a_warning(
    tmp_path: Path, content: bytes, warning: str, caplog: pytest.LogCaptureFixture
) -> None:
    _, table = read(tmp_path, content)
    assert table["participant_id"].tolist() == list(SCANNED)
    assert table["age_years"].fillna(0).tolist() == [30.0, 41.5, 0.0, 25.0]
    [told] = warnings_of(caplog)
    assert warning in told


def test_latin_1_keeps_its_letters(tmp_path: Path) -> None:
    _, table = read(tmp_path, LATIN.encode("latin-1"))
    assert table["site"].tolist() == ["Köln", "Köln", "Lübeck", "Köln"]


@pytest.mark.parametrize("spelling", MISSING)
def test_missing_is_never_a_level(tmp_path: Path, spelling: str) -> None:
    """Two groups stay two groups, and the sites those that there are."""
    text = CLEAN.replace("control", spelling, 1).replace("Łódź", spelling)
    _, table = read(tmp_path, text.encode())
    assert values(table)["group"] == [None, "control", "patient", "patient"]
    assert values(table)["site"] == ["Köln", "Köln", None, "Köln"]


def test_column_that_is_half_missing_is_reported_and_costs_no_row(tmp_path: Path) -> None:
    content = with_column("bmi", "22.5", "n/a", "", "30").encode()
    raw, table = read(tmp_path, content)
    assert values(table)["bmi"] == [22.5, None, None, 30.0]
    uses = list_uses(raw, SETTINGS["columns"], SETTINGS["severity"], SETTINGS["variables"])
    report = report_columns(raw, table, uses).set_index("column")
    assert report.loc["bmi"].tolist() == ["bmi", "number", 2, 2, "22.5 to 30, median 26.25"]
    assert report["kind"].to_dict() == {
        "age": "number", "sex": "category", "group": "category", "centre": "category", "BDI": "number", "bmi": "number",
    }  # fmt: skip
    assert report["n_missing"].to_dict() == {"age": 1, "sex": 1, "group": 0, "centre": 0, "BDI": 1, "bmi": 2}


def test_people_without_scan_and_scans_without_people_are_told_and_nobody_has_two_rows(tmp_path: Path) -> None:
    rows = [("99", *row[1:]) if row[0] == "sub-02" else row for row in ROWS]
    (tmp_path / "participants.tsv").write_text(lines(*rows), encoding="utf-8")
    raw = read_participants(tmp_path / "participants.tsv")
    assert raw is not None
    scans = scans_of()
    check_matches(raw, scans)
    volumes = scans[["participant_id", "session_id", "scan"]].assign(roi="amygdala", hemisphere="L", volume_mm3=1500.0)
    kinds = dict.fromkeys(SCANNED, "whole_head")
    participants = standardise_participants(raw, **SETTINGS)
    cohort, exclusions = assemble_cohort(volumes, scans, participants, {}, input_kinds=kinds)
    assert cohort["participant_id"].tolist() == list(SCANNED)
    assert cohort["group"].fillna("?").tolist() == ["control", "?", "patient", "patient"]
    told = dict(
        zip(exclusions["participant_id"], zip(exclusions["stage"], exclusions["reason"], strict=True), strict=True)
    )
    assert told == {"sub-99": ("scans", NO_SCAN), "sub-02": ("cohort", NOT_LISTED)}


def test_severity_of_two_scales_is_kept_apart(tmp_path: Path) -> None:
    """A person has the points of the scale that was used; those of another scale are missing, not 0 and not pooled."""
    (tmp_path / "participants.tsv").write_text(with_column("MADRS", "n/a", "n/a", "n/a", "40"), encoding="utf-8")
    raw = read_participants(tmp_path / "participants.tsv")
    assert raw is not None
    table = standardise_participants(raw, **{**SETTINGS, "severity": {"BDI": "BDI", "MADRS": "MADRS"}})
    assert values(table)["severity_BDI"] == TRUTH["severity_BDI"]
    assert values(table)["severity_MADRS"] == [None, None, None, 40.0]


def test_controls_coded_zero_are_doubted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [(f"sub-{name}", "30", "F", "control", "Köln", "0") for name in ("01", "02", "05")]
    (tmp_path / "participants.tsv").write_text(lines(*rows, *ROWS[2:]), encoding="utf-8")
    raw = read_participants(tmp_path / "participants.tsv")
    assert raw is not None
    standardise_participants(raw, **SETTINGS)
    assert "column 'BDI' is 0 for everybody of group control (3 x); write n/a if they were not asked" in caplog.text


def test_the_clean_table_is_what_the_others_are_compared_with() -> None:
    assert CLEAN.splitlines()[0].split("\t") == list(HEADER)
    assert [row[0] for row in ROWS] == [f"sub-{name}" for name in IDS]
