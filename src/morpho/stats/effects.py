"""Effect sizes with their intervals, and correction for several tests: pure formulas.

Takes the numbers of a fitted model (a t value, its degrees of freedom, its place in the design) and gives what a
reader can compare between studies. Knows no tables, regions or participants; fits nothing. A t value that is not
finite, or too few degrees of freedom, raises `DesignError` throughout.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import optimize, special, stats
from statsmodels.stats.multitest import multipletests

from morpho.errors import DesignError

ENIGMA_QUANTILE = 1.96  # the literal of the consortium's script, whatever the configured confidence

Correction = Literal["fdr_bh", "fdr_by", "holm", "bonferroni"]


@dataclass(frozen=True)
class StandardisedDifference:
    """A difference in residual standard deviations: Cohen's d and Hedges' g, each with its exact interval."""

    d: float
    d_ci_low: float
    d_ci_high: float
    g: float
    g_ci_low: float
    g_ci_high: float


@dataclass(frozen=True)
class Interval:
    """An estimate with its standard error and confidence interval (`se` of a correlation is that of its Fisher z)."""

    value: float
    se: float
    ci_low: float
    ci_high: float


def correct_small_sample(df: float) -> float:
    """Compute the factor J that takes the upward bias out of a standardised difference.

    Parameters
    ----------
    df
        Residual degrees of freedom of the standard deviation that d was divided by, above 1.

    Returns
    -------
    J, between 0 and 1; g = J * d.

    Notes
    -----
    Exact form, gamma(df/2) / (sqrt(df/2) gamma((df-1)/2)); 1 - 3/(4 df - 1) approximates it. Source: Hedges LV,
    Journal of Educational Statistics 1981;6:107-128, doi:10.3102/10769986006002107.

    Examples
    --------
    With df = 4: gamma(2) / (sqrt(2) gamma(1.5)) = 1 / (1.41421 * 0.886227) = 0.797885.

    >>> round(correct_small_sample(4), 6)
    0.797885
    """
    _check_numbers(t=0.0, df=df, above=1)
    log_ratio = special.gammaln(df / 2) - special.gammaln((df - 1) / 2)
    return float(np.exp(log_ratio - np.log(df / 2) / 2))


def invert_noncentral_t(t: float, df: float, confidence: float) -> tuple[float, float]:
    """Find the noncentralities under which the observed t value would be just too high or just too low.

    Parameters
    ----------
    t, df
        Observed t value and its degrees of freedom, above 0.
    confidence
        Coverage, between 0 and 1.

    Returns
    -------
    Lower and upper limit of the noncentrality (no unit).

    Notes
    -----
    Source: Steiger JH, Fouladi RT, in: Harlow LL et al. (eds), What if there were no significance tests?, Erlbaum
    1997, 221-257. A negative t is solved as its mirror image, because scipy's distribution function gives NaN far
    out on the opposite side of a negative t.

    Examples
    --------
    At t = 0 the noncentral t distribution is a shifted normal one: the 95 % limits are -1.96 and 1.96.

    >>> [round(limit, 2) for limit in invert_noncentral_t(0.0, 20, 0.95)]
    [-1.96, 1.96]
    """
    _check_numbers(t=t, df=df, above=0)
    tail = (1 - confidence) / 2
    limits = [_solve_noncentrality(abs(t), df, probability) for probability in (1 - tail, tail)]
    return (limits[0], limits[1]) if t >= 0 else (-limits[1], -limits[0])


def standardise_difference(t: float, df: float, unit_variance: float, confidence: float) -> StandardisedDifference:
    """Express an adjusted difference in residual standard deviations: Cohen's d, Hedges' g, exact intervals.

    ``d = t sqrt(v)`` is the estimate over the residual standard deviation. The shortcut ``t sqrt(1/n1 + 1/n2)``
    equals it only without covariates, and is too small when groups differ in a covariate.

    Parameters
    ----------
    t, df
        t value of the difference in its model, and residual degrees of freedom, above 1.
    unit_variance
        v = c'(X'X)^-1 c, the variance of the difference when the residual variance is 1.
    confidence
        Coverage of the intervals, between 0 and 1.

    Returns
    -------
    d and g with exact intervals (noncentral t), in residual standard deviations.

    Notes
    -----
    ASSUME: residuals are normal and equally spread in both groups. The residual standard deviation leaves out what
    covariates explain, so g is larger than a difference over the raw standard deviation. Source: Nakagawa S,
    Cuthill IC, Biological Reviews 2007;82:591-605, doi:10.1111/j.1469-185X.2007.00027.x.

    Examples
    --------
    Two groups of 8, no covariates: v = 1/8 + 1/8 = 0.25, so t = 3 is d = 3 * 0.5 = 1.5.

    >>> standardise_difference(3.0, 14, 0.25, 0.95).d
    1.5
    """
    scale, correction = float(np.sqrt(unit_variance)), correct_small_sample(df)
    d, low, high = (scale * value for value in (t, *invert_noncentral_t(t, df, confidence)))
    return StandardisedDifference(d, low, high, correction * d, correction * low, correction * high)


def standardise_as_enigma(t: float, df: float, n_reference: int, n_comparison: int) -> Interval:
    """Express an adjusted difference as the ENIGMA consortium does, for comparison with its published tables.

    Parameters
    ----------
    t, df
        t value of the group term, and residual degrees of freedom, above 0.
    n_reference, n_comparison
        People in each group.

    Returns
    -------
    d, its standard error and its 95 % interval d +/- 1.96 se (always 95 %, as published).

    Notes
    -----
    ``d = t (n1+n2) / (sqrt(n1 n2) sqrt(df))``, ``se = sqrt((n1+n2)/(n1 n2) + d^2/(2(n1+n2-2)))``: Nakagawa and
    Cuthill (see `standardise_difference`), as coded in the consortium's ``mass_uv_regr.R``. It overlooks covariates
    that differ between groups and is inflated by sqrt(N/df); Hedges' g is the primary figure here.

    Examples
    --------
    Eight and eight people, t = 3, df = 9: d = 3 * 16 / (8 * 3) = 2; se = sqrt(16/64 + 4/28) = 0.626783.

    >>> enigma = standardise_as_enigma(3.0, 9, 8, 8)
    >>> enigma.value, round(enigma.se, 6)
    (2.0, 0.626783)
    """
    n, product = n_reference + n_comparison, n_reference * n_comparison
    d = t * n / float(np.sqrt(product) * np.sqrt(df))
    se = float(np.sqrt(n / product + d**2 / (2 * (n - 2))))
    return Interval(d, se, d - ENIGMA_QUANTILE * se, d + ENIGMA_QUANTILE * se)


def correlate_partially(t: float, df: float, confidence: float) -> Interval:
    """Turn the t value of a slope into the partial correlation of predictor and outcome.

    Parameters
    ----------
    t, df
        t value of the slope, all other terms being in the model, and residual degrees of freedom, above 1.
    confidence
        Coverage of the interval, between 0 and 1.

    Returns
    -------
    r = t / sqrt(t^2 + df), -1 to 1, with its Fisher-z interval; `se` is that of z.

    Notes
    -----
    The standard error of z is 1/sqrt(n - k - 3) with k partialled columns (Fisher RA, Metron 1924;3:329-332);
    n - k - 2 is `df`, hence 1/sqrt(df - 1). Site columns count among the k.

    Examples
    --------
    t = 3 on 16 degrees of freedom: r = 3 / sqrt(9 + 16) = 0.6.

    >>> correlate_partially(3.0, 16, 0.95).value
    0.6
    """
    _check_numbers(t=t, df=df, above=1)
    z = float(np.arcsinh(t / np.sqrt(df)))  # = arctanh(r), and exact where r rounds to 1
    se = 1 / float(np.sqrt(df - 1))
    half = float(stats.norm.ppf(0.5 + confidence / 2)) * se
    return Interval(t / float(np.sqrt(t**2 + df)), se, float(np.tanh(z - half)), float(np.tanh(z + half)))


def adjust_p(p: npt.ArrayLike, method: Correction = "fdr_bh") -> npt.NDArray[np.float64]:
    """Correct the p values of one family of tests for their number.

    Parameters
    ----------
    p : shape (tests,)
        p values, 0 to 1; NaN for a test that was planned but could not be made.
    method
        Benjamini-Hochberg (false discovery rate), Benjamini-Yekutieli, Holm or Bonferroni.

    Returns
    -------
    Adjusted p values, shape (tests,); NaN where `p` is.

    Notes
    -----
    The size of the family stays what was planned: a test that was refused counts as p = 1, so that a region that
    failed never makes the others look better. This equals R's ``p.adjust(p, method, n = length(p))``. Source:
    Benjamini Y, Hochberg Y, Journal of the Royal Statistical Society B 1995;57:289-300.

    Examples
    --------
    Three planned tests, one refused: 0.01 * 3 / 1 = 0.03 and 0.04 * 3 / 2 = 0.06.

    >>> adjust_p([0.01, 0.04, float("nan")]).round(6).tolist()
    [0.03, 0.06, nan]
    """
    values = np.asarray(p, dtype=np.float64)
    missing = np.isnan(values)
    if missing.all():
        return values.copy()
    planned = np.where(missing, 1.0, values)
    if method == "holm":  # statsmodels collects garbage in this branch, which takes a thousand times as long
        order = np.argsort(planned)
        stepped = np.maximum.accumulate(planned[order] * np.arange(len(planned), 0, -1))
        adjusted = np.empty_like(planned)
        adjusted[order] = np.minimum(stepped, 1.0)
    else:
        adjusted = multipletests(planned, method=method)[1]
    return np.where(missing, np.nan, adjusted)


def _solve_noncentrality(t: float, df: float, probability: float) -> float:
    """Solve P(T <= t | noncentrality) = probability, for t from 0 upwards."""
    reach = t + 10 * float(np.sqrt(1 + t**2 / (2 * df))) + 10  # ten standard errors of the noncentrality, and more

    def miss(shift: float) -> float:
        below = float(stats.nct.cdf(t, df, shift))
        if np.isnan(below):  # scipy's answer far out, where the probability is 0 or 1
            below = float(shift < t)
        return below - probability

    return optimize.brentq(miss, -reach, reach, xtol=1e-11)


def _check_numbers(*, t: float, df: float, above: int) -> None:
    """Refuse a t value that is not finite, and too few degrees of freedom (or people)."""
    if not (np.isfinite(t) and df > above):
        msg = (
            f"An effect size needs a finite t value and more than {above} degrees of freedom (or people per group); "
            f"got t = {t}, {df}. Add people, drop covariates, or look for a volume without any spread."
        )
        raise DesignError(msg)
