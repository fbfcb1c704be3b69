"""Volumes of a scan against what the rest of the cohort lets expect: age, sex, head size and site taken into account.

Takes the cohort table, gives one row per measured scan and volume. Groups are not looked at, so that nobody is flagged
for having the disease that is studied.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd

from morpho.infer.quality.dictionaries import REGION_DEVIATIONS
from morpho.infer.quality.peers import MIN_PEERS
from morpho.stats.robust import expect_left_out, robust_z

logger = logging.getLogger(__name__)

FloatArray = npt.NDArray[np.float64]

SCANS_PER_COLUMN = 5  # fewer scans than this for each column of a regression: it gets no further column
DOUBTFUL = 2.5  # robust z of age or head size beyond which a scan has less weight
HEAD_SIZES = ("tiv_whole_mm3", "affine_tiv_whole_mm3")
NOTHING = "nothing"


def measure_deviations(cohort: pd.DataFrame) -> pd.DataFrame:
    """Measure how far every volume of every scan is from what the other scans let expect.

    Parameters
    ----------
    cohort
        One row per measured scan (``cohort.tsv``): scan, input_kind, columns ``<roi>_<hemisphere>_mm3``; age_years, sex
        and site where they are known.

    Returns
    -------
    Columns of `morpho.infer.quality.dictionaries.REGION_DEVIATIONS`, in the order of `cohort`. Whole heads and
    extracted brains are compared among themselves. Expectation and z are missing where fewer than `MIN_PEERS` scans of
    a kind have the volume.

    Notes
    -----
    Method: `morpho.stats.robust.expect_left_out`. ASSUME: volumes are linear in head size, sex and age. A covariate
    joins, in this order and site last, as long as there are `SCANS_PER_COLUMN` scans for each column; an unknown age or
    sex counts as that of the middle of the cohort.
    """
    volumes = [str(name) for name in cohort.columns if str(name).endswith("_mm3")]
    ordered = cohort.sort_values("scan", kind="stable")  # so that the order of rows has no say, not even in rounding
    parts = [
        _measure_volume(scans, column) for _, scans in ordered.groupby("input_kind", sort=True) for column in volumes
    ]
    columns = list(REGION_DEVIATIONS)
    if not parts:
        return pd.DataFrame(columns=columns)
    table = pd.concat(parts, ignore_index=True)
    place = {scan: number for number, scan in enumerate(cohort["scan"])}
    which = {name: number for number, name in enumerate(volumes)}
    order = table.assign(scan=table["scan"].map(place), volume=table["volume"].map(which))
    return table.loc[order.sort_values(["scan", "volume"]).index, columns].reset_index(drop=True)


def _measure_volume(scans: pd.DataFrame, column: str) -> pd.DataFrame:
    """Measure the deviations of one volume in the scans of one kind."""
    roi, hemisphere = column.removesuffix("_mm3").rsplit("_", 1)
    table = pd.DataFrame({"scan": scans["scan"], "roi": roi, "hemisphere": hemisphere, "volume_mm3": scans[column]})
    table = table.assign(expected_mm3=np.nan, z=np.nan, adjusted_for="", volume=column)
    known = scans[scans[column].notna()]
    if len(known) < MIN_PEERS:
        return table
    X, prior, names = _build_regressors(known, column)
    found = expect_left_out(X, known[[column]].to_numpy(dtype=float), prior)
    table.loc[known.index, ["expected_mm3", "z"]] = np.column_stack([found.expected, found.z])
    table.loc[known.index, "adjusted_for"] = ", ".join(names) or NOTHING
    return table


def _build_regressors(scans: pd.DataFrame, outcome: str) -> tuple[FloatArray, FloatArray, list[str]]:
    """Build regressors and prior weights of a volume: as many covariates as the number of scans allows."""
    columns, numbers, names = [np.ones((len(scans), 1))], [], []
    for name, build in COVARIATES:
        block = build(scans, outcome)
        width = sum(part.shape[1] for part in columns) + block.shape[1]
        if block.shape[1] and width * SCANS_PER_COLUMN <= len(scans):
            columns.append(block)
            names.append(name)
            numbers += [block] if name in NUMBERS else []
    doubt = np.abs(np.hstack(numbers)).max(axis=1) if numbers else np.zeros(len(scans))
    prior = np.minimum(1.0, (DOUBTFUL / np.maximum(doubt, DOUBTFUL)) ** 2)
    return np.hstack(columns), prior, names


def _take_head_size(scans: pd.DataFrame, outcome: str) -> FloatArray:
    """Take the first head size that all scans have, as robust z; none for a head size itself."""
    known = [name for name in HEAD_SIZES if name in scans and scans[name].notna().all()]
    if not known or outcome in HEAD_SIZES:
        return np.empty((len(scans), 0))
    return _take_number(scans[known[0]])


def _take_sex(scans: pd.DataFrame, _outcome: str) -> FloatArray:
    """Code sex as -1/2 and 1/2, unknown as 0; nothing if it is the same for everyone."""
    levels = sorted(set(scans["sex"].dropna())) if "sex" in scans else []
    if len(levels) != 2:
        return np.empty((len(scans), 0))
    coded = scans["sex"].map({levels[0]: -0.5, levels[1]: 0.5}).fillna(0.0)
    return coded.to_numpy(dtype=float)[:, np.newaxis]


def _take_age(scans: pd.DataFrame, _outcome: str) -> FloatArray:
    """Take age as robust z, unknown as 0."""
    return _take_number(scans["age_years"]) if "age_years" in scans else np.empty((len(scans), 0))


def _take_sites(scans: pd.DataFrame, _outcome: str) -> FloatArray:
    """Code each site with enough scans by a column of its own, all others being the rest."""
    counts = scans["site"].value_counts() if "site" in scans else pd.Series(dtype=int)
    large = sorted(counts.index[counts >= SCANS_PER_COLUMN])
    is_rest = len(large) and counts[large].sum() < len(scans)
    coded = large if is_rest else large[1:]
    return np.column_stack([np.empty((len(scans), 0)), *[(scans["site"] == site).astype(float) for site in coded]])


def _take_number(values: pd.Series[float]) -> FloatArray:
    """Robust z of a number, unknown as 0; nothing if it does not vary."""
    z = np.nan_to_num(robust_z(values.to_numpy(dtype=float)))
    return z[:, np.newaxis] if np.ptp(z) > 0 else np.empty((len(z), 0))


NUMBERS = ("head size", "age")
COVARIATES: tuple[tuple[str, Callable[[pd.DataFrame, str], FloatArray]], ...] = (
    ("head size", _take_head_size),
    ("sex", _take_sex),
    ("age", _take_age),
    ("site", _take_sites),
)
