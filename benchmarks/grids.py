"""Images of one world on different grids: labels and shares carried over, and files written only when they change."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.nifti1 import Nifti1Image
from numpy.typing import NDArray
from scipy import ndimage


def on_grid_of(image: Nifti1Image, target: Nifti1Image) -> NDArray[np.int32]:
    """Labels of an image on the grid of another one (nearest voxel), 0 outside, shape of `target`."""
    return _resampled(np.asanyarray(image.dataobj).astype(np.int32), image, target, order=0)


def shares_on_grid_of(image: Nifti1Image, target: Nifti1Image) -> NDArray[np.float32]:
    """Shares of an image on the grid of another one (linear; exact where the grids coincide), shape of `target`."""
    return _resampled(np.asarray(image.dataobj, dtype=np.float32), image, target, order=1)


def _resampled(values: NDArray[Any], image: Nifti1Image, target: Nifti1Image, *, order: int) -> NDArray[Any]:
    """Values on the grid of `image` at the voxels of `target`, 0 outside."""
    # Rounded, so that voxels of a crop meet their origin exactly.
    step = np.round(np.linalg.inv(image.affine) @ target.affine, 6)
    return ndimage.affine_transform(
        values, step[:3, :3], step[:3, 3], output_shape=target.shape[:3], order=order, mode="constant"
    )


def load_labels(path: Path) -> Nifti1Image:
    """Label image as int32 in memory, a fourth dimension of length 1 taken away."""
    image = nib.load(path)
    labels = np.rint(np.asanyarray(image.dataobj)).astype(np.int32)
    return Nifti1Image(labels.reshape(labels.shape[:3]), image.affine)


def save_if_changed(image: Nifti1Image, path: Path) -> None:
    """Write an image, unless the file holds it already: so a second run measures only what is new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"new-{os.getpid()}-{path.name}")
    nib.save(image, temporary)
    if path.exists() and _equal(path, temporary):
        temporary.unlink()
    else:
        temporary.replace(path)


def _equal(first: Path, second: Path) -> bool:
    """Whether two images have the same grid and the same values."""
    one, other = nib.load(first), nib.load(second)
    same_grid = one.shape == other.shape and np.array_equal(one.affine, other.affine)
    return bool(same_grid and np.array_equal(np.asanyarray(one.dataobj), np.asanyarray(other.dataobj)))
