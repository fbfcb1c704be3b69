"""What a run cost: seconds and memory of every step, from the files that Snakemake's ``benchmark:`` leaves behind."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from morpho.errors import MorphoError

ENDING = ".benchmark.tsv"
COLUMNS = ("step", "n", "mean_s", "max_s", "cpu_s", "max_mb")


def read_run_cost(logs: str | Path) -> pd.DataFrame:
    """Read all benchmark files below a folder of logs and summarise them by step.

    Parameters
    ----------
    logs
        Folder with one folder per step, as ``logs/<step>/**/<scan>.benchmark.tsv``; it may be absent.

    Returns
    -------
    As `summarise_run_cost`.

    Raises
    ------
    MorphoError
        If a file is not a table of Snakemake's benchmarks.
    """
    folder = Path(logs)
    texts: dict[str, dict[str, str]] = {}
    for path in sorted(folder.rglob(f"*{ENDING}")):
        step = path.relative_to(folder).parts[0].removesuffix(ENDING)
        texts.setdefault(step, {})[str(path)] = path.read_text(encoding="utf-8")
    return summarise_run_cost(texts)


def summarise_run_cost(texts: Mapping[str, Mapping[str, str]]) -> pd.DataFrame:
    """Summarise benchmark files by step.

    Parameters
    ----------
    texts
        Step -> path of a file -> its text: a header with ``s``, ``max_rss`` and ``cpu_time``, and one line per run.

    Returns
    -------
    One row per step, the one with most CPU time first: ``step``, ``n`` (runs), ``mean_s`` and ``max_s`` (seconds of one
    run), ``cpu_s`` (seconds of all cores in all runs together), ``max_mb`` (largest resident memory of a run, in MB of
    2^20 bytes). Values that Snakemake could not take (a step too short to look at) are missing.

    Raises
    ------
    MorphoError
        If a file lacks one of the columns.
    """
    rows = []
    for step, files in texts.items():
        runs = pd.DataFrame([run for path, text in files.items() for run in _read_runs(text, path)])
        if runs.empty:
            continue
        rows.append(
            (
                step,
                len(runs),
                runs["s"].mean(),
                runs["s"].max(),
                runs["cpu_time"].sum(min_count=1),
                runs["max_rss"].max(),
            )
        )
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.sort_values("cpu_s", ascending=False, na_position="last", kind="stable").reset_index(drop=True)


def _read_runs(text: str, path: str) -> list[dict[str, float]]:
    """Read the runs of one file."""
    lines = [line.split("\t") for line in text.splitlines() if line.strip()]
    wanted = ("s", "max_rss", "cpu_time")
    if not lines or any(name not in lines[0] for name in wanted):
        message = (
            f"{path} begins with '{text[:40]}' and is no benchmark file of Snakemake (columns {', '.join(wanted)}). "
            "Remove it; it comes back when its step runs again."
        )
        raise MorphoError(message)
    return [
        {name: _number(dict(zip(lines[0], line, strict=False)).get(name, "")) for name in wanted} for line in lines[1:]
    ]


def _number(text: str) -> float:
    """Read a number; what Snakemake could not take ("-", "NA") is missing."""
    try:
        return float(text)
    except ValueError:
        return float("nan")
