"""Where the voxels of a raw scan lie: what the header says about it, and whether it may be believed.

Takes the header of a scan as it stands in the file, gives the matrix from voxels to the world. A volume is only as
true as the voxel size, and a side only as true as the signs in this matrix, so whatever leaves one of the two open is
refused; the rest is mended with a note.
"""

from __future__ import annotations

import math

import numpy as np
from nibabel.affines import voxel_sizes
from nibabel.nifti1 import Nifti1Header, Nifti1Image
from nibabel.orientations import aff2axcodes
from nibabel.quaternions import quat2mat
from numpy.typing import NDArray

from morpho.errors import ImageError, OrientationError
from morpho.nifti_files import stored_header

Matrix = NDArray[np.float64]

SMALLEST_VOXEL_MM, LARGEST_VOXEL_MM = 0.2, 5.0
FEWEST_VOXELS_PER_AXIS = 24
SMALLEST_EXTENT_MM = 70.0  # the brain of an adult is longer in all directions
MOST_VOXELS = 200_000_000  # 320 x 512 x 512 are 84 million; preprocessing 100 million of 0.5 mm took 22 bytes each
FARTHEST_MM = 10_000.0  # further off, single precision is coarser than the 1e-3 mm by which grids may differ
# A qform stores a rotation as three single-precision numbers, so two writings of one geometry differ by about 0.01.
SMALLEST_ROTATION_DEGREES = 0.6
LARGEST_ROTATION_DEGREES = 45.0  # at most this far apart, two forms name the same side left
SIZE_TOLERANCE = 5e-3  # 1.5 % of a volume; headers round sizes to three digits
SHEAR_TOLERANCE = 1e-2
KNOWN_CODES = range(1, 6)
NATIVE_CODES = (1, 2)  # scanner, aligned; the others are spaces of templates
UNITS = {1: "metre", 3: "micrometre"}


def find_affine(image: Nifti1Image, name: str, notes: list[str]) -> Matrix:
    """Find where the voxels of a scan lie.

    Parameters
    ----------
    image : shape (X, Y, Z) or more
        Scan as opened from a file.
    name
        Of the file, for messages.
    notes
        What had to be mended is appended here, in words.

    Returns
    -------
    Voxel-to-world matrix in mm, shape (4, 4): the sform, else the qform.

    Raises
    ------
    OrientationError
        If the header leaves open which side is left, or contradicts itself about it.
    ImageError
        If it leaves open how large voxels are, or gives an impossible matrix.
    """
    header = stored_header(image)
    codes = {form: int(header[f"{form}_code"]) for form in ("sform", "qform")}
    known = {form: code in KNOWN_CODES for form, code in codes.items()}
    _check_codes(codes, known, name)
    sizes_mm = np.abs(np.asarray(header["pixdim"][1:4], dtype=float))
    has_sizes = bool((np.isfinite(sizes_mm) & (sizes_mm > 0)).all())
    problem = _problem_of_qform(header) if known["qform"] else ""
    notes += _small_repairs(header, has_sizes=has_sizes)
    if not known["sform"]:
        if problem:
            message = f"{name} has no sform, and its qform is broken: {problem}. Convert it again, or set the sform."
            raise OrientationError(message)
        if not has_sizes:
            message = f"{name} has voxels of {_rounded(sizes_mm)} mm by its header and no sform. Convert it again."
            raise ImageError(message)
        notes.append("no sform; the qform gives the geometry")
        return np.asarray(image.header.get_qform(), dtype=float)
    sform = _sound_sform(header, name)
    if problem:
        notes.append(f"the qform is broken ({problem}); the sform gives the geometry")
    elif known["qform"]:
        _compare_directions(sform, _directions_of_qform(header), name, notes)
    if has_sizes:
        _compare_sizes(sform, sizes_mm, name)
    return sform


def check_grid(shape: tuple[int, ...], affine: Matrix, name: str) -> None:
    """Refuse voxels and extents that no T1w scan of a head has.

    Parameters
    ----------
    shape
        Voxels per axis (X, Y, Z), by the header: values need not be read yet.
    affine : shape (4, 4)
        From voxels to the world, mm.
    name
        Of the file, for messages.

    Raises
    ------
    ImageError
        With what was seen and what can be measured.
    """
    sizes_mm, n_voxels = voxel_sizes(affine), math.prod(shape)
    if not np.isfinite(sizes_mm).all() or sizes_mm.min() < SMALLEST_VOXEL_MM or sizes_mm.max() > LARGEST_VOXEL_MM:
        allowed = f"{SMALLEST_VOXEL_MM} to {LARGEST_VOXEL_MM} mm"
        message = f"{name} has voxels of {_rounded(sizes_mm)} mm; {allowed} per axis can be measured. Check the header."
        raise ImageError(message)
    if n_voxels > MOST_VOXELS:
        seen = f"{name} has shape {shape}, {n_voxels / 1e6:.0f} million voxels"
        message = (
            f"{seen}; at most {MOST_VOXELS / 1e6:.0f} million can be measured. Cut off air, or resample to 0.5 mm."
        )
        raise ImageError(message)
    extent_mm = sizes_mm * shape
    if min(shape) < FEWEST_VOXELS_PER_AXIS or extent_mm.min() < SMALLEST_EXTENT_MM:
        seen = f"{name} has shape {shape}, a slab: it covers {np.rint(extent_mm).astype(int).tolist()} mm"
        needed = f"at least {FEWEST_VOXELS_PER_AXIS} voxels and {SMALLEST_EXTENT_MM:.0f} mm per axis"
        message = f"{seen}; a brain needs {needed}. Choose a scan of the whole head."
        raise ImageError(message)
    farthest_mm = float(np.linalg.norm(affine[:3, 3]))
    if not farthest_mm <= FARTHEST_MM:  # refuses NaN as well
        message = f"{name} lies {farthest_mm:g} mm from the origin; at most {FARTHEST_MM:g} is allowed. Set the header."
        raise ImageError(message)


