"""Normative deviation: how far a single person lies from what controls of their age, sex and head size have.

Takes volumes and a design matrix of controls, and gives z scores of other people and of the controls themselves,
for many regions at once. A z score is no diagnosis: 5 % of healthy people lie beyond 1.96 in every region, and far
more in at least one of many. Compare people with controls scored by `score_controls`, not with 5 %.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import linalg, stats

from morpho.errors import DesignError

EXTREME_Z = 1.96
FEWEST_CONTROLS = 25
FEWEST_SCORES = 3  # of a test of normality
MOST_SCORES = 5000  # up to which the p value of Shapiro and Wilk's test is accurate
NEGLIGIBLE = 1e-12  # a spread below this share of the size of the values is rounding

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Norm:
    """Linear regression of controls, for one region or for many.

    coefficients : shape (columns,) or (columns, regions)
        In units of the volumes per unit of the column.
    residual_sd : shape () or (regions,)
        Standard deviation around the expected volume, in units of the volumes.
    df
        Residual degrees of freedom.
    residuals : shape (controls,) or (controls, regions)
        Observed less expected volumes.
    leverage : shape (controls,)
        Diagonal of the hat matrix, 0 to 1.
    triangle : shape (columns, columns)
        R of the QR decomposition of the design matrix.
    """

    coefficients: FloatArray
    residual_sd: FloatArray
    df: int
    residuals: FloatArray
    leverage: FloatArray
    triangle: FloatArray


@dataclass(frozen=True)
class Calibration:
    """How z scores compare with a standard normal distribution: mean 0, sd 1, 5 % beyond 1.96.

    `n` scores were there; `share_beyond` (0 to 1) lie beyond 1.96 on either side; `p_normal` is the p value of Shapiro
    and Wilk's test of their shape, NaN for more than 5000 scores.
    """

    n: int
    mean: float
    sd: float
    share_beyond: float
    p_normal: float


def fit_norm(y: npt.ArrayLike, X: npt.ArrayLike, min_controls: int = FEWEST_CONTROLS) -> Norm:
    """Fit what is expected of a person, from controls.

    Parameters
    ----------
    y : shape (controls,) or (controls, regions)
        Volumes of controls.
    X : shape (controls, columns)
        Their design matrix, with its intercept column (or columns that add up to one).
    min_controls
        Fewest controls.

    Returns
    -------
    The norm, for `score_people` and `score_controls`.

    Raises
    ------
    DesignError
        If there are too few controls; if rows of `y` and `X` differ in number; if a value is missing; if the columns
        of `X` follow from each other or lack an intercept; if a region has no spread around its expected volume.

    Notes
    -----
    ASSUME: residuals are normal, with one standard deviation at all ages and head sizes and in both sexes.
    """
    volumes, design = np.asarray(y, dtype=np.float64), np.asarray(X, dtype=np.float64)
    _check_controls(volumes, design, min_controls)
    Q, triangle = np.linalg.qr(design)
    coefficients = linalg.solve_triangular(triangle, Q.T @ volumes)
    residuals = volumes - Q @ (Q.T @ volumes)
    df = len(design) - design.shape[1]
    residual_sd = np.sqrt((residuals**2).sum(axis=0) / df)
    flat = np.flatnonzero(residual_sd <= NEGLIGIBLE * np.abs(volumes).max(axis=0))
    if flat.size:
        msg = (
            f"A norm needs volumes that differ between controls of one age, sex and head size; regions {flat.tolist()} "
            "(counted from 0) have no spread. Leave them out."
        )
        raise DesignError(msg)
    return Norm(coefficients, residual_sd, df, residuals, (Q**2).sum(axis=1), triangle)


def score_people(norm: Norm, y: npt.ArrayLike, X: npt.ArrayLike) -> FloatArray:
    """Score how far people who are not among the controls lie from what is expected of them.

    Parameters
    ----------
    norm
        What `fit_norm` gave.
    y : shape (people,) or (people, regions)
        Their volumes, with the regions of the norm; NaN where there is none.
    X : shape (people, columns)
        Their design matrix, with the columns of the norm. The norm says little about people older or
        younger than all controls.

    Returns
    -------
    z, of the shape of `y`; negative below expectation, NaN where `y` is.

    Raises
    ------
    DesignError
        If the shapes do not fit the norm, a value of `X` is missing, or a volume is infinite.

    Notes
    -----
    ``t = (y - expected) / (s sqrt(1 + h))`` allows for the uncertainty of the expected volume (h is the leverage of
    the person) and follows, for healthy people, the t distribution on n - columns degrees of freedom. The z given is
    its normal equivalent, with the same centile, so that it is calibrated for few controls too. Its magnitude ends at
    37.5, where the tail probability is too small for a computer. Source: Crawford JR, Garthwaite PH,
    Neuropsychology 2006;20:259-271, doi:10.1037/0894-4105.20.3.259.
    """
    volumes, design = np.asarray(y, dtype=np.float64), np.asarray(X, dtype=np.float64)
    expected_shape = (len(volumes), *norm.coefficients.shape[1:])
    if volumes.shape != expected_shape or design.shape != (len(volumes), len(norm.triangle)):
        msg = (
            f"The norm has {len(norm.triangle)} columns and regions of shape {norm.coefficients.shape[1:]}; got "
            f"volumes of shape {volumes.shape} and a design matrix of shape {design.shape}. Give those of the norm."
        )
        raise DesignError(msg)
    broken = np.flatnonzero(~np.isfinite(design).all(axis=1) | np.isinf(volumes).reshape(len(volumes), -1).any(axis=1))
    if broken.size:
        msg = (
            "A person is scored at a known age, sex and so on, from a finite volume; people "
            f"{broken.tolist()} (counted from 0) lack these. Leave them out, or set their volumes to NaN."
        )
        raise DesignError(msg)
    leverage = (linalg.solve_triangular(norm.triangle, design.T, trans="T") ** 2).sum(axis=0)
    spread = np.multiply.outer(np.sqrt(1 + leverage), norm.residual_sd)
    return _normal_equivalent((volumes - design @ norm.coefficients) / spread, norm.df)


def score_controls(norm: Norm) -> FloatArray:
    """Score each control as a new person would be, from the norm of all other controls (leave one out).

    Returns
    -------
    z, shape (controls,) or (controls, regions). NaN for a control with leverage 1, such as the only one of a site,
    because the others say nothing about what is expected of them.

    Notes
    -----
    Plain residuals make controls look too normal, because each control drew the fit towards them. The externally
    studentised residual is the t of `score_people` after a fit without the person, in one step, on one degree of
    freedom less. Source: Cook RD, Weisberg S, Residuals and influence in regression, Chapman and Hall 1982.
    """
    rest = 1 - norm.leverage
    rest = np.where(rest > 1e-10, rest, np.nan).reshape(-1, *[1] * (norm.residuals.ndim - 1))
    total = norm.residual_sd**2 * norm.df
    squares = np.maximum(total - norm.residuals**2 / rest, 1e-15 * total)  # sum of squares without the control
    t = norm.residuals / np.sqrt(squares / (norm.df - 1) * rest)
    return _normal_equivalent(t, norm.df - 1)


def find_centiles(z: npt.ArrayLike) -> FloatArray:
    """Give the centiles of z scores among healthy people of the same age, sex and head size, 0 to 100.

    >>> find_centiles([-1.645, 0.0, 1.645]).round(1).tolist()
    [5.0, 50.0, 95.0]
    """
    return np.asarray(100 * stats.norm.cdf(np.asarray(z, dtype=np.float64)), dtype=np.float64)


def check_calibration(z: npt.ArrayLike) -> Calibration:
    """Describe how z scores of healthy people in one region depart from a standard normal distribution.

    Parameters
    ----------
    z : shape (people,)
        Scores of controls, from `score_controls` or of controls left out of the norm; NaN is passed over.

    Returns
    -------
    Number, mean, standard deviation, share beyond 1.96, p of normality: see `Calibration`.

    Raises
    ------
    DesignError
        If `z` has several columns, or fewer than three scores, or only equal ones.

    Notes
    -----
    Scores from one norm are slightly dependent, so that the p value is a guide. Source: Shapiro SS, Wilk MB,
    Biometrika 1965;52:591-611, doi:10.1093/biomet/52.3-4.591.
    """
    values = np.asarray(z, dtype=np.float64)
    scores = values[np.isfinite(values)]
    if values.ndim != 1 or scores.size < FEWEST_SCORES or np.ptp(scores) == 0:
        msg = (
            f"Calibration is checked on at least {FEWEST_SCORES} scores of one region that are not all equal; got "
            f"{scores.size} in an array of shape {values.shape}. Give one region at a time, and more controls."
        )
        raise DesignError(msg)
    share_beyond = float((np.abs(scores) > EXTREME_Z).mean())
    p_normal = float(stats.shapiro(scores).pvalue) if scores.size <= MOST_SCORES else np.nan
    return Calibration(scores.size, float(scores.mean()), float(scores.std(ddof=1)), share_beyond, p_normal)


def _normal_equivalent(t: FloatArray, df: int) -> FloatArray:
    """Give the normal scores with the centiles of t values; the tail nearer to the value is used, for precision."""
    tail = np.maximum(stats.t.sf(np.abs(t), df), np.finfo(np.float64).tiny)
    return np.asarray(np.sign(t) * stats.norm.isf(tail), dtype=np.float64)


def _check_controls(y: FloatArray, X: FloatArray, min_controls: int) -> None:
    """Refuse controls from whom no norm can be fitted."""
    if y.ndim not in {1, 2} or X.ndim != 2 or len(y) != len(X):
        msg = (
            f"A norm needs volumes and a design matrix with one row per control; got shapes {y.shape} and {X.shape}. "
            "Make both tables from the same controls."
        )
        raise DesignError(msg)
    fewest = max(min_controls, X.shape[1] + 2)
    if len(X) < fewest:
        msg = (
            f"A norm with {X.shape[1]} columns needs at least {fewest} controls; got {len(X)}. Add controls, or report "
            "groups and no single people."
        )
        raise DesignError(msg)
    missing = int((~np.isfinite(y)).sum()), int((~np.isfinite(X)).sum())
    if any(missing):
        msg = (
            f"A norm needs complete controls; {missing[0]} volumes and {missing[1]} values of the design matrix are "
            "missing or not finite. Leave out controls or regions that have them."
        )
        raise DesignError(msg)
    scaled = X / np.where((X != 0).any(axis=0), np.sqrt((X**2).sum(axis=0)), 1.0)
    ranks = [np.linalg.matrix_rank(table, tol=1e-9) for table in (scaled, np.column_stack([scaled, np.ones(len(X))]))]
    if ranks != [X.shape[1]] * 2:
        msg = (
            f"The design matrix of a norm has {X.shape[1]} columns of rank {ranks[0]}, and of rank {ranks[1]} with an "
            "intercept; both must be the number of columns. Drop columns that follow from others, or add the intercept."
        )
        raise DesignError(msg)
