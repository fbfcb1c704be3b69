"""What each column of a participants table was read as: its use, type, values and missing cells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from morpho.tables import describe_column
from morpho.user_tables import LISTED, list_some

KEYS = ("participant_id", "session_id")
NOT_USED = "not used"
COLUMN_REPORT = {
    "column": describe_column("Column of the participants table, or of the sessions tables"),
    "used_as": describe_column("Name in the tables of morpho; n/a if the column is not used"),
    "kind": describe_column(
        "What its cells were read as",
        levels={
            "category": "levels, by their spellings in the configuration, or as they are written",
            "number": "numbers",
            NOT_USED: "nothing in the configuration names the column",
        },
    ),
    "n_values": describe_column("Rows with a value"),
    "n_missing": describe_column("Rows without a value"),
    "content": describe_column("Levels with their rows and spellings, or lowest, middle and highest number"),
}


def report_columns(raw: pd.DataFrame, table: pd.DataFrame, uses: Mapping[str, str]) -> pd.DataFrame:
    """Report what each column of a participants table was read as.

    Parameters
    ----------
    raw
        Columns of the file, as text.
    table
        The same rows as `morpho.covariates.standardise_participants` read them.
    uses
        From `morpho.column_names.list_uses`.

    Returns
    -------
    One row per use of a column, in the order of `raw`, with the columns of `COLUMN_REPORT`.
    """
    rows = []
    for column in [str(name) for name in raw.columns if name not in KEYS]:
        names = [name for name, given in uses.items() if given == column and name in table]
        rows += [{"column": column, "used_as": name, **_describe(raw[column], table[name])} for name in names]
        if not names:
            rows.append({"column": column, "used_as": "", "kind": NOT_USED, **_count(raw[column]), "content": ""})
    return pd.DataFrame(rows, columns=list(COLUMN_REPORT))


def _describe(cells: pd.Series[str], values: pd.Series[Any]) -> dict[str, object]:
    """Kind, counts and content of a column that is used."""
    present = values.dropna()
    if pd.api.types.is_numeric_dtype(values):
        low, middle, high = present.quantile([0, 0.5, 1]) if len(present) else (None, None, None)
        content = f"{low:g} to {high:g}, median {middle:g}" if len(present) else ""
        return {"kind": "number", **_count(values), "content": content}
    is_plain = cells[values.notna()].equals(present)
    counts = present.value_counts()
    if is_plain and len(counts) > LISTED:  # such as ids of families, which no log should list
        return {"kind": "category", **_count(values), "content": f"{len(counts)} levels"}
    parts = []
    for level, n_rows in counts.items():
        spellings = list(dict.fromkeys(cells[values == level]))
        spelt = f", as {list_some(spellings)}" if spellings != [level] else ""
        parts.append(f"{level} ({n_rows}{spelt})")
    return {"kind": "category", **_count(values), "content": list_some(parts)}


def _count(values: pd.Series[Any]) -> dict[str, int]:
    """Rows with and without a value."""
    return {"n_values": int(values.notna().sum()), "n_missing": int(values.isna().sum())}
