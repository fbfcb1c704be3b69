"""Random text, bytes and cells for every reader of what people write: a refusal of morpho, or what the file says.

Whatever comes out is compared with the file by other means: as many rows, each cell as it is written, and every number
the number that is written. Anything but a `MorphoError` is a defect. All is bounded and repeatable.
"""

import csv
import datetime as dt
import io
import logging
import math
import random
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from morpho.bids import find_scans
from morpho.bids_tree import read_bidsignore
from morpho.covariates import standardise_participants, varying_columns
from morpho.errors import MorphoError
from morpho.participants import join_sessions, read_participants, read_sessions
from morpho.qc_decisions import DECISIONS, UNNAMED, read_decisions
from morpho.scans import ENTITIES
from morpho.tables import MISSING, TEXT_COLUMNS, read_table
from morpho.user_tables import MISSING_SPELLINGS, read_cells
from morpho.volume_tables import HEMISPHERES, TIV_NAMES, read_volume_table
from tests.cohorts.layouts import add, t1w
from tests.cohorts.tables import CLEAN, LATIN, SETTINGS

N_MUTANTS = 500
LONGEST_TEST_S = 120
SHORTEST_MESSAGE = 30
BOUNDED = settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
TEXT = st.text(
    st.sampled_from("\t\n\r,;\"' .-+eE019naNA/\0\ufeff\u200b\u00a0ü\u2028\x0b\x1f{}$%#!*[]\\")
    | st.characters(codec="utf-8"),
    max_size=40,
)
NUMBERS = st.sampled_from(["30", "1e3", ".5", "+5.", "007", "1.4e2", "12.25", "n/a", "", '"41"'])
NO_NUMBERS = st.sampled_from(["1e999", "1,5", "0x1", "٣", "1_0", "inf", "nan", "1e-400", "-3", "9" * 400, "1 0"])
IDS = ["01", "sub-02", "3", "sub-Müller", "02", "Sub-01", "n/a", "ses-1", "1.0"]
WORDS = st.sampled_from(["f", "hc", "patient", "Köln", "n/a", "-", '"a', "'b'", "L", "amygdala", "tiv"])
ANYTHING = st.one_of(NUMBERS, NO_NUMBERS, WORDS, TEXT)
SIDED = {"amygdala_L_mm3": NUMBERS, "amygdala_R_mm3": NUMBERS, "amygdala_mean_mm3": NUMBERS, "tiv_whole_mm3": NUMBERS}
WIDE = SIDED | {"session_id": st.sampled_from(["1", "ses-2", ""]), "name": ANYTHING, "cell": ANYTHING}
LONG_ROWS = {
    "roi": st.sampled_from(["amygdala", "tiv", "eTIV", "x"]), "hemisphere": st.sampled_from(["L", "rh", "mean", ""]),
    "volume_mm3": NUMBERS, "session_id": WIDE["session_id"],
}  # fmt: skip
PEOPLE = {
    "age": NUMBERS, "BDI": NUMBERS, "bmi": NUMBERS, "sex": st.sampled_from(["f", "M", "weiblich", "n/a"]),
    "group": st.sampled_from(["HC", "mdd", "Patient", "-"]), "centre": TEXT, "arm": TEXT, "name": ANYTHING,
}  # fmt: skip
DECISION_CELLS = {
    "decision": st.sampled_from([*DECISIONS, "KEEP"]), "rater": TEXT, "reason": TEXT,
    "date": st.sampled_from(["2024-03-05", "2024-03-05T10:00:00Z", "2023-12-31T23:59+05:30", "0001-01-01T00:00+01:00"]),
}  # fmt: skip
OWN_CELLS = {
    "x": NUMBERS, "n": st.sampled_from(["1", "-20"]), "y": ANYTHING, "scan": TEXT, "reason": TEXT,
}  # fmt: skip
VOLUMES = "participant_id\tsession_id\tamygdala_L_mm3\tamygdala_R_mm3\tICV\n1\t1\t1500\t1600.5\t1.4e6\n2\t\tn/a\t1\t\n"
LONG = "participant_id\troi\themisphere\tvolume_mm3\n1\tamygdala\tL\t1500\n1\tamygdala\tright\t16.5\n2\teTIV\t\t1.4e6\n"
DECIDED = (
    "scan\tdecision\trater\treason\tdate\nsub-01\tkeep\tAB\tmoved, a bit\t2024-03-05T14:30:00+01:00\n"
    "02\tExclude\t\t\t2024-03-05\nsub-01\tunsure\tCD\tn/a\t2024-03-06\n"
)
OWN = "scan\tvolume_mm3\tn\tchosen\treason\nsub-01\t12.25\t3\ttrue\tn/a\nsub-02\tn/a\t-4\tfalse\t1e5\n"


