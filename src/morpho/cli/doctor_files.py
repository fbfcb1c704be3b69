"""Compares the data that numbers depend on (template, atlas, networks) with those that morpho was made with."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from pathlib import Path

from morpho.cli.findings import Finding
from morpho.cli.pipeline import pipeline_folder
from morpho.errors import MorphoError

PACKAGE = Path(__file__).parents[1]
RECORD = Path(__file__).parent / "data_files.json"
WEIGHTS = PACKAGE / "weights"
AGAIN = "install morpho again"


def check_files() -> list[Finding]:
    """Compare the data files of packages and of morpho itself with the SHA-256 that is recorded of each."""
    packages = json.loads(RECORD.read_text(encoding="utf-8"))
    findings = [_check_package_file(location, digest) for location, digest in packages.items()]
    for name, digest in recorded_weights(WEIGHTS).items():
        findings.append(_compare(name, WEIGHTS / name, digest, AGAIN))
    return [*findings, _check_pipeline()]


def recorded_weights(folder: Path) -> dict[str, str]:
    """SHA-256 of the shipped networks and maps, as the JSON files beside them record it.

    Parameters
    ----------
    folder
        Folder of the weights.

    Returns
    -------
    Name of a file -> SHA-256, hexadecimal.
    """
    recorded = {}
    for path in sorted(folder.glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        for entry in [content, *content.values()]:
            if isinstance(entry, dict) and "sha256" in entry:
                recorded[str(entry.get("file", f"{path.stem}.nii.gz"))] = str(entry["sha256"])
    return recorded


def _check_package_file(location: str, digest: str) -> Finding:
    """Compare a file of another package, named as package:path."""
    package, _, inside = location.partition(":")
    spec = importlib.util.find_spec(package)
    remedy = f"install the version of {package} that requirements.lock names"
    if spec is None or spec.origin is None:
        return Finding(Path(inside).name, f"package {package} is not installed", "fail", "", remedy)
    return _compare(Path(inside).name, Path(spec.origin).parent / inside, digest, remedy)


def _compare(what: str, path: Path, digest: str, remedy: str) -> Finding:
    """Compare the SHA-256 of a file with the recorded one."""
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        return Finding(what, f"cannot be read: {error.strerror}", "fail", "", remedy)
    if found != digest:
        return Finding(what, f"is another file (SHA-256 {found[:12]}, not {digest[:12]})", "fail", "", remedy)
    return Finding(what, f"as recorded (SHA-256 {found[:12]})")


def _check_pipeline() -> Finding:
    """Check that the workflow is here."""
    try:
        return Finding("workflow", str(pipeline_folder() / "Snakefile"))
    except MorphoError as error:
        return Finding("workflow", "missing", "fail", "", str(error))
