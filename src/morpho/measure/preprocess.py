"""Stage 1 of measuring a scan: find the brain, even out the coil's shading, cut away the air.

Takes a clean T1w scan (RAS+, native space), gives the bias-corrected scan and a brain mask on one cropped grid.
Nothing is resampled: voxels stay where the scanner put them.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Literal

import ants
import nibabel as nib
import numpy as np
from nibabel.affines import voxel_sizes
from nibabel.nifti1 import Nifti1Image
from numpy.typing import NDArray
from scipy import ndimage

from morpho.errors import BrainMaskError
from morpho.images import FloatArray, array_of, bounding_box, like, mask_of, voxel_volume_mm3
from morpho.itk import from_ants, to_ants

LOGGER = logging.getLogger(__name__)

InputKind = Literal["whole_head", "extracted"]

MM3_PER_ML = 1000.0
# A brain with its coverings is under 2.2 l; a head, even one cut at the chin and without face, is well over 2.5 l.
LARGEST_BRAIN_ML = 2300.0
SMALLEST_BRAIN_ML = 500.0
HEAD_THRESHOLD = 0.05  # of the 99th percentile of the signal: above it there is tissue, below it air
THIN_ATTACHMENT_MM = 4.0  # an extracted brain is opened with a ball of this radius: neck and orbits fall off
N4_SHRINK_MM = 4.0
N4_ITERATIONS = (20, 20, 10)


@dataclass(frozen=True)
class PreprocessedScan:
    """Bias-corrected scan and brain mask, both of shape (X, Y, Z) on one grid, and what kind of scan it was."""

    t1w: Nifti1Image
    brain_mask: Nifti1Image
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
    Scan with the signal divided by the estimated bias field (arbitrary units) and the brain mask, cropped.

    Raises
    ------
    BrainMaskError
        If the mask found is not the size of a brain.

    Notes
    -----
    Whole heads: deepbet [1]_. Extracted brains: the largest connected part of the signal, after an opening that
    removes thin attachments such as neck and orbit tissue. Bias field: N4 [2]_ inside the mask.

    ASSUME: the brain mask of a whole head, which includes the fluid around the brain, is the intracranial volume.

    References
    ----------
    .. [1] Fisch L et al. deepbet: fast brain extraction of T1-weighted MRI using convolutional neural networks.
       Comput Biol Med 2024. doi 10.1016/j.compbiomed.2024.108845
    .. [2] Tustison NJ et al. N4ITK: improved N3 bias correction. IEEE Trans Med Imaging 2010. doi
       10.1109/TMI.2010.2046908
    """
    kind = detect_input_kind(t1w) if brain == "auto" else brain
    mask = _extract_brain(t1w) if kind == "whole_head" else _clean_extracted_brain(t1w)
    volume_ml = float(mask.sum()) * voxel_volume_mm3(t1w) / MM3_PER_ML
    LOGGER.info("input kind %s (asked for: %s), brain mask %.0f ml", kind, brain, volume_ml)
    if not SMALLEST_BRAIN_ML <= volume_ml <= LARGEST_BRAIN_ML:
        message = (
            f"The brain mask has {volume_ml:.0f} ml, {SMALLEST_BRAIN_ML:.0f} to {LARGEST_BRAIN_ML:.0f} ml is plausible "
            f"(scan taken as {kind}). Look at the scan; if the kind is wrong, set preprocess.brain in the config."
        )
        raise BrainMaskError(message)
    margin = np.ceil(margin_mm / voxel_sizes(t1w.affine)).astype(int)
    box = bounding_box(mask, margin)
    cropped = t1w.slicer[box]
    cropped_mask = like(cropped, mask[box].astype(np.uint8))
    return PreprocessedScan(_correct_bias(cropped, cropped_mask), cropped_mask, kind)


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


def _extract_brain(t1w: Nifti1Image) -> NDArray[np.bool_]:
    """Brain mask of a whole head by deepbet, shape (X, Y, Z)."""
    # Imported here because torch takes seconds to import and extracted scans need none of it.
    from deepbet import BrainExtraction

    probability = BrainExtraction(no_gpu=True).run_model(array_of(t1w).copy())
    return _largest_part(probability > 0.5)


def _clean_extracted_brain(t1w: Nifti1Image) -> NDArray[np.bool_]:
    """Brain mask of an extracted brain, shape (X, Y, Z): signal without thin attachments, holes filled."""
    support = _largest_part(array_of(t1w) > 0)
    core = _largest_part(_distance_inside_mm(support, t1w) > THIN_ATTACHMENT_MM)
    near_core = ndimage.distance_transform_edt(~core, sampling=voxel_sizes(t1w.affine)) <= THIN_ATTACHMENT_MM + 1.0
    return _largest_part(support & near_core)


def _distance_inside_mm(mask: NDArray[np.bool_], image: Nifti1Image) -> NDArray[np.float64]:
    """Distance of each voxel of the mask from its border (mm); the edge of the image counts as border."""
    padded = np.pad(mask, 1)
    inside = ndimage.distance_transform_edt(padded, sampling=voxel_sizes(image.affine))
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


def _correct_bias(t1w: Nifti1Image, brain_mask: Nifti1Image) -> Nifti1Image:
    """Divide the scan by the bias field that N4 finds inside the brain; the field is scaled to mean 1 there."""
    shrink = max(1, round(N4_SHRINK_MM / float(voxel_sizes(t1w.affine).mean())))
    field_image = ants.n4_bias_field_correction(
        to_ants(t1w),
        mask=to_ants(brain_mask),
        shrink_factor=shrink,
        convergence={"iters": list(N4_ITERATIONS), "tol": 1e-6},
        return_bias_field=True,
    )
    field: FloatArray = array_of(from_ants(field_image))
    inside = mask_of(brain_mask)
    field = np.maximum(field / field[inside].mean(), np.float32(0.1))
    LOGGER.info("bias field inside the brain: %.2f to %.2f", field[inside].min(), field[inside].max())
    return nib.Nifti1Image((array_of(t1w) / field).astype(np.float32), t1w.affine)
