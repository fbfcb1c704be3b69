"""Take differences between sites out of the volumes of a cohort with ComBat, where that can be done safely.

Opt-in: for a comparison of groups, site columns in the model are simpler and exact. Harmonised volumes are for
predictions, norms and spreads. A cohort in which a site has too few people, one diagnosis only or volumes without
spread is refused, because ComBat would then remove the difference between groups, or invent one. Imputes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import patsy

from morpho.errors import DesignError
from morpho.infer.design import AGE_TERMS, MM3_PER_DM3
from morpho.infer.sites.dictionaries import HARMONISATION, tabulate
from morpho.infer.study import ROLES, Settings
from morpho.stats.combat import CombatModel, apply_combat, learn_combat

logger = logging.getLogger(__name__)

PROTECTED = ("group", "age", "sex", "head_size")
COLUMNS = {"group": "group", "age": "age_years", "sex": "sex"}
FEWEST_PER_SITE = 5

Mask = pd.Series  # of bool, indexed as the people
Row = dict[str, object]


@dataclass(frozen=True)
class HarmonisationModel:
    """What was learnt, and of which columns: enough to harmonise other people of the same sites.

    `preserved` are the variables whose effects stay in, coded by `design`; `learned` the people learnt from, by site.
    """

    volume_columns: tuple[str, ...]
    head_size_column: str
    combat: CombatModel
    preserved: tuple[str, ...]
    design: patsy.DesignInfo
    learned: dict[str, int]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Harmonisation:
    """People with harmonised volumes, and a table with the columns of `HARMONISATION`.

    Where harmonisation was refused, `refusal` says why, `model` is None, and the volumes are as measured.
    """

    people: pd.DataFrame
    notes: pd.DataFrame
    model: HarmonisationModel | None
    refusal: str


def harmonise_cohort(
    people: pd.DataFrame,
    settings: Settings,
    volume_columns: Sequence[str],
    *,
    protect: Sequence[str] = PROTECTED,
    min_per_site: int = FEWEST_PER_SITE,
    empirical_bayes: bool = True,
) -> Harmonisation:
    """Learn from all people given how sites differ, and take that out of their volumes (see `learn_harmonisation`).

    Parameters
    ----------
    people, settings, volume_columns, protect, min_per_site, empirical_bayes
        As for `learn_harmonisation`.

    Returns
    -------
    People with harmonised volumes; as measured where refused, so that site must stay in the models.
    """
    learn = partial(learn_harmonisation, protect=protect, min_per_site=min_per_site, empirical_bayes=empirical_bayes)
    try:
        model = learn(people, settings, volume_columns)
    except DesignError as refusal:
        logger.warning("Volumes are not harmonised: %s", refusal)
        reason = str(refusal)
        notes = _describe_sites(people, lambda _site, _inside: {"status": "refused", "reason": reason})
        return Harmonisation(people.copy(), notes, None, reason)
    harmonised, notes = apply_harmonisation(model, people)
    return Harmonisation(harmonised, notes, model, "")


def learn_harmonisation(
    people: pd.DataFrame,
    settings: Settings,
    volume_columns: Sequence[str],
    *,
    protect: Sequence[str] = PROTECTED,
    min_per_site: int = FEWEST_PER_SITE,
    empirical_bayes: bool = True,
) -> HarmonisationModel:
    """Learn how sites differ in mean and spread of each volume, at equal group, age, sex and head size.

    Parameters
    ----------
    people
        One row per participant; those with all volumes, a site and all protected values are learnt from.
    settings
        Head size and age model.
    volume_columns
        Volumes to harmonise, all named ``..._mm3``. Each gets its own shift and spread, so that the mean of two
        harmonised sides is not exactly the harmonised mean.
    protect
        Of "group", "age", "sex", "head_size": effects that stay in the volumes. A prediction of the group must not
        protect it, and must learn from training people only.
    min_per_site
        Fewest people per site to learn from.
    empirical_bayes
        Whether volumes learn from each other; False for a single volume, or few.

    Returns
    -------
    What `apply_harmonisation` needs.

    Raises
    ------
    DesignError
        If there is one site only; if a site has too few people, one of two groups only, or a volume without spread;
        if columns are no volumes, or the protected head size; if site cannot be told from what is protected.

    Notes
    -----
    See `learn_combat`. A protected variable that the cohort lacks, or that is the same for everyone, is noted in
    `notes`. People of one group only may be learnt from (controls, for a norm): then no group is protected.
    """
    _check_request(people, settings, volume_columns, protect)
    frame, terms, notes = _select_protected(people, settings, protect)
    complete = frame.notna().all(axis=1) & people[list(volume_columns)].notna().all(axis=1) & people["site"].notna()
    learners, known = people[complete], frame[complete]
    varying = {name: term for name, term in terms.items() if len(set(known[name])) > 1}
    notes += [f"{name} is not protected: it is the same for everyone" for name in terms if name not in varying]
    _check_sites(people, learners, min_per_site)
    _check_spread(learners, volume_columns)
    matrix = patsy.dmatrix(" + ".join(varying.values()) or "1", known, NA_action="raise")
    combat = learn_combat(
        learners[list(volume_columns)].to_numpy(dtype=float),
        learners["site"].astype(str),
        np.asarray(matrix)[:, 1:],  # sites take the place of the intercept
        empirical_bayes=empirical_bayes,
        min_site_size=min_per_site,
    )
    learned = {str(site): int(n) for site, n in learners["site"].astype(str).value_counts().items()}
    logger.info("Harmonisation learnt from %d of %d people: %s", len(learners), len(people), learned)
    columns, head_size = tuple(volume_columns), settings.head_size.column
    return HarmonisationModel(columns, head_size, combat, tuple(varying), matrix.design_info, learned, tuple(notes))


def apply_harmonisation(model: HarmonisationModel, people: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Take the learnt differences between sites out of the volumes of the same or of other people.

    Parameters
    ----------
    model
        What `learn_harmonisation` gave.
    people
        One row per participant.

    Returns
    -------
    People with harmonised volumes, and a table with the columns of `HARMONISATION`. Volumes are missing where they
    were, and wherever they cannot be harmonised: for people without site or without a protected value, and at sites
    that were not learnt. They are counted, and no volume is passed on as measured.
    """
    _check_columns(people, [*model.volume_columns, "site"])
    frame = _code_protected(people, model.preserved, model.head_size_column)
    sites = people["site"].astype(str).where(people["site"].notna(), "")
    known = frame.notna().all(axis=1)
    usable = (known & sites.isin(model.combat.sites)).to_numpy()
    columns = list(model.volume_columns)
    volumes = people[columns].to_numpy(dtype=float)
    harmonised = np.full_like(volumes, np.nan)
    if usable.any():
        matrix = patsy.build_design_matrices([model.design], frame[usable], NA_action="raise")[0]
        measured = volumes[usable]
        stand_in = np.where(np.isnan(measured), model.combat.grand_mean, measured)  # a person's volumes do not mix
        whole = apply_combat(model.combat, stand_in, sites[usable], np.asarray(matrix)[:, 1:])
        harmonised[usable] = np.where(np.isnan(measured), np.nan, whole)
    result = people.copy()
    result[columns] = harmonised
    incomplete = pd.Series(np.isnan(volumes).any(axis=1), index=people.index)
    return result, _describe_sites(
        people, lambda site, own: _describe_site(model, site, own & ~known, own & incomplete)
    )


