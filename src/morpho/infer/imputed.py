"""The effect of a question when missing covariates are imputed several times instead of leaving people out.

Only age, sex and head size are imputed, never a volume, a group, a site or the variable of interest. A cohort in which
nobody lacks one of them has nothing to impute.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
from statsmodels.imputation.mice import MICEData

from morpho.errors import DesignError
from morpho.infer.contrasts import Effect, check_levels, find_contrast
from morpho.infer.design import COVARIATE_COLUMNS, MIN_RESIDUAL_DF, HeadSize, Model, select_sample
from morpho.infer.plans import build_design, check_spread
from morpho.infer.sensitivity_names import N_IMPUTATIONS
from morpho.infer.study import Settings
from morpho.stats.effects import correlate_partially, standardise_difference
from morpho.stats.imputation import Pooled, pool_imputations
from morpho.stats.linear import estimate_contrast, fit_linear

logger = logging.getLogger(__name__)

N_BURN_IN = 10  # cycles before the first data set is taken
N_DONORS = 5  # people among whose observed values one is drawn; statsmodels' 20 is too many for small cohorts
PREFIX = "column_"  # names that a formula can hold, whatever the columns of the cohort are called

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Test:
    """The effect in one imputed data set: `variance` of the estimate, and what it is when the residual's is 1."""

    n: int
    estimate: float
    variance: float
    unit_variance: float
    df: int


class _Chain(MICEData):  # type: ignore[misc]  # statsmodels has no types
    """Chained equations that take their columns as they are: going through formulas costs most of the time."""

    def get_fitting_data(self, vname: str) -> tuple[Array, Array, dict[str, object], dict[str, object]]:
        """Give the known values of a column, and the other columns of those people with an intercept."""
        is_known = self.ix_obs[vname]
        return self.data[vname].to_numpy()[is_known], self._take_predictors(vname)[is_known], {}, {}

    def get_split_data(self, vname: str) -> tuple[Array, Array, Array, dict[str, object], dict[str, object]]:
        """Give the same, and the other columns of the people whose value is missing."""
        known, predictors, *_ = self.get_fitting_data(vname)
        return known, predictors, self._take_predictors(vname)[self.ix_miss[vname]], {}, {}

    def _take_predictors(self, vname: str) -> Array:
        """Take all columns but one, with an intercept."""
        others = self.data.drop(columns=vname).to_numpy()
        return np.column_stack([np.ones(len(others)), others])


def estimate_imputed(
    people: pd.DataFrame, column: str, model: Model, effect: Effect, settings: Settings
) -> dict[str, object]:
    """Estimate an effect on the volume of one region with missing covariates imputed.

    Parameters
    ----------
    people
        One row per participant.
    column
        Volume of the region.
    model, effect
        What the volume is set against, and a difference or slope.
    settings
        Confidence, smallest group, seed.

    Returns
    -------
    status, reason, n, p, effect_size (g or partial_r), estimate, ci_low and ci_high; empty if `people` lacks a column
    of the model, or nobody with volume, group and variables lacks a covariate.

    Raises
    ------
    DesignError
        If too few people have a covariate to impute it from, or the model cannot be estimated.

    Notes
    -----
    Chained equations with predictive mean matching: a missing value is drawn from the people whose predictions are
    nearest, the predictors being volume, variables of interest, group, site and the other covariates. Estimates are
    pooled by Rubin's rules. g is the pooled difference over the root mean residual variance, its interval from the
    pooled t and degrees of freedom: the unit variance is raised by what missing values add to the variance, or g would
    shrink with them. A partial r has as many degrees of freedom as the imputed data are worth. Sources: van Buuren S,
    Groothuis-Oudshoorn K, Journal of Statistical Software 2011;45(3), doi:10.18637/jss.v045.i03; White IR et al.,
    Statistics in Medicine 2011;30:377-399, doi:10.1002/sim.4067. ASSUME: values are missing at random given the
    predictors, which enter linearly and without interactions.
    """
    names = _list_covariates(column, model)
    if not {column, *model.variables, *names} <= set(people):
        return {}
    able = _select_able(people, column, model)
    missing = able[names].isna()
    if not missing.to_numpy().any():
        return {}
    logger.info("%s, %s: imputed %s", column, effect, missing.sum().to_dict())
    predictors = [column, *model.variables, *(name for name in ("group", "site") if name in able), *names]
    tests = [
        _test_effect(data, column, model, effect, settings)
        for data in _impute(able, list(dict.fromkeys(predictors)), names, settings.seed)
    ]
    pooled = pool_imputations(
        [test.estimate for test in tests],
        [test.variance for test in tests],
        tests[0].df,
        confidence=settings.confidence,
    )
    row: dict[str, object] = {"status": "fitted", "reason": "", "n": tests[0].n, "p": pooled.p}
    return row | _express(pooled, tests, effect, settings.confidence)


