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
