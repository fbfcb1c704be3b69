"""Tables on disk: one form, nothing lost on the way."""

import json
import math
import os
import stat
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from morpho.errors import MorphoError
from morpho.tables import describe_column, dictionary_path, read_table, read_tables, write_json, write_table, write_text


def described(table: pd.DataFrame) -> dict[str, dict[str, object]]:
    return {str(name): describe_column(f"column {name}") for name in table.columns}


def round_trip(table: pd.DataFrame, folder: Path, *, text: tuple[str, ...] = ()) -> pd.DataFrame:
    write_table(table, folder / "t.tsv", described(table))
    return read_table(folder / "t.tsv", text=text)


def test_bytes_on_disk(tmp_path: Path) -> None:
    table = pd.DataFrame({"scan": ["sub-é", ""], "volume_mm3": [12.0, np.nan], "n": [3, 4], "chosen": [True, False]})
    write_table(table, tmp_path / "new" / "t.tsv", described(table))
    expected = "scan\tvolume_mm3\tn\tchosen\nsub-é\t12.0\t3\ttrue\nn/a\tn/a\t4\tfalse\n"
    assert (tmp_path / "new" / "t.tsv").read_bytes() == expected.encode("utf-8")


def test_round_trip_keeps_values_and_types(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {
            "participant_id": ["sub-01", "sub-02"],
            "session_id": ["", "ses-1"],
            "run": ["01", "02"],
            "site": ["1", "2"],
            "volume_mm3": [1.5, np.nan],
            "whole": [2.0, 3.0],
            "count": [1, 2],
            "chosen": [True, False],
            "p": [1e-300, 0.05],
            "reason": ["", 'said "no"'],
        }
    )
    back = round_trip(table, tmp_path)
    assert back["session_id"].tolist() == ["", "ses-1"]
    assert back["run"].tolist() == ["01", "02"]
    assert back["site"].tolist() == ["1", "2"]
    assert back["reason"].isna().tolist() == [True, False]
    assert back["reason"][1] == 'said "no"'
    assert back.dtypes[["volume_mm3", "whole", "p"]].tolist() == [np.float64] * 3
    assert back.dtypes["count"] == np.int64
    assert pd.api.types.is_bool_dtype(back["chosen"])
    numbers = ["volume_mm3", "whole", "count", "chosen", "p"]
    pd.testing.assert_frame_equal(back[numbers], table[numbers])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.just(math.inf) | st.just(math.nan) | st.floats(-1e300, 1e300), min_size=1, max_size=5))
def test_ten_digits_of_any_number_survive(tmp_path_factory: pytest.TempPathFactory, values: list[float]) -> None:
    back = round_trip(pd.DataFrame({"x": values}), tmp_path_factory.mktemp("t"))["x"]
    for before, after in zip(values, back, strict=True):
        assert (math.isnan(before) and math.isnan(after)) or math.isclose(before, after, rel_tol=1e-9)


@settings(max_examples=50, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1, max_size=8))
def test_any_text_survives(tmp_path_factory: pytest.TempPathFactory, value: str) -> None:
    if value not in {"n/a", "\ufeff"}:
        back = round_trip(pd.DataFrame({"a": [1], "reason": [value]}), tmp_path_factory.mktemp("t"))
        assert back["reason"].tolist() == [value]


def test_column_of_numbers_is_text_if_asked_for(tmp_path: Path) -> None:
    table = pd.DataFrame({"name": ["01", None]})
    assert round_trip(table, tmp_path, text=("name",))["name"][0] == "01"
    assert round_trip(table, tmp_path)["name"][0] == 1.0


def test_whole_numbers_with_gaps_are_floats(tmp_path: Path) -> None:
    back = round_trip(pd.DataFrame({"n_voxels": pd.array([5, None], dtype="Int64")}), tmp_path)["n_voxels"]
    assert back[0] == 5.0
    assert math.isnan(back[1])


def test_tab_and_line_break_in_a_cell_become_a_space(tmp_path: Path) -> None:
    back = round_trip(pd.DataFrame({"reason": ["two\n  lines\tand a tab"]}), tmp_path)
    assert back["reason"].tolist() == ["two lines and a tab"]


def test_table_without_rows_keeps_its_columns(tmp_path: Path) -> None:
    back = round_trip(pd.DataFrame({"scan": pd.Series([], dtype=str), "x": pd.Series([], dtype=float)}), tmp_path)
    assert back.columns.tolist() == ["scan", "x"]
    assert len(back) == 0


def test_dictionary_lies_beside_in_the_order_of_the_columns(tmp_path: Path) -> None:
    dictionary = {
        "sex": describe_column("Sex", levels={"F": "female"}),
        "unused": describe_column("not there"),
        "age_years": describe_column("Age", units="years"),
    }
    write_table(pd.DataFrame({"age_years": [30.5], "sex": ["F"]}), tmp_path / "t.tsv", dictionary)
    written = json.loads(dictionary_path(tmp_path / "t.tsv").read_text(encoding="utf-8"))
    assert list(written) == ["age_years", "sex"]
    assert written["age_years"] == {"Description": "Age", "Units": "years"}
    assert written["sex"]["Levels"] == {"F": "female"}


