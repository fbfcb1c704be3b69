"""Norms of single regions: what is expected of a person, from the controls of a cohort or from a table.

Takes people and gives expected volumes and z scores of one region, and a note for everybody who cannot be scored:
people unlike all controls are not extrapolated to. `morpho.infer.sites.individuals` makes the tables.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import linalg

from morpho.errors import ConfigError, DesignError
from morpho.infer.design import build_covariates
from morpho.infer.study import Settings, name_column
from morpho.stats.normative import Norm, fit_norm, score_controls, score_people

NORM_COLUMNS = ("roi", "hemisphere", "sex", "age_years", "mean_mm3", "sd_mm3")

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """Scores of one region, shape (people,); NaN where `notes`, indexed as the people, gives the reason."""

    expected_mm3: Array
    prediction_sd_mm3: Array
    z: Array
    notes: pd.Series[str]


def score_region(
    people: pd.DataFrame, place: dict[str, str], settings: Settings, min_controls: int, table: pd.DataFrame | None
) -> Scores:
    """Score everybody in one region.

    Parameters
    ----------
    people
        One row per participant.
    place
        ``roi`` and ``hemisphere``.
    settings
        Covariates of the norm.
    min_controls
        Fewest controls with all values, in all and at each of several sites.
    table
        Norm table that passed `check_norm_table`; None takes the controls of the cohort as the norm.

    Returns
    -------
    Scores and notes.

    Raises
    ------
    DesignError
        If a column is absent, there are too few controls, or the table has no row for the region.
    """
    outcome = name_column(place)
    lacking = [name for name in ("group", outcome) if name not in people]
    if lacking:
        msg = f"the cohort table has no column {' and '.join(lacking)}"
        raise DesignError(msg)
    notes = pd.Series("", index=people.index)
    _mark(notes, people[outcome].isna(), "no volume")
    if table is None:
        _mark_unlike_controls(notes, people, outcome, settings, min_controls)
        _check_controls(notes, people, min_controls)
        return _score_with_controls(people, outcome, settings, notes, min_controls)
    norm = table[(table["roi"] == place["roi"]) & (table["hemisphere"] == place["hemisphere"])]
    expected, sd = _interpolate_norm(people, norm, notes)
    _mark_small_sites(notes, people, min_controls)
    _check_controls(notes, people, min_controls)
    z = np.where(notes == "", (people[outcome].to_numpy(dtype=float) - expected) / sd, np.nan)
    return Scores(expected, sd, z, notes)


def check_norm_table(norm: pd.DataFrame) -> None:
    """Refuse a norm table that cannot be read without guessing.

    Parameters
    ----------
    norm
        Columns `NORM_COLUMNS`.

    Raises
    ------
    ConfigError
        If a column or a value is missing, a row is repeated, or a standard deviation is not above 0.
    """
    lacking = [name for name in NORM_COLUMNS if name not in norm]
    if lacking:
        msg = f"The norm table lacks the columns {', '.join(lacking)}. It needs {', '.join(NORM_COLUMNS)}."
        raise ConfigError(msg)
    broken = norm[list(NORM_COLUMNS)].isna().any(axis=1) | ~(norm["sd_mm3"] > 0)
    broken |= norm.duplicated(["roi", "hemisphere", "sex", "age_years"], keep=False)
    if broken.any():
        msg = (
            f"The norm table has {int(broken.sum())} rows that are incomplete, repeated or have no standard deviation "
            f"above 0 (rows {', '.join(map(str, np.flatnonzero(broken)[:10] + 1))}). Correct or delete them."
        )
        raise ConfigError(msg)


def _mark(notes: pd.Series[str], where: pd.Series[bool], reason: str) -> None:
    """Write the first reason why people are not scored."""
    notes[(notes == "") & where.reindex(notes.index, fill_value=False)] = reason


def _mark_unlike_controls(
    notes: pd.Series[str], people: pd.DataFrame, outcome: str, settings: Settings, min_controls: int
) -> None:
    """Mark people without covariates, and those of a site, sex or age of which there are no controls."""
    covariates = build_covariates(people[notes == ""], settings, outcome=outcome).matrix
    _mark(notes, covariates.isna().any(axis=1), "age, sex, head size or site unknown")
    _mark_small_sites(notes, people, min_controls)
    controls = people[(notes == "") & (people["group"] == "control")]
    if "sex" in settings.covariates:
        for sex in sorted(set(people["sex"].dropna()) - set(controls["sex"])):
            _mark(notes, people["sex"] == sex, f"no controls of sex {sex}")
    if "age" in settings.covariates and len(controls):
        _mark_ages(notes, people["age_years"], controls["age_years"].min(), controls["age_years"].max(), "the controls")


def _mark_small_sites(notes: pd.Series[str], people: pd.DataFrame, fewest: int) -> None:
    """Mark the people of sites with too few controls, where there is more than one site."""
    if "site" not in people or people["site"].nunique() < 2:
        return
    controls = people.loc[(notes == "") & (people["group"] == "control"), "site"]
    for site in set(people["site"].dropna()):
        n = int((controls == site).sum())
        if n < fewest:
            _mark(
                notes, people["site"] == site, f"site {site} has {n} controls with all values, {fewest} are the least"
            )
    if fewest:
        _mark(notes, people["site"].isna(), "site unknown")


def _mark_ages(notes: pd.Series[str], ages: pd.Series[float], low: float, high: float, whose: str) -> None:
    """Mark people outside a range of ages."""
    _mark(notes, ages < low, f"younger than {whose} ({low:g} to {high:g} years)")
    _mark(notes, ages > high, f"older than {whose} ({low:g} to {high:g} years)")


def _check_controls(notes: pd.Series[str], people: pd.DataFrame, fewest: int) -> None:
    """Refuse a norm of too few controls, saying what the others lack."""
    is_control = people["group"] == "control"
    left = notes[is_control & (notes != "")].value_counts()
    n = int((is_control & (notes == "")).sum())
    if n < fewest:
        lost = "".join(f"; {count} without: {reason}" for reason, count in left.items())
        msg = f"{n} controls with all values, {fewest} are the least for a norm (min_controls){lost}"
        raise DesignError(msg)


def _score_with_controls(
    people: pd.DataFrame, outcome: str, settings: Settings, notes: pd.Series[str], min_controls: int
) -> Scores:
    """Score people against the controls of the cohort, controls against all others."""
    scorable = (notes == "").to_numpy()
    chosen = people[scorable]
    covariates = build_covariates(chosen, settings, outcome=outcome).matrix.to_numpy(dtype=float)
    X, volume = np.column_stack([np.ones(len(chosen)), covariates]), chosen[outcome].to_numpy(dtype=float)
    is_control = (chosen["group"] == "control").to_numpy()
    norm = fit_norm(volume[is_control], X[is_control], min_controls)
    scores = np.full((3, len(chosen)), np.nan)
    scores[:, is_control] = [*_leave_one_out(norm, volume[is_control]), score_controls(norm)]
    others = X[~is_control]
    leverage = (linalg.solve_triangular(norm.triangle, others.T, trans="T") ** 2).sum(axis=0)
    sd = norm.residual_sd * np.sqrt(1 + leverage)
    scores[:, ~is_control] = [others @ norm.coefficients, sd, score_people(norm, volume[~is_control], others)]
    everybody = np.full((3, len(people)), np.nan)
    everybody[:, scorable] = scores
    return Scores(everybody[0], everybody[1], everybody[2], notes)


def _leave_one_out(norm: Norm, volume: Array) -> tuple[Array, Array]:
    """Give expected volume and prediction standard deviation of each control, from all other controls."""
    rest = np.where(norm.leverage < 1 - 1e-10, 1 - norm.leverage, np.nan)
    squares = norm.residual_sd**2 * norm.df - norm.residuals**2 / rest
    return volume - norm.residuals / rest, np.sqrt(np.maximum(squares, 0) / (norm.df - 1) / rest)


def _interpolate_norm(people: pd.DataFrame, norm: pd.DataFrame, notes: pd.Series[str]) -> tuple[Array, Array]:
    """Read expected volumes and standard deviations from the norm of one region; marks those it does not reach."""
    lacking = [name for name in ("sex", "age_years") if name not in people]
    if lacking or norm.empty:
        msg = "the norm table has no row for this region and side" if norm.empty else f"no column {', '.join(lacking)}"
        raise DesignError(msg)
    _mark(notes, people["sex"].isna() | people["age_years"].isna(), "age or sex unknown")
    expected, sd = np.full((2, len(people)), np.nan)
    for sex in sorted(set(people["sex"].dropna())):
        own, inside = norm[norm["sex"] == sex].sort_values("age_years"), people["sex"] == sex
        if own.empty:
            _mark(notes, inside, f"the norm table has no sex {sex}")
            continue
        ages = own["age_years"].to_numpy(dtype=float)
        _mark_ages(notes, people["age_years"].where(inside), ages[0], ages[-1], "the norm table")
        reached = (inside & (notes == "")).to_numpy()
        at = people.loc[reached, "age_years"].to_numpy(dtype=float)
        expected[reached], sd[reached] = (np.interp(at, ages, own[name]) for name in ("mean_mm3", "sd_mm3"))
    return expected, sd
