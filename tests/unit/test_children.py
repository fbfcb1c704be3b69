"""Work in a child process: its end is known, whatever ends it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

# Forking the test process itself would fork its threads; a fresh interpreter is what a script is.
START = "import os, signal, sys, time\nfrom morpho.children import run_child\n"
SHOW = "\nended = run_child(work)\nprint(ended.status, ended.stage, ended.was_killed, sep='|')\n"


def run(body: str) -> subprocess.CompletedProcess[str]:
    lines = "".join(f"\n    {line}" for line in body.splitlines())
    code = f"{START}def work(announce):{lines}{SHOW}"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)


def test_work_that_ends_well() -> None:
    assert run("announce('first')\nannounce('second')").stdout == "0|second|False\n"


def test_an_error_goes_through_the_hook_of_the_process() -> None:
    done = run("announce('first')\nraise ValueError('impossible')")
    assert done.stdout == "1|first|False\n"
    assert "ValueError: impossible" in done.stderr


@pytest.mark.parametrize("name", ["SIGKILL", "SIGSEGV"])
def test_a_child_that_is_killed_is_told_with_its_stage(name: str) -> None:
    done = run(f"announce('register')\nos.kill(os.getpid(), signal.{name})")
    assert done.stdout == f"{-int(getattr(signal, name))}|register|True\n"


def test_memory_is_the_first_suspect_of_a_kill() -> None:
    done = run("os.kill(os.getpid(), signal.SIGKILL)")
    assert done.stdout.startswith("-9|")
    code = "from morpho.children import Ended; print(Ended(-9, 'x').explain()); print(Ended(-11, 'x').explain())"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.splitlines()
    assert "memory ran out" in said[0]
    assert "more memory" in said[0]
    assert "SIGSEGV" in said[1]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_a_child_does_not_outlive_its_parent(tmp_path: Path) -> None:
    place = tmp_path / "pid"
    code = (
        f"{START}def work(announce):\n    open({str(place)!r}, 'w').write(str(os.getpid()))\n    time.sleep(60)\n{SHOW}"
    )
    parent = subprocess.Popen([sys.executable, "-c", code])
    while not (place.exists() and place.read_text()):
        time.sleep(0.05)
    child = int(place.read_text())
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and _is_alive(child):
        time.sleep(0.05)
    assert not _is_alive(child)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (ProcessLookupError, FileNotFoundError):
        return False
