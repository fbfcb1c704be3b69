"""Runner of brainchop's 104-class MeshNet, given the folder of the model (model.json, model.pth, names of the classes).

The command is `brainchop T1.nii.gz --custom MODEL --inverse-conform --no-optimize -o labels.nii.gz`, as in the source
of brainchop-cli; its own list of models has had no 104-class model, so the folder must be given. Class names are read
from labels.json or colormap.json in that folder: an object number -> name, or an object with a list `labels`. The
command may fetch its list of models when it starts, so it may need a network. Not run where this was written.

Masoud M et al. J Open Source Softw 2023;8(83):5098. doi 10.21105/joss.05098
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
from manual_set import OVERLAPPING
from nibabel.nifti1 import Nifti1Image

from peers.naming import PeerError, PeerScan, add_up, parse_name, parts_of_structure, voxel_mm3
from peers.running import copy_scan, read_image, run_program

NAME_FILES = ("labels.json", "colormap.json")


def check(model: Path) -> None:
    """Check that command, model and class names are there.

    Raises
    ------
    PeerError
        If one of them is not.
    """
    if not (model / "model.json").exists():
        message = f"'{model}' has no model.json; give the folder of the 104-class model"
        raise PeerError(message)
    find_command()
    read_class_names(model)


def find_command() -> str:
    """Path of the command brainchop, beside Python or on the search path.

    Raises
    ------
    PeerError
        If there is none.
    """
    beside = Path(sys.executable).with_name("brainchop")
    found = str(beside) if beside.exists() else shutil.which("brainchop")
    if not found:
        message = "there is no command 'brainchop' on the search path; install brainchop"
        raise PeerError(message)
    return found


def read_class_names(model: Path) -> dict[int, str]:
    """Name of each class number.

    Raises
    ------
    PeerError
        If no file of names is there, or it names no hippocampus.
    """
    file = next((model / name for name in NAME_FILES if (model / name).exists()), None)
    if file is None:
        message = f"'{model}' has neither {' nor '.join(NAME_FILES)}; the classes have no names"
        raise PeerError(message)
    content = json.loads(file.read_text(encoding="utf-8"))
    listed = content.get("labels", content) if isinstance(content, dict) else content
    pairs = enumerate(listed) if isinstance(listed, list) else listed.items()
    names = {int(number): str(name) for number, name in pairs if str(number).isdigit()}
    if ("L", "hippocampus") not in map(parse_name, names.values()):
        message = f"{file} names no Left-Hippocampus; is it the 104-class model?"
        raise PeerError(message)
    return names


def run(model: Path, t1w: Path, folder: Path) -> PeerScan:
    """Run it on a copy of a scan in `folder`.

    Raises
    ------
    PeerError
        If it fails.
    """
    copy_scan(t1w, folder / "T1.nii.gz")
    options = ["--custom", model.resolve(), "--inverse-conform", "--no-optimize", "-o", "labels.nii.gz"]
    run_program([find_command(), "T1.nii.gz", *options], folder)
    return scan_of_labels(read_image(folder / "labels.nii.gz"), read_class_names(model))


def scan_of_labels(image: Nifti1Image, names: dict[int, str]) -> PeerScan:
    """Volumes and masks of a label image with FreeSurfer's names."""
    labels = np.rint(np.asanyarray(image.dataobj)).astype(np.int32)
    counts = np.bincount(labels.ravel(), minlength=max(names) + 1)
    numbers = {where: number for number, name in names.items() if (where := parse_name(name)) is not None}
    volumes = add_up({where: float(counts[number]) * voxel_mm3(image) for where, number in numbers.items()})
    masks = {}
    for structure in OVERLAPPING:
        for side in ("L", "R"):
            own = [numbers[side, name] for name in parts_of_structure(structure)]
            masks[structure, side] = Nifti1Image(np.isin(labels, own).astype(np.uint8), image.affine)
    return PeerScan(volumes, masks)
