"""What is wrong with a scan, or unusual in its cohort: one finding for each code and number, in words.

Takes metrics, their robust z and the limits of the configuration. What follows for the scan:
`morpho.infer.quality.assessment`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from morpho.failures import Failure
from morpho.infer.quality.peers import Peers
from morpho.quality_metrics import METRIC_FLAGS, METRICS
from morpho.user_tables import list_some

Range = Sequence[float | None]
UNNAMED_UNITS = frozenset({"ratio", "score", "count", "r"})


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with a scan, or unusual: its code (`morpho.quality_metrics`), and what was seen."""

    scan: str
    code: str
    seen: str


def list_failures(failures: Mapping[str, Failure]) -> Iterator[Finding]:
    """List why scans could not be measured."""
    for scan, failure in failures.items():
        yield Finding(scan, failure.code, f"{failure.stage} failed: {failure.reason} (log: {failure.log})")


def find_beyond(
    table: pd.DataFrame, ranges: Mapping[str, Range], codes: Mapping[str, tuple[str, str]]
) -> Iterator[Finding]:
    """Find the metrics beyond fixed limits; a missing metric is not.

    Parameters
    ----------
    table
        Metrics (columns) of scans (index).
    ranges
        Metric -> its lowest and highest value, None for no limit.
    codes
        Metric -> code below the lowest and above the highest.

    Yields
    ------
    One finding for each metric that is beyond.
    """
    for metric, (low, high) in ranges.items():
        for scan, value in table[metric].astype(float).items():
            if low is not None and value < low:
                yield Finding(str(scan), codes[metric][0], f"{_say_value(metric, value)} is below {low:g}")
            if high is not None and value > high:
                yield Finding(str(scan), codes[metric][1], f"{_say_value(metric, value)} is above {high:g}")


def find_outliers(table: pd.DataFrame, z: pd.DataFrame, peers: Peers, mads: float) -> Iterator[Finding]:
    """Find the metrics that are unusual among comparable scans, in the directions that `METRIC_FLAGS` names.

    Parameters
    ----------
    table, z
        Metrics (columns) of scans (index), and their robust z.
    peers
        Comparable scans; those to be judged are.
    mads
        Robust z beyond which a metric is unusual.

    Yields
    ------
    One finding for each metric that is.
    """
    for metric, codes in METRIC_FLAGS.items():
        values, scores = (rows.loc[peers.judged, metric].astype(float).tolist() for rows in (table, z))
        for scan, value, score in zip(peers.judged, values, scores, strict=True):
            code = codes[0] if score < -mads else codes[1] if score > mads else ""
            if code:
                what = f"{_say_value(metric, value)} is {'low' if score < 0 else 'high'}"
                yield Finding(scan, code, f"{what}, robust z {score:.1f} among {peers.words} (limit {mads:g})")


def find_regions(deviations: pd.DataFrame, mads: float) -> Iterator[Finding]:
    """Find the scans with volumes far from what the cohort lets expect; means of both sides say nothing of their own.

    Parameters
    ----------
    deviations
        From `morpho.infer.quality.deviations.measure_deviations`.
    mads
        Robust z beyond which a volume is unusual.

    Yields
    ------
    One finding for each scan with such volumes, the farthest named first.
    """
    beyond = deviations[(deviations["z"].abs() > mads) & (deviations["hemisphere"] != "mean")]
    for scan, rows in beyond.groupby("scan", sort=True):
        worst = rows.reindex(rows["z"].abs().sort_values(ascending=False, kind="stable").index)
        seen = [
            f"{row['roi']} {row['hemisphere']} {row['volume_mm3']:.0f} mm3, expected {row['expected_mm3']:.0f}, "
            f"robust z {row['z']:.1f}"
            for row in worst.to_dict("records")
        ]
        yield Finding(str(scan), "region_volume_outlier", f"{list_some(seen)} (limit {mads:g})")


def find_distant(distance: pd.Series[float], mads: float) -> Iterator[Finding]:
    """Find the scans that are unusual in all metrics together, given the distance of each scan (index)."""
    for scan, score in distance.items():
        if score > mads:
            seen = f"distance in all metrics together, robust z {score:.1f} (limit {mads:g})"
            yield Finding(str(scan), "unusual_overall", seen)


def _say_value(metric: str, value: float) -> str:
    """Say a metric with its unit."""
    unit = METRICS[metric]["Units"]
    return f"{metric} {value:.4g}" + ("" if unit in UNNAMED_UNITS else f" {unit.replace('percent', '%')}")
