"""Fit the models of change: one row per person by least squares, or one per scan with a random intercept.

Takes scans (`morpho.infer.change.sample`) and gives one contrast in natural units with what its effect size needs.
Which model answers which question is decided in `morpho.infer.change.rows`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import stats

from morpho.errors import DesignError
from morpho.formulas import quote_name
from morpho.infer.change.sample import NON_REMITTERS, ChangeQuestion, Scans, count_people
from morpho.infer.design import COVARIATE_COLUMNS, HeadSize, build_covariates
from morpho.infer.plans import say_too_few
from morpho.infer.study import Settings, Study
from morpho.stats.linear import estimate_contrast, find_dependent_columns, fit_linear
from morpho.stats.mixed import ContrastEstimate, fit_mixed
from morpho.stats.mixed import estimate_contrast as estimate_mixed_contrast

WEEKS_PER_YEAR = 365.25 / 7
UNEQUAL_WEEKS = 0.2  # of the longer mean interval: beyond it, arms were not watched equally long
NO_HEAD_SIZE = HeadSize("none", "the change of a person needs no head size")


@dataclass(frozen=True)
class ChangeEstimate:
    """One contrast of one region in natural units, with what its effect size needs.

    `spread` is the standard deviation that turns the estimate into d. `scans` are those behind it, by side where two
    sides are compared. `n_comparison` and `n_reference` are None without arms.
    """

    formula: str
    unit: str
    df_method: str
    test: ContrastEstimate
    spread: float
    n: int
    n_comparison: int | None
    n_reference: int | None
    scans: Mapping[str, Scans]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Nuisance:
    """Covariates by participant (nobody with a gap), their terms in the formula, and notes."""

    matrix: pd.DataFrame
    terms: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def build_nuisance(
    study: Study, outcome: str, people: pd.Index[str], *, head_size: HeadSize = NO_HEAD_SIZE, but: str = ""
) -> Nuisance:
    """Build the covariates of some people, as they were at the first session.

    Parameters
    ----------
    study, outcome
        Cohort and column of the volume.
    people
        Participants of the model; those with a missing covariate are left out.
    head_size
        Column that stands for head size; none by default, as for change within people.
    but
        Column that is a term of interest and so no covariate.

    Returns
    -------
    Covariates with one row per participant.
    """
    covariates = [name for name in study.settings.covariates if COVARIATE_COLUMNS.get(name) != but]
    choice = replace(study.settings, covariates=covariates, head_size=head_size)
    rows = study.people.set_index("participant_id").reindex(people)
    built = build_covariates(rows, choice, outcome=outcome, site=but != "site")
    return Nuisance(built.matrix.dropna(), built.terms, built.notes)


def fit_people(y: pd.Series[float], X: pd.DataFrame, focus: str, settings: Settings) -> tuple[ContrastEstimate, float]:
    """Fit one number per person by least squares and read the coefficient of one column.

    Parameters
    ----------
    y
        One number per person; others than in `X` are ignored.
    X
        Design with one row per person, without gaps.
    focus
        Column whose coefficient is read.
    settings
        Confidence, and fewest residual degrees of freedom.

    Returns
    -------
    Coefficient with its exact t test, and the residual standard deviation.

    Raises
    ------
    DesignError
        If columns repeat each other, too few residual degrees of freedom remain, or no residual is left.
    """
    df = len(X) - X.shape[1]
    if df < settings.min_residual_df:
        raise DesignError(say_too_few(*X.shape, fewest=settings.min_residual_df))
    if dependent := find_dependent_columns(X.to_numpy()):
        names = ", ".join(str(X.columns[column]) for column in dependent)
        msg = f"the effects of {names} cannot be told apart: these columns of the design repeat each other"
        raise DesignError(msg)
    fit = fit_linear(y.reindex(X.index).to_numpy()[:, None], X.to_numpy())
    found = estimate_contrast(fit, X.columns == focus)
    estimate, se, t, p = (float(values[0]) for values in (found.estimate, found.se, found.t, found.p))
    if not np.isfinite(t):
        msg = f"{y.name} is reproduced exactly by the design, or is the same for everyone: no residual to test against"
        raise DesignError(msg)
    half = float(stats.t.isf((1 - settings.confidence) / 2, df)) * se
    test = ContrastEstimate(
        estimate=estimate, se=se, df=float(df), t=t, p=p, ci_low=estimate - half, ci_high=estimate + half
    )
    return test, float(np.sqrt(fit.residual_variance[0]))


def compare_people(
    study: Study,
    scans: Scans,
    y: pd.Series[float],
    factor: str,
    levels: Sequence[str],
    *,
    unit: str = "mm3",
    baseline: bool = False,
    head_size: HeadSize = NO_HEAD_SIZE,
    notes: Sequence[str] = (),
) -> ChangeEstimate:
    """Compare one number per person between two arms.

    Parameters
    ----------
    study, scans
        Cohort and scans of the region.
    y
        The number, by participant; its name goes into the formula.
    factor, levels
        Name of the factor, and (minuend, subtrahend). Non-remitters, where there are any, have a column of their own.
    unit
        Of `y`.
    baseline
        Whether the volume of the first scan, centred, is a covariate.
    head_size
        As for `build_nuisance`.
    notes
        What is known about the comparison already.

    Returns
    -------
    Difference with its exact t test.
    """
    nuisance = build_nuisance(study, scans.outcome, y.index, head_size=head_size, but=factor)
    group = scans.arms.reindex(nuisance.matrix.index)
    X = pd.DataFrame({"Intercept": 1.0, factor: (group == levels[0]) * 1.0})
    if (group == NON_REMITTERS).any():
        X[NON_REMITTERS] = (group == NON_REMITTERS) * 1.0
    if baseline:
        X["first_mm3"] = scans.pairs["first_mm3"] - scans.pairs["first_mm3"].reindex(X.index).mean()
    X = X.join(nuisance.matrix)
    counts = count_arms(study, scans, X.index, levels)
    test, spread = fit_people(y, X, factor, study.settings)
    terms = [quote_name(factor), *(["first_mm3"] if baseline else []), *nuisance.terms]
    found = [tell_single(scans), _tell_unequal_weeks(scans, levels), tell_incomplete(scans, len(X))]
    everything = tuple(filter(None, [*scans.notes, *found, *nuisance.notes, *notes]))
    formula = f"{y.name} ~ {' + '.join(terms)}"
    return ChangeEstimate(formula, unit, "exact", test, spread, len(X), *counts, {"": scans}, everything)


def fit_visits(study: Study, scans: Scans, question: ChangeQuestion, *, notes: Sequence[str] = ()) -> ChangeEstimate:
    """Fit the mixed model of all scans: the trend of one population, or time x arm.

    Parameters
    ----------
    study, scans
        Cohort and scans of the region; people with one scan help to place the level.
    question
        Its levels are (minuend, subtrahend), or () for the trend; kind "progression" is per year.
    notes
        What is known about the comparison already.

    Returns
    -------
    Slope, or difference of slopes, per week, visit or year. The spread is that of the change between two scans over the
    median time that people were followed, so that with two scans for everybody d is that of change scores.

    Notes
    -----
    ASSUME: change is even over time, and people differ in level, not in slope (random intercept). Where slopes differ
    between people and the follow-up has many scans, the interval is too narrow.
    """
    time = "years" if question.kind == "progression" else "weeks" if scans.has_weeks else "visit"
    visits = scans.visits.assign(years=scans.visits["weeks"] / WEEKS_PER_YEAR).dropna(subset=[time])
    people = pd.Index(visits["participant_id"].unique())
    nuisance, focus, terms = Nuisance(pd.DataFrame(index=people)), time, time
    if question.levels:
        nuisance = build_nuisance(study, scans.outcome, people, head_size=study.settings.head_size, but=question.by)
        focus, terms = f"{time}:{question.by}", f"{time} * {quote_name(question.by)}"
    n_undated = len(scans.visits) - len(visits)
    visits = visits[visits["participant_id"].isin(nuisance.matrix.index)]
    design = {"Intercept": 1.0, time: visits[time].astype(float)}
    n = visits["participant_id"].nunique()
    counts = count_arms(study, scans, pd.Index(visits["participant_id"].unique()), question.levels)
    if question.levels:
        arm = (visits["participant_id"].map(scans.arms) == question.levels[0]) * 1.0
        design |= {question.by: arm, focus: arm * visits[time]}
    covariates = nuisance.matrix.loc[visits["participant_id"]].set_axis(visits.index)
    X = pd.DataFrame(design).join(covariates)
    ones = np.ones((len(X), 1))
    subjects = visits["participant_id"].to_numpy()
    fit = fit_mixed(visits["volume_mm3"], X, ones, subjects, confidence=study.settings.confidence)
    spans = visits.groupby("participant_id")[time].agg(np.ptp)
    span = float(spans[spans > 0].median())
    found = [
        f"effect size: over {span:.3g} {time}, in standard deviations of the change between two scans",
        count_people(int((spans == 0).sum()), "with one scan in the model"),
        f"scans without {time} left out: {n_undated}" if n_undated else "",
        count_people(scans.visits["participant_id"].nunique() - n, "without weeks or a covariate left out"),
        "no spread between people was found" if fit.singular else "",
    ]
    return ChangeEstimate(
        " + ".join([f"volume_mm3 ~ {terms}", *nuisance.terms, "(1 | participant_id)"]),
        f"mm3/{time.removesuffix('s')}",
        "Satterthwaite",
        estimate_mixed_contrast(fit, X.columns == focus),
        float(np.sqrt(2 * fit.residual_variance)) / span,
        n,
        *counts,
        {"": scans},
        tuple(filter(None, [*scans.notes, *found, *nuisance.notes, *notes])),
    )


def count_arms(
    study: Study, scans: Scans, people: pd.Index[str], levels: Sequence[str] = ()
) -> tuple[int | None, int | None]:
    """Count the people of a model in both arms (None without arms), and refuse too few with two scans.

    Raises
    ------
    DesignError
        If an arm, or the whole population without arms, is smaller than config models.min_group_size.
    """
    fewest, twice = study.settings.min_group_size, people.intersection(scans.pairs.index)
    arms = scans.arms.reindex(people)
    seen = {level: int((arms.reindex(twice) == level).sum()) for level in levels} or {"people": len(twice)}
    if min(seen.values()) < fewest:
        counts = ", ".join(f"{n} {level}" for level, n in seen.items())
        msg = f"too few people: {counts} with two scans and all values; config models.min_group_size asks for {fewest}"
        raise DesignError("; ".join([msg, *scans.notes, *filter(None, [tell_single(scans)])]))
    return (int((arms == levels[0]).sum()), int((arms == levels[1]).sum())) if levels else (None, None)


def tell_single(scans: Scans) -> str:
    """Say how many people are left out because they have one scan."""
    return count_people(scans.n_single, "with one scan left out")


def tell_incomplete(scans: Scans, n: int) -> str:
    """Say how many people with two scans are left out because a value is missing."""
    return count_people(len(scans.pairs) - n, "with two scans but a missing value left out")


def _tell_unequal_weeks(scans: Scans, levels: Sequence[str]) -> str:
    """Warn where the arms were followed for clearly different times."""
    means = scans.pairs["weeks"].groupby(scans.arms.reindex(scans.pairs.index)).mean().reindex(list(levels)).dropna()
    if len(means) < len(levels) or means.max() - means.min() <= UNEQUAL_WEEKS * means.max():
        return ""
    return "unequal follow-up: " + ", ".join(f"{weeks:.3g} weeks in {level}" for level, weeks in means.items())
