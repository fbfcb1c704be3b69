"""Table 1: who was studied, by group and by site.

Takes the table of people and gives one row per variable, level, group and site: counts, means, what is missing, and the
standardised difference between the groups. No p values: whether groups differ in the population is not the question,
only whether they differ enough in this sample to matter.
"""

import logging
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from morpho.infer.sharing.small_cells import suppress_small_cells
from morpho.tables import describe_column

ALL_SITES, PEOPLE, MISSING_LEVEL, SUPPRESSED = "all", "people", "missing", "few"

logger = logging.getLogger(__name__)

Row = dict[str, object]

SAMPLE = {
    "site": describe_column("Site, or `all`"),
    "group": describe_column("Group of the people"),
    "variable": describe_column("Variable, as in the cohort table; `people`: the size of the group"),
    "level": describe_column("Level of a category, `missing` for people without a value; n/a for a number"),
    "n": describe_column("People with this level, or with a number", units="people"),
    "n_group": describe_column("People in the group at the site", units="people"),
    "percent": describe_column("Share of those with a value; of `missing`, of the group", units="%"),
    "n_missing": describe_column("People without a value of this variable", units="people"),
    "mean": describe_column("Mean", units="of the variable"),
    "sd": describe_column("Standard deviation (n - 1)", units="of the variable"),
    "minimum": describe_column("Smallest value; not given where small cells are removed", units="of the variable"),
    "maximum": describe_column("Largest value; not given where small cells are removed", units="of the variable"),
    "smd": describe_column(
        "Standardised difference of the comparison from the reference group: (m2 - m1) / sqrt((s1^2 + s2^2) / 2) of a "
        "number; of a category the distance of all shares, without sign. Above 0.1 in size is commonly called unequal",
        units="standard deviations",
    ),
    "suppressed": describe_column("Whether the row was emptied because it described few people"),
}
VALUES = ("percent", "n_missing", "mean", "sd", "minimum", "maximum", "smd")


def describe_sample(
    people: pd.DataFrame,
    variables: Sequence[str],
    *,
    groups: Sequence[str] = ("control", "patient"),
    by_site: bool = True,
    smallest_cell: int = 0,
) -> pd.DataFrame:
    """Describe the people of each group, over all sites and at each.

    Parameters
    ----------
    people
        One row per person: group, site if there is one, and the variables.
    variables
        Columns to describe, in order; those that the table lacks are left out. Numbers are described by mean, standard
        deviation and range, everything else as levels.
    groups
        Reference and comparison group. People of other groups, or of none, are left out.
    by_site
        Describe each site as well, if there are several.
    smallest_cell
        Cells with fewer people are emptied, with as many others as it takes that sums do not tell them; the range,
        which is two people's values, is then left out. 0: nothing is removed.

    Returns
    -------
    Columns of `SAMPLE`; long form: one row per site, variable, level and group. `smd` is in the rows of the
    comparison group, of a category in its first level. No row if nobody is in the groups.

    Notes
    -----
    Sources of the standardised differences: numbers, Austin PC, Stat Med 2009;28:3083-3107, doi:10.1002/sim.3697;
    categories, Yang D, Dalton JE, SAS Global Forum 2012, paper 335.
    """
    known = people["group"].isin(list(groups)) if "group" in people else pd.Series(False, index=people.index)
    if not known.any():
        logger.warning("nobody is in the groups %s: there is no sample to describe", ", ".join(groups))
        return pd.DataFrame(columns=list(SAMPLE))
    chosen = people[known]
    parts = {ALL_SITES: chosen}
    sites = sorted(chosen["site"].dropna().unique(), key=str) if "site" in chosen else []
    if by_site and len(sites) > 1:
        parts |= {str(site): chosen[chosen["site"] == site] for site in sites}
    present = [name for name in variables if name in chosen]
    rows = [
        {"site": site, **row} for site, part in parts.items() for row in _describe_part(part, chosen, present, groups)
    ]
    table = pd.DataFrame(rows, columns=[name for name in SAMPLE if name != "suppressed"])
    return suppress_sample(table, smallest_cell)


