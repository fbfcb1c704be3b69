"""Raw T1w scans as people have them: odd headers, broken values and spurious axes are mended with a note, or refused.

Takes a file, gives one clean volume in closest canonical orientation. Nothing here knows what a brain is.
"""

from __future__ import annotations

import math
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.nifti1 import Nifti1Image

from morpho.errors import EmptyImageError, ImageError
from morpho.images import FloatArray
from morpho.nifti_files import open_nifti, stored_header
from morpho.t1w_geometry import check_grid, find_affine

# Noise around 0 and ringing leave 5 % and less; an image with mean 0, or one of a phase, has half.
LARGEST_NEGATIVE_SHARE = 0.1
SMALLEST_PEAK, LARGEST_PEAK = 1e-9, 1e12  # signal whose squares single precision can still add up
LARGEST_FLOOR = 0.5  # of the peak: no voxel darker than this means that an offset was added to all


def load_t1w(path: str | Path) -> tuple[Nifti1Image, list[str]]:
    """Load a T1w scan as a clean three-dimensional image in closest canonical (RAS+) orientation.

    Parameters
    ----------
    path
        NIfTI file in any orientation and data type.

    Returns
    -------
    image : shape (X, Y, Z)
        float32, axes in RAS+ order; world coordinates are those of the file.
    notes
        What had to be mended, in words; empty for a clean file.

    Raises
    ------
    ImageError
        If the file cannot be read, is not one volume of plain numbers, has impossible voxels or too many of them, or
        values that are no signal.
    OrientationError
        If the file says nothing about left and right, or contradicts itself about them.
    EmptyImageError
        If it holds no signal.
    """
    image, name = open_nifti(path), Path(path).name
    notes: list[str] = []
    shape = _shape_of_volume(image, name, notes)
    affine = find_affine(image, name, notes)
    check_grid(shape, affine, name)
    data = _clean_values(_read_values(image, notes).reshape(shape), name, notes)
    return nib.as_closest_canonical(nib.Nifti1Image(data, affine)), notes


def _shape_of_volume(image: Nifti1Image, name: str, notes: list[str]) -> tuple[int, ...]:
    """Shape (X, Y, Z) of the only volume of `image`, refused if there are more or if voxels are no plain numbers."""
    stored, shape = image.get_data_dtype(), tuple(map(int, image.shape))
    if not (np.issubdtype(stored, np.integer) or np.issubdtype(stored, np.floating)):
        message = f"{name} holds {stored} values; a T1w scan is a magnitude image of plain numbers. Convert it again."
        raise ImageError(message)
    if len(shape) < 3 or math.prod(shape[3:]) != 1:
        message = f"{name} has shape {shape}; a T1w scan is one volume (X, Y, Z). Split or average it first."
        raise ImageError(message)
    if len(shape) > 3:
        notes.append(f"dropped trailing axes of shape {shape[3:]}")
    return shape[:3]


def _read_values(image: Nifti1Image, notes: list[str]) -> FloatArray:
    """Values of `image` with the scaling of its header, float32; what float32 cannot hold becomes infinite."""
    stored, stored_slope = image.dataobj, float(stored_header(image)["scl_slope"])
    with np.errstate(over="ignore", invalid="ignore"):
        data = np.asarray(stored.get_unscaled(), dtype=np.float32)
        if (stored.slope, stored.inter) != (1, 0):  # in place, for a large scan would not fit twice
            data *= np.float32(stored.slope)
            data += np.float32(stored.inter)
    if math.isinf(stored_slope):
        notes.append(f"the header scales values by {stored_slope}; they are taken as they are stored")
    return data


def _clean_values(data: FloatArray, name: str, notes: list[str]) -> FloatArray:
    """Replace values that no magnitude image has (not finite, negative) by zero, and say how many there were."""
    broken = ~np.isfinite(data)
    if broken.all():
        message = f"{name} holds no finite value, only NaN or infinite ones; there is nothing to measure."
        raise EmptyImageError(message)
    if broken.any():
        notes.append(f"{int(broken.sum())} voxels were NaN or infinite and are now 0")
        data[broken] = 0
    low, high = float(data.min()), float(data.max())
    if high <= low:
        message = f"{name} holds one value only ({high}); there is nothing to measure."
        raise EmptyImageError(message)
    if low < 0:
        _check_negative(data, name)
        notes.append(f"{int((data < 0).sum())} voxels were negative and are now 0")
        np.maximum(data, np.float32(0), out=data)
    if not SMALLEST_PEAK <= high <= LARGEST_PEAK:
        seen = f"{name} has values up to {high:g}; {SMALLEST_PEAK:g} to {LARGEST_PEAK:g} can be measured"
        message = f"{seen}. Check the scaling in its header (scl_slope)."
        raise ImageError(message)
    if low > LARGEST_FLOOR * high:
        seen = f"{name} has values from {low:g} to {high:g}, none near 0; air and fluid of a T1w scan are dark"
        message = f"{seen}. Check the offset in its header (scl_inter)."
        raise ImageError(message)
    return data


def _check_negative(data: FloatArray, name: str) -> None:
    """Refuse an image with so much negative signal that it cannot be a magnitude."""
    negative = -float(np.minimum(data, 0).sum(dtype=np.float64))
    share = negative / float(np.abs(data).sum(dtype=np.float64))
    if share > LARGEST_NEGATIVE_SHARE:
        seen = f"{name} is no magnitude image: {100 * share:.0f} % of its signal is negative (down to {data.min():g})"
        message = f"{seen}; up to {100 * LARGEST_NEGATIVE_SHARE:.0f} % can be noise. Use a scan in which air is near 0."
        raise ImageError(message)
