"""What a user sees while steps run: counts, the time left, a bar on a terminal, plain lines elsewhere, no spam."""

import os
import re
import subprocess
import sys
from collections import Counter
from io import StringIO
from logging import INFO, LogRecord
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from snakemake_interface_logger_plugins.common import LogEvent
from snakemake_interface_logger_plugins.registry import LoggerPluginRegistry
from snakemake_interface_logger_plugins.tests import MockOutputSettings, TestLogHandlerBase

from morpho.failures import Failure, write_failure
from snakemake_logger_plugin_morpho import LogHandler
from snakemake_logger_plugin_morpho.handler import find_failure, last_lines, was_interrupted
from snakemake_logger_plugin_morpho.progress import (
    Progress,
    Step,
    TimeLeft,
    estimate_time_left,
    format_bar,
    format_step,
    format_time_left,
)
from snakemake_logger_plugin_morpho.screen import Screen

SNAKEFILE = """
rule all:
    default_target: True
    input: "out.txt"
rule make:
    output: "{scan}.txt"
    log: "logs/make/{scan}.log"
    shell: "echo 'disk is full' > {log}; test {wildcards.scan} != sub-02 && touch {output}"
rule join:
    input: "sub-01.txt", SECOND
    output: "out.txt"
    shell: "touch {output}"
OUT = "."
include: MESSAGES
"""
MESSAGES = Path(__file__).parents[2] / "workflow" / "rules" / "messages.smk"


class Settings(MockOutputSettings):
    """A run as most users start it."""

    def __init__(self, **changes: object) -> None:
        super().__init__()
        self.printshellcmds = False
        vars(self).update(changes)


