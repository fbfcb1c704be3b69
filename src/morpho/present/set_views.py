"""The same effect in other sets of scans: with all scans, without flagged ones, and with the decisions of people alone.

Takes rows of the effect tables, gives the columns and cells that stand beside the main result.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from morpho.present.views import UNSORTED, Cell, Column, sort_value
from morpho.present.wording import (
    MISSING,
    TIE,
    format_interval,
    format_number,
    is_missing,
    join_words,
    region_name,
)

Row = dict[Hashable, Any]

TRIFLE = 0.1  # difference of g within which a change of sign says nothing
SET_LABELS = {"all_scans": "all scans", "unflagged": "without flagged scans", "human": "decisions of people alone"}


@dataclass(frozen=True)
class RowLinks:
    """What the tables of effects need beside their rows.

    `sets` are the sets of scans, name -> what it is; `pages` are the addresses of the pages of regions, relative to the
    page with the table; `table` is that of the full table, "" if none.
    """

    sets: Mapping[str, str] = field(default_factory=dict)
    pages: Mapping[str, str] = field(default_factory=dict)
    table: str = ""


def present_sets(rows: pd.DataFrame, sets: Mapping[str, str]) -> list[str]:
    """Names of the sets of scans in which any row has an effect."""
    return [name for name in sets if f"effect_{name}" in rows and rows[f"effect_{name}"].notna().any()]


def set_columns(rows: pd.DataFrame, sets: Mapping[str, str], unit: str) -> list[Column]:
    """Heads of the columns of `set_cells`; `unit` names the effect size."""
    return [
        Column(f"{unit}, {SET_LABELS.get(name, name.replace('_', ' '))}", sets[name], numeric=True)
        for name in present_sets(rows, sets)
    ]


def set_cells(row: Row, names: list[str]) -> list[Cell]:
    """Effect and people in each set, as far as it could be estimated."""
    cells = []
    for name in names:
        value = row[f"effect_{name}"]
        if is_missing(value):
            cells.append(Cell(MISSING, UNSORTED))
            continue
        text = format_interval(value, row[f"ci_low_{name}"], row[f"ci_high_{name}"], 2)
        people = row[f"n_{name}"]
        known = "" if is_missing(people) else f", n{TIE}{format_number(people, 0)}"
        cells.append(Cell(f"{text}{known}", sort_value(value)))
    return cells


def tell_dependence(fitted: pd.DataFrame) -> list[str]:
    """Tell where the answer of a region rests on the scans that are in doubt.

    Parameters
    ----------
    fitted
        Rows of the group comparison that were estimated, with g, its interval, and the columns of the sets of scans.

    Returns
    -------
    One sentence per set of scans in which the interval of some region includes zero where the main one does not, or the
    reverse, or the sign of the effect changes beyond a trifle.
    """
    sentences = []
    apart = (fitted["g_ci_low"] > 0) | (fitted["g_ci_high"] < 0)
    for name, label in SET_LABELS.items():
        if f"effect_{name}" not in fitted or not fitted[f"effect_{name}"].notna().any():
            continue
        known = fitted[f"effect_{name}"].notna()
        other = (fitted[f"ci_low_{name}"] > 0) | (fitted[f"ci_high_{name}"] < 0)
        flips = (fitted[f"effect_{name}"] * fitted["g"] < 0) & ((fitted[f"effect_{name}"] - fitted["g"]).abs() > TRIFLE)
        changed = fitted[known & ((apart != other) | flips)]
        if len(changed):
            names = [region_name(row["roi"], row["hemisphere"]) for row in changed.to_dict("records")]
            sentences.append(
                f"The answer on {join_words(names)} depends on which scans are in: it is another with the set "
                f"'{label}' (see the table)."
            )
    return sentences
