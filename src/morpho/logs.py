"""Logging of a rule's script: everything that a reviewer may ask goes into the rule's log file."""

from __future__ import annotations

import logging
import sys
import warnings
from pathlib import Path
from types import TracebackType

LINE_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def log_to(path: str | Path) -> None:
    """Send logging, warnings and uncaught errors of this process to a file.

    Parameters
    ----------
    path
        Log file; its folder is made, an earlier log is replaced.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, mode="w", encoding="utf-8")
    handler.setFormatter(logging.Formatter(LINE_FORMAT))
    root = logging.getLogger()
    for previous in list(root.handlers):
        root.removeHandler(previous)
    root.setLevel(logging.INFO)
    root.addHandler(handler)
    logging.captureWarnings(capture=True)
    warnings.simplefilter("default")
    sys.excepthook = _log_uncaught


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Write an uncaught error with its traceback to the log; the workflow's own logger shows the end of it."""
    if issubclass(kind, KeyboardInterrupt):
        logging.getLogger("morpho").warning("stopped by the user")
        return
    logging.getLogger("morpho").error("stopped by an error: %s", error, exc_info=(kind, error, trace))
