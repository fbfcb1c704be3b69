"""participants.tsv and the sessions tables as people write them."""

import logging
import re
from pathlib import Path

import pandas as pd
import pytest

from morpho.errors import ParticipantsError
from morpho.participants import check_matches, find_sessions, join_sessions, read_participants, read_sessions
from morpho.user_tables import list_some

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


@pytest.mark.parametrize("name", ["Participants.tsv", "participants.csv", "participants.xlsx"])
def test_table_under_another_name_is_hinted_at(tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / name).touch()
    (tmp_path / "participants.json").touch()
    assert read_participants(tmp_path / "participants.tsv") is None
    assert f"there is no participants.tsv (only {name}; save it as participants.tsv): volumes" in caplog.text


def test_links_to_tables_that_are_not_here_are_no_absent_tables(tmp_path: Path) -> None:
    """Otherwise a cohort whose table was not fetched would lose its groups without a word."""
    (tmp_path / "participants.tsv").symlink_to(".git/annex/objects/x.tsv")
    with pytest.raises(ParticipantsError, match=r"participants\.tsv' is a link to a file that is not here\. Fetch it"):
        read_participants(tmp_path / "participants.tsv")
    (tmp_path / "sub-01").mkdir()
    (tmp_path / "sub-01/sub-01_sessions.tsv").symlink_to("nowhere")
    with pytest.raises(ParticipantsError, match=r"sub-01_sessions\.tsv' is a link to a file that is not here"):
        read_sessions(tmp_path, ["sub-01"])


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
    with pytest.raises(ParticipantsError, match=r"leading zeros, case or punctuation alone: sub-01 / sub-1 \(the BIDS"):
        check_matches(table, scans_of("sub-01", "sub-02"))


def test_ids_that_differ_by_zeros_are_two_people_if_both_were_scanned() -> None:
    check_matches(pd.DataFrame({"participant_id": ["sub-1", "sub-01"]}), scans_of("sub-1", "sub-01"))


@pytest.mark.parametrize("written", ["sub-SUB-01", "sub-sub01", "sub-Sub_01", "sub-s 01", "sub-1.0", "sub-0001"])
def test_ids_in_another_spelling_are_noticed(written: str) -> None:
    table = pd.DataFrame({"participant_id": [written, "sub-02"]})
    name = "sub-s01" if " " in written else "sub-01"
    with pytest.raises(ParticipantsError, match=re.escape(f"alone: {name} / {written} (the BIDS folder")):
        check_matches(table, scans_of(name, "sub-02"))


@pytest.mark.parametrize("written", ["sub-10", "sub-010", "sub-1.01", "sub-01a", "sub-"])
def test_ids_of_others_are_no_other_spelling(written: str) -> None:
    check_matches(pd.DataFrame({"participant_id": [written, "sub-02"]}), scans_of("sub-01", "sub-02"))


def test_table_of_other_people_is_refused() -> None:
    with pytest.raises(ParticipantsError, match=r"No scanned participant has a row.*sub-01; in the .*table: sub-A"):
        check_matches(pd.DataFrame({"participant_id": ["sub-A"]}), scans_of("sub-01"))


def test_one_row_per_participant_and_session_is_legal_where_the_table_has_sessions(tmp_path: Path) -> None:
    raw = read(tmp_path, "age\tsession_id\tparticipant_id\n30\t1\t01\n31\tses-2\tsub-01\n40\tn/a\t02\n")
    assert raw.columns.tolist() == ["participant_id", "session_id", "age"]
    assert raw["participant_id"].tolist() == ["sub-01", "sub-01", "sub-02"]
    assert raw["session_id"].tolist() == ["ses-1", "ses-2", ""]


def test_session_that_is_named_twice_is_refused(tmp_path: Path) -> None:
    content = "participant_id\tsession_id\n01\tpre\nsub-01\tses-pre\n02\tn/a\n02\tn/a\n"
    with pytest.raises(ParticipantsError, match=r"sub-01 ses-pre \(2 rows\), sub-02 \(2 rows\).*and session") as caught:
        read_participants(write(tmp_path, content))
    assert "one row per participant" in str(caught.value)


def test_repeated_people_get_the_hint_that_rows_may_be_sessions(tmp_path: Path) -> None:
    with pytest.raises(ParticipantsError, match=r"sub-01 \(2 rows\).*name their column session_id"):
        read_participants(write(tmp_path, "participant_id\tvisit\n01\t1\n01\t2\n"))


def test_table_that_must_be_there_is_missed(tmp_path: Path) -> None:
    with pytest.raises(ParticipantsError, match=r"There is no file .*people\.tsv'"):
        read_participants(tmp_path / "people.tsv", required=True)


def write_sessions(bids_dir: Path, participant: str, content: str, *, encoding: str = "utf-8") -> None:
    folder = bids_dir / participant
    folder.mkdir(exist_ok=True)
    (folder / f"{participant}_sessions.tsv").write_text(content, encoding=encoding)


