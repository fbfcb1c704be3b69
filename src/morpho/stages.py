"""Run the stages of one scan one after the other; what is done and intact is not done again.

Every stage has a key: a digest of the content of its inputs, of its settings and of its code. The record of a scan
holds, for each stage that is done, the key and the digests of what it wrote. A stage of which all of these still hold
is skipped, so that a run that was killed goes on where it was, and a change of the last stage does not cost the first.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from morpho.children import RETRY
from morpho.disk import DiskFullError, is_disk_full, remove_leftovers
from morpho.errors import MorphoError
from morpho.failures import Failure, write_failure
from morpho.tables import write_json

LOGGER = logging.getLogger(__name__)

STAGES = "Stages"
KEY_DIGITS = 16


@dataclass(frozen=True)
class Stage:
    """One stage of a scan: the work, the files that it reads and writes, and what else its result depends on.

    `settings` must be what JSON can hold: settings, the digest of the code, digests of weights.
    """

    name: str
    work: Callable[[], None]
    inputs: tuple[Path, ...]
    outputs: tuple[Path, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)


def run_stages(
    stages: Sequence[Stage],
    record: Path,
    *,
    about: Mapping[str, Any],
    log: str,
    announce: Callable[[str], None] = lambda _: None,
) -> Failure | None:
    """Run the stages of one scan in order; skip those that are done, stop at the first that fails.

    Parameters
    ----------
    stages
        In the order in which they feed each other.
    record
        JSON file that remembers what is done; it is written anew after every stage.
    about
        What the record says besides, such as the digests that `morpho.scan.digests.measured_with` gives.
    log
        Name of the log, for the note of a failure.
    announce
        Called with the name of each stage before it starts.

    Returns
    -------
    Why the scan failed, or None. If it failed, every output of the failed stage and of those after it is a failure
    note (`morpho.failures`).

    Raises
    ------
    DiskFullError
        If there is no room to write: nothing is wrong with the scan, and all others would fail too.
    """
    done = _read_done(record)
    kept: dict[str, Any] = {}
    for number, stage in enumerate(stages):
        announce(stage.name)
        try:
            kept[stage.name] = _run_or_keep(stage, done.get(stage.name))
        except DiskFullError:
            raise
        except Exception as error:
            # Whatever fails in one scan must stay a failure of that scan.
            LOGGER.exception("stage %s failed", stage.name)
            failure = _describe_failure(stage.name, error, log)
            write_failure(failure, [output for later in stages[number:] for output in later.outputs])
            write_json({**about, STAGES: kept, "Failure": asdict(failure)}, record)
            return failure
        write_json({**about, STAGES: kept}, record)
    return None


def _run_or_keep(stage: Stage, before: Mapping[str, Any] | None) -> dict[str, Any]:
    """Run one stage unless it is done; give its entry in the record."""
    key = _key_of(stage)
    if before is not None and before.get("key") == key and before.get("outputs") == _digest_outputs(stage):
        LOGGER.info("stage %s: done before, its inputs, settings, code and outputs are the same", stage.name)
        return dict(before)
    remove_leftovers(stage.outputs)
    LOGGER.info("stage %s: started", stage.name)
    start = time.monotonic()
    try:
        stage.work()
    except Exception as error:
        if is_disk_full(error, stage.outputs[0].parent):
            raise DiskFullError.describe(stage.outputs[0].parent, error) from error
        raise
    seconds = round(time.monotonic() - start, 2)
    LOGGER.info("stage %s: done in %.1f s", stage.name, seconds)
    return {"key": key, "seconds": seconds, "outputs": _digest_outputs(stage)}


def _key_of(stage: Stage) -> str:
    """Digest of all that the result of a stage depends on."""
    parts = {"settings": stage.settings, "inputs": [digest_file(path) for path in stage.inputs]}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:KEY_DIGITS]


def _digest_outputs(stage: Stage) -> dict[str, str] | None:
    """Digests of the outputs of a stage by name; None if one is missing."""
    if not all(path.is_file() for path in stage.outputs):
        return None
    return {path.name: digest_file(path) for path in stage.outputs}


def digest_file(path: Path) -> str:
    """Digest of the content of a file; "absent" if there is none, which the stage itself will complain about."""
    if not path.is_file():
        return "absent"
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:KEY_DIGITS]


def _describe_failure(stage: str, error: Exception, log: str) -> Failure:
    """Make the note of a failure."""
    code = error.code if isinstance(error, MorphoError) else MorphoError.code
    if isinstance(error, MemoryError):
        reason = f"memory ran out; give it more memory or run fewer at a time, then try again {RETRY}"
    else:
        reason = str(error) or type(error).__name__
    return Failure(stage, reason, log, code)


def _read_done(record: Path) -> dict[str, Any]:
    """Stages that a record says are done; none if there is no record or it is damaged."""
    try:
        content = json.loads(record.read_text(encoding="utf-8"))
        stages = content[STAGES]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return stages if isinstance(stages, dict) else {}
