"""Change between two scans of the same people: per cent, and standardised in several ways.

Standardised changes answer different questions and must not be mixed: d_z divides by the spread of the change, d_av by
the average spread of people at the two times, and the metafor measures SMCC and SMCR are small-sample versions for
pooling studies. Every result says which it is. Knows no tables or regions.
"""

import numpy as np
import numpy.typing as npt
from scipy import stats

from morpho.errors import DesignError
from morpho.stats.effects import Interval, StandardisedDifference, correct_small_sample, standardise_difference

Array = npt.NDArray[np.float64]


def symmetrised_percent_change(v1: npt.ArrayLike, v2: npt.ArrayLike, interval: npt.ArrayLike = 1.0) -> Array:
    """Compute the change between two volumes in per cent of their mean, per unit of time.

    Parameters
    ----------
    v1, v2 : shape (people,)
        First and second volume, in one unit, above 0.
    interval : shape (people,) or one number
        Time between the scans, above 0. The result is per unit of it; leave it at 1 for the whole change.

    Returns
    -------
    Per cent per unit of `interval`, shape (people,), positive for growth.

    Raises
    ------
    DesignError
        If a volume or an interval is not a positive number.

    Notes
    -----
    ``100 (v2 - v1) / ((v1 + v2) / 2) / interval``. The mean of both in place of the first volume makes gain and loss
    mirror images and weakens the tie of change to a noisy first value. Source: Reuter M et al., NeuroImage
    2012;61:1402-1418, doi:10.1016/j.neuroimage.2012.02.084. ASSUME: change is even over the interval.

    Examples
    --------
    From 3900 to 4100 mm3 in two years: 200 / 4000 is 5 %, or 2.5 % per year.

    >>> symmetrised_percent_change([3900.0], [4100.0], 2.0).tolist()
    [2.5]
    """
    first, second, time = (np.asarray(values, dtype=np.float64) for values in (v1, v2, interval))
    for name, values in (("first volume", first), ("second volume", second), ("interval", time)):
        _check_positive(name, values)
    change: Array = 100 * (second - first) / ((first + second) / 2) / time
    return change


def combine_spreads(sd_before: float, sd_after: float, r: float) -> float:
    """Compute the standard deviation of a change from those of both times and their correlation.

    Raises
    ------
    DesignError
        If a standard deviation is not positive or the correlation is not between -1 and 1.
    """
    _check_positive("standard deviation", np.array([sd_before, sd_after]))
    if not -1 <= r <= 1:
        msg = (
            f"The correlation of two times lies between -1 and 1; got {r}. Compute it from the people with both scans."
        )
        raise DesignError(msg)
    return float(np.sqrt(max(0.0, sd_before**2 + sd_after**2 - 2 * r * sd_before * sd_after)))


def standardise_change(
    mean_change: float, sd_change: float, n: int, confidence: float = 0.95
) -> StandardisedDifference:
    """Divide a mean change by the spread of the change: d_z, with its exact interval.

    Parameters
    ----------
    mean_change, sd_change
        Mean and standard deviation of the change of the people, in one unit (mm3 or per cent).
    n
        People with both scans, at least 3.
    confidence
        Coverage of the interval, between 0 and 1.

    Returns
    -------
    d_z and its small-sample version g_z, with intervals from the noncentral t distribution.

    Notes
    -----
    ``t = d_z sqrt(n)`` with n - 1 degrees of freedom. d_z grows with the correlation of the two times, so it cannot be
    compared with a difference between groups or with d_av. ASSUME: the change is normal.

    Examples
    --------
    A mean gain of 3.3 % with a standard deviation of 2.2 %.

    >>> round(standardise_change(3.3, 2.2, 96).d, 6)
    1.5
    """
    _check_positive("standard deviation of the change", np.array([sd_change]))
    _check_people(n)
    return standardise_difference(mean_change / sd_change * float(np.sqrt(n)), n - 1, 1 / n, confidence)