def _check_request(people: pd.DataFrame, settings: Settings, columns: Sequence[str], protect: Sequence[str]) -> None:
    """Refuse columns that ComBat must not have together, and a cohort without sites."""
    unknown = sorted(set(protect) - set(PROTECTED))
    foreign = [name for name in columns if not name.endswith("_mm3")]
    problems = [f"cannot protect {', '.join(unknown)}: use some of {', '.join(PROTECTED)}"] if unknown else []
    problems += [f"{', '.join(foreign)}: not volumes (names do not end in _mm3)"] if foreign else []
    problems += [f"the cohort table has no column {name}" for name in columns if name not in people]
    problems += ["no volume is named, or one is named twice"] if len(set(columns)) < max(len(columns), 1) else []
    if "head_size" in protect and settings.head_size.column in columns:
        problems.append(f"{settings.head_size.column} is protected as head size, so it cannot be harmonised itself")
    if "site" not in people or people["site"].isna().all():
        problems.append("participants.tsv has no site column (config participants.columns.site), or nobody has a site")
    if problems:
        raise DesignError("; ".join(problems))


def _select_protected(
    people: pd.DataFrame, settings: Settings, protect: Sequence[str]
) -> tuple[pd.DataFrame, dict[str, str], list[str]]:
    """Give the protected columns as numbers, the term of each in the formula, and what cannot be protected."""
    columns = _locate(protect, settings.head_size.column)
    names = [name for name, column in columns.items() if column in people]
    notes = [f"{name} is not protected: no column {columns[name]}" for name in columns if name not in names]
    age = AGE_TERMS[settings.age_model].replace("age_years", "age")
    terms = {name: age if name == "age" else name for name in names}
    return _code_protected(people, names, settings.head_size.column), terms, notes


