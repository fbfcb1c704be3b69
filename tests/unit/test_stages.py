"""Stages of a scan: what is done and intact is kept, what changed is done again with all that follows."""

import errno
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from morpho.disk import DiskFullError
from morpho.errors import ImageError
from morpho.failures import Failure, read_failure, write_killed
from morpho.stages import Stage, run_stages


class Scan:
    """Three stages in a folder, each of which appends a letter to what it reads; `ran` lists those that ran."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.ran = folder, []
        self.raw, self.record = folder / "raw", folder / "record.json"
        self.settings = {"a": 1, "b": 1, "c": 1}
        self.broken: dict[str, BaseException] = {}
        self.raw.write_text("raw", encoding="utf-8")

    def output(self, name: str) -> Path:
        return self.folder / f"out_{name}"

    def stage(self, name: str, source: Path) -> Stage:
        def work() -> None:
            self.ran.append(name)
            if name in self.broken:
                raise self.broken[name]
            text = source.read_text(encoding="utf-8") + name + str(self.settings[name])
            self.output(name).write_text(text, encoding="utf-8")

        return Stage(name, work, (source,), (self.output(name),), {"setting": self.settings[name]})

    def run(self, announce: Callable[[str], None] = lambda _: None):
        self.ran.clear()
        sources = (self.raw, self.output("a"), self.output("b"))
        stages = [self.stage(name, source) for name, source in zip("abc", sources, strict=True)]
        return run_stages(stages, self.record, about={"MeasuredWith": "x"}, log="the.log", announce=announce)


@pytest.fixture
def scan(tmp_path: Path) -> Scan:
    return Scan(tmp_path)


def test_all_stages_run_once_and_none_runs_again(scan: Scan) -> None:
    announced: list[str] = []
    assert scan.run(announced.append) is None
    assert scan.ran == announced == ["a", "b", "c"]
    assert scan.output("c").read_text() == "rawa1b1c1"
    assert scan.run() is None
    assert scan.ran == []


def test_a_changed_setting_runs_its_stage_and_what_follows(scan: Scan) -> None:
    scan.run()
    scan.settings["b"] = 2
    scan.run()
    assert scan.ran == ["b", "c"]
    assert scan.output("c").read_text() == "rawa1b2c1"


def test_a_changed_raw_scan_runs_everything(scan: Scan) -> None:
    scan.run()
    scan.raw.write_text("other", encoding="utf-8")
    scan.run()
    assert scan.ran == ["a", "b", "c"]


@pytest.mark.parametrize("damage", ["delete", "cut", "same length"])
def test_a_damaged_output_is_made_again_and_nothing_else(scan: Scan, damage: str) -> None:
    """A damaged file is told by its content, not by its date; what is made again is the same, so the rest stays."""
    scan.run()
    whole = scan.output("b").read_text()
    if damage == "delete":
        scan.output("b").unlink()
    else:
        scan.output("b").write_text(whole[:-1] + ("" if damage == "cut" else "?"), encoding="utf-8")
    scan.run()
    assert scan.ran == ["b"]
    assert scan.output("b").read_text() == whole


def test_a_failure_is_a_note_in_all_that_is_not_made_and_keeps_what_is(scan: Scan) -> None:
    scan.run()
    scan.settings["b"] = 2
    scan.broken["b"] = ImageError("no brain")
    failure = scan.run()
    assert failure is not None
    assert (failure.stage, failure.reason, failure.log, failure.code) == (
        "b",
        "no brain",
        "the.log",
        "unreadable_image",
    )
    assert read_failure(scan.output("a")) is None
    assert read_failure(scan.output("b")) == read_failure(scan.output("c")) == failure
    del scan.broken["b"]
    assert scan.run() is None
    assert scan.ran == ["b", "c"]
    assert scan.output("c").read_text() == "rawa1b2c1"


def test_memory_that_ran_out_is_named_with_what_to_do(scan: Scan) -> None:
    scan.broken["c"] = MemoryError()
    failure = scan.run()
    assert failure is not None
    assert "memory ran out" in failure.reason
    assert "more memory" in failure.reason


def test_a_full_disk_is_no_failure_of_the_scan(scan: Scan) -> None:
    cause = OSError(errno.ENOSPC, "No space left on device")
    scan.broken["b"] = ImageError("could not be written")
    scan.broken["b"].__cause__ = cause
    with pytest.raises(DiskFullError, match=r"is full .* Make room .* give the same command again"):
        scan.run()
    assert not scan.output("b").exists()
    del scan.broken["b"]
    scan.run()
    assert scan.ran == ["b", "c"]


def test_what_a_killed_stage_left_half_written_is_removed(scan: Scan) -> None:
    half = scan.folder / ".out_b.0123456789abcdef.tmp"
    other = scan.folder / ".out_z.0123456789abcdef.tmp"
    half.write_text("ha", encoding="utf-8")
    other.write_text("ha", encoding="utf-8")
    scan.run()
    assert not half.exists()
    assert other.exists()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"Stages": 3}', "\x00\xff"])
def test_a_damaged_record_costs_time_and_nothing_else(scan: Scan, content: str) -> None:
    scan.run()
    scan.record.write_text(content, encoding="utf-8")
    scan.run()
    assert scan.ran == ["a", "b", "c"]
    assert json.loads(scan.record.read_text())["MeasuredWith"] == "x"


def test_a_killed_scan_keeps_what_is_done_and_loses_what_is_old(scan: Scan) -> None:
    """Stage b has a new setting, c was running when it was killed: its old output must not pass for a new one."""
    scan.run()
    scan.settings["b"] = 2
    scan.broken["c"] = KeyboardInterrupt()  # goes through, as a kill does
    with pytest.raises(KeyboardInterrupt):
        scan.run()
    assert scan.output("c").read_text() == "rawa1b1c1"
    killed = Failure("c", "killed", "the.log")
    write_killed(killed, [scan.output(name) for name in "abc"] + [scan.record], scan.record)
    assert read_failure(scan.output("c")) == killed
    assert read_failure(scan.output("b")) is None
    del scan.broken["c"]
    scan.run()
    assert scan.ran == ["c"]
    assert scan.output("c").read_text() == "rawa1b2c1"


@pytest.mark.parametrize("record", [None, "{", "[]", '{"Stages": {"a": 1}}'])
def test_a_scan_killed_before_anything_was_done_is_a_note_everywhere(scan: Scan, record: str | None) -> None:
    if record is not None:
        scan.record.write_text(record, encoding="utf-8")
    killed = Failure("a", "killed", "the.log")
    outputs = [scan.output("a"), scan.output("c"), scan.record]
    write_killed(killed, outputs, scan.record)
    assert [read_failure(path) for path in outputs] == [killed] * 3
