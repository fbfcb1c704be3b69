"""Carry values between a scan's voxels and the grid of a network: same axes, other voxel size.

Both grids share the directions of their axes, so a position on one is start + step * index on the other, per axis.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from nibabel.affines import voxel_sizes
from nibabel.nifti1 import Nifti1Image
from numpy.typing import NDArray
from scipy import ndimage

from morpho.images import FloatArray

SHARP_MM = 0.29  # spread of a voxel of 1 mm (a box of width 1 has standard deviation 0.29)


@dataclass(frozen=True)
class AlignedGrid:
    """Grid with the axes of a scan: its voxel `index` lies at `start + step * index` in voxels of the scan."""

    shape: tuple[int, int, int]
    start: NDArray[np.float64]
    step: NDArray[np.float64]

    def affine(self, scan_affine: NDArray[np.float64]) -> NDArray[np.float64]:
        """Affine of this grid, shape (4, 4), given the scan's."""
        to_scan = np.eye(4)
        to_scan[:3, :3] = np.diag(self.step)
        to_scan[:3, 3] = self.start
        return np.asarray(scan_affine @ to_scan)


def grid_around(
    scan: Nifti1Image, centre: NDArray[np.float64], shape: tuple[int, int, int], voxel_mm: float
) -> AlignedGrid:
    """Grid of `shape` voxels of `voxel_mm` whose middle lies at `centre` (voxels of the scan)."""
    step = voxel_mm / voxel_sizes(scan.affine)
    return AlignedGrid(shape, centre - step * (np.array(shape) - 1) / 2, step)


def sample_on_grid(values: FloatArray, grid: AlignedGrid) -> FloatArray:
    """Values of a scan on a grid, shape `grid.shape`; zero outside the scan.

    A coarser grid sees the mean of what its voxels cover: the scan is blurred by as much as the voxels differ.
    """
    sigma = SHARP_MM * np.sqrt(np.maximum(grid.step**2 - 1, 0)) * 1.7  # 1.7: close to a box after linear sampling
    low = np.floor(grid.start - 4 * grid.step).astype(int)
    high = np.ceil(grid.start + grid.step * (np.array(grid.shape) + 4)).astype(int)
    low, high = np.clip(low, 0, np.array(values.shape) - 1), np.clip(high, 1, values.shape)
    box = tuple(slice(first, max(last, first + 1)) for first, last in zip(low, high, strict=True))
    part = values[box]
    if (sigma > 0.1).any():
        part = ndimage.gaussian_filter(part, sigma, mode="nearest", truncate=3)
    start = grid.start - [axis.start for axis in box]
    return _sample(part, grid.step, start, grid.shape)


def sample_on_scan(values: FloatArray, grid: AlignedGrid, shape: tuple[int, ...]) -> FloatArray:
    """Values on a grid, shape `grid.shape`, at the voxels of its scan of shape `shape`, linear; zero outside."""
    return _sample(values, 1 / grid.step, -grid.start / grid.step, shape)


def _sample(
    values: FloatArray, step: NDArray[np.float64], start: NDArray[np.float64], shape: tuple[int, ...]
) -> FloatArray:
    """Linear interpolation at start + step * index, one axis after the other; zero outside."""
    for axis in range(3):
        position = start[axis] + step[axis] * np.arange(shape[axis])
        below = np.floor(position).astype(int)
        result = np.zeros((*values.shape[:axis], shape[axis], *values.shape[axis + 1 :]), dtype=np.float32)
        for neighbour, weight in ((below, 1 - (position - below)), (below + 1, position - below)):
            there = (neighbour >= 0) & (neighbour < values.shape[axis])
            weight = np.where(there, weight, 0).astype(np.float32)
            weight = weight.reshape([-1 if other == axis else 1 for other in range(3)])
            result += np.take(values, np.where(there, neighbour, 0), axis=axis) * weight
        values = result
    return values
