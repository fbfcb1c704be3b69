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
from morpho.tables import describe_column
from morpho.user_tables import list_some

MEASURED_WITH, SOFTWARE = "MeasuredWith", "Software"
MEASURED, FAILED, NOT_CHOSEN = "measured", "failed", "not chosen"


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
        If the digests differ: volumes of different atlases, settings or versions must not meet in one model.
    """
    contents = {scan: json.loads(Path(path).read_text(encoding="utf-8")) for scan, path in records.items()}
    if not contents:
        return {}
    digests = {scan: json.dumps(content.get(MEASURED_WITH), sort_keys=True) for scan, content in contents.items()}
    counts = Counter(digests.values()).most_common()
    if len(counts) > 1:
        raise DesignError(_explain_difference(digests, counts))
    names = {name for content in contents.values() for name in content.get(SOFTWARE, {})}
    versions = {
        name: " or ".join(
            sorted({str(content.get(SOFTWARE, {}).get(name, "unknown")) for content in contents.values()})
        )
        for name in sorted(names)
    }
    return {MEASURED_WITH: json.loads(counts[0][0]), SOFTWARE: versions}


def _explain_difference(digests: Mapping[str, str], counts: list[tuple[str, int]]) -> str:
    """Say what differs between which scans, and what to do."""
    usual, number = counts[0]
    common = json.loads(usual) or {}
    others = {scan: json.loads(text) or {} for scan, text in digests.items() if text != usual}
    what = sorted({key for other in others.values() for key in {*common, *other} if common.get(key) != other.get(key)})
    return (
        f"{len(others)} of {len(digests)} scans were measured with other {', '.join(what)} than the other {number}: "
        f"{list_some(sorted(others))}. Volumes of one cohort must all be measured alike. Delete the files "
        "*_desc-volumes_morph.tsv of these scans and give the same command again; they are measured anew."
    )


def add_status(scans: pd.DataFrame, failures: Mapping[str, Failure]) -> pd.DataFrame:
    """Add to the scans table what became of each scan.

    Parameters
    ----------
    scans
        The scans table: columns scan, chosen, reason.
    failures
        Chosen scan -> why it was not measured.

    Returns
    -------
    With the columns ``status`` (measured, failed, not chosen), ``stage`` and ``log`` of a failure; ``reason`` says
    why a scan was not chosen or what failed.
    """
    failed = scans["chosen"] & scans["scan"].isin(list(failures))
    notes = [failures[scan] if is_failed else None for scan, is_failed in zip(scans["scan"], failed, strict=True)]
    status = pd.Series(NOT_CHOSEN, index=scans.index).mask(scans["chosen"], MEASURED).mask(failed, FAILED)
    return scans.assign(
        status=status,
        stage=[note.stage if note else "" for note in notes],
        reason=[note.reason if note else reason for note, reason in zip(notes, scans["reason"], strict=True)],
        log=[note.log if note else "" for note in notes],
    )


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
        "reason": describe_column("Why the image was not chosen, or why its measurement failed; n/a otherwise"),
        "log": describe_column("Log that tells more about a failure; n/a without failure"),
    }
