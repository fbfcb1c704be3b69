"""Mixed models for people scanned more than once: REML with Satterthwaite degrees of freedom.

Takes one row per scan and gives coefficients with t tests that know how many people, not how many scans, speak about
each term. One grouping factor only; sums over scans are taken once, so that a step of the fit costs little per person.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import linalg, optimize, stats

from morpho.errors import DesignError

SMALLEST_SPREAD = 1e-4  # below this a random effect counts as absent (the limit of lme4's isSingular)
LARGEST_SLOPE = 1e-5  # of the criterion per observation, at a minimum
LOST_CURVATURE = 1e-8  # directions flatter than this, relative to the steepest, say nothing about the variances

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ContrastEstimate:
    """A weighted sum of coefficients with its Satterthwaite t test and confidence interval."""

    estimate: float
    se: float
    df: float
    t: float
    p: float
    ci_low: float
    ci_high: float


@dataclass(frozen=True)
class MixedFit:
    """A fitted mixed model, with one number per fixed column.

    `singular` says that no spread between people was found in at least one direction. `covariance_slopes`, shape
    (variance parameters, columns, columns), and `parameter_covariance` serve `estimate_contrast`.
    """

    coefficients: Array
    se: Array
    df: Array
    t: Array
    p: Array
    ci_low: Array
    ci_high: Array
    covariance: Array
    random_covariance: Array
    residual_variance: float
    reml_criterion: float
    n_observations: int
    n_subjects: int
    singular: bool
    confidence: float
    covariance_slopes: Array
    parameter_covariance: Array


@dataclass(frozen=True)
class _Sums:
    """What the criterion needs of the data: F = [X y], where X is orthonormal and y its residual, of unit spread."""

    ZZ: Array  # (subjects, q, q)
    ZF: Array  # (subjects, q, p + 1)
    FF: Array  # (p + 1, p + 1)
    n: int


@dataclass(frozen=True)
class _State:
    """The criterion at one place, its first two derivatives, and the fixed effects there."""

    criterion: float
    gradient: Array  # (m,)
    hessian: Array  # (m, m)
    coefficients: Array  # (p,)
    inverse: Array  # (p, p), in units of the residual variance
    slopes: Array  # (m - 1, p, p), minus the derivative of the information


def fit_mixed(
    y: npt.ArrayLike, X: npt.ArrayLike, Z: npt.ArrayLike, subjects: npt.ArrayLike, *, confidence: float = 0.95
) -> MixedFit:
    """Fit a linear mixed model with one grouping factor by restricted maximum likelihood (REML).

    Parameters
    ----------
    y : shape (scans,)
        Outcome, for example a volume in mm3.
    X : shape (scans, p)
        Fixed columns, the constant among them.
    Z : shape (scans, q)
        Random columns, of unstructured covariance: ones for a random intercept, and time for a random slope.
    subjects : shape (scans,)
        Whose scan each row is: any values that can be sorted.
    confidence
        Coverage of the intervals, between 0 and 1.

    Returns
    -------
    Coefficients in units of `y` per unit of their column, with tests, intervals and the variances.

    Raises
    ------
    DesignError
        If numbers are missing, columns are redundant, scans are too few, or the search for the variances fails.

    Notes
    -----
    Criterion: Bates D et al., Journal of Statistical Software 2015;67(1), doi:10.18637/jss.v067.i01. Degrees of
    freedom: Satterthwaite's, as in Kuznetsova A et al., Journal of Statistical Software 2017;82(13),
    doi:10.18637/jss.v082.i13, with exact derivatives. Where the variance between people is estimated as zero, the
    degrees of freedom are the residual ones, scans minus columns, and the result says `singular`.
    ASSUME: random effects and residuals are normal, residuals are independent and equally spread, and whether a visit
    is missing depends only on what is in the model.
    """
    outcome, fixed, random, codes = _check_data(y, X, Z, subjects)
    orthonormal, triangle = np.linalg.qr(fixed)
    ordinary = orthonormal.T @ outcome
    residual = outcome - orthonormal @ ordinary
    y_scale, z_scale = float(np.sqrt(np.mean(residual**2))), np.sqrt(np.mean(random**2, axis=0))
    sums = _summarise(residual / y_scale, orthonormal, random / z_scale, codes)
    place = _search(sums)
    state, root = _evaluate(place, sums), _to_triangle(place, random.shape[1])
    residual_variance = float(np.exp(place[-1])) * y_scale**2
    back = linalg.solve_triangular(triangle, np.eye(len(triangle)))
    coefficients = back @ (ordinary + y_scale * state.coefficients)
    covariance = residual_variance * back @ state.inverse @ back.T
    inner = state.inverse @ state.slopes @ state.inverse
    slopes = np.concatenate([residual_variance * back @ inner @ back.T, covariance[None]])
    parameters = 2 * np.asarray(linalg.pinvh(state.hessian, rtol=LOST_CURVATURE), dtype=np.float64)
    _, se, df, t, p, low, high = _test(np.eye(len(triangle)), coefficients, covariance, slopes, parameters, confidence)
    spread = root / z_scale[:, None]
    constant = (sums.n - len(triangle)) * np.log(2 * np.pi * y_scale**2) + 2 * np.log(np.abs(np.diag(triangle))).sum()
    return MixedFit(
        *(coefficients, se, df, t, p, low, high, covariance),
        random_covariance=residual_variance * spread @ spread.T,
        residual_variance=residual_variance,
        reml_criterion=state.criterion + float(constant),
        n_observations=sums.n,
        n_subjects=len(sums.ZZ),
        singular=bool(np.linalg.svd(root, compute_uv=False).min() < SMALLEST_SPREAD),
        confidence=confidence,
        covariance_slopes=slopes,
        parameter_covariance=parameters,
    )


def estimate_contrast(fit: MixedFit, c: npt.ArrayLike) -> ContrastEstimate:
    """Estimate a weighted sum of the coefficients, with weights `c` of shape (p,), at the confidence of the fit.

    Raises
    ------
    DesignError
        If there is not one weight per column, or all weights are zero.
    """
    weights = np.asarray(c, dtype=np.float64)
    if weights.shape != fit.coefficients.shape or not weights.any():
        msg = (
            f"A contrast needs one weight per fixed column ({len(fit.coefficients)}), not all zero; got "
            f"{weights.tolist()}. Give 0 to the columns that do not matter."
        )
        raise DesignError(msg)
    slopes, parameters = fit.covariance_slopes, fit.parameter_covariance
    tests = _test(weights[None], fit.coefficients, fit.covariance, slopes, parameters, fit.confidence)
    return ContrastEstimate(*(float(values[0]) for values in tests))


def _test(
    weights: Array, coefficients: Array, covariance: Array, slopes: Array, parameters: Array, confidence: float
) -> tuple[Array, ...]:
    """Estimate, se, df, t, p and limits of each row of weights, shape (rows, p)."""
    estimate = weights @ coefficients
    variance = np.einsum("kp,pr,kr->k", weights, covariance, weights)
    gradient = np.einsum("kp,mpr,kr->km", weights, slopes, weights)
    df = 2 * variance**2 / np.einsum("km,mn,kn->k", gradient, parameters, gradient)
    se = np.sqrt(variance)
    t = estimate / se
    half = stats.t.ppf(0.5 + confidence / 2, df) * se
    return estimate, se, df, t, 2 * stats.t.sf(np.abs(t), df), estimate - half, estimate + half


def _check_data(
    y: npt.ArrayLike, X: npt.ArrayLike, Z: npt.ArrayLike, subjects: npt.ArrayLike
) -> tuple[Array, Array, Array, npt.NDArray[np.intp]]:
    """Arrays sorted by subject and the subject's number of each row, or what is wrong with them."""
    outcome, fixed, random = (np.asarray(values, dtype=np.float64) for values in (y, X, Z))
    names, numbers = np.unique(np.asarray(subjects), return_inverse=True)
    n, (p, q) = len(outcome), (fixed.shape[1], random.shape[1])
    problem = ""
    if not all(np.isfinite(values).all() for values in (outcome, fixed, random)):
        problem = "some numbers are missing or infinite; leave out those scans"
    elif n <= q * len(names):
        problem = f"{n} scans of {len(names)} people are too few for {q} random effects each; use fewer random columns"
    elif n <= p or np.linalg.matrix_rank(fixed / (np.abs(fixed).max(axis=0) + 1e-300)) < p:
        problem = f"the {p} fixed columns are redundant or too many for {n} scans; drop columns"
    elif np.linalg.matrix_rank(random) < q:
        problem = f"the {q} random columns are redundant; drop one"
    elif np.ptp(outcome - fixed @ np.linalg.lstsq(fixed, outcome)[0]) <= 1e-10 * np.abs(outcome).max():
        problem = "the fixed columns explain the outcome completely; leave out the column that repeats it"
    if problem:
        msg = f"The mixed model cannot be fitted: {problem}."
        raise DesignError(msg)
    order = np.argsort(numbers, kind="stable")
    return outcome[order], fixed[order], random[order], numbers[order]


