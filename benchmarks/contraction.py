"""A smooth deformation that makes one region of an image smaller by a known amount and leaves the rest where it was.

The region shrinks evenly; a shell a few millimetres around it grows by as much in sum, so that nothing beyond moves.
What must keep its size, such as the regions next to it, may be moved and bent but neither shrinks nor grows.
The deformation is the flow, for unit time, of a velocity field v whose divergence is the wanted rate of growth: v is
the gradient of the solution of a Poisson equation. Along that flow the volume of a small piece changes by the
exponential of the divergence it has met, so a piece that stays in the region shrinks by exactly the planted share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

FloatArray = NDArray[np.float32]
Box = tuple[slice, slice, slice]

# Distances from the region in mm: full shrinkage up to, none from; the shell that grows; where the flow fades out.
CORE_MM = (1.5, 4.5)
SHELL_MM = (4.5, 15.0)
FADE_MM = (15.0, 22.0)
KEPT_MM = (0.5, 2.0)  # from what keeps its size: nothing grows up to, all may grow from
MARGIN_MM = 24.0
LARGEST_FIRST_STEP = 0.05  # voxels
PASSES = 3


@dataclass(frozen=True)
class Contraction:
    """A deformation inside a box of an image; outside the box nothing moves.

    `forward` says by how many voxels each point moves, `backward` where the content of each point comes from (both
    shape (3, *box)); `jacobian` is the volume after over the volume before of each voxel of the unchanged image.
    """

    box: Box
    forward: FloatArray
    backward: FloatArray
    jacobian: FloatArray

    def growth(self, weights: FloatArray) -> float:
        """Sum by which a volume grows, in voxels, from the Jacobian; `weights` is its share of each voxel."""
        return float((weights[self.box] * (self.jacobian - 1)).sum(dtype=np.float64))

    def warped_growth(self, weights: FloatArray) -> float:
        """Sum the warped shares instead, which must give the same growth."""
        inside = weights[self.box]
        # Linear interpolation would lose nearly a percent where neighbours are moved alike.
        after = sample(inside, self.backward, order=3)
        return float(after.sum(dtype=np.float64)) - float(inside.sum(dtype=np.float64))


def contract(
    region: NDArray[np.bool_], weights: FloatArray, kept: NDArray[np.bool_], voxel_mm: Sequence[float], share: float
) -> Contraction:
    """Make a deformation that makes the volume of a region smaller by a share.

    Parameters
    ----------
    region : shape (X, Y, Z)
        What is to shrink.
    weights : shape (X, Y, Z)
        What counts as its volume: the share of each voxel, 0 to 1.
    kept : shape (X, Y, Z)
        What is to keep its size; the region itself comes first.
    voxel_mm
        Voxel size along each axis.
    share
        Share by which the volume is to shrink, above 0 and below .5.

    Raises
    ------
    ValueError
        If the region is empty, the share is out of range, or the deformation would fold.
    """
    if not weights[region].any() or not 0 < share < 0.5:
        message = f"A region of {int(region.sum())} voxels cannot shrink by {share:.3g}; give a region and 0 to 0.5."
        raise ValueError(message)
    box = box_around(region, [MARGIN_MM / size for size in voxel_mm])
    velocity = shrinking_velocity(region[box], kept[box] & ~region[box], voxel_mm)
    rate = -np.log1p(-share)
    for attempt in range(PASSES):
        forward = flow(rate * velocity)
        contraction = Contraction(box, forward, forward, jacobian_of(forward))
        reached = -contraction.growth(weights) / float(weights.sum(dtype=np.float64))
        if attempt < PASSES - 1:
            # The edge of the region shrinks less than its middle: ask for a little more.
            rate *= np.log1p(-share) / np.log1p(-reached)
    if contraction.jacobian.min() <= 0:
        message = f"Shrinking by {share:.3g} would fold the image (Jacobian {contraction.jacobian.min():.2f})."
        raise ValueError(message)
    return Contraction(box, forward, flow(-rate * velocity), contraction.jacobian)


def box_around(region: NDArray[np.bool_], margin_voxels: Sequence[float]) -> Box:
    """Box around a mask, widened by a margin (voxels per axis) within the image."""
    found = ndimage.find_objects(region.astype(np.uint8))[0]
    first, second, third = (
        slice(max(0, where.start - int(np.ceil(margin))), min(size, where.stop + int(np.ceil(margin))))
        for where, margin, size in zip(found, margin_voxels, region.shape, strict=True)
    )
    return first, second, third


def shrinking_velocity(region: NDArray[np.bool_], kept: NDArray[np.bool_], voxel_mm: Sequence[float]) -> FloatArray:
    """Velocity (voxels) of divergence -1 in the region and 0 in what is kept, shape (3, X, Y, Z)."""
    distance_mm = ndimage.distance_transform_edt(~region, sampling=voxel_mm)
    free = np.ones(region.shape)
    if kept.any():
        free -= fade(ndimage.distance_transform_edt(~kept, sampling=voxel_mm), *KEPT_MM)
    core = np.where(region, 1, fade(distance_mm, *CORE_MM) * free)
    middle = sum(SHELL_MM) / 2
    shell = fade(distance_mm, middle, SHELL_MM[1]) * (1 - fade(distance_mm, SHELL_MM[0], middle)) * free
    divergence = shell * (core.sum() / shell.sum()) - core
    velocity = gradient_with_divergence(divergence, voxel_mm)
    return (velocity * fade(distance_mm, *FADE_MM)).astype(np.float32)


def fade(distance_mm: NDArray[np.float64], start_mm: float, end_mm: float) -> NDArray[np.float64]:
    """Smooth step: 1 up to a distance, 0 from another.

    Examples
    --------
    >>> fade(np.array([0.0, 2.0, 3.0]), 1.0, 3.0).tolist()
    [1.0, 0.5, 0.0]
    """
    progress = np.clip((distance_mm - start_mm) / (end_mm - start_mm), 0, 1)
    return 1 - progress**2 * (3 - 2 * progress)


def gradient_with_divergence(divergence: NDArray[np.float64], voxel_mm: Sequence[float]) -> NDArray[np.float64]:
    """Curl-free field (voxels) of a given divergence that sums to zero; nothing flows through the edge of the box.

    The Poisson equation is solved by cosine transforms, whose waves have no slope at the edge.
    """
    waves = fft.dctn(divergence, type=2)
    scale = np.zeros(divergence.shape)
    for axis, (count, size_mm) in enumerate(zip(divergence.shape, voxel_mm, strict=True)):
        shape = [1, 1, 1]
        shape[axis] = count
        scale = scale + (2 * (np.cos(np.pi * np.arange(count) / count) - 1) / size_mm**2).reshape(shape)
    scale[0, 0, 0] = 1
    waves /= scale
    waves[0, 0, 0] = 0
    potential = fft.idctn(waves, type=2)
    # Gradient in 1/mm times mm, then in voxels.
    slopes = np.gradient(potential, *voxel_mm)
    return np.stack([slope / size_mm for slope, size_mm in zip(slopes, voxel_mm, strict=True)])


def flow(velocity: FloatArray) -> FloatArray:
    """Displacement (voxels) after unit time in a steady velocity field, by scaling and squaring; shape (3, X, Y, Z)."""
    largest = float(np.abs(velocity).max())
    halvings = max(0, int(np.ceil(np.log2(max(largest, 1e-9) / LARGEST_FIRST_STEP))))
    displacement = (velocity / 2**halvings).astype(np.float32)
    for _ in range(halvings):
        displacement = displacement + np.stack([sample(part, displacement, order=1) for part in displacement])
    return displacement


def sample(
    values: NDArray[np.floating], displacement: FloatArray, *, order: int, is_spline: bool = False
) -> FloatArray:
    """Values at each voxel of a grid moved by a displacement (voxels), the edge repeated beyond the image.

    Parameters
    ----------
    values : shape (X, Y, Z)
        Values, or with `is_spline` the coefficients of their spline.
    displacement : shape (3, U, V, W)
        From each voxel (0, 0, 0) to (U, V, W), in voxels.
    order
        Order of the spline; 1 is linear.
    """
    places = [
        np.arange(size, dtype=np.float32).reshape([-1 if other == axis else 1 for other in range(3)])
        + displacement[axis]
        for axis, size in enumerate(displacement.shape[1:])
    ]
    return ndimage.map_coordinates(
        values, places, order=order, mode="nearest", prefilter=not is_spline, output=np.float32
    )


def jacobian_of(displacement: FloatArray) -> FloatArray:
    """Compute the determinant of the derivative of position plus displacement (voxels), shape (X, Y, Z)."""
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = (np.gradient(part) for part in displacement)
    return (1 + xx) * ((1 + yy) * (1 + zz) - yz * zy) - xy * (yx * (1 + zz) - yz * zx) + xz * (yx * zy - (1 + yy) * zx)
