"""A script stamps its tables with what made them, and hands on what the scans behind them were measured with."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from morpho.job_start import digest_settings, find_measured_with, start_job
from morpho.tables import stamp_tables, write_table

WITH = {"code": "c", "atlas": "a", "template": "t", "weights": "w", "settings": "s"}
TABLE, COLUMNS = pd.DataFrame({"n": [1]}), {"n": {"Description": "Number"}}


@pytest.fixture(autouse=True)
def _leave_no_trace() -> Iterator[None]:
    """Give back the logging and the stamp of the test process."""
    root = logging.getLogger()
    before = list(root.handlers), root.level
    yield
    stamp_tables({})
    for handler in [handler for handler in root.handlers if handler not in before[0]]:
        root.removeHandler(handler)
        handler.close()
    for handler in before[0]:
        root.addHandler(handler)
    root.setLevel(before[1])
    logging.captureWarnings(capture=False)


def write_stamped(path: Path, **made_with: object) -> str:
    stamp_tables(made_with)
    write_table(TABLE, path, COLUMNS)
    stamp_tables({})
    return str(path)


def run(folder: Path, inputs: list[str], **params: object) -> dict[str, object]:
    """Start a job, write a table as its script would, and give the stamp."""
    start_job(SimpleNamespace(log=[str(folder / "a.log")], input=inputs, params=params))
    write_table(TABLE, folder / "out.tsv", COLUMNS)
    content = json.loads((folder / "out.json").read_text(encoding="utf-8"))
    assert content["n"] == COLUMNS["n"]
    return content["MadeWith"]


def test_a_table_says_with_which_code_and_settings_it_was_made(tmp_path: Path) -> None:
    stamp = run(tmp_path, [], code="0123", confidence=0.95)
    assert stamp == {"Code": "0123", "Settings": digest_settings({"confidence": 0.95})}
    assert run(tmp_path, [], code="0123", confidence=0.9)["Settings"] != stamp["Settings"]


def test_what_scans_were_measured_with_goes_from_table_to_table(tmp_path: Path) -> None:
    cohort = write_stamped(tmp_path / "cohort.tsv", Code="x", MeasuredWith=WITH, Software={"numpy": "2"})
    assert run(tmp_path, [str(tmp_path / "absent.tsv"), cohort], code="0123")["MeasuredWith"] == WITH


def test_tables_without_stamp_say_nothing(tmp_path: Path) -> None:
    write_table(TABLE, tmp_path / "plain.tsv", COLUMNS)
    image = tmp_path / "image.nii.gz"
    image.write_bytes(b"")
    assert (
        find_measured_with([str(image), str(tmp_path / "plain.tsv"), write_stamped(tmp_path / "b.tsv", Code="x")]) == {}
    )
