"""Where one scan stands among all: a small strip with the middle 90 % of the cohort, its median, and the scan.

Takes columns of numbers, gives positions in per cent of the strip's width.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd

EDGE = 3.0  # per cent of the strip kept free at both ends


@dataclass(frozen=True)
class Spread:
    """Spread of a number over the cohort: smallest, 5th percentile, median, 95th percentile, largest."""

    smallest: float
    low: float
    median: float
    high: float
    largest: float


@dataclass(frozen=True)
class Strip:
    """Places on a strip in whole per cent of its width: where the middle 90 % begins and ends, the median, the scan."""

    start: int
    end: int
    median: int
    value: int


def measure_spread(values: pd.Series[Any]) -> Spread | None:
    """Measure the spread of a number over the cohort; None if nobody has it."""
    present = values.dropna().astype(float)
    if present.empty:
        return None
    return Spread(*(float(present.quantile(share)) for share in (0.0, 0.05, 0.5, 0.95, 1.0)))


def place_on_strip(value: Any, spread: Spread | None) -> Strip | None:
    """Place a number on the strip of its cohort.

    Parameters
    ----------
    value
        Of the scan; may be missing.
    spread
        Of the cohort.

    Returns
    -------
    Positions; None if the value or the cohort is missing, or everybody has the same.
    """
    if spread is None or pd.isna(value):
        return None
    left, right = min(spread.smallest, float(value)), max(spread.largest, float(value))
    if not right > left or not math.isfinite(right - left):
        return None

    def place(number: float) -> int:
        return round(EDGE + (100 - 2 * EDGE) * (number - left) / (right - left))

    return Strip(place(spread.low), place(spread.high), place(spread.median), place(float(value)))
