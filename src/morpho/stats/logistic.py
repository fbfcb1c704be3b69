"""Logistic regression that stays finite when a predictor separates the classes: Firth's penalised likelihood.

Takes a yes-or-no outcome and a design matrix and gives log odds ratios with standard errors and profile
intervals. Knows no tables or names of terms.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize, special, stats

from morpho.errors import DesignError

LARGEST_STEP = 5.0  # of a column's coefficient, per root mean square of the column, in one iteration
SMALLEST_GAIN = 1e-12  # of penalised log likelihood that a Newton step promises; the search ends after that step
SMALLEST_CURVATURE = 1e-9
ROUNDING = 1e-12  # loss of penalised log likelihood, relative, that is put down to rounding
TOLERANCE = 1e-9  # of a profile limit, in standard errors
MOST_STEPS = 500
MOST_HALVINGS = 30
MANY = (
    2000  # people beyond which Newton's steps leave the penalty's curvature out: it hardly bends there, and costs most
)
FARTHEST_LIMIT = 2.0**12  # standard errors from the estimate at which the search for a profile limit gives up

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class FirthFit:
    """A fitted penalised logistic model: log odds ratios per unit of each column, and the data it came from."""

    coefficients: Array
    se: Array
    covariance: Array
    penalised_log_likelihood: float
    n_iterations: int
    design: Array
    outcome: Array


@dataclass(frozen=True)
class ProfiledCoefficient:
    """A log odds ratio with its profile interval, likelihood-ratio statistic (1 degree of freedom) and p value."""

    value: float
    ci_low: float
    ci_high: float
    chi2: float
    p: float


def fit_firth(X: npt.ArrayLike, y: npt.ArrayLike) -> FirthFit:
    """Fit a logistic regression by Firth's penalised likelihood.

    Parameters
    ----------
    X : shape (people, columns)
        Design matrix, the constant among its columns.
    y : shape (people,)
        Outcome, 0 or 1.

    Returns
    -------
    Coefficients as log odds ratios, with standard errors from the expected information.

    Raises
    ------
    DesignError
        If numbers are missing, the outcome is not 0 or 1, only one class is present, columns are redundant or as
        many as people, or the iterations do not converge.

    Notes
    -----
    The penalty is Jeffreys' prior; it takes the first-order bias out and gives finite estimates where a predictor
    separates the classes. Sources: Firth D, Biometrika 1993;80:27-38, doi:10.1093/biomet/80.1.27; Heinze G, Schemper
    M, Statistics in Medicine 2002;21:2409-2419, doi:10.1002/sim.1047.

    ASSUME: people are independent, and log odds are linear in the columns.

    Examples
    --------
    One column of ones is a proportion: 3 of 4 become (3 + 1/2) / (4 + 1), so the log odds are log(3.5 / 1.5).

    >>> round(float(fit_firth([[1], [1], [1], [1]], [1, 1, 1, 0]).coefficients[0]), 6)
    0.847298
    """
    design, outcome = np.asarray(X, dtype=np.float64), np.asarray(y, dtype=np.float64)
    _check_data(design, outcome)
    sizes = np.sqrt(np.mean(design**2, axis=0))
    unit_design = design / sizes
    scaled, steps = _climb(unit_design, outcome, np.zeros(len(sizes)), np.ones(len(sizes), dtype=bool))
    covariance = np.linalg.inv(_inform(unit_design, scaled)[1]) / np.outer(sizes, sizes)
    value = _penalise(unit_design, outcome, scaled) + float(np.log(sizes).sum())
    return FirthFit(scaled / sizes, np.sqrt(np.diag(covariance)), covariance, value, steps, design, outcome)


def profile_coefficient(fit: FirthFit, index: int, confidence: float) -> ProfiledCoefficient:
    """Test one coefficient, and find its interval, by the profile of the penalised likelihood.

    Parameters
    ----------
    fit
        A fitted model.
    index
        Which column.
    confidence
        Coverage of the interval, between 0 and 1.

    Returns
    -------
    The coefficient with the values at which twice the loss of penalised log likelihood is just significant, and the
    test of the value 0. Interval and test agree: the interval excludes 0 where p is below 1 - `confidence`.

    Raises
    ------
    DesignError
        If the profile has no limit on one side, or the iterations do not converge.

    Notes
    -----
    The other coefficients are fitted again at each value, with the penalty of the whole model. Preferred to
    estimate +/- 1.96 se, which is wrong under separation. Source: Heinze and Schemper (see `fit_firth`).
    """
    critical = float(stats.chi2.ppf(confidence, 1))
    estimate, se = float(fit.coefficients[index]), float(fit.se[index])

    def lose(value: float) -> float:
        return _lose_likelihood(fit, index, value)

    search = _search_near if len(fit.design) > MANY else _search_between
    try:
        limits = [search(lose, estimate, side * se, critical) for side in (-1.0, 1.0)]
    except _NoLimitError:
        msg = (
            f"The profile of coefficient {index} has no {confidence:.0%} limit within {FARTHEST_LIMIT:g} "
            f"standard errors of {estimate:.4g}. Use fewer columns, or collect more people of the rarer class."
        )
        raise DesignError(msg) from None
    chi2 = lose(0.0)
    return ProfiledCoefficient(estimate, limits[0], limits[1], chi2, float(stats.chi2.sf(chi2, 1)))


class _NoLimitError(Exception):
    """A profile has no limit on one side."""


def _search_between(lose: Callable[[float], float], estimate: float, step: float, critical: float) -> float:
    """Find where a profile has lost the critical amount, between the estimate and ever larger distances from it."""
    distance = 1.0
    while lose(estimate + distance * step) < critical:
        distance *= 2
        if distance > FARTHEST_LIMIT:
            raise _NoLimitError
    far = estimate + distance * step
    return float(optimize.brentq(lambda value: lose(value) - critical, estimate, far, xtol=TOLERANCE * abs(step)))


def _search_near(lose: Callable[[float], float], estimate: float, step: float, critical: float) -> float:
    """Find the same limit from where it would be if the profile were a parabola, as it nearly is with many people."""
    near, target = estimate + np.sqrt(critical) * step, np.sqrt(critical)
    value, found = optimize.newton(
        lambda place: np.sqrt(lose(place)) - target,
        near,
        x1=near + 0.01 * step,
        tol=TOLERANCE * abs(step),
        full_output=True,
        disp=False,
    )
    is_limit = found.converged and (value - estimate) / step > 0
    return float(value) if is_limit else _search_between(lose, estimate, step, critical)


def _check_data(design: Array, outcome: Array) -> None:
    """Refuse data that no logistic model can be fitted to."""
    n, columns = design.shape
    classes = np.unique(outcome).tolist()
    problem = ""
    if not (np.isfinite(design).all() and np.isfinite(outcome).all()):
        problem = "some numbers are missing or infinite; leave out those people"
    elif classes != [0.0, 1.0]:
        problem = f"the outcome has the values {classes[:5]}; it needs both 0 and 1 and nothing else"
    elif columns >= n:
        problem = f"{columns} columns for {n} people; it needs fewer columns than people, so drop columns"
    elif np.linalg.matrix_rank(design / np.maximum(np.abs(design).max(axis=0), 1e-300)) < columns:
        problem = f"some of the {columns} columns are redundant; drop those that others determine"
    if problem:
        msg = f"The logistic model cannot be fitted: {problem}."
        raise DesignError(msg)


def _inform(X: Array, coefficients: Array) -> tuple[Array, Array]:
    """Probability of each person and expected information of the coefficients."""
    log_odds = X @ coefficients
    probability = special.expit(log_odds)
    return probability, (X.T * (probability * special.expit(-log_odds))) @ X


def _penalise(X: Array, y: Array, coefficients: Array) -> float:
    """Log likelihood plus half the log determinant of the information; minus infinity where that is singular."""
    log_odds = X @ coefficients
    sign, log_determinant = np.linalg.slogdet(_inform(X, coefficients)[1])
    likelihood = float(special.log_expit(np.where(y == 1, log_odds, -log_odds)).sum())
    return likelihood + float(log_determinant) / 2 if sign > 0 else -np.inf


def _climb(X: Array, y: Array, start: Array, is_free: npt.NDArray[np.bool_]) -> tuple[Array, int]:
    """Maximise the penalised likelihood over the free coefficients; the number of iterations comes second."""
    place, value = start.copy(), _penalise(X, y, start)
    corner = np.ix_(is_free, is_free)
    for iteration in range(MOST_STEPS if np.isfinite(value) else 0):
        score, curvature = _differentiate(X, y, place)
        # Newton's step; where the penalised likelihood is not concave, turned round so that it still climbs.
        bends, directions = np.linalg.eigh(curvature[corner])
        climb = directions.T @ score[is_free] / np.maximum(np.abs(bends), SMALLEST_CURVATURE)
        step = np.zeros(len(place))
        step[is_free] = directions @ climb
        gain = float(score[is_free] @ step[is_free])
        step *= min(1.0, LARGEST_STEP / max(float(np.abs(step).max()), LARGEST_STEP))
        for _ in range(MOST_HALVINGS):
            new_value = _penalise(X, y, place + step)
            if new_value >= value - ROUNDING * (1 + abs(value)):
                break
            step /= 2
        place, value = place + step, new_value
        if gain < SMALLEST_GAIN and bends.min(initial=1.0) > 0:
            return place, iteration + 1
    msg = (
        f"The penalised logistic model did not converge within {MOST_STEPS} iterations (penalised log likelihood "
        f"{value:.4g}). Use fewer columns, or look for extreme values in them."
    )
    raise DesignError(msg)


def _differentiate(X: Array, y: Array, place: Array) -> tuple[Array, Array]:
    """Slope of the penalised log likelihood, and minus its curvature (of the likelihood alone with `MANY` people)."""
    probability, information = _inform(X, place)
    weight, tilt = probability * special.expit(-X @ place), 0.5 - probability
    inverse = np.linalg.inv(information)
    XI = X @ inverse
    leverage = weight * np.einsum("ij,ij->i", XI, X)
    score = X.T @ (y - probability + leverage * tilt)
    if len(X) > MANY:
        return score, information
    # Leverages change with the weights (whose slope is 2 weight tilt), directly and through the information.
    turns = np.einsum("i,ij,ik,il->ljk", 2 * weight * tilt, X, X, X, optimize=True)
    leverage_slopes = 2 * (leverage * tilt)[:, None] * X - weight[:, None] * np.einsum(
        "ij,ljk,ik->il", XI, turns, XI, optimize=True
    )
    curvature = information + X.T @ ((leverage * weight)[:, None] * X - tilt[:, None] * leverage_slopes)
    return score, curvature


def _lose_likelihood(fit: FirthFit, index: int, value: float) -> float:
    """Twice the penalised log likelihood that is lost when one coefficient is held at a value."""
    sizes = np.sqrt(np.mean(fit.design**2, axis=0))
    direction = fit.covariance[:, index] / fit.covariance[index, index]
    start = (fit.coefficients + direction * (value - fit.coefficients[index])) * sizes
    X = fit.design / sizes
    if not np.isfinite(_penalise(X, fit.outcome, start)):
        start = np.where(np.arange(len(sizes)) == index, value * sizes, 0.0)
    held = _climb(X, fit.outcome, start, np.arange(len(sizes)) != index)[0]
    best = fit.penalised_log_likelihood - float(np.log(sizes).sum())
    return max(0.0, 2 * (best - _penalise(X, fit.outcome, held)))
