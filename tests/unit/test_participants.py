"""participants.tsv as people write it."""

import logging
from pathlib import Path

import pandas as pd
import pytest

from morpho.errors import ParticipantsError
from morpho.participants import check_matches, list_some, read_participants

CLEAN = "participant_id\tage\tgroup\nsub-01\t30\tcontrol\nsub-02\tn/a\tdépressif\n"


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "participants.tsv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


def read(folder: Path, content: str | bytes) -> pd.DataFrame:
    raw = read_participants(write(folder, content))
    assert raw is not None
    return raw


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends_make_no_difference(
    tmp_path: Path, encoding: str, line_end: str, caplog: pytest.LogCaptureFixture
) -> None:
    raw = read(tmp_path, CLEAN.replace("\n", line_end).encode(encoding))
    assert raw.columns.tolist() == ["participant_id", "age", "group"]
    assert raw["participant_id"].tolist() == ["sub-01", "sub-02"]
    assert raw["group"].tolist() == ["control", "dépressif"]
    warned = any("Latin-1" in record.message for record in caplog.records if record.levelno == logging.WARNING)
    assert warned == (encoding == "latin-1")


def test_cells_are_unquoted_stripped_and_missing_spellings_understood(tmp_path: Path) -> None:
    missing = ["", "n/a", "NA", "N/A", "NaN", "nan", "-", ".", '""', " n/a "]
    lines = [f'"{number}"\t 1.5 \t{cell}' for number, cell in enumerate(missing)]
    raw = read(tmp_path, "participant_id\t'x y'\tz\n" + "\n".join(lines) + "\n\n\t\t\n")
    assert raw["participant_id"].tolist() == [f"sub-{number}" for number in range(len(missing))]
    assert raw["x y"].tolist() == ["1.5"] * len(missing)
    assert raw["z"].isna().all()


@pytest.mark.parametrize("value", ["0", "none", "None", "null", "missing", "999", "-1", "'"])
def test_other_cells_are_not_taken_for_missing(tmp_path: Path, value: str) -> None:
    assert read(tmp_path, f"participant_id\tz\n01\t{value}\n")["z"].tolist() == [value]


def test_participant_id_may_be_any_column_and_trailing_tabs_are_nothing(tmp_path: Path) -> None:
    raw = read(tmp_path, "age\tparticipant_id\t\n30\tsub-01\t\n40\t02\n")
    assert raw.columns.tolist() == ["participant_id", "age"]
    assert raw["participant_id"].tolist() == ["sub-01", "sub-02"]


def test_absent_file_is_a_cohort_without_table(tmp_path: Path) -> None:
    assert read_participants(tmp_path / "participants.tsv") is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "is empty"),
        ("participant_id,age\n01,30\n", "separated by commas, not by tabs"),
        ("participant_id;age\n01;30\n", "separated by semicolons"),
        ("subject\tage\n01\t30\n", "no column 'participant_id'. Columns: subject, age"),
        ("participant_id\tage\tage\n01\t30\t30\n", "several columns named age"),
        ("participant_id\t\t\tage\n01\t1\t2\t30\n", r"several columns named \(no name\)"),
        ("participant_id\tage\n01\t30\n02\n", r"has 2 columns, but line 3 \('02'\) has 1"),
        ("participant_id\tage\n01\t30\tx\n", r"line 2 \('01'\) has 3"),
        ("participant_id\tage\nn/a\t30\n", r"1 row\(s\) without participant_id"),
        ("participant_id\tage\n01\t30\nsub-01\t31\n2\t1\n2\t1\n", r"sub-01 \(2 rows\), sub-2 \(2 rows\)"),
    ],
)
def test_unusable_table_is_refused_with_the_reason(tmp_path: Path, content: str, reason: str) -> None:
    with pytest.raises(ParticipantsError, match=reason):
        read_participants(write(tmp_path, content))


def scans_of(*identifiers: str) -> pd.DataFrame:
    return pd.DataFrame({"participant_id": identifiers, "chosen": True})


def test_scanned_people_without_row_and_rows_without_scan_are_legal() -> None:
    check_matches(pd.DataFrame({"participant_id": ["sub-01", "sub-03"]}), scans_of("sub-01", "sub-02"))


def test_lost_leading_zeros_are_noticed() -> None:
    table = pd.DataFrame({"participant_id": ["sub-1", "sub-02"]})
    with pytest.raises(ParticipantsError, match=r"leading zeros or case alone: sub-01 / sub-1 \(folder / table\)"):
        check_matches(table, scans_of("sub-01", "sub-02"))


def test_ids_that_differ_by_zeros_are_two_people_if_both_were_scanned() -> None:
    check_matches(pd.DataFrame({"participant_id": ["sub-1", "sub-01"]}), scans_of("sub-1", "sub-01"))


def test_table_of_other_people_is_refused() -> None:
    with pytest.raises(ParticipantsError, match=r"No scanned participant has a row.*sub-01; in the table: sub-A"):
        check_matches(pd.DataFrame({"participant_id": ["sub-A"]}), scans_of("sub-01"))


def test_long_lists_are_cut() -> None:
    assert list_some("abc") == "a, b, c"
    assert list_some("abcdefghijkl") == "a, b, c, d, e, f, g, h, i, j and 2 more"
