"""Results of several imputed data sets made into one: Rubin's rules.

Takes one estimate and its variance per imputed data set; imputes nothing and fits nothing.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from morpho.errors import DesignError


@dataclass(frozen=True)
class Pooled:
    """A pooled estimate with its test and interval, and what missing values cost.

    `within`, `between` and `total` are variances; `relative_increase` is what missing values add to the variance, over
    the variance without them; `fraction_missing` is the share of information that is missing.
    """

    estimate: float
    se: float
    df: float
    t: float
    p: float
    ci_low: float
    ci_high: float
    within: float
    between: float
    total: float
    relative_increase: float
    fraction_missing: float


def pool_imputations(
    estimates: npt.ArrayLike, variances: npt.ArrayLike, df_complete: float, *, confidence: float = 0.95
) -> Pooled:
    """Pool one estimate over imputed data sets by Rubin's rules, with Barnard and Rubin's degrees of freedom.

    Parameters
    ----------
    estimates : shape (imputations,)
        The estimate in each data set, on a scale where it is roughly normal (a coefficient, or the z of a correlation).
    variances : shape (imputations,)
        Squared standard errors, above 0.
    df_complete
        Residual degrees of freedom if nothing had been missing, above 0; infinite for large samples.
    confidence
        Coverage of the interval, between 0 and 1.

    Returns
    -------
    The mean estimate with the total variance. The test is of the value 0.

    Raises
    ------
    DesignError
        If there are fewer than two imputations, unequal numbers of estimates and variances, values that are missing or
        variances and degrees of freedom that are not positive.

    Notes
    -----
    Sources: Rubin DB, Multiple imputation for nonresponse in surveys, Wiley 1987; Barnard J, Rubin DB, Biometrika
    1999;86:948-955, doi:10.1093/biomet/86.4.948. ASSUME: values are missing at random given what was imputed from, and
    the imputation model holds the terms of the analysis.

    Examples
    --------
    Two data sets with estimates 1 and 3 (variance 2 between them), variance 1 in each: 1 + (1 + 1/2) 2 = 4.

    >>> pool_imputations([1.0, 3.0], [1.0, 1.0], 50).total
    4.0
    """
    values, squares = np.asarray(estimates, dtype=np.float64), np.asarray(variances, dtype=np.float64)
    _check_imputations(values, squares, df_complete)
    m = len(values)
    estimate, within, between = float(values.mean()), float(squares.mean()), float(values.var(ddof=1))
    added = (1 + 1 / m) * between
    total = within + added
    df = _find_df(added / total, m, df_complete)
    increase = added / within
    missing = (increase + 2 / (df + 3)) / (increase + 1)
    se = float(np.sqrt(total))
    t, half = estimate / se, float(stats.t.ppf(0.5 + confidence / 2, df)) * se
    p = float(2 * stats.t.sf(abs(t), df))
    limits = estimate - half, estimate + half
    return Pooled(estimate, se, df, t, p, *limits, within, between, total, increase, missing)


def _check_imputations(values: npt.NDArray[np.float64], squares: npt.NDArray[np.float64], df_complete: float) -> None:
    """Refuse what cannot be pooled."""
    is_usable = values.ndim == 1 and values.shape == squares.shape and len(values) > 1
    if not (is_usable and np.isfinite(values).all() and np.isfinite(squares).all() and squares.min() > 0):
        msg = (
            f"Pooling needs a finite estimate and a positive variance from each of two or more imputed data sets; got "
            f"estimates {values.tolist()} and variances {squares.tolist()}. Impute again."
        )
        raise DesignError(msg)
    if not df_complete > 0:
        msg = f"Degrees of freedom without missing values must be above 0; got {df_complete}. Drop covariates."
        raise DesignError(msg)


def _find_df(share: float, m: int, df_complete: float) -> float:
    """Barnard and Rubin's degrees of freedom, `share` being the part of the variance that missing values add."""
    from_imputations = (m - 1) / share**2 if share > 0 else np.inf
    observed = (df_complete + 1) / (df_complete + 3) * df_complete * (1 - share) if np.isfinite(df_complete) else np.inf
    return float(1 / (1 / from_imputations + 1 / observed)) if min(from_imputations, observed) < np.inf else np.inf
