"""What the scans of a cohort were measured with, and what became of each of them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from morpho.errors import DesignError
from morpho.failures import Failure
from morpho.provenance import MEASURED_WITH, SOFTWARE
from morpho.quality_metrics import HARD_FAILURES, METRICS
from morpho.tables import describe_column
from morpho.user_tables import list_some

MEASURED, FAILED, NOT_CHOSEN = "measured", "failed", "not chosen"
REMEDY = (
    "Give the same command with --forcerun measure_scan (to the command morpho after --): what was measured alike is "
    "kept, the rest measured anew."
)
SHARE = {
    "n_chosen": describe_column("Scans that were chosen"),
    "n_measured": describe_column("Scans that were measured"),
    "share": describe_column("Share of the chosen scans that were measured"),
    "smallest_share": describe_column("Smallest share that is no error (config failures.min_measured_fraction)"),
}


def read_measured_with(records: Mapping[str, str | Path]) -> dict[str, Any]:
    """Read what scans were measured with, and make sure that it was the same for all.

    Parameters
    ----------
    records
        Scan -> record of its stages (`morpho.stages`), of all measured scans.

    Returns
    -------
    ``MeasuredWith`` (digests of code, atlas, template, weights and settings) and ``Software``: versions, several
    joined by " or " if they differ between scans. Empty for no scan.

    Raises
    ------
    DesignError
        If the digests differ, or a scan has none: volumes of different atlases, settings or versions must not meet in
        one model.
    """
    contents = {scan: _read_record(Path(path)) for scan, path in records.items()}
    if not contents:
        return {}
    digests = {scan: json.dumps(content.get(MEASURED_WITH), sort_keys=True) for scan, content in contents.items()}
    counts = Counter(digests.values()).most_common()
    if len(counts) > 1 or counts[0][0] == "null":
        raise DesignError(_explain_difference(digests, counts))
    names = {name for content in contents.values() for name in content.get(SOFTWARE, {})}
    versions = {
        name: " or ".join(
            sorted({str(content.get(SOFTWARE, {}).get(name, "unknown")) for content in contents.values()})
        )
        for name in sorted(names)
    }
    return {MEASURED_WITH: json.loads(counts[0][0]), SOFTWARE: versions}


def read_repairs(sidecars: Mapping[str, str | Path]) -> dict[str, str]:
    """Read what was mended of scans, in their headers or voxels.

    Parameters
    ----------
    sidecars
        Scan -> JSON file beside its preprocessed T1w, of all measured scans.

    Returns
    -------
    Scan -> what was mended, several joined by "; "; only of scans of which something was.
    """
    notes = {scan: _read_record(Path(path)).get("Repairs") or [] for scan, path in sidecars.items()}
    return {scan: "; ".join(map(str, found)) for scan, found in notes.items() if found}


def _read_record(path: Path) -> dict[str, Any]:
    """Read a JSON file of a scan; empty if it is missing or damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _explain_difference(digests: Mapping[str, str], counts: list[tuple[str, int]]) -> str:
    """Say what differs between which scans, and what to do."""
    usual, number = counts[0]
    if "null" in dict(counts):
        unknown = sorted(scan for scan, text in digests.items() if text == "null")
        return (
            f"Nobody knows what {len(unknown)} of {len(digests)} scans were measured with: {list_some(unknown)}. Their "
            f"records (*_desc-stages_provenance.json) are missing or damaged. {REMEDY}"
        )
    common = json.loads(usual) or {}
    others = {scan: json.loads(text) or {} for scan, text in digests.items() if text != usual}
    what = sorted({key for other in others.values() for key in {*common, *other} if common.get(key) != other.get(key)})
    return (
        f"{len(others)} of {len(digests)} scans were measured with other {', '.join(what)} than the other {number}: "
        f"{list_some(sorted(others))}. Volumes of one cohort must all be measured alike. {REMEDY}"
    )


