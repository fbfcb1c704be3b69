"""T1w-like scans simulated from label maps, each another anatomy and another scanner (the idea of SynthSeg).

Billot B et al. SynthSeg: segmentation of brain MRI scans of any contrast and resolution without retraining. Med Image
Anal 2023. doi 10.1016/j.media.2023.102789. Here the contrast stays near T1w.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from label_maps import CORTEX, FLUID, HIPPOCAMPUS, LARGEST_LABEL, SPINAL_CORD, SPINAL_FLUID, class_of_label
from numpy.typing import NDArray
from torch.nn import functional

Tensor = torch.Tensor

# Range of the mean signal of each label, white matter being 1, in T1w scans with and without contrast between grey
# matter and white matter. Labels not named here: anything.
SIGNAL = {
    (2, 41): (1.0, 1.0), (7, 46): (0.92, 1.04), (10, 49): (0.78, 0.96), (11, 50): (0.66, 0.86), (12, 51): (0.7, 0.9),
    (13, 52): (0.84, 1.02), (16,): (0.84, 1.02), (28, 60): (0.82, 1.0), (25, 57): (0.55, 1.0), (85,): (0.7, 1.0),
    (30, 62): (0.1, 1.0), (136, 137, 163, 164): (0.3, 0.85),
    (502, 508, 512, 514): (0.1, 1.1), (506,): (0.15, 0.5), (507,): (0.3, 0.95), (509,): (0.1, 0.9),
    (511,): (0.4, 1.7), (515,): (0.02, 0.35), (516,): (0.2, 1.5), (530,): (0.5, 1.0),
}  # fmt: skip
CORTEX_SIGNAL, FLUID_SIGNAL = (0.58, 0.82), (0.1, 0.42)
BRIGHTER_THAN_CORTEX = {(17, 53): (-0.03, 0.1), (18, 54): (-0.04, 0.1), (8, 47): (-0.06, 0.06), (26, 58): (-0.02, 0.12)}
OUTSIDE_BRAIN = 500  # larger labels lie outside the skull's inside


@dataclass(frozen=True)
class Recipe:
    """How scans for one network are simulated.

    `shape` voxels of `voxel_mm`; `classes` lists the labels of classes 1, 2, ...; `points` subdivides each voxel along
    each axis, for the partial volume; the other fields bound the random anatomy (degrees, share, mm).
    """

    shape: tuple[int, int, int]
    voxel_mm: float
    classes: tuple[tuple[int, ...], ...]
    offsets_mm: tuple[tuple[float, float, float], ...]
    rotation_deg: float
    scale: float
    shift_mm: float
    warp_mm: tuple[tuple[float, float], ...]  # spacing of the random nodes and size of their shifts


@dataclass(frozen=True)
class Head:
    """Variants of a label map, each of shape (X, Y, Z), and the point (voxels) around which scans are simulated."""

    variants: tuple[Tensor, ...]
    centre: tuple[float, float, float]


def simulate(head: Head, recipe: Recipe, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """One scan and its truth.

    Returns
    -------
    image : shape recipe.shape
        Signal scaled by `normalise`.
    shares : shape (classes + 1, *recipe.shape)
        Share of each class in each voxel.
    """
    labels = head.variants[int(torch.randint(len(head.variants), (1,), generator=random))]
    where = _positions(head, recipe, random)
    means = _signal_of_label(random)
    table = torch.from_numpy(class_of_label(recipe.classes))
    n_classes = len(recipe.classes) + 1
    image = torch.zeros(recipe.shape)
    shares = torch.zeros((n_classes, *recipe.shape))
    # A brain extracted before has fluid around it, or little of it, or none, and sometimes pieces of the head.
    kept = torch.ones(LARGEST_LABEL + 1)
    if _uniform(random) < 0.5:
        kept[OUTSIDE_BRAIN:] = 0
        if _uniform(random) < 0.5:
            kept[24] = max(0.0, _uniform(random, -0.5, 0.5))
        if kept[24] < 0.1:
            table[24] = 0
        if _uniform(random) < 0.3:
            kept[[502, 507, 508, 512, 514]] = (torch.rand(5, generator=random) < 0.3).float()
    for offset in recipe.offsets_mm:
        found = _look_up(labels, where, offset)
        image += (means * kept)[found] / len(recipe.offsets_mm)
        shares.scatter_add_(0, table[found][None], torch.full((1, *recipe.shape), 1 / len(recipe.offsets_mm)))
    image = _cut_face_and_neck(image, shares[0] == 1, random)
    return normalise(_scan(image, recipe, random)), shares


def normalise(image: Tensor) -> Tensor:
    """Signal over its 99th percentile where there is signal, between 0 and 2."""
    signal = image[image > 0.02 * image.max()]
    if len(signal) == 0:
        return image
    rank = int(0.99 * (len(signal) - 1))
    return (image / torch.kthvalue(signal, rank + 1).values).clamp(0, 2)


def _uniform(random: torch.Generator, low: float = 0.0, high: float = 1.0) -> float:
    return low + (high - low) * float(torch.rand(1, generator=random))


def _signal_of_label(random: torch.Generator) -> Tensor:
    """Mean signal of each label, shape (LARGEST_LABEL + 1,)."""
    means = torch.rand(LARGEST_LABEL + 1, generator=random) * 1.2
    means[0] = _uniform(random, 0, 0.04)
    for labels, (low, high) in SIGNAL.items():
        means[list(labels)] = _uniform(random, low, high) * (1 + 0.02 * torch.randn(len(labels), generator=random))
    cortex, fluid = _uniform(random, *CORTEX_SIGNAL), _uniform(random, *FLUID_SIGNAL)
    means[list(CORTEX)] = cortex * (1 + 0.01 * torch.randn(len(CORTEX), generator=random))
    inside = [label for label in FLUID if label < 136]
    means[SPINAL_FLUID], means[SPINAL_CORD] = fluid, means[16]
    means[inside] = (fluid + 0.03 * torch.randn(len(inside), generator=random)).clamp(0.02)
    for pair, (low, high) in BRIGHTER_THAN_CORTEX.items():
        means[list(pair)] = cortex + _uniform(random, low, high) + 0.01 * torch.randn(2, generator=random)
    return means.clamp(0)


def _cut_face_and_neck(image: Tensor, outside: Tensor, random: torch.Generator) -> Tensor:
    """Scan without the face (a box at the front, as defacing leaves it) and without the lowest slices, sometimes."""
    _, depth, height = image.shape
    gone = torch.zeros(image.shape, dtype=torch.bool)
    if _uniform(random) < 0.25:
        gone[:, int(depth * _uniform(random, 0.55, 0.85)) :, : int(height * _uniform(random, 0.25, 0.55))] = True
    if _uniform(random) < 0.25:
        gone[:, :, : int(height * _uniform(random, 0, 0.3))] = True
    return torch.where(gone & outside, torch.zeros(()), image)


def _widen_fluid(labels: Tensor, random: torch.Generator) -> Tensor:
    """Wider ventricles and sulci, or a smaller hippocampus, at the expense of the tissue beside them."""
    choice = _uniform(random)
    if choice < 0.4:  # the fluid around the brain eats cortex
        eats, eaten = [24], list(CORTEX)
    elif choice < 0.75:  # the ventricles eat white matter and hippocampus
        eats, eaten = [4, 5, 43, 44], [2, 41, *HIPPOCAMPUS]
    else:  # the fluid and white matter eat hippocampus
        eats, eaten = [2, 41, 5, 44, 24], list(HIPPOCAMPUS)
    amount = _uniform(random, 0.2, 0.9)
    grown = labels.clone()
    for source in eats:
        near = functional.max_pool3d((labels == source).float()[None, None], 3, stride=1, padding=1)[0, 0] > 0
        # Whole patches of the border are eaten, not single voxels.
        patch = _noise(tuple(labels.shape), 8, random) < torch.distributions.Normal(0.0, 1.0).icdf(torch.tensor(amount))
        target = near & patch & torch.isin(labels, torch.tensor(eaten, dtype=labels.dtype))
        grown[target] = source
    return grown


def _noise(shape: Sequence[int], spacing: float, random: torch.Generator) -> Tensor:
    """Smooth noise of unit spread at the nodes, which are `spacing` voxels apart, shape `shape`."""
    nodes = [max(2, round(size / spacing) + 1) for size in shape]
    coarse = torch.randn((1, 1, *nodes), generator=random)
    return functional.interpolate(coarse, size=tuple(shape), mode="trilinear", align_corners=True)[0, 0]


def _positions(head: Head, recipe: Recipe, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Where the centre of each voxel lies in the label map (voxels = mm), shape (3, *shape), and the linear map."""
    angles = torch.deg2rad((torch.rand(3, generator=random) * 2 - 1) * recipe.rotation_deg)
    linear = torch.eye(3)
    for axis in range(3):
        first, second = [other for other in range(3) if other != axis]
        turn = torch.eye(3)
        turn[first, first] = turn[second, second] = torch.cos(angles[axis])
        turn[first, second], turn[second, first] = -torch.sin(angles[axis]), torch.sin(angles[axis])
        linear = linear @ turn
    size = 1 + (torch.rand(1, generator=random) * 2 - 1) * recipe.scale
    stretch = size * (1 + 0.3 * recipe.scale * torch.randn(3, generator=random))
    shear = torch.eye(3) + 0.03 * torch.randn(3, 3, generator=random).triu(1)
    linear = linear @ torch.diag(1 / stretch) @ shear
    axes = [(torch.arange(size) - (size - 1) / 2) * recipe.voxel_mm for size in recipe.shape]
    grid = torch.stack(torch.meshgrid(*axes, indexing="ij")).reshape(3, -1)
    shift = (torch.rand(3, generator=random) * 2 - 1) * recipe.shift_mm
    where = (linear @ grid + (torch.tensor(head.centre) + shift)[:, None]).reshape(3, *recipe.shape)
    amount = _uniform(random, 0.2, 1.0)
    for spacing_mm, size_mm in recipe.warp_mm:
        for axis in range(3):
            where[axis] += amount * size_mm * _noise(recipe.shape, spacing_mm / recipe.voxel_mm, random)
    return where, linear


