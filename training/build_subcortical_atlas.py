"""Build the subcortical atlas: the share of hippocampus, amygdala and deep grey matter at each place of the template.

    python training/build_subcortical_atlas.py LABEL_MAPS --out src/morpho/weights

From each label map that is not held out a noise-free T1w-like brain is made and aligned with the template. The map's
labels are carried along; the mean of all carried labels and of their mirrors is the atlas. At the end each map is
compared with the atlas of the others (leave-one-out Dice).
"""

from __future__ import annotations

import os

os.environ["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] = "1"  # read at import; more threads would sum in any order

import argparse
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ants
import label_maps as lm
import nibabel as nib
import numpy as np
from nibabel.nifti1 import Nifti1Image
from numpy.typing import NDArray
from scipy import ndimage

from morpho.atlas import TEMPLATE_SPACE, Template, file_sha256, load_template
from morpho.images import array_of, bounding_box, mask_of, save_image
from morpho.itk import scratch_folder, to_ants

FloatArray = NDArray[np.float32]

FILE_NAME = "subcortical_atlas"
SEED = 20261122
# Maps of the atlas in their order, and the labels that each gathers.
STRUCTURES = {
    "hippocampus_L": lm.HIPPOCAMPUS[:1],
    "hippocampus_R": lm.HIPPOCAMPUS[1:],
    "amygdala_L": lm.AMYGDALA[:1],
    "amygdala_R": lm.AMYGDALA[1:],
    "deep_grey_matter": lm.DEEP_GREY_MATTER,
}
OTHER_SIDE = (1, 0, 3, 2, 4)  # the map that each map is the mirror of
# A structure smaller than this share of its other side is a failed label rather than anatomy, and is not averaged.
SMALLEST_SHARE_OF_OTHER_SIDE = 0.5

# Signal of each label in a T1w scan, white matter being 1; of labels named twice the later counts.
SIGNAL = {
    lm.CORTEX: 0.70, lm.HIPPOCAMPUS: 0.74, lm.AMYGDALA: 0.74, (10, 49): 0.87, (11, 50): 0.76, (12, 51): 0.80,
    (13, 52): 0.93, (26, 58): 0.76, lm.FLUID: 0.25, (16,): 0.93, (28, 60): 0.90, (8, 47): 0.68, (7, 46): 0.98,
    lm.WHITE_MATTER: 1.0, (25, 57, 30, 62): 0.80,
}  # fmt: skip
# Share of white matter that the template's map has where a label lies.
WHITE_SHARE = {
    lm.WHITE_MATTER: 1.0, (7, 46): 1.0, lm.BRAIN_STEM: 1.0, (13, 52): 0.8, (10, 49): 0.5,
}  # fmt: skip
OUTSIDE_BRAIN = 500  # larger labels lie outside the skull's inside
SIGNAL_BLUR_MM, SHARE_BLUR_MM, TEMPLATE_BLUR_MM = 0.6, 1.0, 0.5

GRID_MM = 2.0
MARGIN_VOXELS = 10  # air around the brain, so that it does not touch the edge of the grid
# The part of the template that is deformed and averaged: 2 cm and more around what the atlas shows. It saves 3/5 of
# the time that the whole brain takes.
BOX_MM = ((-80, 80), (-80, 55), (-62, 45))
AFFINE_ITERATIONS = (1000, 500, 250, 0)
DEFORMABLE_ITERATIONS = (100, 70, 20)
EDGE_VOXELS = np.full(3, 2)  # kept around the atlas when it is cropped

SOURCE = {
    "what": "training label maps of SynthSeg, FreeSurfer's definitions",
    "reference": "Billot B et al. SynthSeg: segmentation of brain MRI scans of any contrast and resolution without "
    "retraining. Med Image Anal 2023. doi 10.1016/j.media.2023.102789",
    "licence": "Apache-2.0",
}


@dataclass(frozen=True)
class Channels:
    """What is aligned, as images of ANTs on the coarse grid: signal of a T1w scan, share of white matter."""

    t1w: Any
    white_matter: Any


# --- what is aligned ----------------------------------------------------------------------------------------------


def label_table(values: dict[tuple[int, ...], float]) -> FloatArray:
    """Value of each label, 0 for labels that are not named."""
    table = np.zeros(lm.LARGEST_LABEL + 1, np.float32)
    for labels, value in values.items():
        table[list(labels)] = value
    return table


def read_brain(file: Path) -> Nifti1Image:
    """Labels inside the skull, shape (X, Y, Z), 1 mm, RAS+, with air around them."""
    labels = lm.read_labels(file)
    inside = (labels > 0) & (labels < OUTSIDE_BRAIN)
    box = bounding_box(inside, np.zeros(3, int))
    return nib.Nifti1Image(np.pad(np.where(inside, labels, 0)[box], MARGIN_VOXELS), np.eye(4))


def map_channels(labels: Nifti1Image) -> Channels:
    """T1w-like signal and white matter of a label map without noise."""
    data = np.asanyarray(labels.dataobj)
    images = [
        coarse(nib.Nifti1Image(ndimage.gaussian_filter(label_table(values)[data], blur_mm), labels.affine))
        for values, blur_mm in ((SIGNAL, SIGNAL_BLUR_MM), (WHITE_SHARE, SHARE_BLUR_MM))
    ]
    return Channels(*images)


def template_part(template: Template) -> tuple[slice, ...]:
    """Voxels of the template inside `BOX_MM`."""
    first = template.t1w.affine[:3, 3]
    return tuple(slice(int(low - x), int(high - x) + 1) for (low, high), x in zip(BOX_MM, first, strict=True))


def template_channels(template: Template) -> tuple[Channels, Channels]:
    """Whole template, cropped to the brain, and its part inside `BOX_MM`."""
    brain = bounding_box(mask_of(template.brain_mask), np.full(3, MARGIN_VOXELS))
    part = template_part(template)
    blurred = [
        nib.Nifti1Image(ndimage.gaussian_filter(array_of(image), blur_mm), image.affine)
        for image, blur_mm in ((template.t1w, TEMPLATE_BLUR_MM), (template.white_matter, SHARE_BLUR_MM))
    ]
    whole, inside = (Channels(*(coarse(image.slicer[box]) for image in blurred)) for box in (brain, part))
    return whole, inside


def coarse(image: Nifti1Image) -> Any:
    """Image of ANTs on a grid of `GRID_MM`."""
    return ants.resample_image(to_ants(image), (GRID_MM,) * 3, use_voxels=False, interp_type=0)


# --- alignment ----------------------------------------------------------------------------------------------------


def align(whole: Channels, part: Channels, moving: Channels, folder: str) -> list[str]:
    """Files of the transforms that carry a label map to the template: affine of all of it, deformable of the part."""
    # As in the pipeline: with on=True antspyx would refuse transforms that, on one thread, are reproducible.
    ants.config.set_ants_deterministic(on=False, seed_value=SEED)
    affine = ants.registration(
        whole.t1w, moving.t1w, type_of_transform="Affine", aff_iterations=AFFINE_ITERATIONS, outprefix=f"{folder}/a",
    )  # fmt: skip
    deformed = ants.registration(
        part.t1w, moving.t1w, type_of_transform="SyNOnly", initial_transform=affine["fwdtransforms"][0],
        reg_iterations=DEFORMABLE_ITERATIONS, syn_metric="mattes", outprefix=f"{folder}/s",
        multivariate_extras=[["MeanSquares", part.white_matter, moving.white_matter, 1, 0]],
    )  # fmt: skip
    return list(deformed["fwdtransforms"])


def carry(labels: Nifti1Image, transforms: list[str], grid: Any) -> FloatArray:
    """Share of each structure in each voxel of the template's part, shape (structures, X, Y, Z)."""
    data = np.asanyarray(labels.dataobj)
    shares = []
    for members in STRUCTURES.values():
        indicator = to_ants(nib.Nifti1Image(np.isin(data, members).astype(np.float32), labels.affine))
        shares.append(ants.apply_transforms(grid, indicator, transforms, interpolator="linear").numpy())
    return np.stack(shares)


def failed_structures(labels: Nifti1Image) -> list[str]:
    """Structures of a label map that are too small beside their other side to be anatomy."""
    data = np.asanyarray(labels.dataobj)
    n_voxels = [int(np.isin(data, members).sum()) for members in STRUCTURES.values()]
    return [
        name
        for name, own, other in zip(STRUCTURES, n_voxels, OTHER_SIDE, strict=True)
        if own < SMALLEST_SHARE_OF_OTHER_SIDE * n_voxels[other]
    ]


def carry_all(files: list[Path], template: Template) -> tuple[FloatArray, Nifti1Image, dict[str, list[str]]]:
    """Carry the structures of all label maps to the template; a line of progress for each.

    Returns
    -------
    carried : shape (maps, structures, X, Y, Z)
        Shares in the template's part; not a number where a label failed.
    grid
        Image with the grid of the part, 1 mm.
    failed
        File name of a map -> structures that failed in it.
    """
    whole, part = template_channels(template)
    grid = template.t1w.slicer[template_part(template)]
    carried, failed = [], {}
    for file in files:
        began = time.process_time()
        labels = read_brain(file)
        with scratch_folder() as folder:
            shares = carry(labels, align(whole, part, map_channels(labels), folder), to_ants(grid))
        volumes = " ".join(f"{name}={share.sum() / 1000:.2f}" for name, share in zip(STRUCTURES, shares, strict=True))
        names = failed_structures(labels)
        if names:
            failed[file.name] = names
            shares[[list(STRUCTURES).index(name) for name in names]] = np.nan
        left_out = f" left out: {', '.join(names)}" if names else ""
        seconds = time.process_time() - began
        print(f"{file.name} {seconds:.0f} s, ml in the template: {volumes}{left_out}", flush=True)  # noqa: T201
        carried.append(shares)
    return np.stack(carried), grid, failed


# --- the atlas ----------------------------------------------------------------------------------------------------


def mean_of_both_sides(carried: FloatArray) -> FloatArray:
    """Mean over maps, and their mirrors, of shares of shape (maps, structures, X, Y, Z); x = 0 is the middle of X."""
    total = np.nansum(carried, axis=0)
    n_maps = (~np.isnan(carried[:, :, 0, 0, 0])).sum(axis=0)
    n_both = (n_maps + n_maps[list(OTHER_SIDE)]).reshape(-1, 1, 1, 1)
    return np.asarray((total + total[list(OTHER_SIDE), ::-1]) / n_both, np.float32)


def leave_one_out_dice(carried: FloatArray) -> FloatArray:
    """Dice of each map's structures with the atlas of the other maps, both cut at .5; shape (maps, structures)."""
    dice = np.full(carried.shape[:2], np.nan, np.float32)
    for number, shares in enumerate(carried):
        atlas = mean_of_both_sides(np.delete(carried, number, axis=0)) > 0.5
        for structure, (share, expected) in enumerate(zip(shares, atlas, strict=True)):
            if not np.isnan(share).any():
                own = share > 0.5
                dice[number, structure] = 2 * (own & expected).sum() / (own.sum() + expected.sum())
    return dice


def in_steps(shares: FloatArray) -> FloatArray:
    """Shares of shape (structures, X, Y, Z) in steps of 1/255 that never sum above 1 and stay symmetric."""
    steps = np.rint(shares * 255)
    excess = np.maximum(steps.sum(axis=0) - 255, 0)
    largest = steps.argmax(axis=0)[None]
    np.put_along_axis(steps, largest, np.take_along_axis(steps, largest, axis=0) - excess, axis=0)
    return (steps / 255).astype(np.float32)


def write_atlas(shares: FloatArray, grid: Nifti1Image, description: dict[str, Any], out: Path) -> None:
    """Write the atlas, cropped, shape (X, Y, Z, structures), and what it is."""
    image = nib.Nifti1Image(np.moveaxis(in_steps(shares), 0, -1), grid.affine)
    box = bounding_box(np.asanyarray(image.dataobj).max(axis=-1) > 0, EDGE_VOXELS)
    file = out / f"{FILE_NAME}.nii.gz"
    cropped = image.slicer[box]
    save_image(cropped, file, kind="probability")
    totals_mm3 = np.asanyarray(cropped.dataobj).sum(axis=(0, 1, 2), dtype=np.float64)
    description |= {
        "expected_volumes_mm3": dict(zip(STRUCTURES, totals_mm3.round().astype(int).tolist(), strict=True)),
        "sha256": file_sha256(file),
    }
    (out / f"{FILE_NAME}.json").write_text(json.dumps(description, indent=2) + "\n")
    sys.stdout.write(f"{file.name}: {file.stat().st_size / 1000:.0f} kB, {description['expected_volumes_mm3']}\n")


def describe(files: list[Path], failed: dict[str, list[str]], dice: FloatArray) -> dict[str, Any]:
    """Describe the atlas: maps, template, source, method, agreement."""
    return {
        "what": "share of each structure in each voxel of the template, 0 to 1; mean over people, left-right symmetric",
        "maps": list(STRUCTURES),
        "template": f"{TEMPLATE_SPACE} (ICBM 2009a non-linear symmetric), 1 mm, RAS+, cropped",
        "source": SOURCE,
        "label_maps": [file.name for file in files],
        "n_label_maps": len(files),
        "held_out": [f"seg_{number:02d}.nii.gz" for number in lm.HELD_OUT],
        "left_out": failed,
        "method": (
            "Each label map was turned into a noise-free T1w-like brain and a white matter map, aligned with the "
            f"template's (ANTs affine, then SyN at {GRID_MM:g} mm, mutual information of T1w plus mean squares of "
            "white matter); labels were carried linearly and averaged together with their mirrors."
        ),
        "leave_one_out_dice": {
            name: round(float(value), 3) for name, value in zip(STRUCTURES, np.nanmean(dice, axis=0), strict=True)
        },
    }


def main() -> None:
    """Read the command line, build the atlas and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("label_maps", type=Path, help="folder with seg_01.nii.gz to seg_20.nii.gz")
    parser.add_argument("--out", type=Path, required=True, help="folder for the atlas and its description")
    arguments = parser.parse_args()
    files = lm.label_map_files(arguments.label_maps, held_out=False)
    carried, grid, failed = carry_all(files, load_template())
    dice = leave_one_out_dice(carried)
    arguments.out.mkdir(parents=True, exist_ok=True)
    write_atlas(mean_of_both_sides(carried), grid, describe(files, failed, dice), arguments.out)
    for name, values in zip(STRUCTURES, dice.T, strict=True):
        mean, lowest = np.nanmean(values), np.nanmin(values)
        sys.stdout.write(f"leave-one-out Dice {name}: mean {mean:.3f}, lowest {lowest:.3f}\n")


if __name__ == "__main__":
    main()
