"""What every script of the workflow does first: send its log to a file, and know what its tables are made with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from morpho.logs import log_to
from morpho.provenance import MEASURED_WITH
from morpho.tables import MADE_WITH, dictionary_path, stamp_tables

DIGITS = 16


class Job(Protocol):
    """What is used of the object that the workflow engine gives a script."""

    log: Any
    input: Any
    params: Any


def start_job(job: Job) -> None:
    """Send the log of this process to its file, and stamp all tables that it writes.

    The stamp is the key ``MadeWith`` of the JSON file beside a table: a digest of the code that made it, a digest of
    the settings, and, from the tables that it was made from, what their scans were measured with.

    Parameters
    ----------
    job
        Its first log, its parameters (of them ``code`` is a digest of code), and its inputs.
    """
    log_to(job.log[0])
    params = dict(job.params.items())
    made_with = {"Code": params.pop("code", ""), "Settings": digest_settings(params)}
    stamp_tables(made_with | find_measured_with(str(path) for path in job.input))


def digest_settings(settings: Mapping[str, Any]) -> str:
    """Digest of settings: sixteen hexadecimal digits."""
    text = json.dumps(dict(settings), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]


def find_measured_with(paths: Iterable[str]) -> dict[str, Any]:
    """Find what the scans behind the first stamped table were measured with; empty if no table says so."""
    for path in paths:
        beside = dictionary_path(path)
        if not path.endswith(".tsv") or not beside.is_file():
            continue
        content = json.loads(beside.read_text(encoding="utf-8"))
        made_with = content.get(MADE_WITH) if isinstance(content, dict) else None
        if isinstance(made_with, dict) and MEASURED_WITH in made_with:
            return {MEASURED_WITH: made_with[MEASURED_WITH]}
    return {}
