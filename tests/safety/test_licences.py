"""Whoever installs morpho gets packages under permissive licences only; the lock names each once, with its hash."""

import importlib.metadata as metadata
import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PERMISSIVE = re.compile(
    r"MIT|BSD|Apache|PSF|Python Software Foundation|MPL|Mozilla Public|ISC|Public Domain|Zlib|Unlicense|0BSD", re.I
)
COPYLEFT = re.compile(r"GPL|General Public License|AGPL|EUPL|CeCILL|non-?commercial|CC-BY-NC", re.I)
MIT_TEXT = "Permission is hereby granted, free of charge, to any person obtaining a copy"
# What the metadata of an installed package cannot tell.
KNOWN = {
    "docutils": "public domain and BSD; the GPL is that of a file for Emacs that is not installed",
}


def list_needed(name: str) -> set[str]:
    """Name the packages that are installed with one, directly or not; those of other systems are left out."""
    found: dict[str, frozenset[str]] = {}
    waiting: list[tuple[str, frozenset[str]]] = [(name, frozenset())]
    while waiting:
        package, extras = waiting.pop()
        key = re.sub(r"[-_.]+", "-", package).lower()
        if key in found and extras <= found[key]:
            continue
        found[key] = found.get(key, frozenset()) | extras
        for line in metadata.requires(package) or ():
            need = Requirement(line)
            if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in {"", *extras}):
                waiting.append((need.name, frozenset(need.extras)))
    return set(found)


def read_licence(package: str) -> str:
    """Read what a package says of its licence: an expression, else classifiers, else the word MIT for MIT's text."""
    facts = metadata.metadata(package)
    if facts.get("License-Expression"):
        return str(facts["License-Expression"])
    classifiers = [
        line.split(" :: ")[-1] for line in facts.get_all("Classifier") or () if line.startswith("License ::")
    ]
    said = "; ".join(line for line in classifiers if line != "OSI Approved") or str(facts.get("License") or "")
    if said.strip():
        return said.strip().splitlines()[0]
    files = metadata.files(package) or ()
    texts = [file.locate().read_text(encoding="utf-8") for file in files if file.name.startswith("LICENSE")]
    return "MIT" if any(MIT_TEXT in " ".join(text.split()) for text in texts) else ""


NEEDED = sorted(list_needed("morpho") - {"morpho"})


@pytest.mark.parametrize("package", NEEDED)
def test_a_package_that_is_needed_to_run_is_permissive(package: str) -> None:
    licence = read_licence(package)
    if package in KNOWN:
        assert not licence or COPYLEFT.search(licence), f"{package}: {licence}; take it out of KNOWN"
        return
    assert PERMISSIVE.search(licence), f"{package}: {licence or 'no licence'}"
    assert not COPYLEFT.search(licence), f"{package}: {licence}"


def test_what_is_needed_to_run_is_in_the_lock() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    locked = {re.sub(r"[-_.]+", "-", name).lower() for name in re.findall(r"^([\w.-]+)==", lock, re.MULTILINE)}
    assert set(NEEDED) <= locked
    assert {"snakemake", "numpy", "antspyx", "certifi"} <= set(NEEDED)


def test_every_line_of_the_lock_has_hashes_and_no_address() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    entries = re.split(r"\n(?=\S)", lock.strip())
    assert [entry for entry in entries if not entry.startswith("#") and "--hash=sha256:" not in entry] == []
    assert not re.search(r"https?://|--index-url|--find-links|git\+", lock)


@pytest.mark.parametrize(
    ("licence", "is_free"),
    [("GPL-2.0-only", False), ("GNU General Public License (GPL)", False), ("MIT License", True)],
)
def test_copyleft_is_found(licence: str, is_free: bool) -> None:
    assert bool(PERMISSIVE.search(licence) and not COPYLEFT.search(licence)) is is_free
