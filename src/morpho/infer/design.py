"""Who enters a model, and with which covariates.

Takes people (one row each) and gives, for the volume of one region, those with all values and the formula of the
model. Nothing is imputed. Questions and regions: `morpho.infer.claims.claims`; estimates: `morpho.infer.fit`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd

from morpho.errors import ConfigError, DesignError
from morpho.infer.levels import build_matrix
from morpho.infer.sessions import choose_baseline

logger = logging.getLogger(__name__)

MIN_RESIDUAL_DF = 3  # fewer estimate no spread worth the name
COVARIATE_COLUMNS = {"age": "age_years", "sex": "sex", "image_quality": "quality_index"}
AGE_TERMS = {
    "linear": "age_years",
    "quadratic": "age_years + np.square(age_years)",
    "spline": "cr(age_years, df=3, constraints='center')",
}
HEAD_SIZES = {"tiv": "total intracranial volume", "affine_tiv": "affine head size", "brain_volume": "brain volume"}
MM3_PER_DM3 = 1e6


@dataclass(frozen=True)
class HeadSize:
    """The head-size term of the models: a column of the cohort table or "none", and why, in words."""

    column: str
    note: str


class CovariateChoice(Protocol):
    """Whatever says which covariates the models have: a `Model`, or the settings of a study."""

    @property
    def covariates(self) -> Sequence[str]:
        """Some of `COVARIATE_COLUMNS`."""

    @property
    def head_size(self) -> HeadSize:
        """Head-size term."""

    @property
    def age_model(self) -> str:
        """Key of `AGE_TERMS`."""


@dataclass(frozen=True)
class Model:
    """What the volume of a region is set against: `terms` in patsy's language, of the columns `variables`; covariates.

    `covariates` are keys of `COVARIATE_COLUMNS`; `age_model` is a key of `AGE_TERMS`; site joins by itself. With fewer
    residual degrees of freedom than `min_df` it is refused.
    """

    terms: str
    variables: Sequence[str]
    covariates: Sequence[str]
    head_size: HeadSize
    age_model: str = "linear"
    min_df: int = MIN_RESIDUAL_DF


@dataclass(frozen=True)
class Sample:
    """The people of one model (columns named as in `formula`), its notes, and who lacks which cohort columns.

    `terms` are the terms of interest, `variables` their columns; `min_df` is that of the model.
    """

    outcome: str
    data: pd.DataFrame
    formula: str
    terms: str
    variables: tuple[str, ...]
    head_size: HeadSize
    notes: tuple[str, ...]
    missing: dict[str, list[str]]
    min_df: int = MIN_RESIDUAL_DF


@dataclass(frozen=True)
class Covariates:
    """Numeric covariates of some people, centred: `matrix` (people, columns) has no intercept; NaN where unknown."""

    matrix: pd.DataFrame
    terms: tuple[str, ...]
    notes: tuple[str, ...]


def resolve_head_size(cohort: pd.DataFrame, *, head_size: str, substitute: str) -> HeadSize:
    """Decide which column stands for head size in all models, so that one cohort never mixes two measures.

    Parameters
    ----------
    cohort
        One row per measured scan; head sizes are ``<name>_whole_mm3``.
    head_size, substitute
        "tiv", "affine_tiv", "brain_volume" or "none". The substitute serves everyone as soon as the first choice is
        missing for any participant's first session (TIV cannot be measured in a brain-extracted scan).

    Returns
    -------
    Column used and the reason in words.

    Raises
    ------
    ConfigError
        If either name is none of the four.
    """
    for name in (head_size, substitute):
        if name not in {*HEAD_SIZES, "none"}:
            msg = f"Unknown head size {name!r} in config models. Use one of: {', '.join(HEAD_SIZES)}, none."
            raise ConfigError(msg)
    if head_size == "none":
        return HeadSize("none", "no head-size term, as config models.head_size says")
    baseline = choose_baseline(cohort)[0]
    column = f"{head_size}_whole_mm3"
    n_missing = int(baseline[column].isna().sum()) if column in baseline else len(baseline)
    if n_missing == 0 or substitute == head_size:
        return HeadSize(column, f"{HEAD_SIZES[head_size]}, as config models.head_size says")
    serves = substitute if f"{substitute}_whole_mm3" in baseline else "none"
    instead = f"{HEAD_SIZES[serves]} serves" if serves in HEAD_SIZES else "no head-size term is used"
    why = " (brain-extracted images have no skull)" if column in baseline else ""
    note = (
        f"{HEAD_SIZES[head_size]} could not be measured in {n_missing} of {len(baseline)} scans{why}; {instead} for"
        " everyone instead"
    )
    logger.warning("%s", note)
    return HeadSize(f"{serves}_whole_mm3" if serves in HEAD_SIZES else "none", note)


def select_sample(people: pd.DataFrame, outcome: str, model: Model) -> Sample:
    """Take the people with all values that a model needs, and write its formula.

    Age and head size are centred at the mean of the sample, head size is in dm3 (litres). Site enters when the sample
    has more than one. A covariate that is the same for everyone, is the outcome itself, or is part of the terms of
    interest, is left out (the first two with a note).

    Parameters
    ----------
    people
        Rows of the cohort table, one per participant.
    outcome, model
        Column with the volume in mm3; terms of interest and covariates.

    Returns
    -------
    Sample with ``participant_id``, ``volume_mm3``, the variables of the terms and the covariates, nothing missing,
    and ``group``.

    Raises
    ------
    DesignError
        If `people` lacks a column that the model needs.
    """
    head_size = model.head_size
    if head_size.column == outcome:
        head_size = HeadSize("none", f"{outcome} is the outcome itself, so it cannot be its own covariate")
    covariates = {
        name: column
        for name, column in _name_covariates(model.covariates, head_size).items()
        if column not in model.variables
    }
    columns = {"volume_mm3": outcome, **{name: name for name in model.variables}, **covariates}
    _check_present(people, list(dict.fromkeys(["group", *columns.values()])))
    frame = people[list(columns.values())].set_axis(list(columns), axis="columns").reset_index(drop=True)
    for name in frame.columns[frame.columns.str.endswith("_dm3")]:
        frame[name] = frame[name] / MM3_PER_DM3
    frame["site"] = people["site"].to_numpy() if "site" in people else None
    if "site" not in columns and len(frame.dropna()["site"].unique()) > 1:
        columns["site"] = covariates["site"] = "site"
    participants = people["participant_id"].astype(str).to_numpy()
    lacking, names = frame[list(columns)].isna().to_numpy(), list(columns.values())
    is_left_out = np.asarray(lacking.any(axis=1))
    missing = {
        participants[row]: [names[place] for place in np.flatnonzero(lacking[row])]
        for row in np.flatnonzero(is_left_out)
    }
    frame = frame.assign(participant_id=participants, group=people["group"].to_numpy())
    data: pd.DataFrame = frame.loc[~is_left_out].reset_index(drop=True)
    terms, notes = _write_terms(data, list(covariates), model.age_model)
    if "site" not in columns and 0 < data["site"].count() < len(data):
        notes.append("some people have no site; no site term, as the others share one")
    formula = " + ".join([f"volume_mm3 ~ {model.terms}", *terms])
    data = _drop_unused_levels(_centre(data, list(covariates)))
    kept = (outcome, data, formula, model.terms, tuple(model.variables), head_size, tuple(notes), missing)
    return Sample(*kept, min_df=model.min_df)


def build_covariates(
    people: pd.DataFrame, choice: CovariateChoice, *, outcome: str = "", site: bool = True
) -> Covariates:
    """Build the covariates of a model as numbers, for methods that take no formula.

    Parameters
    ----------
    people, choice
        One row per participant; covariates, head size and age model.
    outcome
        Column of the volume; a head size that is the outcome itself is left out.
    site
        Whether site columns join when there is more than one site.

    Returns
    -------
    Covariates with the index of `people`; rows with a missing covariate are NaN throughout.

    Raises
    ------
    DesignError
        If `people` lacks a covariate, or nobody has all of them.
    """
    head_size = choice.head_size if choice.head_size.column != outcome else HeadSize("none", "")
    columns = _name_covariates(choice.covariates, head_size)
    if site and "site" in people and len(people["site"].dropna().unique()) > 1:
        columns["site"] = "site"
    _check_present(people, list(columns.values()))
    frame = people[list(columns.values())].set_axis(list(columns), axis="columns")
    for name in frame.columns[frame.columns.str.endswith("_dm3")]:
        frame[name] = frame[name] / MM3_PER_DM3
    known = frame.dropna()
    if len(frame) and not len(known):
        counts = ", ".join(f"{name} {count}" for name, count in frame.isna().sum().items())
        msg = f"Nobody has all covariates; of {len(frame)} people lack: {counts}. Drop a covariate, or fill the table."
        raise DesignError(msg)
    terms, notes = _write_terms(known, list(columns), choice.age_model)
    if not terms:
        return Covariates(pd.DataFrame(index=people.index), (), tuple(notes))
    matrix = build_matrix(" + ".join(terms), _centre(known, list(columns)))
    matrix = matrix.drop(columns="Intercept").set_axis(known.index)
    return Covariates(matrix.reindex(people.index), tuple(terms), tuple(notes))


def _name_covariates(covariates: Sequence[str], head_size: HeadSize) -> dict[str, str]:
    """Map names in the formula to columns of the cohort table."""
    unknown = sorted(set(covariates) - set(COVARIATE_COLUMNS))
    if unknown:
        msg = f"Unknown covariates in config models.covariates: {unknown}. Use some of: {', '.join(COVARIATE_COLUMNS)}."
        raise ConfigError(msg)
    columns = {COVARIATE_COLUMNS[name]: COVARIATE_COLUMNS[name] for name in covariates}
    if head_size.column != "none":
        columns[head_size.column.removesuffix("_mm3") + "_dm3"] = head_size.column
    return columns


def _check_present(people: pd.DataFrame, columns: Sequence[str]) -> None:
    """Refuse a model of columns that the cohort table does not have."""
    problems = []
    for column in (column for column in columns if column not in people):
        name = column.removesuffix("_years") if column in COVARIATE_COLUMNS.values() else column
        if column.endswith("_mm3"):
            problems.append(f"the cohort table has no column {column}: not measured (config volumes.rois)")
        elif name.startswith("severity_"):
            problems.append(f"participants.tsv has no {name} column (config participants.severity)")
        else:
            key = "columns" if name in {*COVARIATE_COLUMNS, "group", "site"} else "variables"
            problems.append(f"participants.tsv has no {name} column (config participants.{key}.{name})")
    if problems:
        raise DesignError("; ".join(problems))


def _write_terms(data: pd.DataFrame, names: Sequence[str], age_model: str) -> tuple[list[str], list[str]]:
    """Write the covariates that vary as terms of the formula, and a note on each that does not."""
    codes = {"sex": "C(sex, Sum)", "site": "C(site)", "age_years": AGE_TERMS[age_model]}
    terms, notes = [], []
    for name in names:
        if data[name].nunique() < 2:
            notes += [f"{name} left out of the model: it is {value} for everyone" for value in data[name].iloc[:1]]
        else:
            terms.append(codes.get(name, name))
    return terms, notes


def _drop_unused_levels(data: pd.DataFrame) -> pd.DataFrame:
    """Forget levels of categories that nobody has: they would be columns of zeros in the design."""
    categories = data.select_dtypes("category").columns
    return data.assign(**{name: data[name].cat.remove_unused_categories() for name in categories})


def _centre(data: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Centre the numeric covariates and make the others text."""
    centred = data.copy()
    for name in names:
        if name in {"sex", "site"}:
            centred[name] = data[name].astype(str)
        else:
            centred[name] = data[name].astype(float) - data[name].astype(float).mean()
    return centred
