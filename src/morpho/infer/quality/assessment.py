"""The verdict on every scan: hard failures, what is unusual in its cohort, and both in words.

Takes the metrics of all measured scans, the cohort table, the notes of failed scans and the limits of the
configuration; gives one row per chosen scan, and the deviations of its volumes. Nobody's group is looked at.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import pandas as pd

from morpho.failures import Failure
from morpho.infer.quality.deviations import measure_deviations
from morpho.infer.quality.dictionaries import SCAN_METRICS
from morpho.infer.quality.distance import index_quality, measure_distance
from morpho.infer.quality.findings import (
    Finding,
    Range,
    find_beyond,
    find_distant,
    find_outliers,
    find_regions,
    list_failures,
)
from morpho.infer.quality.peers import MIN_PEERS, Peers, list_peers
from morpho.quality_metrics import HARD_FAILURES, METRIC_FAILURES, METRIC_FLAGS, METRICS
from morpho.stats.robust import robust_z

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class QualityLimits:
    """Block ``quality`` of the configuration: limits of single metrics, and of robust z against the cohort."""

    hard_limits: Mapping[str, Range]
    limits: Mapping[str, Range]
    outlier_mads: float
    region_mads: float
    distance_mads: float


@dataclass(frozen=True)
class Assessment:
    """One row per chosen scan, and one per measured scan and volume."""

    scans: pd.DataFrame
    deviations: pd.DataFrame


def make_limits(quality: Mapping[str, Any]) -> QualityLimits:
    """Take the limits from block ``quality`` of the configuration, without removed entries."""
    return QualityLimits(**{field.name: quality[field.name] for field in fields(QualityLimits)})


def assess_quality(
    metrics: pd.DataFrame,
    cohort: pd.DataFrame,
    scans: pd.DataFrame,
    failures: Mapping[str, Failure],
    limits: QualityLimits,
) -> Assessment:
    """Judge every scan by itself and against its cohort.

    Parameters
    ----------
    metrics
        One row per scan with metrics: scan, input_kind and the columns of `morpho.quality_metrics.METRICS`.
    cohort
        One row per measured scan (``cohort.tsv``).
    scans
        The scans table; the chosen ones are judged.
    failures
        Scan -> why it could not be measured.
    limits
        Of the configuration.

    Returns
    -------
    Scans with the columns of `SCAN_METRICS` and deviations with those of `REGION_DEVIATIONS`
    (`morpho.infer.quality.dictionaries`).

    Notes
    -----
    A metric is flagged in the directions that `morpho.quality_metrics.METRIC_FLAGS` names, by its robust z among
    comparable scans (`morpho.infer.quality.peers.list_peers`); fewer than `MIN_PEERS` of them: no such flags, which the
    reason says. ASSUME: most scans of a cohort are good ones.
    """
    table = metrics.sort_values("scan").set_index("scan")  # so that the order of rows has no say, even in rounding
    sites = cohort.set_index("scan")["site"] if "site" in cohort else pd.Series(dtype=object)
    peers = list(list_peers(table["input_kind"], sites))
    deviations = measure_deviations(cohort)
    overall = pd.DataFrame(index=table.index, columns=["quality_index", "distance"], dtype=float)
    found = [*list_failures(failures), *find_beyond(table, limits.hard_limits, METRIC_FAILURES)]
    found += find_beyond(table, limits.limits, METRIC_FLAGS)
    for group in (group for group in peers if group.suffice):
        z = pd.DataFrame(
            robust_z(table.loc[group.reference, list(METRICS)].to_numpy(dtype=float)), group.reference, list(METRICS)
        )
        overall.loc[group.judged, "quality_index"] = index_quality(z)[group.judged]
        overall.loc[group.judged, "distance"] = measure_distance(z)[group.judged]
        found += find_outliers(table, z, group, limits.outlier_mads)
    found += find_regions(deviations, limits.region_mads)
    found += find_distant(overall["distance"], limits.distance_mads)
    judged = _judge(scans[scans["chosen"]], found, _say_peers(peers))
    joined = judged.merge(table.join(overall).reset_index(), on="scan", how="left")
    _log_verdicts(judged, peers)
    return Assessment(joined[list(SCAN_METRICS)], deviations)


def _say_peers(peers: Sequence[Peers]) -> dict[str, str]:
    """Say of each scan without enough comparable ones that it was not compared."""
    return {
        scan: f"not compared with other scans: {group.words}, where {MIN_PEERS} are the least"
        for group in peers
        if not group.suffice
        for scan in group.judged
    }


def _judge(chosen: pd.DataFrame, found: Sequence[Finding], notes: Mapping[str, str]) -> pd.DataFrame:
    """Give each chosen scan its codes, its verdict and the reason in words."""
    rows = []
    of_scan: dict[str, list[Finding]] = {}
    for finding in found:
        of_scan.setdefault(finding.scan, []).append(finding)
    for scan in chosen["scan"].tolist():
        seen: dict[str, list[str]] = {}
        for finding in of_scan.get(scan, ()):
            seen.setdefault(finding.code, []).append(finding.seen)
        hard = [code for code in seen if code in HARD_FAILURES]
        flags = [code for code in seen if code not in HARD_FAILURES]
        reasons = [f"{code}: {', '.join(seen[code])}" for code in [*hard, *flags]]
        rows.append(
            {
                "verdict": "failed" if hard else "flagged" if flags else "passed",
                "hard_failures": ",".join(hard),
                "flags": ",".join(flags),
                "reason": "; ".join([*reasons, *([notes[scan]] if scan in notes else [])]),
            }
        )
    keys = chosen[["participant_id", "session_id", "scan"]].reset_index(drop=True)
    return keys.join(pd.DataFrame(rows, columns=["verdict", "hard_failures", "flags", "reason"]))


def _log_verdicts(judged: pd.DataFrame, peers: Sequence[Peers]) -> None:
    """Log the verdicts, and who was not compared."""
    counts = judged["verdict"].value_counts()
    logger.info("verdicts: %s", ", ".join(f"{n} {verdict}" for verdict, n in counts.items()) or "no scan")
    for group in peers:
        if not group.suffice:
            logger.warning("%s are too few to be compared with each other; %d are the least", group.words, MIN_PEERS)
    for row in judged.loc[judged["verdict"] != "passed", ["scan", "verdict", "reason"]].to_dict("records"):
        logger.info("%s %s: %s", row["scan"], row["verdict"], row["reason"])
