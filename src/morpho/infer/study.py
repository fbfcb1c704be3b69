"""What every analysis of a cohort is given: its people, all their visits, and the settings of the study.

Takes the cohort table (one row per measured scan). Groups are called by their role from here on, "control" and
"patient", so that the claims of `config/claims.yaml` fit every cohort.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import pandas as pd

from morpho.covariates import group_by_domain
from morpho.infer.design import MIN_RESIDUAL_DF, HeadSize, resolve_head_size
from morpho.infer.sessions import choose_baseline, order_sessions

ROLES = ("control", "patient")

Families = Mapping[str, Mapping[str, Sequence[str]]]


@dataclass(frozen=True)
class Settings:
    """What all models of a study share; `smallest_effects` are the smallest effects of interest by effect size."""

    covariates: Sequence[str]
    head_size: HeadSize
    families: Families
    min_group_size: int
    confidence: float
    n_permutations: int
    seed: int
    smallest_effects: Mapping[str, float]
    age_model: str = "linear"
    min_residual_df: int = MIN_RESIDUAL_DF


@dataclass(frozen=True)
class Study:
    """A cohort ready for analysis: `people` has one row per participant, `visits` one per measured scan.

    `visit` counts the sessions of a person from 0. `domains` names the columns of severity, cognition, stress and so
    on; `group_names` the cohort's own words for "control" and "patient".
    """

    people: pd.DataFrame
    visits: pd.DataFrame
    settings: Settings
    domains: Mapping[str, Sequence[str]]
    group_names: Mapping[str, str]


def make_settings(models: Mapping[str, Any], cohort: pd.DataFrame) -> Settings:
    """Take the settings of all models from the configuration, and decide on the head size of this cohort.

    Parameters
    ----------
    models
        Block ``models`` of the configuration, without removed entries.
    cohort
        One row per measured scan.
    """
    head_size = resolve_head_size(cohort, head_size=models["head_size"], substitute=models["head_size_substitute"])
    taken = {field.name: models[field.name] for field in fields(Settings) if field.name != "head_size"}
    return Settings(head_size=head_size, **taken)


def prepare_study(
    cohort: pd.DataFrame, models: Mapping[str, Any], participants: Mapping[str, Any]
) -> tuple[Study, pd.DataFrame]:
    """Make a study of a cohort table as the configuration says.

    Parameters
    ----------
    cohort
        One row per measured scan (``cohort.tsv``).
    models, participants
        Blocks of the configuration, without removed entries.

    Returns
    -------
    As `build_study`.
    """
    return build_study(
        cohort,
        make_settings(models, cohort),
        reference_group=models["reference_group"],
        comparison_group=models["comparison_group"],
        domains=group_by_domain(participants["variables"], participants["severity"], list(map(str, cohort.columns))),
    )


def build_study(
    cohort: pd.DataFrame,
    settings: Settings,
    *,
    reference_group: str,
    comparison_group: str,
    domains: Mapping[str, Sequence[str]] | None = None,
) -> tuple[Study, pd.DataFrame]:
    """Take the first visit of everybody as the cross-section, and give groups the names of their roles.

    Parameters
    ----------
    cohort
        One row per measured scan (``cohort.tsv``).
    settings
        What all models share.
    reference_group, comparison_group
        Values of column ``group`` that become "control" and "patient"; other values become missing.
    domains
        Columns of the cohort by domain; those that the cohort lacks are dropped.

    Returns
    -------
    The study, and who does not enter the cross-section, with the reason (columns participant_id, session_id, scan,
    stage, reason): later sessions, and people of no or another group.
    """
    people, later = choose_baseline(cohort)
    roles = {reference_group: "control", comparison_group: "patient"}
    outsiders = _list_outsiders(people, tuple(roles))
    labels = cohort["session_id"].fillna("").astype(str)
    place = labels.map(order_sessions(cohort["session_id"]))
    visits = cohort.assign(visit=place.groupby(cohort["participant_id"]).rank(method="first").astype(int) - 1)
    visits = visits.sort_values(["participant_id", "visit"], kind="stable").reset_index(drop=True)
    present = {
        name: tuple(column for column in columns if column in cohort) for name, columns in (domains or {}).items()
    }
    names = {role: name for name, role in roles.items()}
    left_out = pd.concat([later, outsiders], ignore_index=True)
    named = [_name_roles(table, roles) for table in (people, visits)]
    return Study(named[0], named[1], settings, present, names), left_out


def _name_roles(table: pd.DataFrame, roles: Mapping[str, str]) -> pd.DataFrame:
    """Call groups by their roles."""
    named = table.copy()
    if "group" in named:
        named["group"] = named["group"].map(dict(roles))
    return named.reset_index(drop=True)


def _list_outsiders(people: pd.DataFrame, groups: Sequence[str]) -> pd.DataFrame:
    """List the people of no or another group, with the reason."""
    if "group" not in people:
        return pd.DataFrame()
    others = people.loc[~people["group"].isin(groups)]
    reasons = [
        "no group known" if pd.isna(group) else f"group {group} is not compared ({' and '.join(groups)} are)"
        for group in others["group"]
    ]
    return others[["participant_id", "session_id", "scan"]].assign(stage="models", reason=reasons)


def list_described(study: Study) -> list[str]:
    """List the variables that describe a sample: age, sex, head size, and all that the study knows of its people."""
    known = [column for columns in study.domains.values() for column in columns]
    head_size = [] if study.settings.head_size.column == "none" else [study.settings.head_size.column]
    return list(dict.fromkeys(["age_years", "sex", *head_size, *known]))


def list_places(families: Families, names: Sequence[str] | None = None) -> list[dict[str, str]]:
    """List family, roi and hemisphere of every test of some families (all, if no names are given)."""
    return [
        {"family": family, "roi": roi, "hemisphere": hemisphere}
        for family in (families if names is None else names)
        for roi in families[family]["rois"]
        for hemisphere in families[family]["hemispheres"]
    ]


def name_column(place: Mapping[str, str]) -> str:
    """Name the column of the cohort table that holds the volume of a place."""
    return f"{place['roi']}_{place['hemisphere']}_mm3"
