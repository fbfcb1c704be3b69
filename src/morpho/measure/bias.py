"""The smooth shading that a receiver coil lays over a scan, found together with the mean signal of each tissue.

Takes the coarse shares of a head and the signal there, gives a field that can be evaluated at any voxel of the scan.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from morpho.errors import NotABrainError
from morpho.images import FloatArray
from morpho.measure.head import HeadShares

LOGGER = logging.getLogger(__name__)

Array = NDArray[np.float64]

TISSUES = ("white_matter", "cortex", "deep_grey_matter", "hippocampus_amygdala", "cerebellum", "brain_stem")
SHORTEST_WAVE_MM = 60.0
STIFFNESS = 2e-4
COARSE_MM = 2.0  # voxels of the coarse shares
CLEAR_SHARE = 0.7
FEWEST_VOXELS = 1000
FEWEST_WHITE_VOXELS = 100
ROUNDS = 5
OUTLIER_SIGMAS = 3.0
TALLEST_LOG_FIELD = 1.5


@dataclass(frozen=True)
class BiasField:
    """Sum of cosines over a box.

    `coefficients` of shape (A, B, C) for 0 to A - 1 half waves along x and so on; the box starts at voxel `start` of
    the scan and is `size` voxels long. `white_matter_signal` is the signal of white matter where the field is 1.
    """

    coefficients: Array
    start: Array
    size: Array
    white_matter_signal: float

    def evaluate(self, shape: tuple[int, ...], offset: tuple[int, ...] = (0, 0, 0)) -> FloatArray:
        """Field at the voxels of a scan's part that begins at voxel `offset`, shape `shape`; constant off the box."""
        log_field: NDArray[np.floating] = self.coefficients
        for axis in range(3):
            where = (np.arange(shape[axis]) + offset[axis] - self.start[axis]) / self.size[axis]
            waves = _half_waves(np.clip(where, 0, 1), self.coefficients.shape[axis])
            log_field = np.tensordot(log_field, waves, axes=([0], [1]))
        return np.exp(np.clip(log_field, -TALLEST_LOG_FIELD, TALLEST_LOG_FIELD)).astype(np.float32)


def estimate_bias_field(head: HeadShares) -> BiasField:
    """Estimate the bias field and the mean signal of each tissue in one regression.

    Parameters
    ----------
    head
        Coarse shares and the signal on their grid.

    Returns
    -------
    Field with mean 1 (of its logarithm: 0) over the brain.

    Raises
    ------
    NotABrainError
        If too little of the brain has signal, or next to nothing of it is white matter.

    Notes
    -----
    The logarithm of the signal in voxels that are clearly one tissue is the tissue's mean plus a sum of cosines,
    shortest wave 60 mm, penalised by bending energy: weighted least squares, repeated without outliers, tissues
    weighted by their own spread. It is the model of Van Leemput et al. [1]_ with the tissues known beforehand.

    References
    ----------
    .. [1] Van Leemput K et al. Automated model-based bias field correction of MR images of the brain. IEEE Trans Med
       Imaging 1999. doi 10.1109/42.811268
    """
    shares = np.stack([head.share(name) for name in TISSUES])
    clear = (shares.max(axis=0) > CLEAR_SHARE) & (head.signal > 0)
    if np.count_nonzero(clear) < FEWEST_VOXELS:
        message = (
            f"Only {np.count_nonzero(clear)} voxels of the brain have signal, at least {FEWEST_VOXELS} are needed. "
            "Look at the scan: is it a T1w image of a whole brain?"
        )
        raise NotABrainError(message)
    n_white = np.count_nonzero(clear & (shares[0] > CLEAR_SHARE))
    if n_white < FEWEST_WHITE_VOXELS:
        message = (
            f"Only {n_white} voxels of the brain are clearly white matter, at least {FEWEST_WHITE_VOXELS} are needed "
            "to scale its signal. Look at the scan: is it a T1w image of a whole brain?"
        )
        raise NotABrainError(message)
    where = np.argwhere(clear)
    tissue = shares[:, clear].argmax(axis=0)
    low, high = where.min(axis=0) - 1.0, where.max(axis=0) + 1.0
    size_mm = (high - low) * COARSE_MM
    counts = np.maximum(2, np.floor(2 * size_mm / SHORTEST_WAVE_MM)).astype(int) + 1
    design, used, bending = _design((where - low) / (high - low), counts)
    weights_log = np.log(head.signal[clear].astype(np.float64))
    coefficients, means = _fit(design, bending, tissue, weights_log)
    field = np.zeros(counts)
    field[tuple(used.T)] = coefficients
    start = head.grid.start + head.grid.step * low
    result = BiasField(field, start, head.grid.step * (high - low), float(np.exp(means[0])))
    spread = np.exp(np.percentile(design @ coefficients, [1, 99]))
    LOGGER.info("bias field inside the brain: %.2f to %.2f", *spread)
    LOGGER.info(
        "signal over white matter: %s", dict(zip(TISSUES, np.exp(means - means[0]).round(3).tolist(), strict=True))
    )
    return result


def _half_waves(position: Array, count: int) -> Array:
    """Cosines of 0 to count - 1 half waves at positions 0 to 1, shape (positions, count)."""
    return np.cos(np.pi * position[:, None] * np.arange(count))


def _design(position: Array, counts: NDArray[np.int_]) -> tuple[Array, NDArray[np.int_], Array]:
    """Design of the cosines, shape (voxels, waves), without the constant; the waves' numbers; their bending energy."""
    numbers = np.argwhere(np.ones(counts))
    radius = ((numbers / np.maximum(counts - 1, 1)) ** 2).sum(axis=1)
    numbers = numbers[(radius <= 1) & (radius > 0)]
    waves = [_half_waves(position[:, axis], counts[axis]) for axis in range(3)]
    design = waves[0][:, numbers[:, 0]] * waves[1][:, numbers[:, 1]] * waves[2][:, numbers[:, 2]]
    return design, numbers, (numbers**2).sum(axis=1).astype(np.float64) ** 2


def _fit(design: Array, bending: Array, tissue: NDArray[np.int_], log_signal: Array) -> tuple[Array, Array]:
    """Coefficients of the waves and mean log signal of each tissue, by reweighted least squares."""
    n_tissues = len(TISSUES)
    coefficients, means = np.zeros(design.shape[1]), np.zeros(n_tissues)
    spread = np.full(n_tissues, np.inf)
    for _ in range(ROUNDS):
        residual = log_signal - design @ coefficients
        for number in range(n_tissues):
            members = residual[tissue == number]
            if len(members):
                means[number] = np.median(members)
                spread[number] = max(1.4826 * float(np.median(np.abs(members - means[number]))), 0.01)
        residual -= means[tissue]
        scaled = residual / spread[tissue]
        weight = np.where(np.abs(scaled) < OUTLIER_SIGMAS, (1 - (scaled / OUTLIER_SIGMAS) ** 2) ** 2, 0)
        weight /= spread[tissue] ** 2
        weight /= weight.mean()
        weighted = design * weight[:, None]
        normal = weighted.T @ design + STIFFNESS * len(design) * np.diag(bending)
        coefficients = coefficients + np.linalg.solve(
            normal, weighted.T @ residual - STIFFNESS * len(design) * bending * coefficients
        )
        shift = (design @ coefficients).mean()
        means += shift
    return coefficients, means
