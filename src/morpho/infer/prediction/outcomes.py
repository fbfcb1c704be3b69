"""Later outcomes and the volumes before them: relapse or response, predicted by the volume of one region at a time.

Takes a study and gives, per region, the odds ratio of the event per standard deviation of volume, what the volume adds
to covariates, and, where times are known, the hazard ratio. Columns: `morpho.infer.prediction.outcome_columns`.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special, stats
from statsmodels.duration.hazard_regression import PHReg

from morpho.errors import DesignError
from morpho.infer.design import build_covariates
from morpho.infer.prediction.folds import mix_folds, name_families
from morpho.infer.prediction.outcome_columns import tabulate_outcomes, write_outcome_row
from morpho.infer.prediction.sample import name_covariates
from morpho.infer.study import Settings, Study, name_column
from morpho.infer.variables import select_population
from morpho.stats.discrimination import area_under_curve, compare_areas
from morpho.stats.logistic import fit_firth, profile_coefficient

logger = logging.getLogger(__name__)

TIMES = {"relapse": "months_to_relapse"}  # outcome -> months until the event, or until the person was last seen
N_SPLITS, N_REPEATS = 5, 5
MANY = 2000  # people beyond whom folds are dealt once
FEW_PER_VARIABLE = 10
FEWEST_PER_COLUMN = 2  # events in a Cox model, which has no penalty to keep it finite
LARGEST_SE = 10.0  # of a log hazard ratio; beyond it the likelihood has no maximum
VOLUME = 1  # column of the design, after the constant

Array = npt.NDArray[np.float64]
Row = dict[str, object]


@dataclass(frozen=True)
class OutcomeResult:
    """Rows of the table of claims, and the table of the outcome: one row per region and hemisphere."""

    rows: list[Row]
    table: pd.DataFrame


@dataclass(frozen=True)
class _Question:
    """What happened to whom, and what is adjusted for."""

    outcome: str
    event: str
    adjust_for: tuple[str, ...]
    fewest_events: int
    fits: dict[bytes, Array] = field(default_factory=dict)  # coefficients of models that regions share


@dataclass(frozen=True)
class _Sample:
    """People with all values: design (constant, volume in standard deviations, covariates) and event."""

    people: pd.DataFrame
    design: Array
    event: npt.NDArray[np.bool_]
    names: tuple[str, ...]
    volume_sd_mm3: float
    notes: tuple[str, ...]
    fits: dict[bytes, Array]

    def fit(self, design: Array, event: npt.NDArray[np.bool_]) -> Array:
        """Give the coefficients of a model, which is fitted unless another region had the same one."""
        key = blake2b(design.tobytes()).digest() + blake2b(event.tobytes()).digest()
        if key not in self.fits:
            self.fits[key] = fit_firth(design, event).coefficients
        return self.fits[key]


def analyse_outcome(
    study: Study,
    *,
    outcome: str,
    event: str,
    rois: Sequence[str],
    hemispheres: Sequence[str],
    family: str,
    population: Mapping[str, object],
    adjust_for: Sequence[str] = (),
    fewest_events: int = 5,
) -> OutcomeResult:
    """Relate a yes-or-no outcome to the volume of every region before it, by Firth's logistic regression.

    ``event ~ volume per SD + age + sex + head size + site + adjust_for``, one model per region and hemisphere.

    Parameters
    ----------
    study
        One row per person, measured before the outcome.
    outcome, event
        Column, and the value that counts as event; all other values are non-events.
    rois, hemispheres, family
        Regions, sides, and the name of their family.
    population
        Column -> value of the people to take; empty for everyone (`morpho.infer.variables.select_population`).
    adjust_for
        Further columns of the model, such as severity at baseline; categories become one column per level but one.
    fewest_events
        Fewer events, or fewer non-events: the model is refused.

    Returns
    -------
    Rows, and a table with the columns of `morpho.infer.prediction.outcome_columns.OUTCOMES`.

    Notes
    -----
    Areas under the curve are out of fold, so that the volume can also lose. Times in column ``months_to_relapse``
    add a Cox model. ASSUME: who had no event was observed as long as the study says; times of people without the event
    are times of last contact, independent of their risk; hazards are proportional. Sources: see
    `morpho.stats.logistic.fit_firth`; Cox DR, Journal of the Royal Statistical Society B 1972;34:187-220.
    """
    question = _Question(outcome, event, tuple(adjust_for), fewest_events)
    table_rows, rows = [], []
    for roi in rois:
        for hemisphere in hemispheres:
            place = {"family": family, "roi": roi, "hemisphere": hemisphere}
            row: Row = {**place, "outcome": outcome, "event": event, "status": "refused"}
            try:
                row |= _analyse_place(study, place, question, population)
            except DesignError as error:
                logger.warning("%s and %s %s: refused, %s", outcome, roi, hemisphere, error)
                row["reason"] = str(error)
            table_rows.append(row)
            rows.append(write_outcome_row(row))
    return OutcomeResult(rows, tabulate_outcomes(table_rows))


def _analyse_place(
    study: Study, place: Mapping[str, str], question: _Question, population: Mapping[str, object]
) -> Row:
    """Fit everything for one region."""
    settings = study.settings
    sample = _take_sample(study, name_column(place), question, population)
    n_events = int(sample.event.sum())
    rarer = min(n_events, len(sample.event) - n_events)
    per_variable = rarer / (sample.design.shape[1] - 1)
    notes = list(sample.notes)
    if per_variable < FEW_PER_VARIABLE:
        notes.append(
            f"{per_variable:.1f} events per variable, below {FEW_PER_VARIABLE}: read the interval, not the value"
        )
    row: Row = {"status": "fitted", "formula": " + ".join([f"{question.outcome} ~ volume_z", *sample.names])}
    row |= {"n": len(sample.event), "n_events": n_events, "n_non_events": len(sample.event) - n_events}
    row |= {"events_per_variable": per_variable, "volume_sd_mm3": sample.volume_sd_mm3}
    row |= _estimate_odds(sample, settings.confidence)
    row |= _discriminate(sample, settings, notes)
    row |= _estimate_hazard(sample, question, settings.confidence, notes)
    return row | {"reason": "; ".join(notes)}


def _take_sample(study: Study, volume: str, question: _Question, population: Mapping[str, object]) -> _Sample:
    """Take the people with all values and build the design."""
    needed = list(dict.fromkeys([volume, question.outcome, *question.adjust_for]))
    absent = [name for name in dict.fromkeys([*needed, *population]) if name not in study.people]
    if absent:
        msg = f"the cohort has no column {', '.join(absent)}: not measured, or not in participants.tsv"
        raise DesignError(msg)
    chosen = select_population(study.people, population)
    people = chosen.dropna(subset=[*needed, *name_covariates(chosen, study.settings, outcome=volume)])
    people = people[build_covariates(people, study.settings, outcome=volume).matrix.notna().all(axis="columns")]
    event = (people[question.outcome].astype(str) == question.event).to_numpy()
    _check_events(event, people[question.outcome], question)
    covariates = build_covariates(people, study.settings, outcome=volume)
    volume_mm3 = people[volume].to_numpy(dtype=np.float64)
    sd = float(volume_mm3.std(ddof=1))
    if not sd > 0:
        msg = f"{volume} is {volume_mm3[0]:g} for everyone; a volume must vary to predict anything"
        raise DesignError(msg)
    notes = list(covariates.notes)
    extra, names = _code_columns(people, question.adjust_for, notes)
    z = (volume_mm3 - volume_mm3.mean()) / sd
    parts = [np.ones(len(people)), z, covariates.matrix.to_numpy(dtype=np.float64), extra]
    notes += [f"more than {MANY:,} people: folds dealt once"] * (len(people) > MANY)
    if len(people) < len(chosen):
        notes.append(f"{len(chosen) - len(people)} of {len(chosen)} people left out: a value is missing")
    return _Sample(people, np.column_stack(parts), event, (*covariates.terms, *names), sd, tuple(notes), question.fits)


def _check_events(event: npt.NDArray[np.bool_], values: pd.Series[str], question: _Question) -> None:
    """Refuse too few events or non-events."""
    counts = (int(event.sum()), int((~event).sum()))
    if min(counts) < question.fewest_events:
        seen = ", ".join(f"{value} {n}" for value, n in values.astype(str).value_counts().items())
        msg = (
            f"too few people: {counts[0]} with {question.outcome} {question.event}, {counts[1]} without, all values "
            f"known; {question.fewest_events} of each are needed (seen: {seen or 'nobody'})"
        )
        raise DesignError(msg)


def _code_columns(people: pd.DataFrame, names: Sequence[str], notes: list[str]) -> tuple[Array, tuple[str, ...]]:
    """Turn the further columns into centred numbers; those that are the same for everyone are left out with a note."""
    parts, kept = [np.empty((len(people), 0))], []
    for name in names:
        values = people[name]
        if values.nunique() < 2:
            notes.append(f"{name} left out of the model: it is {values.iloc[0]} for everyone")
            continue
        is_number = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
        numbers = values.to_frame() if is_number else pd.get_dummies(values.astype(str), drop_first=True)
        coded = numbers.to_numpy(dtype=np.float64)
        parts.append(coded - coded.mean(axis=0))
        kept.append(name)
    return np.column_stack(parts), tuple(kept)


def _estimate_odds(sample: _Sample, confidence: float) -> Row:
    """Give the odds ratio of the volume with its profile interval."""
    fit = fit_firth(sample.design, sample.event)
    profile, narrow = (profile_coefficient(fit, VOLUME, level) for level in (confidence, 0.90))
    row: Row = {"log_odds_ratio": profile.value, "log_odds_ratio_se": float(fit.se[VOLUME])}
    row |= {"log_odds_ratio_ci_low": profile.ci_low, "log_odds_ratio_ci_high": profile.ci_high}
    row |= {"log_odds_ratio_ci90_low": narrow.ci_low, "log_odds_ratio_ci90_high": narrow.ci_high}
    row |= {"odds_ratio": float(np.exp(profile.value)), "odds_ratio_ci_low": float(np.exp(profile.ci_low))}
    row |= {"odds_ratio_ci_high": float(np.exp(profile.ci_high)), "chi2": profile.chi2, "p": profile.p}
    row["z"] = float(np.copysign(np.sqrt(profile.chi2), profile.value))
    return row


def _discriminate(sample: _Sample, settings: Settings, notes: list[str]) -> Row:
    """Give the areas under the curve with and without the volume, out of fold and apparent."""
    without = np.delete(sample.design, VOLUME, axis=1)
    row: Row = {}
    for name, design in (("auc_apparent", sample.design), ("auc_apparent_without_volume", without)):
        log_odds = design @ sample.fit(design, sample.event)
        row[name] = area_under_curve(sample.event, log_odds, settings.confidence).value
    try:
        scores = [_score_out_of_fold(sample, design, settings.seed) for design in (sample.design, without)]
        gain = compare_areas(sample.event, *scores)
    except DesignError as error:
        notes.append(f"no out-of-fold area under the curve: {error}")
        return row
    for name, score in zip(("auc", "auc_without_volume"), scores, strict=True):
        area = area_under_curve(sample.event, score, settings.confidence)
        row |= {name: area.value, f"{name}_ci_low": area.ci_low, f"{name}_ci_high": area.ci_high}
    half = float(stats.norm.ppf(0.5 + settings.confidence / 2)) * gain.se
    row |= {"auc_gain": gain.difference, "auc_gain_p": gain.p}
    return row | {"auc_gain_ci_low": gain.difference - half, "auc_gain_ci_high": gain.difference + half}


def _score_out_of_fold(sample: _Sample, design: Array, seed: int) -> Array:
    """Log odds of everyone in excess of the training fold's, by models that have not seen them; mean of repeats."""
    nobody = [None] * len(design)
    family = name_families(sample.people["family_id"].tolist() if "family_id" in sample.people else nobody)
    site = np.array([str(name) for name in sample.people.get("site", nobody)])
    seeds = np.random.default_rng(seed).integers(2**31, size=1 if len(design) > MANY else N_REPEATS)
    scores = np.zeros((len(seeds), len(design)))
    for repeat, number in enumerate(seeds):
        for fold in mix_folds(sample.event, site, family, n_splits=N_SPLITS, seed=int(number)):
            X, event = design[fold.train], sample.event[fold.train]
            differs = np.ptp(X, axis=0) > 0
            differs[0] = True  # the constant; a site that is tested as a whole cannot be learned
            log_odds = design[fold.test][:, differs] @ sample.fit(X[:, differs], event)
            scores[repeat, fold.test] = log_odds - special.logit(event.mean())
    return np.asarray(scores.mean(axis=0), dtype=np.float64)


