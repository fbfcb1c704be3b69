"""What a machine, a container or a batch job gives."""

import os
from pathlib import Path

import pytest

from morpho.cli import machine
from morpho.cli.machine import Memory, cache_folder, count_cores, is_writable, measure_memory, with_cache

MEMINFO = "MemTotal:       16000000 kB\nMemFree: 1 kB\nMemAvailable:    8000000 kB\n"


def test_steps_may_use_most_of_what_the_narrower_limit_leaves() -> None:
    assert Memory(16_000, 8_000, None).usable_mb == 14_400
    assert Memory(16_000, 8_000, 4_000).usable_mb == 3_600
    assert Memory(None, None, None).usable_mb is None


def test_memory_of_linux_is_read_in_megabytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_cgroup_folders", list)
    (tmp_path / "meminfo").write_text(MEMINFO, encoding="ascii")
    assert measure_memory(tmp_path / "meminfo") == Memory(16_384, 8_192, None)


@pytest.mark.parametrize(("name", "text"), [("memory.max", "2000000000"), ("memory.limit_in_bytes", "2000000000")])
def test_limit_of_a_container_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    (tmp_path / "meminfo").write_text(MEMINFO, encoding="ascii")
    (tmp_path / name).write_text(f"{text}\n", encoding="ascii")
    monkeypatch.setattr(machine, "_cgroup_folders", lambda: [tmp_path, tmp_path / "absent"])
    assert measure_memory(tmp_path / "meminfo").limit_mb == 2000


def test_limit_above_the_memory_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "meminfo").write_text(MEMINFO, encoding="ascii")
    (tmp_path / "memory.max").write_text("max\n", encoding="ascii")
    (tmp_path / "memory.limit_in_bytes").write_text("9223372036854771712\n", encoding="ascii")
    monkeypatch.setattr(machine, "_cgroup_folders", lambda: [tmp_path])
    assert measure_memory(tmp_path / "meminfo").limit_mb is None


@pytest.mark.parametrize(("quota", "cores"), [("150000 100000", 1), ("max 100000", 8), ("400000 100000", 4)])
def test_quota_limits_the_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quota: str, cores: int) -> None:
    (tmp_path / "cpu.max").write_text(f"{quota}\n", encoding="ascii")
    monkeypatch.setattr(machine, "_cgroup_folders", lambda: [tmp_path])
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert count_cores() == cores


def test_affinity_limits_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_cgroup_folders", list)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3}, raising=False)
    assert count_cores() == 1


def test_cache_goes_elsewhere_only_if_its_own_place_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    fine = {"HOME": str(tmp_path), "A": "1"}
    assert with_cache(fine, tmp_path / "cache") == fine
    changed = with_cache({"XDG_CACHE_HOME": str(tmp_path / "file" / "inside")}, tmp_path / "cache")
    assert changed["XDG_CACHE_HOME"] == str(tmp_path / "cache")


def test_cache_folder_is_the_one_that_was_named(tmp_path: Path) -> None:
    assert cache_folder({"XDG_CACHE_HOME": str(tmp_path), "HOME": "/x"}) == tmp_path
    assert is_writable(tmp_path / "to" / "be" / "made")
