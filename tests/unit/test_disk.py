"""Full disks are told from other faults, and files appear whole or not at all."""

import errno
from pathlib import Path

import pytest

from morpho.disk import describe_room, free_mb, is_disk_full, remove_leftovers, temporary_path, write_whole


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_seen_behind_other_errors(tmp_path: Path, number: int) -> None:
    outer = RuntimeError("could not write")
    outer.__cause__ = OSError(number, "no room")
    assert is_disk_full(outer, tmp_path)


@pytest.mark.parametrize("error", [OSError(errno.EACCES, "denied"), ValueError("x"), RuntimeError("y")])
def test_other_errors_are_not_blamed_on_the_disk(tmp_path: Path, error: Exception) -> None:
    assert not is_disk_full(error, tmp_path)


def test_a_file_replaces_the_old_one_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "folder" / "target"
    write_whole(b"old", target)
    write_whole(b"new", target)
    assert target.read_bytes() == b"new"
    assert [path.name for path in target.parent.iterdir()] == ["target"]


def test_leftovers_of_a_file_are_removed_and_the_file_stays(tmp_path: Path) -> None:
    target = tmp_path / "a.nii.gz"
    temporary_path(target).write_text("half", encoding="utf-8")
    target.write_text("whole", encoding="utf-8")
    remove_leftovers([target, tmp_path / "absent" / "b"])
    assert [path.name for path in tmp_path.iterdir()] == ["a.nii.gz"]


def test_too_little_room_is_said_before_the_start() -> None:
    assert describe_room(80, 2000.0) == ""
    said = describe_room(1000, 2000.0)
    assert "2.0 GB free" in said
    assert "1000 scans take about 25.0 GB" in said


def test_room_of_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    assert free_mb(tmp_path / "a" / "b") == pytest.approx(free_mb(tmp_path), rel=0.05)
