"""Runner of deepmriprep, given a Python that can import it, or a checkout whose package that of this Python can import.

Asks for the grey-matter share `p1` and the Neuromorphometrics atlas in the scan's space, and sums the share inside the
atlas's labels, which have the numbers of the manual protocol. That atlas was drawn in that protocol, which favours it
here. deepmriprep fetches its networks when it first runs. Written from its source; not run where this was written.

Fisch L et al. deepmriprep: voxel-based morphometry preprocessing via deep neural networks. arXiv 2408.10656
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
from grids import on_grid_of
from manual_set import OVERLAPPING, PROTOCOL, labels_of_structure
from nibabel.nifti1 import Nifti1Image

from peers.naming import PeerError, PeerScan, voxel_mm3
from peers.running import copy_scan, read_image, run_program

ATLAS = "neuromorphometrics"
PROGRAM = (
    "import sys; sys.path[:0] = sys.argv[1:]; from deepmriprep import run_preprocess; "
    f"run_preprocess(['T1.nii.gz'], output_dir='out', outputs=['p1', '{ATLAS}'], dir_format='flat', no_gpu=True)"
)


def check(location: Path) -> None:
    """Check that the location is a Python or a checkout.

    Raises
    ------
    PeerError
        If it is neither.
    """
    if not os.access(location, os.X_OK) or not (location.is_file() or (location / "deepmriprep").is_dir()):
        message = f"'{location}' is neither a Python that has deepmriprep nor a checkout of it"
        raise PeerError(message)


def run(location: Path, t1w: Path, folder: Path) -> PeerScan:
    """Run it on a copy of a scan in `folder`.

    Raises
    ------
    PeerError
        If it fails.
    """
    copy_scan(t1w, folder / "T1.nii.gz")
    (folder / "out").mkdir(exist_ok=True)
    is_python = location.is_file()
    # Not resolved: the Python of an environment is a link.
    command = [location.absolute(), "-c", PROGRAM] if is_python else [sys.executable, "-c", PROGRAM, location.resolve()]
    run_program(command, folder)
    return scan_of_maps(read_image(folder / "out" / "p1T1.nii.gz"), read_image(folder / "out" / f"{ATLAS}T1.nii.gz"))


def scan_of_maps(grey: Nifti1Image, atlas: Nifti1Image) -> PeerScan:
    """Volumes: grey-matter share inside the labels of the atlas; masks: the labels of hippocampus and amygdala."""
    share = np.asarray(grey.dataobj, dtype=np.float32)
    labels = on_grid_of(atlas, grey)
    volumes, masks = {}, {}
    for structure in PROTOCOL:
        for side in ("L", "R"):
            inside = np.isin(labels, labels_of_structure(structure, side))
            volumes[structure, side] = float(share[inside].sum(dtype=np.float64)) * voxel_mm3(grey)
            if structure in OVERLAPPING:
                masks[structure, side] = Nifti1Image(inside.astype(np.uint8), grey.affine)
    return PeerScan(volumes, masks)