def _estimate_hazard(sample: _Sample, question: _Question, confidence: float, notes: list[str]) -> Row:
    """Give the hazard ratio of the volume where times are known; a model that fails is a note."""
    column = TIMES.get(question.outcome)
    if column is None or column not in sample.people:
        return {}
    months = sample.people[column].to_numpy(dtype=np.float64)
    known = np.isfinite(months) & (months > 0)
    X = sample.design[known][:, VOLUME:]
    X = X[:, np.ptp(X, axis=0) > 0] if known.any() else X
    n_events = int(sample.event[known].sum())
    row: Row = {"n_time": int(known.sum()), "n_time_events": n_events}
    if n_events < question.fewest_events or n_events < FEWEST_PER_COLUMN * X.shape[1]:
        seen = f"{n_events} events among {int(known.sum())} people with {column}"
        notes.append(f"no Cox model: {seen} for {X.shape[1]} columns; {FEWEST_PER_COLUMN} per column are needed")
        return row
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            fit = PHReg(months[known], X, status=sample.event[known].astype(int), ties="efron").fit()
            value, se = float(fit.params[0]), float(fit.bse[0])
    except (np.linalg.LinAlgError, FloatingPointError, Warning) as error:
        notes.append(f"no Cox model: it did not converge ({error})")
        return row
    half = float(stats.norm.ppf(0.5 + confidence / 2)) * se
    row |= {"hazard_ratio": float(np.exp(value)), "hazard_ratio_p": float(2 * stats.norm.sf(abs(value / se)))}
    return row | {
        "hazard_ratio_ci_low": float(np.exp(value - half)),
        "hazard_ratio_ci_high": float(np.exp(value + half)),
    }
