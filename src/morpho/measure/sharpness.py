"""How noisy and how sharp a scan is inside the brain, where every scan has signal.

Takes the scan without shading and its tissue shares, gives noise in percent of white matter and widths in mm.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from morpho.images import FloatArray

Mask = NDArray[np.bool_]

PURE_TISSUE = 0.95
FEWEST_VOXELS = 500
SIGMA_PER_MAD = 1.4826  # 1 / 0.6745: the median absolute deviation of a normal distribution is 0.6745 sigma
MISSING = float("nan")


def noise_in_white_matter(signal: FloatArray, white: FloatArray) -> float:
    """Noise of white matter, percent of its mean signal.

    Parameters
    ----------
    signal : shape (X, Y, Z)
        Scan without shading.
    white : shape (X, Y, Z)
        Share of white matter.

    Returns
    -------
    Standard deviation, from how far a voxel is from the mean of its two neighbours along an axis, where all three are
    white matter; the median of three axes. Missing if too few voxels are. A scan that was interpolated or filtered has
    correlated noise, of which this sees a part only.
    """
    pure: Mask = white >= PURE_TISSUE
    sigmas = []
    for axis in range(3):
        middle = _shifted_pairs(axis)
        three = pure[middle[0]] & pure[middle[1]] & pure[middle[2]]
        bend = (2 * signal[middle[1]] - signal[middle[0]] - signal[middle[2]])[three]
        if bend.size >= FEWEST_VOXELS:
            # Var(2b - a - c) is six times the variance of independent noise.
            sigmas.append(SIGMA_PER_MAD * float(np.median(np.abs(bend - np.median(bend)))) / np.sqrt(6))
    return 100 * float(np.median(sigmas)) / float(signal[pure].mean()) if sigmas else MISSING


def blur_fwhm_mm(signal: FloatArray, tissues: list[FloatArray], voxel_mm: NDArray[np.float64]) -> float:
    """Smoothness of what tissues do not explain of a scan, as full width at half maximum of a Gaussian.

    Parameters
    ----------
    signal : shape (X, Y, Z)
        Scan without shading.
    tissues
        Share of each tissue, shape (X, Y, Z).
    voxel_mm : shape (3,)
        Edges of a voxel.

    Returns
    -------
    Geometric mean over the axes; missing if too few voxels are of one tissue.

    Notes
    -----
    The residual is the signal minus the mean of the voxel's tissue, in voxels that are at least 95 % one tissue.
    The variance of the difference of neighbours, over twice the variance of the residual, is 1 minus their correlation
    r; a field smoothed by a Gaussian has r = exp(-d^2 / (4 s^2)) at distance d, and its width is s times the root of
    8 ln 2 (Forman et al. [1]_, as AFNI's 3dFWHMx did).

    References
    ----------
    .. [1] Forman SD et al. Improved assessment of significant activation in functional magnetic resonance imaging. Magn
       Reson Med 1995;33:636-647. doi 10.1002/mrm.1910330508
    """
    residual = np.zeros(signal.shape, np.float32)
    kind = np.zeros(signal.shape, np.int8)
    for number, share in enumerate(tissues, start=1):
        pure = share >= PURE_TISSUE
        if np.count_nonzero(pure) >= FEWEST_VOXELS:
            kind[pure] = number
            residual[pure] = signal[pure] - np.median(signal[pure])
    widths = []
    for axis in range(3):
        first, second, _ = _shifted_pairs(axis, reach=1)
        both = (kind[first] > 0) & (kind[first] == kind[second])
        if np.count_nonzero(both) < FEWEST_VOXELS:
            return MISSING
        one, other = residual[first][both].astype(np.float64), residual[second][both].astype(np.float64)
        one, other = one - one.mean(), other - other.mean()
        correlation = float((one * other).mean() / np.sqrt((one**2).mean() * (other**2).mean()))
        widths.append(_width_of_correlation(correlation, float(voxel_mm[axis])))
    return float(np.prod(widths) ** (1 / 3))


def edge_width_mm(signal: FloatArray, grey: FloatArray, white: FloatArray, voxel_mm: NDArray[np.float64]) -> float:
    """Width of the border of grey and white matter: their contrast over the slope of the signal between them.

    Parameters
    ----------
    signal : shape (X, Y, Z)
        Scan without shading.
    grey, white : shape (X, Y, Z)
        Tissue shares.
    voxel_mm : shape (3,)
        Edges of a voxel.

    Returns
    -------
    Contrast over the median slope where both tissues have between a third and two thirds of the voxel; missing if there
    is too little of either.
    """
    in_grey, in_white = signal[grey >= PURE_TISSUE], signal[white >= PURE_TISSUE]
    border = (white > 1 / 3) & (white < 2 / 3) & (grey > 1 / 3)
    if min(in_grey.size, in_white.size, int(border.sum())) < FEWEST_VOXELS:
        return MISSING
    slopes = [np.gradient(signal, step, axis=axis)[border] for axis, step in enumerate(voxel_mm)]
    slope = float(np.median(np.sqrt(np.sum(np.square(slopes), axis=0))))
    contrast = float(np.median(in_white) - np.median(in_grey))
    return contrast / slope if slope > 0 else MISSING


def _width_of_correlation(correlation: float, distance_mm: float) -> float:
    """Full width at half maximum of the Gaussian that makes neighbours correlate so; 0 if they do not.

    Examples
    --------
    White noise smoothed by a Gaussian of standard deviation 1 mm: neighbours 1 mm apart correlate with exp(-1/4).

    >>> round(_width_of_correlation(float(np.exp(-0.25)), 1.0), 3)
    2.355
    """
    if correlation <= 0:
        return 0.0
    return distance_mm * float(np.sqrt(-2 * np.log(2) / np.log(min(correlation, 1 - 1e-9))))


def _shifted_pairs(axis: int, reach: int = 2) -> tuple[tuple[slice, ...], ...]:
    """Slices that pair each voxel with the next along an axis, and (for reach 2) the one after it."""
    starts = (0, 1, 2)
    result = []
    for start in starts:
        index = [slice(None)] * 3
        stop = start - reach
        index[axis] = slice(start, stop if stop < 0 else None)
        result.append(tuple(index))
    return tuple(result)
