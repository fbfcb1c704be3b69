"""One run at a time in an output folder; a killed run leaves no lock behind."""

import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from morpho.run_lock import RunLockError, hold_lock

HOLD = """
import sys, time
from morpho.run_lock import hold_lock
lock = hold_lock(sys.argv[1])
print("held", flush=True)
time.sleep(60)
"""


def test_the_second_run_is_refused_and_told_who_is_first(tmp_path: Path) -> None:
    first = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE)
    assert first.stdout is not None
    first.stdout.readline()
    with pytest.raises(
        RunLockError, match=rf"Another run is at work in .*process {first.pid} on .* Nothing was changed"
    ):
        hold_lock(tmp_path)
    first.kill()
    first.wait()
    first.stdout.close()
    hold_lock(tmp_path).close()


def test_other_folders_are_free(tmp_path: Path) -> None:
    one, other = hold_lock(tmp_path / "one"), hold_lock(tmp_path / "other")
    assert str(os.getpid()) in Path(one.name).read_text()
    one.close()
    other.close()


def test_a_file_system_that_cannot_lock_is_named_and_used(tmp_path, monkeypatch, caplog) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, "flock", refuse)
    hold_lock(tmp_path).close()
    assert f"{tmp_path} cannot be locked" in caplog.text
    assert str(os.getpid()) in (tmp_path / ".morpho.lock").read_text()
