"""Who enters a model, with what, and whether the model can be estimated at all.

Takes the cohort table (one row per measured scan) and gives the analysis set of one region, its formula and the
fitted term of interest. Whatever cannot be estimated raises `DesignError` with the reason in words; nothing is
imputed. Which questions are asked, and of which regions, is the business of `morpho.infer.models`.
"""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import patsy
import statsmodels.api as sm

from morpho.errors import ConfigError, DesignError

logger = logging.getLogger(__name__)

COVARIATE_COLUMNS = {"age": "age_years", "sex": "sex"}
HEAD_SIZES = {"tiv": "total intracranial volume", "affine_tiv": "affine head size", "brain_volume": "brain volume"}
FIRST_SESSIONS = ("ses-base", "ses-bl", "ses-pre")  # "post" would come before "pre" in the alphabet
MM3_PER_DM3 = 1e6
MIN_RESIDUAL_DF = 3
CAUTION_VIF = 5.0
RANK_TOLERANCE = 1e-9  # smallest singular value of the design, its columns at length 1, relative to the largest
EXCLUSION_COLUMNS = ("participant_id", "session_id", "scan", "stage", "reason")

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class HeadSize:
    """The head-size term of the models: a column of the cohort table or "none", and why, in words."""

    column: str
    note: str


@dataclass(frozen=True)
class Question:
    """What is asked of every region: `focus` is a cohort column, called `name` in the formula, entering as `term`."""

    focus: str
    name: str
    term: str
    covariates: Sequence[str]
    head_size: HeadSize


@dataclass(frozen=True)
class Sample:
    """The people of one model (columns named as in `formula`), its notes, and who lacks which cohort columns."""

    outcome: str
    data: pd.DataFrame
    formula: str
    head_size: HeadSize
    notes: tuple[str, ...]
    missing: dict[str, list[str]]


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


def choose_baseline(cohort: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Keep the first measured session of each participant, as models take one row per person.

    Parameters
    ----------
    cohort
        One row per measured scan, with ``participant_id``, ``session_id`` and ``scan``.

    Returns
    -------
    The rows kept, in their order, and the later sessions as exclusions (``participant_id``, ``session_id``, ``scan``,
    ``stage``, ``reason``).

    Notes
    -----
    ASSUME: session labels sort in time, numbers by their value (2 before 10). Labels that begin with "base", "bl" or
    "pre" come first.
    """
    sessions = cohort["session_id"].fillna("").astype(str)
    order = {label: place for place, label in enumerate(sorted(set(sessions), key=_order_session))}
    place = sessions.map(order)
    is_first = place == place.groupby(cohort["participant_id"]).transform("min")
    is_first &= ~cohort.assign(place=place).duplicated(["participant_id", "place"])
    later = cohort.loc[~is_first, ["participant_id", "session_id", "scan"]].assign(stage="models")
    later["reason"] = "not the first measured session of this participant, the one that models use"
    if len(later):
        logger.info("%d later sessions left out, %d participants remain", len(later), is_first.sum())
    return cohort[is_first], later.reset_index(drop=True)


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
    instead = f"{HEAD_SIZES[substitute]} serves" if substitute in HEAD_SIZES else "no head-size term is used"
    note = (
        f"{HEAD_SIZES[head_size]} could not be measured in {n_missing} of {len(baseline)} scans"
        f" (brain-extracted images have no skull); {instead} for everyone instead"
    )
    logger.warning("%s", note)
    return HeadSize(f"{substitute}_whole_mm3" if substitute in HEAD_SIZES else "none", note)


def select_sample(people: pd.DataFrame, outcome: str, question: Question) -> Sample:
    """Take the people with all values that a model needs, and write its formula.

    Age and head size are centred at the mean of the sample, head size is in dm3 (litres). Site enters when the sample
    has more than one. A covariate that is the same for everyone, or is the outcome itself, is left out with a note.

    Parameters
    ----------
    people
        Rows of the cohort table, one per participant.
    outcome
        Column with the volume in mm3.
    question
        Term of interest and covariates.

    Returns
    -------
    Sample with ``volume_mm3``, the term of interest and the covariates, without missing values.

    Raises
    ------
    DesignError
        If the cohort table lacks a column that the model needs.
    ConfigError
        If a covariate is not known.
    """
    head_size = question.head_size
    if head_size.column == outcome:
        head_size = HeadSize("none", f"{outcome} is the outcome itself, so it cannot be its own covariate")
    columns = {"volume_mm3": outcome, question.name: question.focus} | _name_covariates(question.covariates, head_size)
    _check_present(people, list(columns.values()))
    frame = pd.DataFrame({name: people[column].to_numpy() for name, column in columns.items()})
    frame["participant_id"] = people["participant_id"].to_numpy()
    frame["site"] = people["site"].to_numpy() if "site" in people else None
    if frame.dropna(subset=list(columns))["site"].nunique() > 1:
        columns["site"] = "site"
    lacking = frame[list(columns)].isna()
    data = frame[~lacking.any(axis=1)].reset_index(drop=True)
    terms, notes = _write_terms(data, [name for name in columns if name not in {"volume_mm3", question.name}])
    who = frame["participant_id"].astype(str)
    missing = {who[row]: [columns[name] for name in columns if lacking.at[row, name]] for row in data_rows(lacking)}
    return Sample(outcome, data, " + ".join([f"volume_mm3 ~ {question.term}", *terms]), head_size, tuple(notes), missing)
