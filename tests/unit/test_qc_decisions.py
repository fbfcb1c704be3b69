"""Decisions about scans are read as people write them, and refused with all their problems at once."""

import re
from pathlib import Path

import pandas as pd
import pytest

from morpho.errors import DecisionsError
from morpho.qc_decisions import COLUMNS, UNNAMED, read_decisions

SCANS = ["sub-01", "sub-02", "sub-03_ses-1"]
HEADER = "\t".join(COLUMNS)


def write(folder: Path, *lines: str, encoding: str = "utf-8", newline: str = "\n") -> Path:
    path = folder / "qc_decisions.tsv"
    path.write_bytes(newline.join([HEADER, *lines, ""]).encode(encoding))
    return path


def test_the_table_of_a_spreadsheet_is_read(tmp_path: Path) -> None:
    """Byte-order mark, Windows line ends, quotes, capitals, an id without prefix, columns of its own."""
    lines = ['"sub-01"\tKeep\tAB\t"a ""b"""\t2024-03-05', "02\tEXCLUDE\tÄÖ\tn/a\t2024-03-05T14:30:00Z"]
    table = read_decisions(write(tmp_path, *lines, encoding="utf-8-sig", newline="\r\n"), SCANS)
    assert list(table) == list(COLUMNS)
    assert table["scan"].tolist() == ["sub-01", "sub-02"]
    assert table["decision"].tolist() == ["keep", "exclude"]
    assert table["rater"].tolist() == ["AB", "ÄÖ"]
    assert table["reason"].tolist() == ['a ""b""', ""]
    assert table["date"].tolist() == [pd.Timestamp("2024-03-05"), pd.Timestamp("2024-03-05 14:30")]


def test_times_of_all_zones_are_in_one_order(tmp_path: Path) -> None:
    """14:30 in Berlin's winter is 13:30 UTC."""
    lines = ["sub-01\tkeep\tA\t\t2024-01-05T14:30:00+01:00", "sub-01\tkeep\tA\t\t2024-01-05T13:31:00"]
    dates = read_decisions(write(tmp_path, *lines), SCANS)["date"]
    assert dates.tolist() == [pd.Timestamp("2024-01-05 13:30"), pd.Timestamp("2024-01-05 13:31")]


@pytest.mark.parametrize("date", ["0001-01-01T00:00:00+01:00", "9999-12-31T23:30:00-01:00"])
def test_a_time_before_or_after_all_times_is_refused(tmp_path: Path, date: str) -> None:
    """In UTC, it lies in the year 0 or 10,000."""
    with pytest.raises(DecisionsError, match=f"not ISO 8601.*sub-01: '{re.escape(date)}'"):
        read_decisions(write(tmp_path, f"sub-01\tkeep\tA\t\t{date}"), SCANS)


def test_a_header_alone_and_raters_without_name_are_legal(tmp_path: Path) -> None:
    assert read_decisions(write(tmp_path), SCANS).empty
    table = read_decisions(write(tmp_path, "sub-03_ses-1\tunsure\t\t\t2024-01-05"), SCANS)
    assert table["rater"].tolist() == [UNNAMED]


def test_two_exports_under_each_other_are_no_contradiction(tmp_path: Path) -> None:
    line = "sub-01\tkeep\tA\t\t2024-01-05T10:00:00"
    assert len(read_decisions(write(tmp_path, line, line), SCANS)) == 1


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    lines = [
        "sub-09\tkeep\tA\t\t2024-01-05",
        "sub-01\tmaybe\tA\t\t2024-01-05",
        "sub-02\tkeep\tA\t\t05.01.2024",
        "\tkeep\tA\t\t2024-01-05",
        "sub-03_ses-1\tkeep\tA\t\t2024-01-05",
        "sub-03_ses-1\texclude\tA\t\t2024-01-05",
        "sub-03_ses-1\texclude\tB\t\t2024-01-05",
        "sub-02\t\tC\t\t",
    ]
    with pytest.raises(DecisionsError, match="cannot be used") as caught:
        read_decisions(write(tmp_path, *lines), SCANS)
    message = str(caught.value)
    for part in (
        "1 line(s) without scan",
        "scans that were not found: sub-09. Found were: sub-01, sub-02, sub-03_ses-1",
        "sub-01: 'maybe', sub-02: 'n/a'",
        "sub-02: '05.01.2024', sub-02: 'n/a'",
        "none is the latest: sub-03_ses-1 by A\n",
    ):
        assert part in message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("scan\tdecision\trater\n", "has no column reason, date"),
        ("scan,decision,rater,reason,date\n", "separated by commas, not by tabs"),
        ("decision\trater\n", "has no column 'scan'"),
        ("", "is empty"),
    ],
)
def test_what_is_no_table_of_decisions_is_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "qc_decisions.tsv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DecisionsError, match=message):
        read_decisions(path, SCANS)


def test_an_absent_file_is_named_with_its_key(tmp_path: Path) -> None:
    with pytest.raises(DecisionsError, match=r"no file .*nothing.tsv.*quality.decisions"):
        read_decisions(tmp_path / "nothing.tsv", SCANS)