def add_status(scans: pd.DataFrame, failures: Mapping[str, Failure], repairs: Mapping[str, str]) -> pd.DataFrame:
    """Add to the scans table what became of each scan.

    Parameters
    ----------
    scans
        The scans table: columns scan, chosen, reason.
    failures
        Chosen scan -> why it was not measured.
    repairs
        Measured scan -> what was mended of it, from `read_repairs`.

    Returns
    -------
    With the columns ``status`` (measured, failed, not chosen), ``stage``, ``code`` and ``log`` of a failure, and
    ``repairs``; ``reason`` says why a scan was not chosen or what failed.
    """
    failed = scans["chosen"] & scans["scan"].isin(list(failures))
    notes = [failures[scan] if is_failed else None for scan, is_failed in zip(scans["scan"], failed, strict=True)]
    status = pd.Series(NOT_CHOSEN, index=scans.index).mask(scans["chosen"], MEASURED).mask(failed, FAILED)
    return scans.assign(
        status=status,
        stage=[note.stage if note else "" for note in notes],
        code=[note.code if note else "" for note in notes],
        reason=[note.reason if note else reason for note, reason in zip(notes, scans["reason"], strict=True)],
        log=[note.log if note else "" for note in notes],
        repairs=[
            repairs.get(scan, "") if state == MEASURED else ""
            for scan, state in zip(scans["scan"], status, strict=True)
        ],
    )


def failures_of(scans: pd.DataFrame) -> dict[str, Failure]:
    """Read back from the scans table which scans failed and why; none from a table without `add_status`'s columns."""
    if "status" not in scans:
        return {}
    failed = scans[scans["status"] == FAILED]
    return {row["scan"]: Failure(row["stage"], row["reason"], row["log"], row["code"]) for row in _records(failed)}


def _records(rows: pd.DataFrame) -> list[dict[str, str]]:
    """Give the rows of a table of text as dictionaries."""
    return [{str(key): str(value) for key, value in row.items()} for row in rows.to_dict("records")]


def gather_metrics(tables: pd.DataFrame) -> pd.DataFrame:
    """Give the quality metrics of all measured scans their columns.

    Parameters
    ----------
    tables
        Rows of their tables: column scan and those of `morpho.measure.quality.measure_quality`.

    Returns
    -------
    Columns scan, input_kind and those of `morpho.quality_metrics.METRICS`, float64.
    """
    gathered = tables.reindex(columns=["scan", "input_kind", *METRICS])
    return gathered.astype(dict.fromkeys(METRICS, "float64"))


def describe_metrics() -> dict[str, dict[str, object]]:
    """Describe the columns of the table of metrics."""
    kinds = describe_column("What the T1w shows: whole_head, or extracted")
    metrics: dict[str, dict[str, object]] = {name: {**entry} for name, entry in METRICS.items()}
    return {"scan": describe_column("Participant and session"), "input_kind": kinds, **metrics}


def check_share(scans: pd.DataFrame, *, smallest: float) -> pd.DataFrame:
    """Check that enough of the chosen scans were measured.

    Parameters
    ----------
    scans
        From `add_status`.
    smallest
        Smallest share that is enough, 0 to 1.

    Returns
    -------
    One row with the columns of `SHARE`.

    Raises
    ------
    DesignError
        If fewer were measured: what is left may be another cohort than the one that was scanned.
    """
    n_chosen, n_measured = int(scans["chosen"].sum()), int((scans["status"] == MEASURED).sum())
    share = n_measured / n_chosen if n_chosen else 0.0
    if share < smallest:
        stages = scans.loc[scans["status"] == FAILED, "stage"].value_counts()
        where = ", ".join(f"{count} in stage {stage}" for stage, count in stages.items())
        message = (
            f"Only {n_measured} of {n_chosen} chosen scans were measured ({share:.0%}; failed: {where}); at least "
            f"{smallest:.0%} are asked for (config failures.min_measured_fraction). Tables and report are there, of "
            "those that were. Look at the reasons in scans.tsv; mend the scans, leave them out, or lower the key."
        )
        raise DesignError(message)
    return pd.DataFrame([{"n_chosen": n_chosen, "n_measured": n_measured, "share": share, "smallest_share": smallest}])


def describe_status() -> dict[str, dict[str, object]]:
    """Describe the columns that `add_status` adds or changes."""
    levels = {
        MEASURED: "volumes and quality were measured",
        FAILED: "a stage failed; the scan is in no model",
        NOT_CHOSEN: "another T1w of the session was chosen, or none could be",
    }
    return {
        "status": describe_column("What became of the scan", levels=levels),
        "stage": describe_column("Stage that failed; n/a if none did"),
        "code": describe_column("Name of the failure; n/a if there was none", levels=HARD_FAILURES),
        "reason": describe_column("Why the image was not chosen, or why its measurement failed; n/a otherwise"),
        "log": describe_column("Log that tells more about a failure; n/a without failure"),
        "repairs": describe_column(
            "What was mended of the image, in its header or voxels, before it was measured; n/a if nothing"
        ),
    }
