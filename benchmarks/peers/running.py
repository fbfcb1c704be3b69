"""Run the program of a tool on a copy of a scan."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.nifti1 import Nifti1Image

from peers.naming import PeerError

LONGEST_S = 3600
LAST_LINES = 5


def run_program(command: Sequence[str | Path], folder: Path) -> None:
    """Run a command in a folder.

    Raises
    ------
    PeerError
        If it is absent, takes more than an hour, or fails; with the end of what it said.
    """
    words = [str(word) for word in command]
    try:
        ended = subprocess.run(
            words,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=LONGEST_S,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        message = f"'{words[0]}' could not be run: {error}"
        raise PeerError(message) from error
    if ended.returncode:
        last = " | ".join(ended.stdout.splitlines()[-LAST_LINES:])
        message = f"'{' '.join(words[:2])} ...' ended with {ended.returncode}: {last}"
        raise PeerError(message)


def copy_scan(t1w: Path, target: Path) -> None:
    """Copy a scan with equal sform and qform: some tools read one of them, some the other."""
    image = nib.squeeze_image(nib.load(t1w))
    copy = Nifti1Image(np.asarray(image.dataobj, dtype=np.float32), image.affine)
    copy.set_sform(image.affine, code=1)
    copy.set_qform(image.affine, code=1)
    nib.save(copy, target)


def read_image(path: Path) -> Nifti1Image:
    """Load an image that a tool should have written.

    Raises
    ------
    PeerError
        If it did not.
    """
    if not path.exists():
        message = f"the tool wrote no {path.name}"
        raise PeerError(message)
    return nib.load(path)
