"""Failure notes: a scan that fails is a recorded row, never the end of the cohort.

When a stage cannot measure a scan, a small note is written in place of each output that the scan still lacks. The
picture of the scan finds the note where it expected an image, and passes it on; the cohort finds it where it expected a
table, and makes it a row of `scans.tsv`. The workflow engine sees outputs that exist, so all other scans go on.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from morpho.disk import write_whole
from morpho.errors import MorphoError

LOGGER = logging.getLogger(__name__)

NOTE_KEY = "morpho_failure"


@dataclass(frozen=True)
class Failure:
    """Why a scan has no numbers: the stage that failed, the reason in words, the log that tells more, and a code.

    `code` is one of `morpho.quality_metrics.HARD_FAILURES`.
    """

    stage: str
    reason: str
    log: str
    code: str = MorphoError.code


def read_failure(path: str | Path) -> Failure | None:
    """Read the failure note at `path`; None if the file is a real output."""
    with Path(path).open("rb") as file:
        if not file.read(len(NOTE_KEY) + 3).startswith(f'{{"{NOTE_KEY}'.encode()):
            return None
    note = json.loads(Path(path).read_text(encoding="utf-8"))
    return Failure(**note[NOTE_KEY])


def write_failure(failure: Failure, outputs: Iterable[str | Path]) -> None:
    """Write a failure note in place of each of `outputs`."""
    text = json.dumps({NOTE_KEY: asdict(failure)}, ensure_ascii=False) + "\n"
    for output in outputs:
        write_whole(text.encode(), Path(output))


def write_killed(failure: Failure, outputs: Iterable[str | Path], record: str | Path) -> None:
    """Write the note of a scan whose process was killed, in place of all that the killed stage and later ones make.

    Parameters
    ----------
    failure
        Why there are no numbers.
    outputs
        All outputs of the scan. Those that `record` says are done stay, and so does the record.
    record
        Record of the stages that are done (`morpho.stages`); it may be absent or damaged.
    """
    record, paths = Path(record), [Path(output) for output in outputs]
    try:
        stages = json.loads(record.read_text(encoding="utf-8"))["Stages"].values()
        done = {record.name, *(name for stage in stages for name in stage["outputs"])}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        done = set()
    write_failure(failure, [path for path in paths if path.name not in done])


def run_stage(
    stage: str,
    work: Callable[[], None],
    *,
    inputs: Iterable[str | Path],
    outputs: Iterable[str | Path],
    log: str | Path,
) -> None:
    """Run one stage of one scan; whatever goes wrong becomes a failure note in place of the outputs.

    Parameters
    ----------
    stage
        Name of the stage, for the note.
    work
        Reads the inputs and writes the outputs.
    inputs
        Files of earlier stages. If one of them is a failure note, nothing is run and the note is passed on.
    outputs
        Files that `work` writes.
    log
        Log file, named in the note.
    """
    outputs = list(outputs)
    for path in inputs:
        earlier = read_failure(path)
        if earlier is not None:
            LOGGER.warning("not run: stage %s failed before (%s)", earlier.stage, earlier.reason)
            write_failure(earlier, outputs)
            return
    try:
        work()
    except Exception as error:
        # Whatever fails in one scan must stay a failure of that scan.
        LOGGER.exception("stage %s failed", stage)
        reason = str(error) or type(error).__name__
        code = error.code if isinstance(error, MorphoError) else MorphoError.code
        write_failure(Failure(stage, reason, str(log), code), outputs)


def sort_failures(outputs: Mapping[str, str | Path]) -> tuple[dict[str, Path], dict[str, Failure]]:
    """Part the outputs of all scans into real ones and failure notes.

    Parameters
    ----------
    outputs
        Scan -> output of its last stage.

    Returns
    -------
    measured
        Scan -> real output.
    failures
        Scan -> why it has none.
    """
    notes = {scan: read_failure(path) for scan, path in outputs.items()}
    measured = {scan: Path(path) for scan, path in outputs.items() if notes[scan] is None}
    return measured, {scan: note for scan, note in notes.items() if note is not None}
