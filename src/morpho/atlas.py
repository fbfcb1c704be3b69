"""The template that `morpho` aligns to, and atlases drawn on it: find, verify and load them. Nothing is downloaded."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
from nibabel.affines import apply_affine
from nibabel.nifti1 import Nifti1Image
from numpy.typing import NDArray
from scipy import ndimage

from morpho.errors import AtlasError
from morpho.images import array_of, labels_of, load_image
from morpho.structures import redraw_structures

TEMPLATE_SPACE = "MNI152NLin2009aSym"
TEMPLATE_FILES = {
    "t1w": "nilearn:datasets/data/mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz",
    "grey_matter": "nilearn:datasets/data/mni_icbm152_gm_tal_nlin_sym_09a_converted.nii.gz",
    "white_matter": "nilearn:datasets/data/mni_icbm152_wm_tal_nlin_sym_09a_converted.nii.gz",
}


@dataclass(frozen=True)
class Template:
    """Brain template and its tissue maps, all of shape (197, 233, 189) at 1 mm, values 0 to 1, RAS+.

    The ICBM 2009a non-linear symmetric average of 152 young adults (Fonov et al. 2011, NeuroImage 54, 313-327,
    doi 10.1016/j.neuroimage.2010.07.033), as shipped with nilearn.
    """

    t1w: Nifti1Image
    grey_matter: Nifti1Image
    white_matter: Nifti1Image
    csf: Nifti1Image
    brain_mask: Nifti1Image


@dataclass(frozen=True)
class Atlas:
    """Label image in template space with its label table.

    `labels` has the columns index, name, hemisphere (L, R, B) and tissue (cortex, subcortex, other).
    """

    name: str
    image: Nifti1Image
    labels: pd.DataFrame


def find_data_file(location: str | Path, *, base: Path = Path()) -> Path:
    """Find a data file named as a path, or as ``package:path`` inside an installed package (never imported).

    Parameters
    ----------
    location
        Path, or name of a package and path inside it, joined by a colon.
    base
        Folder that a relative path starts from.

    Returns
    -------
    Path of an existing file.

    Raises
    ------
    AtlasError
        If the package is not installed or the file does not exist.
    """
    text = str(location)
    package, separator, inside = text.partition(":")
    if separator and package.isidentifier() and len(package) > 1:
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            message = (
                f"The data file '{text}' is part of the package {package}, which is not installed. Install what "
                "requirements.lock names (in a checkout: make test), or name a file that is there."
            )
            raise AtlasError(message)
        path = Path(spec.origin).parent / inside
    else:
        path = base / text
    if not path.is_file():
        message = (
            f"There is no file '{path}' (given as '{text}'). Give a path, or package:path of an installed package."
        )
        raise AtlasError(message)
    return path


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's content, hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def load_template() -> Template:
    """Load the template with brain mask and a CSF map that fills the mask where grey and white matter do not.

    Raises
    ------
    AtlasError
        If nilearn's copy is missing.
    """
    maps = {name: load_image(find_data_file(location)) for name, location in TEMPLATE_FILES.items()}
    grey, white = (array_of(maps[name]) / 255 for name in ("grey_matter", "white_matter"))
    t1w = array_of(maps["t1w"]) / 255
    mask = t1w > 0  # the template is a brain alone, without holes
    affine = maps["t1w"].affine
    csf = np.where(mask, np.clip(1 - grey - white, 0, 1), 0)
    return Template(
        t1w=nib.Nifti1Image(t1w.astype(np.float32), affine),
        grey_matter=nib.Nifti1Image(grey.astype(np.float32), affine),
        white_matter=nib.Nifti1Image(white.astype(np.float32), affine),
        csf=nib.Nifti1Image(csf.astype(np.float32), affine),
        brain_mask=nib.Nifti1Image(mask.astype(np.uint8), affine),
    )


def load_atlas(name: str, image: Path, labels: pd.DataFrame) -> Atlas:
    """Load a label image, carve the split labels out of it and check it against its table.

    A row of `labels` with `split_of` and `max_z_mm` is the part of label `split_of` (same hemisphere) that lies below
    that height in template space; its voxels get the row's own index. Hippocampus and amygdala, if the table has them,
    are those of the subcortical atlas.

    Parameters
    ----------
    image
        Label image in template space.
    labels
        Columns index, name, hemisphere, tissue, and optionally split_of, max_z_mm.

    Raises
    ------
    AtlasError
        If the image holds a label that the table lacks or the other way round, or if a label lies on the other side
        of the mid-plane than its hemisphere says.
    """
    loaded = load_image(image)
    data = labels_of(loaded)
    if "split_of" in labels:
        for row in labels[labels["split_of"].notna()].to_dict("records"):
            _carve_split(data, loaded.affine, labels, row)
    _check_labels(data, labels, image.name)
    _check_sides(data, loaded.affine, labels, image.name)
    image_in_template = nib.Nifti1Image(data.astype(np.int16), loaded.affine)
    return Atlas(name, redraw_structures(image_in_template, labels), labels)


def _carve_split(
    data: NDArray[np.int32], affine: NDArray[np.float64], labels: pd.DataFrame, row: dict[Hashable, Any]
) -> None:
    """Give the part of a label below a template height (mm) the index of `row`, in place."""
    parent = labels[(labels["name"] == row["split_of"]) & (labels["hemisphere"] == row["hemisphere"])]
    if len(parent) != 1:
        message = (
            f"Label '{row['name']}' ({row['hemisphere']}) is split from '{row['split_of']}', which the label table has "
            f"{len(parent)} times for that hemisphere; it must be there once."
        )
        raise AtlasError(message)
    voxels = np.argwhere(data == parent["index"].iloc[0])
    below = apply_affine(affine, voxels)[:, 2] < float(row["max_z_mm"])
    data[tuple(voxels[below].T)] = row["index"]


def _check_labels(data: NDArray[np.int32], labels: pd.DataFrame, name: str) -> None:
    """Refuse an image whose labels are not exactly those of the table."""
    present = set(np.unique(data).tolist()) - {0}
    declared = set(labels["index"].tolist())
    problems = []
    if present - declared:
        problems.append(f"labels {sorted(present - declared)} are in the image but not in the label table")
    if declared - present:
        problems.append(f"labels {sorted(declared - present)} are in the label table but not in the image")
    if problems:
        message = f"Atlas {name}: {'; '.join(problems)}. Image and table must list the same labels."
        raise AtlasError(message)


def _check_sides(data: NDArray[np.int32], affine: NDArray[np.float64], labels: pd.DataFrame, name: str) -> None:
    """Refuse an atlas with a lateral label whose centre lies on the other side (x < 0 is left in RAS+)."""
    lateral = labels[labels["hemisphere"].isin(["L", "R"])]
    if lateral.empty:
        return
    centres = ndimage.center_of_mass(data > 0, data, lateral["index"].to_numpy())
    x_mm = apply_affine(affine, np.array(centres))[:, 0]
    wrong = lateral[(x_mm < 0) != (lateral["hemisphere"] == "L").to_numpy()]
    if len(wrong):
        listed = ", ".join(f"{row['name']} ({row['hemisphere']})" for row in wrong.to_dict("records"))
        message = f"Atlas {name}: these labels lie on the other side of the brain than their table says: {listed}."
        raise AtlasError(message)
