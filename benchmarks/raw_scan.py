"""Raw scans as cubic splines: read off half a voxel beside their grid, as they are or deformed.

Interpolation smooths. A changed scan is compared with an unchanged one that was resampled as well, moved by half a
voxel, where a cubic spline smooths most; the changed one is resampled once, from the raw scan, at the same half voxel
plus the deformation. Where the deformation is zero both images are the same to the last digit.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from contraction import Box, Contraction, FloatArray, sample
from measuring import BenchmarkError
from nibabel.nifti1 import Nifti1Image
from numpy.typing import NDArray
from scipy import ndimage

HALF_VOXEL = 0.5
FEWEST_ZEROS = 0.2  # share of a scan whose background was set to zero


@dataclass(frozen=True)
class RawScan:
    """A raw scan: its name, its values as spline coefficients, and where its background was set to zero (or None).

    An edge to zero would ring when interpolated, so zeros stay zeros.
    """

    name: str
    affine: NDArray[np.float64]
    spline: FloatArray
    background: NDArray[np.bool_] | None

    def unchanged(self) -> Nifti1Image:
        """Read the scan off half a voxel beside its grid; the affine moves along, so the world stays where it was."""
        whole = (slice(None), slice(None), slice(None))
        values = self._read(whole, np.zeros((3, *self.spline.shape), np.float32))
        affine = self.affine.copy()
        affine[:3, 3] += self.affine[:3, :3] @ np.full(3, HALF_VOXEL)
        return Nifti1Image(values, affine)

    def changed(self, unchanged: Nifti1Image, contraction: Contraction) -> Nifti1Image:
        """Read the deformed scan off the grid of the unchanged one."""
        values = np.array(unchanged.dataobj)
        values[contraction.box] = self._read(contraction.box, contraction.backward)
        return Nifti1Image(values, unchanged.affine)

    def _read(self, box: Box, displacement: FloatArray) -> FloatArray:
        """Values half a voxel beside the voxels of a box, moved by a displacement (voxels)."""
        starts = [where.indices(size)[0] for where, size in zip(box, self.spline.shape, strict=True)]
        move = displacement + np.array(starts, np.float32).reshape(3, 1, 1, 1) + np.float32(HALF_VOXEL)
        values = sample(self.spline, move, order=3, is_spline=True).clip(0)
        if self.background is not None:
            values[sample(self.background.astype(np.float32), move, order=1) > HALF_VOXEL] = 0
        return values


def read_scans(paths: Sequence[Path]) -> list[RawScan]:
    """Read raw scans; each gets a name of its own.

    Raises
    ------
    BenchmarkError
        If a file is absent or is no image with three axes.
    """
    scans: list[RawScan] = []
    for path in paths:
        if not path.is_file():
            message = f"There is no T1w image '{path}'. Give paths of .nii or .nii.gz files."
            raise BenchmarkError(message)
        image = nib.squeeze_image(nib.load(path))
        if len(image.shape) != 3:
            message = f"'{path}' has the shape {image.shape}; a T1w image has three axes."
            raise BenchmarkError(message)
        values = np.nan_to_num(np.asarray(image.dataobj, dtype=np.float32))
        name = re.sub("[^0-9A-Za-z]", "", re.sub(r"(_T1w|_SS)?\.nii(\.gz)?$", "", path.name).removeprefix("sub-"))
        if any(scan.name == name for scan in scans):
            name += f"n{len(scans) + 1}"
        background = values == 0 if float((values == 0).mean()) > FEWEST_ZEROS else None
        spline = ndimage.spline_filter(values, order=3, output=np.float32, mode="nearest")
        scans.append(RawScan(name, image.affine, spline, background))
    return scans
