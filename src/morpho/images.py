"""Images on disk and voxel grids: load a T1w scan safely, compare grids, count voxel volumes, crop, save compactly.

Takes nibabel images, gives nibabel images. Nothing here knows what a brain is.
"""

from __future__ import annotations

import gzip
import uuid
import zlib
from pathlib import Path
from typing import Any, Literal

import nibabel as nib
import numpy as np
from nibabel.affines import voxel_sizes
from nibabel.filebasedimages import ImageFileError
from nibabel.nifti1 import Nifti1Image, Nifti1Pair
from nibabel.orientations import aff2axcodes
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from morpho.errors import GridMismatchError, ImageError

FloatArray = NDArray[np.float32]

GRID_TOLERANCE_MM = 1e-3
SMALLEST_VOXEL_MM, LARGEST_VOXEL_MM = 0.2, 5.0
FEWEST_VOXELS_PER_AXIS = 24
# A qform stores a rotation as three single-precision numbers, so two writings of one geometry differ by about 1e-4.
DIRECTION_TOLERANCE = 1e-2
UNREADABLE = (ImageFileError, HeaderDataError, OSError, EOFError, ValueError, zlib.error)


def load_image(path: str | Path) -> Nifti1Image:
    """Load a NIfTI image.

    Raises
    ------
    ImageError
        If the file is missing, is not NIfTI, is truncated, or is compressed and fails its checksum.
    """
    path = Path(path)
    if not path.exists():
        message = f"{path.name} is not there ({path}). If the folder is a DataLad dataset, fetch it with `datalad get`."
        raise ImageError(message)
    try:
        image = nib.load(path)
        np.asanyarray(image.dataobj)
        if path.suffix == ".gz":
            gzip.decompress(path.read_bytes())  # nibabel stops before the checksum at the end
    except UNREADABLE as error:
        message = f"{path.name} cannot be read as NIfTI: {error}. Expected a whole .nii or .nii.gz file; copy it again."
        raise ImageError(message) from error
    if not isinstance(image, Nifti1Pair):
        message = f"{path.name} is a {type(image).__name__}; only NIfTI can be measured. Convert it to .nii.gz."
        raise ImageError(message)
    return image


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
        If the file cannot be read, is not one volume of plain numbers, says nothing about left and right, contradicts
        itself about left and right, has impossible voxels, or holds no signal.
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
        raise ImageError(message)
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
        raise ImageError(message)
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
        raise ImageError(message)
    return data


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
    _write_whole(stored, Path(path))


def _write_whole(image: Nifti1Image, path: Path) -> None:
    """Write under a temporary name in the same folder, then rename, so that no half-written image is ever seen."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        # mtime=0 keeps the bytes of equal images equal.
        temporary.write_bytes(gzip.compress(image.to_bytes(), compresslevel=4, mtime=0))
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
