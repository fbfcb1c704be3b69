"""Stage 3 of measuring a scan: align the brain with the template, affinely and then deformably.

Takes the tissue maps of the scan and of the template, gives transforms in both directions and a score of the alignment.
Grey and white matter are what is aligned, so neither shading nor contrast of the scanner has a say. The alignment is
estimated on a coarse grid; nothing that is measured later is resampled to it.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ants
import numpy as np
from nibabel.nifti1 import Nifti1Image

from morpho.errors import RegistrationError
from morpho.images import array_of, like, mask_of, voxel_volume_mm3
from morpho.itk import from_ants, scratch_folder, to_ants

LOGGER = logging.getLogger(__name__)

SEED = 20260101
AFFINE_ITERATIONS = (1000, 500, 250, 0)  # the finest level of an affine adds seconds and nothing else
SMOOTHING_MM = 1.0  # full width at half maximum
GREY_SIGNAL, FLUID_SIGNAL = 0.6, 0.2  # of white matter, in the image on which affine and score are computed
SMALLEST_SCALE, LARGEST_SCALE = 0.2, 3.0  # brains of children and adults lie between 0.4 and 1.2


@dataclass(frozen=True)
class TissueImages:
    """Brain mask and share of each tissue (0 to 1) on one grid: a scan's or the template's."""

    brain_mask: Nifti1Image
    grey_matter: Nifti1Image
    white_matter: Nifti1Image
    csf: Nifti1Image


@dataclass(frozen=True)
class Transforms:
    """Files that map between a scan and the template, as ANTs writes them.

    `affine` is linear (scan to template); `warp` and `inverse_warp` are displacement fields in mm on the coarse
    template grid. Template to scan is the inverse affine after `inverse_warp`.
    """

    affine: Path
    warp: Path
    inverse_warp: Path


@dataclass(frozen=True)
class Alignment:
    """Numbers that tell how an alignment went.

    `correlation` is Pearson's r of template and aligned scan inside the template's brain, in images whose signal is
    made of their tissues; `affine_scale` the volume of the scan over that of the template according to the affine
    alone, and `affine_tiv_mm3` the intracranial volume that follows from it (scale times the volume of the template's
    mask); `jacobian_low` and `jacobian_high` the 1st and 99th percentile of local volume change of the deformable part.
    """

    correlation: float
    affine_scale: float
    affine_tiv_mm3: float
    jacobian_low: float
    jacobian_high: float


def register_to_template(
    scan: TissueImages,
    template: TissueImages,
    *,
    resolution_mm: float,
    iterations: Sequence[int],
    folder: Path,
) -> tuple[Transforms, Alignment]:
    """Align a scan with the template.

    Parameters
    ----------
    scan
        Brain mask and tissue maps of shape (X, Y, Z), native space.
    template
        The same of the template, shape (U, V, W).
    resolution_mm
        Voxel size of the grid on which both are compared.
    iterations
        Iterations of SyN per level, coarse to fine.
    folder
        Existing folder that receives the transform files.

    Returns
    -------
    transforms
        Files in `folder`.
    alignment
        Score of the alignment.

    Raises
    ------
    RegistrationError
        If ANTs gives up or finds a mirrored or degenerate affine.

    Notes
    -----
    Affine with mutual information, then symmetric normalisation [1]_ that minimises the squared differences of grey
    and of white matter, as DARTEL [2]_ does: tissue maps align better than signals, see ``benchmarks/README.md``. The
    sampling of the affine's metric is seeded, so that one scan always gives one alignment if ITK runs on one thread.

    References
    ----------
    .. [1] Avants BB et al. Symmetric diffeomorphic image registration with cross-correlation. Med Image Anal 2008.
       doi 10.1016/j.media.2007.06.004
    .. [2] Ashburner J. A fast diffeomorphic image registration algorithm. NeuroImage 2007.
       doi 10.1016/j.neuroimage.2007.07.007
    """
    fixed, moving = _coarse_images(template, resolution_mm), _coarse_images(scan, resolution_mm)
    # antspyx ignores a seed among the arguments. With on=True it would refuse transforms that it calls irreproducible;
    # with one thread they are not.
    ants.config.set_ants_deterministic(on=False, seed_value=SEED)
    metrics = [("MeanSquares", fixed[name], moving[name], 1, 1) for name in ("grey_matter", "white_matter")]
    with scratch_folder() as scratch:
        try:
            affine = ants.registration(
                fixed["signal"], moving["signal"], type_of_transform="Affine", aff_iterations=AFFINE_ITERATIONS,
                outprefix=f"{scratch}/a",
            )  # fmt: skip
            deformed = ants.registration(
                fixed["signal"], moving["signal"], type_of_transform="SyNOnly", reg_iterations=tuple(iterations),
                initial_transform=affine["fwdtransforms"][0], multivariate_extras=metrics, outprefix=f"{scratch}/s",
            )  # fmt: skip
        except RuntimeError as error:
            message = f"The scan could not be aligned with the template: {error}. Look at the scan and its brain mask."
            raise RegistrationError(message) from error
        alignment = _score(fixed["signal"], deformed, template.brain_mask)
        transforms = Transforms(folder / "affine.mat", folder / "warp.nii.gz", folder / "inverse_warp.nii.gz")
        shutil.move(deformed["fwdtransforms"][1], transforms.affine)
        shutil.move(deformed["fwdtransforms"][0], transforms.warp)
        shutil.move(deformed["invtransforms"][1], transforms.inverse_warp)
    LOGGER.info("alignment: %s", alignment)
    return transforms, alignment


def warp_to_scan(template_map: Nifti1Image, scan: Nifti1Image, transforms: Transforms, *, nearest: bool) -> Nifti1Image:
    """Carry a map from template space to the grid of a scan.

    Parameters
    ----------
    template_map : shape (U, V, W)
        Probabilities or labels in template space.
    scan : shape (X, Y, Z)
        Image whose grid the result takes.
    transforms
        As estimated by `register_to_template`.
    nearest
        True for labels (nearest neighbour), false for probabilities (linear).

    Returns
    -------
    Map on the grid of `scan`, float32.
    """
    carried = ants.apply_transforms(
        fixed=to_ants(scan),
        moving=to_ants(template_map),
        transformlist=[str(transforms.affine), str(transforms.inverse_warp)],
        whichtoinvert=[True, False],
        interpolator="nearestNeighbor" if nearest else "linear",
        singleprecision=True,
    )
    return from_ants(carried)


def _coarse_images(images: TissueImages, resolution_mm: float) -> dict[str, Any]:
    """Grey matter, white matter and a signal made of all tissues, on the coarse grid, as ANTs images."""
    grey, white, fluid = (array_of(image) for image in (images.grey_matter, images.white_matter, images.csf))
    maps = {"grey_matter": grey, "white_matter": white, "signal": white + GREY_SIGNAL * grey + FLUID_SIGNAL * fluid}
    return {
        name: _coarse(like(images.brain_mask, data), images.brain_mask, resolution_mm) for name, data in maps.items()
    }


def _coarse(image: Nifti1Image, mask: Nifti1Image, resolution_mm: float) -> Any:
    """Brain alone, cropped, smoothed and resampled to the coarse grid, as ANTs image."""
    brain = like(image, np.where(mask_of(mask), array_of(image), 0).astype(np.float32))
    cropped = ants.crop_image(to_ants(brain), to_ants(mask))
    smoothed = ants.smooth_image(cropped, SMOOTHING_MM, sigma_in_physical_coordinates=True, FWHM=True)
    padded = ants.pad_image(smoothed, pad_width=[(5, 5)] * 3)
    return ants.resample_image(padded, (resolution_mm,) * 3, use_voxels=False, interp_type=0)


def _score(fixed: Any, deformed: dict[str, Any], template_mask: Nifti1Image) -> Alignment:
    """Score of an alignment; refuses an affine that mirrors or collapses the brain."""
    linear = ants.read_transform(deformed["fwdtransforms"][1]).parameters[:9].reshape(3, 3)
    # The affine maps template points to scan points, so its determinant is scan volume over template volume.
    scale = float(np.linalg.det(linear))
    if not SMALLEST_SCALE < scale < LARGEST_SCALE:
        message = (
            f"The affine alignment scales the brain's volume by {scale:.2f}; {SMALLEST_SCALE} to {LARGEST_SCALE} is "
            "possible. The brain mask or the header (voxel size, mirrored axis) is wrong; look at the scan."
        )
        raise RegistrationError(message)
    coarse_mask = ants.resample_image_to_target(to_ants(template_mask), fixed, interp_type="nearestNeighbor")
    inside = coarse_mask.numpy() > 0
    jacobian = ants.create_jacobian_determinant_image(fixed, deformed["fwdtransforms"][0]).numpy()[inside]
    correlation = np.corrcoef(fixed.numpy()[inside], deformed["warpedmovout"].numpy()[inside])[0, 1]
    low, high = np.percentile(jacobian, [1, 99])
    template_mm3 = float(mask_of(template_mask).sum()) * voxel_volume_mm3(template_mask)
    return Alignment(float(correlation), scale, scale * template_mm3, float(low), float(high))
