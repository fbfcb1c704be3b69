"""Ghosts of a head upon its own brain: seen where there is no air to see them in, as in extracted brains.

Takes a raw scan and its tissue shares, gives the strength of the ghost in percent.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from morpho.images import FloatArray

Mask = NDArray[np.bool_]
Box = tuple[slice, slice, slice]

PURE_TISSUE = 0.95
FEWEST_VOXELS = 50
DETAIL_VOXELS = 4.0  # shading and the mean of a tissue are coarser than a Gaussian of this width, folds are finer
FARTHEST_RESIDUAL = 0.3  # of white matter; beyond lie vessels and wrong tissue
LEAST_OVERLAP_ML = 30.0
MM3_PER_ML = 1000.0
MISSING = float("nan")


def ghost_within_brain_percent(
    raw: FloatArray,
    box: Box,
    residual: FloatArray,
    brain: Mask,
    white_matter_signal: float,
    voxel_mm3: float,
) -> float:
    """Measure the ghost that a head casts upon its brain, moved by half the field of view along an axis.

    Parameters
    ----------
    raw : shape (U, V, W)
        Raw signal over the whole field of view.
    box
        Where the next arrays lie in it.
    residual : shape (X, Y, Z)
        What the tissues do not explain of the scan without shading (`unexplained_signal`).
    brain : shape (X, Y, Z)
        Brain mask.
    white_matter_signal
        Mean raw signal of white matter.
    voxel_mm3
        Volume of a voxel.

    Returns
    -------
    Slope of the fine detail of the residual on that of the moved scan, percent; the one of three axes that is farthest
    from 0, without its sign. Only axes along which at least 30 ml of brain lie under the moved scan count; missing if
    none does. It sees ghosts of a scan whose field of view is as the scanner made it; a cropped or turned one has none.

    Notes
    -----
    ASSUME: the folds of one part of a brain have nothing to do with those of another, half a field of view away.
    """
    core = ndimage.binary_erosion(brain, iterations=2)
    slopes = []
    for axis in range(3):
        moved = np.roll(raw, raw.shape[axis] // 2, axis)[box] / np.float32(white_matter_signal)
        under = core & (ndimage.minimum_filter(moved, 3) > 0)
        if np.count_nonzero(under) * voxel_mm3 < LEAST_OVERLAP_ML * MM3_PER_ML:
            continue
        detail, cast = _detail(residual, under)[under], _detail(moved, under)[under]
        usual = np.abs(detail) < FARTHEST_RESIDUAL
        power = float((cast[usual].astype(np.float64) ** 2).sum())
        if power > 0:
            slopes.append(100 * float((detail[usual].astype(np.float64) * cast[usual]).sum()) / power)
    return max((abs(slope) for slope in slopes), default=MISSING)


def unexplained_signal(signal: FloatArray, tissues: tuple[FloatArray, FloatArray, FloatArray]) -> FloatArray:
    """Signal of a scan without shading minus that which its tissues have on average.

    Parameters
    ----------
    signal : shape (X, Y, Z)
        Scan without shading.
    tissues
        Shares of fluid, grey and white matter, shape (X, Y, Z).

    Returns
    -------
    Residual, shape (X, Y, Z); all of it 0 if a tissue is nowhere pure.
    """
    residual = signal.astype(np.float32)
    for share in tissues:
        pure = share >= PURE_TISSUE
        if np.count_nonzero(pure) < FEWEST_VOXELS:
            return np.zeros_like(residual)
        residual = residual - np.float32(np.median(signal[pure])) * share
    return residual


def _detail(values: FloatArray, mask: Mask) -> FloatArray:
    """Values minus their smooth part, both inside a mask only."""
    weight = ndimage.gaussian_filter(mask.astype(np.float32), DETAIL_VOXELS)
    smooth = ndimage.gaussian_filter(np.where(mask, values, 0).astype(np.float32), DETAIL_VOXELS)
    return np.asarray(values - smooth / np.maximum(weight, 1e-3))
