"""Design matrices of large tables: text becomes categories before patsy sees it, which looks at text person by person.

The levels are those that patsy would find, in its order, so that designs are the same to the last digit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import patsy

KEYS = frozenset({"participant_id", "session_id", "scan"})


def build_matrix(formula: str, data: pd.DataFrame) -> pd.DataFrame:
    """Build the design matrix of a formula's right side.

    Parameters
    ----------
    formula
        In patsy's language; of functions outside it, only those of numpy (as ``np``) are known.
    data
        People of a model, nothing missing.

    Returns
    -------
    Patsy's table, shape (people, columns), with its ``design_info``.
    """
    table: pd.DataFrame = patsy.dmatrix(
        formula, code_levels(data), eval_env=FUNCTIONS, NA_action="raise", return_type="dataframe"
    )
    return table


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
        if name not in KEYS and not pd.api.types.is_numeric_dtype(values.dtype):
            levels = [] if isinstance(values.dtype, pd.CategoricalDtype) else values.dropna().unique().tolist()
            if levels and all(isinstance(level, str) for level in levels):
                coded[name] = pd.Categorical(values, categories=sorted(levels))
    return data.assign(**coded) if coded else data


def _code(data: Any, contrast: Any = None, levels: Any = None) -> Any:
    """Stand in for patsy's ``C``, whose box hides from patsy that its content is a category already."""
    if levels is not None or not isinstance(getattr(data, "dtype", None), pd.CategoricalDtype):
        return patsy.C(data, contrast, levels)
    values: Any = pd.Categorical(data)
    values.contrast = contrast  # where patsy looks for it
    return values


FUNCTIONS = patsy.EvalEnvironment([{"C": _code, "np": np}])