def _summarise(y: Array, X: Array, Z: Array, codes: npt.NDArray[np.intp]) -> _Sums:
    """Products of the random columns with everything, summed over the rows of each person."""
    starts, F = np.flatnonzero(np.r_[True, np.diff(codes) > 0]), np.column_stack([X, y])
    ZZ, ZF = (np.add.reduceat(Z[:, :, None] * columns[:, None, :], starts, axis=0) for columns in (Z, F))
    return _Sums(ZZ, ZF, F.T @ F, len(y))


def _search(sums: _Sums) -> Array:
    """Place of the smallest criterion: lower triangle of the relative spread, then log residual variance."""
    evaluate = lru_cache(maxsize=8)(lambda key: _evaluate(np.frombuffer(key), sums))  # asked for thrice per place

    def ask(name: str) -> Callable[[Array], Any]:
        return lambda place: getattr(evaluate(place.tobytes()), name)

    rows, columns = np.tril_indices(sums.ZZ.shape[1])
    start = np.r_[np.where(rows == columns, 1.0, 0.0), 0.0]
    value, gradient, hessian = ask("criterion"), ask("gradient"), ask("hessian")
    best = optimize.minimize(value, start, jac=gradient, hess=hessian, method="trust-exact", tol=1e-8 * sums.n)
    slope = float(np.abs(best.jac).max()) / sums.n
    if not slope < LARGEST_SLOPE:
        msg = (
            f"The search for the variances of the mixed model failed: its last slope is {slope:.2g}, allowed is "
            f"{LARGEST_SLOPE:g}. Use fewer random columns, or look for extreme values."
        )
        raise DesignError(msg)
    return np.asarray(best.x, dtype=np.float64)