def test_undescribed_column_is_a_defect_of_the_caller(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"'b'.* have no description"):
        write_table(pd.DataFrame({"a": [1], "b": [2]}), tmp_path / "t.tsv", {"a": describe_column("a")})
    assert not list(tmp_path.iterdir())


def test_failed_write_leaves_the_earlier_file_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.tsv"
    write_text("before", path)
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_text("after", path)
    assert path.read_text(encoding="utf-8") == "before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["t.tsv"]


def test_written_file_has_the_usual_permissions(tmp_path: Path) -> None:
    (tmp_path / "usual").touch()
    write_text("a", tmp_path / "t.tsv")
    assert stat.S_IMODE((tmp_path / "t.tsv").stat().st_mode) == stat.S_IMODE((tmp_path / "usual").stat().st_mode)


def test_json_refuses_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json({"a": math.nan}, tmp_path / "a.json")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"a\tb\n1\n", r"2 columns but another number of cells in line\(s\) 2"),
        (b"a\tb\n1\t2\n\n3\n", r"in line\(s\) 4"),
        (b"a\n\xe9\n", "is not UTF-8"),
        (b"\0" * 512, r"is damaged: it has NUL bytes. Delete it"),
        (b"a\tb\ta\n1\t2\t3\n", "without a name of their own: a. Give"),
        (b"a\t \n1\t2\n", r"without a name of their own: \(no name\)"),
    ],
)
def test_broken_file_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "t.tsv").write_bytes(content)
    with pytest.raises(MorphoError, match=reason):
        read_table(tmp_path / "t.tsv")


def test_table_saved_by_a_spreadsheet_is_read(tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_bytes(b"\xef\xbb\xbfroi\tindex\r\na\t1\r\n\r\n")
    back = read_table(tmp_path / "t.tsv")
    assert back.to_dict("list") == {"roi": ["a"], "index": [1]}


def test_number_beyond_floating_point_is_no_infinity(tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_text("x\ty\n1e400\tinf\n2\t-inf\n", encoding="utf-8")
    back = read_table(tmp_path / "t.tsv")
    assert back["x"].tolist() == ["1e400", "2"]
    assert back["y"].tolist() == [math.inf, -math.inf]


def test_many_tables_are_read_as_one_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("morpho.tables.TABLES_AT_ONCE", 2)
    tables = [
        pd.DataFrame({"roi": ["acc", "pfc"], "n_voxels": [12, 7], "volume_mm3": [1.25, np.nan]}),
        pd.DataFrame({"roi": ["acc", "pfc"], "n_voxels": [3, 4], "volume_mm3": [8.0, 1e-3]}),
        pd.DataFrame({"roi": ["acc"], "n_voxels": [5], "volume_mm3": [2.5]}),
    ]
    paths = {f"sub-{number}": tmp_path / f"{number}.tsv" for number in range(3)}
    for path, table in zip(paths.values(), tables, strict=True):
        write_table(table, path, {name: {} for name in table})
    together = read_tables(paths, key="scan")
    parts = [read_table(path).assign(scan=name) for name, path in paths.items()]
    expected = pd.concat(parts, ignore_index=True)[["scan", "roi", "n_voxels", "volume_mm3"]]
    pd.testing.assert_frame_equal(together, expected, check_exact=True)
    assert read_tables({}, key="scan").columns.tolist() == ["scan"]


def test_tables_of_other_columns_or_damaged_ones_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("roi\tvolume_mm3\nacc\t1\n")
    (tmp_path / "b.tsv").write_text("roi\tmm3\nacc\t1\n")
    (tmp_path / "c.tsv").write_text("roi\tvolume_mm3\nacc\n")
    with pytest.raises(MorphoError, match=r"b\.tsv has the columns roi, mm3, others have roi, volume_mm3"):
        read_tables({"a": tmp_path / "a.tsv", "b": tmp_path / "b.tsv"}, key="scan")
    with pytest.raises(MorphoError, match=r"c\.tsv has 2 columns but another number of cells in line\(s\) 2"):
        read_tables({"a": tmp_path / "a.tsv", "c": tmp_path / "c.tsv"}, key="scan")


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1", "-2", "+3"], [1, -2, 3]),
        (["-123456789012345678", "1"], [-123456789012345678, 1]),
        (["1", "n/a"], [1.0, np.nan]),
        (["1.", ".5", "-2e-3"], [1.0, 0.5, -0.002]),
        (["1e999", "1"], ["1e999", "1"]),
        (["1-2", "3"], ["1-2", "3"]),
        (["+", "3"], ["+", "3"]),
        (["e", "3.5"], ["e", "3.5"]),
    ],
)
def test_signs_of_numbers_alone_make_no_number(tmp_path: Path, cells: list[str], expected: list[object]) -> None:
    (tmp_path / "a.tsv").write_text("\n".join(["value", *cells, ""]))
    values = read_table(tmp_path / "a.tsv")["value"]
    pd.testing.assert_series_equal(values, pd.Series(expected, name="value"), check_exact=True)
