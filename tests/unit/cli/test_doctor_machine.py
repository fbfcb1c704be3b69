"""Memory, disk, rights: what is too little, and what to do."""

import os
from collections import namedtuple
from pathlib import Path

import pytest

from morpho.cli.doctor_machine import (
    check_cache,
    check_disk,
    check_machine,
    check_memory,
    check_temporary,
    check_umask,
    read_umask,
)
from morpho.cli.machine import Memory

Usage = namedtuple("Usage", "total used free")


@pytest.mark.parametrize(
    ("memory", "verdict"),
    [
        (Memory(16_000, 8_000, None), "ok"),
        (Memory(16_000, 1_000, None), "note"),
        (Memory(16_000, 8_000, 2_000), "fail"),
        (Memory(2_000, 1_900, None), "fail"),
        (Memory(None, None, None), "note"),
    ],
)
def test_memory_must_hold_one_scan(memory: Memory, verdict: str) -> None:
    assert check_memory(memory).verdict == verdict


@pytest.mark.parametrize(("free_mb", "verdict"), [(100, "fail"), (5_000, "note"), (50_000, "ok")])
def test_room_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_mb: int, verdict: str) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(0, 0, free_mb * 1_000_000))
    finding = check_disk(tmp_path / "not" / "made" / "yet")
    assert finding.verdict == verdict
    assert f"{free_mb} MB free" in finding.value


def test_disk_that_cannot_be_written_to_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    finding = check_disk(tmp_path)
    assert finding.verdict == "fail"
    assert "cannot be written to" in finding.remedy


def test_missing_place_for_temporary_files_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_temporary().verdict in {"ok", "note"}
    monkeypatch.setattr("tempfile.tempdir", "/no/such/folder")
    assert check_temporary().verdict == "fail"


def test_missing_place_for_caches_is_noted(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert check_cache({"XDG_CACHE_HOME": str(tmp_path)}).verdict == "ok"
    assert check_cache({"XDG_CACHE_HOME": str(tmp_path / "file" / "x")}).verdict == "note"


@pytest.mark.parametrize(("umask", "verdict"), [(0o022, "ok"), (0o077, "ok"), (0o000, "note"), (0o277, "fail")])
def test_rights_of_new_files(umask: int, verdict: str) -> None:
    assert check_umask(umask).verdict == verdict


def test_reading_the_umask_leaves_it_as_it_is() -> None:
    before = read_umask()
    assert read_umask() == before


def test_everything_is_looked_at_once(tmp_path: Path) -> None:
    names = [finding.what for finding in check_machine(tmp_path)]
    assert names == ["cores", "memory", "disk", "temporary files", "cache", "umask", "letters"]
