"""Images on disk and voxel grids: load, compare grids, count voxel volumes, crop, save compactly.

Takes nibabel images, gives nibabel images. Nothing here knows what a brain is.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any, Literal

import nibabel as nib
import numpy as np
from nibabel.nifti1 import Nifti1Image
from numpy.typing import NDArray

from morpho.disk import write_whole
from morpho.errors import GridMismatchError, ImageError
from morpho.nifti_files import open_nifti

FloatArray = NDArray[np.float32]

GRID_TOLERANCE_MM = 1e-3


def load_image(path: str | Path) -> Nifti1Image:
    """Load a NIfTI image and make sure that all of it can be read.

    Parameters
    ----------
    path
        A ``.nii`` or ``.nii.gz`` file.

    Returns
    -------
    Image of any shape, as in the file.

    Raises
    ------
    ImageError
        If the file is missing, is not NIfTI, is not as long as its header says, or is compressed and fails its
        checksum.
    """
    return open_nifti(path)


def voxel_volume_mm3(image: Nifti1Image) -> float:
    """Volume of one voxel in mm3.

    Examples
    --------
    >>> import numpy as np
    >>> voxel_volume_mm3(nib.Nifti1Image(np.zeros((2, 2, 2), np.uint8), np.diag([-1.0, 1.5, 2.0, 1.0])))
    3.0
    """
    first, second, third = image.affine[:3, :3].T
    return float(abs(first @ np.cross(second, third)))


def check_same_grid(*images: Nifti1Image) -> None:
    """Check that images share one voxel grid.

    Raises
    ------
    GridMismatchError
        If shapes differ or affines differ by more than 1e-3 mm.
    """
    first = images[0]
    for other in images[1:]:
        if first.shape[:3] != other.shape[:3]:
            message = f"Images have shapes {first.shape} and {other.shape}; they must share one grid. Measure again."
            raise GridMismatchError(message)
        difference_mm = float(np.abs(first.affine - other.affine).max())
        if difference_mm > GRID_TOLERANCE_MM:
            message = (
                f"Affines differ by {difference_mm:.4f} mm; one grid has {GRID_TOLERANCE_MM} at most. Run it again."
            )
            raise GridMismatchError(message)


def array_of(image: Nifti1Image) -> FloatArray:
    """Values of an image as float32, shape (X, Y, Z)."""
    return np.asarray(image.dataobj, dtype=np.float32)


def mask_of(image: Nifti1Image) -> NDArray[np.bool_]:
    """Where a mask image is set, shape (X, Y, Z)."""
    return np.asarray(np.asanyarray(image.dataobj) > 0)


def labels_of(image: Nifti1Image) -> NDArray[np.int32]:
    """Integer labels of an image, shape (X, Y, Z).

    Raises
    ------
    ImageError
        If the values are not whole numbers (a label image that was interpolated or rescaled).
    """
    values = np.asanyarray(image.dataobj)
    with np.errstate(invalid="ignore"):
        labels: NDArray[np.int32] = values.astype(np.int32)
    if not np.array_equal(labels, values):  # unequal also where a value is not finite
        message = "A label image holds fractions; labels must be whole numbers. Was it resampled with interpolation?"
        raise ImageError(message)
    return labels


def like(image: Nifti1Image, data: NDArray[Any]) -> Nifti1Image:
    """Image of `data` on the grid of `image`."""
    return nib.Nifti1Image(data, image.affine)


def bounding_box(mask: NDArray[np.bool_], margin_voxels: NDArray[np.int_]) -> tuple[slice, slice, slice]:
    """Smallest box around a mask of shape (X, Y, Z), widened by a margin (voxels per axis) within the image.

    Raises
    ------
    ImageError
        If the mask is empty.
    """
    if not mask.any():
        message = f"A mask of shape {mask.shape} is empty; there is nothing to measure. Look at the scan."
        raise ImageError(message)
    slices = []
    for axis, size in enumerate(mask.shape):
        where = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        start = max(int(where[0]) - int(margin_voxels[axis]), 0)
        slices.append(slice(start, min(int(where[-1]) + 1 + int(margin_voxels[axis]), size)))
    return slices[0], slices[1], slices[2]


def save_image(image: Nifti1Image, path: str | Path, *, kind: Literal["intensity", "probability", "label"]) -> None:
    """Write an image compactly and whole: to a temporary file first, then renamed.

    Parameters
    ----------
    image : shape (X, Y, Z)
        Intensities of at least 0, probabilities from 0 to 1, or labels.
    path
        File to write (.nii.gz); its folder is made.
    kind
        "intensity": 16 bit, scaled. "probability": 8 bit, 1/255 a step. "label": 8, 16 or 32 bit, unscaled.

    Raises
    ------
    ImageError
        If labels are not whole numbers.
    """
    values = np.asanyarray(image.dataobj)
    if kind == "probability":
        stored = nib.Nifti1Image(np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8), image.affine)
        stored.header.set_slope_inter(1 / 255, 0)
    elif kind == "label":
        labels = labels_of(image)
        types = (np.uint8, np.int16, np.int32)
        fitting = next(t for t in types if np.iinfo(t).min <= labels.min() and labels.max() <= np.iinfo(t).max)
        stored = nib.Nifti1Image(labels.astype(fitting), image.affine)
    else:
        scale = max(float(np.abs(values).max()), 1e-6) / 32767
        stored = nib.Nifti1Image(np.rint(values / scale).astype(np.int16), image.affine)
        stored.header.set_slope_inter(scale, 0)
    stored.header.set_xyzt_units("mm", "sec")
    stored.header.set_qform(image.affine, code=1)
    stored.header.set_sform(image.affine, code=1)
    # mtime=0 keeps the bytes of equal images equal.
    write_whole(gzip.compress(stored.to_bytes(), compresslevel=4, mtime=0), Path(path))