def _to_triangle(place: Array, q: int) -> Array:
    """Lower-triangular root of the random effects' covariance over the residual variance."""
    root = np.zeros((q, q))
    root[np.tril_indices(q)] = place[:-1]
    return root


def _evaluate(place: Array, sums: _Sums) -> _State:
    """REML criterion (up to constants) with exact derivatives, by the Woodbury identity person by person."""
    # Within a person the covariance is proportional to W = I + Z L L' Z'; S, R, r are Z' W^-1 times Z, X and residual.
    q, log_variance = sums.ZZ.shape[1], float(place[-1])
    root = _to_triangle(place, q)
    core = np.eye(q) + root.T @ sums.ZZ @ root
    shrink = root @ np.linalg.solve(core, np.broadcast_to(root.T, core.shape))
    S, RF = (products - sums.ZZ @ shrink @ products for products in (sums.ZZ, sums.ZF))
    weighted = sums.FF - np.einsum("sif,sij,sjg->fg", sums.ZF, shrink, sums.ZF, optimize=True)
    inverse, score = linalg.inv(weighted[:-1, :-1]), weighted[:-1, -1]
    coefficients = inverse @ score
    R, r = RF[:, :, :-1], RF[:, :, -1] - RF[:, :, :-1] @ coefficients
    free, precision = sums.n - len(score), np.exp(-log_variance)
    squares = precision * (weighted[-1, -1] - score @ coefficients)
    log_determinants = np.linalg.slogdet(core)[1].sum() - np.linalg.slogdet(inverse)[1]
    gradient, hessian, slopes = _differentiate(S, R, r, inverse, root, precision)
    gradient[-1], hessian[-1, -1] = free - squares, squares
    criterion = float(free * log_variance + log_determinants + squares)
    return _State(criterion, gradient, hessian, coefficients, inverse, slopes)


def _differentiate(
    S: Array, R: Array, r: Array, inverse: Array, root: Array, precision: float
) -> tuple[Array, Array, Array]:
    """Gradient, Hessian and information slopes along the entries of the root (the last entry is left to fill)."""
    rows, columns = np.tril_indices(len(root))
    steps = np.zeros((len(rows), *root.shape))
    steps[np.arange(len(rows)), rows] = root[:, columns].T
    steps += steps.transpose(0, 2, 1)
    # First derivative of log|W| + log|X'W^-1X| + squares / variance by L L', to be met with each step.
    slope = S.sum(0) - np.einsum("sip,sjp->ij", R @ inverse, R) - precision * r.T @ r
    R_steps, r_steps = np.einsum("aij,sjp->saip", steps, R), np.einsum("aij,sj->sai", steps, r)
    S_steps = np.einsum("sij,ajk->saik", S, steps)
    slopes, bends = np.einsum("sip,sair->apr", R, R_steps, optimize=True), np.einsum("sip,sai->ap", R, r_steps)
    SR_steps, Sr_steps = np.einsum("sij,sajp->saip", S, R_steps), np.einsum("sij,saj->sai", S, r_steps)
    weighted = inverse @ slopes
    curvature = (
        2 * np.einsum("saip,sbip->ab", R_steps @ inverse, SR_steps, optimize=True)
        - np.einsum("saij,sbji->ab", S_steps, S_steps, optimize=True)
        - np.einsum("apr,brp->ab", weighted, weighted)
        + 2 * precision * (np.einsum("sai,sbi->ab", r_steps, Sr_steps, optimize=True) - bends @ inverse @ bends.T)
        + 2 * slope[np.ix_(rows, rows)] * (columns[:, None] == columns)
    )
    crossed = precision * np.einsum("si,sai->a", r, r_steps)
    gradient = np.r_[np.einsum("ij,aij->a", slope, steps), 0.0]
    hessian = np.block([[curvature, crossed[:, None]], [crossed[None], np.zeros((1, 1))]])
    return gradient, hessian, slopes
