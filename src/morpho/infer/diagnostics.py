"""Whether single people carry a fitted model, and whether its residuals spread equally."""

from dataclasses import dataclass

import numpy as np
import statsmodels.api as sm
from scipy import stats

HIGH_LEVERAGE = 2.0  # times the mean leverage
ALONE = 1e-9
OF_DESIGN = ("pinv_wexog", "normalized_cov_params", "wexog_singular_values", "rank")  # attributes of a fitted sm.OLS


@dataclass(frozen=True)
class Diagnostics:
    """Largest influence of one person, and the test for unequal spread, of a fitted model.

    `cook_max` is the largest Cook's distance, `studentised_max` the largest absolute externally studentised residual,
    `n_high_leverage` counts people with more than twice the mean leverage, `breusch_pagan_p` tests equal spread.
    """

    cook_max: float
    studentised_max: float
    n_high_leverage: int
    breusch_pagan_p: float


def diagnose(fit: sm.regression.linear_model.RegressionResults) -> Diagnostics:
    """Compute influence and spread of a fitted model.

    Parameters
    ----------
    fit
        Result of statsmodels' OLS, with an intercept.

    Notes
    -----
    Sources: Cook RD, Technometrics 1977;19:15-18; Breusch TS, Pagan AR, Econometrica 1979;47:1287-1294.
    """
    leverage = fit.get_influence().hat_matrix_diag
    inside = leverage < 1 - ALONE  # a person with a column of their own has no residual
    h = leverage[inside]
    internal = np.asarray(fit.resid)[inside] / np.sqrt(fit.mse_resid * (1 - h))
    cook = internal**2 * h / (1 - h) / fit.model.exog.shape[1]
    return Diagnostics(
        cook_max=float(np.max(cook, initial=0.0)),
        studentised_max=float(np.max(np.abs(studentise(internal, fit.df_resid)), initial=0.0)),
        n_high_leverage=int(np.sum(leverage > HIGH_LEVERAGE * leverage.mean())),
        breusch_pagan_p=_test_spread(fit),
    )


def _test_spread(fit: sm.regression.linear_model.RegressionResults) -> float:
    """Koenker's form of the Breusch-Pagan test, as `statsmodels.stats.diagnostic.het_breuschpagan` makes it.

    The design is that of the fit, whose decomposition is used again.
    """
    n, n_columns = fit.model.exog.shape
    model = share_design(fit.model, np.asarray(fit.resid) ** 2)
    return float(stats.chi2.sf(n * model.fit().rsquared, n_columns - 1))


def share_design(known: sm.OLS, outcome: np.typing.NDArray[np.float64]) -> sm.OLS:
    """Set another outcome against the design of a fitted model, without decomposing it again.

    Parameters
    ----------
    known
        Fitted by ordinary least squares.
    outcome
        Shape (people,).

    Returns
    -------
    Model to fit; results are those of a model of its own to the last digit.
    """
    model = sm.OLS(outcome, known.exog)
    for name in OF_DESIGN:
        setattr(model, name, getattr(known, name))
    return model


def studentise(internal: np.typing.NDArray[np.float64], df: float) -> np.typing.NDArray[np.float64]:
    """Turn internally into externally studentised residuals: each over the spread of the others.

    Parameters
    ----------
    internal
        Residuals over their own standard error, shape (people,).
    df
        Residual degrees of freedom.

    Notes
    -----
    r sqrt((df - 1) / (df - r^2)); Cook RD, Weisberg S, Residuals and influence in regression, 1982, page 20.
    """
    spare = np.maximum(df - internal**2, np.finfo(float).tiny)
    external: np.typing.NDArray[np.float64] = internal * np.sqrt((df - 1) / spare)
    return external