def standardise_change_average(
    mean_change: float, sd_before: float, sd_after: float, r: float, n: int, *, confidence: float = 0.95
) -> Interval:
    """Divide a mean change by the average spread of people at the two times: d_av, with an approximate interval.

    Parameters
    ----------
    mean_change, sd_before, sd_after
        Mean change and standard deviations between people at each time, in one unit.
    r
        Correlation of the two times.
    n
        People with both scans, at least 3.
    confidence
        Coverage of the interval, between 0 and 1.

    Returns
    -------
    d_av (not corrected for small samples), its standard error and normal interval.

    Notes
    -----
    The divisor is the root mean square of both standard deviations, which need not be equal. Standard error: Bonett DG,
    Psychological Methods 2008;13:99-109, doi:10.1037/1082-989X.13.2.99. ASSUME: normal values; the interval is a
    large-sample one, good from about 20 people. d_av is comparable with a difference between groups; d_z is not.

    Examples
    --------
    A gain of half the standard deviation of both times.

    >>> standardise_change_average(5.0, 10.0, 10.0, 0.8, 30).value
    0.5
    """
    sd_change = combine_spreads(sd_before, sd_after, r)
    _check_people(n)
    a, b = sd_before**2, sd_after**2
    mean_square, df = (a + b) / 2, n - 1
    d = mean_change / float(np.sqrt(mean_square))
    from_spread = d**2 * (a**2 + b**2 + 2 * r**2 * a * b) / (8 * df * mean_square**2)
    return _make_interval(d, from_spread + sd_change**2 / (df * mean_square), confidence)


def standardise_change_smcc(mean_change: float, sd_change: float, n: int, confidence: float = 0.95) -> Interval:
    """Compute metafor's SMCC, the small-sample d_z with its large-sample variance, for pooling studies.

    Parameters
    ----------
    mean_change, sd_change
        Mean and standard deviation of the change of the people, in one unit.
    n
        People with both scans, at least 3.
    confidence
        Coverage of the interval, between 0 and 1.

    Returns
    -------
    J d_z, its standard error sqrt(1/n + SMCC^2/(2n)) and normal interval.

    Notes
    -----
    Source: Gibbons RD et al., Journal of Educational Statistics 1993;18:271-279, doi:10.3102/10769986018003271.
    """
    _check_positive("standard deviation of the change", np.array([sd_change]))
    _check_people(n)
    value = correct_small_sample(n - 1) * mean_change / sd_change
    return _make_interval(value, 1 / n + value**2 / (2 * n), confidence)


def standardise_change_smcr(
    mean_change: float, sd_before: float, r: float, n: int, confidence: float = 0.95
) -> Interval:
    """Compute metafor's SMCR, the small-sample change in standard deviations of the first time, for pooling studies.

    Parameters
    ----------
    mean_change, sd_before
        Mean change, and standard deviation between people at the first time, in one unit.
    r
        Correlation of the two times.
    n
        People with both scans, at least 3.
    confidence
        Coverage of the interval, between 0 and 1.

    Returns
    -------
    J times the change over `sd_before`, its standard error sqrt(2 (1 - r)/n + SMCR^2/(2n)) and normal interval.

    Notes
    -----
    Source: Becker BJ, British Journal of Mathematical and Statistical Psychology 1988;41:257-278,
    doi:10.1111/j.2044-8317.1988.tb00901.x. ASSUME: the spread between people is the same at both times.
    """
    combine_spreads(sd_before, sd_before, r)  # refuses impossible spreads and correlations
    _check_people(n)
    value = correct_small_sample(n - 1) * mean_change / sd_before
    return _make_interval(value, 2 * (1 - r) / n + value**2 / (2 * n), confidence)


def _make_interval(value: float, variance: float, confidence: float) -> Interval:
    """Estimate with its normal interval."""
    se = float(np.sqrt(variance))
    half = float(stats.norm.ppf(0.5 + confidence / 2)) * se
    return Interval(value, se, value - half, value + half)


def _check_positive(name: str, values: Array) -> None:
    """Refuse numbers that are missing, infinite, zero or negative."""
    is_wrong = ~(np.isfinite(values) & (values > 0))
    if is_wrong.any():
        msg = (
            f"Change needs a positive {name} for everyone; got {np.extract(is_wrong, values)[:5].tolist()}. Leave out "
            "people without it, or correct the table."
        )
        raise DesignError(msg)


def _check_people(n: int) -> None:
    """Refuse fewer than three people."""
    if n < 3:
        msg = f"A standardised change needs at least 3 people with both scans; got {n}. Add people."
        raise DesignError(msg)
