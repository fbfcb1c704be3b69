"""Hippocampus and amygdala of both sides as shares of voxels: how they are stored, which labels they have, the atlas.

The atlas holds where these structures lie in template space, by FreeSurfer's definitions; ``training/README.md`` says
what it was built from.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
from nibabel.nifti1 import Nifti1Image

from morpho.errors import AtlasError
from morpho.images import array_of, like, load_image

# (structure, hemisphere) in the order in which they are stored along the fourth axis.
STRUCTURES = (("hippocampus", "L"), ("hippocampus", "R"), ("amygdala", "L"), ("amygdala", "R"))
ATLAS_FILE = Path(__file__).parent / "weights" / "subcortical_atlas.nii.gz"


def stack_structures(shares: Mapping[tuple[str, str], Nifti1Image]) -> Nifti1Image:
    """One image of shape (X, Y, Z, 4) from the share of each structure, each of shape (X, Y, Z)."""
    first = shares[STRUCTURES[0]]
    return like(first, np.stack([array_of(shares[name]) for name in STRUCTURES], axis=-1))


def unstack_structures(image: Nifti1Image) -> dict[tuple[str, str], Nifti1Image]:
    """Share of each structure from an image of shape (X, Y, Z, 4 or more)."""
    values = array_of(image)
    return {name: like(image, values[..., number]) for number, name in enumerate(STRUCTURES)}


def structures_by_label(shares: Mapping[tuple[str, str], Nifti1Image], labels: pd.DataFrame) -> dict[int, Nifti1Image]:
    """Shares by the label that an atlas gives to their structure.

    Parameters
    ----------
    shares
        Share of each (structure, hemisphere).
    labels
        Label table: columns index, name, hemisphere.

    Returns
    -------
    Label -> share, of the structures that the table has.
    """
    index = labels.set_index(["name", "hemisphere"])["index"].to_dict()
    return {int(index[name]): share for name, share in shares.items() if name in index}


def load_subcortical_atlas() -> dict[tuple[str, str], Nifti1Image]:
    """Probability of each structure in template space, 0 to 1.

    Raises
    ------
    AtlasError
        If the file is missing or is not the one that was shipped.
    """
    about = ATLAS_FILE.with_name("subcortical_atlas.json")
    if not ATLAS_FILE.is_file() or not about.is_file():
        message = "The subcortical atlas is missing from the package. Install morpho again."
        raise AtlasError(message)
    expected = json.loads(about.read_text(encoding="utf-8"))["sha256"]
    if hashlib.sha256(ATLAS_FILE.read_bytes()).hexdigest() != expected:
        message = f"{ATLAS_FILE.name} is damaged (its SHA-256 differs). Install morpho again."
        raise AtlasError(message)
    return unstack_structures(load_image(ATLAS_FILE))


def redraw_structures(atlas: Nifti1Image, labels: pd.DataFrame) -> Nifti1Image:
    """Label image in template space whose hippocampus and amygdala are those of the subcortical atlas.

    Those of the Desikan-Killiany volume are larger than FreeSurfer defines them. Voxels that lose their
    label become unlabelled.

    Parameters
    ----------
    atlas : shape (U, V, W)
        Labels.
    labels
        Its table.

    Returns
    -------
    Labels on the same grid, int16; the image itself if the table has neither structure.
    """
    data = np.asarray(atlas.dataobj).astype(np.int16)
    index = labels.set_index(["name", "hemisphere"])["index"]
    if not any(name in index for name in STRUCTURES):
        return atlas
    shares = structures_by_label(load_subcortical_atlas(), labels)
    data[np.isin(data, list(shares))] = 0
    for label, share in shares.items():
        voxels = np.argwhere(array_of(share) >= 0.5)
        there = nib.affines.apply_affine(np.linalg.inv(atlas.affine) @ share.affine, voxels)
        index = np.rint(there).astype(int)
        inside = ((index >= 0) & (index < data.shape)).all(axis=1)
        data[tuple(index[inside].T)] = label
    return like(atlas, data)
