"""Faults of scans, laid over a real scan with a known strength, and images that are no scan of a brain at all.

Each fault takes a scan in closest canonical orientation (RAS+) and what morpho measured in it, gives a changed scan.
Where the background of a scan was set to zero it stays zero, as if the brain had been extracted after the fault.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from nibabel.affines import voxel_sizes
from nibabel.nifti1 import Nifti1Image
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation

FloatArray = NDArray[np.float32]
Mask = NDArray[np.bool_]

SIGMA_PER_FWHM = 1 / np.sqrt(8 * np.log(2))
MOTION_SEGMENTS = 8
WHITE, FLUID = 1.0, 0.25  # signal over that of white matter
FRUIT_MATRIX, FRUIT_MM = (176, 208, 208), 1.1
FRUIT_PARTS = 10


@dataclass(frozen=True)
class Anatomy:
    """What morpho measured in the scan before the fault, all on its grid, shape (X, Y, Z).

    `shading` is raw over corrected signal: the local raw signal of white matter. `hippocampus` is the left one.
    """

    brain: Mask
    hippocampus: Mask
    shading: FloatArray
    white_signal: float


@dataclass(frozen=True)
class Scan:
    """A raw scan, what morpho measured in it and where its background was set to zero."""

    image: Nifti1Image
    anatomy: Anatomy

    @property
    def values(self) -> FloatArray:
        """Raw signal, shape (X, Y, Z)."""
        return np.asarray(self.image.dataobj, dtype=np.float32)

    @property
    def voxel_mm(self) -> NDArray[np.float64]:
        """Edges of a voxel."""
        return np.asarray(voxel_sizes(self.image.affine))


Fault = Callable[[Scan, float, np.random.Generator], Nifti1Image]


def add_noise(scan: Scan, percent: float, random: np.random.Generator) -> Nifti1Image:
    """Rician noise with a standard deviation in percent of the signal of white matter."""
    sigma = percent / 100 * scan.anatomy.white_signal
    real = scan.values + sigma * random.standard_normal(scan.values.shape, dtype=np.float32)
    imaginary = sigma * random.standard_normal(scan.values.shape, dtype=np.float32)
    return _with_values(scan, np.hypot(real, imaginary))


def add_ghost(scan: Scan, percent: float, _: np.random.Generator) -> Nifti1Image:
    """Ghost of the whole image, moved by half the field of view from front to back, in percent of the signal."""
    ghost = np.roll(scan.values, scan.values.shape[1] // 2, axis=1)
    return _with_values(scan, scan.values + percent / 100 * ghost)


def add_motion(scan: Scan, size: float, random: np.random.Generator) -> Nifti1Image:
    """Motion between segments of k-space along front to back: translations (mm) and turns (degrees) of about a size.

    The middle segment, which holds the contrast, is where the head was at first.
    """
    values = scan.values
    n_lines = values.shape[1]
    segment = np.minimum(np.arange(n_lines) * MOTION_SEGMENTS // n_lines, MOTION_SEGMENTS - 1)
    mixed = np.zeros(values.shape, np.complex64)
    for number in range(MOTION_SEGMENTS):
        lines = np.fft.ifftshift(segment == number)[None, :, None]
        still = number in (MOTION_SEGMENTS // 2 - 1, MOTION_SEGMENTS // 2)
        moved = values if still else _moved(scan, size * random.uniform(-1, 1, (2, 3)))
        mixed += np.where(lines, np.fft.fft(moved, axis=1), 0).astype(np.complex64)
    return _with_values(scan, np.abs(np.fft.ifft(mixed, axis=1)))


def blur(scan: Scan, fwhm_mm: float, _: np.random.Generator) -> Nifti1Image:
    """Gaussian blur of a full width at half maximum in mm."""
    return _with_values(scan, ndimage.gaussian_filter(scan.values, fwhm_mm * SIGMA_PER_FWHM / scan.voxel_mm))


def add_shading(scan: Scan, percent: float, random: np.random.Generator) -> Nifti1Image:
    """Shading along an oblique direction and its square; the signal differs by so many percent over 100 mm."""
    axes = [(np.arange(size) - size / 2) * step for size, step in zip(scan.values.shape, scan.voxel_mm, strict=True)]
    direction = random.standard_normal(3) + np.array([0.0, 2.0, 2.0])
    direction /= np.linalg.norm(direction)
    along = sum(d * a for d, a in zip(direction, np.meshgrid(*axes, indexing="ij", sparse=True), strict=True)) / 100
    field = np.exp(np.log1p(percent / 100) * (along + along**2))
    return _with_values(scan, scan.values * field.astype(np.float32))


def cut_top(scan: Scan, depth_mm: float, _: np.random.Generator) -> Nifti1Image:
    """Field of view that ends so many mm below the top of the brain."""
    return _cut(scan, 2, depth_mm)


def cut_front(scan: Scan, depth_mm: float, _: np.random.Generator) -> Nifti1Image:
    """Field of view that ends so many mm behind the front of the brain."""
    return _cut(scan, 1, depth_mm)


def cut_side(scan: Scan, depth_mm: float, _: np.random.Generator) -> Nifti1Image:
    """Field of view that ends so many mm inside the right side of the brain."""
    return _cut(scan, 0, depth_mm)


def cut_half(scan: Scan, _: float, __: np.random.Generator) -> Nifti1Image:
    """Field of view that ends in the middle of the brain."""
    where = np.flatnonzero(scan.anatomy.brain.any(axis=(1, 2)))
    return _cut(scan, 0, float(where[-1] - where[0]) / 2 * float(scan.voxel_mm[0]))


def erase_to_fluid(scan: Scan, percent: float, random: np.random.Generator) -> Nifti1Image:
    """Left hippocampus whose hind part, so many percent of its volume, has the signal of fluid."""
    return _erase(scan, percent, FLUID, random)


def erase_to_white(scan: Scan, percent: float, random: np.random.Generator) -> Nifti1Image:
    """Left hippocampus whose hind part, so many percent of its volume, has the signal of white matter."""
    return _erase(scan, percent, WHITE, random)


def mirror(scan: Scan, _: float, __: np.random.Generator) -> Nifti1Image:
    """Left and right swapped: the voxels are mirrored, the header stays."""
    return Nifti1Image(scan.values[::-1].copy(), scan.image.affine)


def remove_hemisphere(scan: Scan, _: float, random: np.random.Generator) -> Nifti1Image:
    """Right hemisphere replaced: by nothing in an extracted brain, by fluid in a whole head."""
    where = np.flatnonzero(scan.anatomy.brain.any(axis=(1, 2)))
    right = scan.anatomy.brain.copy()
    right[: (where[0] + where[-1]) // 2] = False
    if (scan.values == 0).mean() > 0.5:
        return Nifti1Image(np.where(right, np.float32(0), scan.values), scan.image.affine)
    noise = 1 + 0.05 * random.standard_normal(scan.values.shape, dtype=np.float32)
    return Nifti1Image(np.where(right, FLUID * scan.anatomy.shading * noise, scan.values), scan.image.affine)


def turn_header(scan: Scan, degrees: float, _: np.random.Generator) -> Nifti1Image:
    """Header that says the head is turned by so many degrees about the axis from left to right (180: upside down)."""
    turn = np.eye(4)
    turn[:3, :3] = Rotation.from_euler("x", degrees, degrees=True).as_matrix()
    return Nifti1Image(scan.values, turn @ scan.image.affine)


def deface_into_brain(scan: Scan, depth_mm: float, _: np.random.Generator) -> Nifti1Image:
    """Face set to zero in front of an oblique plane that reaches so many mm into the frontal lobe."""
    steps = zip(scan.values.shape, scan.voxel_mm, strict=True)
    axes = np.meshgrid(*[np.arange(size) * step for size, step in steps], indexing="ij", sparse=True)
    forward = np.broadcast_to(axes[1] * np.cos(np.pi / 6) - axes[2] * np.sin(np.pi / 6), scan.values.shape)
    edge = float(forward[scan.anatomy.brain].max()) - depth_mm
    return Nifti1Image(np.where(forward > edge, np.float32(0), scan.values), scan.image.affine)


def scan_fruit(diameter_mm: float, random: np.random.Generator) -> Nifti1Image:
    """MR image of a citrus fruit: bright peel, dark pith, wedges of pulp parted by membranes, seeds, a core, noise."""
    steps = [(np.arange(size) - (size - 1) / 2) * FRUIT_MM for size in FRUIT_MATRIX]
    x, y, z = np.meshgrid(*steps, indexing="ij", sparse=True)
    radius = diameter_mm / 2 * np.array([0.97, 1.0, 0.93])
    bumps = 1 + 0.012 * _smooth_noise(FRUIT_MATRIX, 12, random)
    depth = np.sqrt((x / radius[0]) ** 2 + (y / radius[1]) ** 2 + (z / radius[2]) ** 2) * bumps
    wedge = (np.arctan2(y, x) / (2 * np.pi) * FRUIT_PARTS + 0.15 * _smooth_noise(FRUIT_MATRIX, 30, random)) % 1
    wall = np.minimum(wedge, 1 - wedge) * 2 * np.pi * np.hypot(x, y) / FRUIT_PARTS
    pulp = 0.62 + 0.10 * _smooth_noise(FRUIT_MATRIX, 2.5, random) + 0.05 * _smooth_noise(FRUIT_MATRIX, 8, random)
    signal = np.where(wall < 1.2, 0.35, pulp)
    signal[(depth < 0.08) | (depth > 0.88)] = 0.28
    signal[depth > 0.95] = 0.95
    for angle in np.arange(FRUIT_PARTS) + 0.5:
        turn = 2 * np.pi * angle / FRUIT_PARTS
        place = 0.25 * diameter_mm / 2 * np.array([np.cos(turn), np.sin(turn), random.uniform(-0.5, 0.5)])
        seed = ((x - place[0]) / 3) ** 2 + ((y - place[1]) / 3) ** 2 + ((z - place[2]) / 6) ** 2
        signal[seed < 1] = 0.12
    signal = np.where(depth > 1, 0, signal) * np.exp(0.15 * _smooth_noise(FRUIT_MATRIX, 60, random))
    signal = ndimage.gaussian_filter(signal.astype(np.float32), 0.5)
    noise = 0.02 * random.standard_normal((2, *FRUIT_MATRIX), dtype=np.float32)
    return Nifti1Image((800 * np.hypot(signal + noise[0], noise[1])).astype(np.float32), _centred_affine())


def scan_nothing(_: float, __: np.random.Generator) -> Nifti1Image:
    """Image that is zero throughout."""
    return Nifti1Image(np.zeros(FRUIT_MATRIX, np.float32), _centred_affine())


def scan_noise(sigma: float, random: np.random.Generator) -> Nifti1Image:
    """Magnitudes of pure noise of a standard deviation."""
    noise = sigma * random.standard_normal((2, *FRUIT_MATRIX), dtype=np.float32)
    return Nifti1Image(np.hypot(*noise), _centred_affine())


def _with_values(scan: Scan, values: NDArray[np.floating]) -> Nifti1Image:
    """Scan with other values; where it was zero in blocks (extracted, defaced) it stays zero."""
    block = np.ones((3, 3, 3), bool)
    zero = ndimage.binary_dilation(ndimage.binary_erosion(scan.values == 0, block, border_value=1), block)
    return Nifti1Image(np.where(zero & (scan.values == 0), 0, values).astype(np.float32), scan.image.affine)


def _moved(scan: Scan, pose: NDArray[np.float64]) -> FloatArray:
    """Values of a scan whose head was moved by (mm) and turned by (degrees) a pose of shape (2, 3)."""
    scale = np.diag(scan.voxel_mm)
    turn = np.linalg.inv(scale) @ Rotation.from_euler("xyz", pose[1], degrees=True).as_matrix() @ scale
    centre = np.argwhere(scan.anatomy.brain).mean(axis=0)
    offset = centre - turn @ centre + pose[0] / scan.voxel_mm
    return np.asarray(ndimage.affine_transform(scan.values, turn, offset, order=1))


def _cut(scan: Scan, axis: int, depth_mm: float) -> Nifti1Image:
    """Scan without the voxels beyond so many mm inside the brain, from the upper end of an axis."""
    others = tuple(other for other in range(3) if other != axis)
    last = int(np.flatnonzero(scan.anatomy.brain.any(axis=others))[-1])
    box = [slice(None)] * 3
    box[axis] = slice(0, last + 1 - round(depth_mm / float(scan.voxel_mm[axis])))
    return scan.image.slicer[tuple(box)]


def _erase(scan: Scan, percent: float, signal: float, random: np.random.Generator) -> Nifti1Image:
    """Scan whose left hippocampus has, in its hind part, another signal, with the local shading and a little noise."""
    where = np.argwhere(scan.anatomy.hippocampus)
    place = where @ np.array([0.0, scan.voxel_mm[1], 0.0])
    gone = np.zeros(scan.values.shape, np.float32)
    gone[tuple(where[place <= np.percentile(place, percent)].T)] = 1
    gone = ndimage.gaussian_filter(ndimage.binary_dilation(gone > 0).astype(np.float32), 0.5)
    noise = 1 + 0.04 * random.standard_normal(scan.values.shape, dtype=np.float32)
    filled = (1 - gone) * scan.values + gone * signal * scan.anatomy.shading * noise
    return Nifti1Image(filled.astype(np.float32), scan.image.affine)


def _smooth_noise(shape: tuple[int, ...], sigma: float, random: np.random.Generator) -> FloatArray:
    """Gaussian noise of mean 0 and spread 1, smoothed by `sigma` voxels; wide ones are drawn on a coarser grid."""
    step = max(1, int(sigma / 3))
    coarse = random.standard_normal([size // step + 2 for size in shape], dtype=np.float32)
    smooth = ndimage.gaussian_filter(coarse, sigma / step, mode="wrap")
    fine = ndimage.zoom(smooth, step, order=1)[: shape[0], : shape[1], : shape[2]] if step > 1 else smooth
    fine = fine[: shape[0], : shape[1], : shape[2]]
    return np.asarray((fine - fine.mean()) / fine.std())


def _centred_affine() -> NDArray[np.float64]:
    """Affine of the made-up images: RAS+, the middle at the origin."""
    affine = np.diag([FRUIT_MM, FRUIT_MM, FRUIT_MM, 1.0])
    affine[:3, 3] = -(np.array(FRUIT_MATRIX) - 1) / 2 * FRUIT_MM
    return affine


@dataclass(frozen=True)
class Planned:
    """A fault, its strengths (one where it has no degrees) and the codes by which quality control should name it."""

    make: Fault
    strengths: tuple[float, ...]
    names: frozenset[str]


CUT = frozenset({"brain_cut_by_field_of_view", "brain_touches_field_of_view"})
ERASED = frozenset({"structure_partly_missing", "asymmetric_hippocampus", "implausible_region_volume"})
NO_BRAIN = frozenset({"not_a_brain"})

FAULTS: dict[str, Planned] = {
    "noise_percent": Planned(add_noise, (5, 10, 20), frozenset({"noisy"})),
    "ghost_percent": Planned(add_ghost, (5, 10, 20), frozenset({"ghosting"})),
    "motion_mm_and_degrees": Planned(add_motion, (1, 2, 4), frozenset({"ghosting", "blurred"})),
    "blur_fwhm_mm": Planned(blur, (1.5, 2.5, 4), frozenset({"blurred"})),
    "shading_percent": Planned(add_shading, (50, 100, 200), frozenset({"strong_shading"})),
    "cut_top_mm": Planned(cut_top, (5, 15, 30), CUT),
    "cut_front_mm": Planned(cut_front, (5, 15, 30), CUT),
    "cut_side_mm": Planned(cut_side, (5, 15, 30), CUT),
    "cut_half": Planned(cut_half, (1,), CUT),
    "hippocampus_fluid_percent": Planned(erase_to_fluid, (25, 50, 75), ERASED),
    "hippocampus_white_percent": Planned(erase_to_white, (25, 50, 75), ERASED),
    "mirrored": Planned(mirror, (1,), frozenset({"left_right_flipped"})),
    "hemisphere_missing": Planned(remove_hemisphere, (1,), frozenset({"missing_hemisphere"})),
    "header_turned_degrees": Planned(turn_header, (60, 90, 180), frozenset({"orientation_uncertain"})),
    "defaced_into_brain_mm": Planned(deface_into_brain, (5, 10, 20), frozenset({"face_cut_into_brain"})),
}
# Images that owe nothing to a scan.
NO_SCANS: dict[str, Planned] = {
    "fruit_diameter_mm": Planned(lambda _, size, random: scan_fruit(size, random), (85, 135, 160), NO_BRAIN),
    "empty": Planned(lambda _, size, random: scan_nothing(size, random), (0,), frozenset({"empty_image"})),
    "only_noise_sd": Planned(lambda _, size, random: scan_noise(size, random), (10, 50, 200), NO_BRAIN),
}
