"""Raw T1w scans as people have them: odd headers, broken values and spurious axes are mended with a note, or refused.

Takes a file, gives one clean volume in closest canonical orientation. Nothing here knows what a brain is.
"""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.affines import voxel_sizes
from nibabel.nifti1 import Nifti1Image
from nibabel.orientations import aff2axcodes
from numpy.typing import NDArray

from morpho.errors import EmptyImageError, ImageError, OrientationError
from morpho.images import FloatArray, load_image

SMALLEST_VOXEL_MM, LARGEST_VOXEL_MM = 0.2, 5.0
FEWEST_VOXELS_PER_AXIS = 24
# A qform stores a rotation as three single-precision numbers, so two writings of one geometry differ by about 1e-4.
DIRECTION_TOLERANCE = 1e-2


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
        If the file cannot be read, is not one volume of plain numbers, or has impossible voxels.
    OrientationError
        If the file says nothing about left and right, or contradicts itself about them.
    EmptyImageError
        If it holds no signal.
    """
    image, name = load_image(path), Path(path).name
    notes: list[str] = []
    data, affine = _one_volume(image, name, notes), _trusted_affine(image, name, notes)
    _check_voxels(data.shape, affine, name)
    data = _clean_values(data, name, notes)
    return nib.as_closest_canonical(nib.Nifti1Image(data, affine)), notes


def _one_volume(image: Nifti1Image, name: str, notes: list[str]) -> FloatArray:
    """Values of the only volume of `image`, shape (X, Y, Z), float32 with the file's scaling applied."""
    stored = image.get_data_dtype()
    if not (np.issubdtype(stored, np.integer) or np.issubdtype(stored, np.floating)):
        message = f"{name} holds {stored} values; a T1w scan is a magnitude image of plain numbers. Convert it again."
        raise ImageError(message)
    data = np.asarray(image.dataobj, dtype=np.float32)
    if data.ndim < 3 or np.prod(data.shape[3:]) != 1:
        message = f"{name} has shape {data.shape}; a T1w scan is one volume (X, Y, Z). Split or average it first."
        raise ImageError(message)
    if data.ndim > 3:
        notes.append(f"dropped trailing axes of shape {data.shape[3:]}")
    return data.reshape(data.shape[:3])


def _trusted_affine(image: Nifti1Image, name: str, notes: list[str]) -> NDArray[np.float64]:
    """Voxel-to-world matrix (mm): the sform, else the qform; refused if neither is set or they disagree on a side."""
    header = image.header
    sform, s_code = header.get_sform(coded=True)
    try:
        qform, q_code = header.get_qform(coded=True)
    except ValueError as error:  # load_image has refused the file if the qform is all that it has
        notes.append(f"the qform is broken ({error}); the sform gives the geometry")
        qform, q_code = None, 0
    if not s_code and not q_code:
        unknown = f"{name} says nothing about its orientation (sform and qform codes are both 0)"
        message = f"{unknown}: which side is left? Convert it again from the original images, or set the sform."
        raise OrientationError(message)
    if not s_code:
        notes.append("no sform; the qform gives the geometry")
        return np.asarray(qform, dtype=float)
    if not np.isfinite(sform).all() or abs(np.linalg.det(sform[:3, :3])) < SMALLEST_VOXEL_MM**3:
        message = f"{name} has a singular sform {np.asarray(sform)[:3, :3].tolist()}. Repair the header first."
        raise ImageError(message)
    if q_code:
        _compare_forms(np.asarray(sform), np.asarray(qform), name, notes)
    return np.asarray(sform, dtype=float)


def _compare_forms(sform: NDArray[np.float64], qform: NDArray[np.float64], name: str, notes: list[str]) -> None:
    """Refuse forms that disagree about the anatomical axes; note smaller differences."""
    directions = [form[:3, :3] / voxel_sizes(form) for form in (sform, qform)]
    if np.abs(directions[0] - directions[1]).max() <= DIRECTION_TOLERANCE:
        return  # first, for axis codes jump between almost equal forms near 45 degrees
    axes = ["".join(aff2axcodes(form)) for form in (sform, qform)]
    if axes[0] != axes[1]:
        seen = f"{name}: sform and qform disagree about the axes ({axes[0]} against {axes[1]})"
        message = f"{seen}, so left and right are uncertain. Set the code of the wrong one to 0."
        raise OrientationError(message)
    notes.append("sform and qform differ by a rotation; the sform is used")


def _check_voxels(shape: tuple[int, ...], affine: NDArray[np.float64], name: str) -> None:
    """Refuse voxels and extents that no T1w scan of a head has."""
    sizes_mm = voxel_sizes(affine)
    if not np.isfinite(sizes_mm).all() or sizes_mm.min() < SMALLEST_VOXEL_MM or sizes_mm.max() > LARGEST_VOXEL_MM:
        seen, allowed = np.round(sizes_mm, 3).tolist(), f"{SMALLEST_VOXEL_MM} to {LARGEST_VOXEL_MM} mm"
        message = f"{name} has voxels of {seen} mm; {allowed} per axis can be measured. Check the header."
        raise ImageError(message)
    if min(shape) < FEWEST_VOXELS_PER_AXIS:
        message = f"{name} has shape {shape}, a slab; a brain needs at least {FEWEST_VOXELS_PER_AXIS} voxels per axis."
        raise ImageError(message)


def _clean_values(data: FloatArray, name: str, notes: list[str]) -> FloatArray:
    """Replace values that no magnitude image has (not finite, negative) by zero, and say how many there were."""
    broken = ~np.isfinite(data)
    if broken.any():
        notes.append(f"{int(broken.sum())} voxels were NaN or infinite and are now 0")
        data = np.where(broken, np.float32(0), data)
    n_negative = int((data < 0).sum())
    if n_negative:
        notes.append(f"{n_negative} voxels were negative and are now 0")
        data = np.maximum(data, np.float32(0))
    if data.max() <= data.min():
        message = f"{name} holds one value only ({float(data.max())}); there is nothing to measure."
        raise EmptyImageError(message)
    return data
