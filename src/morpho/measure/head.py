"""Where the brain is in a scan and what it is made of, roughly: a network on a 2 mm grid.

Takes a scan in native space, gives shares of fluid, cortex, white matter and so on, on a grid with the scan's axes.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Literal

import numpy as np
from nibabel.affines import voxel_sizes
from nibabel.nifti1 import Nifti1Image
from numpy.typing import NDArray

from morpho.errors import BrainMaskError
from morpho.images import FloatArray, array_of
from morpho.measure.sampling import AlignedGrid, grid_around, sample_on_grid
from morpho.networks import load_network

LOGGER = logging.getLogger(__name__)

InputKind = Literal["whole_head", "extracted"]

TISSUE_THRESHOLD = 0.08  # of the 99th percentile of the signal: above it there is tissue
TOP_TO_CENTRE_MM = 90.0  # from the top of a head to the middle of its brain
SMALLEST_SLICE_MM2 = 1500.0  # a horizontal slice through the top of a head has at least this area
FAR_OFF_MM = 6.0
LARGEST_RETRIES = 3


@dataclass(frozen=True)
class HeadShares:
    """Shares of the classes of network "head", shape (classes, *grid.shape), the signal there and the class names."""

    shares: FloatArray
    signal: FloatArray
    grid: AlignedGrid
    classes: tuple[str, ...]

    def share(self, *names: str) -> FloatArray:
        """Sum of the shares of some classes, shape `grid.shape`."""
        return np.asarray(self.shares[[self.classes.index(name) for name in names]].sum(axis=0))


def segment_head(t1w: Nifti1Image, kind: InputKind) -> HeadShares:
    """Segment a head coarsely.

    Parameters
    ----------
    t1w : shape (X, Y, Z)
        Raw signal, RAS+, native space.
    kind
        Whether it shows a whole head or an extracted brain.

    Returns
    -------
    Shares around the brain, which lies in the middle of the grid.

    Raises
    ------
    BrainMaskError
        If no brain is found.

    Notes
    -----
    A U-Net trained on heads simulated from label maps, after SynthSeg [1]_.

    References
    ----------
    .. [1] Billot B et al. SynthSeg: segmentation of brain MRI scans of any contrast and resolution without retraining.
       Med Image Anal 2023. doi 10.1016/j.media.2023.102789
    """
    network = load_network("head")
    values = array_of(t1w)
    centre = _guess_centre(values, voxel_sizes(t1w.affine), kind)
    for attempt in range(LARGEST_RETRIES):
        grid = grid_around(t1w, centre, network.shape, network.voxel_mm)
        signal = sample_on_grid(values, grid)
        shares = network.predict(signal)
        inside = np.argwhere(shares[0] < 0.5)
        if len(inside) == 0:
            message = "No brain was found in the scan. Look at it: is it a T1w image of a head, and is it upright?"
            raise BrainMaskError(message)
        low, high = np.percentile(inside, [0.5, 99.5], axis=0)
        found = grid.start + grid.step * (low + high) / 2
        off_mm = float(np.abs((found - centre) / grid.step).max()) * network.voxel_mm
        LOGGER.info("brain found %.0f mm from where it was looked for (try %d)", off_mm, attempt + 1)
        if off_mm <= FAR_OFF_MM:
            break
        centre = found
    return HeadShares(shares, signal, grid, network.classes)


def _guess_centre(values: FloatArray, voxel_mm: NDArray[np.float64], kind: InputKind) -> NDArray[np.float64]:
    """Voxel near the middle of the brain: of the signal of an extracted brain, or below the top of a head."""
    tissue = values > TISSUE_THRESHOLD * np.percentile(values[values > 0], 99)
    if kind == "extracted":
        where = np.argwhere(tissue)
        return np.asarray(np.percentile(where, 1, axis=0) + np.percentile(where, 99, axis=0)) / 2
    area_mm2 = tissue.sum(axis=(0, 1)) * voxel_mm[0] * voxel_mm[1]
    filled = np.flatnonzero(area_mm2 > SMALLEST_SLICE_MM2)
    top = int(filled[-1]) if len(filled) else values.shape[2] - 1
    height = top - TOP_TO_CENTRE_MM / voxel_mm[2]
    upper = np.argwhere(tissue[:, :, max(0, int(height)) : top])
    if len(upper) == 0:
        return np.array(values.shape) / 2
    across = (np.percentile(upper, 1, axis=0) + np.percentile(upper, 99, axis=0)) / 2
    return np.array([across[0], across[1], max(height, 0.0)])