def _list_covariates(column: str, model: Model) -> list[str]:
    """List the columns that may be imputed."""
    names = [COVARIATE_COLUMNS[name] for name in model.covariates]
    if model.head_size.column not in {"none", column}:
        names.append(model.head_size.column)
    return [name for name in names if name not in model.variables]


def _select_able(people: pd.DataFrame, column: str, model: Model) -> pd.DataFrame:
    """Keep the people who would enter the model if they had all covariates, in an order of their own."""
    bare = replace(model, covariates=(), head_size=HeadSize("none", ""))
    kept = select_sample(people, column, bare).data["participant_id"]
    able = people[people["participant_id"].astype(str).isin(kept)]
    return able.sort_values("participant_id").reset_index(drop=True)


def _impute(able: pd.DataFrame, predictors: Sequence[str], names: Sequence[str], seed: int) -> Iterator[pd.DataFrame]:
    """Fill the missing values of the named columns, many times over."""
    incomplete = [name for name in names if able[name].isna().any()]
    table = _encode(able, predictors, incomplete)
    _check_donors(able, incomplete, table.shape[1])
    chain = _Chain(table, k_pmm=N_DONORS, rng=np.random.default_rng(seed))
    chain.update_all(N_BURN_IN)
    for _ in range(N_IMPUTATIONS):
        drawn = chain.next_sample()
        filled = able.copy()
        for place, name in enumerate(incomplete):
            is_missing = able[name].isna().to_numpy()
            codes, observed = table.iloc[:, place].to_numpy()[~is_missing], able[name].to_numpy()[~is_missing]
            # A matched value is one that somebody has: find whose, so that it comes back as it was written.
            order = np.argsort(codes, kind="stable")
            found = np.searchsorted(codes[order], drawn.iloc[:, place].to_numpy()[is_missing])
            filled.loc[is_missing, name] = observed[order][found]
        yield filled


def _encode(able: pd.DataFrame, predictors: Sequence[str], incomplete: Sequence[str]) -> pd.DataFrame:
    """Write columns as numbers, those to be imputed first: standard scores of numbers, 0 and 1 of levels."""
    columns: list[pd.Series[float]] = []
    for name in [*incomplete, *(name for name in predictors if name not in incomplete)]:
        values = able[name]
        levels = sorted(values.dropna().astype(str).unique())
        if pd.api.types.is_numeric_dtype(values):
            numbers = values.astype(float)
            spread = float(numbers.std())
            columns.append((numbers - numbers.mean()) / (spread if spread > 0 else 1.0))
        elif name in incomplete:
            columns.append(values.astype(str).map({level: float(code) for code, level in enumerate(levels)}))
        else:
            columns += [(values.astype(str) == level).astype(float) for level in levels[1:]]
    return pd.DataFrame({f"{PREFIX}{place}": values for place, values in enumerate(columns)})


def _check_donors(able: pd.DataFrame, incomplete: Sequence[str], n_columns: int) -> None:
    """Refuse to impute a covariate that too few people have for its regression on the other columns."""
    for name in incomplete:
        n = int(able[name].count())
        if n - n_columns < MIN_RESIDUAL_DF:
            msg = (
                f"{name} is known of {n} of {len(able)} people, where its imputation from {n_columns - 1} columns "
                f"takes {n_columns + MIN_RESIDUAL_DF}. Fill the table, or drop the covariate"
            )
            raise DesignError(msg)


def _test_effect(data: pd.DataFrame, column: str, model: Model, effect: Effect, settings: Settings) -> _Test:
    """Estimate the effect in one imputed data set."""
    sample = select_sample(data, column, model)
    check_levels(effect, sample.data, settings.min_group_size)
    check_spread(sample.data["volume_mm3"], column)
    X = build_design(sample)
    fit = fit_linear(sample.data[["volume_mm3"]].to_numpy(dtype=float), X.to_numpy())
    test = estimate_contrast(fit, find_contrast(effect, sample.data, X.design_info))
    variance = float(test.se[0]) ** 2
    return _Test(len(sample.data), float(test.estimate[0]), variance, test.unit_variance, test.df)


def _express(pooled: Pooled, tests: Sequence[_Test], effect: Effect, confidence: float) -> dict[str, object]:
    """Express a pooled effect as the effect size of its kind."""
    if effect.is_slope:
        worth = tests[0].df * pooled.within / pooled.total
        correlation = correlate_partially(pooled.t, worth, confidence)
        name, numbers = "partial_r", (correlation.value, correlation.ci_low, correlation.ci_high)
    else:
        residual_variance = float(np.mean([test.variance / test.unit_variance for test in tests]))
        difference = standardise_difference(pooled.t, pooled.df, pooled.total / residual_variance, confidence)
        name, numbers = "g", (difference.g, difference.g_ci_low, difference.g_ci_high)
    return {"effect_size": name, **dict(zip(("estimate", "ci_low", "ci_high"), numbers, strict=True))}
