"""Shares of fluid, grey and white matter in each voxel: pure tissues and mixtures, with priors that vary in space.

Takes signals and prior shares of the voxels of a brain (one row each), gives shares. Nothing here knows positions.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from morpho.errors import NotABrainError
from morpho.images import FloatArray

LOGGER = logging.getLogger(__name__)

Array = NDArray[np.float64]

FLUID, GREY, DEEP_GREY, WHITE = range(4)
TISSUES = ("fluid", "grey matter", "deep grey matter", "white matter")
# Which tissues meet in one voxel.
MIXTURES = ((FLUID, GREY), (GREY, WHITE), (DEEP_GREY, WHITE), (FLUID, WHITE), (FLUID, DEEP_GREY))
N_BINS = 1024
BRIGHTEST = 2.0  # of white matter
ROUNDS = 12
MOST_FITTED_VOXELS = 200_000
PRIOR_FLOOR = np.array([0.02, 0.02, 0.0005, 0.02])
SMALLEST_SPREAD = 0.02
EXTREME_SPREADS = 2.0
WIDEST_SPREAD = np.array([0.2, 0.12, 0.1, 0.1])


@dataclass(frozen=True)
class TissueSignals:
    """Mean and spread of the signal of each pure tissue, white matter being near 1, each of shape (4,)."""

    mean: Array
    spread: Array


def fit_tissue_signals(signal: FloatArray, prior: FloatArray, *, prior_weight: float) -> TissueSignals:
    """Fit mean and spread of the signal of each tissue.

    Parameters
    ----------
    signal : shape (N,)
        Signal without shading, white matter near 1.
    prior : shape (4, N)
        Expected shares of fluid, grey, deep grey and white matter.
    prior_weight
        Exponent of the prior, 0 to 1.

    Returns
    -------
    Signals of the pure tissues.

    Raises
    ------
    NotABrainError
        If grey matter is not darker than white matter, or fluid not darker than grey matter.

    Notes
    -----
    Expectation maximisation over pure tissues and mixtures of two. A voxel of a mixture holds any share of either
    with equal probability (Santago and Gage 1993, doi 10.1109/42.241880); two tissues meet in a voxel with twice the
    product of their expected shares.
    """
    step = max(1, len(signal) // MOST_FITTED_VOXELS)
    signal, weighed = np.clip(signal[::step], 0, BRIGHTEST), _weigh(prior[:, ::step], prior_weight)
    pure = weighed > 0.8
    mean = np.array([np.median(signal[pure[k]]) if pure[k].sum() > 50 else np.nan for k in range(4)])
    fallback = np.array([0.25, 0.7, 0.85, 1.0])
    mean = np.where(np.isnan(mean), fallback, mean)
    fitted = TissueSignals(mean, np.array([0.1, 0.08, 0.08, 0.05]))
    for _ in range(ROUNDS):
        posterior = _posterior(signal, weighed, fitted)[:4]
        weight = np.maximum(posterior.sum(axis=1), 1e-6)
        mean = (posterior * signal).sum(axis=1) / weight
        variance = (posterior * (signal - mean[:, None]) ** 2).sum(axis=1) / weight
        spread = np.clip(np.sqrt(variance), SMALLEST_SPREAD, WIDEST_SPREAD)
        empty = weight < 20
        mean, spread = np.where(empty, fitted.mean, mean), np.where(empty, fitted.spread, spread)
        fitted = TissueSignals(mean, spread)
    LOGGER.info("signal: %s", dict(zip(TISSUES, zip(mean.round(3), spread.round(3), strict=True), strict=True)))
    if not mean[FLUID] < mean[GREY] < mean[WHITE]:
        message = (
            f"Fluid, grey and white matter have mean signals {mean[FLUID]:.2f}, {mean[GREY]:.2f}, {mean[WHITE]:.2f}; "
            "in a T1w scan they rise in this order. Is the scan T1w? If so, look at its brain mask."
        )
        raise NotABrainError(message)
    return fitted


def tissue_shares(signal: FloatArray, prior: FloatArray, tissues: TissueSignals, *, prior_weight: float) -> FloatArray:
    """Compute the expected share of each tissue in each voxel.

    Parameters
    ----------
    signal, prior, prior_weight
        As for `fit_tissue_signals`.
    tissues
        Signals of the pure tissues.

    Returns
    -------
    Shares of fluid, grey, deep grey and white matter that sum to 1, shape (4, N).
    """
    shares = np.empty(prior.shape, dtype=np.float32)
    for start in range(0, len(signal), MOST_FITTED_VOXELS):
        part = slice(start, start + MOST_FITTED_VOXELS)
        posterior = _posterior(signal[part], _weigh(prior[:, part], prior_weight), tissues)
        bins = _bins(signal[part])
        total = posterior[:4]
        for (first, second), probability, share_of_second in zip(
            MIXTURES, posterior[4:], _mixed_shares(tissues), strict=True
        ):
            of_second = share_of_second[bins]
            total[second] += probability * of_second
            total[first] += probability * (1 - of_second)
        shares[:, part] = total
    return shares


def _weigh(prior: FloatArray, prior_weight: float) -> Array:
    """Prior shares with a floor, to a power, summing to 1, shape (4, N)."""
    weighed = (np.clip(prior, 0, 1) + PRIOR_FLOOR[:, None]) ** prior_weight
    return np.asarray(weighed / weighed.sum(axis=0))


def _bins(signal: FloatArray) -> NDArray[np.intp]:
    """Bin of each signal."""
    return (np.clip(signal, 0, BRIGHTEST) * ((N_BINS - 1) / BRIGHTEST) + 0.5).astype(np.intp)


def _levels() -> Array:
    """Signal of each bin."""
    return np.linspace(0, BRIGHTEST, N_BINS)


def _posterior(signal: FloatArray, prior: Array, tissues: TissueSignals) -> Array:
    """Probability of each pure tissue and each mixture, shape (4 + mixtures, N)."""
    likelihood = _likelihoods(tissues)
    bins = _bins(signal)
    joint = np.empty((len(likelihood), len(signal)))
    for k in range(4):
        joint[k] = prior[k] ** 2 * likelihood[k][bins]
    for number, (first, second) in enumerate(MIXTURES, start=4):
        joint[number] = 2 * prior[first] * prior[second] * likelihood[number][bins]
    return np.asarray(joint / np.maximum(joint.sum(axis=0), 1e-300))


def _likelihoods(tissues: TissueSignals) -> Array:
    """Density of each pure tissue and mixture at each bin, shape (4 + mixtures, N_BINS)."""
    # What is brighter than white matter can be (vessels, fat) or darker than fluid is taken for these, not for the
    # tissue with the widest spread.
    darkest = tissues.mean[FLUID] - EXTREME_SPREADS * tissues.spread[FLUID]
    levels = np.clip(_levels(), darkest, tissues.mean[WHITE] + EXTREME_SPREADS * tissues.spread[WHITE])
    scaled = (levels - tissues.mean[:, None]) / tissues.spread[:, None]
    pure = np.exp(-0.5 * np.minimum(scaled**2, 60.0)) / (tissues.spread[:, None] * np.sqrt(2 * np.pi))
    mixed = []
    for first, second in MIXTURES:
        low, high = tissues.mean[first], tissues.mean[second]
        spread = _mixture_spread(tissues, first, second)
        gap = high - low if abs(high - low) > 1e-3 else 1e-3
        mixed.append((ndtr((levels - low) / spread) - ndtr((levels - high) / spread)) / gap)
    return np.concatenate([pure, np.maximum(mixed, 1e-30)])


def _mixture_spread(tissues: TissueSignals, first: int, second: int) -> float:
    """Spread of noise in a mixture: that of the quieter tissue."""
    return float(min(tissues.spread[first], tissues.spread[second]))


def _mixed_shares(tissues: TissueSignals) -> Array:
    """Compute the share of the second tissue of each mixture at each bin: a normal cut off at both means."""
    levels = _levels()
    shares = []
    for first, second in MIXTURES:
        low, high = tissues.mean[first], tissues.mean[second]
        spread = _mixture_spread(tissues, first, second)
        lower, upper = (min(low, high) - levels) / spread, (max(low, high) - levels) / spread
        density = np.exp(-0.5 * lower**2) - np.exp(-0.5 * upper**2)
        inside = ndtr(upper) - ndtr(lower)
        centre = levels + spread * np.where(
            inside > 1e-12,
            density / np.sqrt(2 * np.pi) / np.maximum(inside, 1e-12),
            0,
        )
        gap = high - low if abs(high - low) > 1e-3 else 1e-3
        shares.append(np.clip((centre - low) / gap, 0, 1))
    return np.array(shares)
