"""Whole heads as a T1w scanner would show them, simulated from label maps, with the share of each structure known.

Independent of the simulator that the networks are trained with (training/simulation.py): other signals, fields, noise
and sampling, no torch. Takes a label map (1 mm, axes right, anterior, superior, FreeSurfer's numbers, from 502 those
outside the brain), gives a scan on a grid of its own and, on the same grid, the share of each structure.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import nibabel as nib
import numpy as np
from nibabel.nifti1 import Nifti1Image
from numpy.typing import NDArray
from scipy import ndimage
from scipy.interpolate import BSpline
from scipy.spatial.transform import Rotation

FloatArray = NDArray[np.float32]

# Mean signal relative to white matter: lowest and highest. Both sides of a structure share one value.
SIGNAL: dict[tuple[int, ...], tuple[float, float]] = {
    (2, 41, 30, 62, 85): (1.0, 1.0), (3, 42): (0.60, 0.80), (7, 46): (0.94, 1.02), (8, 47): (0.58, 0.80),
    (10, 49): (0.80, 0.93), (11, 50): (0.68, 0.84), (12, 51): (0.72, 0.88), (13, 52): (0.86, 1.00),
    (16, 532): (0.86, 1.00), (26, 58): (0.66, 0.82), (28, 60): (0.84, 0.98), (25, 57, 77): (0.60, 0.95),
    (4, 5, 14, 15, 24, 43, 44, 72, 531): (0.14, 0.36), (136, 137, 163, 164): (0.35, 0.75),
    (502, 508, 514): (0.25, 1.0), (506,): (0.18, 0.40), (507,): (0.40, 0.80), (509,): (0.30, 0.90),
    (511,): (0.60, 1.50), (512,): (0.70, 0.95), (515,): (0.03, 0.20), (516,): (0.40, 1.30), (530,): (0.60, 0.90),
}  # fmt: skip
# Signal above that of the cortex.
ABOVE_CORTEX = {(17, 53): (-0.01, 0.08), (18, 54): (-0.03, 0.08)}
LARGEST_LABEL = 600
MIXED_TISSUE = (507, 511)  # fat and muscle in one label
MOST_STRUCTURES = 12  # with the mixed tissue; their counts share one 64-bit number, five bits each
COUNT_BITS = 5
PLANES = 12  # handled at once
AIR_MM = 8.0


@dataclass(frozen=True)
class Scanner:
    """How a head is scanned: voxels (mm), pose (degrees), neck shown (mm), size of the smooth errors, orientation."""

    voxel_mm: tuple[float, float, float]
    rotation_deg: tuple[float, float, float]
    neck_mm: float
    bias: float
    noise: float
    blur_voxels: float
    white_matter: float
    axis_codes: str
    origin_mm: tuple[float, float, float]


@dataclass(frozen=True)
class SimulatedHead:
    """A scan in its own orientation, and on axes right, anterior, superior the share (0 to 1) of each structure."""

    t1w: Nifti1Image
    shares: Mapping[str, FloatArray]
    affine: NDArray[np.float64]

    def volume_mm3(self, structure: str) -> float:
        """Sum the shares of a structure: its true volume."""
        voxel_mm3 = float(abs(np.linalg.det(self.affine[:3, :3])))
        return float(self.shares[structure].sum(dtype=np.float64)) * voxel_mm3


def draw_scanner(random: np.random.Generator) -> Scanner:
    """Draw the properties of a scan; half of the scans have cubic voxels."""
    voxel = np.full(3, random.uniform(0.8, 1.3))
    if random.random() < 0.5:
        voxel[random.integers(3)] = random.uniform(0.8, 1.3)
    axes = random.permutation(["LR", "PA", "IS"])
    first, second, third = (float(size) for size in voxel)
    return Scanner(
        voxel_mm=(first, second, third),
        rotation_deg=tuple(random.uniform(-10, 10, 3).tolist()),
        neck_mm=random.uniform(20, 80),
        bias=random.uniform(0.05, 0.2),
        noise=random.uniform(0.01, 0.04),
        blur_voxels=random.uniform(0.0, 0.5),
        white_matter=random.uniform(200, 900),
        axis_codes="".join(pair[random.integers(2)] for pair in axes),
        origin_mm=tuple(random.uniform(-25, 25, 3).tolist()),
    )


def simulate_head(
    labels: NDArray[np.int16],
    structures: Mapping[str, Sequence[int]],
    *,
    seed: int,
    lowest_mm: float = 0.0,
    points: int = 3,
) -> SimulatedHead:
    """Simulate one head.

    Parameters
    ----------
    labels : shape (X, Y, Z)
        Label map of 1 mm, axes right, anterior, superior.
    structures
        Name -> labels, at most 11 of them.
    seed
        Decides everything that is random.
    lowest_mm
        Height in the map (mm from its lowest plane) of the lowest part of the brain; below it a random length of neck
        is shown.
    points
        Points per axis at which each voxel looks up the map, at most 3: the finer, the finer its partial volume.

    Returns
    -------
    The scan, and the truth of the very points that the scan was made from.
    """
    if len(structures) >= MOST_STRUCTURES or points**3 >= 2**COUNT_BITS:
        message = f"{len(structures)} structures at {points} points: at most {MOST_STRUCTURES - 1} and 3 are possible."
        raise ValueError(message)
    random = np.random.default_rng(seed)
    scanner = draw_scanner(random)
    floor_mm = max(0.0, lowest_mm - scanner.neck_mm)
    centre = (np.array(labels.shape) - 1) / 2
    centre[2] = (floor_mm + labels.shape[2] - 1) / 2
    extent_mm = np.array([*labels.shape[:2], labels.shape[2] - floor_mm]) + 2 * AIR_MM
    shape = tuple(int(size) for size in np.ceil(extent_mm / scanner.voxel_mm))
    where, step = _positions(shape, centre, scanner, random)
    groups = {**structures, "mixed": MIXED_TISSUE}
    signal, counts = _sample(labels, where, step, (_signal_of_label(random), _packed(groups)), points)
    shares = {
        name: (((counts >> (COUNT_BITS * number)) & (2**COUNT_BITS - 1)) / points**3).astype(np.float32)
        for number, name in enumerate(groups)
    }
    # Fat and muscle differ, and share one label.
    signal *= 1 + 0.3 * shares.pop("mixed") * smooth_field(shape, 8 / float(np.mean(scanner.voxel_mm)), random)
    np.clip(signal, 0, None, out=signal)
    affine = np.diag([*scanner.voxel_mm, 1.0])
    affine[:3, 3] = np.array(scanner.origin_mm) - (np.array(shape) - 1) / 2 * scanner.voxel_mm
    scan = _scan(signal, scanner, random)
    return SimulatedHead(_orient(Nifti1Image(scan, affine), scanner.axis_codes), shares, affine)


def smooth_field(shape: Sequence[int], spacing: float, random: np.random.Generator) -> FloatArray:
    """Smooth noise of mean 0 and spread 1, shape `shape`: cubic B-splines on random nodes `spacing` voxels apart."""
    bases = []
    for size in shape:
        nodes = int(np.ceil(size / spacing)) + 3
        knots = np.arange(-3, nodes + 1, dtype=float)
        at = np.arange(size) / spacing
        bases.append(BSpline.design_matrix(at, knots, 3).toarray()[:, :nodes].astype(np.float32))
    field = random.standard_normal([basis.shape[1] for basis in bases]).astype(np.float32)
    for basis in bases:
        field = np.tensordot(field, basis, axes=(0, 1))
    return (field - field.mean()) / field.std()


def _positions(
    shape: tuple[int, ...], centre: NDArray[np.float64], scanner: Scanner, random: np.random.Generator
) -> tuple[list[FloatArray], NDArray[np.float64]]:
    """Where each voxel's centre lies in the label map, three arrays of `shape`, and the linear part of that."""
    voxel = np.array(scanner.voxel_mm)
    step = Rotation.from_euler("xyz", scanner.rotation_deg, degrees=True).as_matrix() @ np.diag(voxel)
    axes = np.meshgrid(*[np.arange(size) - (size - 1) / 2 for size in shape], indexing="ij", sparse=True)
    where = []
    for axis in range(3):
        place = sum(step[axis, other] * axes[other] for other in range(3)) + centre[axis]
        for spacing_mm, size_mm in ((40.0, random.uniform(0.5, 2.0)), (18.0, random.uniform(0.1, 0.5))):
            place = place + size_mm * smooth_field(shape, spacing_mm / float(voxel.mean()), random)
        where.append(place.astype(np.float32))
    return where, step


