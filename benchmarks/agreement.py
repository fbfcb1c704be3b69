"""How well two sets of measurements agree: correlation, intraclass correlation, bias, overlap, rescan difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

FEWEST = 3  # below this a correlation says nothing
SIDES = ("L", "R", "both")
COLUMNS = ("tool", "level", "name", "structure", "side", "measure", "value", "n", "note")


def pearson(first: ArrayLike, second: ArrayLike) -> float:
    """Pearson's r of the pairs without gaps; NaN for fewer than three pairs or without spread."""
    one, other = _complete(first, second)
    if len(one) < FEWEST or np.ptp(one) == 0 or np.ptp(other) == 0:
        return float("nan")
    return float(np.corrcoef(one, other)[0, 1])


def icc_3_1(ratings: ArrayLike) -> float:
    """Intraclass correlation ICC(3,1): two-way mixed, consistency, single rating.

    Parameters
    ----------
    ratings : shape (targets, raters)
        Rows with gaps are left out.

    Returns
    -------
    The coefficient; NaN for fewer than three targets.

    Notes
    -----
    Shrout PE, Fleiss JL. Intraclass correlations: uses in assessing rater reliability. Psychol Bull 1979;86:420-428.
    """
    table = np.asarray(ratings, dtype=float)
    table = table[np.isfinite(table).all(axis=1)]
    n_targets, n_raters = table.shape
    if n_targets < FEWEST:
        return float("nan")
    grand = table.mean()
    between_targets = n_raters * ((table.mean(axis=1) - grand) ** 2).sum() / (n_targets - 1)
    residual = table - table.mean(axis=1, keepdims=True) - table.mean(axis=0, keepdims=True) + grand
    error = (residual**2).sum() / ((n_targets - 1) * (n_raters - 1))
    whole = between_targets + (n_raters - 1) * error
    return float((between_targets - error) / whole) if whole > 0 else float("nan")


def dice(first: ArrayLike, second: ArrayLike) -> float:
    """Overlap of two masks: twice the intersection over the sum of both; NaN if both are empty.

    Examples
    --------
    >>> dice([True, True, False], [True, False, False])
    0.6666666666666666
    """
    one, other = np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)
    size = int(one.sum()) + int(other.sum())
    return 2 * int((one & other).sum()) / size if size else float("nan")


def bias_percent(measured: ArrayLike, truth: ArrayLike) -> float:
    """Mean over the scans of the difference from the truth, percent of the truth.

    Examples
    --------
    >>> bias_percent([110, 90], [100, 100])
    0.0
    """
    one, other = _complete(measured, truth)
    return float(np.mean((one - other) / other) * 100) if len(one) else float("nan")


def rescan_percent(first: float, second: float) -> float:
    """Absolute difference of two measurements of one person, percent of their mean.

    Examples
    --------
    >>> rescan_percent(99, 101)
    2.0
    """
    return 2 * abs(first - second) / (first + second) * 100


