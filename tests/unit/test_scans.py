"""The scans table on disk."""

from pathlib import Path

import pandas as pd

from morpho.scans import COLUMNS, choose_scans, describe_scans, read_scans, row_of_file, row_without_scan
from morpho.tables import write_table


def test_scans_table_survives_the_disk(tmp_path: Path) -> None:
    rows = [
        row_of_file("sub-01", "", "sub-01_run-01_T1w.nii.gz"),
        row_of_file("sub-01", "", "sub-01_run-02_T1w.nii.gz"),
        row_without_scan("sub-02", "ses-1"),
    ]
    choose_scans(rows)
    scans = pd.DataFrame(rows, columns=list(COLUMNS))
    write_table(scans, tmp_path / "scans.tsv", describe_scans())
    pd.testing.assert_frame_equal(read_scans(tmp_path / "scans.tsv"), scans)


def test_every_column_is_described() -> None:
    assert tuple(describe_scans()) == COLUMNS


def test_rows_with_a_reason_are_no_candidates() -> None:
    rows = [row_of_file("sub-01", "", f"sub-01_run-{run}_T1w.nii.gz") for run in (1, 2)]
    rows[0]["reason"] = "broken"
    choose_scans(rows)
    assert [row["chosen"] for row in rows] == [False, True]
    assert rows[0]["reason"] == "broken"
