"""Only scans that failed are tried again."""

from pathlib import Path

import pytest

from morpho.cli import failed_scans
from morpho.cli.failed_scans import find_failed, retry_options
from morpho.failures import Failure, write_failure

SUFFIX = "seg-x_desc-volumes_morph.tsv"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Make results of three scans, one with sessions; the second and the third failed."""
    for scan, folder in {"sub-1": "sub-1", "sub-2": "sub-2", "sub-3_ses-a": "sub-3/ses-a"}.items():
        (tmp_path / folder / "anat").mkdir(parents=True)
        (tmp_path / folder / "anat" / f"{scan}_{SUFFIX}").write_text("roi\tvolume_mm3\n", encoding="utf-8")
    failed = [tmp_path / "sub-2" / "anat" / f"sub-2_{SUFFIX}", tmp_path / "sub-3/ses-a/anat" / f"sub-3_ses-a_{SUFFIX}"]
    write_failure(Failure("segment", "no reason", "log"), failed)
    return tmp_path


def test_notes_of_failures_are_found_with_and_without_sessions(results: Path) -> None:
    assert [path.name for path in find_failed(results)] == [f"sub-2_{SUFFIX}", f"sub-3_ses-a_{SUFFIX}"]


def test_nothing_is_forced_where_nothing_failed(results: Path, tmp_path: Path) -> None:
    assert retry_options(results / "sub-1") == []
    assert retry_options(tmp_path / "not made yet") == []


def test_failed_scans_are_forced_by_name_unless_they_are_too_many(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert retry_options(results) == ["--forcerun", *map(str, find_failed(results))]
    monkeypatch.setattr(failed_scans, "MOST_FILES", 1)
    assert retry_options(results) == ["--forcerun", "measure_scan"]
