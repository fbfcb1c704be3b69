"""Change of regional volumes between the visits of the same people.

Takes a study with several visits and gives, for each region, the row of the common table of tests and the rows of the
longitudinal table. Who enters is the business of `morpho.infer.change.sample`, which model answers that of
`morpho.infer.change.rows`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import pandas as pd

from morpho.errors import ConfigError, DesignError
from morpho.infer.change.models import ChangeEstimate
from morpho.infer.change.rows import (
    estimate_by_group,
    estimate_lateralisation,
    estimate_remission,
    estimate_residual_gap,
    estimate_slope,
    estimate_within,
)
from morpho.infer.change.sample import Arms, ChangeQuestion, Kind, assign_arms, complete_question
from morpho.infer.change.table import CHANGE, describe_arms, measure_retest
from morpho.infer.study import Study
from morpho.stats.effects import correlate_partially, standardise_difference

logger = logging.getLogger(__name__)

Row = dict[str, Any]
Estimator = Callable[[Study, str, ChangeQuestion, Arms], ChangeEstimate]

EQUIVALENCE_CONFIDENCE = 0.90


@dataclass(frozen=True)
class Contrast:
    """What a kind of question asks for: in words (``{who}`` stands for people, levels or columns), and how."""

    words: str
    effect_size: str
    estimate: Estimator


CONTRASTS: Mapping[Kind, Sequence[Contrast]] = {
    "within": [Contrast("{who}: change", "d_z", estimate_within)],
    "by_group": [Contrast("{who}: change", "g", estimate_by_group)],
    "progression": [Contrast("{who}: change per year", "g", estimate_by_group)],
    "three_level": [
        Contrast("remitters - controls: change", "g", estimate_remission),
        Contrast("remitters - controls: volume at the last scan", "g", estimate_residual_gap),
    ],
    "slope_on": [Contrast("{who}", "partial_r", estimate_slope)],
    "lateralisation": [Contrast("{who}: % change right - left", "g", estimate_lateralisation)],
}


@dataclass(frozen=True)
class ChangeResult:
    """Rows of the common table of tests, and the longitudinal table with the description of its columns."""

    rows: list[Row]
    table: pd.DataFrame
    dictionary: Mapping[str, Mapping[str, object]]


def analyse_change(
    study: Study,
    *,
    rois: Sequence[str],
    hemispheres: Sequence[str],
    family: str,
    kind: Kind,
    by: str | None = None,
    outcome_change: str | None = None,
    population: Mapping[str, str | Sequence[str]] | None = None,
    levels: Sequence[str] | None = None,
    adjust_for: Sequence[str] = (),
) -> ChangeResult:
    """Ask one question about change of every region.

    Parameters
    ----------
    study
        Cohort with its visits.
    rois, hemispheres, family
        Regions, and the name of their family. Kind "lateralisation" takes both sides of each region and no hemisphere.
    kind
        "within": change of one population. "by_group": difference of change between two levels of `by`. "progression":
        the same per year (`by` is "group" unless told). "three_level": change of remitters beyond controls, and their
        gap at the last scan. "slope_on": change in % on the number `by`, or change of the score `outcome_change` on it.
        "lateralisation": change right minus left between two levels of `by`.
    by
        Factor or number; its last known value counts.
    outcome_change
        Clinical score. If it was taken at each visit, its change from first to last scan is analysed given its first
        value; a column with one value per person is a change already.
    population
        Level or levels by column; by default patients, and everybody where the question is about controls too.
    levels
        (minuend, subtrahend) of `by`; by default yes - no, patient - control, RUL - BL, or the two levels found.
    adjust_for
        Further numbers, for "slope_on".

    Returns
    -------
    One row per contrast and region, and the table with one row per contrast, region and arm.

    Raises
    ------
    ConfigError
        If the kind is unknown, or `by` and `outcome_change` do not suit it.

    Notes
    -----
    Age, sex and site are covariates of differences between people; head size only where a level of volume, and not
    only its change, is in the model (mixed models, gap at the last scan).
    """
    question = _ask(study, kind, by, outcome_change, population, levels, adjust_for)
    arms: Arms | DesignError
    try:
        question = complete_question(study, question)
        arms = assign_arms(study, question)
    except DesignError as refusal:
        arms = refusal
    sides = ("",) if kind == "lateralisation" else tuple(hemispheres)
    rows: list[Row] = []
    details: list[Row] = []
    for roi, hemisphere in [(roi, side) for roi in rois for side in sides]:
        outcome = f"{roi}_{hemisphere or '{}'}_mm3"
        retest = measure_retest(study, outcome) if hemisphere else {}
        for contrast in CONTRASTS[kind]:
            words = contrast.words.format(who=_name_contrast(question))
            place = {"family": family, "roi": roi, "hemisphere": hemisphere, "contrast": words}
            row, parts = _answer(study, outcome, question, arms, contrast)
            logger.info("%s, %s: %s (%s)", outcome, words, row["status"], row["reason"] or "nothing to note")
            rows.append({**place, **row})
            known = {**place, "kind": kind, "status": row["status"], "reason": row["reason"], **retest}
            details += [{**known, **part} for part in parts]
    return ChangeResult(rows, pd.DataFrame(details, columns=list(CHANGE)), CHANGE)


def _ask(
    study: Study,
    kind: Kind,
    by: str | None,
    outcome_change: str | None,
    population: Mapping[str, str | Sequence[str]] | None,
    levels: Sequence[str] | None,
    adjust_for: Sequence[str],
) -> ChangeQuestion:
    """Put the arguments of `analyse_change` in order, or refuse them."""
    if kind == "progression" and not by:
        by = "group"
    needs = {"by_group": [by], "lateralisation": [by], "slope_on": [by, outcome_change]}.get(kind, [True])
    if kind not in get_args(Kind) or sum(map(bool, needs)) != 1 or len(levels or ("", "")) != 2:
        msg = (
            f"Change of kind {kind!r} with by = {by!r}, outcome_change = {outcome_change!r}, levels = {levels!r} is no "
            f"question. Kinds are {', '.join(get_args(Kind))}; by_group and lateralisation need `by`, slope_on either "
            "`by` or `outcome_change`, and levels are two: (minuend, subtrahend)."
        )
        raise ConfigError(msg)
    takes_levels = kind in {"by_group", "lateralisation", "progression"}
    if population is None:
        with_controls = kind in {"progression", "three_level"} or by == "group"
        known = "group" in study.visits and study.visits["group"].notna().any()
        population = {"group": "patient"} if known and not with_controls else {}
    people = {
        column: (wanted,) if isinstance(wanted, str) else tuple(map(str, wanted))
        for column, wanted in population.items()
    }
    return ChangeQuestion(
        kind=kind,
        by=by or "",
        levels=tuple(levels or ()) if takes_levels else (),
        outcome_change=outcome_change or "",
        population=people,
        adjust_for=tuple(adjust_for),
    )


def _name_contrast(question: ChangeQuestion) -> str:
    """Say what is compared, from the question alone, so that a refused region is named like the others."""
    if question.outcome_change:
        return f"change of {question.outcome_change} on % change"
    if question.kind == "slope_on":
        return f"% change on {question.by}"
    if not question.by:
        return question.label
    levels = " - ".join(question.levels)
    return levels if question.by == "group" and levels else f"{question.by} {levels}".strip()


def _answer(
    study: Study, outcome: str, question: ChangeQuestion, arms: Arms | DesignError, contrast: Contrast
) -> tuple[Row, list[Row]]:
    """Estimate one contrast of one region: columns of its row, and the arms behind it; or say why it is refused."""
    confidence = study.settings.confidence
    try:
        if isinstance(arms, DesignError):
            raise arms
        estimate = contrast.estimate(study, outcome, question, arms)
        return _write_row(estimate, contrast.effect_size, confidence), describe_arms(estimate, confidence)
    except DesignError as refusal:
        return {"status": "refused", "reason": str(refusal), "effect_size": contrast.effect_size}, [{}]


def _write_row(estimate: ChangeEstimate, effect_size: str, confidence: float) -> Row:
    """Columns of the common table for one estimate."""
    test = estimate.test
    value, se, low, high = _express(estimate, effect_size, confidence)
    _, _, low90, high90 = _express(estimate, effect_size, EQUIVALENCE_CONFIDENCE)
    return {
        "status": "fitted",
        "reason": "; ".join(estimate.notes),
        "formula": estimate.formula,
        "n": estimate.n,
        "n_reference": estimate.n_reference,
        "n_comparison": estimate.n_comparison,
        "effect_size": effect_size,
        "estimate": value,
        "se": se,
        "ci_low": low,
        "ci_high": high,
        "ci90_low": low90,
        "ci90_high": high90,
        "estimate_raw": test.estimate,
        "raw_ci_low": test.ci_low,
        "raw_ci_high": test.ci_high,
        "raw_unit": estimate.unit,
        "t": test.t,
        "df": test.df,
        "p": test.p,
    }


def _express(estimate: ChangeEstimate, effect_size: str, confidence: float) -> tuple[float, float, float, float]:
    """Effect size with standard error (of a correlation: of its Fisher z) and interval.

    With `spread` the estimate's standard deviation, v = (se / spread)^2 is its variance in units of that; the standard
    error of d and g is sqrt(v + d^2 / (2 df)). ASSUME: with Satterthwaite's df, t is noncentral t all the same.
    """
    test = estimate.test
    if effect_size == "partial_r":
        r = correlate_partially(test.t, test.df, confidence)
        return r.value, r.se, r.ci_low, r.ci_high
    unit_variance = (test.se / estimate.spread) ** 2
    found = standardise_difference(test.t, test.df, unit_variance, confidence)
    value, low, high = (
        (found.g, found.g_ci_low, found.g_ci_high) if effect_size == "g" else (found.d, found.d_ci_low, found.d_ci_high)
    )
    return value, float(np.sqrt(unit_variance + value**2 / (2 * test.df))), low, high
