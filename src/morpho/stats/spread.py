"""Variability and overlap of groups, and the share of variance that a term explains: pure formulas.

Companions of a standardised difference: whether the groups differ in spread, how far they overlap, and how much an F
test explains. Knows no tables or regions.
"""

from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from morpho.errors import DesignError
from morpho.stats.effects import Interval


@dataclass(frozen=True)
class ExplainedVariance:
    """Partial eta squared with its interval, each from 0 to 1."""

    value: float
    ci_low: float
    ci_high: float


def compare_variability(sd_a: float, n_a: int, sd_b: float, n_b: int, confidence: float = 0.95) -> Interval:
    """Compare the spread of two groups as a log ratio of standard deviations.

    Parameters
    ----------
    sd_a, sd_b
        Standard deviations, in one unit, above 0.
    n_a, n_b
        People in each group, at least 2.
    confidence
        Coverage of the interval, between 0 and 1.

    Returns
    -------
    Natural logarithm of the ratio of standard deviations (lnVR), above 0 where group a varies more.

    Raises
    ------
    DesignError
        If a group has fewer than 2 people or no spread.

    Notes
    -----
    Source: Nakagawa S et al., Methods in Ecology and Evolution 2015;6:143-152, doi:10.1111/2041-210X.12309 (``VR`` of
    metafor). ASSUME: normal values; the ratio reacts strongly to outliers. Take standard deviations of residuals if
    covariates differ.

    Examples
    --------
    Equal groups of 51: lnVR = 0, and its variance is 1/100 + 1/100.

    >>> same = compare_variability(2.0, 51, 2.0, 51)
    >>> same.value, round(same.se, 6)
    (0.0, 0.141421)
    """
    if min(n_a, n_b) < 2 or not (sd_a > 0 and sd_b > 0):
        msg = (
            f"A ratio of spreads needs two people and some spread in each group; got standard deviations {sd_a} and "
            f"{sd_b} of {n_a} and {n_b} people. Add people, or look for a volume without any spread."
        )
        raise DesignError(msg)
    corrections = 1 / (2 * (n_a - 1)), 1 / (2 * (n_b - 1))
    value = float(np.log(sd_a / sd_b)) + corrections[0] - corrections[1]
    se = float(np.sqrt(sum(corrections)))
    half = float(stats.norm.ppf(0.5 + confidence / 2)) * se
    return Interval(value, se, value - half, value + half)


def overlap(d: float) -> float:
    """Compute the share of two groups' distributions that overlaps, 2 Phi(-|d|/2), from 0 to 1.

    Notes
    -----
    ASSUME: both groups are normal with one standard deviation, `d` being their difference in it.

    Examples
    --------
    >>> round(overlap(0.2), 3)
    0.92
    """
    return float(2 * stats.norm.cdf(-abs(d) / 2))


def partial_eta_squared(F: float, df1: float, df2: float, confidence: float = 0.95) -> ExplainedVariance:
    """Express an F test as the share of variance that its term explains beyond the others.

    Parameters
    ----------
    F
        F value, 0 or more.
    df1, df2
        Degrees of freedom of the term and of the residual, above 0.
    confidence
        Coverage of the two-sided interval, between 0 and 1.

    Returns
    -------
    ``F df1 / (F df1 + df2)``, with limits from the noncentral F distribution (0 where the data allow no effect).

    Raises
    ------
    DesignError
        If F is negative, infinite or missing, or degrees of freedom are not positive.

    Notes
    -----
    A noncentrality L becomes ``L / (L + df2)``, as in R's effectsize; Steiger's own form divides by L + df1 + df2 + 1
    and is a little smaller. Source: Steiger JH, Psychological Methods 2004;9:164-182,
    doi:10.1037/1082-989X.9.2.164. ASSUME: fixed columns, normal residuals, equally spread.

    Examples
    --------
    F = 4 on 1 and 16 degrees of freedom: 4 / (4 + 16).

    >>> partial_eta_squared(4.0, 1, 16).value
    0.2
    """
    if not (np.isfinite(F) and F >= 0 and df1 > 0 and df2 > 0):
        msg = (
            f"Partial eta squared needs a finite F value from 0 upwards and positive degrees of freedom; got F = {F}, "
            f"{df1}, {df2}. Add people, drop covariates, or look for a volume without any spread."
        )
        raise DesignError(msg)
    tail = (1 - confidence) / 2
    limits = [_solve_noncentrality(F, df1, df2, probability) for probability in (1 - tail, tail)]
    value, low, high = (amount / (amount + df2) for amount in (F * df1, *limits))
    return ExplainedVariance(value, low, high)


def _solve_noncentrality(F: float, df1: float, df2: float, probability: float) -> float:
    """Solve P(F' <= F | noncentrality) = probability; 0 if even no effect makes so large an F that rare."""
    if stats.f.cdf(F, df1, df2) <= probability:
        return 0.0
    reach = F * df1 + 10.0
    while stats.ncf.cdf(F, df1, df2, reach) > probability:
        reach *= 2
    return optimize.brentq(lambda shift: stats.ncf.cdf(F, df1, df2, shift) - probability, 0.0, reach, xtol=1e-10)
