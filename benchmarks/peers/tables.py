"""Volumes that FreeSurfer or SynthSeg wrote as tables; no image is read, so there is no Dice.

FreeSurfer: DIR/ID/stats/aseg.stats, lh.aparc.stats and rh.aparc.stats (recon-all, FastSurfer), columns named in the
line `# ColHeaders`. SynthSeg: the file of `mri_synthseg --parc --vol FILE`, first column the name of the image, one
column per structure. Read according to their documentation and source; tested on tables made by hand, not on real ones.

Fischl B. NeuroImage 2012;62:774-781. Billot B et al. Med Image Anal 2023;86:102789.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from peers.naming import PeerError, PeerScan, Where, add_up, parse_name


def names_of_scan(scan: str) -> tuple[str, ...]:
    """Names under which a tool may have kept a scan."""
    return (scan, f"{scan}_SS", f"sub-{scan}", f"sub-{scan}_T1w")


def read_freesurfer(folder: Path, scan: str) -> PeerScan:
    """Volumes of one scan from FreeSurfer's statistics.

    Raises
    ------
    PeerError
        If the scan or one of the files is not there.
    """
    subject = next((folder / name for name in names_of_scan(scan) if (folder / name / "stats").is_dir()), None)
    if subject is None:
        message = f"'{folder}' has no subject {' or '.join(names_of_scan(scan))} with a folder stats"
        raise PeerError(message)
    named: dict[Where, float] = {}
    for row in _read_stats(subject / "stats" / "aseg.stats"):
        where = parse_name(row["StructName"])
        if where is not None:
            named[where] = float(row["Volume_mm3"])
    for hemisphere, side in (("lh", "L"), ("rh", "R")):
        for row in _read_stats(subject / "stats" / f"{hemisphere}.aparc.stats"):
            named[side, row["StructName"].lower()] = float(row["GrayVol"])
    return PeerScan(add_up(named))


def _read_stats(file: Path) -> list[dict[str, str]]:
    """Rows of a statistics file of FreeSurfer, by the names in its line of column headers."""
    if not file.exists():
        message = f"there is no {file.parent.parent.name}/stats/{file.name}"
        raise PeerError(message)
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    headers = [line.split()[2:] for line in lines if line.startswith("# ColHeaders")]
    if not headers:
        message = f"{file} has no line '# ColHeaders'; it is no statistics file of FreeSurfer"
        raise PeerError(message)
    rows = [line.split() for line in lines if line.strip() and not line.startswith("#")]
    return [dict(zip(headers[0], row, strict=False)) for row in rows]


def read_synthseg(files: Sequence[Path], scan: str) -> PeerScan:
    """Volumes of one scan from the tables of SynthSeg.

    Raises
    ------
    PeerError
        If a file is absent, or none has a row of the scan.
    """
    for file in files:
        if not file.exists():
            message = f"there is no table '{file}'"
            raise PeerError(message)
        with file.open(encoding="utf-8-sig", newline="") as lines:
            header, *rows = [row for row in csv.reader(lines) if row]
        for row in rows:
            if row[0].removesuffix(".nii.gz").removesuffix(".nii") in names_of_scan(scan):
                cells = zip(map(parse_name, header[1:]), row[1:], strict=False)
                named = {where: _number(cell) for where, cell in cells if where is not None}
                return PeerScan(add_up(named))
    message = f"no row {' or '.join(names_of_scan(scan))} in {', '.join(file.name for file in files)}"
    raise PeerError(message)


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return float(np.nan)
