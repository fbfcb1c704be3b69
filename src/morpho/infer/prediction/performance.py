"""How well out-of-fold scores tell two classes apart: inside sites, across sites, in subgroups, as probabilities.

Takes scores of `morpho.infer.prediction.classifier` and gives numbers for tables. Trains nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from statsmodels.stats.proportion import proportion_confint

from morpho.errors import DesignError
from morpho.infer.prediction.classifier import Problem, Scores, rank_area
from morpho.infer.prediction.folds import Labels, Names
from morpho.stats.bootstrap import BlockAreas, BlockRates, draw_within, summarise_draws
from morpho.stats.discrimination import (
    balanced_accuracy,
    calibration,
    correct_repeated_cv_se,
    predictive_values,
)
from morpho.stats.effects import Interval

FIXED_SPECIFICITY = 0.9
LARGEST_BINS = 10
PEOPLE_PER_BIN = 10
LAST_YOUNG_YEAR, FIRST_OLD_YEAR = 21, 60
AGE_BANDS = ("up to 21 years", "22 to 59 years", "60 years and more")

Row = dict[str, object]


@dataclass(frozen=True)
class Assessment:
    """How performance is expressed: confidence of intervals, bootstrap draws and their seed, population prevalence."""

    confidence: float
    n_draws: int
    seed: int
    population_prevalence: float
    fewest: int


def measure_performance(problem: Problem, scores: Scores, assessment: Assessment) -> Row:
    """Measure everything that Table 7 reports of one set of scores.

    Parameters
    ----------
    problem
        Labels and sites.
    scores
        Out-of-fold scores.
    assessment
        How to express it.

    Returns
    -------
    Columns of `morpho.infer.prediction.columns.PREDICTION`, from ``auc`` on; calibration is missing where it does not
    exist (`morpho.stats.discrimination.calibration`).

    Notes
    -----
    Intervals draw people anew within site and class. ASSUME: the trained models are fixed; what another training set
    would change is not in them.
    """
    label, site = problem.label, problem.site
    is_called = scores.excess > 0
    statistics: list[BlockAreas | BlockRates] = [
        BlockAreas(label, site, scores.excess),
        BlockAreas(label, None, scores.excess),
        BlockRates(label, site, is_called),
    ]
    everybody, draws = np.arange(len(label)), _draw(statistics, label, site, assessment)
    values = [statistic(everybody) for statistic in statistics]
    area, pooled, called = (
        summarise_draws(value, drawn, assessment.confidence) for value, drawn in zip(values, draws, strict=True)
    )
    narrow = summarise_draws(values[0], draws[0], 0.90)
    row: Row = {"auc": area.value, "auc_se": area.se, "auc_ci_low": area.ci_low, "auc_ci_high": area.ci_high}
    row |= {"auc_ci90_low": narrow.ci_low, "auc_ci90_high": narrow.ci_high}
    row |= {"auc_pooled": pooled.value, "auc_pooled_ci_low": pooled.ci_low, "auc_pooled_ci_high": pooled.ci_high}
    row["auc_pooled_of_site"] = rank_area(label, _share_of_site(label, site))
    row |= {"auc_folds_mean": float(np.nanmean(scores.fold_areas)), "auc_folds_se": _correct_se(scores)}
    row |= {"balanced_accuracy": called.value, "balanced_accuracy_ci_low": called.ci_low}
    row |= {"balanced_accuracy_ci_high": called.ci_high}
    row |= {"balanced_accuracy_pooled": balanced_accuracy(label, is_called)}
    row |= _measure_calls(label, is_called, assessment.population_prevalence)
    threshold = float(np.quantile(scores.excess[~label], FIXED_SPECIFICITY, method="higher"))
    row["sensitivity_at_specificity_90"] = float((scores.excess[label] > threshold).mean())
    return row | _calibrate(label, scores)


def compare_scores(problem: Problem, scores: Scores, baseline: Scores, assessment: Assessment) -> Interval:
    """Find by how much the within-site area of some scores exceeds that of others of the same people."""
    label, site = problem.label, problem.site
    areas = [BlockAreas(label, site, given.excess) for given in (scores, baseline)]
    drawn = _draw(areas, label, site, assessment)
    first, second = (area(np.arange(len(label))) for area in areas)
    return summarise_draws(first - second, drawn[0] - drawn[1], assessment.confidence)


def measure_subgroups(people: pd.DataFrame, problem: Problem, scores: Scores, assessment: Assessment) -> Iterator[Row]:
    """Measure discrimination for each site, sex and age band, as far as known.

    Parameters
    ----------
    people
        The people predicted; columns ``sex`` and ``age_years`` if known.
    problem, scores, assessment
        As for `measure_performance`.

    Yields
    ------
    Columns of `morpho.infer.prediction.columns.SUBGROUPS`; too few people of a class: status "refused".
    """
    factors: dict[str, npt.NDArray[np.object_]] = {"site": problem.site.astype(object)}
    if "sex" in people:
        factors["sex"] = people["sex"].to_numpy(dtype=object)
    if "age_years" in people:
        factors["age_band"] = band_ages(people["age_years"]).to_numpy(dtype=object)
    for factor, levels in factors.items():
        for level in sorted({value for value in levels if isinstance(value, str)}):
            row: Row = {"subgroup": factor, "level": level, "fewest_per_class": assessment.fewest}
            yield row | _measure_subgroup(problem, scores, levels == level, assessment)


def band_ages(age_years: pd.Series[float]) -> pd.Series[str]:
    """Name the age band of each person: up to 21 (as ENIGMA divides adolescents from adults), to 59, from 60."""
    edges = [-np.inf, LAST_YOUNG_YEAR + 1, FIRST_OLD_YEAR, np.inf]
    return pd.cut(age_years.astype("float64"), edges, right=False, labels=list(AGE_BANDS)).astype("object")


def tabulate_calibration(label: Labels, scores: Scores, confidence: float) -> Iterator[Row]:
    """Compare predicted and observed shares of the label in bins of equally many people.

    Parameters
    ----------
    label : shape (people,)
        Class of each person.
    scores
        Out-of-fold scores.
    confidence
        Coverage of the interval of the observed share (Wilson's).

    Yields
    ------
    Columns of `morpho.infer.prediction.columns.CALIBRATION`, from ``bin`` on: ten bins, fewer below 100 people.
    """
    n_bins = max(1, min(LARGEST_BINS, len(label) // PEOPLE_PER_BIN))
    for number, rows in enumerate(np.array_split(np.argsort(scores.log_odds, kind="stable"), n_bins), start=1):
        n_positive = int(label[rows].sum())
        low, high = proportion_confint(n_positive, len(rows), alpha=1 - confidence, method="wilson")
        yield {
            "bin": number,
            "n": len(rows),
            "mean_predicted": float(scores.probability[rows].mean()),
            "observed": n_positive / len(rows),
            "observed_ci_low": float(low),
            "observed_ci_high": float(high),
        }


def _draw(
    statistics: Sequence[BlockAreas | BlockRates], label: Labels, site: Names, assessment: Assessment
) -> npt.NDArray[np.float64]:
    """Draw people within site and class, always the same ones; shape (statistics, draws)."""
    rng = np.random.default_rng(assessment.seed)
    return draw_within(statistics, site, label, draws=assessment.n_draws, rng=rng).T


def _share_of_site(label: Labels, site: Names) -> npt.NDArray[np.float64]:
    """Share of the label at the site of each person."""
    _, place = np.unique(site, return_inverse=True)
    return np.asarray((np.bincount(place, weights=label) / np.bincount(place))[place])


def _measure_calls(label: Labels, is_called: Labels, population_prevalence: float) -> Row:
    """Give what a positive and a negative result mean, in a sample as studied and in the population."""
    prevalence = float(label.mean())
    sensitivity, specificity = float(is_called[label].mean()), float((~is_called[~label]).mean())
    row: Row = {"sensitivity": sensitivity, "specificity": specificity}
    for name, share in (("study", prevalence), ("population", population_prevalence)):
        values = predictive_values(sensitivity, specificity, share)
        row |= {f"{name}_prevalence": share, f"ppv_{name}": values.positive, f"npv_{name}": values.negative}
    return row


def _calibrate(label: Labels, scores: Scores) -> Row:
    """Give intercept, slope and Brier score; the first two are missing where they do not exist."""
    row: Row = {"brier": float(np.mean((scores.probability - label) ** 2))}
    row["brier_of_prevalence"] = float(label.mean() * (1 - label.mean()))
    try:
        found = calibration(label, scores.probability)
    except DesignError as error:
        return row | {"calibration_note": str(error)}
    return row | {"calibration_intercept": found.intercept, "calibration_slope": found.slope}


def _correct_se(scores: Scores) -> float:
    """Corrected standard error of the mean area of the folds; NaN where folds lack a class."""
    areas = [area for area in scores.fold_areas if np.isfinite(area)]
    return correct_repeated_cv_se(areas, scores.test_fraction) if len(areas) > 1 else float("nan")


def _measure_subgroup(problem: Problem, scores: Scores, inside: Labels, assessment: Assessment) -> Row:
    """Measure discrimination among some of the people."""
    label, site = problem.label[inside], problem.site[inside]
    mixed = [name for name in np.unique(site) if 0 < label[site == name].sum() < (site == name).sum()]
    usable = np.isin(site, mixed)
    n_positive, n_negative = int(label[usable].sum()), int((~label[usable]).sum())
    row: Row = {"n": len(label), "n_positive": int(label.sum()), "n_negative": int((~label).sum())}
    if min(n_positive, n_negative) < assessment.fewest:
        reason = (
            f"{n_positive} and {n_negative} people of the two classes at sites with both; {assessment.fewest} needed"
        )
        return row | {"status": "refused", "reason": reason}
    excess = scores.excess[inside][usable]
    areas, everybody = BlockAreas(label[usable], site[usable], excess), np.arange(int(usable.sum()))
    drawn = _draw([areas], label[usable], site[usable], assessment)[0]
    area = summarise_draws(areas(everybody), drawn, assessment.confidence)
    row |= {"status": "fitted", "reason": "", "auc": area.value}
    row |= {"auc_ci_low": area.ci_low, "auc_ci_high": area.ci_high}
    is_called = excess > 0
    row["balanced_accuracy"] = BlockRates(label[usable], site[usable], is_called)(everybody)
    row["sensitivity"] = float(is_called[label[usable]].mean())
    row["specificity"] = float((~is_called[~label[usable]]).mean())
    return row
