"""The maps in template space that synthetic heads are sampled from: tissue, coverings of the brain, hippocampi."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from nibabel.nifti1 import Nifti1Image
from numpy.typing import NDArray
from scipy import ndimage

from morpho.atlas import Atlas, Template
from morpho.errors import ConfigError
from morpho.images import FloatArray, array_of, bounding_box, labels_of

Array = NDArray[np.float64]

# Thickness of the coverings of the brain, in mm from the brain's surface outwards.
SKULL_FROM_MM, SCALP_FROM_MM, SCALP_TO_MM = 2.0, 7.0, 13.0
SHELL_SOFTNESS_MM = 0.5
# Smoothing of the maps, so that a 2 mm voxel sampled at its centre holds about the average over its extent.
SAMPLING_SIGMA_MM = 0.6
HIPPOCAMPUS_LABEL = "hippocampus"
MOSTLY_NOT_GREY = 0.7


@dataclass(frozen=True)
class HeadMaps:
    """Maps in template space from which heads are sampled, all on one grid of shape (X, Y, Z) at `affine`.

    `depth_mm` is the distance of hippocampal voxels from the border of their hippocampus, 0 elsewhere; `inside_skull`
    the brain with the fluid around it; `neighbour_white` (one value per hippocampal voxel) how much of the nearest
    tissue that is not grey is white matter rather than fluid. Tissue maps are smoothed to what a 2 mm voxel sees.
    """

    affine: Array
    grey_matter: FloatArray
    white_matter: FloatArray
    csf: FloatArray
    skull: FloatArray
    scalp: FloatArray
    brain_mask: FloatArray
    inside_skull: FloatArray
    labels: NDArray[np.int32]
    label_of: Mapping[tuple[str, str], int]
    depth_mm: FloatArray
    neighbour_white: FloatArray


def prepare_head_maps(template: Template, atlas: Atlas) -> HeadMaps:
    """Lay out the maps that all heads are sampled from.

    Parameters
    ----------
    template
        Tissue maps and brain mask, template space.
    atlas
        Atlas with a label "hippocampus" on both sides, template space.

    Returns
    -------
    Maps on the template's grid, widened by the coverings of the brain.

    Raises
    ------
    ConfigError
        If the atlas has no hippocampus on both sides.
    """
    table = atlas.labels[["name", "hemisphere", "index"]]
    found = table[table["name"] == HIPPOCAMPUS_LABEL].set_index("hemisphere")["index"]
    if not {"L", "R"} <= set(found.index):
        message = f"The atlas '{atlas.name}' has no label '{HIPPOCAMPUS_LABEL}' on both sides; phantoms need it."
        raise ConfigError(message)
    margin = int(SCALP_TO_MM) + 4
    widen = [(margin, margin)] * 3
    affine = template.t1w.affine.copy()
    affine[:3, 3] -= affine[:3, :3] @ np.full(3, margin)
    mask = np.pad(array_of(template.brain_mask), widen)
    labels = _labels_on_grid(atlas.image, affine, mask.shape)
    outside_mm = ndimage.distance_transform_edt(mask == 0)
    depth_mm = _hippocampal_depth_mm(labels, [int(found["L"]), int(found["R"])])
    maps = {
        "grey_matter": _smooth(np.pad(array_of(template.grey_matter), widen)),
        "white_matter": _smooth(np.pad(array_of(template.white_matter), widen)),
        "csf": _smooth(np.pad(array_of(template.csf), widen) + _shell(outside_mm, 0.0, SKULL_FROM_MM)),
    }
    return HeadMaps(
        affine=affine,
        **maps,
        skull=_shell(outside_mm, SKULL_FROM_MM, SCALP_FROM_MM),
        scalp=_shell(outside_mm, SCALP_FROM_MM, SCALP_TO_MM),
        brain_mask=mask.astype(np.float32),
        inside_skull=(outside_mm < SKULL_FROM_MM).astype(np.float32),
        labels=labels,
        label_of={(str(row["name"]), str(row["hemisphere"])): int(row["index"]) for row in table.to_dict("records")},
        depth_mm=depth_mm,
        neighbour_white=_neighbour_white(maps, depth_mm > 0),
    )


def _shell(outside_mm: Array, start_mm: float, end_mm: float) -> FloatArray:
    """Soft layer between two distances from the brain, 0 to 1; exactly zero inside the brain."""
    rise = np.clip((outside_mm - start_mm) / SHELL_SOFTNESS_MM, 0, 1)
    fall = np.clip((end_mm - outside_mm) / SHELL_SOFTNESS_MM, 0, 1)
    return np.asarray(np.where(outside_mm > 0, rise * fall, 0), dtype=np.float32)


def _smooth(data: FloatArray) -> FloatArray:
    """Map as a 2 mm voxel sees it."""
    return np.asarray(ndimage.gaussian_filter(data, SAMPLING_SIGMA_MM, truncate=3), dtype=np.float32)


def _hippocampal_depth_mm(labels: NDArray[np.int32], hippocampi: Sequence[int]) -> FloatArray:
    """Distance of each hippocampal voxel from the border of its hippocampus, 0 elsewhere (mm)."""
    depth = np.zeros(labels.shape, dtype=np.float32)
    for label in hippocampi:
        box = bounding_box(labels == label, np.array([2, 2, 2]))
        depth[box] += ndimage.distance_transform_edt(labels[box] == label)
    return depth


def _neighbour_white(maps: Mapping[str, FloatArray], hippocampus: NDArray[np.bool_]) -> FloatArray:
    """Share of white matter in the nearest tissue that is not grey, of each hippocampal voxel."""
    box = bounding_box(hippocampus, np.array([12, 12, 12]))
    white, csf, inside = maps["white_matter"][box], maps["csf"][box], hippocampus[box]
    source = ~inside & (white + csf > MOSTLY_NOT_GREY)
    _, nearest = ndimage.distance_transform_edt(~source, return_indices=True)
    share = white / np.maximum(white + csf, 1e-6)
    return np.asarray(share[tuple(nearest)][inside], dtype=np.float32)


def _labels_on_grid(image: Nifti1Image, affine: Array, shape: tuple[int, ...]) -> NDArray[np.int32]:
    """Labels at the voxel centres of another grid, nearest neighbour."""
    to_atlas = np.linalg.inv(image.affine) @ affine
    return np.asarray(
        ndimage.affine_transform(labels_of(image), to_atlas[:3, :3], to_atlas[:3, 3], output_shape=shape, order=0)
    )
