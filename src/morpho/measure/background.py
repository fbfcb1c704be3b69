"""What the air around a head tells: noise, ghosts and structured artefacts.

Takes a raw scan and its brain mask, gives percentages of the signal of white matter. A scan without air (a brain that
was extracted, a background that was set to zero) has none of these numbers.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from morpho.images import FloatArray

LOGGER = logging.getLogger(__name__)

Mask = NDArray[np.bool_]

HEAD_SIGNAL = 0.4  # of white matter: skin and fat are above it, ghosts and noise below
SMALLEST_PART_ML = 4.0  # an ear; noise makes smaller ones
COARSE_MM = 4.0  # the head is outlined on blocks of about this size
AIR_DISTANCE_MM = 12.0  # nearer to the head lie ringing, blur and chemical shift
LEAST_AIR_ML = 30.0
STRUCTURED_SIGMAS = 2.0  # 13 % of pure noise lie above; that seven neighbours do so by chance has p 1e-6
MM3_PER_ML = 1000.0
MISSING = float("nan")


@dataclass(frozen=True)
class Background:
    """Noise, ghost and artefact of the air, percent; all missing where there is no air."""

    noise_percent: float = MISSING
    ghost_percent: float = MISSING
    artefact_percent: float = MISSING


def measure_background(
    signal: FloatArray, brain: Mask, blanked: Mask, voxel_mm: NDArray[np.float64], white_matter_signal: float
) -> Background:
    """Measure noise and artefacts in the air around a head.

    Parameters
    ----------
    signal : shape (X, Y, Z)
        Raw signal, axes RAS+.
    brain : shape (X, Y, Z)
        Brain mask.
    blanked : shape (X, Y, Z)
        Voxels that software set to zero; they are no air.
    voxel_mm : shape (3,)
        Edges of a voxel.
    white_matter_signal
        Mean raw signal of white matter.

    Returns
    -------
    Percentages; all missing if less than 30 ml of air are in view.

    Notes
    -----
    Air is what lies at least 12 mm from the head and not below the brain, after Mortamet et al. [1]_. Noise: magnitudes
    of pure noise follow Rayleigh's distribution, so its standard deviation is the root of half the mean square [2]_,
    here of air that is not structured. Structured is air above twice that noise together with its six neighbours (an
    opening), the idea of the index QI1 of [1]_. Ghost: mean signal of the air onto which the head falls when it is
    moved by half the field of view along an axis, minus that of the other air; the largest of three axes counts.

    References
    ----------
    .. [1] Mortamet B et al. Automatic quality assessment in structural brain magnetic resonance imaging. Magn Reson Med
       2009;62:365-372. doi 10.1002/mrm.21992
    .. [2] Gudbjartsson H, Patz S. The Rician distribution of noisy MRI data. Magn Reson Med 1995;34:910-914.
       doi 10.1002/mrm.1910340618
    """
    voxel_ml = float(np.prod(voxel_mm)) / MM3_PER_ML
    if np.count_nonzero(~blanked & ~brain) * voxel_ml < LEAST_AIR_ML:
        return Background()
    head = _outline_head(signal, brain, voxel_mm, HEAD_SIGNAL * white_matter_signal)
    near = ndimage.distance_transform_edt(~head, sampling=voxel_mm) < AIR_DISTANCE_MM
    air = ~near & ~ndimage.binary_dilation(blanked, iterations=2)
    air[:, :, : int(np.flatnonzero(brain.any(axis=(0, 1)))[0])] = False
    air_ml = float(air.sum()) * voxel_ml
    LOGGER.info("air in view: %.0f ml", air_ml)
    if air_ml < LEAST_AIR_ML:
        return Background()
    in_air = signal[air].astype(np.float64)
    sigma = float(np.sqrt(np.mean(np.minimum(in_air, np.percentile(in_air, 99)) ** 2) / 2))
    structured = ndimage.binary_opening(signal > STRUCTURED_SIGMAS * sigma) & air
    for _ in range(3):
        quiet = air & ~structured
        sigma = float(np.sqrt(np.mean(signal[quiet].astype(np.float64) ** 2) / 2))
        structured = ndimage.binary_opening(signal > STRUCTURED_SIGMAS * sigma) & air
    percent = 100 / white_matter_signal
    return Background(
        noise_percent=percent * sigma,
        ghost_percent=percent * _ghost_signal(signal, head, air),
        artefact_percent=100 * float(structured.sum()) / float(air.sum()),
    )


def _outline_head(signal: FloatArray, brain: Mask, voxel_mm: NDArray[np.float64], threshold: float) -> Mask:
    """Head with all that it encloses, shape of `signal`: brain and larger bright parts, closed and filled."""
    block = np.maximum(1, np.rint(COARSE_MM / voxel_mm)).astype(int)
    bright = _block_mean(signal, block) > threshold
    inside = _block_mean(brain.astype(np.float32), block) > 0
    parts, _ = ndimage.label(bright | inside, np.ones((3, 3, 3)))
    large = np.bincount(parts.ravel()) * float(np.prod(block * voxel_mm)) > SMALLEST_PART_ML * MM3_PER_ML
    large[0] = False
    coarse = np.pad(large[parts], 4, mode="edge")
    coarse = ndimage.binary_closing(coarse, iterations=4, border_value=0)
    coarse = ndimage.binary_fill_holes(coarse)[4:-4, 4:-4, 4:-4]
    fine = np.kron(coarse, np.ones(block, dtype=bool))
    return np.asarray(fine[: signal.shape[0], : signal.shape[1], : signal.shape[2]])


def _block_mean(values: FloatArray, block: NDArray[np.int_]) -> FloatArray:
    """Mean over blocks of voxels; the last blocks are filled up with the nearest values."""
    missing = [(0, int(-size % edge)) for size, edge in zip(values.shape, block, strict=True)]
    padded = np.pad(values, missing, mode="edge")
    split = [number for size, edge in zip(padded.shape, block, strict=True) for number in (size // edge, int(edge))]
    return np.asarray(padded.reshape(split).mean(axis=(1, 3, 5)))


def _ghost_signal(signal: FloatArray, head: Mask, air: Mask) -> float:
    """Largest mean signal of air under the head moved by half the image along an axis, above that of the other air."""
    excess = []
    for axis in range(3):
        under = air & np.roll(head, head.shape[axis] // 2, axis)
        excess.append(_mean_difference(signal, under, air & ~under))
    return _largest(excess)


def _mean_difference(signal: FloatArray, first: Mask, second: Mask) -> float:
    """Mean signal of the first mask minus that of the second; missing if either is nearly empty."""
    if min(first.sum(), second.sum()) < 1000:
        return MISSING
    return float(signal[first].mean(dtype=np.float64) - signal[second].mean(dtype=np.float64))


def _largest(values: list[float]) -> float:
    """Largest of the values that are not missing."""
    present = [value for value in values if np.isfinite(value)]
    return max(present) if present else MISSING
