"""Text columns as categories before patsy sees them: it looks at text person by person, many times over.

The levels are those that patsy would find, in its order, so that designs are the same to the last digit.
"""

from __future__ import annotations

import pandas as pd

KEYS = frozenset({"participant_id", "session_id", "scan"})


def code_levels(data: pd.DataFrame) -> pd.DataFrame:
    """Turn text columns into categories; numbers, truth values, categories and identifiers stay as they are.

    Parameters
    ----------
    data
        People of a model.

    Returns
    -------
    The same table; levels of a column that became a category are in alphabetical order, those that nobody has absent.
    """
    coded = {}
    for name in map(str, data.columns):
        values = data[name]
        if name not in KEYS and not isinstance(values.dtype, pd.CategoricalDtype) and _is_text(values):
            levels = sorted(values.dropna().unique().tolist())
            coded[name] = pd.Categorical(values, categories=levels)
    return data.assign(**coded) if coded else data


def _is_text(values: pd.Series[str]) -> bool:
    """Whether all cells that are there are text."""
    if pd.api.types.is_numeric_dtype(values.dtype):
        return False
    return all(isinstance(value, str) for value in values.dropna().unique().tolist())
