"""Whose change is analysed, and between which scans.

Takes the visits of a study and gives, for the volume of one region, the scans that may be compared with each other,
with a count of everybody left out. `morpho.infer.change.rows` estimates; `morpho.infer.change.longitudinal` writes
the rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from morpho.errors import DesignError
from morpho.infer.study import Study
from morpho.stats.change import symmetrised_percent_change

Kind = Literal["within", "by_group", "three_level", "slope_on", "lateralisation", "progression"]

KNOWN_PAIRS = (("yes", "no"), ("patient", "control"), ("RUL", "BL"))
PRE_EXISTING = {"group", "sex"}  # nobody is allotted to these: change scores, never ANCOVA
SAME_VOXEL = 1.02  # ratio of volumes; headers round
CONTROLS, REMITTERS, NON_REMITTERS = "controls", "remitters", "non-remitters"


@dataclass(frozen=True)
class ChangeQuestion:
    """What is asked of change; see `morpho.infer.change.longitudinal.analyse_change`. Unknown levels are ()."""

    kind: Kind
    by: str
    levels: tuple[str, ...]
    outcome_change: str
    population: Mapping[str, Sequence[str]]
    adjust_for: tuple[str, ...]

    @property
    def label(self) -> str:
        """The population in words."""
        parts = [
            "/".join(levels) if column == "group" else f"{column} {'/'.join(levels)}"
            for column, levels in self.population.items()
        ]
        return ", ".join(parts) or "everyone"


@dataclass(frozen=True)
class Arms:
    """Arm of each participant of the population (text, by participant), and who was left out of it.

    `pre_existing`: the arms differ in what people were before the study, not in what was done to them.
    """

    values: pd.Series[str]
    pre_existing: bool
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Scans:
    """Scans of one region that may be compared with each other.

    `visits` has one row per scan: ``participant_id``, ``visit``, ``weeks``, ``volume_mm3``; `pairs` one per person with
    two or more, by participant: ``first_visit``, ``last_visit``, ``first_mm3``, ``last_mm3``, ``weeks`` between,
    ``change_mm3``, ``percent``, ``symmetrised_percent``. `arms` is the arm by participant; `n_moved` people changed the
    scanner and are not here.
    """

    outcome: str
    visits: pd.DataFrame
    pairs: pd.DataFrame
    arms: pd.Series[str]
    has_weeks: bool
    n_moved: int
    notes: tuple[str, ...]

    @property
    def n_single(self) -> int:
        """People with one scan."""
        return len(self.arms) - len(self.pairs)


def complete_question(study: Study, question: ChangeQuestion) -> ChangeQuestion:
    """Choose the two levels of a factor where the question compares two and does not name them.

    Parameters
    ----------
    study, question
        The cohort, and what is asked; its levels are (minuend, subtrahend), or () to take those there are.

    Returns
    -------
    The question with its levels.

    Raises
    ------
    DesignError
        If the factor has not two levels.
    """
    if question.levels or question.kind not in {"by_group", "lateralisation", "progression"}:
        return question
    members = find_members(study, question.population)
    found = sorted(set(settle_values(study, question.by).reindex(members).dropna().astype(str)))
    for pair in KNOWN_PAIRS:
        if found and set(found) <= set(pair):
            return replace(question, levels=pair)
    if len(found) != 2:
        msg = (
            f"{question.by} has {len(found)} levels among {question.label} ({', '.join(found) or 'none'}), and a "
            "difference needs two. Name the two to compare, the one to subtract last"
        )
        raise DesignError(msg)
    return replace(question, levels=(found[0], found[1]))


def find_members(study: Study, population: Mapping[str, Sequence[str]]) -> pd.Index[str]:
    """Find the people who have one of the wanted levels in every column of a population."""
    members = set(study.visits["participant_id"].tolist())
    for column, levels in population.items():
        values = settle_values(study, column)
        members &= set(values.index[values.astype(str).isin(levels)])
    index: pd.Index[str] = pd.Index(sorted(members))
    return index


def settle_values(study: Study, column: str) -> pd.Series[Any]:
    """Take the last known value of a column for each person, by participant: response is known when treatment ends.

    Raises
    ------
    DesignError
        If the cohort lacks the column.
    """
    table = study.visits.sort_values("visit") if column in study.visits else study.people
    if column not in table:
        msg = f"participants.tsv and the sessions files have no column for {column} (config participants.variables)"
        raise DesignError(msg)
    return table.dropna(subset=[column]).groupby("participant_id")[column].last().astype(object)


def read_numbers(study: Study, column: str, people: pd.Index[str]) -> pd.Series[float]:
    """Take the last known number of a column for some people; NaN where unknown.

    Raises
    ------
    DesignError
        If the column holds text.
    """
    values = settle_values(study, column).reindex(people)
    try:
        return values.astype(float)
    except (TypeError, ValueError) as error:
        seen = ", ".join(sorted(set(values.dropna().astype(str)))[:3])
        msg = f"{column} must be a number to be set against change; it holds {seen}. Use it as a factor instead"
        raise DesignError(msg) from error


def assign_arms(study: Study, question: ChangeQuestion) -> Arms:
    """Give each person of the population an arm: a level of the factor, or the name of the population.

    Parameters
    ----------
    study, question
        The cohort, and what is asked, with its levels (`complete_question`).

    Returns
    -------
    Arms by participant.
    """
    members = find_members(study, question.population)
    if question.kind == "three_level":
        return _assign_three_levels(study, members)
    if not question.levels:
        return Arms(pd.Series(question.label, index=members, dtype=object), False, ())
    values = settle_values(study, question.by).reindex(members)
    kept = values.dropna().astype(str)
    kept = kept[kept.isin(question.levels)]
    notes = [count_people(len(members) - len(kept), f"without {question.by} {' or '.join(question.levels)} left out")]
    if question.by in study.visits:
        n_values = study.visits.groupby("participant_id")[question.by].nunique().reindex(kept.index)
        notes.append(
            count_people(int((n_values > 1).sum()), f"with a {question.by} that changes: its last value counts")
        )
    has_controls = "group" in study.people and (settle_values(study, "group").reindex(kept.index) == "control").any()
    return Arms(kept, question.by in PRE_EXISTING or bool(has_controls), tuple(filter(None, notes)))


def select_scans(study: Study, outcome: str, arms: pd.Series[str]) -> Scans:
    """Take the scans of one region of all people with an arm, without those who changed the scanner.

    Parameters
    ----------
    study
        The cohort; ``site`` stands for the scanner, ``weeks`` counts from the first session.
    outcome
        Column with the volume in mm3.
    arms
        Arm by participant; others are left out.

    Returns
    -------
    Scans and pairs of first and last scan.

    Raises
    ------
    DesignError
        If the region was not measured, or nobody has two scans.

    Notes
    -----
    ASSUME: a change of ``site`` between the visits of a person is a change of scanner, whose step in volume cannot be
    told from change in the brain; a person whose site is unknown stayed.
    """
    if outcome not in study.visits:
        msg = f"the cohort table has no column {outcome}: not measured (config volumes.rois)"
        raise DesignError(msg)
    rows = study.visits[study.visits["participant_id"].isin(arms.index) & study.visits[outcome].notna()]
    n_sites = rows.groupby("participant_id")["site"].nunique() if "site" in rows else pd.Series(dtype=int)
    moved = n_sites.index[n_sites > 1]
    resized = _find_resized(rows).difference(moved)
    rows = rows[~rows["participant_id"].isin(moved.union(resized))].sort_values(["participant_id", "visit"])
    weeks, weeks_note = _read_weeks(rows)
    people = rows["participant_id"]
    backwards = set(people[weeks.groupby(people).diff() <= 0])
    notes = [
        count_people(len(moved), "whose site differs between sessions left out (another scanner)"),
        count_people(len(resized), "whose voxel size differs between sessions left out (another protocol)"),
        weeks_note,
        count_people(len(backwards), "whose weeks do not increase from session to session left out"),
    ]
    visits = pd.DataFrame(
        {"participant_id": people, "visit": rows["visit"], "weeks": weeks, "volume_mm3": rows[outcome].astype(float)}
    )
    visits = visits[~people.isin(backwards)].reset_index(drop=True)
    pairs = _pair_scans(visits)
    if pairs.empty:
        n = visits["participant_id"].nunique()
        msg = "; ".join([f"nobody of {n} people has {outcome} at two sessions", *filter(None, notes)])
        raise DesignError(msg)
    present = arms.reindex(visits["participant_id"].unique())
    return Scans(outcome, visits, pairs, present, bool(weeks.notna().any()), len(moved), tuple(filter(None, notes)))


def _find_resized(rows: pd.DataFrame) -> pd.Index[str]:
    """Find the people whose scans have voxels of different volumes, as far as those are known."""
    if "voxel_volume_mm3" not in rows:
        return pd.Index([], dtype=object)
    sizes = rows.groupby("participant_id")["voxel_volume_mm3"].agg(["min", "max"])
    found: pd.Index[str] = sizes.index[sizes["max"] > SAME_VOXEL * sizes["min"]]
    return found


def _assign_three_levels(study: Study, members: pd.Index[str]) -> Arms:
    """Name controls, and patients with and without remission."""
    group = settle_values(study, "group").reindex(members)
    remitter = settle_values(study, "remitter").reindex(members)
    arms = remitter.map({"yes": REMITTERS, "no": NON_REMITTERS}).where(group == "patient")
    arms = arms.mask(group == "control", CONTROLS).dropna()
    note = count_people(len(members) - len(arms), "without group or remitter left out")
    return Arms(arms, True, (note,) if note else ())


def _read_weeks(rows: pd.DataFrame) -> tuple[pd.Series[float], str]:
    """Weeks since the first session of each scan (0 at the first), all NaN if unknown, and a note on that."""
    unknown = pd.Series(np.nan, index=rows.index)
    weeks = rows["weeks"].astype(float) if "weeks" in rows else unknown
    if weeks.isna().all():
        return unknown, "weeks are not known: sessions count in their order, estimates are per interval"
    weeks = weeks.mask(weeks.isna() & (rows["visit"] == 0), 0.0)
    steps = weeks.groupby(rows["participant_id"]).diff()
    if (steps.dropna() == 0).all():
        return unknown, "weeks do not differ between sessions, so they do not date them: estimates are per interval"
    return weeks, ""


def _pair_scans(visits: pd.DataFrame) -> pd.DataFrame:
    """First and last scan of each person with two or more, with the change between them."""
    twice = visits[visits["participant_id"].duplicated(keep=False)]
    first, last = (
        twice.drop_duplicates("participant_id", keep=end).set_index("participant_id") for end in ("first", "last")
    )
    pairs = pd.DataFrame({"first_visit": first["visit"], "last_visit": last["visit"]})
    pairs = pairs.assign(
        first_mm3=first["volume_mm3"], last_mm3=last["volume_mm3"], weeks=last["weeks"] - first["weeks"]
    )
    return pairs.assign(
        change_mm3=pairs["last_mm3"] - pairs["first_mm3"],
        percent=100 * (pairs["last_mm3"] / pairs["first_mm3"] - 1),
        symmetrised_percent=symmetrised_percent_change(pairs["first_mm3"], pairs["last_mm3"]),
    )


def count_people(n: int, what: str) -> str:
    """Say how many people something is true of; nothing if it is true of nobody."""
    return f"{n} {'person' if n == 1 else 'people'} {what}" if n else ""
