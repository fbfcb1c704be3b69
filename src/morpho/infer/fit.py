"""Fit the models of all regions with statsmodels and read their effect of interest.

Takes people, a model (`morpho.infer.design`) and an effect (`morpho.infer.contrasts`) and gives estimate, interval and
residuals of each region. A model that cannot be estimated is refused with the reason in words.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from morpho.errors import DesignError
from morpho.infer.contrasts import Effect
from morpho.infer.design import Model, Sample, select_sample
from morpho.infer.diagnostics import Diagnostics, diagnose
from morpho.infer.plans import Plan, check_spread, plan_effect
from morpho.stats.linear import hc3_se

logger = logging.getLogger(__name__)

NO_RESIDUAL = 1e-18  # residual over total sum of squares: rounding, not biology

CAUTION_VIF = 5.0  # beyond it, the effect shares most of its spread with the covariates
REFUSE_VIF = 10.0

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class EffectFit:
    """The effect of interest in a fitted model; arrays have one value per person of the sample.

    `se_hc3` and `p_hc3` do not assume equal spread (NaN where a person alone determines a coefficient). `unit_variance`
    is c'(X'X)^-1 c; `vif` how much of it is due to the covariates. `reference_mean` is the mean from which a difference
    starts (for a slope, the overall mean); `adjusted` the volumes with everybody's other covariates moved to their
    mean; residuals are those of volume and of the effect's column on all else.
    """

    estimate: float
    se: float
    t: float
    df: int
    p: float
    ci_low: float
    ci_high: float
    se_hc3: float
    p_hc3: float
    unit_variance: float
    vif: float
    reference_mean: float
    adjusted: Array
    term_residual: Array
    volume_residual: Array
    diagnostics: Diagnostics


@dataclass(frozen=True)
class RegionModel:
    """What became of the model of one region; `fit` is None where it was refused, `reason` says why, or what to know.

    `place` names family, roi and hemisphere; `sample` is None where the cohort table lacks a column.
    """

    place: dict[str, str]
    sample: Sample | None
    fit: EffectFit | None
    reason: str


def fit_regions(
    people: pd.DataFrame,
    model: Model,
    effect: Effect,
    places: Sequence[Mapping[str, str]],
    *,
    check: Callable[[Sample], None],
    confidence: float,
) -> Iterator[RegionModel]:
    """Fit the same model to the volume of every place.

    Parameters
    ----------
    people
        One row per participant.
    model, effect
        What volumes are set against, and which quantity is read.
    places
        ``family``, ``roi`` and ``hemisphere`` of each test.
    check
        Raises `DesignError` for a sample that must not be analysed.
    confidence
        Coverage of the intervals, between 0 and 1.

    Yields
    ------
    One model per place, in their order.
    """
    plans: dict[tuple[str, ...], Plan] = {}
    for place in map(dict, places):
        outcome, sample = f"{place['roi']}_{place['hemisphere']}_mm3", None
        try:
            sample = select_sample(people, outcome, model)
            check(sample)
            key = (sample.formula, *sample.data["participant_id"].tolist())
            if key not in plans:
                plans[key] = plan_effect(sample, effect)
            fit = fit_effect(sample, plans[key], confidence)
            _check_inflation(fit.vif, effect, sample)
        except DesignError as refusal:
            logger.warning("%s, %s refused: %s", outcome, effect, refusal)
            yield RegionModel(place, sample, None, str(refusal))
            continue
        n_people, left_out = len(sample.data), _say_left_out(sample)
        logger.info("%s: %s, n = %d, left out: %s", outcome, sample.formula, n_people, left_out)
        caution = f"{effect.of} overlaps with the covariates (variance inflation {fit.vif:.1f})"
        notes = [*sample.notes, caution] if fit.vif > CAUTION_VIF else sample.notes
        yield RegionModel(place, sample, fit, "; ".join(notes))


def _say_left_out(sample: Sample) -> str:
    """Say how many people lack which columns."""
    counts = Counter(column for columns in sample.missing.values() for column in columns)
    lacks = ", ".join(f"{column} {n}" for column, n in counts.items())
    return f"{len(sample.missing)} without {lacks}" if sample.missing else "none"


def fit_effect(sample: Sample, plan: Plan, confidence: float) -> EffectFit:
    """Fit the model of one region by ordinary least squares and read its effect of interest.

    Parameters
    ----------
    sample
        Analysis set and formula.
    plan
        Design and effect, from `plan_effect`.
    confidence
        Coverage of the interval, between 0 and 1.

    Returns
    -------
    Estimate in mm3 (per unit of a slope), with what effect sizes and figures need.

    Raises
    ------
    DesignError
        If the volume does not vary, or the covariates leave no residual at all.
    """
    check_spread(sample.data["volume_mm3"], sample.outcome)
    X, contrast = plan.X.to_numpy(), plan.contrast
    volume_mm3 = sample.data["volume_mm3"].to_numpy(dtype=float)
    fit = plan.fit(volume_mm3)
    if fit.ssr <= NO_RESIDUAL * fit.centered_tss:
        names = ", ".join(map(str, plan.X.columns))
        msg = f"{sample.outcome} is reproduced exactly by {names}: no residual is left to test against"
        raise DesignError(msg)
    unit_variance = float(contrast @ fit.normalized_cov_params @ contrast)
    test = fit.t_test(contrast)
    se_hc3 = float(hc3_se(plan.fit_again(volume_mm3), X, contrast)[0])
    ci_low, ci_high = np.ravel(test.conf_int(1 - confidence))
    term_residual = X @ fit.normalized_cov_params @ contrast / unit_variance
    estimate, residual = test.effect.item(), np.asarray(fit.resid)
    return EffectFit(
        estimate=estimate,
        se=test.sd.item(),
        t=test.tvalue.item(),
        df=int(fit.df_resid),
        p=float(np.ravel(test.pvalue)[0]),
        ci_low=float(ci_low),
        ci_high=float(ci_high),
        se_hc3=se_hc3,
        p_hc3=float(2 * stats.t.sf(abs(estimate) / se_hc3, fit.df_resid)),
        unit_variance=unit_variance,
        vif=unit_variance / plan.alone,
        reference_mean=float(plan.reference @ fit.params),
        adjusted=residual + _predict_levels(sample, plan, fit.params),
        term_residual=term_residual,
        volume_residual=residual + term_residual * estimate,
        diagnostics=diagnose(fit),
    )


def _predict_levels(sample: Sample, plan: Plan, coefficients: Array) -> Array:
    """Predict each person's mean for their own level of the variable of interest, all else being averaged."""
    if not plan.by_level:
        return np.zeros(len(sample.data)) + float(plan.reference @ coefficients)
    means = {level: float(weights @ coefficients) for level, weights in plan.by_level.items()}
    return np.array([means[level] for level in sample.data[plan.of].tolist()])


def _check_inflation(vif: float, effect: Effect, sample: Sample) -> None:
    """Refuse an effect that shares nearly all its spread with the covariates."""
    if vif > REFUSE_VIF:
        msg = (
            f"{effect.of} cannot be told from the covariates: variance inflation {vif:.1f}, where {REFUSE_VIF:g} is "
            f"the most. Drop a covariate that says the same ({sample.formula})"
        )
        raise DesignError(msg)
