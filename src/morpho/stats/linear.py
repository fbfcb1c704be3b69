"""Ordinary least squares of many outcomes on one design: estimates, contrasts, robust standard errors.

One QR decomposition serves all outcomes, so that forty regions cost about as much as one. Knows no tables or regions;
columns of a design are numbered from 0. A design, contrast or outcome that cannot be used raises `DesignError`.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import linalg, stats

from morpho.errors import DesignError

RELATIVE_RANK = 1e-9  # smallest singular value over the largest, columns being scaled to length 1
RELATIVE_ZERO = 1e-12  # residuals below this share of an outcome are rounding errors

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LinearFit:
    """Least-squares fits of m outcomes of n people to one design of p columns.

    `coefficients` has shape (p, m), `residuals` (n, m), `residual_variance` (m,) with divisor `df`; `unit_covariance`
    (p, p) is (X'X)^-1 and `leverage` (n,) the diagonal of the hat matrix, 0 to 1. An outcome that the design explains
    entirely, such as a constant, has residuals of exactly 0.
    """

    coefficients: FloatArray
    residuals: FloatArray
    residual_variance: FloatArray
    unit_covariance: FloatArray
    leverage: FloatArray
    df: int


@dataclass(frozen=True)
class ContrastTest:
    """A weighted sum of coefficients of each outcome, (m,); `t` and two-sided `p` are NaN for one without residuals.

    `unit_variance` is the variance of the estimate when the residual variance is 1.
    """

    estimate: FloatArray
    se: FloatArray
    t: FloatArray
    p: FloatArray
    df: int
    unit_variance: float


@dataclass(frozen=True)
class JointTest:
    """F test of several contrasts at once, for each outcome, shape (m,); NaN for an outcome without residuals.

    `partial_eta_squared`: share that the tested terms explain of the variance left by the others, 0 to 1.
    """

    F: FloatArray
    df_numerator: int
    df_denominator: int
    p: FloatArray
    partial_eta_squared: FloatArray


@dataclass(frozen=True)
class Decomposition:
    """A design as basis (n, p) @ triangle (p, p); `lengths` (p,) make columns of mm3 and of dm3 alike."""

    basis: FloatArray
    triangle: FloatArray
    lengths: FloatArray


def decompose(X: npt.ArrayLike) -> Decomposition:
    """Decompose a design of shape (n, p) once for several calls of `fit_linear`.

    Raises
    ------
    DesignError
        If a value is missing, or columns depend on each other.
    """
    design = _as_matrix(X, "design")
    lengths = measure_columns(design)
    basis, triangle = np.linalg.qr(design / lengths)
    if dependent := _name_dependent(triangle):
        told = "depend on each other: their effects cannot be told apart. Drop a term, or merge levels of one."
        msg = f"Columns {dependent} of the design (from 0) {told}"
        raise DesignError(msg)
    return Decomposition(basis, triangle, lengths)


def fit_linear(Y: npt.ArrayLike, X: npt.ArrayLike | Decomposition) -> LinearFit:
    """Fit every outcome to the same design by least squares.

    Parameters
    ----------
    Y : shape (n, m)
        Outcomes, one column each, without gaps.
    X : shape (n, p)
        Design with its intercept, n above p; or its `Decomposition`.

    Returns
    -------
    Coefficients, residuals and what tests need.

    Raises
    ------
    DesignError
        If a value is missing, no degree of freedom is left, or columns of the design depend on each other.
    """
    outcomes = _as_matrix(Y, "outcomes")
    n, p = X.basis.shape if isinstance(X, Decomposition) else _as_matrix(X, "design").shape
    if len(outcomes) != n or n <= p:
        msg = (
            f"Outcomes of {len(outcomes)} people and a design of {n} people and {p} columns make no model. Give both "
            "the same people, more of them than columns: add people or drop covariates."
        )
        raise DesignError(msg)
    solved = X if isinstance(X, Decomposition) else decompose(X)
    projected = solved.basis.T @ outcomes
    residuals = outcomes - solved.basis @ projected
    explained = np.linalg.norm(residuals, axis=0) <= RELATIVE_ZERO * np.linalg.norm(outcomes, axis=0)
    residuals[:, explained] = 0
    inverse = linalg.solve_triangular(solved.triangle, np.eye(p)) / solved.lengths[:, None]
    return LinearFit(
        coefficients=inverse @ projected,
        residuals=residuals,
        residual_variance=np.einsum("ij,ij->j", residuals, residuals) / (n - p),
        unit_covariance=inverse @ inverse.T,
        leverage=np.einsum("ij,ij->i", solved.basis, solved.basis),
        df=n - p,
    )


def find_dependent_columns(X: npt.ArrayLike) -> list[int]:
    """Find the columns of a design that are weighted sums of each other.

    Parameters
    ----------
    X : shape (n, p)
        Design. With fewer rows than columns some always depend on each other.

    Returns
    -------
    Numbers of the columns that take part, from 0; empty if there is none.

    Examples
    --------
    Two sexes and an intercept: the dummies add up to it. The age does not take part.

    >>> find_dependent_columns([[1, 1, 0, 20], [1, 1, 0, 34], [1, 0, 1, 27], [1, 0, 1, 52], [1, 0, 1, 41]])
    [0, 1, 2]
    """
    design = _as_matrix(X, "design")
    return _name_dependent(np.linalg.qr(design / measure_columns(design))[1])


def measure_columns(columns: FloatArray) -> FloatArray:
    """Lengths of columns, 1 for a column of zeros, so that dividing by them is safe."""
    lengths = np.linalg.norm(columns, axis=0)
    return np.where(lengths == 0, 1, lengths)


def estimate_contrast(fit: LinearFit, contrast: npt.ArrayLike) -> ContrastTest:
    """Estimate and test one weighted sum of the coefficients.

    Parameters
    ----------
    fit, contrast : contrast of shape (p,)
        Fitted outcomes, and the weight of each coefficient.

    Returns
    -------
    Estimate, standard error, t and two-sided p of each outcome.

    Notes
    -----
    ASSUME: residuals are independent, normal and equally spread.
    """
    weights = _as_contrasts(np.asarray(contrast)[None], len(fit.coefficients))[0]
    estimate = weights @ fit.coefficients
    unit_variance = float(weights @ fit.unit_covariance @ weights)
    se = np.sqrt(unit_variance * fit.residual_variance)
    t = np.divide(estimate, se, out=np.full_like(se, np.nan), where=se > 0)
    return ContrastTest(estimate, se, t, 2 * stats.t.sf(np.abs(t), fit.df), fit.df, unit_variance)


def compare_nested(fit: LinearFit, contrasts: npt.ArrayLike) -> JointTest:
    """Test that several contrasts are all 0: compare the model with the smaller one nested in it.

    Parameters
    ----------
    fit, contrasts : contrasts of shape (q, p)
        Fitted outcomes of the larger model, and one contrast per row, none of which follows from the others.

    Returns
    -------
    F, its degrees of freedom, p and partial eta squared of each outcome.
    """
    weights = _as_contrasts(contrasts, len(fit.coefficients))
    q, variance = len(weights), fit.residual_variance
    estimates = weights @ fit.coefficients
    explained = (estimates * np.linalg.solve(weights @ fit.unit_covariance @ weights.T, estimates)).sum(axis=0)
    ratio = np.divide(explained, variance, out=np.full_like(variance, np.nan), where=variance > 0)
    return JointTest(ratio / q, q, fit.df, stats.f.sf(ratio / q, q, fit.df), ratio / (ratio + fit.df))


def hc3_se(fit: LinearFit, X: npt.ArrayLike, contrast: npt.ArrayLike) -> FloatArray:
    """Compute the standard error of a contrast that holds where the spread differs between people.

    Parameters
    ----------
    fit, X, contrast : X of shape (n, p), contrast (p,)
        Fitted outcomes, the design that they were fitted to, and the weight of each coefficient.

    Returns
    -------
    Standard errors, shape (m,), in units of the outcomes; NaN if a person alone determines a coefficient (leverage 1).
    Refer estimate / se to the t distribution with `fit.df`.

    Notes
    -----
    HC3: each squared residual is divided by (1 - leverage)^2. Source: MacKinnon JG, White H, Journal of Econometrics
    1985;29:305-325, doi:10.1016/0304-4076(85)90158-7.
    """
    weights = _as_contrasts(np.asarray(contrast)[None], len(fit.coefficients))[0]
    influence = _as_matrix(X, "design") @ fit.unit_covariance @ weights
    slack = 1 - fit.leverage
    slack[slack < RELATIVE_RANK] = np.nan
    se: FloatArray = np.sqrt((influence / slack) ** 2 @ fit.residuals**2)
    return se


def partition_design(X: npt.ArrayLike, contrasts: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Rewrite a design so that the hypothesis is about columns of its own.

    Parameters
    ----------
    X : shape (n, p)
        Design.
    contrasts : shape (q, p), or (p,) for one
        The hypothesis is ``contrasts @ coefficients == 0``.

    Returns
    -------
    Tested columns, shape (n, q), and nuisance columns, shape (n, p - q). Together they span what `X` does, and the
    coefficients of the tested ones are ``contrasts @ coefficients``.

    Notes
    -----
    With C the contrasts: tested = X C^+ (pseudo-inverse), nuisance = X N, where the columns of N span the null space
    of C. A contrast that picks one column gives that column back; it is not made orthogonal to the others. Source:
    Winkler AM et al., NeuroImage 2014;92:381-397, doi:10.1016/j.neuroimage.2014.01.060.

    Examples
    --------
    Difference of two of three groups, each with a column of its own: half the difference of their columns.

    >>> tested, nuisance = partition_design(np.eye(3), [1, -1, 0])
    >>> tested.ravel().round(6).tolist(), nuisance.shape
    ([0.5, -0.5, 0.0], (3, 2))
    """
    design = _as_matrix(X, "design")
    weights = _as_contrasts(contrasts, design.shape[1])
    # Householder reflections leave columns that no contrast weighs alone, so that units do not mix.
    complete, _ = np.linalg.qr(weights.T, mode="complete")
    return design @ np.linalg.pinv(weights), design @ complete[:, len(weights) :]


def _name_dependent(triangle: FloatArray) -> list[int]:
    """Dependent columns of a design from the triangle of its decomposition, columns having length 1."""
    _, singular, directions = np.linalg.svd(triangle)
    singular = np.pad(singular, (0, triangle.shape[1] - len(singular)))
    null = directions[singular <= RELATIVE_RANK * singular.max(initial=0)]
    return [int(column) for column in np.flatnonzero((np.abs(null) > np.sqrt(RELATIVE_RANK)).any(axis=0))]


def _as_matrix(values: npt.ArrayLike, name: str) -> FloatArray:
    """Take a table of finite numbers."""
    matrix = np.asarray(values, dtype=np.float64)
    if matrix.ndim != 2 or not np.isfinite(matrix).all():
        seen = f"{matrix.ndim} axes and {int((~np.isfinite(matrix)).sum())} values that are missing or infinite"
        msg = f"The {name} must be a table (people x columns) of finite numbers; got {seen}. Leave such people out."
        raise DesignError(msg)
    return matrix


def _as_contrasts(values: npt.ArrayLike, n_columns: int) -> FloatArray:
    """Take contrasts, one per row, that fit the design and do not follow from each other."""
    weights = np.atleast_2d(np.asarray(values, dtype=np.float64))
    fits = weights.ndim == 2 and weights.shape[1] == n_columns and len(weights) > 0 and np.isfinite(weights).all()
    if not fits or np.linalg.matrix_rank(weights) < len(weights):
        msg = (
            f"Contrasts need {n_columns} finite weights each, and none may be 0 or follow from the others; got shape "
            f"{weights.shape}: {weights.tolist()}. Write one row per hypothesis."
        )
        raise DesignError(msg)
    return weights
