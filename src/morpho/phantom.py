"""Synthetic heads with known volumes, for the demo and for tests.

A head is made from the template's tissue maps: the hippocampi are shrunk by a known share, the whole is deformed
smoothly and sampled on a scanner's grid, and signal, shading and noise are laid over it. Its true volumes are summed
from the maps before any signal exists, so they owe nothing to the code that measures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import nibabel as nib
import numpy as np
from nibabel.affines import apply_affine
from nibabel.nifti1 import Nifti1Image
from numpy.typing import NDArray
from scipy import ndimage
from scipy.optimize import brentq
from scipy.spatial.transform import Rotation

from morpho.errors import ConfigError
from morpho.images import FloatArray
from morpho.phantom_maps import HeadMaps

Array = NDArray[np.float64]

# Signal of each tissue relative to white matter, as a T1-weighted gradient echo at 3 T shows them.
SIGNAL = {"csf": 0.22, "grey_matter": 0.62, "white_matter": 1.0, "skull": 0.06, "scalp": 0.85}
FINEST_SAMPLE_MM = 2.0
WARP_GRID_MM = 16.0
WARP_SMOOTHNESS_MM = 24.0
HALF = 0.5
SMALLEST_HIPPOCAMPUS = 0.3
SHELL_WIDTH_MM = 0.35


@dataclass(frozen=True)
class Person:
    """Anatomy of one synthetic person.

    `hippocampus_scale` is the share of the template's hippocampal grey matter that is left (at most 1); `head_scale`
    the linear size against the template; `warp_mm` the standard deviation of the smooth individual deformation.
    """

    hippocampus_scale: float = 1.0
    head_scale: float = 0.93
    rotation_degrees: tuple[float, float, float] = (0.0, 0.0, 0.0)
    warp_mm: float = 1.5
    seed: int = 0


@dataclass(frozen=True)
class Scanner:
    """How a synthetic head is scanned: voxel edges, axis codes, signal of white matter, shading, noise and its seed."""

    voxel_size_mm: tuple[float, float, float] = (2.0, 2.0, 2.0)
    axis_codes: str = "RAS"
    white_matter_signal: float = 600.0
    shading: float = 0.25
    noise: float = 0.03
    whole_head: bool = True
    seed: int = 0


@dataclass(frozen=True)
class Phantom:
    """A synthetic scan (raw signal, int16) with its true volumes in mm3 by (roi label name, hemisphere)."""

    t1w: Nifti1Image
    volumes_mm3: Mapping[tuple[str, str], float] = field(default_factory=dict)
    tiv_mm3: float = 0.0


def simulate_head(maps: HeadMaps, person: Person, scanner: Scanner, regions: Sequence[str]) -> Phantom:
    """Scan a synthetic person.

    Parameters
    ----------
    maps
        As made by `prepare_head_maps`.
    person
        Anatomy.
    scanner
        Grid, signal and noise.
    regions
        Names of atlas labels whose true volumes are wanted, both sides.

    Returns
    -------
    Scan in raw signal units (int16, sform and qform set) and the true grey-matter volume of each region: the sum of
    the sampled grey-matter map inside the region's sampled labels.

    Raises
    ------
    ConfigError
        If the hippocampus is to be larger than the template's.
    """
    rng = np.random.default_rng(person.seed)
    tissue_maps = _shrink_hippocampi(maps, person.hippocampus_scale)
    shape, affine = _scanner_grid(maps, person, scanner)
    factors = [max(1, int(np.ceil(size / FINEST_SAMPLE_MM - 0.01))) for size in scanner.voxel_size_mm]
    points = _template_points(maps, person, shape, affine, factors, rng)

    def sample(data: FloatArray) -> Array:
        fine = ndimage.map_coordinates(data, points, order=1, output=np.float32)
        blocks = fine.reshape([count for pair in zip(shape, factors, strict=True) for count in pair])
        return np.asarray(blocks.mean(axis=(1, 3, 5)), dtype=float)

    tissue = {name: sample(data) for name, data in tissue_maps.items()}
    brain = sample(maps.brain_mask) > HALF
    if scanner.whole_head:
        tissue |= {"skull": sample(maps.skull), "scalp": sample(maps.scalp)}
    else:
        tissue = {name: share * brain for name, share in tissue.items()}
    signal = np.asarray(sum(SIGNAL[name] * share for name, share in tissue.items()))
    voxel_mm3 = abs(float(np.linalg.det(affine[:3, :3])))
    truth = {
        (name, side): float(sample(tissue_maps["grey_matter"] * (maps.labels == index)).sum()) * voxel_mm3
        for (name, side), index in maps.label_of.items()
        if name in regions
    }
    image = nib.Nifti1Image(_add_scanner(signal, scanner), affine)
    image.set_qform(affine, code=1)
    image.set_sform(affine, code=1)
    return Phantom(image, truth, float(sample(maps.inside_skull).sum()) * voxel_mm3)


def _shrink_hippocampi(maps: HeadMaps, scale: float) -> dict[str, FloatArray]:
    """Tissue maps after the outer shell of both hippocampi has become the white matter or fluid next to it.

    The depth of the shell is the one that leaves `scale` of the hippocampal grey matter.
    """
    if not SMALLEST_HIPPOCAMPUS <= scale <= 1.0:
        message = f"hippocampus_scale is {scale:.3f}; phantoms can have {SMALLEST_HIPPOCAMPUS} to 1 of the template's."
        raise ConfigError(message)
    inside = maps.depth_mm > 0
    depth, grey = maps.depth_mm[inside].astype(float), maps.grey_matter[inside].astype(float)

    def kept(shell_mm: float) -> Array:
        return np.asarray(1 / (1 + np.exp(-(depth - HALF - shell_mm) / SHELL_WIDTH_MM)))

    def missing(shell_mm: float) -> float:
        return float((grey * kept(shell_mm)).sum() / grey.sum()) - scale

    lost = grey * (1 - kept(brentq(missing, -8, 8))) if scale < 1.0 else np.zeros_like(grey)
    tissue = {"grey_matter": maps.grey_matter.copy(), "white_matter": maps.white_matter.copy(), "csf": maps.csf.copy()}
    tissue["grey_matter"][inside] -= lost
    tissue["white_matter"][inside] += lost * maps.neighbour_white
    tissue["csf"][inside] += lost * (1 - maps.neighbour_white)
    return tissue


def _scanner_grid(maps: HeadMaps, person: Person, scanner: Scanner) -> tuple[tuple[int, ...], Array]:
    """Shape and affine of a scanner grid around the head, with the asked-for axes."""
    extent_mm = person.head_scale * np.array(maps.labels.shape, dtype=float) + 8
    ornt = nib.orientations.axcodes2ornt(scanner.axis_codes)
    axes = np.zeros((3, 3))
    for voxel_axis, (world_axis, flip) in enumerate(ornt):
        axes[int(world_axis), voxel_axis] = flip
    sizes = np.array(scanner.voxel_size_mm)
    shape = tuple(np.ceil((np.abs(axes).T @ extent_mm) / sizes).astype(int).tolist())
    affine = np.eye(4)
    affine[:3, :3] = axes * sizes
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return shape, affine


def _template_points(
    maps: HeadMaps,
    person: Person,
    shape: tuple[int, ...],
    affine: Array,
    factors: Sequence[int],
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Where in the maps (voxels) each sample of the scan lies, shape (3, samples); `factors` samples per voxel edge."""
    axes = [(np.arange(size * factor) + 0.5) / factor - 0.5 for size, factor in zip(shape, factors, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    rotation = Rotation.from_euler("xyz", person.rotation_degrees, degrees=True).as_matrix()
    centre = apply_affine(maps.affine, (np.array(maps.labels.shape) - 1) / 2)
    template = (apply_affine(affine, grid) @ rotation) / person.head_scale + centre
    voxels: NDArray[np.float32] = apply_affine(np.linalg.inv(maps.affine), template).T.astype(np.float32)
    return voxels + _smooth_displacement(maps, person, voxels, rng)


def _smooth_displacement(
    maps: HeadMaps, person: Person, voxels: NDArray[np.float32], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Smooth random displacement (voxels of the maps) at points, shape (3, number of points)."""
    knots = [int(np.ceil(size / WARP_GRID_MM)) + 3 for size in maps.labels.shape]
    displacement = np.empty_like(voxels)
    for axis in range(3):
        noise = ndimage.gaussian_filter(rng.standard_normal(knots), WARP_SMOOTHNESS_MM / WARP_GRID_MM, mode="wrap")
        noise *= person.warp_mm / noise.std()
        displacement[axis] = ndimage.map_coordinates(noise, voxels / WARP_GRID_MM + 1, order=3, mode="nearest")
    return displacement


def _add_scanner(signal: Array, scanner: Scanner) -> NDArray[np.int16]:
    """Scanner units: shading, Rician noise (whole heads; extracted scans keep their empty background), int16."""
    rng = np.random.default_rng(scanner.seed)
    knots = ndimage.gaussian_filter(rng.standard_normal((6, 6, 6)), 1.2)
    knots *= scanner.shading / 2 / np.abs(knots).max()
    zoomed = ndimage.zoom(knots, np.array(signal.shape) / 6, order=3)
    shaded = signal * (1 + zoomed)
    noisy = np.hypot(shaded + rng.normal(0, scanner.noise, signal.shape), rng.normal(0, scanner.noise, signal.shape))
    if not scanner.whole_head:
        noisy = np.where(signal > 0, noisy, 0)
    return np.rint(noisy * scanner.white_matter_signal).astype(np.int16)
