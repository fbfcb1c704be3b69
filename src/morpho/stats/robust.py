"""Estimates that a few wrong values cannot move: robust z, and what a robust regression expects of each value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

SIGMA_PER_MAD = 1.4826  # 1 / 0.6745: the median absolute deviation of a normal distribution is 0.6745 sigma
SIGMA_PER_MEAN_DEVIATION = 1.2533  # sqrt(pi / 2): the same of its mean absolute deviation
SMALLEST_SPREAD = 1e-3  # of the absolute median: spread below it is rounding, not a difference that matters
BISQUARE = 4.685  # residuals beyond this many sigma have no weight; 95 % efficient if they are normal
STEPS = 50
CONVERGED = 1e-10
TINY = 1e-12  # scale over the largest value: the regressors reproduce the values


@dataclass(frozen=True)
class Deviations:
    """What is expected of each value from the others, shape as the values; `z` is the deviation in robust sigma."""

    expected: FloatArray
    z: FloatArray


def robust_z(values: npt.ArrayLike) -> FloatArray:
    """Compute the distance from the median in scaled median absolute deviations (MAD), along the first axis.

    Parameters
    ----------
    values : shape (n,) or (n, m)
        Missing is NaN and stays so.

    Returns
    -------
    Robust z, same shape. Where more than half of the values are the same, so that the MAD is 0, the mean absolute
    deviation takes its place; all the same gives 0.

    Notes
    -----
    Source: Iglewicz B, Hoaglin DC, How to detect and handle outliers, ASQC 1993. The spread is never taken to be less
    than `SMALLEST_SPREAD` of the median.

    Examples
    --------
    Median 3, absolute deviations 2, 1, 0, 1, 97, their median 1.

    >>> robust_z([1.0, 2.0, 3.0, 4.0, 100.0]).round(2).tolist()
    [-1.35, -0.67, 0.0, 0.67, 65.43]
    """
    given = np.asarray(values, dtype=float)
    table = given.reshape(len(given), -1)
    z = np.full(table.shape, np.nan)
    for column, known in enumerate((~np.isnan(table)).T):
        if not known.any():
            continue
        centre = np.median(table[known, column])
        deviation = table[known, column] - centre
        spread = SIGMA_PER_MAD * np.median(np.abs(deviation))
        spread = spread or SIGMA_PER_MEAN_DEVIATION * np.abs(deviation).mean()
        z[known, column] = deviation / (max(spread, SMALLEST_SPREAD * abs(centre)) or 1.0)
    return z.reshape(given.shape)


def expect_left_out(X: npt.ArrayLike, Y: npt.ArrayLike, prior: npt.ArrayLike) -> Deviations:
    """Say what robust regression expects of each value when that value has no say, and how far it is from that.

    Parameters
    ----------
    X : shape (n, p)
        Regressors, with the constant, of full rank.
    Y : shape (n, m)
        Values of m outcomes; nothing missing.
    prior : shape (n,)
        Weight of each row, above 0 to 1: less than 1 for rows whose regressors are themselves doubtful.

    Returns
    -------
    Expected values and z, shape (n, m); NaN where the regressors leave no residual.

    Notes
    -----
    Bisquare M-estimate with fixed scale, from a start of least absolute deviations, whose residuals give the scale
    (median of the absolute residuals without the p smallest); Maronna RA, Martin RD, Yohai VJ, Robust statistics, Wiley
    2006, sections 4.4 and 5.5. `prior` makes it one of Mallows's kind. A row is taken out by the formula for deletion
    with the final weights, so that an outlier of weight 0 changes nothing. ASSUME: residuals are normal but for
    outliers, and equally spread; then the standard deviation of z is 1.
    """
    rows, outcomes, weights = np.asarray(X, float), np.asarray(Y, float), np.asarray(prior, float)[:, np.newaxis]
    coefficients = _solve(rows, outcomes, np.broadcast_to(weights, outcomes.shape))[0]
    for _ in range(STEPS):
        size = np.abs(outcomes - rows @ coefficients)
        floor = np.maximum(1e-3 * np.median(size, axis=0), np.finfo(float).tiny)
        coefficients = _solve(rows, outcomes, weights / np.maximum(size, floor))[0]
    size = np.sort(np.abs(outcomes - rows @ coefficients), axis=0)
    scale = SIGMA_PER_MAD * np.median(size[rows.shape[1] :], axis=0)
    usable = scale > TINY * np.abs(outcomes).max(axis=0)
    steps = np.where(usable, scale, 1.0)
    for _ in range(STEPS):
        before = coefficients
        coefficients = _solve(rows, outcomes, weights * _weigh(outcomes - rows @ coefficients, steps))[0]
        if np.all(np.abs(rows @ (coefficients - before)) <= CONVERGED * steps):
            break
    residuals = outcomes - rows @ coefficients
    final = weights * _weigh(residuals, steps)
    inverse = _solve(rows, outcomes, final)[1]
    leverage = np.einsum("np,mpq,nq->nm", rows, inverse, rows)
    without = np.maximum(1 - final * leverage, np.finfo(float).eps)
    deviation = residuals / without
    z = deviation / (steps * np.sqrt(1 + leverage / without))
    return Deviations(*(np.where(usable, array, np.nan) for array in (outcomes - deviation, z)))


def _weigh(residuals: FloatArray, scale: FloatArray) -> FloatArray:
    """Give the bisquare weight of each residual."""
    share = np.clip(np.abs(residuals) / (BISQUARE * scale), 0, 1)
    weights: FloatArray = (1 - share**2) ** 2
    return weights


def _solve(X: FloatArray, Y: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Weighted least squares of each outcome: coefficients, shape (p, m), and the inverse of X'WX, shape (m, p, p)."""
    products = np.einsum("np,nm,nq->mpq", X, weights, X, optimize=True)
    inverse = np.linalg.pinv(products, hermitian=True)
    coefficients = np.einsum("mpq,nq,nm->pm", inverse, X, weights * Y, optimize=True)
    return coefficients, inverse
