"""What a sample says about a claim: consistent, contrary, inconclusive, or equivalent to none. Never from p alone.

Takes the deciding rows of a claim (effect, interval, what was claimed). Intervals are simultaneous over the deciding
rows (Bonferroni), so that a claim with many regions is not confirmed by chance more often than one with a single.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from morpho.stats.effects import correlate_partially, standardise_difference

Verdict = Literal["consistent", "contrary", "inconclusive", "equivalent to none", "not estimable"]
Row = Mapping[str, object]

EQUIVALENCE_CONFIDENCE = 0.90  # two one-sided tests at 5 %
NULL_VALUES = {"auc": 0.5}

MEANINGS: Mapping[str, str] = {
    "consistent": "zero lies outside the interval, on the side of the claim",
    "contrary": (
        "zero lies outside the interval, on the other side; or the interval leaves no room for an effect as large as "
        "claimed"
    ),
    "inconclusive": "the interval holds both zero and the claimed effect: this sample cannot tell",
    "equivalent to none": "the 90 % interval lies within the smallest effect of interest: no effect worth the name",
    "not estimable": "no deciding region could be estimated",
}


@dataclass(frozen=True)
class Judgement:
    """Verdict on one deciding row, with the simultaneous interval it rests on and what was expected."""

    verdict: Verdict
    ci_low: float
    ci_high: float
    expected: float
    is_opposite: bool


def widen_interval(row: Row, confidence: float) -> tuple[float, float]:
    """Give the interval of a row's effect at another confidence.

    Parameters
    ----------
    row
        With effect_size, estimate, ci_low and ci_high at `row["confidence"]`; g also with t, df and unit_variance.
    confidence
        Coverage wanted, between 0 and 1.

    Returns
    -------
    Lower and upper limit: exact for g (noncentral t) and partial r (Fisher z); for other effects each half of the
    interval is stretched by the ratio of normal quantiles.
    """
    low, high = _number(row, "ci_low"), _number(row, "ci_high")
    t, df, variance = (_number(row, name) for name in ("t", "df", "unit_variance"))
    if row["effect_size"] == "g" and np.isfinite([t, df, variance]).all():
        exact = standardise_difference(t, df, variance, confidence)
        return exact.g_ci_low, exact.g_ci_high
    if row["effect_size"] == "partial_r" and np.isfinite([t, df]).all():
        correlation = correlate_partially(t, df, confidence)
        return correlation.ci_low, correlation.ci_high
    estimate = _number(row, "estimate")
    stretch = stats.norm.ppf(0.5 + confidence / 2) / stats.norm.ppf(0.5 + _number(row, "confidence") / 2)
    return estimate - stretch * (estimate - low), estimate + stretch * (high - estimate)


def judge_row(row: Row, *, n_deciding: int, smallest_effect: float) -> Judgement:
    """Judge one deciding row.

    Parameters
    ----------
    row
        As for `widen_interval`, with direction ("negative", "positive", "either") and expected (NaN: the smallest
        effect of interest in that direction).
    n_deciding
        Deciding rows of the claim.
    smallest_effect
        Smallest effect of interest, on the scale of the effect size (positive; of an AUC its distance from 0.5).

    Returns
    -------
    Judgement.
    """
    null = NULL_VALUES.get(str(row["effect_size"]), 0.0)
    low, high = widen_interval(row, 1 - (1 - _number(row, "confidence")) / n_deciding)
    inner_low, inner_high = widen_interval(row, EQUIVALENCE_CONFIDENCE)
    sign = {"negative": -1.0, "positive": 1.0}.get(str(row["direction"]), 0.0)
    given = _number(row, "expected")
    expected = given if np.isfinite(given) else null + sign * smallest_effect
    above, below = low > null, high < null
    agrees = (above or below) if sign == 0 else (above if sign > 0 else below)
    opposes = (above or below) and not agrees
    is_small = inner_low > null - smallest_effect and inner_high < null + smallest_effect
    falls_short = sign != 0 and (high < expected if sign > 0 else low > expected)
    verdict: Verdict = "inconclusive"
    if agrees:
        verdict = "consistent"
    elif opposes:
        verdict = "contrary"
    elif is_small:
        verdict = "equivalent to none"
    elif falls_short:
        verdict = "contrary"
    return Judgement(verdict, low, high, expected, opposes)


def combine_judgements(judgements: Sequence[Judgement]) -> Verdict:
    """Give the verdict on a claim from those on its deciding rows.

    Parameters
    ----------
    judgements
        One per deciding row that could be estimated.

    Returns
    -------
    "consistent" if at least one row is and none points the other way (rows that do both: "inconclusive");
    "equivalent to none" if all are; "contrary" if one points the other way, or none leaves room for the claimed effect.
    """
    if not judgements:
        return "not estimable"
    verdicts = [judgement.verdict for judgement in judgements]
    is_opposed = any(judgement.is_opposite for judgement in judgements)
    if "consistent" in verdicts:
        return "inconclusive" if is_opposed else "consistent"
    if is_opposed:
        return "contrary"
    if set(verdicts) == {"equivalent to none"}:
        return "equivalent to none"
    return "contrary" if "inconclusive" not in verdicts else "inconclusive"


def _number(row: Row, name: str) -> float:
    """Read a number of a row; NaN where there is none."""
    value = row.get(name, np.nan)
    return float(value) if isinstance(value, int | float | np.number) else float("nan")