def person_of_scan(scans: Sequence[str], pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Person (named by the first of their scans) of each scan: the scans of a pair are one person's.

    Examples
    --------
    >>> person_of_scan(["a", "b", "c"], [("a", "c")])
    {'a': 'a', 'b': 'b', 'c': 'a'}
    """
    person = {scan: scan for scan in scans}
    for first, second in pairs:
        joined = {person[first], person[second]}
        keep = min(joined, key=list(scans).index)
        person = {scan: keep if who in joined else who for scan, who in person.items()}
    return person


def compare_volumes(
    tool: str, volumes: pd.DataFrame, manual: pd.DataFrame, pairs: Sequence[tuple[str, str]]
) -> pd.DataFrame:
    """Compare the volumes of a tool with manual ones.

    Parameters
    ----------
    tool
        Its name, for the table.
    volumes, manual
        Columns scan, structure, side (L, R, both), volume_mm3; missing is NaN.
    pairs
        Scans of one person.

    Returns
    -------
    Rows with the columns of `COLUMNS`: volumes of each scan, rescan difference of each pair, and for the cohort r, r of
    people, ICC(3,1), bias and mean rescan difference.
    """
    keys = ["scan", "structure", "side"]
    joined = manual.merge(volumes, on=keys, how="left", suffixes=("_manual", "_tool"))
    person = person_of_scan(list(dict.fromkeys(joined["scan"])), pairs)
    rows = [
        row_of(tool, ("scan", row["scan"], row["structure"], row["side"]), "volume_mm3", row["volume_mm3_tool"])
        for row in joined.to_dict("records")
    ]
    for (structure, side), part in joined.groupby(["structure", "side"], sort=False):
        ours = part.set_index("scan")["volume_mm3_tool"]
        theirs = part.set_index("scan")["volume_mm3_manual"]
        where = (str(structure), str(side))
        differences = {f"{a}-{b}": rescan_percent(ours[a], ours[b]) for a, b in pairs}
        rows += [row_of(tool, ("pair", name, *where), "rescan_percent", value) for name, value in differences.items()]
        rows += _cohort_rows(tool, where, ours, theirs, person)
        known = [value for value in differences.values() if np.isfinite(value)]
        rows.append(row_of(tool, ("cohort", "all", *where), "rescan_percent", mean_of(known), len(known)))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _cohort_rows(
    tool: str, where: tuple[str, str], ours: pd.Series, theirs: pd.Series, person: Mapping[str, str]
) -> list[dict[str, object]]:
    """Agreement of one structure and side over scans and over people."""
    complete = ours.notna() & theirs.notna()
    ours, theirs = ours[complete], theirs[complete]
    people = pd.DataFrame({"ours": ours, "theirs": theirs}).groupby(ours.index.map(person)).mean()
    figures = {
        "r": (pearson(ours, theirs), len(ours)),
        "r_people": (pearson(people["ours"], people["theirs"]), len(people)),
        "icc_3_1": (icc_3_1(np.column_stack([ours, theirs])), len(ours)),
        "bias_percent": (bias_percent(ours, theirs), len(ours)),
    }
    return [row_of(tool, ("cohort", "all", *where), measure, value, n) for measure, (value, n) in figures.items()]


def overlap_rows(tool: str, overlaps: Mapping[tuple[str, str, str], float]) -> pd.DataFrame:
    """Rows of the Dice of each (scan, structure, side), and of their mean over the scans: each side, and both."""
    rows = [
        row_of(tool, ("scan", scan, structure, side), "dice", value)
        for (scan, structure, side), value in overlaps.items()
    ]
    for structure in dict.fromkeys(structure for _, structure, _ in overlaps):
        for side in SIDES:
            known = [
                value
                for (_, other, which), value in overlaps.items()
                if other == structure and side in (which, "both") and np.isfinite(value)
            ]
            rows.append(row_of(tool, ("cohort", "all", structure, side), "dice", mean_of(known), len(known)))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def row_of(
    tool: str, where: tuple[str, str, str, str], measure: str, value: float = float("nan"), n: int = 1, note: str = ""
) -> dict[str, object]:
    """One row of a table of agreement; `where` is level (scan, pair, cohort), name, structure, side."""
    return dict(zip(COLUMNS, (tool, *where, measure, value, n, note or None), strict=True))


def figure(table: pd.DataFrame, structure: str, measure: str, *, side: str = "both", tool: str | None = None) -> float:
    """One figure of the cohort; NaN if the table has none."""
    found = table[
        (table["level"] == "cohort")
        & (table["structure"] == structure)
        & (table["measure"] == measure)
        & (table["side"] == side)
    ]
    if tool is not None:
        found = found[found["tool"] == tool]
    return float(found["value"].iloc[0]) if len(found) else float("nan")


def mean_of(values: Sequence[float]) -> float:
    """Mean; NaN of nothing."""
    return float(np.mean(values)) if values else float("nan")


def _complete(first: ArrayLike, second: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Pairs without gaps."""
    one, other = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    complete = np.isfinite(one) & np.isfinite(other)
    return one[complete], other[complete]
