"""Whether a brain mask has the shape of a brain: in one piece, without holes, not cut by the image or by defacing.

Takes masks on the grid of the raw scan, gives counts, volumes and areas.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from nibabel.affines import voxel_sizes
from nibabel.nifti1 import Nifti1Image
from numpy.typing import NDArray
from scipy import ndimage

from morpho.images import FloatArray, mask_of

Mask = NDArray[np.bool_]

# Blanked voxels are zero in blocks; in the noise of air, zeros stand alone.
BLOCK_VOXELS = 3
SMALLEST_BLANK_MM3 = 500.0
# Signal this far from a face of the box that has signal still touches it: interpolation blurs a cut.
FACE_VOXELS = 2


@dataclass(frozen=True)
class MaskShape:
    """Parts of a mask, volume of its holes (mm3) and area in which it touches a face of the image (mm2)."""

    parts: int
    holes_mm3: float
    edge_contact_mm2: float


def box_in_raw(part: Nifti1Image, raw: Nifti1Image) -> tuple[slice, slice, slice]:
    """Box of a raw scan that a cropped image covers.

    Parameters
    ----------
    part : shape (X, Y, Z, ...)
        Image on a part of the grid of `raw`.
    raw : shape (U, V, W)
        Raw scan with the same axes.

    Returns
    -------
    Voxels of `raw` from the first to the last of `part`, per axis.
    """
    start = np.rint((np.linalg.inv(raw.affine) @ part.affine)[:3, 3]).astype(int)
    first, second, third = (slice(low, low + size) for low, size in zip(start, part.shape[:3], strict=True))
    return first, second, third


def place_in_raw(mask: Nifti1Image, raw: Nifti1Image) -> Mask:
    """Put a mask of a cropped scan back on the grid of the raw scan.

    Parameters
    ----------
    mask : shape (X, Y, Z)
        Mask on a part of the grid of `raw`.
    raw : shape (U, V, W)
        Raw scan with the same axes.

    Returns
    -------
    Mask of shape (U, V, W).
    """
    whole: Mask = np.zeros(raw.shape, dtype=bool)
    whole[box_in_raw(mask, raw)] = mask_of(mask)
    return whole


def blanked_voxels(signal: FloatArray, voxel_mm3: float) -> Mask:
    """Find voxels that software set to zero: defacing, brain extraction, zero filling.

    Parameters
    ----------
    signal : shape (X, Y, Z)
        Raw signal.
    voxel_mm3
        Volume of a voxel.

    Returns
    -------
    Zeros in blocks of at least 3 x 3 x 3 voxels that are connected over at least 500 mm3.
    """
    zero = np.asarray(signal == 0)
    block = np.ones((BLOCK_VOXELS,) * 3, dtype=bool)
    blocks = ndimage.binary_dilation(ndimage.binary_erosion(zero, block, border_value=1), block) & zero
    parts, _ = ndimage.label(blocks)
    sizes = np.bincount(parts.ravel())
    large = sizes * voxel_mm3 >= SMALLEST_BLANK_MM3
    large[0] = False
    return np.asarray(large[parts])


def measure_mask_shape(brain: Mask, has_signal: Mask, voxel_mm: NDArray[np.float64]) -> MaskShape:
    """Measure parts and holes of a brain mask, and how much of it touches a face of the image.

    Parameters
    ----------
    brain : shape (X, Y, Z)
        Brain mask on the grid of the raw scan.
    has_signal : shape (X, Y, Z)
        Where the raw scan was not blanked. The smallest box around it is taken as the field of view.
    voxel_mm : shape (3,)
        Edges of a voxel.

    Returns
    -------
    Shape of the mask. The area is that of the mask in the last planes before a face, the largest of six. A brain that
    was extracted and cropped tightly touches each face tangentially, with a few hundred mm2; a cut has thousands.
    """
    voxel_mm3 = float(np.prod(voxel_mm))
    holes = int(ndimage.binary_fill_holes(brain).sum()) - int(brain.sum())
    contact_mm2 = 0.0
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        planes = np.flatnonzero(has_signal.any(axis=others))
        if len(planes) == 0:
            continue
        area_mm2 = voxel_mm3 / voxel_mm[axis] * brain.sum(axis=others)
        first, last = int(planes[0]), int(planes[-1])
        near = [area_mm2[first : first + FACE_VOXELS], area_mm2[last + 1 - FACE_VOXELS : last + 1]]
        contact_mm2 = max(contact_mm2, *(float(part.max(initial=0.0)) for part in near))
    return MaskShape(int(ndimage.label(brain)[1]), holes * voxel_mm3, contact_mm2)


def contact_area_mm2(brain: Mask, blanked: Mask, voxel_mm: NDArray[np.float64]) -> float:
    """Area of the voxel faces between brain that has signal and blanked voxels.

    Parameters
    ----------
    brain, blanked : shape (X, Y, Z)
        Brain mask, and voxels that software set to zero.
    voxel_mm : shape (3,)
        Edges of a voxel.

    Examples
    --------
    Two voxels of brain beside two blanked ones, 2 x 3 mm each:

    >>> brain, blanked = np.zeros((2, 2, 1), bool), np.zeros((2, 2, 1), bool)
    >>> brain[0], blanked[1] = True, True
    >>> contact_area_mm2(brain, blanked, np.array([1.0, 2.0, 3.0]))
    12.0
    """
    visible = brain & ~blanked
    total = 0.0
    for axis in range(3):
        face_mm2 = float(np.prod(voxel_mm) / voxel_mm[axis])
        low = [slice(None)] * 3
        high = [slice(None)] * 3
        low[axis], high[axis] = slice(None, -1), slice(1, None)
        below, above = tuple(low), tuple(high)
        touching = (visible[below] & blanked[above]) | (blanked[below] & visible[above])
        total += face_mm2 * int(touching.sum())
    return total


def voxel_edges_mm(image: Nifti1Image) -> NDArray[np.float64]:
    """Edges of a voxel in mm, shape (3,)."""
    return np.asarray(voxel_sizes(image.affine), dtype=np.float64)
