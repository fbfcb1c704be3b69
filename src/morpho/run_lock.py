"""One run at a time in an output folder: two would write the same files, and waste the hours of one of them."""

from __future__ import annotations

import fcntl
import logging
import os
import platform
from datetime import datetime
from pathlib import Path
from typing import TextIO

from morpho.errors import MorphoError

LOGGER = logging.getLogger(__name__)

LOCK_FILE = ".morpho.lock"


class RunLockError(MorphoError):
    """Another run is at work in the output folder."""


def hold_lock(output_dir: str | Path) -> TextIO:
    """Take the lock of an output folder; the system gives it back when the process ends, however it ends.

    Parameters
    ----------
    output_dir
        Folder of the results; it is made.

    Returns
    -------
    The open lock file: the lock is held as long as it is open. A file system that cannot lock gives a warning instead.

    Raises
    ------
    RunLockError
        If another process holds it.
    """
    folder = Path(output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / LOCK_FILE).open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.seek(0)
        holder = file.read().strip() or "an unknown process"
        file.close()
        message = (
            f"Another run is at work in {folder.absolute()} ({holder}). Wait until it is done or stop it, or set "
            "output_dir to another folder. Nothing was changed."
        )
        raise RunLockError(message) from error
    except OSError as error:  # such as Lustre that is mounted without flock
        LOGGER.warning("%s cannot be locked (%s). See to it that no second run works in it", folder.absolute(), error)
    file.truncate(0)
    file.write(f"process {os.getpid()} on {platform.node()}, since {datetime.now():%Y-%m-%d %H:%M}\n")
    file.flush()
    return file
