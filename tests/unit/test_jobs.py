"""Why a step failed, in one line, from the logs that steps of morpho and other programs leave."""

import subprocess
import sys
from pathlib import Path

import pytest

from morpho.jobs import LONGEST_REASON, explain_exit, find_reason, format_duration, read_reason


def log_of(code: str, log: Path) -> str:
    """Run code as a rule's script runs; give what is in its log."""
    start = "import logging, sys; from morpho.logs import log_to; log_to(sys.argv[1])\n"
    subprocess.run([sys.executable, "-c", start + code, str(log)], capture_output=True, check=False)
    return log.read_text(encoding="utf-8")


def test_the_message_of_an_uncaught_error_is_the_reason(tmp_path: Path) -> None:
    code = "logging.getLogger('morpho').warning('odd header')\nraise ValueError('no brain in it')"
    assert find_reason(log_of(code, tmp_path / "a.log")) == "no brain in it"


def test_an_error_without_words_is_known_by_its_name(tmp_path: Path) -> None:
    assert find_reason(log_of("raise MemoryError", tmp_path / "a.log")) == "MemoryError"


def test_the_last_of_several_errors_is_the_reason(tmp_path: Path) -> None:
    code = "for what in ('first', 'last'): logging.getLogger('morpho').error('the %s error', what)\nlogging.info('end')"
    assert find_reason(log_of(code, tmp_path / "a.log")) == "the last error"


def test_a_log_of_morpho_without_error_names_no_reason(tmp_path: Path) -> None:
    assert find_reason(log_of("logging.info('24 scans')", tmp_path / "a.log")) == ""


@pytest.mark.parametrize(("text", "reason"), [("", ""), ("\n \n", ""), ("copying\ndisk is full\n\n", "disk is full")])
def test_the_last_line_of_another_programs_log_is_the_reason(text: str, reason: str) -> None:
    assert find_reason(text) == reason


def test_a_reason_is_no_longer_than_it_may_be() -> None:
    assert len(find_reason("x" * 5000)) == LONGEST_REASON
    assert find_reason("y" * LONGEST_REASON) == "y" * LONGEST_REASON


def test_the_first_log_with_a_reason_counts_and_absent_ones_do_not(tmp_path: Path) -> None:
    (tmp_path / "empty.log").write_text("")
    (tmp_path / "full.log").write_bytes(b"disk \xff full\n")
    logs = [tmp_path / name for name in ("absent.log", "empty.log", "full.log")]
    assert read_reason(logs) == "disk � full"
    assert read_reason(logs[:2]) == ""


def message_of(command: str) -> str:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        subprocess.run(["bash", "-c", command], check=True)
    return str(caught.value)


def test_how_a_process_ended_is_read_from_the_message_of_python_itself() -> None:
    assert explain_exit(message_of("exit 3")) == "exit status 3"
    assert explain_exit(message_of("kill -TERM $$")) == "ended by SIGTERM"
    assert explain_exit("another message") == ""


@pytest.mark.parametrize("command", ["kill -KILL $$", "bash -c 'kill -KILL $$'; exit $?"])
def test_a_killed_process_is_said_to_lack_memory(command: str) -> None:
    assert "memory" in explain_exit(message_of(command))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "0 s"),
        (8, "8 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (125, "2 min 5 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h"),
        (12000, "3 h 20 min"),
        (86400 + 4 * 3600 + 59, "1 d 4 h"),
    ],
)
def test_durations_are_written_for_people(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