class Terminal(StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True

    def lines(self) -> list[str]:
        """Give what stands on it, line by line: a carriage return goes back, and "erase" takes the rest away."""
        shown, column = [""], 0
        for part in re.split(r"(\r|\n|\x1b\[K)", self.getvalue()):
            if part == "\n":
                shown, column = [*shown, ""], 0
            elif part == "\r":
                column = 0
            elif part == "\x1b[K":
                shown[-1] = shown[-1][:column]
            else:
                shown[-1] = shown[-1][:column] + part + shown[-1][column + len(part) :]
                column += len(part)
        return shown


def record(event: LogEvent | None, message: str = "", *, at_s: float = 0.0, **fields: object) -> LogRecord:
    made = LogRecord("snakemake", INFO, "workflow.py", 1, message, (), None)
    vars(made).update({"created": at_s, "event": event} if event else {"created": at_s})
    vars(made).update(fields)
    return made


def started(number: int, rule: str, scan: str, at_s: float, **fields: object) -> LogRecord:
    wildcards = {"folder": scan, "scan": scan}
    return record(LogEvent.JOB_INFO, at_s=at_s, jobid=number, rule_name=rule, wildcards=wildcards, **fields)


def finished(number: int, at_s: float) -> LogRecord:
    return record(LogEvent.JOB_FINISHED, at_s=at_s, job_id=number)


def show(*records: LogRecord, **settings: object) -> None:
    """Let a new handler write messages, as Snakemake would."""
    handler = LogHandler(Settings(**settings), None)
    for each in records:
        handler.emit(each)
    handler.close()


PLAN = [
    record(LogEvent.RESOURCES_INFO, "Provided cores: 2", cores=2),
    record(LogEvent.RUN_INFO, "Job stats:", stats={"segment": 4, "report": 1, "total": 5}),
]


@pytest.mark.parametrize(
    ("durations", "waiting", "running", "n_cores", "expected"),
    [
        ({"a": [8.0, 12.0]}, {"a": 4}, [], 2, TimeLeft(20.0, at_least=False)),
        ({"a": [10.0], "b": [1.0]}, {"a": 3, "b": 10}, [], 4, TimeLeft(10.0, at_least=False)),
        ({"a": [10.0]}, {}, [("a", 4.0)], 2, TimeLeft(6.0, at_least=False)),
        ({"a": [10.0]}, {"a": 1}, [("a", 99.0)], 1, TimeLeft(10.0, at_least=False)),
        ({"a": [10.0]}, {"a": 9, "b": 1}, [], 1, TimeLeft(100.0, at_least=False)),
        ({"a": [10.0]}, {"a": 1, "b": 9}, [], 1, TimeLeft(10.0, at_least=True)),
        ({"a": [10.0]}, {"b": 9}, [], 1, None),
        ({}, {"a": 9}, [("a", 3.0)], 1, None),
        ({"a": [10.0]}, {}, [], 1, None),
    ],
    ids=["cores share", "longest step", "runs", "overdue", "few unknown", "many unknown", "unknown", "start", "end"],
)
def test_the_time_left_is_the_work_left_over_the_cores(
    durations: dict[str, list[float]],
    waiting: dict[str, int],
    running: list[tuple[str, float]],
    n_cores: int,
    expected: TimeLeft | None,
) -> None:
    assert estimate_time_left(durations, waiting, running, n_cores) == expected


@given(st.lists(st.floats(0.1, 1e4), min_size=1), st.integers(1, 50), st.integers(1, 16), st.floats(0.5, 4))
def test_slower_steps_take_longer_in_proportion_and_more_cores_never_do(
    seconds: list[float], n_waiting: int, n_cores: int, factor: float
) -> None:
    def left(scale: float, cores: int) -> float:
        found = estimate_time_left({"a": [scale * each for each in seconds]}, {"a": n_waiting}, [], cores)
        assert found is not None
        return found.seconds

    assert left(factor, n_cores) == pytest.approx(factor * left(1, n_cores))
    assert left(1, n_cores + 1) <= left(1, n_cores)


@pytest.mark.parametrize(
    ("left", "text"),
    [
        (None, ""),
        (TimeLeft(2.0, at_least=False), "about 10 s left"),
        (TimeLeft(9.0, at_least=True), ""),
        (TimeLeft(44.0, at_least=False), "about 40 s left"),
        (TimeLeft(9.4 * 60, at_least=False), "about 9 min left"),
        (TimeLeft(119.0, at_least=True), "at least 1 min left"),
        (TimeLeft(3600.0, at_least=False), "about 1 h left"),
        (TimeLeft(26 * 3600.0, at_least=False), "about 1 d 2 h left"),
    ],
)
def test_the_time_left_is_no_finer_than_it_is_known(left: TimeLeft | None, text: str) -> None:
    assert format_time_left(left) == text


@given(st.floats(0, 1e6))
def test_a_lower_limit_is_never_above_what_is_known(seconds: float) -> None:
    text = format_time_left(TimeLeft(seconds, at_least=True))
    units = {"s": 1, "min": 60, "h": 3600, "d": 86400}
    assert sum(int(number) * units[unit] for number, unit in re.findall(r"(\d+) (s|min|h|d)\b", text)) <= seconds


def test_a_step_that_is_tried_again_counts_once() -> None:
    progress = Progress()
    progress.plan({"a": 2})
    progress.start(1, Step("a", "sub-01", 0.0))
    assert progress.fail(1, 3.0) == 3.0
    assert (progress.failed, progress.planned["a"]) == ({1}, 1)
    progress.start(1, Step("a", "sub-01", 10.0))
    assert progress.finish(1, 14.0) == (Step("a", "sub-01", 10.0), 4.0)
    assert (progress.failed, progress.planned["a"], progress.n_done) == (set(), 1, 1)
    assert progress.time_left(14.0) == TimeLeft(4.0, at_least=False)


def test_the_line_of_a_step_has_count_duration_share_and_time_left() -> None:
    progress = Progress(n_cores=1, n_steps=156, n_done=37, planned=Counter({"measure_scan": 119}), what_width=6)
    progress.durations_s["measure_scan"] = [4.5]
    line = format_step(progress, Step("measure_scan", "sub-12", 0.0), "8 s", 8.0)
    assert " ".join(line.split()) == "[ 37/156] measure_scan sub-12 8 s 23 % done, about 9 min left"
    assert "left" not in format_step(Progress(n_steps=1, n_done=1), Step("all", "", 0.0), "0 s", 8.0)


def test_the_bar_fits_the_terminal_and_fills_with_the_share_done() -> None:
    progress = Progress(n_steps=4, n_done=1, failed={9})
    progress.start(3, Step("segment", "sub-12", 0.0))
    bar = format_bar(progress, 1.0, 120)
    assert bar == "[######..................]  25 % done; 1 failed; now segment sub-12"
    assert format_bar(progress, 1.0, 30) == bar[:29]


def test_into_a_pipe_go_plain_lines_alone() -> None:
    stream = StringIO()
    screen = Screen(stream, lambda _: "bar", colour=True)
    screen.start_bar()
    screen.write_lines("one\ntwo")
    screen.write_lines("trouble", alarm=True)
    screen.close()
    assert stream.getvalue() == "one\ntwo\ntrouble\n"


def test_on_a_terminal_the_bar_stays_below_the_lines_and_goes_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    screen = Screen(terminal, lambda width: f"bar of {width}", colour=True)
    screen.start_bar()
    screen.write_lines("a step")
    screen.write_lines("trouble", alarm=True)
    assert terminal.lines() == ["a step", "\x1b[31mtrouble\x1b[0m", "bar of 80"]
    screen.close()
    assert terminal.lines()[-1] == ""
    assert "bar" not in "".join(terminal.lines())


def test_what_another_process_writes_goes_over_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    screen = Screen(terminal, lambda _: "bar", colour=False)
    screen.start_bar()
    screen.write_lines("a step")
    terminal.write("message\n")
    screen.close()
    assert terminal.lines() == ["a step", "message", ""]


@pytest.mark.parametrize(("variable", "value"), [("TERM", "dumb"), ("NO_COLOR", "1")])
def test_a_dumb_terminal_gets_no_bar_and_no_color_no_colour(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv(variable, value)
    error = record(LogEvent.JOB_ERROR, jobid=1, rule_name="segment", log=[])
    show(*PLAN, started(1, "segment", "sub-01", 0.0), error)
    assert "\x1b[3" not in terminal.getvalue()
    assert ("\r" in terminal.getvalue()) == (variable == "NO_COLOR")


def test_one_line_per_finished_step_and_no_spam(capsys: pytest.CaptureFixture[str]) -> None:
    chatter = [record(None, text) for text in ("Select jobs to execute...", "Execute 2 jobs...", "None")]
    counted = record(LogEvent.PROGRESS, "None", done=1, total=5)
    steps = [started(1, "segment", "sub-01", 0.0), finished(1, 40.0), counted]
    show(*PLAN, *chatter, *steps, started(2, "segment", "sub-02", 40.0), record(None, "the summary"))
    lines = capsys.readouterr().err.splitlines()
    assert [" ".join(line.split()) for line in lines] == [
        "5 steps to do, 2 at a time",
        "[1/5] segment sub-01 40 s 20 % done, about 1 min left",
        "the summary",
    ]


def test_a_scan_that_cannot_be_measured_is_told_where_it_failed_and_not_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = str(tmp_path / "first"), str(tmp_path / "second")
    write_failure(Failure("segment", "no brain in it", "logs/segment/sub-01.log"), [first, second])
    steps = [
        started(1, "segment", "sub-01", 0.0, output=[first], log=["logs/segment/sub-01.log"]),
        finished(1, 2.0),
        started(2, "report", "sub-01", 2.0, output=[second], log=["logs/report/sub-01.log"]),
        finished(2, 3.0),
    ]
    show(*PLAN, *steps)
    said = capsys.readouterr().err
    assert said.count("sub-01 FAILED and is left out: no brain in it") == 1
    assert "log: logs/segment/sub-01.log" in said
    assert "left out" in said.splitlines()[-1]


def test_find_failure_needs_one_output_that_can_be_read(tmp_path: Path) -> None:
    note, real = tmp_path / "note", tmp_path / "real"
    write_failure(Failure("segment", "empty", "a.log"), [note])
    real.write_bytes(b"\x1f\x8b")
    absent, folder = str(tmp_path / "gone"), str(tmp_path)
    assert find_failure([absent, folder, str(note)]) == Failure("segment", "empty", "a.log")
    assert find_failure([str(real)]) is None
    assert find_failure([absent]) is None


def test_last_lines_are_the_end_of_each_log(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("".join(f"{number}\n" for number in range(100)))
    lines = last_lines([str(tmp_path / "absent.log"), str(tmp_path / "a.log")])
    assert lines[-1] == "99"
    assert len(lines) < 100


def test_quiet_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    steps = [*PLAN, started(1, "segment", "sub-01", 0.0), finished(1, 1.0), record(None, "the summary")]
    show(*steps, quiet={"all"})
    assert capsys.readouterr().err == ""
    show(*steps[:-2], steps[-1], quiet={"progress", "rules"})
    assert capsys.readouterr().err == "the summary\n"


def test_a_step_that_the_user_stops_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    stop = record(None, "Terminating processes on user request, this might take some time.")
    error = record(LogEvent.JOB_ERROR, jobid=1, rule_name="segment", log=[])
    show(*PLAN, started(1, "segment", "sub-01", 0.0), stop, error)
    assert "FAILED" not in capsys.readouterr().err
    assert was_interrupted("Command 'x' died with <Signals.SIGINT: 2>.")
    assert not was_interrupted("returned non-zero exit status 1.")


class TestInterface(TestLogHandlerBase):
    """The tests that Snakemake has for every logger: no message may break it."""

    __test__ = True

    def get_log_handler_cls(self) -> type[LogHandler]:
        return LogHandler

    def get_log_handler_settings(self) -> None:
        return None


def test_snakemake_finds_the_logger() -> None:
    assert LoggerPluginRegistry().get_plugin("morpho").log_handler is LogHandler


def run_snakemake(folder: Path, *arguments: str, second: str = "sub-03.txt") -> subprocess.CompletedProcess[str]:
    (folder / "Snakefile").write_text(f"SECOND, MESSAGES = {second!r}, {str(MESSAGES)!r}\n{SNAKEFILE}")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--scheduler", "greedy", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_a_run_in_a_pipe_has_a_line_per_step_and_no_control_characters(tmp_path: Path) -> None:
    run = run_snakemake(tmp_path, "--logger", "morpho")
    assert run.returncode == 0, run.stderr
    assert run.stdout == ""
    lines = run.stderr.splitlines()
    assert lines[0] == "4 steps to do, 2 at a time"
    assert [line[:5] for line in lines[1:5]] == ["[1/4]", "[2/4]", "[3/4]", "[4/4]"]
    assert lines[5] == ""
    assert lines[6].startswith("Done in ")
    assert lines[7:] == []
    assert sorted(line.split()[1] for line in lines[1:5]) == ["all", "join", "make", "make"]
    assert not re.search(r"[^\x20-\x7e\n]", run.stderr)


def test_a_failing_step_is_named_with_its_reason_and_log(tmp_path: Path) -> None:
    run = run_snakemake(tmp_path, "--logger", "morpho", "--keep-going", second="sub-02.txt")
    assert run.returncode == 1
    assert re.search(r"FAILED make sub-02 after \d+ s: disk is full\n +log: logs/make/sub-02.log", run.stderr)
    assert "STOPPED EARLY: 1 step FAILED, 2 steps not run\n  make sub-02: disk is full\n" in run.stderr
    assert "set -euo pipefail" not in run.stderr


def test_the_summary_comes_with_every_logger(tmp_path: Path) -> None:
    assert re.search(r"^Done in \d+ s$", run_snakemake(tmp_path).stderr, re.MULTILINE)


@pytest.mark.parametrize("arguments", [[], ["--quiet", "rules"]], ids=["all", "quiet"])
def test_a_dry_run_is_as_it_is_without_the_logger(tmp_path: Path, arguments: list[str]) -> None:
    with_it = run_snakemake(tmp_path, "--dry-run", "--logger", "morpho", *arguments)
    without = run_snakemake(tmp_path, "--dry-run", *arguments)
    assert with_it.stderr == without.stderr
    assert re.search(r"^make +2$", with_it.stdout, re.MULTILINE)
    # Times, the command and the order within sets differ between any two runs.
    varying = re.compile(r"^(\[.*|  (Date|Workflow ID|Command): .*)$", re.MULTILINE)
    words = [sorted(re.split(r"[,\s]+", varying.sub("", run.stdout))) for run in (with_it, without)]
    assert words[0] == words[1]


def test_errors_of_the_workflow_itself_are_shown(tmp_path: Path) -> None:
    run = run_snakemake(tmp_path, "--logger", "morpho", "--", "nothing-makes-this")
    assert run.returncode == 1
    assert "MissingRuleException" in run.stderr
