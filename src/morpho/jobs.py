"""What can be said about a step of the workflow: how long it took, and why it failed.

Only the standard library is imported, as the logger of the workflow engine, which starts before everything else, uses
this module too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

LONGEST_REASON = 300
RECORD = re.compile(r"^\d{4}-\d\d-\d\d [\d:,]+ (?P<level>[A-Z]+) [\w.]+: (?P<message>.*)$")
UNCAUGHT = "stopped by an error: "
EXIT_STATUS = re.compile(r"returned non-zero exit status (?P<status>\d+)")
SIGNAL = re.compile(r"died with <Signals\.(?P<signal>SIG[A-Z]+)")
KILLED_STATUS = 137
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86400


def format_duration(seconds: float) -> str:
    """Write a duration for people: ``8 s``, ``2 min 5 s``, ``3 h 20 min``, ``1 d 4 h``."""
    whole = round(seconds)
    if whole < MINUTE_S:
        return f"{whole} s"
    units = ((MINUTE_S, "min", 1, "s"), (HOUR_S, "h", MINUTE_S, "min"), (DAY_S, "d", HOUR_S, "h"))
    large, name, small, small_name = next(unit for unit in reversed(units) if whole >= unit[0])
    rest = whole % large // small
    return f"{whole // large} {name} {rest} {small_name}" if rest else f"{whole // large} {name}"


def find_reason(text: str) -> str:
    """Find in a step's log why the step failed.

    Parameters
    ----------
    text
        Content of the log: lines of `morpho.logs.LINE_FORMAT` with tracebacks between them, or what another program
        wrote.

    Returns
    -------
    One line of at most 300 characters: the message of the last error of `morpho`; the last line of a log that
    another program wrote; "" if the log names no reason.
    """
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    records = [(number, found) for number, line in enumerate(lines) if (found := RECORD.match(line))]
    errors = [(number, found) for number, found in records if found["level"] in {"ERROR", "CRITICAL"}]
    if records and not errors:
        return ""
    if not errors:
        return _shorten(lines[-1]) if lines else ""
    message = errors[-1][1]["message"].removeprefix(UNCAUGHT.rstrip()).strip()
    return _shorten(message or lines[-1])


def read_reason(logs: Iterable[str | Path]) -> str:
    """Find the reason in the first of several logs that names one; "" if none does or none can be read."""
    for log in logs:
        try:
            reason = find_reason(Path(log).read_text(encoding="utf-8", errors="replace"))
        except OSError:
            continue
        if reason:
            return reason
    return ""


def explain_exit(text: str) -> str:
    """Say how a process ended, from the message of Python's `subprocess.CalledProcessError`; "" if it is another one.

    A process that was killed from outside leaves no reason in its log; on Linux it is mostly the kernel that ends the
    process which takes too much memory.
    """
    status, signal = EXIT_STATUS.search(text), SIGNAL.search(text)
    if (status and int(status["status"]) == KILLED_STATUS) or (signal and signal["signal"] == "SIGKILL"):
        return "killed from outside, mostly because memory ran out; give it more memory or run fewer steps at a time"
    if signal:
        return f"ended by {signal['signal']}"
    return f"exit status {status['status']}" if status else ""


def _shorten(line: str) -> str:
    """Cut a line to `LONGEST_REASON` characters."""
    line = line.strip()
    return line if len(line) <= LONGEST_REASON else f"{line[: LONGEST_REASON - 4].rstrip()} ..."
