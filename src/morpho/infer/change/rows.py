"""Choose the model that answers each kind of question about change, for the volume of one region.

Takes a study and a question (`morpho.infer.change.sample`) and gives one estimate (`morpho.infer.change.models`). All
estimators have the same parameters: the cohort, the column of the volume in mm3, what is asked, and everybody's arm.
They raise `DesignError` where the cohort cannot answer.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from morpho.errors import DesignError
from morpho.formulas import quote_name
from morpho.infer.change.models import (
    WEEKS_PER_YEAR,
    ChangeEstimate,
    build_nuisance,
    compare_people,
    count_arms,
    fit_people,
    fit_visits,
    tell_incomplete,
    tell_single,
)
from morpho.infer.change.sample import (
    CONTROLS,
    NON_REMITTERS,
    REMITTERS,
    Arms,
    ChangeQuestion,
    Scans,
    read_numbers,
    select_scans,
)
from morpho.infer.study import Study

MIN_SCANS_FOR_TREND = 3  # in somebody; with two scans at most, change is a difference


def estimate_within(study: Study, outcome: str, question: ChangeQuestion, arms: Arms) -> ChangeEstimate:
    """Estimate the mean change of one population: paired t test, or trend of a mixed model beyond two scans.

    Parameters
    ----------
    study, outcome, question, arms
        See the head of this module; here everybody has the same arm.

    Returns
    -------
    Change in mm3, or in mm3 per week (per visit if weeks are unknown).
    """
    scans = select_scans(study, outcome, arms.values)
    if _has_trend(scans):
        return fit_visits(study, scans, question, notes=arms.notes)
    counts = count_arms(study, scans, scans.pairs.index)
    X = pd.DataFrame({"Intercept": 1.0}, index=scans.pairs.index)
    test, spread = fit_people(scans.pairs["change_mm3"], X, "Intercept", study.settings)
    notes = tuple(filter(None, [*arms.notes, *scans.notes, tell_single(scans)]))
    return ChangeEstimate("change_mm3 ~ 1", "mm3", "exact", test, spread, len(X), *counts, {"": scans}, notes)


def estimate_by_group(study: Study, outcome: str, question: ChangeQuestion, arms: Arms) -> ChangeEstimate:
    """Estimate how the change of two arms differs.

    Parameters
    ----------
    study, outcome, question, arms
        See the head of this module; levels of the question are (minuend, subtrahend).

    Returns
    -------
    Difference in mm3, or in mm3 per week, visit or (kind "progression") year.

    Raises
    ------
    DesignError
        If kind is "progression" and weeks are unknown; otherwise see the head of this module.

    Notes
    -----
    Two scans: regression of the last volume on the first (ANCOVA) for arms within patients; change scores for groups
    that were there before the study, where adjusting for unequal baselines would make a difference out of regression
    to the mean (Lord FM, Psychological Bulletin 1967;68:304-305, doi:10.1037/h0025105). More scans: time x arm of a
    mixed model with a random intercept per person.
    """
    scans = select_scans(study, outcome, arms.values)
    if question.kind == "progression" and not scans.has_weeks:
        msg = "progression is change per year, but weeks are not known. Add weeks or acq_time to the sessions files"
        raise DesignError(msg)
    if _has_trend(scans):
        return fit_visits(study, scans, question, notes=arms.notes)
    if question.kind == "progression":
        rate = (
            (scans.pairs["change_mm3"] / scans.pairs["weeks"] * WEEKS_PER_YEAR).dropna().rename("change_mm3_per_year")
        )
        return compare_people(study, scans, rate, question.by, question.levels, unit="mm3/year", notes=arms.notes)
    if arms.pre_existing:
        note = (
            f"change scores, not ANCOVA: {' and '.join(question.levels)} differed before the study, and adjusting for "
            "unequal baselines would make a difference of them (Lord's paradox)"
        )
        change, notes = scans.pairs["change_mm3"], [*arms.notes, note]
        return compare_people(study, scans, change, question.by, question.levels, notes=notes)
    caution = f"unequal baselines of the levels of {question.by} are taken as chance (ANCOVA)"
    notes = [*arms.notes, *([] if question.by == "treatment" else [caution])]
    last = scans.pairs["last_mm3"]
    return compare_people(study, scans, last, question.by, question.levels, baseline=True, notes=notes)


def estimate_remission(study: Study, outcome: str, question: ChangeQuestion, arms: Arms) -> ChangeEstimate:
    """Estimate the change of remitters beyond that of controls, from first to last scan, in mm3 (`question` unused)."""
    del question
    scans = select_scans(study, outcome, arms.values)
    others = "; non-remitters are in the model" if (scans.arms == NON_REMITTERS).any() else ""
    notes = [*arms.notes, f"change scores from the first to the last scan{others}"]
    return compare_people(study, scans, scans.pairs["change_mm3"], "arm", (REMITTERS, CONTROLS), notes=notes)


def estimate_residual_gap(study: Study, outcome: str, question: ChangeQuestion, arms: Arms) -> ChangeEstimate:
    """Estimate what is left between remitters and controls at the last scan, in mm3 (`question` unused)."""
    del question
    scans = select_scans(study, outcome, arms.values)
    volume, head_size = scans.pairs["last_mm3"], study.settings.head_size
    return compare_people(study, scans, volume, "arm", (REMITTERS, CONTROLS), head_size=head_size, notes=arms.notes)


def estimate_lateralisation(study: Study, outcome: str, question: ChangeQuestion, arms: Arms) -> ChangeEstimate:
    """Estimate how the change of the right beyond the left side differs between arms: arm x hemisphere.

    Parameters
    ----------
    study, outcome, question, arms
        See the head of this module; `outcome` has ``{}`` in place of the hemisphere.

    Returns
    -------
    Difference between arms of % change right minus % change left, in percentage points.
    """
    right, left = (select_scans(study, outcome.format(side), arms.values) for side in "RL")
    ends = ["first_visit", "last_visit"]
    same = (right.pairs[ends] == left.pairs[ends].reindex(right.pairs.index)).all(axis=1)
    difference = (right.pairs["percent"] - left.pairs["percent"].reindex(right.pairs.index))[same]
    y = difference.rename("percent_R_minus_L")
    estimate = compare_people(study, right, y, question.by, question.levels, unit="%", notes=arms.notes)
    return ChangeEstimate(**{**vars(estimate), "scans": {"R": right, "L": left}})


def estimate_slope(study: Study, outcome: str, question: ChangeQuestion, arms: Arms) -> ChangeEstimate:
    """Estimate the slope of % change on a number, or of the change of a clinical score on % change.

    Parameters
    ----------
    study, outcome, question, arms
        See the head of this module; the question names the number (`by`) or the score (`outcome_change`).

    Returns
    -------
    % per unit of the number, or points of the score per %.

    Raises
    ------
    DesignError
        If the predictor does not vary; otherwise see the head of this module.
    """
    scans = select_scans(study, outcome, arms.values)
    percent = scans.pairs["percent"]
    columns = {name: read_numbers(study, name, percent.index) for name in question.adjust_for}
    if question.outcome_change:
        y, first = _read_outcome_change(study, question.outcome_change, scans.pairs)
        y, focus, predictor, unit = y.rename(f"change of {question.outcome_change}"), "percent", percent, "points/%"
        columns |= {} if first.isna().all() else {f"first {question.outcome_change}": first}
    else:
        y, focus, unit = percent, question.by, f"%/unit of {question.by}"
        predictor = read_numbers(study, question.by, percent.index)
    known = pd.DataFrame({"Intercept": 1.0, focus: predictor, **columns})[y.notna()].dropna()
    nuisance = build_nuisance(study, outcome, known.index, but=focus)
    X = known.join(nuisance.matrix, how="inner")
    count_arms(study, scans, X.index)
    if (X[focus] == X[focus].iloc[0]).all():
        msg = f"{focus} does not vary: it is {X[focus].iloc[0]:g} for all {len(X)} people"
        raise DesignError(msg)
    test, spread = fit_people(y, X, focus, study.settings)
    terms = [quote_name(focus), *map(quote_name, columns), *nuisance.terms]
    found = [tell_single(scans), tell_incomplete(scans, len(X))]
    notes = tuple(filter(None, [*arms.notes, *scans.notes, *found, *nuisance.notes]))
    formula = f"{quote_name(str(y.name))} ~ {' + '.join(terms)}"
    return ChangeEstimate(formula, unit, "exact", test, spread, len(X), None, None, {"": scans}, notes)


def _read_outcome_change(study: Study, column: str, pairs: pd.DataFrame) -> tuple[pd.Series[float], pd.Series[float]]:
    """Take the change of a clinical score between the first and last scan of each pair, and its first value.

    A column with one value per person, or none at the first scan (``symptom_change_percent``), is a change already
    and is taken as it stands; its first values are then NaN.
    """
    settled = read_numbers(study, column, pairs.index)
    if column not in study.visits:
        return settled, pd.Series(np.nan, index=pairs.index)
    scores = study.visits.set_index(["participant_id", "visit"])[column].astype(float)
    first, last = (
        pd.Series(scores.reindex(pd.MultiIndex.from_arrays([pairs.index, pairs[which]])).to_numpy(), index=pairs.index)
        for which in ("first_visit", "last_visit")
    )
    n_values = study.visits.groupby("participant_id")[column].nunique()
    if first.isna().all() or n_values.max() <= 1:
        return settled, pd.Series(np.nan, index=pairs.index)
    return last - first, first


def _has_trend(scans: Scans) -> bool:
    """Whether somebody was scanned often enough for a trend."""
    return bool((scans.visits.groupby("participant_id").size() >= MIN_SCANS_FOR_TREND).any())
