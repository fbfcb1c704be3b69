"""What a participants table says that may be meant otherwise: told as warnings, nothing is changed.

A table can be read without guessing and still not say what its author meant: missing cells that are written as a number
or a word of their own, codes whose meaning only a codebook knows, another scale than the column is named after.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pandas as pd

from morpho.user_tables import list_some

MISSING_WORDS = frozenset({
    "none", "null", "nil", "missing", "unknown", "unk", "?", "nd", "n.a.", "n/d", "na.", "-9", "-99", "-999", "999",
    "9999",
})  # fmt: skip
MISSING_CODES = frozenset({-9.0, -99.0, -999.0, -9999.0, 999.0, 9999.0, 99999.0})
# Highest total of a scale, in points; its name without version, signs and case.
HIGHEST_POINTS = {
    "bdi": 63, "bdi2": 63, "bdiii": 63, "hamd17": 52, "hdrs17": 52, "ham17": 52, "madrs": 60, "phq9": 27, "qids": 27,
    "qidssr": 27, "qidssr16": 27, "idssr30": 84, "hadsdepr": 21, "hadsd": 21, "hadsanx": 21, "hadsa": 21, "cesd": 60,
    "gds15": 15, "gds30": 30,
}  # fmt: skip
FEWEST_ZEROS = 3


def find_doubts(
    raw: pd.DataFrame,
    table: pd.DataFrame,
    *,
    columns: Mapping[str, str | None],
    severity: Mapping[str, str],
    variables: Mapping[str, Mapping[str, Any]],
) -> list[str]:
    """Find what a participants table says that may be meant otherwise.

    Parameters
    ----------
    raw
        Columns of the file, as text.
    table
        The same rows as `morpho.covariates.standardise_participants` read them.
    columns, severity, variables
        As given to it.

    Returns
    -------
    One sentence for each doubt, with the values seen and what to do.
    """
    return [
        *_codes(raw, table, columns),
        *_missing_words(raw, columns, variables),
        *_missing_codes(table, severity, variables),
        *_scales(table, severity),
        *_other_names(raw, columns, severity, variables),
    ]


def _codes(raw: pd.DataFrame, table: pd.DataFrame, columns: Mapping[str, str | None]) -> list[str]:
    """Find groups and sexes that are written as numbers."""
    doubts = []
    for role in ("group", "sex"):
        column = columns.get(role)
        if role not in table or column not in raw:
            continue
        coded = raw[column].str.fullmatch(r"[0-9]+").fillna(value=False).astype(bool)
        if coded.any():
            pairs = Counter(zip(raw.loc[coded, column], table.loc[coded, role], strict=True))
            seen = list_some(f"'{cell}' was read as {level} ({count} x)" for (cell, level), count in pairs.items())
            doubts.append(
                f"column '{column}' holds codes: {seen}. Compare with the codebook of the study; config "
                f"participants.{role}_levels says what they mean"
            )
    return doubts


def _missing_words(
    raw: pd.DataFrame, columns: Mapping[str, str | None], variables: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """Words for "missing" in columns of which every text is a level."""
    free = [columns.get("site"), *(entry["column"] for entry in variables.values() if entry.get("levels") == {})]
    doubts = []
    for column in dict.fromkeys(name for name in free if name in raw.columns):
        cells = raw[str(column)]
        counts = cells[cells.str.casefold().isin(MISSING_WORDS)].value_counts(sort=False)
        if len(counts):
            seen = list_some(f"'{cell}' ({count} x)" for cell, count in counts.items())
            doubts.append(f"column '{column}' has {seen}, taken as a level of its own; write n/a if it means missing")
    return doubts


def _missing_codes(
    table: pd.DataFrame, severity: Mapping[str, str], variables: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """Numbers that often stand for "missing"."""
    named = {f"severity_{scale}": column for scale, column in severity.items()}
    named |= {name: str(entry["column"]) for name, entry in variables.items() if entry.get("levels") is None}
    doubts = []
    for name in [name for name in named if name in table]:
        counts = table.loc[table[name].isin(list(MISSING_CODES)), name].value_counts(sort=False)
        if len(counts):
            seen = list_some(f"{value:g} ({count} x)" for value, count in counts.items())
            doubts.append(f"column '{named[name]}' has {seen}, taken as a number; write n/a if it means missing")
    return doubts


def _scales(table: pd.DataFrame, severity: Mapping[str, str]) -> list[str]:
    """Severity that its scale cannot have, and groups that were hardly asked."""
    doubts = []
    for scale, column in severity.items():
        points = table[f"severity_{scale}"].dropna()
        points = points[~points.isin(list(MISSING_CODES))]
        highest = HIGHEST_POINTS.get(_plain(scale))
        if highest is not None and len(points) and points.max() > highest:
            doubts.append(
                f"column '{column}' has up to {points.max():g} points, but {scale} ends at {highest}; is it another "
                "scale (config participants.severity)?"
            )
        if len(points) and points.min() < 0:
            doubts.append(f"column '{column}' has {points.min():g} points of {scale}; severity is rarely negative")
        doubts += _hardly_asked(points, table, column)
    return doubts


def _hardly_asked(points: pd.Series[float], table: pd.DataFrame, column: str) -> list[str]:
    """Name groups of which everybody has 0 points, while another group has some."""
    if "group" not in table:
        return []
    counts = points.groupby(table["group"].reindex(points.index)).agg(["size", "max", "min"])
    all_zero = counts[(counts["size"] >= FEWEST_ZEROS) & (counts["max"] == 0) & (counts["min"] == 0)]
    if all_zero.empty or len(all_zero) == len(counts):
        return []
    seen = list_some(f"{group} ({count} x)" for group, count in all_zero["size"].items())
    return [f"column '{column}' is 0 for everybody of group {seen}; write n/a if they were not asked"]


def _other_names(
    raw: pd.DataFrame,
    columns: Mapping[str, str | None],
    severity: Mapping[str, str],
    variables: Mapping[str, Mapping[str, Any]],
) -> list[str]:
    """Columns that are not used, but have the name of an absent variable but for case and signs."""
    wanted = {name: str(entry["column"]) for name, entry in variables.items()}
    used = {"participant_id", "session_id", *wanted.values(), *severity.values(), *columns.values()}
    unused = {_plain(str(name)): str(name) for name in raw.columns if name not in used}
    return [
        f"there is no column '{column}' (config participants.variables.{name}), but '{unused[_plain(column)]}', which "
        "is not used; set the key to it if it is meant"
        for name, column in wanted.items()
        if column not in raw.columns and _plain(column) in unused
    ]


def _plain(name: str) -> str:
    """Letters and digits of a name, in lower case and one spelling of accents."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", name)).casefold()
