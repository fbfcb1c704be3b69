"""Who enters a model, and with which covariates.

Takes the cohort table (one row per measured scan) and gives, for the volume of one region, the people with all values
and the formula of the model. Nothing is imputed. Which questions are asked, and of which regions, is the business of
`morpho.infer.models`; `morpho.infer.fit` estimates.
"""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from morpho.errors import ConfigError, DesignError

logger = logging.getLogger(__name__)

COVARIATE_COLUMNS = {"age": "age_years", "sex": "sex"}
HEAD_SIZES = {"tiv": "total intracranial volume", "affine_tiv": "affine head size", "brain_volume": "brain volume"}
FIRST_SESSIONS = ("ses-base", "ses-bl", "ses-pre")  # "post" would come before "pre" in the alphabet
MM3_PER_DM3 = 1e6


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
    Sample with ``participant_id``, ``volume_mm3``, the term of interest and the covariates, nothing missing,
    and ``group``.
    """
    head_size = question.head_size
    if head_size.column == outcome:
        head_size = HeadSize("none", f"{outcome} is the outcome itself, so it cannot be its own covariate")
    columns = {"volume_mm3": outcome, question.name: question.focus, **_name_covariates(question, head_size)}
    _check_present(people, list(dict.fromkeys(["group", *columns.values()])))
    frame = pd.DataFrame({name: people[column].to_numpy() for name, column in columns.items()})
    for name in frame.columns[frame.columns.str.endswith("_dm3")]:
        frame[name] /= MM3_PER_DM3
    frame["site"] = people["site"].to_numpy() if "site" in people else None
    if len(set(frame.dropna()["site"])) > 1:
        columns["site"] = "site"
    participants = people["participant_id"].astype(str).to_numpy()
    lacking = frame[list(columns)].isna()
    missing = {
        participants[row]: [columns[name] for name in lacking.columns[lacking.loc[row]]]
        for row in np.flatnonzero(lacking.any(axis=1))
    }
    frame = frame.assign(participant_id=participants, group=people["group"].to_numpy())
    data = frame[~lacking.any(axis=1)].reset_index(drop=True)
    terms, notes = _write_terms(data, list(columns)[2:])
    if "site" not in columns and 0 < data["site"].count() < len(data):
        notes.append("some people have no site; no site term, as the others share one")
    formula = " + ".join([f"volume_mm3 ~ {question.term}", *terms])
    return Sample(outcome, _centre(data, list(columns)[2:]), formula, head_size, tuple(notes), missing)


def _order_session(label: str) -> tuple[bool, list[str | int]]:
    """Place a session label in time: first the usual names of a first session, then by the numbers in it."""
    parts = re.split(r"(\d+)", label.lower())
    return not label.lower().startswith(FIRST_SESSIONS), [int(part) if part.isdigit() else part for part in parts]


def _name_covariates(question: Question, head_size: HeadSize) -> dict[str, str]:
    """Map names in the formula to columns of the cohort table."""
    unknown = sorted(set(question.covariates) - set(COVARIATE_COLUMNS))
    if unknown:
        msg = f"Unknown covariates in config models.covariates: {unknown}. Use some of: {', '.join(COVARIATE_COLUMNS)}."
        raise ConfigError(msg)
    columns = {COVARIATE_COLUMNS[name]: COVARIATE_COLUMNS[name] for name in question.covariates}
    if head_size.column != "none":
        columns[head_size.column.removesuffix("_mm3") + "_dm3"] = head_size.column
    return columns


def _check_present(people: pd.DataFrame, columns: Sequence[str]) -> None:
    """Refuse a model of columns that the cohort table does not have."""
    problems = []
    for column in (column for column in columns if column not in people):
        name = column.removesuffix("_years")
        key = "severity" if name.startswith("severity_") else f"columns.{name}"
        if column.endswith("_mm3"):
            problems.append(f"the cohort table has no column {column}: not measured (config volumes.rois)")
        else:
            problems.append(f"participants.tsv has no {name} column (config participants.{key})")
    if problems:
        raise DesignError("; ".join(problems))


def _write_terms(data: pd.DataFrame, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Write the covariates that vary as terms of the formula, and a note on each that does not."""
    terms, notes = [], []
    for name in names:
        if data[name].nunique() < 2:
            notes += [f"{name} left out of the model: it is {value} for everyone" for value in data[name].iloc[:1]]
        else:
            terms.append({"sex": "C(sex, Sum)", "site": "C(site)"}.get(name, name))
    return terms, notes


def _centre(data: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Centre the numeric covariates and make the others text."""
    centred = data.copy()
    for name in names:
        if name in {"sex", "site"}:
            centred[name] = data[name].astype(str)
        else:
            centred[name] = data[name].astype(float) - data[name].astype(float).mean()
    return centred
