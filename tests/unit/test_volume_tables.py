"""Tables of volumes that were measured elsewhere: both forms, and what is refused."""

import logging
from pathlib import Path

import pandas as pd
import pytest

from morpho.errors import ParticipantsError
from morpho.scans import COLUMNS
from morpho.volume_tables import NO_VOLUME, read_volume_table

REGIONS, TOTALS = ("hippocampus", "amygdala"), ("brain_volume", "tiv")


def read(folder: Path, content: str, name: str = "volumes.tsv") -> tuple[pd.DataFrame, pd.DataFrame]:
    path = folder / name
    path.write_text(content if name.endswith(".csv") else content.replace(" ", "\t"), encoding="utf-8-sig")
    return read_volume_table(path, regions=REGIONS, totals=TOTALS)


def values(volumes: pd.DataFrame) -> dict[tuple[str, str, str], float]:
    columns = ["scan", "roi", "hemisphere", "volume_mm3"]
    return {(scan, roi, side): mm3 for scan, roi, side, mm3 in volumes[columns].fillna(-1).itertuples(index=False)}


WIDE = """participant_id eTIV hippocampus_R_mm3 hippocampus_L_mm3
02 1500000 3200 3000
sub-01 1400000.5 n/a 2900
"""
LONG = """participant_id roi hemisphere volume_mm3
sub-02 Hippo L 1
sub-02 hippocampus right 3200
sub-02 hippocampus L 3000
sub-02 ICV n/a 1500000
01 EstimatedTotalIntraCranialVol whole 1400000.5
01 hippocampus lh 2900
01 hippocampus R n/a
"""
EXPECTED = {
    ("sub-02", "hippocampus", "L"): 3000.0,
    ("sub-02", "hippocampus", "R"): 3200.0,
    ("sub-02", "hippocampus", "mean"): 3100.0,
    ("sub-02", "tiv", "whole"): 1500000.0,
    ("sub-01", "hippocampus", "L"): 2900.0,
    ("sub-01", "hippocampus", "R"): -1.0,
    ("sub-01", "hippocampus", "mean"): -1.0,
    ("sub-01", "tiv", "whole"): 1400000.5,
}


@pytest.mark.parametrize("content", [WIDE, LONG], ids=["wide", "long"])
def test_wide_and_long_tables_say_the_same(tmp_path: Path, content: str) -> None:
    volumes, scans = read(tmp_path, content)
    assert volumes.columns.tolist() == ["participant_id", "session_id", "scan", "roi", "hemisphere", "volume_mm3"]
    assert list(values(volumes).items()) == list(EXPECTED.items())
    assert scans.columns.tolist() == list(COLUMNS)
    assert scans[["scan", "path", "chosen", "reason"]].to_numpy().tolist() == [
        ["sub-02", "volumes.tsv", True, ""],
        ["sub-01", "volumes.tsv", True, ""],
    ]


def test_sessions_and_commas(tmp_path: Path) -> None:
    content = "participant_id,session_id,amygdala_mean_mm3,brain_volume_whole_mm3\n1,1,1500,1200000\n1,ses-2,1450,\n"
    volumes, scans = read(tmp_path, content, "volumes.csv")
    assert values(volumes) == {
        ("sub-1_ses-1", "amygdala", "mean"): 1500.0,
        ("sub-1_ses-1", "brain_volume", "whole"): 1200000.0,
        ("sub-1_ses-2", "amygdala", "mean"): 1450.0,
        ("sub-1_ses-2", "brain_volume", "whole"): -1.0,
    }
    assert scans["session_id"].tolist() == ["ses-1", "ses-2"]
    assert scans["folder"].tolist() == ["sub-1/ses-1", "sub-1/ses-2"]


def test_mean_that_is_given_stays_and_one_that_is_missing_is_computed(tmp_path: Path) -> None:
    content = "participant_id amygdala_L_mm3 amygdala_R_mm3 amygdala_mean_mm3\n1 10 20 17\n2 10 20 n/a\n3 10 n/a n/a\n"
    volumes, _ = read(tmp_path, content)
    means = volumes.loc[volumes["hemisphere"] == "mean", "volume_mm3"]
    assert means.fillna(-1).tolist() == [17.0, 15.0, -1.0]


def test_scan_without_any_volume_is_not_chosen(tmp_path: Path) -> None:
    volumes, scans = read(tmp_path, "participant_id amygdala_L_mm3\n1 n/a\n2 9\n")
    assert set(volumes["scan"]) == {"sub-2"}
    assert scans[["scan", "chosen", "reason"]].to_numpy().tolist() == [["sub-1", False, NO_VOLUME], ["sub-2", True, ""]]


def test_unknown_volumes_are_ignored_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    content = "participant_id amygdala_L_mm3 thalamus_L_mm3 amygdala_whole_mm3 age tiv_L_mm3\n1 9 x -1 30 1\n"
    volumes, _ = read(tmp_path, content)
    assert values(volumes) == {("sub-1", "amygdala", "L"): 9.0}
    [warning] = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warning.endswith("are ignored: age, amygdala_whole_mm3, thalamus_L_mm3, tiv_L_mm3")


def test_intracranial_volume_in_another_unit_is_noticed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    read(tmp_path, "participant_id ICV\n1 1500\n2 1400\n")
    assert "the median intracranial volume is 1450 mm3; is it in another unit?" in caplog.text


def test_cells_that_are_no_volume_are_listed_all_at_once(tmp_path: Path) -> None:
    content = "participant_id session_id amygdala_L_mm3 tiv_whole_mm3\n1 a 0 -3\n1 a 9 1,5\nn/a b inf 1e6\n"
    with pytest.raises(ParticipantsError) as caught:
        read(tmp_path, content)
    message = str(caught.value)
    assert "volumes in 2 row(s) without participant_id" in message
    assert "more than once: sub-1 ses-a amygdala_L_mm3, sub-1 ses-a tiv_whole_mm3" in message
    listed = ["sub-1 ses-a amygdala_L_mm3: '0'", "? ses-b amygdala_L_mm3: 'inf'"]
    listed += ["sub-1 ses-a tiv_whole_mm3: '-3'", "sub-1 ses-a tiv_whole_mm3: '1,5'"]
    assert f"(a number above 0, decimal point '.', or n/a): {', '.join(listed)}" in message


def test_two_columns_of_the_same_volume_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ParticipantsError, match="more than once: sub-1 eTIV, sub-1 tiv_whole_mm3"):
        read(tmp_path, "participant_id eTIV tiv_whole_mm3\n1 1500000 1500000\n")


def test_table_without_a_known_volume_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParticipantsError, match=r"no volume that is known\. .*such as hippocampus_L_mm3"):
        read(tmp_path, "participant_id hippocampus\n1 3000\n")


def test_table_without_rows_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(ParticipantsError, match="has a header, but no rows"):
        read(tmp_path, "participant_id hippocampus_L_mm3\n")


def test_other_columns_may_have_any_name(tmp_path: Path) -> None:
    volumes, _ = read(tmp_path, "participant_id name cell number roi amygdala_L_mm3 scan\n1 a b c d 9 e\n")
    assert values(volumes) == {("sub-1", "amygdala", "L"): 9.0}


def test_volume_beyond_floating_point_is_no_volume(tmp_path: Path) -> None:
    with pytest.raises(ParticipantsError, match="sub-1 amygdala_L_mm3: '1e400', sub-2 amygdala_L_mm3: '1e-400'"):
        read(tmp_path, "participant_id amygdala_L_mm3\n1 1e400\n2 1e-400\n")
