"""Stage 3 of measuring a scan: how much of each voxel is grey matter, white matter and fluid.

Takes the preprocessed scan, its brain mask and the template's tissue maps carried to the scan, gives three
probability maps that sum to one inside the brain.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import ants
import nibabel as nib
import numpy as np
from nibabel.affines import voxel_sizes
from nibabel.nifti1 import Nifti1Image

from morpho.errors import ImageError
from morpho.images import FloatArray, array_of, bounding_box, check_same_grid, like, mask_of
from morpho.itk import from_ants, scratch_folder, to_ants

LOGGER = logging.getLogger(__name__)

ITERATIONS = 5
PRIOR_FLOOR = 0.01  # a tissue is never ruled out by the template alone
LEAST_TISSUE_SHARE = 0.02
BRIGHTEST_PERCENTILE = 99.8  # vessels brighter than this say nothing about tissue


@dataclass(frozen=True)
class TissueMaps:
    """Share of each tissue in each voxel, 0 to 1, shape (X, Y, Z), native space; zero outside the brain."""

    grey_matter: Nifti1Image
    white_matter: Nifti1Image
    csf: Nifti1Image


def segment_tissue(
    t1w: Nifti1Image, brain_mask: Nifti1Image, priors: TissueMaps, *, prior_weight: float, smoothing: float
) -> TissueMaps:
    """Estimate tissue probabilities of one scan.

    Parameters
    ----------
    t1w : shape (X, Y, Z)
        Bias-corrected scan.
    brain_mask : shape (X, Y, Z)
        Brain mask on the same grid.
    priors
        The template's tissue maps, carried to the same grid.
    prior_weight
        Weight of the priors against the intensities, 0 to 1.
    smoothing
        Strength of the Markov random field.

    Returns
    -------
    Tissue maps that sum to 1 in each voxel of the mask.

    Raises
    ------
    GridMismatchError
        If the images do not share one grid.
    ImageError
        If a tissue comes out (nearly) empty.

    Notes
    -----
    Gaussian mixture with spatial priors and a Markov random field (Atropos [1]_). The classes start from the priors:
    started from k-means they swap on real scans.

    ASSUME: the posterior probability of a tissue is its share of the voxel.

    References
    ----------
    .. [1] Avants BB et al. An open source multivariate framework for n-tissue segmentation. Neuroinformatics 2011.
       doi 10.1007/s12021-011-9109-y
    """
    check_same_grid(t1w, brain_mask, priors.grey_matter, priors.white_matter, priors.csf)
    inside = mask_of(brain_mask)
    box = bounding_box(inside, np.array([2, 2, 2]))
    # ANTs compares origins to 1e-6 mm after a round trip through files; a plain frame at the origin is exact.
    frame = np.diag([*voxel_sizes(t1w.affine), 1.0])
    intensity = np.clip(array_of(t1w), 0, np.percentile(array_of(t1w)[inside], BRIGHTEST_PERCENTILE))
    images = [nib.Nifti1Image(prior[box], frame) for prior in _normalised_priors(priors, inside)]
    shares = np.zeros((3, *inside.shape), dtype=np.float32)
    fitted = _fit_classes(
        to_ants(nib.Nifti1Image(intensity[box], frame)),
        to_ants(nib.Nifti1Image(inside[box].astype(np.uint8), frame)),
        [to_ants(image) for image in images],
        prior_weight,
        smoothing,
    )
    for share, image in zip(shares, fitted, strict=True):
        share[box] = array_of(from_ants(image))
    shares = np.where(inside, shares / np.maximum(shares.sum(axis=0), 1e-6), 0).astype(np.float32)
    _check_shares(shares, inside)
    csf, grey, white = (like(t1w, share) for share in shares)
    return TissueMaps(grey, white, csf)


def _fit_classes(intensity: Any, mask: Any, priors: list[Any], prior_weight: float, smoothing: float) -> list[Any]:
    """Posterior probability of each class, as ANTs images in the order of the priors."""
    with scratch_folder():
        try:
            fitted = ants.atropos(
                a=intensity,
                x=mask,
                i=priors,
                m=f"[{smoothing},1x1x1]",
                c=f"[{ITERATIONS},0]",
                priorweight=prior_weight,
            )
        except Exception as error:  # ANTs raises nothing more precise
            message = (
                f"Tissue classes could not be fitted ({error}). The scan has no T1 contrast inside the brain mask, or "
                "the alignment failed; look at the scan."
            )
            raise ImageError(message) from error
    return list(fitted["probabilityimages"])


def _normalised_priors(priors: TissueMaps, inside: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> FloatArray:
    """Priors in the order CSF, GM, WM (dark to bright), shape (3, X, Y, Z), each at least the floor, summing to 1."""
    stacked = np.stack([array_of(image) for image in (priors.csf, priors.grey_matter, priors.white_matter)])
    # Where the brain reaches beyond the template's, the fluid around the brain is all that the prior expects.
    stacked[0] += np.clip(1 - stacked.sum(axis=0), 0, 1)
    stacked = np.clip(stacked, PRIOR_FLOOR, 1)
    return np.where(inside, stacked / stacked.sum(axis=0), 0).astype(np.float32)


def _check_shares(shares: FloatArray, inside: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> None:
    """Refuse a segmentation in which a tissue is nearly absent."""
    fractions = shares[:, inside].mean(axis=1)
    LOGGER.info("share of the brain mask: CSF %.3f, GM %.3f, WM %.3f", *fractions)
    if fractions.min() < LEAST_TISSUE_SHARE:
        message = (
            f"CSF, grey and white matter make up {np.round(fractions, 3).tolist()} of the brain; each should have at "
            f"least {LEAST_TISSUE_SHARE}. The scan has no T1 contrast, or the alignment failed."
        )
        raise ImageError(message)
