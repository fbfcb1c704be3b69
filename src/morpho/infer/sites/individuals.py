"""How far single people lie from what is expected of controls of their age, sex, head size and site.

Takes a study and gives z scores and centiles, with the calibration of the norm on the controls themselves beside every
one. For research; not a diagnosis: one in twenty healthy people lies beyond 1.96 in any region.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from morpho.errors import DesignError
from morpho.infer.sites.dictionaries import CALIBRATION, EXTREMES, INDIVIDUALS, tabulate
from morpho.infer.sites.norms import Scores, check_norm_table, score_region
from morpho.infer.study import Study, list_places, name_column
from morpho.stats.normative import EXTREME_Z, FEWEST_CONTROLS, FEWEST_SCORES, check_calibration, find_centiles

logger = logging.getLogger(__name__)

RESEARCH_ONLY = "for research; not a diagnosis"
CALIBRATION_CONFIDENCE = 0.99  # beyond it, mean or spread of the controls' z says that the norm does not fit them

Row = dict[str, object]


@dataclass(frozen=True)
class IndividualResult:
    """Tables with the columns of `INDIVIDUALS`, `CALIBRATION` and `EXTREMES`; `use` says what they are for.

    `refusal` says why nobody was scored in any region, and is "" where someone was.
    """

    table: pd.DataFrame
    calibration: pd.DataFrame
    extremes: pd.DataFrame
    refusal: str
    use: str = RESEARCH_ONLY


def score_individuals(
    study: Study,
    *,
    rois: Sequence[str],
    hemispheres: Sequence[str],
    family: str,
    min_controls: int = FEWEST_CONTROLS,
    norm_table: pd.DataFrame | None = None,
) -> IndividualResult:
    """Score every person of a study against its controls, or against a norm that the user brings.

    Parameters
    ----------
    study
        People and settings.
    rois, hemispheres, family
        Regions and sides, and the name of their family.
    min_controls
        Fewest controls of the cohort, with all values, in all and at each site; people at other sites are not scored.
        With `norm_table` they check its calibration, as scanners and software differ; 0 goes without that check.
    norm_table
        Norm with the columns `NORM_COLUMNS`, one row per region, side, sex ("F", "M") and age: mean and standard
        deviation of healthy people. Between ages, both are interpolated linearly.

    Returns
    -------
    z, centile, expected volume and its prediction standard deviation of every person and region. Controls are scored
    by a norm without themselves. People outside the ages of the norm, or without a value, have no score, but a note.

    Raises
    ------
    ConfigError
        If `norm_table` lacks a column, repeats a row, or has a value missing or a standard deviation of 0.

    Notes
    -----
    The norm of the cohort is linear regression on age (per age model), sex, head size and site; z has the centile of
    the t distribution for a single new person (see `score_people`). ASSUME: healthy people spread alike at all ages
    and sites; look at the calibration of each site.
    """
    if norm_table is not None:
        check_norm_table(norm_table)
    people = study.people.reset_index(drop=True)
    cells: list[pd.DataFrame] = []
    calibrations: list[Row] = []
    for place in list_places({family: {"rois": rois, "hemispheres": hemispheres}}):
        try:
            scores = score_region(people, place, study.settings, min_controls, norm_table)
        except DesignError as error:
            logger.warning("%s: nobody is scored: %s", name_column(place), error)
            calibrations.append({**place, "status": "refused", "reason": str(error)})
            cells.append(_list_people(people, place).assign(note=f"region refused: {error}"))
            continue
        calibrations += [place | row for row in _calibrate(people, scores)]
        cells.append(_add_scores(_list_people(people, place), scores))
    calibration = tabulate(calibrations, CALIBRATION)
    table = tabulate(_add_calibration(pd.concat(cells, ignore_index=True), calibration), INDIVIDUALS)
    reasons = dict.fromkeys(calibration.loc[calibration["status"] == "refused", "reason"])
    refusal = "; ".join(reasons) if table["z"].isna().all() else ""
    return IndividualResult(table, calibration, count_extremes(table), refusal)


def count_extremes(table: pd.DataFrame) -> pd.DataFrame:
    """Count the extreme deviations of each person.

    Parameters
    ----------
    table
        One row per person and volume, with the columns of `INDIVIDUALS`.

    Returns
    -------
    One row per person, with the columns of `EXTREMES`. Give volumes that do not contain each other, or the same
    deviation is counted twice.
    """
    people = table.drop_duplicates("participant_id")[["participant_id", "group", "site"]].reset_index(drop=True)
    marked = table.assign(n_low=table["z"] < -EXTREME_Z, n_high=table["z"] > EXTREME_Z)
    by_person = marked.groupby("participant_id", sort=False)
    counts = by_person[["n_low", "n_high"]].sum().astype("int64").reset_index(drop=True)
    z = by_person["z"].agg(n_regions="count", lowest_z="min", highest_z="max").reset_index(drop=True)
    rows = pd.concat([people, counts, z], axis="columns").assign(n_extreme=counts["n_low"] + counts["n_high"])
    return tabulate(rows, EXTREMES)


def _list_people(people: pd.DataFrame, place: dict[str, str]) -> pd.DataFrame:
    """List everybody with group, site and the volume of one region, as far as known."""
    known = {"participant_id": people["participant_id"].astype(str), "volume_mm3": people.get(name_column(place))}
    known |= {name: people.get(name) for name in ("group", "site")}
    return pd.DataFrame(known, index=people.index).assign(**place)


def _add_scores(cells: pd.DataFrame, scores: Scores) -> pd.DataFrame:
    """Put the scores beside the volumes; expectations are given only with a score."""
    missing = np.isnan(scores.z)
    return cells.assign(
        expected_mm3=np.where(missing, np.nan, scores.expected_mm3),
        prediction_sd_mm3=np.where(missing, np.nan, scores.prediction_sd_mm3),
        z=scores.z,
        centile=find_centiles(scores.z),
        note=scores.notes,
    )


def _calibrate(people: pd.DataFrame, scores: Scores) -> list[Row]:
    """Describe the z of the controls of all sites together, and of each where there are several."""
    z = pd.Series(scores.z, index=people.index)[people["group"] == "control"].dropna()
    rows = [_describe_calibration(z, None)]
    if "site" in people and len(set(people["site"].dropna())) > 1:
        rows += [_describe_calibration(own, str(site)) for site, own in z.groupby(people["site"].astype(str))]
    return rows


def _describe_calibration(z: pd.Series[float], site: str | None) -> Row:
    """Describe the z of some controls, and say where the norm does not fit them."""
    row: Row = {"site": site, "status": "fitted", "n_controls": len(z)}
    if len(z) < FEWEST_SCORES or len(set(z)) == 1:
        return row | {"reason": f"{len(z)} controls are too few to check the norm"}
    seen, df = check_calibration(z), len(z) - 1
    tail = (1 - CALIBRATION_CONFIDENCE) / 2
    low, high = np.sqrt(stats.chi2.ppf([tail, 1 - tail], df) / df)
    problems = []
    if abs(seen.mean) > stats.norm.isf(tail) / np.sqrt(len(z)):
        problems.append(
            f"mean z of controls is {seen.mean:.2f}, not 0: the norm does not fit their scanner or software"
        )
    if not low < seen.sd < high:
        problems.append(
            f"z of controls spreads by {seen.sd:.2f}, not 1: centiles are too {'mild' if seen.sd < 1 else 'extreme'}"
        )
    numbers = {"mean": seen.mean, "sd": seen.sd, "share_extreme": seen.share_beyond, "p_normal": seen.p_normal}
    return row | numbers | {"reason": "; ".join(problems)}


def _add_calibration(table: pd.DataFrame, calibration: pd.DataFrame) -> pd.DataFrame:
    """Put beside each score how the norm fits the controls of the same site (of all, if there is one site)."""
    per_site = calibration.assign(site=calibration["site"].astype("object"))
    several = bool(per_site["site"].notna().any())
    keys = ["roi", "hemisphere", "site"] if several else ["roi", "hemisphere"]
    rows = per_site[per_site["site"].notna() == several].set_index(keys)
    found = (
        table.assign(site=table["site"].astype(str)).set_index(keys).index if several else table.set_index(keys).index
    )
    values = rows[["mean", "sd"]].reindex(found).set_axis(table.index)
    return table.assign(calibration_mean=values["mean"], calibration_sd=values["sd"])
