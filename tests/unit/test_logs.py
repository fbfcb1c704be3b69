"""A rule's log holds all that its script has to say. Each script is a process of its own, and so it is here."""

import subprocess
import sys
from pathlib import Path

import pytest

START = "import logging, sys, warnings; from morpho.logs import log_to; log_to(sys.argv[1]); "


def run(code: str, log: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", START + code, str(log)], capture_output=True, text=True, check=False)


def test_messages_and_warnings_go_to_the_file_and_not_to_the_terminal(tmp_path: Path) -> None:
    log = tmp_path / "new" / "a.log"
    done = run("logging.getLogger('morpho.x').info('12 scans'); warnings.warn('odd header')", log)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    lines = log.read_text(encoding="utf-8").splitlines()
    assert lines[0].endswith("INFO morpho.x: 12 scans")
    assert "WARNING py.warnings" in lines[1]
    assert "odd header" in lines[1]


def test_detail_below_info_is_left_out(tmp_path: Path) -> None:
    run("logging.getLogger('nibabel').debug('noise')", tmp_path / "a.log")
    assert (tmp_path / "a.log").read_text() == ""


def test_errors_do_not_break_the_lines_of_progress(tmp_path: Path) -> None:
    done = run("logging.getLogger('morpho').error('no brain in sub-01')", tmp_path / "a.log")
    assert done.stderr == ""
    assert "ERROR morpho: no brain in sub-01" in (tmp_path / "a.log").read_text()


def test_uncaught_error_stops_the_script_and_leaves_its_traceback(tmp_path: Path) -> None:
    done = run("raise ValueError('impossible é')", tmp_path / "a.log")
    assert done.returncode == 1
    text = (tmp_path / "a.log").read_text(encoding="utf-8")
    assert "stopped by an error: impossible é" in text
    assert "Traceback (most recent call last)" in text
    assert "ValueError: impossible é" in text


def test_being_stopped_by_the_user_is_no_error(tmp_path: Path) -> None:
    done = run("raise KeyboardInterrupt", tmp_path / "a.log")
    assert done.returncode != 0
    assert (done.stderr, (tmp_path / "a.log").read_text().count("Traceback")) == ("", 0)
    assert "WARNING morpho: stopped by the user" in (tmp_path / "a.log").read_text()


def test_earlier_log_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("of the run before")
    run("logging.info('now')", tmp_path / "a.log")
    text = (tmp_path / "a.log").read_text()
    assert "before" not in text
    assert text.count("now") == 1


@pytest.mark.parametrize("handlers", [1, 2])
def test_second_call_takes_over_completely(tmp_path: Path, handlers: int) -> None:
    second = tmp_path / "second.log"
    run(f"log_to({str(second)!r}); " * handlers + "logging.info('once')", tmp_path / "first.log")
    assert second.read_text().count("once") == 1
    assert (tmp_path / "first.log").read_text() == ""
