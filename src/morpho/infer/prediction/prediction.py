"""Prediction of a class from regional volumes, in people and at sites that the model has not seen.

Takes a study and gives rows for the table of claims and the tables of a prediction study. Where there are several
sites, the result that counts leaves whole sites out; mixed folds stand second, to show how much site differences
flatter. What the columns mean: `morpho.infer.prediction.columns`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from morpho.errors import DesignError
from morpho.infer.prediction.classifier import (
    WEAK_PENALTY,
    Problem,
    Scores,
    prepare_fold,
    score_out_of_fold,
    score_with_fixed_penalty,
)
from morpho.infer.prediction.columns import (
    CALIBRATION,
    PREDICTION,
    PUBLISHED,
    SUBGROUPS,
    describe_published,
    keep_description,
    tabulate_prediction,
    write_claim_row,
)
from morpho.infer.prediction.folds import Fold, Labels, leave_sites_out, mix_folds, shuffle_within
from morpho.infer.prediction.performance import (
    Assessment,
    compare_scores,
    measure_performance,
    measure_subgroups,
    tabulate_calibration,
)
from morpho.infer.prediction.sample import Candidates, build_candidates
from morpho.infer.prediction.shuffles import deal_by_site, permute_labels
from morpho.infer.study import Study
from morpho.stats.bootstrap import BlockAreas

logger = logging.getLogger(__name__)

Row = dict[str, object]


@dataclass(frozen=True)
class Validation:
    """How a prediction is validated.

    `fewest_per_class` people are needed in all, `fewest_per_site` of each class at a site that is left out; mixed folds
    are `n_splits`, dealt `n_repeats` times. `population_prevalence` is that of depression in a year, for predictive
    values outside the study. More than `many` people: the penalty is fixed (`WEAK_PENALTY`), mixed folds are dealt
    once, and the folds of the permutation test do not know the labels; the reason of the row says so.
    """

    fewest_per_class: int = 20
    fewest_per_site: int = 5
    n_splits: int = 5
    n_repeats: int = 5
    n_permutations: int = 200
    n_draws: int = 1000
    population_prevalence: float = 0.07
    many: int = 2000

    def is_large(self, problem: Problem) -> bool:
        """Whether inner folds, and shuffles one by one, would take too long."""
        return len(problem.label) > self.many


@dataclass(frozen=True)
class PredictionResult:
    """Rows of the table of claims, and the tables of the prediction.

    `table` has one row per scheme, the primary one first; `baseline` the same for the covariates alone. `per_site` and
    `subgroups` (sex, age band) divide the people of the primary scheme. `calibration` has predicted and true shares.
    """

    rows: list[Row]
    table: pd.DataFrame
    baseline: pd.DataFrame
    per_site: pd.DataFrame
    subgroups: pd.DataFrame
    calibration: pd.DataFrame


@dataclass(frozen=True)
class Scheme:
    """One way of dividing the people: a name, and the folds of each repetition."""

    name: str
    repeats: Sequence[Sequence[Fold]]
    is_primary: bool

    @property
    def by_site(self) -> bool:
        """Whether whole sites are left out."""
        return self.name == "leave_site_out"


STANDARD_VALIDATION = Validation()


def predict_group(
    study: Study,
    *,
    target: str,
    positive: str,
    features: Sequence[str],
    population: Mapping[str, object],
    validation: Validation = STANDARD_VALIDATION,
) -> PredictionResult:
    """Predict who has one of two values of a column, and measure how well, in people and sites left out.

    In every training fold: median for missing volumes, age, sex and head size regressed out, unit variance, logistic
    regression with an L2 penalty tuned by inner folds.

    Parameters
    ----------
    study
        One row per person; ``site``, ``sex``, ``age_years``, ``family_id`` are used where present.
    target, positive
        Column with two values, and the one to look for.
    features
        Columns with volumes.
    population
        Column -> value of the people to take; empty for everyone (`morpho.infer.variables.select_population`).
    validation
        Folds, shuffles, and how many people are needed.

    Returns
    -------
    Tables with the columns of `PREDICTION`, `SUBGROUPS` and `CALIBRATION`. A prediction that cannot be made is one
    row with status "refused" and the reason.

    Notes
    -----
    People of a site without enough of both classes are left out: such a site says nothing within itself, and teaches
    the model its scanner for the class. ASSUME: under the null hypothesis labels may be swapped within a site, those
    of relatives too. Sources: Varoquaux G, NeuroImage 2018;180:68-77,
    doi:10.1016/j.neuroimage.2017.06.061; Collins GS et al. (TRIPOD+AI), BMJ 2024;385:e078378,
    doi:10.1136/bmj-2023-078378.
    """
    wanted = {"target": target, "positive": positive, "features": ", ".join(features)}
    try:
        candidates = build_candidates(
            study,
            target=target,
            positive=positive,
            features=features,
            population=population,
            fewest_per_class=validation.fewest_per_class,
            fewest_per_site=validation.fewest_per_site,
        )
        return _predict(study, candidates, wanted, validation)
    except DesignError as error:
        logger.warning("prediction of %s refused: %s", target, error)
        refused: Row = {**wanted, "status": "refused", "reason": str(error), "is_primary": True}
        refused |= {"fewest_per_class": validation.fewest_per_class}
        rows = [write_claim_row(refused)]
        tables = [tabulate_prediction([{**refused, "model": model}], PREDICTION) for model in ("volumes", "covariates")]
        empty = [tabulate_prediction([], columns) for columns in (SUBGROUPS, SUBGROUPS, CALIBRATION)]
        return PredictionResult(rows, *tables, *empty)


def _predict(
    study: Study, candidates: Candidates, wanted: Mapping[str, str], validation: Validation
) -> PredictionResult:
    """Score, measure and tabulate all schemes."""
    problem, settings = candidates.problem, study.settings
    assessment = Assessment(
        confidence=settings.confidence,
        n_draws=validation.n_draws,
        seed=settings.seed,
        population_prevalence=validation.population_prevalence,
        fewest=validation.fewest_per_site,
    )
    parts: dict[str, list[Row]] = {"volumes": [], "covariates": [], "bins": [], "site": [], "other": []}
    for scheme in _plan_schemes(problem, validation, settings.seed):
        fitting: dict[str, Any] = {"by_site": scheme.by_site, "seed": settings.seed}
        fitting["tuned"] = not validation.is_large(problem)
        scores = score_out_of_fold(problem, scheme.repeats, **fitting)
        row: Row = {**wanted, **_describe_scheme(candidates, scheme, validation, scores)}
        row |= measure_performance(problem, scores, assessment)
        row["p_permutation"] = _permute(problem, scheme, validation, settings.seed)
        baseline_row, baseline = _measure_baseline(candidates, scheme, assessment, fitting)
        if baseline is not None:
            gain = compare_scores(problem, scores, baseline, assessment)
            row |= {"auc_baseline": baseline_row["auc"], "auc_gain": gain.value}
            row |= {"auc_gain_ci_low": gain.ci_low, "auc_gain_ci_high": gain.ci_high}
        parts["volumes"].append(row)
        parts["covariates"].append(keep_description(row) | baseline_row)
        for model, given in (("volumes", scores), ("covariates", baseline)):
            found = tabulate_calibration(problem.label, given, settings.confidence) if given is not None else ()
            parts["bins"] += [{"scheme": scheme.name, "model": model, **entry} for entry in found]
        for entry in measure_subgroups(candidates.people, problem, scores, assessment) if scheme.is_primary else ():
            parts["site" if entry["subgroup"] == "site" else "other"].append({"scheme": scheme.name, **entry})
    return PredictionResult(
        rows=[write_claim_row(row) for row in parts["volumes"]],
        table=tabulate_prediction(parts["volumes"], PREDICTION),
        baseline=tabulate_prediction(parts["covariates"], PREDICTION),
        per_site=tabulate_prediction(parts["site"], SUBGROUPS),
        subgroups=tabulate_prediction(parts["other"], SUBGROUPS),
        calibration=tabulate_prediction(parts["bins"], CALIBRATION),
    )


def _plan_schemes(problem: Problem, validation: Validation, seed: int) -> list[Scheme]:
    """Leave sites out and mix them where there are several; deal the people of a single site."""
    n_repeats = 1 if validation.is_large(problem) else validation.n_repeats
    seeds = np.random.default_rng(seed).integers(2**31, size=n_repeats)
    mixed = [
        mix_folds(problem.label, problem.site, problem.family, n_splits=validation.n_splits, seed=int(number))
        for number in seeds
    ]
    if len(np.unique(problem.site)) == 1:
        return [Scheme("single_site", mixed, is_primary=True)]
    apart = leave_sites_out(problem.site, problem.family)
    return [Scheme("leave_site_out", [apart], is_primary=True), Scheme("mixed_folds", mixed, is_primary=False)]


def _describe_scheme(candidates: Candidates, scheme: Scheme, validation: Validation, scores: Scores) -> Row:
    """Say what was done with whom."""
    problem = candidates.problem
    has_relatives = len(np.unique(problem.family)) < len(problem.family)
    notes = list(candidates.notes)
    if validation.is_large(problem):
        notes.append(f"more than {validation.many:,} people: penalty {WEAK_PENALTY:g} instead of one that is tuned")
    if scheme.name == "mixed_folds":
        notes.append("people of one site stand on both sides of a fold, so site differences flatter; secondary")
    if scheme.name == "single_site":
        notes.append("one site only: nothing is known about other sites")
    return {
        "scheme": scheme.name,
        "model": "volumes",
        "is_primary": scheme.is_primary,
        "status": "fitted",
        "reason": "; ".join(notes),
        "negative": candidates.negative,
        "features": ", ".join(candidates.features),
        "unit_of_split": "site" if scheme.by_site else "family" if has_relatives else "person",
        "covariates": " + ".join(candidates.terms) or "none",
        "harmonisation": "none",
        "n": len(problem.label),
        "n_positive": int(problem.label.sum()),
        "n_negative": int((~problem.label).sum()),
        "fewest_per_class": validation.fewest_per_class,
        "n_sites": len(np.unique(problem.site)),
        "n_folds": len(scores.fold_areas),
        "penalty_median": float(np.median(scores.penalties)),
        "n_permutations": validation.n_permutations,
        "published_balanced_accuracy": PUBLISHED[0].value,
        "published": describe_published(),
    }


def _permute(problem: Problem, scheme: Scheme, validation: Validation, seed: int) -> float:
    """Test the within-site area by shuffling labels within sites; mixed folds are dealt anew unless there are many."""
    if validation.is_large(problem):
        folds = scheme.repeats[0] if scheme.by_site else deal_by_site(problem, validation.n_splits, seed)
        return permute_labels(problem, folds, validation.n_permutations, seed)
    apart = [prepare_fold(problem, fold) for fold in scheme.repeats[0]] if scheme.by_site else None
    everybody = np.arange(len(problem.label))

    def measure(label: Labels, number: int) -> float:
        prepared = apart
        if prepared is None:
            folds = mix_folds(label, problem.site, problem.family, n_splits=validation.n_splits, seed=number)
            prepared = [prepare_fold(problem, fold) for fold in folds]
        return BlockAreas(label, problem.site, score_with_fixed_penalty(label, prepared))(everybody)

    rng = np.random.default_rng(seed)
    observed = measure(problem.label, int(rng.integers(2**31)))
    hits = 0
    for _ in range(validation.n_permutations):
        hits += measure(shuffle_within(problem.label, problem.site, rng), int(rng.integers(2**31))) >= observed - 1e-10
    return (1 + hits) / (1 + validation.n_permutations)


def _measure_baseline(
    candidates: Candidates, scheme: Scheme, assessment: Assessment, fitting: Mapping[str, Any]
) -> tuple[Row, Scores | None]:
    """Score and measure the covariates alone in the same folds."""
    problem = candidates.problem
    X = problem.X[:, problem.n_features :]
    row: Row = {"model": "covariates", "features": ", ".join(candidates.covariate_columns)}
    if X.shape[1] == 0:
        return row | {"status": "refused", "reason": "there are no covariates that differ between people"}, None
    alone = replace(problem, X=X, n_features=X.shape[1])
    scores = score_out_of_fold(alone, scheme.repeats, **fitting)
    row["penalty_median"] = float(np.median(scores.penalties))
    return row | measure_performance(alone, scores, assessment), scores
