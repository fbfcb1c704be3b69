"""The trained networks that ship with the package: find, verify and run them.

Takes arrays on a network's own grid, gives shares of its classes. How they were trained: ``training/README.md``.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from morpho.errors import NetworkError
from morpho.images import FloatArray

FOLDER = Path(__file__).parent / "weights"
NO_TELEMETRY = "ORT_DISABLE_TELEMETRY"  # onnxruntime 1.29 and later would report each session to its maker
SIGNAL_FLOOR = 0.02  # of the largest value: below it there is air
BRIGHT_PERCENTILE = 99.0
LARGEST_INPUT = 2.0


@dataclass(frozen=True)
class Network:
    """A network ready to run.

    `shape` voxels of `voxel_mm` go in, one share per voxel and name in `classes` comes out.
    """

    name: str
    shape: tuple[int, int, int]
    voxel_mm: float
    classes: tuple[str, ...]
    session: Any

    def predict(self, image: FloatArray) -> FloatArray:
        """Shares of each class.

        Parameters
        ----------
        image : shape `shape`
            Signal, any positive scale.

        Returns
        -------
        Shares that sum to 1, shape (classes, X, Y, Z).

        Raises
        ------
        NetworkError
            If the image has another shape, no signal, or values that are not finite.
        """
        if image.shape != self.shape:
            message = f"The network {self.name} takes images of shape {self.shape}, not {image.shape}."
            raise NetworkError(message)
        scaled = scale_signal(image)
        shares = self.session.run(None, {"image": scaled[None, None]})[0][0]
        return np.asarray(shares, dtype=np.float32)


@functools.cache
def load_network(name: Literal["head", "medial_temporal"]) -> Network:
    """Load a network.

    Parameters
    ----------
    name
        "head": brain and coarse tissues of a whole head or an extracted brain. "medial_temporal": hippocampus and
        amygdala of the left side.

    Returns
    -------
    Network ready to run on one thread; the same object for the same name.

    Raises
    ------
    NetworkError
        If its file is missing or is not the one that was shipped.
    """
    os.environ[NO_TELEMETRY] = "1"  # looked at when onnxruntime starts
    import onnxruntime  # a third of a second that stages without network need not spend

    table = FOLDER / "networks.json"
    if not table.is_file():
        message = f"{table.name} is missing from the package. Install morpho again."
        raise NetworkError(message)
    about = json.loads(table.read_text(encoding="utf-8"))[name]
    file = FOLDER / about["file"]
    if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != about["sha256"]:
        message = f"The weights {about['file']} are missing or damaged (SHA-256 differs). Install morpho again."
        raise NetworkError(message)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # one order of additions, one result
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    first, second, third = about["shape"]
    return Network(name, (first, second, third), float(about["voxel_mm"]), tuple(about["classes"]), session)


def scale_signal(image: FloatArray) -> FloatArray:
    """Signal over its 99th percentile where there is signal, between 0 and 2, as the networks were trained.

    Raises
    ------
    NetworkError
        If nothing in the image is above zero, or a value is not finite.
    """
    smallest, largest = float(image.min()), float(image.max())
    if not (np.isfinite(smallest) and np.isfinite(largest)) or largest <= 0:
        message = f"Values of the image go from {smallest} to {largest}; a scan has finite ones, some above 0. Look."
        raise NetworkError(message)
    bright = float(np.percentile(image[image > SIGNAL_FLOOR * largest], BRIGHT_PERCENTILE))
    return np.clip(image / bright, 0, LARGEST_INPUT).astype(np.float32)
