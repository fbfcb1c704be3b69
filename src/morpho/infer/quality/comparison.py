"""Whether the images of the two groups differ in quality, so that a difference in volume may be one of motion.

Takes the study and the metrics of its scans; gives the difference of every metric between groups, and puts that of
the quality index beside the differences in volume.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from morpho.infer.quality.dictionaries import QUALITY_COMPARISON, QUALITY_DIFFERENCE
from morpho.infer.study import ROLES, Settings, Study
from morpho.quality_metrics import METRICS
from morpho.rois import TOTALS
from morpho.stats.effects import standardise_difference

logger = logging.getLogger(__name__)

INDEX = "quality_index"
PERCENT_PER_MM_PER_MIN = -0.7  # grey matter per mm/min of head motion (Reuter et al. 2015)
GREY_MATTER = "total_grey_matter"
COUNTS = ("n_reference", "n_comparison")
TEXT = ("metric", "status", "reason")


def compare_quality(study: Study, metrics: pd.DataFrame) -> pd.DataFrame:
    """Compare every metric of quality between patients and controls.

    Parameters
    ----------
    study
        People with the scans that the models use: the first kept one of everybody.
    metrics
        One row per scan (``metrics.tsv``).

    Returns
    -------
    Columns of `morpho.infer.quality.dictionaries.QUALITY_COMPARISON`, one row per metric, quality_index first.

    Notes
    -----
    Nothing is adjusted for. ASSUME: the metric is normal and equally spread in both groups.
    """
    people = study.people if "group" in study.people else study.people.assign(group=np.nan)
    joined = people[["scan", "group"]].merge(metrics, on="scan", how="left")
    groups = [joined[joined["group"] == role] for role in ROLES]
    rows = [_compare(name, [part[name] for part in groups], study.settings) for name in (INDEX, "distance", *METRICS)]
    table = pd.DataFrame(rows, columns=list(QUALITY_COMPARISON))
    kinds = {name: "Int64" if name in COUNTS else "float64" for name in QUALITY_COMPARISON if name not in TEXT}
    return table.astype(kinds)


def add_quality(effects: pd.DataFrame, comparison: pd.DataFrame | None) -> pd.DataFrame:
    """Put the difference in quality beside the differences in volume, and say what motion would make them.

    Parameters
    ----------
    effects
        Rows of ``group_comparison.tsv``, with roi and percent.
    comparison
        From `compare_quality`; None where nothing is known of scans.

    Returns
    -------
    `effects` with the columns of `morpho.infer.quality.dictionaries.QUALITY_DIFFERENCE`.

    Notes
    -----
    Reuter M et al., NeuroImage 2015;107:107-115, doi:10.1016/j.neuroimage.2014.12.006: about 0.7 % less grey matter per
    mm/min of head motion. ASSUME: the slope holds for any region of grey matter.
    """
    index = pd.DataFrame() if comparison is None else comparison[comparison["metric"] == INDEX]
    known = {f"quality_{name}": float(index[name].iloc[0]) for name in ("g", "g_ci_low", "g_ci_high") if len(index)}
    is_grey = ~effects["roi"].isin(set(TOTALS) - {GREY_MATTER})
    motion = (effects["percent"].astype(float) / PERCENT_PER_MM_PER_MIN).where(is_grey)
    added = effects.assign(**known, motion_equivalent_mm_per_min=motion)
    added = added.reindex(columns=[*effects.columns, *QUALITY_DIFFERENCE])
    return added.astype(dict.fromkeys(QUALITY_DIFFERENCE, "float64"))


def _compare(metric: str, groups: Sequence[pd.Series[float]], settings: Settings) -> Mapping[str, object]:
    """Compare one metric between controls and patients."""
    values = [group.astype(float).dropna() for group in groups]
    n_reference, n_comparison = counts = [len(part) for part in values]
    row: dict[str, object] = {"metric": metric, "status": "refused", "reason": ""}
    row |= {"n_reference": n_reference, "n_comparison": n_comparison}
    for name, part in zip(("reference", "comparison"), values, strict=True):
        row |= {f"mean_{name}": part.mean(), f"sd_{name}": part.std()}
    if min(counts) < max(settings.min_group_size, 2):
        people = f"{n_reference} and {n_comparison} people with a value in the two groups"
        return row | {"reason": f"{people}, where config models.min_group_size asks for {settings.min_group_size}"}
    df, unit_variance = sum(counts) - 2, sum(1 / n for n in counts)
    squares = sum(float(((part - part.mean()) ** 2).sum()) for part in values)
    difference = float(values[1].mean() - values[0].mean())
    if not squares > 0:
        return row | {"reason": "the metric does not vary within the groups"}
    t = difference / float(np.sqrt(squares / df * unit_variance))
    found = standardise_difference(t, df, unit_variance, settings.confidence)
    numbers = {"g": found.g, "g_ci_low": found.g_ci_low, "g_ci_high": found.g_ci_high}
    if metric == INDEX:
        logger.info("quality index: g %.2f [%.2f, %.2f]", found.g, found.g_ci_low, found.g_ci_high)
    return row | {"status": "fitted", **numbers}
