"""What the report's viewer of a scan shows: the brain and its labels, small enough to travel in a script.

A page that is opened from disk may load scripts but no other files. So the images are written as NIfTI, packed by gzip
and base64, into a script that hands them to the viewer. Nothing is measured here.
"""

from __future__ import annotations

import base64
import colorsys
import gzip
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import nibabel as nib
import numpy as np
import pandas as pd
from nibabel.affines import from_matvec
from nibabel.nifti1 import Nifti1Image
from numpy.typing import NDArray
from scipy import ndimage

from morpho.images import array_of, bounding_box, check_same_grid, labels_of, mask_of

VOXEL_MM = 2.0
MARGIN_MM = 4.0
SMOOTHING = 0.6  # standard deviation of the smoothing before voxels are merged, in voxels per voxel more
BRIGHTEST = 99.5  # percentile of the brain's signal that becomes white
LEVELS = 48  # steps of grey; more would be noise that gzip cannot pack
GOLDEN = 0.618034  # share of the colour circle between neighbouring labels, so that they differ
ALPHA = 200  # opacity of outlined regions, of 255
FAINT = 110  # opacity of other labels


@dataclass(frozen=True)
class ScanImages:
    """Images of one scan on one grid: bias-corrected scan, brain mask and atlas labels (0 is none)."""

    t1w: Nifti1Image
    brain_mask: Nifti1Image
    labels: Nifti1Image


def shrink_scan(images: ScanImages, *, voxel_mm: float = VOXEL_MM) -> tuple[Nifti1Image, Nifti1Image]:
    """Crop a scan to its brain and resample it along its own axes to voxels of `voxel_mm`.

    Parameters
    ----------
    images
        The scan.
    voxel_mm
        Length of the edges; edges that are longer already stay as they are.

    Returns
    -------
    scan
        Smoothed and interpolated signal, 0 to 255 in `LEVELS` steps (uint8), 0 far outside the brain.
    labels
        Nearest label (uint8).

    Raises
    ------
    GridMismatchError
        If the images do not share one grid.
    """
    check_same_grid(images.t1w, images.brain_mask, images.labels)
    sizes = np.asarray(images.t1w.header.get_zooms()[:3], dtype=np.float64)
    step = np.maximum(1.0, voxel_mm / sizes)
    mask = mask_of(images.brain_mask)
    box = bounding_box(mask, np.ceil(MARGIN_MM / sizes).astype(int))
    start = np.array([part.start for part in box])
    signal = np.where(mask, array_of(images.t1w), 0)[box]
    smooth = ndimage.gaussian_filter(signal, SMOOTHING * (step - 1))
    white = float(np.percentile(signal[mask[box]], BRIGHTEST)) or 1.0
    grey = np.round(_sample(smooth, step, order=1) * ((LEVELS - 1) / white)).clip(0, LEVELS - 1)
    labels = _sample(labels_of(images.labels)[box].astype(np.float32), step, order=0)
    affine = images.t1w.affine @ from_matvec(np.diag(step), start + (step - 1) / 2)
    return (
        nib.Nifti1Image(np.round(grey * (255 / (LEVELS - 1))).astype(np.uint8), affine),
        nib.Nifti1Image(labels.astype(np.uint8), affine),
    )


def _sample(values: NDArray[np.float32], step: NDArray[np.float64], *, order: Literal[0, 1]) -> NDArray[np.float32]:
    """Sample every `step` voxels; the first new voxel covers `step` old ones, so its centre is at their middle."""
    shape = tuple(int(n) for n in np.ceil(np.array(values.shape) / step))
    sampled = ndimage.affine_transform(values, np.diag(step), (step - 1) / 2, shape, output=np.float32, order=order)
    return np.asarray(sampled)


def write_scan_script(images: ScanImages) -> str:
    """Write the script that hands the scan and its labels to the viewer."""
    scan, labels = shrink_scan(images)
    labels.header.set_intent("label")  # the viewer then draws index 0 as nothing, and does not blend indices
    packed = {"t1w": _pack(scan), "labels": _pack(labels)}
    return f"window.morphoScan = {json.dumps(packed)};\n"


def _pack(image: Nifti1Image) -> str:
    """Write an image as NIfTI, packed by gzip and base64."""
    image.set_sform(image.affine, code=1)
    image.set_qform(image.affine, code=1)
    return base64.b64encode(gzip.compress(image.to_bytes(), compresslevel=9, mtime=0)).decode("ascii")


def pack_scans(scans: Iterable[str], load: Callable[[str], ScanImages], *, limit_mb: float) -> dict[str, str]:
    """Write the scripts of as many scans as there is room for.

    Parameters
    ----------
    scans
        Names, the most important first.
    load
        Gives the images of a scan; called only while there is room.
    limit_mb
        Room for all scripts together, in 10^6 bytes.

    Returns
    -------
    Scan -> script; it ends before the first scan that does not fit.
    """
    scripts: dict[str, str] = {}
    room = limit_mb * 1e6
    for scan in scans:
        if room <= 0:
            break
        script = write_scan_script(load(scan))
        room -= len(script)
        if room < 0:
            break
        scripts[scan] = script
    return scripts


def write_label_script(labels: pd.DataFrame, rois: pd.DataFrame, colours: Mapping[str, str]) -> str:
    """Write the script with the name and colour of every label.

    Parameters
    ----------
    labels
        Columns index, name and hemisphere ("L", "R" or another word), from `morpho.rois.read_labels`.
    rois
        Columns roi and label_indices, from `morpho.rois.resolve_rois`.
    colours
        Region -> "#rrggbb"; its labels get this colour, all others one of their own, paler.

    Returns
    -------
    Script that sets ``window.morphoLabels``: lists R, G, B, A (0 to 255), I (index) and labels (name).
    """
    chosen = {
        index: colours[row["roi"]]
        for row in rois.to_dict("records")
        if row["roi"] in colours
        for index in row["label_indices"]
    }
    table: dict[str, list[Any]] = {"R": [0], "G": [0], "B": [0], "A": [0], "I": [0], "labels": [""]}
    sides = {"L": "left ", "R": "right "}
    for row in labels.to_dict("records"):
        index = int(row["index"])
        for channel, value in zip("RGB", _colour_of(index, chosen.get(index)), strict=True):
            table[channel].append(value)
        table["A"].append(ALPHA if index in chosen else FAINT)
        table["I"].append(index)
        table["labels"].append(sides.get(str(row["hemisphere"]), "") + str(row["name"]))
    return f"window.morphoLabels = {json.dumps(table)};\n"


def _colour_of(index: int, chosen: str | None) -> tuple[int, int, int]:
    """Colour of a label, each channel 0 to 255."""
    if chosen:
        return int(chosen[1:3], 16), int(chosen[3:5], 16), int(chosen[5:7], 16)
    red, green, blue = colorsys.hsv_to_rgb((index * GOLDEN) % 1.0, 0.35, 0.85)
    return round(255 * red), round(255 * green), round(255 * blue)