def _locate(names: Sequence[str], head_size_column: str) -> dict[str, str]:
    """Column of the cohort table of each protected variable, in one order."""
    return {name: COLUMNS.get(name, head_size_column) for name in PROTECTED if name in names}


def _code_protected(people: pd.DataFrame, names: Sequence[str], head_size_column: str) -> pd.DataFrame:
    """Give protected variables as numbers; the coding is the same whoever is among the people."""
    columns = _locate(names, head_size_column)
    _check_columns(people, list(columns.values()))
    codes = {"group": {"control": 0.0, "patient": 1.0}, "sex": {"F": -0.5, "M": 0.5}}
    frame = pd.DataFrame(index=people.index)
    for name, column in columns.items():
        values = people[column].astype("object").map(codes[name]) if name in codes else people[column]
        frame[name] = values.astype(float) / (MM3_PER_DM3 if name == "head_size" else 1.0)
    return frame


def _check_columns(people: pd.DataFrame, columns: Sequence[str]) -> None:
    """Refuse people without the columns that were learnt from."""
    lacking = [name for name in columns if name not in people]
    if lacking:
        msg = f"People to harmonise lack the columns {', '.join(lacking)}, which the harmonisation was learnt with."
        raise DesignError(msg)


def _check_sites(people: pd.DataFrame, learners: pd.DataFrame, fewest: int) -> None:
    """Refuse a single site, and sites with too few people or with one of two groups only."""
    sites, labels = sorted(set(people["site"].dropna().astype(str))), learners["site"].astype(str)
    groups = learners["group"] if "group" in learners else pd.Series(np.nan, index=learners.index)
    has_both = set(ROLES) <= set(groups)
    problems = [f"there is one site only, {sites[0]}: nothing to harmonise"] if len(sites) < 2 else []
    for site in sites:
        inside = labels == site
        sizes = [int((inside & (groups == role)).sum()) for role in ROLES]
        if inside.sum() < fewest:
            problems.append(f"site {site} has {inside.sum()} people with all values, {fewest} are the least")
        elif has_both and 0 in sizes:
            problems.append(f"site {site} has one diagnosis only ({sizes[0]} controls, {sizes[1]} patients)")
    if problems:
        raise DesignError("; ".join(problems))


def _check_spread(learners: pd.DataFrame, columns: Sequence[str]) -> None:
    """Refuse volumes that are the same for everyone at a site."""
    by_site = learners[list(columns)].groupby(learners["site"].astype(str))
    spread = by_site.max() - by_site.min()
    flat = [f"{column} at site {site}" for column in columns for site in spread.index[spread[column] == 0]]
    if flat:
        msg = f"no variance: {', '.join(flat)}. Leave out these volumes or sites, and look for scans entered twice"
        raise DesignError(msg)


def _describe_sites(people: pd.DataFrame, say: Callable[[str, Mask], Row]) -> pd.DataFrame:
    """Count the people of each site ("" for those without), and say what became of them."""
    nothing = pd.Series(None, index=people.index, dtype="object")
    sites, groups = people.get("site", nothing), people.get("group", nothing)
    labels = sites.astype(str).where(sites.notna(), "")
    rows = []
    for site in sorted(set(labels), key=lambda label: (label == "", label)):
        inside = labels == site
        controls, patients = (int((inside & (groups == role)).sum()) for role in ROLES)
        sizes = {"n": int(inside.sum()), "n_reference": controls, "n_comparison": patients}
        rows.append({"site": site or None, **sizes, **say(site, inside)})
    return tabulate(rows, HARMONISATION)


def _describe_site(model: HarmonisationModel, site: str, unknown: Mask, incomplete: Mask) -> Row:
    """Say what became of one site, of whose people some have unknown protected values, or incomplete volumes."""
    if site not in model.combat.sites:
        reason = "site was not learnt: all volumes missing" if site else "site unknown: all volumes missing"
        return {"status": "refused", "reason": reason}
    counts = {"n_incomplete": int((incomplete & ~unknown).sum()), "n_unknown": int(unknown.sum())}
    return {"status": "harmonised", "reason": "; ".join(model.notes), "n_learned": model.learned[site], **counts}