def _check_codes(codes: dict[str, int], known: dict[str, bool], name: str) -> None:
    """Refuse a header that tells no orientation, or that of a template."""
    if not any(known.values()):
        seen = f"sform code {codes['sform']}, qform code {codes['qform']}"
        unknown = f"{name} says nothing about its orientation ({seen}; 1 to 5 are known)"
        message = f"{unknown}: which side is left? Convert it again from the original images, or set the sform."
        raise OrientationError(message)
    if not any(code in NATIVE_CODES for code in codes.values()):
        seen = f"sform code {codes['sform']}, qform code {codes['qform']}"
        message = (
            f"{name} lies in the space of a template ({seen}): a brain that was fitted to one has lost its volumes. "
            "Use the scan as it was acquired; if this is that scan, set the sform code to 1."
        )
        raise ImageError(message)


def _small_repairs(header: Nifti1Header, *, has_sizes: bool) -> list[str]:
    """Say which fields are wrong but decide nothing."""
    notes = []
    sizes_mm, unit = np.asarray(header["pixdim"][1:4], dtype=float), int(header["xyzt_units"]) % 8
    if not has_sizes:
        notes.append(f"voxel sizes {_rounded(sizes_mm)} of the header are broken; the sform gives them")
    elif (sizes_mm < 0).any():
        notes.append(f"voxel sizes {_rounded(sizes_mm)} of the header are taken as positive")
    if unit in UNITS:
        notes.append(f"unit of the header is {UNITS[unit]}; voxel sizes are taken as mm")
    return notes


def _problem_of_qform(header: Nifti1Header) -> str:
    """Say what is wrong with a qform; "" if nothing is."""
    qfac, quaternion = float(header["pixdim"][0]), [float(header[f"quatern_{name}"]) for name in "bcd"]
    if qfac not in (-1, 0, 1):  # 0 is read as 1, as the standard has it
        return f"qfac is {qfac:g} (1 or -1 is allowed), so left and right are uncertain"
    if not np.isfinite(_directions_of_qform(header)).all():
        return f"its quaternion {_rounded(quaternion)} is no rotation"
    return ""


def _directions_of_qform(header: Nifti1Header) -> Matrix:
    """Directions of the voxel axes by the qform, unit columns, shape (3, 3); NaN where it is no rotation."""
    try:
        with np.errstate(all="ignore"):
            directions = np.asarray(quat2mat(header.get_qform_quaternion()), dtype=float)
    except ValueError:
        return np.full((3, 3), np.nan)
    return directions * [1.0, 1.0, -1.0 if header["pixdim"][0] < 0 else 1.0]


def _sound_sform(header: Nifti1Header, name: str) -> Matrix:
    """Sform, shape (4, 4); refused if its axes do not span a box."""
    sform = np.asarray(header.get_sform(), dtype=float)
    sizes_mm = np.linalg.norm(sform[:3, :3], axis=0)
    if not np.isfinite(sform).all() or sizes_mm.min() <= 0 or np.linalg.matrix_rank(sform[:3, :3] / sizes_mm) < 3:
        message = f"{name} has a singular sform {sform[:3, :3].tolist()}. Repair it, or set its code to 0."
        raise ImageError(message)
    directions = sform[:3, :3] / sizes_mm
    shear = float(np.abs(directions.T @ directions - np.eye(3)).max())
    if shear > SHEAR_TOLERANCE:
        degrees = math.degrees(math.acos(min(shear, 1.0)))
        message = (
            f"{name} has a sheared sform (axes meet at {degrees:.0f} degrees): it was fitted to something, so volumes "
            "are not the person's. Use the scan as it was acquired, or set the sform code to 0 if the qform is right."
        )
        raise ImageError(message)
    return sform


def _compare_directions(sform: Matrix, in_qform: Matrix, name: str, notes: list[str]) -> None:
    """Refuse forms that may name different sides left; note smaller differences."""
    in_sform = sform[:3, :3] / voxel_sizes(sform)
    rotation = in_sform @ in_qform.T
    degrees = math.degrees(math.acos(float(np.clip((np.trace(rotation) - 1) / 2, -1, 1))))
    if np.linalg.det(rotation) < 0 or degrees > LARGEST_ROTATION_DEGREES:
        forms = np.eye(4), np.eye(4)
        forms[0][:3, :3], forms[1][:3, :3] = in_sform, in_qform
        axes = ["".join(aff2axcodes(form)) for form in forms]
        seen = f"{name}: sform and qform disagree about the axes ({axes[0]} against {axes[1]})"
        message = f"{seen}, so left and right are uncertain. Set the code of the wrong one to 0."
        raise OrientationError(message)
    if degrees > SMALLEST_ROTATION_DEGREES:
        notes.append(f"sform and qform differ by a rotation of {degrees:.0f} degrees; the sform is used")


def _compare_sizes(sform: Matrix, sizes_mm: Matrix, name: str) -> None:
    """Refuse a sform whose voxels are not as large as the header says elsewhere."""
    by_sform = voxel_sizes(sform)
    if not np.allclose(by_sform, sizes_mm, rtol=SIZE_TOLERANCE, atol=0):
        seen = f"{name} has voxels of {_rounded(by_sform)} mm by its sform, of {_rounded(sizes_mm)} mm by its pixdim"
        message = f"{seen}, so volumes are uncertain. Correct the wrong one, or set the sform code to 0."
        raise ImageError(message)


def _rounded(values: Matrix | list[float]) -> list[float]:
    """Values as they are shown in messages: four digits."""
    return [float(f"{value:.4g}") for value in values]
