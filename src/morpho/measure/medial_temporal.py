"""Hippocampus and amygdala of each side, by a network on a 1 mm grid around them.

Takes a scan without shading and where to look, gives the share of each structure in each voxel of the scan.
"""

from __future__ import annotations

import logging

import numpy as np
from nibabel.nifti1 import Nifti1Image
from numpy.typing import NDArray

from morpho.errors import SegmentationError
from morpho.images import FloatArray, array_of
from morpho.measure.sampling import AlignedGrid, grid_around, sample_on_grid, sample_on_scan
from morpho.networks import Network, load_network

LOGGER = logging.getLogger(__name__)

Array = NDArray[np.float64]

STRUCTURES = ("hippocampus", "amygdala")
SIDES = ("L", "R")
# The mean of several crops, a fraction of a voxel and some voxels apart, depends less on where the head lay.
SHIFTS_MM = ((0.0, 0.0, 0.0), (2.5, -1.5, 1.5), (-2.5, 1.5, -1.5), (0.5, 2.5, -2.5))
LEAST_EXPECTED_ML = 0.4
LARGEST_SHIFT_MM = 4.0


def locate_medial_temporal_lobes(expected: FloatArray, grid: AlignedGrid) -> tuple[Array, Array]:
    """Find the middle of hippocampus and amygdala of the left and of the right side.

    Parameters
    ----------
    expected : shape `grid.shape`
        Coarse share of hippocampus and amygdala together, axes RAS+.
    grid
        Its grid, in voxels of the scan.

    Returns
    -------
    Positions in voxels of the scan, each of shape (3,): left, right.

    Raises
    ------
    SegmentationError
        If either side has next to nothing of them.
    """
    where = np.argwhere(expected > 0.25)
    share = expected[expected > 0.25].astype(np.float64)
    voxel_ml = 0.008
    middle = float(np.average(where[:, 0], weights=share)) if share.sum() > 0 else 0.0
    left = right = np.zeros(3)
    for _ in range(10):
        on_left = where[:, 0] < middle
        volumes_ml = [share[on_left].sum() * voxel_ml, share[~on_left].sum() * voxel_ml]
        if min(volumes_ml) < LEAST_EXPECTED_ML:
            message = (
                f"Hippocampus and amygdala were found with {volumes_ml[0]:.1f} ml left and {volumes_ml[1]:.1f} ml "
                f"right; at least {LEAST_EXPECTED_ML} ml is needed to know where to look. Look at the scan."
            )
            raise SegmentationError(message)
        left = np.average(where[on_left], axis=0, weights=share[on_left])
        right = np.average(where[~on_left], axis=0, weights=share[~on_left])
        middle = (left[0] + right[0]) / 2
    return grid.start + grid.step * left, grid.start + grid.step * right


def segment_medial_temporal_lobes(t1w: Nifti1Image, centres: tuple[Array, Array]) -> dict[tuple[str, str], FloatArray]:
    """Segment hippocampus and amygdala of both sides.

    Parameters
    ----------
    t1w : shape (X, Y, Z)
        Scan without shading, RAS+, native space; whole head or brain alone.
    centres
        Where they are, left and right, in voxels.

    Returns
    -------
    Share of each (structure, side) in each voxel, 0 to 1, shape (X, Y, Z).

    Notes
    -----
    A U-Net trained on scans simulated from label maps with FreeSurfer's definitions (Billot et al. 2023, doi
    10.1016/j.media.2023.102789). It knows the left side; the right is shown to it mirrored.
    """
    network = load_network("medial_temporal")
    values = array_of(t1w)
    shares: dict[tuple[str, str], FloatArray] = {}
    for side, centre in zip(SIDES, centres, strict=True):
        centre = _recentre(t1w, values, network, centre, side)
        total = np.zeros((len(STRUCTURES), *values.shape), dtype=np.float32)
        mirror = np.array([-1, 1, 1] if side == "R" else [1, 1, 1])
        for shift_mm in SHIFTS_MM:
            grid = grid_around(t1w, centre, network.shape, network.voxel_mm)
            grid = AlignedGrid(grid.shape, grid.start + grid.step * mirror * shift_mm, grid.step)
            found = _predict(values, network, grid, side)
            low, high = _covered(grid, values.shape)
            box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
            part = AlignedGrid(grid.shape, grid.start - low, grid.step)
            for number in range(len(STRUCTURES)):
                total[number][box] += sample_on_scan(found[number], part, tuple(high - low))
        for number, structure in enumerate(STRUCTURES):
            shares[structure, side] = total[number] / len(SHIFTS_MM)
    return shares


def _recentre(t1w: Nifti1Image, values: FloatArray, network: Network, centre: Array, side: str) -> Array:
    """Middle of the structures as the network itself sees them, looked at once from `centre`."""
    grid = grid_around(t1w, centre, network.shape, network.voxel_mm)
    found = _predict(values, network, grid, side).sum(axis=0)
    if found.sum() < 1000 * LEAST_EXPECTED_ML:
        return centre
    where = np.argwhere(found > 0.5)
    if len(where) == 0:
        return centre
    return np.asarray(grid.start + grid.step * where.mean(axis=0))


def _predict(values: FloatArray, network: Network, grid: AlignedGrid, side: str) -> FloatArray:
    """Shares of the structures on a grid, shape (structures, *grid.shape)."""
    crop = sample_on_grid(values, grid)
    mirrored = crop[::-1] if side == "R" else crop
    shares = network.predict(np.ascontiguousarray(mirrored))
    found = shares[[network.classes.index(name) for name in STRUCTURES]]
    return found[:, ::-1] if side == "R" else found


def _covered(grid: AlignedGrid, shape: tuple[int, ...]) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """First and last-but-one voxel of the scan that a grid covers, per axis."""
    low = np.clip(np.floor(grid.start).astype(int), 0, shape)
    high = np.clip(np.ceil(grid.start + grid.step * np.array(grid.shape)).astype(int) + 1, 0, shape)
    return low, high