@pytest.fixture(autouse=True)
def _bounded(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No warning of thousands of files is kept, and no test hangs."""
    caplog.set_level(logging.CRITICAL)
    signal.signal(signal.SIGALRM, lambda *_: pytest.fail(f"a reader hangs: more than {LONGEST_TEST_S} s"))
    signal.alarm(LONGEST_TEST_S)
    yield
    signal.alarm(0)


@st.composite
def tables(draw: st.DrawFn, columns: dict[str, st.SearchStrategy[str]], key: str, *needed: str) -> bytes:
    """Draw a table that has mostly proper cells, of ids and of some columns; one cell in forty is anything."""
    names = [*needed, *draw(st.lists(st.sampled_from(sorted(columns)), max_size=4, unique=True))]
    header = [key, *dict.fromkeys(names), *draw(st.sampled_from([[]] * 9 + [[key], [""], names[:1]]))]
    ids = draw(
        st.lists(st.sampled_from(IDS[:4]), min_size=1, max_size=4, unique=True)
        | st.lists(st.sampled_from(IDS), max_size=4)
    )
    is_proper = st.sampled_from([True] * 39 + [False])
    rows = [
        [name, *(draw(columns.get(word, TEXT) if draw(is_proper) else ANYTHING) for word in header[1:])] for name in ids
    ]
    if not draw(is_proper) and rows:
        rows[-1] = draw(st.sampled_from([[*rows[-1], "x"], rows[-1][:-1], [*rows[-1], ""]]))
    text = draw(st.sampled_from(["\n", "\r\n", "\r"])).join("\t".join(row) for row in [header, *rows])
    return text.encode(draw(st.sampled_from(["utf-8", "utf-8", "utf-8-sig", "utf-16"])), "replace")


def mutants(seed: int, *originals: bytes) -> Iterator[bytes]:
    """Drop, repeat, turn and overwrite bytes of valid files."""
    rng = random.Random(seed)
    for _ in range(N_MUTANTS):
        content = bytearray(rng.choice(originals))
        for _ in range(rng.randint(1, 3)):
            start = rng.randrange(len(content) + 1)
            end = min(len(content), start + rng.randint(0, 5))
            piece = bytes(content[start:end])
            content[start:end] = rng.choice([b"", rng.randbytes(1), piece * 2, piece[::-1], b"\t", b"\n", b'"', b"9"])
        yield bytes(content)


def outcome(read: Callable[[Path], Any], path: Path, content: bytes) -> Any:
    """Give what a reader makes of a file; None if morpho refuses it with a message."""
    path.write_bytes(content)
    try:
        return read(path)
    except MorphoError as error:
        message = str(error)
    assert len(message) > SHORTEST_MESSAGE
    return None


def text_of(content: bytes) -> str:
    """Text of a file by its mark, or as UTF-8, or else as Latin-1."""
    try:
        return content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def bare(cell: str) -> str:
    """Cell without what surrounds it."""
    around = r"[\s\ufeff\u200b-\u200f\u2060]*"
    for pattern in (rf"{around}(.*?){around}", rf"\"{around}(.*?){around}\"|'{around}(.*?){around}'"):
        found = re.fullmatch(pattern, cell, re.DOTALL)
        cell = next(part for part in found.groups() if part is not None) if found else cell
    return cell


def lines_of(content: bytes, *, commas: bool) -> list[list[str]]:
    """Rows of a file that hold anything, cells without what surrounds them; the first is the header."""
    text = text_of(content)
    rows = [line.split("\t") for line in re.split(r"\r\n|\r|\n", text)]
    if commas:
        lines = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True)
        rows = [[re.sub(r"\s*[\r\n]+\s*", " ", cell) for cell in line] for line in lines]
    return [row for row in ([bare(cell) for cell in line] for line in rows) if any(row)]


def present(cell: str) -> str:
    """Cell, or "" if it is a spelling of missing."""
    return "" if cell.casefold() in MISSING_SPELLINGS else cell


def check_cells(path: Path, content: bytes) -> None:
    """Check that every cell of a table is as it is written, and no row is lost."""
    cells = outcome(read_cells, path, content)
    if cells is None:
        return
    header, *rows = lines_of(content, commas=path.suffix == ".csv")
    width = len(cells.columns)
    assert list(cells.columns) == header[:width]
    assert not any(header[width:])
    assert len(cells) == len(rows)
    for got, expected in zip(cells.fillna("").to_numpy().tolist(), rows, strict=True):
        assert got == [present(cell) for cell in expected[:width]]
        assert not any(expected[width:])


@BOUNDED
@given(
    content=st.one_of(
        tables(dict.fromkeys(PEOPLE, ANYTHING), "participant_id"), TEXT.map(str.encode), st.binary(max_size=60)
    )
)
def test_any_table_is_read_as_it_is_written(tmp_path: Path, content: bytes) -> None:
    check_cells(tmp_path / "t.tsv", content)
    check_cells(tmp_path / "t.csv", content.replace(b"\t", b","))


def test_mutants_of_a_table_are_read_as_they_are_written(tmp_path: Path) -> None:
    for content in mutants(1, CLEAN.encode(), LATIN.encode("latin-1"), CLEAN.encode("utf-16")):
        check_cells(tmp_path / "t.tsv", content)
    for content in mutants(2, CLEAN.replace("\t", ",").encode(), b'participant_id,a\n1,"b, ""c"""\n2,"d\ne"\n'):
        check_cells(tmp_path / "t.csv", content)


def is_number(cell: str, value: float) -> bool:
    """Whether a value is the number that a cell shows, written with ASCII digits and a point."""
    return cell.isascii() and re.search(r"[_xa-df-z\s]", cell) is None and float(cell) == value and math.isfinite(value)


def check_people(path: Path, content: bytes) -> None:
    """Check that people, levels and numbers are those of the file."""

    def read(path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
        raw = read_participants(path, required=True)
        assert raw is not None
        return read_cells(path), standardise_participants(raw, **SETTINGS)

    found = outcome(read, path, content)
    if found is None:
        return
    cells, table = found
    assert len(table) == len(cells)
    assert [f"sub-{name.removeprefix('sub-')}" for name in cells["participant_id"]] == table["participant_id"].tolist()
    numbers = {"age_years": "age", "severity_BDI": "BDI", "bmi": "bmi"}
    for name, column in numbers.items():
        if name in table:
            for cell, value in zip(cells[column].fillna(""), table[name], strict=True):
                assert math.isnan(value) if cell == "" else is_number(cell, value)
    for role in [role for role in ("group", "sex") if role in table]:
        levels = SETTINGS[f"{role}_levels"]
        for cell, level in zip(cells[role].fillna(""), table[role].fillna(""), strict=True):
            assert (
                level == "" if cell == "" else cell.casefold() in {word.casefold() for word in [level, *levels[level]]}
            )


@BOUNDED
@given(content=tables(PEOPLE, "participant_id", "BDI"))
def test_people_have_the_levels_and_numbers_that_are_written(tmp_path: Path, content: bytes) -> None:
    check_people(tmp_path / "participants.tsv", content)


def test_mutants_of_people_have_the_levels_and_numbers_that_are_written(tmp_path: Path) -> None:
    for content in mutants(3, CLEAN.encode(), CLEAN.replace("31", "9e307").encode("utf-8-sig")):
        check_people(tmp_path / "participants.tsv", content)


@BOUNDED
@given(content=tables({"bmi": NUMBERS, "age": ANYTHING, "acq_time": TEXT, "notes": TEXT}, "session_id"))
def test_sessions_have_the_cells_that_are_written(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "sub-01").mkdir(exist_ok=True)
    path = tmp_path / "sub-01/sub-01_sessions.tsv"
    sessions = outcome(lambda _: read_sessions(tmp_path, ["sub-01"]), path, content)
    if sessions is None:
        return
    cells = read_cells(path, key="session_id")
    joined = join_sessions(None, sessions, varying_columns(SETTINGS))
    assert joined is not None
    assert len(joined) == len(cells) + 1
    expected = [f"ses-{name.removeprefix('ses-')}" for name in cells["session_id"]]
    assert joined["session_id"].tolist() == ["", *expected]
    for column in [name for name in ("bmi", "age") if name in cells]:
        if column in varying_columns(SETTINGS) and len(cells):
            assert joined[column].fillna("").tolist()[1:] == cells[column].fillna("").tolist()


def volume_name(name: str) -> tuple[str, str] | None:
    """Region and side of a column of a wide table, if it is one of those asked for."""
    known = {
        "amygdala_L_mm3": ("amygdala", "L"),
        "amygdala_R_mm3": ("amygdala", "R"),
        "tiv_whole_mm3": ("tiv", "whole"),
    }
    known |= {"amygdala_mean_mm3": ("amygdala", "mean")}
    return ("tiv", "whole") if name.casefold() in TIV_NAMES else known.get(name)


def given_volumes(cells: pd.DataFrame) -> list[tuple[str, str, str, str, str]]:
    """Participant, session, region, side and cell of all known volumes of a table, wide or long."""
    rows = []
    for row in cells.fillna("").to_dict("records"):
        person = f"sub-{row['participant_id'].removeprefix('sub-')}"
        session = f"ses-{row['session_id'].removeprefix('ses-')}" if row.get("session_id") else ""
        if {"roi", "volume_mm3"} <= set(row):
            roi = "tiv" if row["roi"].casefold() in TIV_NAMES else row["roi"]
            side = HEMISPHERES.get(row.get("hemisphere", "").casefold(), "whole")
            named = (roi, side) if (roi == "tiv") == (side == "whole") and roi in {"tiv", "amygdala"} else None
            rows += [(person, session, *named, row["volume_mm3"])] if named else []
        else:
            rows += [(person, session, *named, cell) for name, cell in row.items() if (named := volume_name(str(name)))]
    return rows


def check_volumes(path: Path, content: bytes) -> None:
    """Check that every volume of the file is there once, with the number that is written, and no other."""
    found = outcome(lambda path: read_volume_table(path, regions=["amygdala"], totals=["tiv"]), path, content)
    if found is None:
        return
    volumes, scans = found
    expected = {row[:4]: row[4] for row in given_volumes(read_cells(path)) if row[4]}
    keys = ["participant_id", "session_id", "roi", "hemisphere"]
    got = {tuple(row[:4]): row[4] for row in volumes.dropna()[[*keys, "volume_mm3"]].itertuples(index=False, name=None)}
    for key, cell in expected.items():
        assert is_number(cell, got[key])
        assert got[key] > 0
    for person, session, roi, side in set(got) - set(expected):
        assert side == "mean"
        assert got[person, session, roi, side] == (got[person, session, roi, "L"] + got[person, session, roi, "R"]) / 2
    assert scans["scan"].is_unique
    assert set(volumes["scan"]) == set(scans.loc[scans["chosen"], "scan"])


@BOUNDED
@given(
    content=st.one_of(
        tables(WIDE, "participant_id", "amygdala_L_mm3"), tables(LONG_ROWS, "participant_id", "roi", "volume_mm3")
    )
)
def test_volumes_are_those_that_are_written(tmp_path: Path, content: bytes) -> None:
    check_volumes(tmp_path / "volumes.tsv", content)


def test_mutants_of_volumes_are_those_that_are_written(tmp_path: Path) -> None:
    for content in mutants(4, VOLUMES.encode(), LONG.encode()):
        check_volumes(tmp_path / "volumes.tsv", content)


def check_decisions(path: Path, content: bytes) -> None:
    """Check that every decision of the file is there as it is written."""
    table = outcome(lambda path: read_decisions(path, ["sub-01", "sub-02", "sub-3"]), path, content)
    if table is None:
        return
    cells = read_cells(path, key="scan").drop_duplicates(["scan", "decision", "rater", "reason", "date"]).fillna("")
    assert len(table) == len(cells)
    assert set(table["decision"]) <= set(DECISIONS)
    for got, row in zip(table.to_dict("records"), cells.to_dict("records"), strict=True):
        assert (got["scan"], got["decision"]) == (f"sub-{row['scan'].removeprefix('sub-')}", row["decision"].casefold())
        assert (got["rater"], got["reason"]) == (row["rater"] or UNNAMED, row["reason"])
        date = dt.datetime.fromisoformat(row["date"])
        assert got["date"].tz_localize("UTC") == (date if date.tzinfo else date.replace(tzinfo=dt.UTC))


@BOUNDED
@given(content=tables(DECISION_CELLS | {"notes": TEXT}, "scan", *DECISION_CELLS))
def test_decisions_are_those_that_are_written(tmp_path: Path, content: bytes) -> None:
    check_decisions(tmp_path / "qc_decisions.tsv", content)


def test_mutants_of_decisions_are_those_that_are_written(tmp_path: Path) -> None:
    for content in mutants(5, DECIDED.encode(), DECIDED.encode("utf-16")):
        check_decisions(tmp_path / "qc_decisions.tsv", content)


def check_own_table(path: Path, content: bytes) -> None:
    """Check that a table of morpho's own says what the file says."""
    table = outcome(read_table, path, content)
    if table is None:
        return
    text = re.sub(r"\r\n|\r", "\n", content.decode("utf-8-sig"))
    header, *rows = [line.split("\t") for line in text.split("\n") if line.strip()]
    assert list(table.columns) == header
    assert len(table) == len(rows)
    for name, column in zip(header, zip(*rows, strict=True), strict=False):
        for cell, value in zip([cell.strip() for cell in column], table[name].tolist(), strict=True):
            if cell in {MISSING, ""}:
                assert value == "" or math.isnan(value)
            elif isinstance(value, bool):
                assert cell.lower() == str(value).lower()
            elif isinstance(value, str):
                assert value == cell
            else:
                assert name not in TEXT_COLUMNS
                assert math.isinf(value) if "inf" in cell else is_number(cell, value)


@BOUNDED
@given(content=st.one_of(tables(OWN_CELLS, "roi"), TEXT.map(str.encode)))
def test_own_tables_say_what_is_written(tmp_path: Path, content: bytes) -> None:
    check_own_table(tmp_path / "t.tsv", content)


def test_mutants_of_own_tables_say_what_is_written(tmp_path: Path) -> None:
    for content in mutants(6, OWN.encode()):
        check_own_table(tmp_path / "t.tsv", content)


@pytest.fixture(scope="module")
def bids_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("raw")
    add(folder, t1w("sub-01", "acq-a_run-1"), t1w("sub-01", "run-02"), t1w("sub-02_ses-1"), t1w("sub-03", "part-phase"))
    return folder


PATTERNS = st.lists(
    st.one_of(
        TEXT, st.sampled_from(["sub-01/", "*run*", "!sub-01", "/sub-02/**", "#", "!", "[z-a]", "\\", "**/", "[", " "])
    ),
    max_size=4,
)


@BOUNDED
@given(
    content=st.one_of(PATTERNS.map(lambda lines: "\n".join(lines).encode("utf-8", "replace")), st.binary(max_size=30))
)
def test_any_bidsignore_is_understood_or_refused(bids_dir: Path, content: bytes) -> None:
    spec = outcome(lambda path: read_bidsignore(path.parent), bids_dir / ".bidsignore", content)
    scans = outcome(
        lambda _: find_scans(bids_dir, output_dir="x", filters={}, participants=[]), bids_dir / ".bidsignore", content
    )
    if scans is not None:
        ignored = scans["reason"] == "listed in .bidsignore"
        assert ignored.tolist() == [bool(spec and spec.match_file(path)) for path in scans["path"]]
        assert len(scans) == len(scans["path"].unique()) == 4


NAMES = st.sampled_from(["acq", "run", "part", "acquisition", "session", "ses", "ce"])
VALUES = st.sampled_from([None, "a", "1", "01", 1, 2, "ses-1", "mag"])
ODD = st.one_of(st.integers(-5, 200), st.floats(), st.booleans(), TEXT)


@BOUNDED
@given(
    filters=st.one_of(
        st.dictionaries(NAMES, st.lists(VALUES, max_size=4), max_size=2),
        st.dictionaries(st.one_of(NAMES, TEXT), st.one_of(VALUES, ODD, st.lists(ODD, max_size=2)), max_size=2),
    )
)
def test_any_filter_is_applied_or_refused(bids_dir: Path, filters: dict[str, Any]) -> None:
    def read(path: Path) -> pd.DataFrame:
        return find_scans(path.parent, output_dir="x", filters=filters, participants=[])

    scans = outcome(read, bids_dir / ".bidsignore", b"")
    if scans is None:
        return
    assert len(scans) == 4
    assert scans.loc[scans["chosen"], "scan"].is_unique
    for name, value in filters.items():
        column = {"session": "session_id", "ses": "session_id"}.get(name, ENTITIES.get(name, name))
        asked = {re.sub(r"^0+(?=\d)", "", str(item).removeprefix("ses-")) if item is not None else "" for item in
                 (value if isinstance(value, list) else [value])}  # fmt: skip
        for seen in scans.loc[scans["chosen"], column]:
            assert seen.removeprefix("ses-") in asked
