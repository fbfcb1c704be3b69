"""Is an effect plausible beside the published ones: ENIGMA-MDD's estimate for the same region and contrast.

Takes a table of effects and the table of published effects (`morpho.reference_data.load_references`), gives the first
one with the published estimate, its interval, what it was measured on, and a test of the difference. A region without
published counterpart keeps missing values. Nothing here passes or fails an effect.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from morpho.errors import ConfigError
from morpho.stats.meta_analysis import compare_to_reference
from morpho.tables import describe_column

FloatArray = npt.NDArray[np.float64]
CorticalMeasure = Literal["thickness", "surface_area"]

REFERENCE_QUANTILE = 1.96  # of the published intervals
# Correlation of the volume (or thickness) of the two sides of a region, and of neighbouring parcels, across people.
ADULT_FROM_YEARS = 22  # ENIGMA-MDD calls people up to 21 years adolescents
CORRELATION_OF_SIDES = 0.8
# Regions of morpho that are several regions of the published table, as in config/rois.tsv.
PARTS = {
    "dlpfc": ("rostral_middle_frontal", "caudal_middle_frontal"),
    "middle_frontal": ("rostral_middle_frontal", "caudal_middle_frontal"),
    "anterior_cingulate": ("rostral_anterior_cingulate", "caudal_anterior_cingulate"),
}
NOT_THE_SAME = "not the same quantity"

COMPARISON_COLUMNS = {
    "enigma_ref_d": describe_column(
        "Effect published by ENIGMA-MDD for this contrast and region (Schmaal 2016, 2017); the mean where the region "
        "is several published ones",
        units="standard deviations",
    ),
    "enigma_ref_se": describe_column(
        "Its standard error; of a mean of several, with a correlation of 0.8 between them", units="standard deviations"
    ),
    "enigma_ref_ci_low": describe_column("Its lower 95 % limit", units="standard deviations"),
    "enigma_ref_ci_high": describe_column("Its upper 95 % limit", units="standard deviations"),
    "enigma_measure": describe_column("What was published: only volume is the quantity that morpho measures"),
    "inside_ref_ci": describe_column("Whether the own effect lies within the published interval"),
    "z_vs_ref": describe_column(
        "(g - enigma_ref_d) / sqrt(se^2 + enigma_ref_se^2); sites of one consortium differ by more than this allows",
        units="1",
    ),
    "p_vs_ref": describe_column("Two-sided p value of z_vs_ref", units="1"),
}


@dataclass(frozen=True)
class Published:
    """A published effect: d with its standard error and interval, and what it was measured on."""

    d: float
    se: float
    ci_low: float
    ci_high: float
    measure: str


def compare_with_published(
    effects: pd.DataFrame,
    references: pd.DataFrame,
    *,
    contrast: str,
    age_band: str,
    confidence: float = 0.95,
    cortical_measure: CorticalMeasure = "thickness",
    parts: Mapping[str, Sequence[str]] = PARTS,
) -> pd.DataFrame:
    """Put ENIGMA-MDD's estimate of the same contrast beside each effect, and test the difference.

    Parameters
    ----------
    effects
        Columns roi, hemisphere, and the own effect: either g, g_ci_low, g_ci_high (``group_comparison.tsv``), or
        effect_size, estimate, se (claim rows; only those whose effect_size is "g" are compared).
    references
        From `morpho.reference_data.load_references`.
    contrast, age_band
        Values of these columns of `references`; "all" ages takes only what was published for all ages, the other
        bands that as well.
    confidence
        Coverage of g_ci_low and g_ci_high, from which the standard error of g is taken.
    cortical_measure
        Which published quantity cortical volumes are put beside.
    parts
        Regions that are the mean of several published ones.

    Returns
    -------
    `effects` with the columns of `COMPARISON_COLUMNS`; missing where nothing was published.

    Raises
    ------
    ConfigError
        If `references` has no such contrast or age band, or `effects` has neither set of columns.

    Notes
    -----
    ASSUME: own people are not among those of the consortium; published sides and parcels correlate by 0.8, so that
    the error of their mean is sqrt(sum of r_ij se_i se_j) / k. The d of a mean is up to 1 / sqrt(0.9), 5 %, larger
    than the mean of the d of both sides. Source of the test: Borenstein M et al., Introduction to meta-analysis,
    Wiley 2009, chapter 19.
    """
    chosen = _choose(references, contrast, age_band)
    rows = effects.to_dict("records")
    own = _own_effects(effects, confidence)
    compared = [
        _compare(
            own_d, own_se, find_published(chosen, str(row["roi"]), str(row["hemisphere"]), cortical_measure, parts)
        )
        for row, (own_d, own_se) in zip(rows, own, strict=True)
    ]
    added = pd.DataFrame(compared, columns=list(COMPARISON_COLUMNS), index=effects.index)
    numbers = [name for name in COMPARISON_COLUMNS if name not in {"enigma_measure", "inside_ref_ci"}]
    added = added.astype({**dict.fromkeys(numbers, "float64"), "inside_ref_ci": "boolean"})
    kept = effects.drop(columns=[name for name in COMPARISON_COLUMNS if name in effects])
    return pd.concat([kept, added], axis=1)


def choose_age_band(people: pd.DataFrame) -> str:
    """Choose the age band of the published effects: that of most of the people; adults where ages are unknown."""
    if "age_years" not in people or people["age_years"].isna().all():
        return "adult"
    return "adolescent" if people["age_years"].median() < ADULT_FROM_YEARS else "adult"


def find_published(
    references: pd.DataFrame,
    roi: str,
    hemisphere: str,
    cortical_measure: CorticalMeasure = "thickness",
    parts: Mapping[str, Sequence[str]] = PARTS,
) -> Published | None:
    """Find the published effect of one region, pooling sides and parcels where the region has several.

    Parameters
    ----------
    references
        Published effects of one contrast and age band.
    roi, hemisphere
        A region of morpho; hemisphere L, R or mean.
    cortical_measure
        Measure to take where no volume was published.
    parts
        Regions that are the mean of several published ones; all parts must be there.

    Returns
    -------
    The effect, or None if the region, or one of its parts, was not published.
    """
    names = list(parts.get(roi, (roi,)))
    rows = references[references["roi"].isin(names) & references["measure"].isin(["volume", cortical_measure])]
    if set(rows["roi"]) != set(names):
        return None
    is_volume = bool((rows["measure"] == "volume").all())
    if not is_volume and hemisphere in {"L", "R"}:
        rows = rows[rows["hemisphere"] == hemisphere]
    if is_volume:
        measure = "volume" if hemisphere == "mean" else "volume, published for the mean of both sides only"
    else:
        several = f", mean of {len(rows)} published values" if len(rows) > 1 else ""
        sides = "L and R" if hemisphere == "mean" else hemisphere
        measure = f"{cortical_measure.replace('_', ' ')} of {sides}{several}: {NOT_THE_SAME}"
    if len(rows) == 1:
        row = rows.iloc[0]
        return Published(float(row["d"]), float(row["se"]), float(row["ci_low"]), float(row["ci_high"]), measure)
    d, se = average_dependent(rows["d"].to_numpy(float), rows["se"].to_numpy(float), CORRELATION_OF_SIDES)
    return Published(d, se, d - REFERENCE_QUANTILE * se, d + REFERENCE_QUANTILE * se, measure)


def average_dependent(d: FloatArray, se: FloatArray, correlation: float) -> tuple[float, float]:
    """Mean of effects of the same people, and its standard error if all pairs correlate alike.

    Two effects with the same standard error s and correlation r: sqrt((1 + r) / 2) s.

    >>> mean, se = average_dependent(np.array([0.1, 0.3]), np.array([0.1, 0.1]), 0.8)
    >>> round(mean, 6), round(se, 6)
    (0.2, 0.094868)
    """
    correlations = np.full((len(se), len(se)), correlation)
    np.fill_diagonal(correlations, 1.0)
    return float(d.mean()), float(np.sqrt(se @ correlations @ se)) / len(se)


def _choose(references: pd.DataFrame, contrast: str, age_band: str) -> pd.DataFrame:
    """Take the published effects of one contrast and age band; refuse names that the table does not have."""
    for column, wanted in (("contrast", contrast), ("age_band", age_band)):
        known = sorted(set(references[column]))
        if wanted not in known:
            msg = f"No effects are published for {column} '{wanted}'. Known are {', '.join(known)}; choose one of them."
            raise ConfigError(msg)
    return references[(references["contrast"] == contrast) & references["age_band"].isin([age_band, "all"])]


def _own_effects(effects: pd.DataFrame, confidence: float) -> list[tuple[float, float]]:
    """Own g and its standard error, row by row; NaN where the row has none."""
    if {"g", "g_ci_low", "g_ci_high"}.issubset(effects.columns):
        width = 2 * float(stats.norm.ppf(0.5 + confidence / 2))
        d = effects["g"].to_numpy(float)
        se = (effects["g_ci_high"].to_numpy(float) - effects["g_ci_low"].to_numpy(float)) / width
    elif {"effect_size", "estimate", "se"}.issubset(effects.columns):
        is_g = (effects["effect_size"] == "g").to_numpy(bool)
        d = np.where(is_g, effects["estimate"].to_numpy(float), np.nan)
        se = effects["se"].to_numpy(float)
    else:
        msg = (
            f"Effects to compare need the columns g, g_ci_low, g_ci_high or effect_size, estimate, se; there are "
            f"{', '.join(map(str, effects.columns))}. Give a table of group_comparison.tsv or of claim rows."
        )
        raise ConfigError(msg)
    return list(zip(d.tolist(), se.tolist(), strict=True))


def _compare(own_d: float, own_se: float, published: Published | None) -> dict[str, object]:
    """Cells of one row."""
    if published is None:
        return {"enigma_measure": ""}
    row: dict[str, object] = {
        "enigma_ref_d": published.d,
        "enigma_ref_se": published.se,
        "enigma_ref_ci_low": published.ci_low,
        "enigma_ref_ci_high": published.ci_high,
        "enigma_measure": published.measure,
    }
    if np.isfinite(own_d) and np.isfinite(own_se) and own_se > 0:
        z, p = compare_to_reference(own_d, own_se**2, published.d, published.se**2)
        inside = published.ci_low <= own_d <= published.ci_high
        row |= {"inside_ref_ci": inside, "z_vs_ref": z, "p_vs_ref": p}
    return row