def _signal_of_label(random: np.random.Generator) -> FloatArray:
    """Mean signal of each label, white matter 1, shape (LARGEST_LABEL,); unknown labels are dark."""
    means = np.full(LARGEST_LABEL, 0.2, np.float32)
    means[0] = 0
    for group, (low, high) in SIGNAL.items():
        means[list(group)] = random.uniform(low, high)
    for group, (low, high) in ABOVE_CORTEX.items():
        means[list(group)] = means[3] + random.uniform(low, high)
    return means


def _packed(structures: Mapping[str, Sequence[int]]) -> NDArray[np.int64]:
    """One number per label: a one in the five bits of each structure that the label belongs to."""
    table = np.zeros(LARGEST_LABEL, np.int64)
    for number, group in enumerate(structures.values()):
        table[list(group)] += 1 << (COUNT_BITS * number)
    return table


def _sample(
    labels: NDArray[np.int16],
    where: Sequence[FloatArray],
    step: NDArray[np.float64],
    tables: tuple[FloatArray, NDArray[np.int64]],
    points: int,
) -> tuple[FloatArray, NDArray[np.int64]]:
    """Mean signal and packed counts of the points of each voxel, some planes at a time."""
    means, packed = tables
    padded = np.pad(labels, 1)  # what lies beyond the map is air
    inside = [(np.arange(points) + 0.5) / points - 0.5] * 3
    offsets = [step @ np.array(offset) for offset in itertools.product(*inside)]
    signal = np.zeros(where[0].shape, np.float32)
    counts = np.zeros(where[0].shape, np.int64)
    for start in range(0, len(signal), PLANES):
        planes = slice(start, start + PLANES)
        for offset in offsets:
            index = np.zeros(where[0][planes].shape, np.int64)
            for axis, size in enumerate(padded.shape):
                near = np.floor(where[axis][planes] + np.float32(offset[axis] + 1.5)).astype(np.int64)
                index = index * size + np.clip(near, 0, size - 1)
            found = padded.ravel()[index]
            signal[planes] += means[found]
            counts[planes] += packed[found]
    return signal / np.float32(len(offsets)), counts


def _scan(signal: FloatArray, scanner: Scanner, random: np.random.Generator) -> NDArray[np.int16]:
    """Add what the scanner makes of the signal: texture, shading, blur, Rician noise, whole numbers."""
    mean_voxel = float(np.mean(scanner.voxel_mm))
    image = signal * (1 + 0.02 * smooth_field(signal.shape, 12 / mean_voxel, random))
    image = image * np.exp(scanner.bias * smooth_field(signal.shape, 90 / mean_voxel, random))
    if scanner.blur_voxels > 0.2:
        image = ndimage.gaussian_filter(image, scanner.blur_voxels)
    real = image + scanner.noise * random.standard_normal(image.shape, dtype=np.float32)
    imaginary = scanner.noise * random.standard_normal(image.shape, dtype=np.float32)
    return np.rint(np.hypot(real, imaginary) * scanner.white_matter).clip(0, 32767).astype(np.int16)


def _orient(image: Nifti1Image, codes: str) -> Nifti1Image:
    """Give the axes of an image another order and direction."""
    wanted = nib.orientations.axcodes2ornt(tuple(codes))
    change = nib.orientations.ornt_transform(nib.io_orientation(image.affine), wanted)
    return image.as_reoriented(change)
