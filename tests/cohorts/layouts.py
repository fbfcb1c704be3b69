"""BIDS folders as people have them, one per pain, with what must be said of every T1w; images are stand-ins.

`ACCEPTED` are folders of which something can be measured, `REFUSED` those that are refused as a whole.
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from morpho.bids_tree import EMPTY_FILE, NOT_FETCHED
from morpho.errors import BidsError, ConfigError, MorphoError
from morpho.scans import NO_T1W

IMAGE = b"an image that is never opened"
ANNEX_TARGET = "../../.git/annex/objects/aa/bb/MD5E-s1--c.nii.gz"
ANNEX_POINTER = b"/annex/objects/MD5E-s1--c.nii.gz\n"


@dataclass(frozen=True)
class Accepted:
    """A folder: how to build it, scan -> file that is chosen, file or scan -> why it is not chosen, filters."""

    build: Callable[[Path], None]
    chosen: dict[str, str]
    reasons: dict[str, str] = field(default_factory=dict)
    filters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Refused:
    """A folder that is refused: how to build it, the error, what its message says, where results should go."""

    build: Callable[[Path], None]
    error: type[MorphoError]
    says: tuple[str, ...]
    output_dir: str = "../results"


def t1w(scan: str, entities: str = "", extension: str = ".nii.gz") -> str:
    """Path of a T1w file of a scan such as "sub-01_ses-2", relative to the BIDS folder."""
    return f"{scan.replace('_', '/')}/anat/{scan}_{entities}{'_' if entities else ''}T1w{extension}"


def add(folder: Path, *paths: str, content: bytes = IMAGE) -> None:
    """Add files."""
    for name in paths:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def snapshot(folder: Path) -> dict[str, tuple[int, int, int, int]]:
    """All that is in a folder, with what would change if anything were written: times, size, mode and inode."""
    paths = [folder, *sorted(folder.rglob("*"))]
    states = {str(path.relative_to(folder)): path.lstat() for path in paths}
    return {name: (state.st_mtime_ns, state.st_size, state.st_mode, state.st_ino) for name, state in states.items()}


def _sessions_in_some(folder: Path) -> None:
    add(folder, t1w("sub-01"), t1w("sub-02_ses-1"), t1w("sub-02_ses-2"), t1w("sub-04"), t1w("sub-04_ses-1"))
    add(folder, "sub-03/ses-1/func/x.nii.gz", "sub-05/func/x.nii.gz")


def _runs_and_acquisitions(folder: Path) -> None:
    add(folder, *(t1w("sub-01", name) for name in ("run-2", "run-1", "run-10")))
    add(folder, *(t1w("sub-02", name) for name in ("acq-mprage_run-2", "acq-mprage_run-1", "acq-fast_run-1")))
    add(folder, *(t1w("sub-03", name) for name in ("acq-mprage", "")))


def _reconstructions(folder: Path) -> None:
    add(folder, t1w("sub-01", "rec-norm"), t1w("sub-01"), t1w("sub-02", "rec-norm"), t1w("sub-03", "ce-gd"))
    add(folder, t1w("sub-03", "rec-norm_run-2"), t1w("sub-04", extension=".nii"), t1w("sub-04"))


def _parts(folder: Path) -> None:
    add(folder, *(t1w("sub-01", f"part-{name}") for name in ("mag", "phase", "real", "imag")), t1w("sub-02"))
    add(folder, t1w("sub-02", "part-phase"), t1w("sub-03", "part-phase"))


def _copies_of_results(folder: Path) -> None:
    add(folder, t1w("sub-01"), t1w("sub-02"))
    for top in ("derivatives/morpho", "derivatives", "sourcedata", "morpho results", "code", ".git/annex"):
        add(folder, *(f"{top}/{t1w(scan, 'desc-preproc')}" for scan in ("sub-01", "sub-02", "sub-03")))
        add(folder, f"{top}/participants.tsv", f"{top}/group/scans.tsv")
    add(folder, t1w("sub-01", "desc-preproc"), "sub-01/anat/derivatives/sub-01_T1w.nii.gz", "sub-02/sub-02_T1w.nii.gz")


def _bidsignored(folder: Path) -> None:
    add(folder, t1w("sub-01"), t1w("sub-01", "acq-scout"), t1w("sub-02"), t1w("sub-03_ses-1"), t1w("sub-03_ses-2"))
    lines = "# Läufe, die nicht zählen\r\n*acq-scout*\r\n/sub-02/\r\nsub-03/ses-2/\r\n"
    (folder / ".bidsignore").write_bytes(lines.encode("utf-16"))


def _not_fetched(folder: Path) -> None:
    add(folder, t1w("sub-01", "run-2"), t1w("sub-02", "run-2"))
    add(folder, t1w("sub-02", "run-1"), content=ANNEX_POINTER)
    (folder / t1w("sub-01", "run-1")).symlink_to(ANNEX_TARGET)
    (folder / "sub-03/anat").mkdir(parents=True)
    (folder / t1w("sub-03")).symlink_to(ANNEX_TARGET)
    (folder / "sub-04").symlink_to("../elsewhere/sub-04")


def _links_in_circles(folder: Path) -> None:
    add(folder, t1w("sub-01"))
    (folder / "sub-01/ses-1").symlink_to("..", target_is_directory=True)
    (folder / "sub-01/anat/again").symlink_to("../..", target_is_directory=True)
    (folder / "sub-02").symlink_to("sub-02")
    add(folder, "sub-03/anat/x.txt")
    (folder / t1w("sub-03")).symlink_to("sub-03_T1w.nii.gz")


def _damaged(folder: Path) -> None:
    add(folder, t1w("sub-01", "run-1"), content=b"")
    add(folder, t1w("sub-01", "run-2"), f"{t1w('sub-02')}/x", t1w("sub-03", "acq-a_acq-b"), t1w("sub-04", "fast"))
    add(folder, "sub-05/anat/sub-06_T1w.nii.gz", "sub-07/anat/sub-07_t1w.nii.gz", "sub-08/anat/._sub-08_T1w.nii.gz")


def _odd_names(folder: Path) -> None:
    add(folder, t1w("sub-Proband1"), t1w("sub-Müller"), t1w("sub-a b"), t1w("sub-{x}"), t1w("sub-$HOME"), t1w("sub-'"))
    odd = os.fsencode(folder) + b"/sub-M\xfcller/anat/sub-M\xfcller_T1w.nii.gz"
    add(Path(os.fsdecode(odd)).parent, Path(os.fsdecode(odd)).name)


def _nobody(folder: Path) -> None:
    add(folder, "Sub-01/anat/Sub-01_T1w.nii.gz", "README")


def _nothing_fetched(folder: Path) -> None:
    add(folder, t1w("sub-01"), t1w("sub-02"), content=ANNEX_POINTER)


def _all_ignored(folder: Path) -> None:
    add(folder, t1w("sub-01"), t1w("sub-02"))
    (folder / ".bidsignore").write_text("**\n", encoding="utf-8")


def _no_pattern(folder: Path) -> None:
    add(folder, t1w("sub-01"))
    (folder / ".bidsignore").write_text("*.txt\n!\n", encoding="utf-8")


def _results_of_morpho(folder: Path) -> None:
    add(folder, t1w("sub-01", "desc-preproc"))
    description = {"Name": "x", "DatasetType": "derivative", "GeneratedBy": [{"Name": "morpho", "Version": "0.1.0"}]}
    (folder / "dataset_description.json").write_text(json.dumps(description), encoding="utf-8")


def _one(folder: Path) -> None:
    add(folder, t1w("sub-01"))


def _odd(name: str) -> str:
    return f"the folder name '{name}' is not BIDS"


ACCEPTED = {
    "sessions in some people only": Accepted(
        _sessions_in_some,
        {name: t1w(name) for name in ("sub-01", "sub-02_ses-1", "sub-02_ses-2", "sub-04", "sub-04_ses-1")},
        {"sub-03_ses-1": NO_T1W, "sub-05": NO_T1W},
    ),
    "several runs and acquisitions": Accepted(
        _runs_and_acquisitions,
        {"sub-01": t1w("sub-01", "run-1"), "sub-02": t1w("sub-02", "acq-fast_run-1"), "sub-03": t1w("sub-03")},
        {
            t1w("sub-01", "run-10"): "sub-01_run-1_T1w.nii.gz was chosen: lower run",
            t1w("sub-02", "acq-mprage_run-2"): "lower run",
            t1w("sub-02", "acq-mprage_run-1"): "sub-02_acq-fast_run-1_T1w.nii.gz was chosen: first in the alphabet",
            t1w("sub-03", "acq-mprage"): "sub-03_T1w.nii.gz was chosen: fewer entities in its name",
        },
    ),
    "several runs and acquisitions, one asked for": Accepted(
        _runs_and_acquisitions,
        {"sub-02": t1w("sub-02", "acq-mprage_run-1"), "sub-03": t1w("sub-03", "acq-mprage")},
        {
            t1w("sub-02", "acq-fast_run-1"): "acquisition is fast, config scans.filters asks for mprage",
            t1w("sub-01", "run-1"): "acquisition is absent, config scans.filters asks for mprage",
        },
        {"acq": "mprage"},
    ),
    "rec-norm beside plain": Accepted(
        _reconstructions,
        {"sub-01": t1w("sub-01"), "sub-02": t1w("sub-02", "rec-norm"), "sub-04": t1w("sub-04")}
        | {"sub-03": t1w("sub-03", "rec-norm_run-2")},
        {
            t1w("sub-01", "rec-norm"): "sub-01_T1w.nii.gz was chosen: no reconstruction entity",
            t1w("sub-03", "ce-gd"): "was chosen: no contrast agent",
            t1w("sub-04", extension=".nii"): "duplicate of sub-04_T1w.nii.gz",
        },
    ),
    "part-phase": Accepted(
        _parts,
        {"sub-01": t1w("sub-01", "part-mag"), "sub-02": t1w("sub-02")},
        {
            t1w("sub-01", "part-phase"): "part-phase is not a magnitude image",
            t1w("sub-01", "part-imag"): "part-imag is not a magnitude image",
            t1w("sub-03", "part-phase"): "part-phase is not a magnitude image",
        },
    ),
    "copies of results inside": Accepted(
        _copies_of_results,
        {"sub-01": t1w("sub-01"), "sub-02": t1w("sub-02")},
        {t1w("sub-01", "desc-preproc"): "sub-01_T1w.nii.gz was chosen: fewer entities"},
    ),
    ".bidsignore": Accepted(
        _bidsignored,
        {"sub-01": t1w("sub-01"), "sub-03_ses-1": t1w("sub-03_ses-1")},
        dict.fromkeys((t1w("sub-01", "acq-scout"), t1w("sub-02"), t1w("sub-03_ses-2")), "listed in .bidsignore"),
    ),
    "broken annex links": Accepted(
        _not_fetched,
        {"sub-01": t1w("sub-01", "run-2"), "sub-02": t1w("sub-02", "run-2")},
        dict.fromkeys((t1w("sub-01", "run-1"), t1w("sub-02", "run-1"), t1w("sub-03")), NOT_FETCHED)
        | {"sub-04": "the folder sub-04 is a link that leads nowhere"},
    ),
    "links in circles": Accepted(
        _links_in_circles,
        {"sub-01": t1w("sub-01")},
        {
            "sub-01_ses-1": NO_T1W,
            "sub-02": "the folder sub-02 cannot be read: Too many levels of symbolic links",
            t1w("sub-03"): "the file cannot be read: Too many levels of symbolic links",
        },
    ),
    "damaged files and names": Accepted(
        _damaged,
        {"sub-01": t1w("sub-01", "run-2")},
        {
            t1w("sub-01", "run-1"): EMPTY_FILE,
            t1w("sub-02"): "a folder, not a file",
            t1w("sub-03", "acq-a_acq-b"): "the entity acq is twice in the file name",
            t1w("sub-04", "fast"): "'fast' in the file name is not a BIDS entity",
            "sub-05/anat/sub-06_T1w.nii.gz": "does not start with that of its folder, sub-05",
            "sub-07": f"{NO_T1W}, but sub-07_t1w.nii.gz; names must end with _T1w.nii",
            "sub-08": NO_T1W,
        },
    ),
    "odd names of people": Accepted(
        _odd_names,
        {"sub-Proband1": t1w("sub-Proband1")},
        {
            t1w(name): _odd(name)
            for name in ("sub-Müller", "sub-a b", "sub-{x}", "sub-$HOME", "sub-'", r"sub-M\xfcller")
        },
    ),
}

REFUSED = {
    "no participant": Refused(
        _nobody, BidsError, ("has no sub-* folder", "It holds: README, Sub-01", "Set bids_dir to the top")
    ),
    "nothing fetched": Refused(
        _nothing_fetched, BidsError, ("no T1w image that can be measured", f"2 x {NOT_FETCHED}", "Expected are files")
    ),
    "all ignored": Refused(_all_ignored, BidsError, ("no T1w image that can be measured: 2 x listed in .bidsignore",)),
    "no pattern": Refused(
        _no_pattern, BidsError, (".bidsignore' has lines that are no pattern", "line 2 ('!')", "Correct or remove")
    ),
    "results of morpho": Refused(
        _results_of_morpho, BidsError, ("holds results of morpho", "not raw scans. Set bids_dir")
    ),
    "results into it": Refused(
        _one, ConfigError, ("lies inside bids_dir", "morpho never writes", "a folder outside"), "derivatives/morpho"
    ),
    "results in its place": Refused(_one, ConfigError, ("lies inside bids_dir",), "."),
}