def test_sessions_tables_are_found_and_read_like_the_participants_table(tmp_path: Path) -> None:
    write_sessions(tmp_path, "sub-02", "session_id\tBDI\r\n1\t 20\r\nses-2\tNA\r\n", encoding="utf-16")
    (tmp_path / "sub-01").mkdir()
    found = find_sessions(tmp_path, ["sub-02", "sub-01", "sub-02", "sub-99"])
    assert [path.name for path in found] == ["sub-02_sessions.tsv"]
    sessions = read_sessions(tmp_path, ["sub-02", "sub-01"])
    assert list(sessions) == ["sub-02"]
    assert sessions["sub-02"] == [{"session_id": "ses-1", "BDI": "20"}, {"session_id": "ses-2", "BDI": None}]


def test_all_unusable_sessions_tables_are_told_at_once(tmp_path: Path) -> None:
    write_sessions(tmp_path, "sub-01", "session\tBDI\n1\t2\n")
    write_sessions(tmp_path, "sub-02", "session_id\tBDI\n1\t2\nses-1\t3\nn/a\t4\n")
    write_sessions(tmp_path, "sub-03", "session_id\tBDI\n1\t2\n")
    with pytest.raises(ParticipantsError) as caught:
        read_sessions(tmp_path, ["sub-01", "sub-02", "sub-03"])
    assert "sub-01_sessions.tsv has no column 'session_id'. Columns: session, BDI" in str(caught.value)
    assert "sub-02_sessions.tsv has 1 row(s) without session_id; named more than once: ses-1 (2 rows)" in str(
        caught.value
    )
    assert "sub-03" not in str(caught.value)


def people() -> pd.DataFrame:
    return pd.DataFrame(
        {"participant_id": ["sub-01", "sub-02"], "age": ["30", "40"], "BDI": ["9", "8"], "group": ["hc", "mdd"]},
        dtype="str",
    )


def rows_of(**columns: list[str | None]) -> list[dict[str, str | None]]:
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def test_columns_of_a_sessions_table_override_the_participant_even_where_they_are_empty() -> None:
    table = rows_of(session_id=["ses-1", "ses-2"], BDI=["20", None], group=["x", "y"])
    joined = join_sessions(people(), {"sub-02": table}, {"BDI", "age"})
    assert joined is not None
    assert joined.fillna("?").to_numpy().tolist() == [
        ["sub-01", "", "30", "9", "hc"],
        ["sub-02", "", "40", "8", "mdd"],
        ["sub-02", "ses-1", "40", "20", "mdd"],
        ["sub-02", "ses-2", "40", "?", "mdd"],
    ]


def test_rows_of_sessions_in_the_participants_table_give_way_to_the_sessions_table() -> None:
    raw = people().assign(participant_id="sub-01", session_id=["ses-1", "ses-2"])
    table = rows_of(session_id=["ses-2", "ses-3"], BDI=["3", "2"])
    joined = join_sessions(raw, {"sub-01": table}, {"BDI"})
    assert joined is not None
    assert joined["session_id"].tolist() == ["ses-1", "ses-2", "ses-3"]
    assert joined["BDI"].tolist() == ["9", "3", "2"]
    assert joined["group"].fillna("?").tolist() == ["hc", "mdd", "?"]


def test_without_sessions_tables_nothing_changes() -> None:
    raw = people()
    assert join_sessions(raw, {}, {"BDI"}) is raw
    assert join_sessions(None, {}, {"BDI"}) is None


def test_sessions_tables_without_participants_table_are_a_table() -> None:
    table = rows_of(session_id=["ses-1"], BDI=["3"])
    joined = join_sessions(None, {"sub-01": table}, {"BDI"})
    assert joined is not None
    assert joined.fillna("?").to_numpy().tolist() == [["sub-01", "", "?"], ["sub-01", "ses-1", "3"]]


def test_sessions_that_differ_by_leading_zeros_are_noticed() -> None:
    table = pd.DataFrame({"participant_id": ["sub-01", "sub-01"], "session_id": ["ses-1", "ses-02"]})
    scans = scans_of("sub-01", "sub-01").assign(session_id=["ses-1", "ses-2"])
    with pytest.raises(ParticipantsError, match="punctuation alone: sub-01 ses-2 / sub-01 ses-02 "):
        check_matches(table, scans)
    check_matches(table.replace("ses-02", "ses-3"), scans)
    check_matches(table, scans_of("sub-01").assign(session_id=""))


def test_message_names_where_the_scans_come_from() -> None:
    with pytest.raises(ParticipantsError, match="In the table of volumes: sub-01;"):
        check_matches(pd.DataFrame({"participant_id": ["sub-A"]}), scans_of("sub-01"), source="the table of volumes")


def test_long_lists_are_cut() -> None:
    assert list_some("abc") == "a, b, c"
    assert list_some("abcdefghijkl") == "a, b, c, d, e, f, g, h, i, j and 2 more"
