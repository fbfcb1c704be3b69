"""A world without network, in which the workflow is run: what asks for another machine fails, and is told.

Where Linux lets this user make a network of its own (`unshare`), it has no other machine in it, for compiled code too.
In any case every Python process writes down which address it asked for.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Python runs this file at its start. "socket" events are told before the system is asked.
SITECUSTOMIZE = """
import os, sys

LOCAL = {"localhost", "127.0.0.1", "::1", "0.0.0.0", ""}

def refuse(event, arguments):
    if event == "socket.connect":
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else ""
    elif event in {"socket.getaddrinfo", "socket.gethostbyname"}:
        host = arguments[0] or ""
    else:
        return
    host = host.decode() if isinstance(host, bytes) else str(host)
    if host in LOCAL or host == os.uname().nodename:
        return
    with open(os.environ["MORPHO_TEST_ATTEMPTS"], "a") as file:
        file.write(f"{event} {host} {sys.argv}\\n")
    raise OSError(f"no network in this test: {host}")

sys.addaudithook(refuse)
"""


@dataclass(frozen=True)
class Sealed:
    """How to run a program without network, with a home and a folder for temporary files of its own."""

    prefix: tuple[str, ...]
    environment: dict[str, str]
    home: Path
    temporary: Path
    attempts: Path

    def run(self, folder: Path, *arguments: str, umask: int = 0o022) -> subprocess.CompletedProcess[str]:
        """Run a program of this Python in `folder`."""
        return subprocess.run(
            [*self.prefix, sys.executable, *arguments], cwd=folder, env=self.environment, capture_output=True,
            text=True, check=False, umask=umask, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def snakemake(self, folder: Path, *arguments: str, umask: int = 0o022) -> subprocess.CompletedProcess[str]:
        """Run morpho's workflow in `folder`."""
        profile = ["--workflow-profile", str(ROOT / "profiles/default")]
        command = ["-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", "2", *profile]
        return self.run(folder, *command, *arguments, umask=umask)


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Sealed:
    """Programs run here reach no other machine."""
    folder = tmp_path_factory.mktemp("sealed")
    places = {name: folder / name for name in ("home", "temporary", "start")}
    for place in places.values():
        place.mkdir()
    (places["start"] / "sitecustomize.py").write_text(SITECUSTOMIZE, encoding="utf-8")
    unshare = shutil.which("unshare")
    apart = (unshare, "-rn") if unshare else ()
    if not apart or subprocess.run([*apart, "true"], capture_output=True, check=False).returncode:
        apart = ()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "XDG"))}
    environment |= {
        "HOME": str(places["home"]),
        "TMPDIR": str(places["temporary"]),
        "PYTHONPATH": str(places["start"]),
        "MORPHO_TEST_ATTEMPTS": str(folder / "attempts"),
    }
    return Sealed(apart, environment, places["home"], places["temporary"], folder / "attempts")
