"""Evidence for the absence of a difference: Bayes factors and equivalence bounds of one t value.

Takes the t value of a fitted contrast, its degrees of freedom and its variance per unit residual variance, so that
two groups, pairs and adjusted differences are one case. Knows no tables or regions.
"""

from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from morpho.errors import DesignError
from morpho.stats.effects import correct_small_sample, standardise_difference

DEFAULT_PRIOR_SCALE = float(np.sqrt(2) / 2)  # half of all true differences within +/- 0.707 standard deviations
GRID_STEP = 0.01  # of log g; the sum over the grid is then exact to rounding
LOWEST_LOG_G = -8.0  # the prior of g is below 1e-600 there
GRID_MARGIN = 45.0  # of log g above the place where data or prior put it; the rest is below 1e-19


@dataclass(frozen=True)
class Equivalence:
    """Interval of Hedges' g, whether it lies within the bounds, and p values of the two one-sided tests.

    `p_lower` tests that the true difference is at or below the lower bound, `p_upper` that it is at or above the
    upper one; `p` is the larger.
    """

    g_low: float
    g_high: float
    is_equivalent: bool
    p_lower: float
    p_upper: float
    p: float


def jzs_log_bayes_factor(t: float, n_effective: float, df: float, prior_scale: float = DEFAULT_PRIOR_SCALE) -> float:
    """Compute the natural logarithm of the JZS Bayes factor in favour of a difference (see `jzs_bayes_factor`).

    Parameters
    ----------
    t, n_effective, df, prior_scale
        As for `jzs_bayes_factor`.

    Returns
    -------
    log BF10: positive for a difference, negative for none.

    Raises
    ------
    DesignError
        If a number is missing, infinite, or not positive where it must be.
    """
    numbers = {"n_effective": n_effective, "df": df, "prior_scale": prior_scale}
    if not np.isfinite(t) or any(not (np.isfinite(value) and value > 0) for value in numbers.values()):
        msg = f"A Bayes factor needs a finite t value and positive numbers; got t = {t}, {numbers}. Check the model."
        raise DesignError(msg)
    unit = n_effective * prior_scale**2
    top = max(0.0, float(np.log(max(t**2, 1e-300) / unit))) + GRID_MARGIN
    log_g = np.arange(LOWEST_LOG_G, top, GRID_STEP)
    spread = np.logaddexp(0.0, np.log(unit) + log_g)  # log(1 + n g r^2)
    log_likelihood = -spread / 2 - (df + 1) / 2 * np.log1p(t**2 / df * np.exp(-spread))
    # Inverse chi-squared prior of g with 1 degree of freedom, times g for steps in log g.
    log_prior = -0.5 * np.log(2 * np.pi) - log_g / 2 - np.exp(-log_g) / 2
    log_null = -(df + 1) / 2 * np.log1p(t**2 / df)
    return float(special.logsumexp(log_likelihood + log_prior) + np.log(GRID_STEP) - log_null)


def jzs_bayes_factor(t: float, n_effective: float, df: float, prior_scale: float = DEFAULT_PRIOR_SCALE) -> float:
    """Compute the Bayes factor for a difference against none, with the default (JZS) prior.

    Parameters
    ----------
    t, df
        t value of the contrast and its degrees of freedom.
    n_effective
        1/v with v = c'(X'X)^-1 c: n1 n2/(n1 + n2) for two groups, n for pairs, and less with covariates.
    prior_scale
        Scale r of the Cauchy prior of the standardised difference; half of the prior lies within +/- r.

    Returns
    -------
    BF10; 1/BF10 is the evidence for no difference. Infinite where it exceeds the largest float (use
    `jzs_log_bayes_factor`).

    Notes
    -----
    Source: Rouder JN et al., Psychonomic Bulletin & Review 2009;16:225-237, doi:10.3758/PBR.16.2.225. With covariates
    ``n_effective = 1/v`` extends it. ASSUME: normal residuals, equally spread; flat priors of covariates and of the
    log residual variance. Report several prior scales, since the result depends on them.

    Examples
    --------
    t = 3.5 of 20 people measured twice, r = 0.707; pingouin's tests have 17.185.

    >>> round(jzs_bayes_factor(3.5, 20, 19, 0.707), 3)
    17.185
    """
    with np.errstate(over="ignore"):
        return float(np.exp(jzs_log_bayes_factor(t, n_effective, df, prior_scale)))


def bound_effect(t: float, df: float, unit_variance: float, bound: float, *, alpha: float = 0.05) -> Equivalence:
    """Decide whether a difference is shown to be smaller than a bound, by two one-sided tests.

    Parameters
    ----------
    t, df
        t value of the difference in its model, and residual degrees of freedom, above 1.
    unit_variance
        v = c'(X'X)^-1 c, the variance of the difference when the residual variance is 1.
    bound
        Smallest difference of interest, as Hedges' g (positive); the bounds are -`bound` and `bound`.
    alpha
        Level of each one-sided test, below 0.5. The interval has confidence 1 - 2 `alpha` (90 % for 0.05).

    Returns
    -------
    Interval, decision and p values. They agree: the decision is positive exactly where p is below `alpha`.

    Raises
    ------
    DesignError
        If the bound is not positive, or `alpha` not between 0 and 0.5.

    Notes
    -----
    The bound is in residual standard deviations, which are estimated; the tests therefore use the noncentral t
    distribution at noncentrality ``bound / (J sqrt(v))``, with J of `correct_small_sample`, and not a shifted central
    one. J makes p values and the interval of g (J times that of d) tell the same. Sources: Schuirmann DJ, Journal of
    Pharmacokinetics and Biopharmaceutics 1987;15:657-680, doi:10.1007/BF01068419; Lakens D, Social Psychological and
    Personality Science 2017;8:355-362, doi:10.1177/1948550617697177. ASSUME: residuals are normal, equally spread.

    Examples
    --------
    No difference at all between groups of 200: g within +/- 0.2 is shown (p = 0.023).

    >>> shown = bound_effect(0.0, 398, 0.01, 0.2)
    >>> shown.is_equivalent, round(shown.p, 3)
    (True, 0.023)
    """
    if not (bound > 0 and 0 < alpha < 0.5):
        msg = (
            f"An equivalence test needs a bound above 0 (as Hedges' g) and alpha between 0 and 0.5; got {bound} and "
            f"{alpha}. A usual choice is 0.2 and 0.05."
        )
        raise DesignError(msg)
    interval = standardise_difference(t, df, unit_variance, 1 - 2 * alpha)
    shift = bound / (correct_small_sample(df) * float(np.sqrt(unit_variance)))
    p_lower, p_upper = _fall_below(-t, df, shift), _fall_below(t, df, shift)
    p = max(p_lower, p_upper)
    return Equivalence(interval.g_ci_low, interval.g_ci_high, p < alpha, p_lower, p_upper, p)


def _fall_below(t: float, df: float, shift: float) -> float:
    """P(T <= t) of the noncentral t distribution with a positive noncentrality.

    scipy gives NaN far out on the negative side. The smaller of P(T <= t) without shift and P(Z <= -shift) is then
    taken; both are above the true value.
    """
    probability = float(stats.nct.cdf(t, df, shift))
    if np.isfinite(probability):
        return probability
    return float(min(stats.t.cdf(t, df), stats.norm.cdf(-shift))) if t <= 0 else 1.0
