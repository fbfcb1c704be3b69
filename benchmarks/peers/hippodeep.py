"""Runner of hippodeep (hippocampus), given a checkout of hippodeep_pytorch with its torchparams folder.

`python hippodeep.py T1.nii.gz` writes beside the scan T1_hippoLR_volumes.csv (eTIV,hippoL,hippoR in mm3) and
T1_mask_L.nii.gz, T1_mask_R.nii.gz (0 to 255). Written from its source; needs torch in the Python that runs it. Not run
where this was written, where no checkout was at hand.

Thyreau B et al. Med Image Anal 2018;43:214-228. doi 10.1016/j.media.2017.11.004
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
from nibabel.nifti1 import Nifti1Image

from peers.naming import PeerError, PeerScan
from peers.running import copy_scan, read_image, run_program

HALF = 127  # of the largest value of a mask


def check(checkout: Path) -> None:
    """Check that a folder is a checkout with weights.

    Raises
    ------
    PeerError
        If hippodeep.py or its weights are not there.
    """
    for name in ("hippodeep.py", "torchparams/hippodeep.pt"):
        if not (checkout / name).exists():
            message = f"'{checkout}' has no {name}; give a checkout of hippodeep_pytorch with its weights"
            raise PeerError(message)


def run(checkout: Path, t1w: Path, folder: Path) -> PeerScan:
    """Run it on a copy of a scan in `folder`.

    Raises
    ------
    PeerError
        If it fails.
    """
    copy_scan(t1w, folder / "T1.nii.gz")
    run_program([sys.executable, checkout.resolve() / "hippodeep.py", "T1.nii.gz"], folder)
    table = folder / "T1_hippoLR_volumes.csv"
    if not table.exists():
        message = f"hippodeep wrote no {table.name}"
        raise PeerError(message)
    with table.open(encoding="utf-8") as lines:
        row = next(csv.DictReader(lines))
    volumes = {("hippocampus", side): float(row[f"hippo{side}"]) for side in ("L", "R")}
    masks = {}
    for side in ("L", "R"):
        image = read_image(folder / f"T1_mask_{side}.nii.gz")
        inside = (np.asanyarray(image.dataobj) > HALF).astype(np.uint8)
        masks["hippocampus", side] = Nifti1Image(inside, image.affine)
    return PeerScan(volumes, masks)
