"""Signal of the tissues of a brain: contrast, shading, and structures that do not look like grey matter.

Takes the scan without shading and its tissue shares, gives ratios and percentages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from nibabel.nifti1 import Nifti1Image
from numpy.typing import NDArray

from morpho.images import FloatArray, array_of

Mask = NDArray[np.bool_]

PURE_TISSUE = 0.95
EXPECTED_SHARE = 0.6  # the core of a structure: an alignment that is off by a millimetre still hits it
NEARLY_WHITE = 0.85  # of the way from the signal of grey to that of white matter
LEAST_SIGNAL = 0.2  # of white matter; darker voxels say little about shading
FEWEST_VOXELS = 50
MISSING = float("nan")


@dataclass(frozen=True)
class Contrast:
    """Contrast of white and grey matter over noise and as ratio, signal to noise of white matter; ratios."""

    contrast_to_noise: float
    white_to_grey: float
    white_matter_snr: float


def measure_contrast(signal: FloatArray, grey: FloatArray, white: FloatArray) -> Contrast:
    """Measure the contrast of grey and white matter in voxels that are at least 95 % one tissue.

    Parameters
    ----------
    signal, grey, white : shape (X, Y, Z)
        Scan without shading and shares of both tissues.

    Returns
    -------
    Ratios; missing where a tissue has no such voxel.
    """
    in_grey, in_white = signal[grey >= PURE_TISSUE], signal[white >= PURE_TISSUE]
    if in_grey.size == 0 or in_white.size == 0:
        return Contrast(MISSING, MISSING, MISSING)
    noise = float(np.sqrt((in_grey.var() + in_white.var()) / 2))
    grey_mean, white_mean = float(in_grey.mean()), float(in_white.mean())
    return Contrast((white_mean - grey_mean) / noise, white_mean / grey_mean, white_mean / float(in_white.std()))


def shading_percent(raw: FloatArray, corrected: FloatArray, brain: Mask) -> float:
    """Shading inside a brain: spread of raw over corrected signal.

    Parameters
    ----------
    raw, corrected : shape (X, Y, Z)
        Signal before and after correction; white matter of the latter is near 1.
    brain : shape (X, Y, Z)
        Brain mask.

    Returns
    -------
    95th minus 5th percentile of the ratio, percent of its median.

    Examples
    --------
    A field that rises from 1 to 2 over 101 voxels: 5th percentile 1.05, median 1.5, 95th 1.95.

    >>> field = np.linspace(1, 2, 101, dtype=np.float32)[:, None, None]
    >>> round(shading_percent(field, np.ones_like(field), field > 0), 3)
    60.0
    """
    bright = brain & (corrected > LEAST_SIGNAL)
    if not bright.any():
        return MISSING
    low, middle, high = np.percentile(raw[bright] / corrected[bright], [5, 50, 95])
    return 100 * float(high - low) / float(middle)


def odd_signal_percent(
    t1w: Nifti1Image,
    tissues: tuple[FloatArray, FloatArray, FloatArray],
    expected: Mapping[tuple[str, str], Nifti1Image],
) -> float:
    """Measure how much of a structure of grey matter has the signal of fluid or of white matter.

    Parameters
    ----------
    t1w : shape (X, Y, Z)
        Scan without shading.
    tissues
        Shares of fluid, grey and white matter, shape (X, Y, Z).
    expected
        Structure -> probability of the aligned atlas, on a part of the grid of `t1w`.

    Returns
    -------
    Largest percentage over the structures, of the voxels where the atlas has a probability of at least 0.6, of signal
    nearer to fluid than to grey matter or at least 85 % of the way from grey to white matter. Missing without
    structures. What a network makes of a destroyed hippocampus may look whole; its signal does not.
    """
    signal = array_of(t1w)
    pure = [signal[share >= PURE_TISSUE] for share in tissues]
    if min(part.size for part in pure) < FEWEST_VOXELS:
        return MISSING
    fluid, grey, white = (float(np.median(part)) for part in pure)
    low, high = (fluid + grey) / 2, grey + NEARLY_WHITE * (white - grey)
    percent = []
    for share in expected.values():
        start = np.rint((np.linalg.inv(t1w.affine) @ share.affine)[:3, 3]).astype(int)
        box = tuple(slice(first, first + size) for first, size in zip(start, share.shape, strict=True))
        core = signal[box][array_of(share) >= EXPECTED_SHARE]
        if core.size >= FEWEST_VOXELS:
            percent.append(100 * float(((core < low) | (core > high)).mean()))
    return max(percent, default=MISSING)
