"""Statistical disclosure control: tables of counts without cells that describe few people.

Takes a table of counts and gives it back with the small ones removed, and as many others as it takes that no sum gives
them away.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

SMALLEST_CELL = 10  # for what is made public; 5 is usual between partners


def suppress_small_cells(
    table: pd.DataFrame,
    *,
    count: str,
    values: Sequence[str] = (),
    sums: Sequence[Sequence[str]] = (),
    smallest: int = SMALLEST_CELL,
    already: npt.NDArray[np.bool_] | None = None,
) -> pd.DataFrame:
    """Remove counts of few people, and as many others as it takes that sums do not give them away.

    Parameters
    ----------
    table
        One row per cell.
    count
        Column with the number of people in the cell. Empty cells (0) stay: they describe nobody.
    values
        Columns with other numbers of the cell, removed with its count.
    sums
        Sets of columns; rows that agree in all columns of a set add up to a total that the reader may know.
    smallest
        Fewest people of a cell that is shown.
    already
        Rows that are removed for another reason.

    Returns
    -------
    The table with a column ``suppressed``; count and values of these rows are missing.

    Notes
    -----
    The smallest cells left of a sum go too until two are gone, with `smallest` people or more. Source: Hundepool A
    et al., Statistical disclosure control, Wiley 2012, chapter 4.

    Examples
    --------
    Of 30 people 3 are in one level: the total would tell, so the next smallest goes too.

    >>> cells = pd.DataFrame({"level": ["a", "b", "c"], "n": [3, 11, 16], "group": "patient"})
    >>> suppress_small_cells(cells, count="n", sums=[["group"]])["n"].tolist()
    [nan, nan, 16.0]
    """
    n = table[count].to_numpy(np.float64, na_value=np.nan)
    hidden = ((n > 0) & (n < smallest)) | (False if already is None else already)
    groups = [rows for keys in sums for rows in table.groupby(list(keys), dropna=False).indices.values()]
    n_before = -1
    while n_before != (n_before := int(hidden.sum())):
        for rows in groups:
            _hide_complements(hidden, n, np.asarray(rows, dtype=np.intp), smallest)
    changed = table.copy()
    for column in (count, *values):
        changed[column] = changed[column].astype("float64").mask(hidden)
    changed["suppressed"] = hidden
    return changed


def _hide_complements(
    hidden: npt.NDArray[np.bool_], counts: npt.NDArray[np.float64], rows: npt.NDArray[np.intp], smallest: int
) -> None:
    """Hide further cells of one sum until those hidden cannot be worked out, in place."""
    while (total := np.nansum(counts[rows][hidden[rows]])) > 0:
        shown = [row for row in rows if not hidden[row] and counts[row] > 0]
        if not shown or (hidden[rows].sum() > 1 and total >= smallest):
            return
        hidden[min(shown, key=lambda row: counts[row])] = True
