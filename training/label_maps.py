"""The label maps that the networks and the atlas learn from: reading, naming, which are held out.

The maps are the 20 whole-head maps that SynthSeg was trained with (Apache-2.0, Billot et al. 2023), 1 mm, FreeSurfer's
numbers inside the skull and numbers from 502 outside it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

# Spread over the range of hippocampal volumes (2.6 to 4.5 ml); never seen by a network or the atlas.
HELD_OUT = (5, 10, 15, 20)

# Left and right number of each paired structure.
PAIRS = (
    (2, 41), (3, 42), (4, 43), (5, 44), (7, 46), (8, 47), (10, 49), (11, 50), (12, 51), (13, 52), (17, 53), (18, 54),
    (25, 57), (26, 58), (28, 60), (30, 62), (136, 163), (137, 164),
)  # fmt: skip

FLUID = (4, 5, 14, 15, 24, 43, 44, 72, 136, 137, 163, 164)  # ventricles with their plexus, and the fluid outside
CORTEX = (3, 42)
WHITE_MATTER = (2, 41, 25, 57, 30, 62, 85)  # with lesions, vessels in it and the chiasm
DEEP_GREY_MATTER = (10, 11, 12, 13, 26, 49, 50, 51, 52, 58)
HIPPOCAMPUS = (17, 53)
AMYGDALA = (18, 54)
CEREBELLUM = (7, 8, 46, 47)
BRAIN_STEM = (16, 28, 60)
SPINAL_FLUID, SPINAL_CORD = 531, 532  # our numbers for what lies below the skull
LARGEST_LABEL = 532


def label_map_files(folder: Path, *, held_out: bool) -> list[Path]:
    """Files of the label maps that are held out, or of those that are not.

    Raises
    ------
    FileNotFoundError
        If a map is missing.
    """
    numbers = [number for number in range(1, 21) if (number in HELD_OUT) == held_out]
    files = [folder / f"seg_{number:02d}.nii.gz" for number in numbers]
    missing = [file.name for file in files if not file.exists()]
    if missing:
        message = f"{folder} lacks {', '.join(missing)}. Give the folder with the 20 label maps of SynthSeg."
        raise FileNotFoundError(message)
    return files


def read_labels(file: Path) -> NDArray[np.int16]:
    """Labels on axes right, anterior, superior, shape (X, Y, Z), 1 mm, cut to the head.

    The maps follow fluid and brain stem down the neck; what lies further than 8 mm below the cerebellum gets numbers
    of its own, so that it does not count as inside the skull.
    """
    labels = np.asarray(nib.as_closest_canonical(nib.load(file)).dataobj).astype(np.int16)
    lowest = int(np.argwhere(np.isin(labels, CEREBELLUM))[:, 2].min())
    neck = labels[:, :, : max(0, lowest - 8)]
    neck[neck == 24] = SPINAL_FLUID
    neck[neck == 16] = SPINAL_CORD
    head = np.argwhere(labels > 0)
    return labels[tuple(slice(low, high + 1) for low, high in zip(head.min(axis=0), head.max(axis=0), strict=True))]


def swap_sides(labels: NDArray[np.int16]) -> NDArray[np.int16]:
    """Mirror of a label map: left and right exchanged in space and in number."""
    renumber = np.arange(LARGEST_LABEL + 1, dtype=np.int16)
    for left, right in PAIRS:
        renumber[left], renumber[right] = right, left
    return renumber[labels[::-1]]


def class_of_label(classes: Iterable[Iterable[int]]) -> NDArray[np.int64]:
    """Tabulate the class of each label: 1 for the labels of the first group, and so on; 0 for all others."""
    table = np.zeros(LARGEST_LABEL + 1, np.int64)
    for number, labels in enumerate(classes, start=1):
        table[list(labels)] = number
    return table
