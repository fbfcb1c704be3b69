"""Run work in a child process, so that whatever kills it leaves somebody who can say so."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection

RETRY = "(--forcerun measure_scan; of the command morpho: --retry-failed)"  # how failed scans are tried again
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Ended:
    """How a child ended: its exit status, negative for a signal, and the last stage that it announced."""

    status: int
    stage: str

    @property
    def was_killed(self) -> bool:
        """Whether a signal ended the child."""
        return self.status < 0

    def explain(self) -> str:
        """Say what ended a child that was killed, and what to do."""
        name = signal.Signals(-self.status).name
        if name == "SIGKILL":
            return (
                "the process was killed, mostly because memory ran out. Give a scan more memory or run fewer at a "
                f"time, then try failed scans again {RETRY}"
            )
        return f"the process crashed ({name}). Look at the scan, and report it with its log"


def run_child(work: Callable[[Callable[[str], None]], None]) -> Ended:
    """Run `work` in a forked child and wait for it.

    Parameters
    ----------
    work
        Called in the child with a function to which it announces its stages. An error of it goes through
        ``sys.excepthook`` and makes the status 1.

    Returns
    -------
    How it ended.
    """
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_work_in_child, args=(work, sender))
    child.start()
    sender.close()
    stage = ""
    while True:
        try:
            stage = receiver.recv()
        except EOFError:
            break
    child.join()
    return Ended(child.exitcode if child.exitcode is not None else 1, stage)


def _work_in_child(work: Callable[[Callable[[str], None]], None], sender: Connection) -> None:
    """Work; never outlive the parent."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    try:
        work(sender.send)
    except BaseException:  # noqa: BLE001 - whatever it is, the parent must hear of it
        kind, error, trace = sys.exc_info()
        if kind is not None and error is not None:
            sys.excepthook(kind, error, trace)
        os._exit(1)