def render_sample(
    table: pd.DataFrame, *, site: str = ALL_SITES, labels: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Lay the long table out as it is printed: one line per variable or level, one column per group.

    Parameters
    ----------
    table
        From `describe_sample`.
    site
        Which site to show.
    labels
        Names of variables for the reader.

    Returns
    -------
    Columns variable, level, one per group, smd; all text. Numbers as "mean (SD; range), n", categories as
    "n (per cent)", removed cells as "few".
    """
    names = labels or {}
    chosen = table[table["site"] == site]
    groups = list(dict.fromkeys(chosen["group"]))
    lines = []
    for (variable, level), part in chosen.groupby(["variable", "level"], sort=False):
        cells = {str(row["group"]): _render_cell(row) for row in part.to_dict("records")}
        smd = part["smd"].dropna()
        line = {"variable": names.get(str(variable), str(variable)), "level": str(level)}
        line |= {group: cells.get(group, "") for group in groups}
        lines.append(line | {"smd": f"{smd.iloc[0]:.2f}" if len(smd) else ""})
    return pd.DataFrame(lines, columns=["variable", "level", *groups, "smd"])


def standardise_numbers(reference: pd.Series, comparison: pd.Series) -> float:
    """Standardised difference of two groups in a number; NaN without two values in each or without any spread.

    >>> standardise_numbers(pd.Series([1.0, 3.0]), pd.Series([3.0, 5.0])) == 2 / 2**0.5
    True
    """
    spread = float(np.sqrt((reference.var() + comparison.var()) / 2))
    difference = float(comparison.mean() - reference.mean())
    return difference / spread if spread > 0 else np.nan


def standardise_shares(reference: pd.Series, comparison: pd.Series) -> float:
    """Standardised distance of two groups in the shares of all levels of a category; NaN if either has no value.

    With two levels it is |p1 - p2| / sqrt((p1 (1 - p1) + p2 (1 - p2)) / 2).

    >>> a, b = pd.Series(["F", "M"] * 5), pd.Series(["F"] * 8 + ["M"] * 2)
    >>> round(standardise_shares(a, b), 6) == round(0.3 / ((0.25 + 0.16) / 2) ** 0.5, 6)
    True
    """
    first, second = reference.dropna().astype(str), comparison.dropna().astype(str)
    levels = sorted(set(first) | set(second))[1:]
    if first.empty or second.empty:
        return np.nan
    shares = [np.array([(part == level).mean() for level in levels]) for part in (first, second)]
    covariance = sum(np.diag(share) - np.outer(share, share) for share in shares) / 2
    difference = shares[1] - shares[0]
    if not levels or np.allclose(difference, 0):
        return 0.0
    if np.linalg.matrix_rank(covariance) < len(levels):
        return np.inf  # a level that one group has and the other has not at all, everybody being of it
    return float(np.sqrt(difference @ np.linalg.solve(covariance, difference)))


def _describe_part(
    part: pd.DataFrame, chosen: pd.DataFrame, variables: Sequence[str], groups: Sequence[str]
) -> list[Row]:
    """Rows of the people of one site, or of all; what is a category, and its levels, come from all `chosen`."""
    by_group = {group: part[part["group"] == group] for group in groups}
    rows: list[Row] = [
        {"group": group, "variable": PEOPLE, "level": "", "n": len(members), "n_group": len(members)}
        for group, members in by_group.items()
    ]
    for name in variables:
        samples = {group: members[name] for group, members in by_group.items()}
        is_number = pd.api.types.is_numeric_dtype(chosen[name]) and not pd.api.types.is_bool_dtype(chosen[name])
        new = _describe_number(samples) if is_number else _describe_category(samples, chosen[name])
        rows += [{"variable": name, "n_group": len(samples[str(row["group"])])} | row for row in new]
    return rows


def _describe_number(samples: Mapping[str, pd.Series]) -> list[Row]:
    """One row per group; the standardised difference is in the last."""
    values = {group: sample.dropna().astype(float) for group, sample in samples.items()}
    rows: list[Row] = [
        {
            "group": group,
            "level": "",
            "n": len(value),
            "n_missing": len(samples[group]) - len(value),
            "mean": value.mean(),
            "sd": value.std(),
            "minimum": value.min(),
            "maximum": value.max(),
        }
        for group, value in values.items()
    ]
    rows[-1]["smd"] = standardise_numbers(*values.values())
    return rows


def _describe_category(samples: Mapping[str, pd.Series], everyone: pd.Series) -> list[Row]:
    """One row per level and group, `missing` last; the standardised distance is in the last group's first level."""
    levels = sorted(set(everyone.dropna().astype(str)))
    rows: list[Row] = []
    for level in levels:
        for group, sample in samples.items():
            n = int((sample.dropna().astype(str) == level).sum())
            n_known = int(sample.notna().sum())
            rows.append({"group": group, "level": level, "n": n, "percent": 100 * n / n_known if n_known else np.nan})
    if rows:
        rows[len(samples) - 1]["smd"] = standardise_shares(*samples.values())
    if everyone.isna().any():
        for group, sample in samples.items():
            n = int(sample.isna().sum())
            percent = 100 * n / len(sample) if len(sample) else np.nan
            rows.append({"group": group, "level": MISSING_LEVEL, "n": n, "percent": percent})
    return rows


def suppress_sample(table: pd.DataFrame, smallest: int) -> pd.DataFrame:
    """Empty small cells of Table 1; where the size of a group at a site is one, everything about it.

    Parameters
    ----------
    table
        Long form, as `describe_sample` gives it; its column suppressed may be absent.
    smallest
        Cells with fewer people are emptied, with as many others as it takes that sums do not tell them. 0: none.

    Returns
    -------
    Columns of `SAMPLE`; where `smallest` is not 0, without ranges.
    """
    if smallest <= 0:
        return table if "suppressed" in table else table.assign(suppressed=False)
    marked = table.assign(total=table["site"] == ALL_SITES)
    sizes = suppress_small_cells(
        marked[marked["variable"] == PEOPLE], count="n", sums=[["total", "group"]], smallest=smallest
    )
    small = set(sizes.loc[sizes["suppressed"], ["site", "group"]].itertuples(index=False, name=None))
    hidden = np.array([key in small for key in zip(table["site"], table["group"], strict=True)])
    sums = [["site", "group", "variable"], ["total", "group", "variable", "level"]]
    cells = suppress_small_cells(marked, count="n", values=VALUES, sums=sums, smallest=smallest, already=hidden)
    cells["n_group"] = cells["n_group"].astype("float64").mask(hidden)
    one_is_hidden = cells.groupby(["site", "variable"])["suppressed"].transform("any")
    cells["smd"] = cells["smd"].mask(one_is_hidden)  # with the other group's shares it would tell the hidden ones
    missing = suppress_small_cells(marked, count="n_missing", sums=sums[1:], smallest=smallest)
    cells.loc[missing["suppressed"], ["n", "n_missing"]] = np.nan
    return cells.assign(minimum=np.nan, maximum=np.nan)[list(SAMPLE)]


def _render_cell(row: Mapping[Hashable, Any]) -> str:
    """Text of one variable or level in one group."""
    if row["suppressed"]:
        return SUPPRESSED
    if row["variable"] == PEOPLE:
        return f"{row['n']:.0f}"
    if row["level"]:
        return f"{row['n']:.0f} ({row['percent']:.0f} %)" if pd.notna(row["percent"]) else f"{row['n']:.0f}"
    if pd.isna(row["mean"]):
        return "no value"
    digits = 2 if abs(row["mean"]) < 10 else 0 if abs(row["mean"]) >= 1000 else 1
    spread = f"{row['sd']:,.{digits}f}" if pd.notna(row["sd"]) else "one value"
    if pd.notna(row["minimum"]):
        spread += f"; {row['minimum']:,.{digits}f} to {row['maximum']:,.{digits}f}"
    people = f", n {row['n']:.0f}" if pd.notna(row["n"]) and row["n"] < row["n_group"] else ""
    return f"{row['mean']:,.{digits}f} ({spread}){people}"
