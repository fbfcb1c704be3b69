"""What is said at the end of a run: how many scans made it, which failed and why, and where the report is.

From tables to text; what there is not is not spoken of, as a run on a table of volumes has no scans, and the first run
of a cohort that stops early has no tables at all.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from morpho.errors import MorphoError
from morpho.jobs import format_duration, read_reason
from morpho.tables import read_table

MOST_NAMED = 10
INDENT = "  "
# Table of the group folder -> columns that the summary needs.
COLUMNS = {
    "flow": {"step", "group", "n_participants", "n_scans"},
    "exclusions": {"scan", "stage", "reason"},
    "metrics": {"scan", "verdict", "reason"},
}
STEPS = ("found", "chosen", "measured", "kept")
LOG_AT_END = re.compile(r"^(?P<reason>.*) \(log: (?P<log>[^()]*)\)$", re.DOTALL)


@dataclass(frozen=True)
class FailedScan:
    """A scan that is left out because it failed: the reason in words, and its log, "" if there is none."""

    scan: str
    reason: str
    log: str = ""


@dataclass(frozen=True)
class FailedStep:
    """A step of the workflow that failed: its name, such as "measure_scan sub-01", and its logs."""

    name: str
    logs: tuple[str, ...]


def read_results(folder: str | Path) -> dict[str, pd.DataFrame]:
    """Read the tables in a group folder that the summary is about.

    Parameters
    ----------
    folder
        ``OUT/group``.

    Returns
    -------
    Of "flow", "exclusions" and "metrics" those that are there, can be read and have the columns of `COLUMNS`: a
    damaged table must not make a failure of a run that is done.
    """
    tables = {}
    for name, columns in COLUMNS.items():
        try:
            table = read_table(Path(folder, f"{name}.tsv"))
        except (OSError, MorphoError):
            continue
        if columns <= set(table.columns):
            tables[name] = table
    return tables


def list_failed_scans(exclusions: pd.DataFrame | None, metrics: pd.DataFrame | None) -> list[FailedScan]:
    """List the scans that failed: those that could not be measured, and those with a hard failure of quality.

    Parameters
    ----------
    exclusions
        ``group/exclusions.tsv``: columns scan, stage, reason; a reason of stage "measure" ends with
        "(log: <path>)". None if there is no such table.
    metrics
        ``group/metrics.tsv``: columns scan, verdict, reason. None if there is no such table.

    Returns
    -------
    Each scan once, in the order of the tables.
    """
    found: dict[str, FailedScan] = {}
    if exclusions is not None:
        for row in exclusions[exclusions["stage"] == "measure"].to_dict("records"):
            parts = LOG_AT_END.match(_text(row["reason"]))
            reason, log = (parts["reason"], parts["log"]) if parts else (_text(row["reason"]), "")
            found[str(row["scan"])] = FailedScan(str(row["scan"]), reason, log)
    if metrics is not None:
        for row in metrics[metrics["verdict"] == "failed"].to_dict("records"):
            found.setdefault(str(row["scan"]), FailedScan(str(row["scan"]), _text(row["reason"])))
    return list(found.values())


def count_scans(flow: pd.DataFrame) -> str:
    """Say in one line how many scans are left at each step.

    Parameters
    ----------
    flow
        ``group/flow.tsv``: columns step, group, n_participants, n_scans.

    Returns
    -------
    Such as ``26 found, 24 chosen, 22 measured, 21 kept, 20 analysed (7 control, 13 patient)``. Analysed are scans of
    people with a group. People are counted too where they are not as many as scans. "" for a table without steps.
    """
    rows = {str(row["step"]): row for row in flow.to_dict("records") if row["step"] in STEPS}
    counts = [(step, int(rows[step]["n_scans"]), int(rows[step]["n_participants"])) for step in STEPS if step in rows]
    parts = [
        f"{scans} {step}" + (f" (of {people} people)" if scans != people else "") for step, scans, people in counts
    ]
    groups = flow[(flow["step"] == "group") & (flow["group"] != "none")]
    if len(groups):
        sizes = ", ".join(f"{row['n_scans']} {row['group']}" for row in groups.to_dict("records"))
        parts.append(f"{groups['n_scans'].sum()} analysed ({sizes})")
    return ", ".join(parts)


def compose_summary(
    tables: dict[str, pd.DataFrame], *, report: Path | None, folder: Path, seconds: float, is_old: bool = False
) -> str:
    """Write what is said when a run is done: failures first, then counts, flags and where everything is.

    Parameters
    ----------
    tables
        From `read_results`.
    report
        The report's first page; None if there is none.
    folder
        Folder of the cohort's tables.
    seconds
        How long the run took.
    is_old
        Whether the tables are of an earlier run, because this one made something else.

    Returns
    -------
    Lines of text, without a line break at the end.
    """
    failed = list_failed_scans(tables.get("exclusions"), tables.get("metrics"))
    lines = [*_describe_failed(failed, tables), *_describe_counts(tables)]
    lines += [f"Report: {report}"] if report else []
    lines += [f"Tables{', of an earlier run' if is_old else ''}: {folder}"] if tables else []
    return "\n".join(["", *lines, f"Done in {format_duration(seconds)}"])


def summarise_run(output_dir: str | Path, *, seconds: float) -> str:
    """Write the summary of a run that is done, from what is in its output folder; see `compose_summary`."""
    output_dir = Path(output_dir).absolute()
    group, report = output_dir / "group", output_dir / "report" / "index.html"
    flow = group / "flow.tsv"
    return compose_summary(
        read_results(group),
        report=report if report.is_file() else None,
        folder=group,
        seconds=seconds,
        is_old=flow.is_file() and flow.stat().st_mtime < time.time() - seconds,
    )


def describe_stop(
    failed: Sequence[FailedStep], *, n_not_run: int, workflow_logs: Sequence[str | Path], seconds: float
) -> str:
    """Write what is said when a run stops early: what failed and why, which logs tell more, how to go on.

    Parameters
    ----------
    failed
        Steps that failed; none if the user stopped the run.
    n_not_run
        Number of steps that are still to do.
    workflow_logs
        Logs of the workflow engine.
    seconds
        How long the run took.

    Returns
    -------
    Lines of text, without a line break at the end.
    """
    rest = f"{_count(n_not_run, 'step')} not run" if n_not_run else "nothing else to do"
    if failed:
        lines = [f"STOPPED EARLY: {_count(len(failed), 'step')} FAILED, {rest}"]
    else:
        lines = [f"STOPPED before everything was done: {rest}"]
    for step in failed[:MOST_NAMED]:
        lines.append(f"{INDENT}{step.name}: {read_reason(step.logs) or 'the reason is above or in the log'}")
        lines += [f"{INDENT * 2}log: {Path(log).absolute()}" for log in step.logs]
    if len(failed) > MOST_NAMED:
        lines.append(f"{INDENT}and {len(failed) - MOST_NAMED} more")
    lines += [f"Everything the workflow said: {Path(log).absolute()}" for log in workflow_logs]
    mend = "Mend the cause, then give" if failed else "Give"
    lines.append(f"What is done is kept. {mend} the same command again: it goes on from here.")
    return "\n".join(["", *lines, f"Stopped after {format_duration(seconds)}"])


def _describe_failed(failed: Sequence[FailedScan], tables: dict[str, pd.DataFrame]) -> list[str]:
    """Lines about the scans that failed; that none did, if there were scans."""
    metrics = tables.get("metrics")
    if not failed:
        return ["No scan failed"] if metrics is not None and len(metrics) else []
    of_all = f" of {len(metrics)}" if metrics is not None else ""
    lines = [f"{len(failed)}{of_all} scan{'' if len(failed) == 1 and not of_all else 's'} FAILED:"]
    for scan in failed[:MOST_NAMED]:
        lines.append(f"{INDENT}{scan.scan}: {scan.reason}")
        lines += [f"{INDENT * 2}log: {Path(scan.log).absolute()}"] if scan.log else []
    return lines + ([f"{INDENT}and {len(failed) - MOST_NAMED} more"] if len(failed) > MOST_NAMED else [])


def _describe_counts(tables: dict[str, pd.DataFrame]) -> list[str]:
    """Lines about how many scans are left at each step, and how many are flagged."""
    flow, metrics = tables.get("flow"), tables.get("metrics")
    counts = count_scans(flow) if flow is not None else ""
    lines = [f"Scans: {counts}"] if counts else []
    if metrics is not None and len(metrics):
        flagged = [str(scan) for scan in metrics.loc[metrics["verdict"] == "flagged", "scan"]]
        more = f" and {len(flagged) - MOST_NAMED} more" if len(flagged) > MOST_NAMED else ""
        names = f", still in: {', '.join(flagged[:MOST_NAMED])}{more}" if flagged else ""
        lines.append(f"Flagged: {len(flagged)}{names}")
    return lines


def _count(number: int, noun: str) -> str:
    """Write a number with its noun."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _text(value: object) -> str:
    """Text of a cell, "" if it is missing."""
    return value if isinstance(value, str) else ""
