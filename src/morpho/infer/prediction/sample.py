"""Whom a prediction is made of: two classes, complete covariates, and sites that have both classes.

Takes a study and gives numbers for `morpho.infer.prediction.classifier`, with a note on everyone who is left out.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from morpho.errors import DesignError
from morpho.infer.design import COVARIATE_COLUMNS, build_covariates
from morpho.infer.prediction.classifier import Problem
from morpho.infer.prediction.folds import find_sites, name_families
from morpho.infer.study import Settings, Study
from morpho.infer.variables import select_population

logger = logging.getLogger(__name__)

NO_SITE = "one site"


@dataclass(frozen=True)
class Candidates:
    """The people of a prediction, as a table and as numbers, and who was left out."""

    people: pd.DataFrame
    problem: Problem
    negative: str
    features: tuple[str, ...]
    covariate_columns: tuple[str, ...]
    terms: tuple[str, ...]
    notes: tuple[str, ...]


def build_candidates(
    study: Study,
    *,
    target: str,
    positive: str,
    features: Sequence[str],
    population: Mapping[str, object],
    fewest_per_class: int,
    fewest_per_site: int,
) -> Candidates:
    """Choose the people of a prediction and put their features and covariates into one matrix.

    Parameters
    ----------
    study
        The study.
    target, positive, features, population
        As for `morpho.infer.prediction.prediction.predict_group`.
    fewest_per_class
        Fewest people in either class, after everyone unfit is left out.
    fewest_per_site
        Fewest people of each class at a site; people of other sites are left out.

    Returns
    -------
    People with both classes at every site, all covariates known; missing features are NaN.

    Raises
    ------
    DesignError
        If a column or all features are absent, the target has not two values, no site has both classes, or a class
        has too few people.
    """
    people = _select_people(study.people, [target, *population], population)
    notes: list[str] = []
    present = [name for name in features if name in people and people[name].notna().any()]
    if len(present) < len(features):
        notes.append(f"not measured: {', '.join(name for name in features if name not in present)}")
    if not present:
        msg = f"none of the {len(features)} features was measured: {', '.join(features) or 'none named'}"
        raise DesignError(msg)
    people, negative = _keep_two_values(people, target, positive, notes)
    settings = _drop_covariate(study.settings, target)
    people = _keep_complete(people, settings, notes)
    people = _keep_sites(people, target, positive, fewest_per_site, notes)
    label = (people[target].astype(str) == positive).to_numpy()
    _check_classes(label, (positive, negative), fewest_per_class, notes)
    covariates = build_covariates(people, settings, site=False)
    site = people["site"].to_numpy(dtype=str) if _knows_site(people) else np.full(len(people), NO_SITE)
    family = people["family_id"].tolist() if "family_id" in people else [None] * len(people)
    X = np.column_stack([people[present].to_numpy(dtype=np.float64), covariates.matrix.to_numpy(dtype=np.float64)])
    problem = Problem(X, len(present), label, site, name_families(family))
    columns = tuple(map(str, covariates.matrix.columns))
    for note in notes:
        logger.info("prediction of %s: %s", target, note)
    notes += covariates.notes
    return Candidates(people, problem, negative, tuple(present), columns, covariates.terms, tuple(notes))


def name_covariates(people: pd.DataFrame, settings: Settings, *, outcome: str = "") -> list[str]:
    """Name the columns of age, sex and head size that a model needs (but not its own outcome).

    Parameters
    ----------
    people, settings
        People, and the covariates of the study.
    outcome
        Column of the volume, which is not its own covariate.

    Returns
    -------
    Columns of `people`.

    Raises
    ------
    DesignError
        If `people` lacks one of them.
    """
    columns = [COVARIATE_COLUMNS[name] for name in settings.covariates]
    columns += [settings.head_size.column] if settings.head_size.column not in {"none", outcome} else []
    absent = [name for name in columns if name not in people]
    if absent:
        msg = f"the cohort has no column {', '.join(absent)}, which config models.covariates and head_size ask for"
        raise DesignError(msg)
    return columns


def _select_people(people: pd.DataFrame, needed: Sequence[str], population: Mapping[str, object]) -> pd.DataFrame:
    """Keep the population, if its columns exist."""
    absent = [name for name in dict.fromkeys(needed) if name not in people]
    if absent:
        msg = f"participants.tsv has no column {', '.join(absent)} (config participants.variables)"
        raise DesignError(msg)
    return select_population(people, population)


def _keep_two_values(people: pd.DataFrame, target: str, positive: str, notes: list[str]) -> tuple[pd.DataFrame, str]:
    """Keep people with a known target, which must have two values, and name the other one."""
    known = people[people[target].notna()]
    if len(known) < len(people):
        notes.append(f"{len(people) - len(known)} people without a value of {target} left out")
    values = sorted(set(known[target].astype(str)))
    if len(values) != 2 or positive not in values:
        counts = ", ".join(f"{value} {n}" for value, n in known[target].astype(str).value_counts().items())
        msg = f"{target} needs two values, one of them {positive}; seen: {counts or 'none'}. Restrict the population."
        raise DesignError(msg)
    return known, next(value for value in values if value != positive)


def _drop_covariate(settings: Settings, target: str) -> Settings:
    """Take a covariate out of the settings if it is what is predicted."""
    return replace(settings, covariates=[name for name in settings.covariates if COVARIATE_COLUMNS.get(name) != target])


def _keep_complete(people: pd.DataFrame, settings: Settings, notes: list[str]) -> pd.DataFrame:
    """Keep people with all covariates."""
    kept = people.dropna(subset=name_covariates(people, settings))
    if len(kept) < len(people):
        notes.append(f"{len(people) - len(kept)} people without all covariates left out")
    return kept


def _knows_site(people: pd.DataFrame) -> bool:
    """Whether the site of anybody is known."""
    return "site" in people and bool(people["site"].notna().any())


def _keep_sites(people: pd.DataFrame, target: str, positive: str, fewest: int, notes: list[str]) -> pd.DataFrame:
    """Keep people of sites that have enough of both classes."""
    if not _knows_site(people):
        return people
    known = people[people["site"].notna()]
    if len(known) < len(people):
        notes.append(f"{len(people) - len(known)} people without a site left out")
    site, label = known["site"].to_numpy(dtype=str), (known[target].astype(str) == positive).to_numpy()
    kept = find_sites(site, label, fewest)
    left_out = sorted(set(site) - set(kept))
    if len(left_out) and not kept:
        counts = ", ".join(
            f"{name}: {label[site == name].sum()} and {(~label[site == name]).sum()}" for name in left_out
        )
        msg = f"no site has {fewest} people of both classes ({counts}): site and {target} cannot be told apart"
        raise DesignError(msg)
    if left_out:
        n_lost = int(np.isin(site, left_out).sum())
        notes.append(f"{n_lost} people of sites without {fewest} of both classes left out: {', '.join(left_out)}")
    return known[np.isin(site, kept)]


def _check_classes(label: np.ndarray, names: Sequence[str], fewest: int, notes: Sequence[str]) -> None:
    """Refuse too few people of a class."""
    counts = (int(label.sum()), int((~label).sum()))
    if min(counts) < fewest:
        seen = ", ".join(f"{n} {name}" for n, name in zip(counts, names, strict=True))
        msg = "; ".join([f"too few people: {seen}, where a prediction needs {fewest} of each", *notes])
        raise DesignError(msg)
