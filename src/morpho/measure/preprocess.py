"""Stage 1 of measuring a scan: find the brain, even out the coil's shading, cut away the air.

Takes a clean T1w scan (RAS+, native space), gives the scan without shading, a brain mask on one cropped grid and
coarse shares of what the brain is made of. The scan is not resampled: voxels stay where the scanner put them.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Literal

import numpy as np
from nibabel.affines import voxel_sizes
from nibabel.nifti1 import Nifti1Image
from numpy.typing import NDArray
from scipy import ndimage

from morpho.errors import (
    BrainMaskError,
    FieldOfViewError,
    MissingHemisphereError,
    NotABrainError,
    OrientationError,
)
from morpho.images import FloatArray, array_of, bounding_box, like, voxel_volume_mm3
from morpho.measure.bias import estimate_bias_field
from morpho.measure.head import HeadShares, InputKind, segment_head
from morpho.measure.layout import (
    LARGEST_DOUBT,
    MOST_PROBLEMS,
    find_implausible_parts,
    measure_balance,
    measure_doubt,
    turned_views,
)
from morpho.measure.sampling import sample_on_grid, sample_on_scan

LOGGER = logging.getLogger(__name__)

MM3_PER_ML = 1000.0
# A brain with its coverings is under 2.2 l; a head, even one cut at the chin and without face, is well over 2.5 l.
LARGEST_BRAIN_ML = 2300.0
SMALLEST_BRAIN_ML = 500.0
HEAD_THRESHOLD = 0.05  # of the 99th percentile of the signal: above it there is tissue, below it air
THIN_ATTACHMENT_MM = 4.0  # an extracted brain is opened with a ball of this radius: neck and orbits fall off
COARSE_MM = 2.0  # voxels of the network's grid
HALF = 0.5
NEAR = 0.05  # a voxel that touches the coarse mask at all
LARGEST_FLAT_END_MM2 = 8000.0  # a brain ends round, with under 500 mm2; cut in the middle it has 11000 to 18000 mm2
END_PLANES = 2
LEAST_BALANCE = 0.5  # of the signal of both halves of the brain
BLINDEST_DOUBT = 0.32  # of the network about an image that shows no brain in any direction either
REACH_BEYOND_BRAIN_MM = 3.0  # signal of an extracted brain further from what the network calls brain is not brain


@dataclass(frozen=True)
class PreprocessedScan:
    """Scan without shading and brain mask, both of shape (X, Y, Z) on one grid, and what kind of scan it was.

    The signal of white matter is about 1. `coarse_shares` has shape (U, V, W, classes), on a 2 mm grid with
    the same axes.
    """

    t1w: Nifti1Image
    brain_mask: Nifti1Image
    coarse_shares: Nifti1Image
    input_kind: InputKind


def preprocess_t1w(
    t1w: Nifti1Image, *, brain: Literal["auto", "whole_head", "extracted"], margin_mm: float
) -> PreprocessedScan:
    """Find the brain in a T1w scan, correct its bias field and crop it.

    Parameters
    ----------
    t1w : shape (X, Y, Z)
        Raw signal, RAS+, native space.
    brain
        Whether the scan shows a whole head or a brain extracted before; "auto" decides by the volume that has signal.
    margin_mm
        Air kept around the brain.

    Returns
    -------
    Scan without shading, scaled so that white matter is near 1, and the brain mask, cropped; the coarse shares, shape
    (classes, U, V, W) as 4D image (U, V, W, classes) on a 2 mm grid with the axes of the scan.

    Raises
    ------
    BrainMaskError
        If no brain is found.
    NotABrainError
        If the mask found is not the size of a brain, its parts do not lie as those of a brain do, or hardly any of it
        has signal or is white matter.
    OrientationError
        If a brain is seen only after turning the axes: the header is wrong about them.
    FieldOfViewError
        If the field of view ends in the middle of the brain.
    MissingHemisphereError
        If the brain ends in a plane from front to back within the field of view.

    Notes
    -----
    Whole heads: what the network "head" takes for inside the skull. Extracted brains: the largest connected part of
    the signal, without what the network does not take for brain and without thin attachments such as neck and orbit
    tissue. Shading: `morpho.measure.bias`.

    ASSUME: the brain mask of a whole head, which includes the fluid around the brain, is the intracranial volume.
    """
    kind = detect_input_kind(t1w) if brain == "auto" else brain
    head = segment_head(t1w, kind)
    mask = _find_brain(t1w, head) if kind == "whole_head" else _clean_extracted_brain(t1w, head)
    _check_axes(t1w, head, kind)
    _check_ends(mask, voxel_sizes(t1w.affine))
    _check_size(mask, t1w, kind)
    _check_parts(head)
    margin = np.ceil(margin_mm / voxel_sizes(t1w.affine)).astype(int)
    box = bounding_box(mask, margin)
    cropped = t1w.slicer[box]
    return PreprocessedScan(
        _without_shading(cropped, head, tuple(axis.start for axis in box)),
        like(cropped, mask[box].astype(np.uint8)),
        Nifti1Image(np.moveaxis(head.shares, 0, -1), head.grid.affine(t1w.affine)),
        kind,
    )


def detect_input_kind(t1w: Nifti1Image) -> InputKind:
    """Tell a whole head from an extracted brain by the volume that has signal.

    Parameters
    ----------
    t1w : shape (X, Y, Z)
        Raw signal.

    Returns
    -------
    "extracted" if the signal, above 5 % of its 99th percentile and with holes filled, fits a brain (2.3 l).
    """
    data = array_of(t1w)
    threshold = HEAD_THRESHOLD * float(np.percentile(data[data > 0], 99))
    filled = ndimage.binary_fill_holes(data > threshold)
    volume_ml = float(np.count_nonzero(filled)) * voxel_volume_mm3(t1w) / MM3_PER_ML
    LOGGER.info("volume with signal: %.0f ml (a brain alone has at most %.0f ml)", volume_ml, LARGEST_BRAIN_ML)
    return "extracted" if volume_ml <= LARGEST_BRAIN_ML else "whole_head"


def _check_size(mask: NDArray[np.bool_], t1w: Nifti1Image, kind: InputKind) -> None:
    """Refuse a mask that is larger or smaller than any brain."""
    volume_ml = float(mask.sum()) * voxel_volume_mm3(t1w) / MM3_PER_ML
    LOGGER.info("input kind %s, brain mask %.0f ml", kind, volume_ml)
    if not SMALLEST_BRAIN_ML <= volume_ml <= LARGEST_BRAIN_ML:
        message = (
            f"The brain mask has {volume_ml:.0f} ml, {SMALLEST_BRAIN_ML:.0f} to {LARGEST_BRAIN_ML:.0f} ml is plausible "
            f"(scan taken as {kind}). Look at the scan; if the kind is wrong, set preprocess.brain in the config."
        )
        raise NotABrainError(message)


def _check_ends(mask: NDArray[np.bool_], voxel_mm: NDArray[np.float64]) -> None:
    """Refuse a brain that ends flat: its field of view ends in the middle of it, or half of it is missing."""
    for axis in range(3):
        areas = mask.sum(axis=tuple(other for other in range(3) if other != axis))
        area_mm2 = areas * float(np.prod(voxel_mm) / voxel_mm[axis])
        where = np.flatnonzero(areas)
        first, last = int(where[0]), int(where[-1]) + 1
        for end in (slice(first, first + END_PLANES), slice(max(last - END_PLANES, 0), last)):
            flat_mm2 = float(area_mm2[end].max())
            if flat_mm2 <= LARGEST_FLAT_END_MM2:
                continue
            seen = (
                f"The brain ends in a plane of {flat_mm2:.0f} mm2 (at most {LARGEST_FLAT_END_MM2:.0f} mm2 is allowed)"
            )
            at_edge = end.start < END_PLANES or end.stop > len(areas) - END_PLANES
            if axis == 0 and not at_edge:
                message = f"{seen} from front to back: one hemisphere is missing. Look at the scan."
                raise MissingHemisphereError(message)
            message = f"{seen}: its field of view cuts it. Only a whole brain can be measured; look at the scan."
            raise FieldOfViewError(message)


def _check_axes(t1w: Nifti1Image, head: HeadShares, kind: InputKind) -> None:
    """Refuse an image that shows a brain if its axes are turned, and none as its header says."""
    if len(find_implausible_parts(head)) <= MOST_PROBLEMS and measure_doubt(head) <= LARGEST_DOUBT:
        return
    for codes, view in turned_views(t1w):
        try:
            turned = segment_head(view, kind)
        except BrainMaskError:
            continue
        if not find_implausible_parts(turned) and measure_doubt(turned) <= LARGEST_DOUBT:
            message = (
                f"The image shows a brain if its axes, RAS by the header, are {codes} or the mirror of that: it lies "
                "upside down or turned, so left and right are uncertain. Convert it again from the original images."
            )
            raise OrientationError(message)


def _check_parts(head: HeadShares) -> None:
    """Refuse an image whose parts are not those of a brain, or that has half of one."""
    balance, doubt, problems = measure_balance(head), measure_doubt(head), find_implausible_parts(head)
    LOGGER.info("balance of halves %.2f, doubt %.3f, implausible: %s", balance, doubt, "; ".join(problems) or "none")
    if doubt > LARGEST_DOUBT and balance < LEAST_BALANCE:
        message = (
            f"One half of the brain has {balance:.2f} of the signal of the other (at least {LEAST_BALANCE}), and the "
            f"network's doubt is {doubt:.2f} (at most {LARGEST_DOUBT}). Look at the scan: is a hemisphere missing?"
        )
        raise MissingHemisphereError(message)
    if len(problems) > MOST_PROBLEMS or doubt > BLINDEST_DOUBT:
        seen = "; ".join([*problems, f"doubt of the network {doubt:.2f} (at most {BLINDEST_DOUBT})"])
        message = f"What was found is not laid out as a brain: {seen}. Is it a T1w image of a whole human brain?"
        raise NotABrainError(message)


def _without_shading(cropped: Nifti1Image, head: HeadShares, offset: tuple[int, ...]) -> Nifti1Image:
    """Scan divided by its bias field and by the signal of white matter; `offset` is where the crop begins (voxels)."""
    bias = estimate_bias_field(head)
    field: FloatArray = bias.evaluate(cropped.shape, offset)
    return like(cropped, (array_of(cropped) / (field * bias.white_matter_signal)).astype(np.float32))


def _find_brain(t1w: Nifti1Image, head: HeadShares) -> NDArray[np.bool_]:
    """Mask of what lies inside the skull of a whole head, shape (X, Y, Z)."""
    return _largest_part(sample_on_scan(1 - head.share("outside"), head.grid, t1w.shape) > HALF)


def _clean_extracted_brain(t1w: Nifti1Image, head: HeadShares) -> NDArray[np.bool_]:
    """Brain mask of an extracted brain, shape (X, Y, Z): signal near the brain, no thin attachments, holes filled."""
    support = array_of(t1w) > 0
    coarse = sample_on_grid(support.astype(np.float32), head.grid) > HALF
    brain = _largest_part(1 - head.share("outside") > HALF)
    coarse &= ndimage.distance_transform_edt(~brain) * COARSE_MM <= REACH_BEYOND_BRAIN_MM
    core = _largest_part(_distance_inside_mm(coarse) > THIN_ATTACHMENT_MM)
    near_core = ndimage.distance_transform_edt(~core) * COARSE_MM <= THIN_ATTACHMENT_MM + COARSE_MM
    near = sample_on_scan((near_core & coarse).astype(np.float32), head.grid, t1w.shape) > NEAR
    return _largest_part(support & near)


def _distance_inside_mm(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Distance of each voxel of a coarse mask from its border (mm); the edge of the image counts as border."""
    inside = ndimage.distance_transform_edt(np.pad(mask, 1)) * COARSE_MM
    return np.asarray(inside)[1:-1, 1:-1, 1:-1]


def _largest_part(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Largest connected part of a mask of shape (X, Y, Z), holes filled.

    Raises
    ------
    BrainMaskError
        If the mask is empty.
    """
    parts, n_parts = ndimage.label(mask)
    if n_parts == 0:
        message = "No brain was found in the scan (the mask is empty). Look at the scan: is it a T1w image of a head?"
        raise BrainMaskError(message)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return np.asarray(ndimage.binary_fill_holes(parts == sizes.argmax()))
