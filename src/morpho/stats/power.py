"""Power and sample size of a difference between two groups and of a partial correlation: pure formulas.

Takes numbers of people and an effect and gives the probability of finding it, or takes that probability and gives the
smallest effect or the number of people. Knows no tables and looks at no result.
"""

import math
from collections.abc import Callable

from scipy import optimize, stats

from morpho.errors import DesignError

LARGEST_G = 100.0  # beyond any effect
MOST_PEOPLE = 10_000_000


def power_of_difference(
    g: float, n_reference: int, n_comparison: int, *, df: int, alpha: float, vif: float = 1.0
) -> float:
    """Probability that a two-sided t test of two groups finds a true difference, in its direction.

    Parameters
    ----------
    g
        True difference in residual standard deviations.
    n_reference, n_comparison
        People in each group.
    df
        Residual degrees of freedom, at least 1.
    alpha
        Level of the test.
    vif
        Variance inflation of group by the covariates; 1 where groups are balanced in all of them.

    Returns
    -------
    Power, 0 to 1.

    Notes
    -----
    ASSUME: residuals are normal and equally spread. Source: Cohen J, Statistical power analysis for the behavioral
    sciences, 2nd ed. 1988; the noncentrality is g / sqrt(vif (1/n1 + 1/n2)).
    """
    critical = float(stats.t.isf(alpha / 2, df))
    shift = abs(g) / math.sqrt(vif * (1 / n_reference + 1 / n_comparison))
    missed = float(stats.nct.cdf(critical, df, shift))
    return 1.0 if math.isnan(missed) else 1 - missed  # scipy: NaN at some shifts above 38, where it is below 1e-60


def detect_difference(
    n_reference: int, n_comparison: int, *, df: int, alpha: float, power: float, vif: float = 1.0
) -> float:
    """Find the smallest g that `power_of_difference` gives the wanted power.

    Without covariates this is the power of a t test of two groups.
    """
    _check_size(min(n_reference, n_comparison), df)

    def excess(g: float) -> float:
        return power_of_difference(g, n_reference, n_comparison, df=df, alpha=alpha, vif=vif) - power

    return float(optimize.brentq(excess, 0.0, LARGEST_G, xtol=1e-10))


def people_for_difference(g: float, *, alpha: float, power: float, n_covariates: int = 0) -> float:
    """Find how many people each of two equal groups needs to find a true difference.

    Parameters
    ----------
    g
        Expected difference in residual standard deviations.
    alpha, power
        Level of the test, and wanted probability of finding the difference.
    n_covariates
        Columns of the design besides intercept and group.

    Returns
    -------
    Whole number per group; infinity above ten million.

    Examples
    --------
    Cohen's table: a difference of 0.5 takes 64 per group.

    >>> people_for_difference(0.5, alpha=0.05, power=0.80)
    64.0
    """

    def has_power(n: int) -> bool:
        df = 2 * n - 2 - n_covariates
        return df >= 1 and power_of_difference(g, n, n, df=df, alpha=alpha) >= power

    return _smallest_number(has_power, 2)


def power_of_correlation(r: float, *, df: float, alpha: float) -> float:
    """Probability that a test of a partial correlation finds a true one, by Fisher's z with error 1 / sqrt(df - 1)."""
    shift = abs(math.atanh(r)) * math.sqrt(df - 1)
    return float(stats.norm.sf(stats.norm.isf(alpha / 2) - shift))


def detect_correlation(*, df: float, alpha: float, power: float) -> float:
    """Find the smallest partial correlation that `power_of_correlation` gives the wanted power.

    Cohen's table: 85 people (83 degrees of freedom) find a correlation of 0.3 with power 0.80.

    >>> round(detect_correlation(df=83, alpha=0.05, power=0.80), 3)
    0.3
    """
    _check_size(2, df - 1)
    return math.tanh(float(stats.norm.isf(alpha / 2) - stats.norm.isf(power)) / math.sqrt(df - 1))


def people_for_correlation(r: float, *, alpha: float, power: float, n_covariates: int = 0) -> float:
    """Find how many people it takes to find a partial correlation; infinity above ten million."""
    if r == 0:
        return math.inf
    wanted = float(stats.norm.isf(alpha / 2) - stats.norm.isf(power))
    n = math.ceil((wanted / math.atanh(abs(r))) ** 2 - 1e-9) + 3 + n_covariates
    return float(n) if n <= MOST_PEOPLE else math.inf


def _smallest_number(is_enough: Callable[[int], bool], fewest: int) -> float:
    """Find the smallest whole number that is enough, if all larger ones are as well; infinity above ten million."""
    low, high = fewest - 1, fewest
    while not is_enough(high):
        low, high = high, 2 * high
        if low > MOST_PEOPLE:
            return math.inf
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return float(high)


def _check_size(smallest_group: int, df: float) -> None:
    """Refuse a study too small for any test."""
    if smallest_group < 2 or df < 1:
        msg = (
            f"A test needs two people in each group and one degree of freedom to spare; there are {smallest_group} "
            f"people in the smaller group and {df} degrees of freedom. Add people or drop covariates."
        )
        raise DesignError(msg)
