"""Fit the models of all regions and read their term of interest.

Takes people and a question (`morpho.infer.design`) and gives estimate, interval and residuals of each region. A model
that cannot be estimated is refused with the reason in words; statsmodels itself would fit it in silence.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import patsy
import statsmodels.api as sm

from morpho.errors import DesignError
from morpho.infer.design import Question, Sample, select_sample

logger = logging.getLogger(__name__)

MIN_RESIDUAL_DF = 3
RANK_TOLERANCE = 1e-9  # smallest singular value of the design, its columns at length 1, relative to the largest
NO_RESIDUAL = 1e-18  # residual over total sum of squares: rounding, not biology

CAUTION_VIF = 5.0  # beyond it, the term shares most of its spread with the covariates

Array = npt.NDArray[np.float64]
Families = Mapping[str, Mapping[str, Sequence[str]]]


@dataclass(frozen=True)
class TermFit:
    """The term of interest in a fitted model; arrays have one value per person of the sample.

    `mean_at_zero` is the prediction with the term at 0 and all else at its mean; `adjusted` the volumes with
    everybody's other covariates moved to their mean; residuals are those of volume and term on the other covariates.
    """

    estimate: float
    se: float
    t: float
    df: int
    p: float
    ci_low: float
    ci_high: float
    unit_variance: float
    vif: float
    mean_at_zero: float
    adjusted: Array
    term_residual: Array
    volume_residual: Array


@dataclass(frozen=True)
class RegionModel:
    """What became of the model of one region; `fit` is None where it was refused, `reason` says why, or what to know.

    `place` names family, roi and hemisphere; `sample` is None where the cohort table lacks a column.
    """

    place: dict[str, str]
    sample: Sample | None
    fit: TermFit | None
    reason: str


def fit_regions(
    people: pd.DataFrame,
    question: Question,
    families: Families,
    *,
    check: Callable[[Sample], None],
    confidence: float,
) -> Iterator[RegionModel]:
    """Fit the same model to every region and hemisphere of every family.

    Parameters
    ----------
    people
        Rows of the cohort table, one per participant.
    question
        Term of interest and covariates.
    families
        ``rois`` and ``hemispheres`` by name of the family.
    check
        Raises `DesignError` for a sample that must not be analysed.
    confidence
        Coverage of the intervals, between 0 and 1.

    Yields
    ------
    One model per family, region and hemisphere, in the order of `families`.
    """
    places = [
        {"family": family, "roi": roi, "hemisphere": hemisphere}
        for family, regions in families.items()
        for roi in regions["rois"]
        for hemisphere in regions["hemispheres"]
    ]
    for place in places:
        outcome, sample = f"{place['roi']}_{place['hemisphere']}_mm3", None
        try:
            sample = select_sample(people, outcome, question)
            check(sample)
            fit = fit_term(sample, question, confidence)
        except DesignError as refusal:
            logger.warning("%s ~ %s refused: %s", outcome, question.focus, refusal)
            yield RegionModel(place, sample, None, str(refusal))
            continue
        logger.info("%s: %s, n = %d, left out: %s", outcome, sample.formula, len(sample.data), sample.missing or "none")
        caution = f"{question.focus} overlaps with the covariates (variance inflation {fit.vif:.1f})"
        notes = [*sample.notes, caution] if fit.vif > CAUTION_VIF else sample.notes
        yield RegionModel(place, sample, fit, "; ".join(notes))


def fit_term(sample: Sample, question: Question, confidence: float) -> TermFit:
    """Fit the model of one region by ordinary least squares and read its term of interest.

    Parameters
    ----------
    sample
        Analysis set and formula.
    question
        The term to read; it must be one column of the design.
    confidence
        Coverage of the interval, between 0 and 1.

    Returns
    -------
    Estimate in mm3 per unit of the term, with what effect sizes and figures need.

    Raises
    ------
    DesignError
        If volume or term do not vary, columns of the design cannot be told apart, fewer than 3 residual degrees of
        freedom remain, or the covariates leave no residual at all.
    """
    _check_spread(sample, question)
    volume, X, focus = _build_design(sample, question)
    _check_estimable(sample, X)
    names, y, design = list(X.columns), volume.to_numpy(), X.to_numpy()
    fit = sm.OLS(y, design).fit()
    if fit.ssr <= NO_RESIDUAL * fit.centered_tss:
        msg = f"{sample.outcome} is reproduced exactly by {', '.join(names)}: no residual is left to test against"
        raise DesignError(msg)
    x, nuisance = design[:, focus], np.delete(design, focus, axis=1)
    coefficients = np.delete(fit.params, focus)
    term_residual = x - nuisance @ np.linalg.lstsq(nuisance, x, rcond=None)[0]
    unit_variance = float(fit.normalized_cov_params[focus, focus])
    ci_low, ci_high = fit.conf_int(1 - confidence)[focus]
    return TermFit(
        estimate=float(fit.params[focus]),
        se=float(fit.bse[focus]),
        t=float(fit.tvalues[focus]),
        df=int(fit.df_resid),
        p=float(fit.pvalues[focus]),
        ci_low=float(ci_low),
        ci_high=float(ci_high),
        unit_variance=unit_variance,
        vif=unit_variance * float(np.sum((x - x.mean()) ** 2)),
        mean_at_zero=float(nuisance.mean(axis=0) @ coefficients),
        adjusted=y - (nuisance - nuisance.mean(axis=0)) @ coefficients,
        term_residual=term_residual,
        volume_residual=np.asarray(fit.resid) + term_residual * float(fit.params[focus]),
    )


def _check_spread(sample: Sample, question: Question) -> None:
    """Refuse a volume or a scale that is the same for everyone."""
    for name, column in (("volume_mm3", sample.outcome), (question.name, question.focus)):
        values = sample.data[name]
        if values.nunique() < 2:
            seen = f"it is {values.iloc[0]} for all {len(values)} people" if len(values) else "nobody has a value"
            msg = f"{column} does not vary: {seen}"
            raise DesignError(msg)


def _build_design(sample: Sample, question: Question) -> tuple[pd.Series[float], pd.DataFrame, int]:
    """Build outcome, design matrix (people, columns) and the place of the term of interest in it."""
    y, X = patsy.dmatrices(sample.formula, sample.data, NA_action="raise", return_type="dataframe")
    return y.iloc[:, 0], X, X.design_info.slice(question.term).start


def _check_estimable(sample: Sample, X: pd.DataFrame) -> None:
    """Refuse a design whose columns repeat each other (statsmodels would fit it in silence) or use up the people."""
    df = len(X) - X.shape[1]
    if df < MIN_RESIDUAL_DF:
        msg = (
            f"{len(X)} people for {X.shape[1]} columns of the design leave {df} residual degrees of freedom; "
            f"{MIN_RESIDUAL_DF} are the least. Drop covariates or add people"
        )
        raise DesignError(msg)
    _, singular, directions = np.linalg.svd(X.to_numpy() / np.linalg.norm(X.to_numpy(), axis=0), full_matrices=False)
    silent = directions[singular <= RANK_TOLERANCE * singular[0]]
    if len(silent) == 0:
        return
    aliased = [
        name
        for name, share in zip(X.columns, np.abs(silent).max(axis=0), strict=True)
        if share > 1e-6 and name != "Intercept"
    ]
    msg = f"the effects of {', '.join(aliased)} cannot be told apart: these columns of the design repeat each other"
    if {"group", "site"} <= set(sample.data) and any("site" in name for name in aliased):
        counts = Counter(zip(sample.data["site"], sample.data["group"], strict=True))
        msg += f" ({', '.join(f'site {site}: {n} {group}' for (site, group), n in sorted(counts.items()))})"
    raise DesignError(msg)
