"""`morpho doctor`: looks whether everything is here that morpho needs, and whether it measures right."""

from __future__ import annotations

import importlib.metadata
import time
from collections.abc import Sequence
from pathlib import Path

from morpho.cli.doctor_files import check_files
from morpho.cli.doctor_machine import check_machine
from morpho.cli.doctor_software import check_clusters, check_logger, check_packages, check_python
from morpho.cli.findings import Finding, format_findings, has_failure
from morpho.cli.run_options import Parser
from morpho.cli.terminal import fill, say
from morpho.errors import MorphoError

PHANTOM_HEAD = "phantom"
PHANTOM_NOTE = (
    "The phantom shows an average of many people, in which the networks take more for hippocampus and amygdala than "
    "was planted. So each volume is held against the recorded one of an intact installation, and only the intracranial "
    "volume and the difference of both sides against the planted truth."
)


def run_doctor(arguments: Sequence[str]) -> int:
    """Look at the installation and the machine, and measure a phantom.

    Parameters
    ----------
    arguments
        What follows ``morpho doctor``.

    Returns
    -------
    Exit status: 1 if something is broken.
    """
    parser = Parser(prog="morpho doctor", description="Look for what is missing or broken, and measure a phantom.")
    parser.add_argument("--no-phantom", action="store_true", help="a quick look: measure nothing")
    where = "folder in which results would be written, to look at its disk (default: here)"
    parser.add_argument("--path", type=Path, default=Path(), metavar="DIR", help=where)
    options = parser.parse_args(list(arguments))
    say(f"morpho {importlib.metadata.version('morpho')}")
    software = [check_python(), *check_packages(), check_logger(), *check_clusters()]
    sections = [("software", software), ("machine", check_machine(options.path)), ("data files", check_files())]
    broken = False
    for title, findings in sections:
        broken |= _show(title, findings)
    if not options.no_phantom:
        broken |= _try_phantom()
    say()
    say("Something is broken: see the lines with `fail`." if broken else "Everything that morpho needs is here.")
    return int(broken)


def _show(title: str, findings: Sequence[Finding]) -> bool:
    """Write findings; whether something is broken."""
    say()
    for line in format_findings(title, findings):
        say(line)
    return has_failure(findings)


def _try_phantom() -> bool:
    """Measure the phantom, and write what came out; whether something is broken."""
    say()
    say("A phantom is simulated and measured, which takes about half a minute ...")
    start = time.monotonic()
    try:
        from morpho.cli.doctor_phantom import judge_phantom, measure_phantom

        findings = judge_phantom(measure_phantom())
    except (MorphoError, ImportError, OSError) as error:
        findings = [Finding("phantom", "not measured", "fail", "", " ".join(str(error).split()))]
    broken = _show(PHANTOM_HEAD, findings)
    for line in [*fill(PHANTOM_NOTE), f"{time.monotonic() - start:.0f} s"]:
        say(line)
    return broken
