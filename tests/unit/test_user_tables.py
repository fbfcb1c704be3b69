"""Tables as people save them: separators, and what is told about a table that cannot be read."""

from pathlib import Path

import pytest

from morpho.errors import ParticipantsError
from morpho.user_tables import read_cells


def test_name_decides_about_commas(tmp_path: Path) -> None:
    path = tmp_path / "people.CSV"
    path.write_text('participant_id,"note, in words",age\n01,"a, b",30\n02,NA,\n', encoding="utf-8-sig")
    cells = read_cells(path)
    assert cells.columns.tolist() == ["participant_id", "note, in words", "age"]
    assert cells.fillna("?").to_numpy().tolist() == [["01", "a, b", "30"], ["02", "?", "?"]]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.csv", "participant_id;age\n01;30\n", "separated by semicolons, not by commas"),
        ("a.csv", "participant_id\tage\n01\t30\n", "separated by tabs, not by commas"),
        ("a.tsv", "participant_id,age\n01,30\n", "separated by commas, not by tabs"),
        ("a.csv", "participant_id,age\n01\n", r"separated by commas; write n/a"),
        ("a.tsv", "participant_id age\n01 30\n", "separated by spaces, not by tabs"),
        ("a.tsv", " \n", "a.tsv is empty. It needs a header line with participant_id"),
    ],
)
def test_another_separator_is_named(tmp_path: Path, name: str, content: str, reason: str) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ParticipantsError, match=reason):
        read_cells(path)


def test_column_of_ids_can_be_another(tmp_path: Path) -> None:
    path = tmp_path / "sessions.tsv"
    path.write_text("session_id\tBDI\n1\t2\n", encoding="utf-8")
    assert read_cells(path, key="session_id")["BDI"].tolist() == ["2"]
    with pytest.raises(ParticipantsError, match=r"no column 'participant_id'\. Columns: session_id, BDI"):
        read_cells(path)


def test_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ParticipantsError, match=r"There is no file '.*none\.tsv'"):
        read_cells(tmp_path / "none.tsv")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            b"PK\x03\x04 rest of a zip",
            "is a spreadsheet .*not text. Save it as plain text; a table with its cells separated by tabs",
        ),
        (b"\x1f\x8b\x08 rest", r"is compressed \(gzip\), not text"),
        (
            "participant_id\tage\n01\t30\n".encode("utf-16-le"),
            "has NUL bytes .*UTF-16 without a mark. Save it as UTF-8",
        ),
        (b"participant_id\tage\n01\t3\x000\n", r"NUL bytes \(the first as character 24\)"),
        (b"\xff\xfep\0a", "has NUL bytes"),
    ],
)
def test_what_is_no_text_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "a.tsv").write_bytes(content)
    with pytest.raises(ParticipantsError, match=reason):
        read_cells(tmp_path / "a.tsv")


@pytest.mark.parametrize("name", ["Participant_ID", "participant id", "participant_Id "])
def test_column_of_ids_in_another_spelling_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.tsv").write_text(f"age\t{name}\n30\t01\n", encoding="utf-8")
    with pytest.raises(ParticipantsError, match=f"Rename '{name.strip()}' to 'participant_id'"):
        read_cells(tmp_path / "a.tsv")


def test_lines_are_numbered_as_an_editor_does(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("\nparticipant_id\tage\n\n01\t30\n\t\n02\n", encoding="utf-8")
    with pytest.raises(ParticipantsError, match=r"line 6 \('02'\) has 1\."):
        read_cells(tmp_path / "a.tsv")


def test_quoted_cells_of_commas_may_hold_line_breaks(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b'participant_id,note\r\n01,"two\r\nlines, ""quoted"""\r\n02,x\r\n')
    assert read_cells(tmp_path / "a.csv").to_numpy().tolist() == [["01", 'two lines, "quoted"'], ["02", "x"]]


@pytest.mark.parametrize("line", ['01,"open', '01,"a"b'])
def test_quotation_mark_that_is_not_closed_is_refused_with_its_line(tmp_path: Path, line: str) -> None:
    """Otherwise the lines that follow would be taken for a part of the cell."""
    (tmp_path / "a.csv").write_text(f"participant_id,note\n{line}\n", encoding="utf-8")
    with pytest.raises(ParticipantsError, match=r"cannot be split into cells at line [23]: .*must end with one"):
        read_cells(tmp_path / "a.csv")


def test_invisible_marks_around_cells_are_nothing(tmp_path: Path) -> None:
    content = "participant_id\tsite\n\u200b01\u200e\tA\ufeff\n \u200f02\u00a0\t\u2060\n"
    (tmp_path / "a.tsv").write_text(content, encoding="utf-8")
    assert read_cells(tmp_path / "a.tsv").fillna("?").to_numpy().tolist() == [["01", "A"], ["02", "?"]]


def test_file_that_cannot_be_opened_is_an_error_with_its_cause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.tsv").write_text("participant_id\n", encoding="utf-8")
    denied = PermissionError(13, "Permission denied")
    monkeypatch.setattr(Path, "read_bytes", lambda _: (_ for _ in ()).throw(denied))
    with pytest.raises(ParticipantsError, match=r"a\.tsv' cannot be read: Permission denied\. Check its permissions"):
        read_cells(tmp_path / "a.tsv")
