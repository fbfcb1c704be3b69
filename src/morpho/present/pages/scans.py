"""The quality page and the page of every scan. Nobody's group is known here, so that people can rate blind."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from morpho.present.pages.frame import scan_page
from morpho.present.quality_views import (
    EXTRA,
    count_verdicts,
    decision_lines,
    is_flagged,
    view_agreement,
    view_codes,
    view_metrics,
)
from morpho.present.quality_words import (
    advise,
    metric_label,
    name_code,
    split_codes,
    tell_limit,
    tell_reasons,
    worst_scans,
)
from morpho.present.report_content import ReportContent
from morpho.present.strips import Spread, Strip, measure_spread, place_on_strip
from morpho.present.views import Cell, choose_digits, number_cell
from morpho.present.wording import format_number, is_missing, region_name, text_or
from morpho.quality_metrics import METRICS

Row = dict[Hashable, Any]

HOW_TO_READ = (
    "The strip goes from the smallest to the largest value of the cohort; its band holds the middle 90 %, the line is "
    "the median, the circle this scan."
)


@dataclass(frozen=True)
class Card:
    """A scan among the small pictures: addresses, verdict, what was found in words, and whether it is left out."""

    scan: str
    page: str
    thumbnail: str
    picture: str
    verdict: str
    found: str
    excluded: bool


@dataclass(frozen=True)
class StripRow:
    """Row of a table with a strip: name, cells, and the place of the scan among all."""

    name: str
    cells: tuple[Cell, ...]
    strip: Strip | None


@dataclass(frozen=True)
class StripTable:
    """A table with a strip in its last column."""

    title: str
    details: str
    heads: tuple[str, ...]
    rows: tuple[StripRow, ...]


def view_quality_page(content: ReportContent, metrics: pd.DataFrame) -> dict[str, Any]:
    """Collect what the quality page shows: verdicts, small pictures to rate, and all metrics.

    Parameters
    ----------
    content
        Content of the report.
    metrics
        Its quality metrics.

    Returns
    -------
    Values for the template.
    """
    tables = content.tables
    excluded = _excluded(tables.decisions)
    cards = []
    for row in worst_scans(metrics).to_dict("records"):
        scan = str(row["scan"])
        found = [name_code(code) for name in ("hard_failures", "flags") for code in split_codes(row[name])]
        cards.append(
            Card(
                scan=scan,
                page=scan_page(scan),
                thumbnail=_if_there(content, f"thumbnails/{scan}.webp"),
                picture=_if_there(content, f"pictures/{scan}.webp"),
                verdict=str(row["verdict"]),
                found="; ".join(found),
                excluded=scan in excluded,
            )
        )
    return {
        "study": name_study(content.options.title, metrics),
        "counts": count_verdicts(metrics),
        "limit": tell_limit(metrics, link=content.link("metrics")),
        "codes": view_codes(metrics),
        "rating": not content.options.salt,
        "cards": cards,
        "metrics": view_metrics(
            metrics,
            tables.decisions,
            pages={card.scan: card.page for card in cards},
            link=content.link("metrics"),
        ),
        "agreement": view_agreement(tables.agreement),
    }


def name_study(title: str, metrics: pd.DataFrame) -> str:
    """Name a report for the browser's memory: ratings go on while title, scans and metrics are the same.

    Parameters
    ----------
    title
        Title of the report.
    metrics
        Quality metrics; their verdicts do not count, as they change with the limits.

    Returns
    -------
    Sixteen hexadecimal digits.
    """
    measured = metrics[[name for name in ("scan", *METRICS) if name in metrics]].sort_values("scan")
    return hashlib.sha256(f"{title}\n{measured.to_csv(index=False)}".encode()).hexdigest()[:16]


def view_scans(content: ReportContent, metrics: pd.DataFrame) -> Iterator[tuple[str, dict[str, Any]]]:
    """Collect what the page of every scan that has one shows, the scans in most trouble first.

    Parameters
    ----------
    content
        Content of the report.
    metrics
        Its quality metrics.

    Yields
    ------
    Scan and values for the template.
    """
    rows = worst_scans(metrics).to_dict("records")
    scans = [str(row["scan"]) for row in rows]
    decisions = decision_lines(content.tables.decisions)
    measures = _MetricTable(metrics)
    volumes = _VolumeTable(content.tables.deviations, content.options.region_mads, frozenset(scans))
    for place, (scan, row) in enumerate(zip(scans, rows, strict=True)):
        blocks = [block for block in (volumes.of(scan), measures.of(row)) if block is not None]
        yield (
            scan,
            {
                "previous": scans[place - 1] if place else "",
                "next": scans[place + 1] if place + 1 < len(scans) else "",
                "verdict": str(row["verdict"]),
                "decision": decisions.get(scan, ""),
                "reasons": tell_reasons(row["reason"]),
                "advice": advise(split_codes(row["hard_failures"])),
                "failure": content.failures.get(scan),
                "picture": _if_there(content, f"pictures/{scan}.webp"),
                "viewer": _if_there(content, f"viewer/{scan}.js"),
                "blocks": blocks,
            },
        )


class _MetricTable:
    """Metrics of one scan beside those of the cohort."""

    def __init__(self, metrics: pd.DataFrame) -> None:
        names = [*EXTRA, *METRICS]
        self._names = [name for name in names if name in metrics and metrics[name].notna().any()]
        self._spreads = {name: measure_spread(metrics[name]) for name in self._names}
        self._digits = {name: choose_digits(metrics[name]) for name in self._names}

    def of(self, row: Row) -> StripTable | None:
        """Table of one scan; None if it was not measured."""
        lines: list[StripRow] = []
        for name in self._names:
            spread = self._spreads[name]
            if spread is None or is_missing(row[name]):
                continue
            digits = self._digits[name]
            cells = (
                number_cell(row[name], digits, flagged=is_flagged(row, name, spread.median)),
                _middle(spread, digits),
            )
            lines.append(StripRow(metric_label(name), cells, place_on_strip(row[name], spread)))
        if not lines:
            return None
        return StripTable(
            "Its quality against the cohort",
            f"Marked numbers led to a flag. {HOW_TO_READ}",
            ("metric", "this scan", "middle 90 %", "among all scans"),
            tuple(lines),
        )


class _VolumeTable:
    """Volumes of one scan beside those of the cohort."""

    def __init__(self, deviations: pd.DataFrame | None, limit: float, scans: frozenset[str]) -> None:
        self._limit = limit
        self._rows: Mapping[str, list[Row]] = {}
        self._spreads: dict[tuple[str, str], Spread | None] = {}
        if deviations is None or deviations.empty:
            return
        shown = deviations[deviations["scan"].isin(scans)]
        self._rows = {str(scan): rows.to_dict("records") for scan, rows in shown.groupby("scan", sort=False)}
        for (roi, side), values in deviations.groupby(["roi", "hemisphere"], sort=False)["volume_mm3"]:
            self._spreads[str(roi), str(side)] = measure_spread(values)

    def of(self, scan: str) -> StripTable | None:
        """Table of one scan, the volumes farthest from expected first; None if it was not measured."""
        rows = sorted(
            self._rows.get(scan, []), key=lambda row: -1.0 if is_missing(row["z"]) else abs(row["z"]), reverse=True
        )
        lines: list[StripRow] = []
        for row in rows:
            spread = self._spreads[str(row["roi"]), str(row["hemisphere"])]
            if spread is None:
                continue
            far = not is_missing(row["z"]) and abs(row["z"]) >= self._limit
            cells = (
                number_cell(row["volume_mm3"], 0),
                number_cell(row["expected_mm3"], 0),
                number_cell(row["z"], 1, flagged=far),
            )
            name = region_name(str(row["roi"]), str(row["hemisphere"]))
            lines.append(StripRow(name, cells, place_on_strip(row["volume_mm3"], spread)))
        if not lines:
            return None
        known = dict.fromkeys(text_or(row.get("adjusted_for")) for row in rows if text_or(row.get("adjusted_for")))
        given = f", given {'; or '.join(known)}" if known else ""
        return StripTable(
            "Its volumes against the cohort",
            f"In mm³. Expected is what the other scans predict{given}, blind to group; z is the difference in robust "
            f"standard deviations, marked from {self._limit:g}. The farthest come first. {HOW_TO_READ}",
            ("region", "this scan", "expected", "z", "among all scans"),
            tuple(lines),
        )


def _middle(spread: Spread, digits: int) -> Cell:
    """Cell of the middle 90 % of the cohort."""
    ends = [format_number(value, digits) for value in (spread.low, spread.high)]
    return Cell(" to ".join(ends), f"{spread.low:.7g}")


def _excluded(decisions: pd.DataFrame) -> set[str]:
    """Name the scans that the statistics leave out."""
    return set(decisions.loc[decisions["decision"] == "exclude", "scan"].astype(str)) if len(decisions) else set()


def _if_there(content: ReportContent, path: str) -> str:
    """Give the path of a file if it is in the report, "" otherwise."""
    return path if content.has(path) else ""
