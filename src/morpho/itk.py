"""Bridge between nibabel images (RAS+ world) and ANTs images (LPS+ world). Arrays are shared, nothing is resampled."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ants
import nibabel as nib
import numpy as np
from nibabel.affines import voxel_sizes
from nibabel.nifti1 import Nifti1Image

RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0])


def to_ants(image: Nifti1Image) -> Any:
    """ANTs image (float32) with the values and world geometry of a nibabel image of shape (X, Y, Z)."""
    sizes_mm = voxel_sizes(image.affine)
    return ants.from_numpy(
        np.ascontiguousarray(np.asanyarray(image.dataobj), dtype=np.float32),
        origin=(RAS_TO_LPS @ image.affine[:3, 3]).tolist(),
        spacing=sizes_mm.tolist(),
        direction=RAS_TO_LPS @ (image.affine[:3, :3] / sizes_mm),
    )


def from_ants(image: Any) -> Nifti1Image:
    """Image of nibabel with the values and world geometry of an ANTs image."""
    affine = np.eye(4)
    affine[:3, :3] = RAS_TO_LPS @ np.asarray(image.direction) @ np.diag(image.spacing)
    affine[:3, 3] = RAS_TO_LPS @ np.asarray(image.origin)
    return nib.Nifti1Image(image.numpy(), affine)


@contextmanager
def scratch_folder() -> Iterator[str]:
    """Give a folder for the temporary files of ANTs, and remove it with all that ANTs leaves behind."""
    before = tempfile.tempdir
    with tempfile.TemporaryDirectory(prefix="morpho-") as folder:
        tempfile.tempdir = folder
        try:
            yield folder
        finally:
            tempfile.tempdir = before