def _look_up(labels: Tensor, where: tuple[Tensor, Tensor], offset_mm: Sequence[float]) -> Tensor:
    """Nearest label at each position moved by an offset, int64, shape of the grid."""
    positions, linear = where
    moved = positions + (linear @ torch.tensor(offset_mm))[:, None, None, None]
    index = torch.zeros(positions.shape[1:], dtype=torch.int64)
    for axis, size in enumerate(labels.shape):
        index = index * size + moved[axis].add(0.5).floor_().clamp_(0, size - 1).long()
    return labels.reshape(-1)[index.reshape(-1)].reshape(index.shape).long()


def _scan(image: Tensor, recipe: Recipe, random: torch.Generator) -> Tensor:
    """Scan a signal: shading, texture, blur along the axes, noise, gamma."""
    empty = image <= 0
    image = image * torch.exp(_uniform(random, 0, 0.35) * _noise(recipe.shape, 90 / recipe.voxel_mm, random))
    image = image * (1 + _uniform(random, 0, 0.06) * _noise(recipe.shape, 6 / recipe.voxel_mm, random))
    noise = _uniform(random, 0.0, 0.07) * torch.randn(recipe.shape, generator=random)
    blurred_noise = _uniform(random) < 0.5
    if blurred_noise:
        image = image + noise
    for axis in range(3):
        image = _blur(image, axis, _uniform(random, 0, 0.75) / recipe.voxel_mm)
    if _uniform(random) < 0.3:  # thick slices
        image = _blur(image, int(_uniform(random, 0, 2.999)), _uniform(random, 0.4, 1.2) / recipe.voxel_mm)
    if not blurred_noise:
        image = image + noise
    image = image.clamp(0) ** float(torch.exp(0.15 * torch.randn(1, generator=random)))
    if _uniform(random) < 0.7:
        image = torch.where(empty & (image < 0.1), torch.zeros(()), image)
    return image


def _blur(image: Tensor, axis: int, sigma: float) -> Tensor:
    """Gaussian blur along one axis, spread in voxels."""
    if sigma < 0.2:
        return image
    radius = int(np.ceil(3 * sigma))
    steps = torch.arange(-radius, radius + 1, dtype=torch.float32)
    kernel = torch.exp(-0.5 * (steps / sigma) ** 2)
    kernel /= kernel.sum()
    result = torch.zeros_like(image)
    for weight, step in zip(kernel.tolist(), range(-radius, radius + 1), strict=True):
        result += weight * torch.roll(image, step, dims=axis)
    return result


def as_head(labels: NDArray[np.int16], centre: Sequence[float], *, n_widened: int, seed: int) -> Head:
    """Head of a label map of shape (X, Y, Z) around a point (voxels): as it is, and with fluid widened."""
    first, second, third = (float(value) for value in centre)
    random = torch.Generator().manual_seed(seed)
    original = torch.from_numpy(np.ascontiguousarray(labels))
    widened = [_widen_fluid(original, random) for _ in range(n_widened)]
    return Head((original, *widened), (first, second, third))
