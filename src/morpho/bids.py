"""Find the T1w scans of a BIDS folder and choose one of each participant and session.

Takes a BIDS folder and the `scans` block of the configuration, gives the scans table: every T1w, chosen or not, with
the reason. Images are not opened, and nothing is written into the folder.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from pathspec import GitIgnoreSpec

from morpho.bids_tree import explain_unusable, list_subjects, list_t1w, read_bidsignore
from morpho.errors import BidsError, ConfigError
from morpho.scans import COLUMNS, ENTITIES, Row, choose_scans, index_text, printable

LOGGER = logging.getLogger(__name__)

PHASE_PARTS = frozenset({"phase", "real", "imag"})
NOT_ASKED = "not asked for (scans.participants)"


def find_scans(
    bids_dir: str | Path, *, output_dir: str | Path, filters: Mapping[str, Any], participants: Sequence[str | int]
) -> pd.DataFrame:
    """Find all T1w scans of a BIDS folder and choose one of each participant and session.

    Only ``sub-*/anat`` and ``sub-*/ses-*/anat`` are looked into, so that ``derivatives``, ``sourcedata``, ``code`` and
    results are never taken for raw data. Scans are never averaged. Of several T1w of a session one is chosen:

    1. Left out are: files with a name that is not BIDS; files named in ``.bidsignore``; participants that were not
       asked for; scans that do not pass `filters`; files that are empty or cannot be read, and links (of git-annex or
       others) to files that are not here; phase, real and imaginary images (``part-mag`` counts as a plain image).
    2. Of the rest, the first in this order: without contrast agent (``ce``) before with; without reconstruction
       entity (``rec``) before with, ``rec-norm`` included, because the bias field is estimated here anyway; lower run;
       fewer entities in the name; alphabetical; ``.nii.gz`` before its ``.nii`` twin.

    Parameters
    ----------
    bids_dir
        BIDS folder.
    output_dir
        Where results go; must not be `bids_dir` or inside it.
    filters
        Entity name, short or long (``acq`` or ``acquisition``), or ``session`` -> value, list of values, or None for
        "the entity is absent". Indices are compared as numbers: 1 is ``run-01``.
    participants
        Only these, with or without "sub-"; empty: everyone.

    Returns
    -------
    One row per T1w file, and one per participant or session without any, sorted by participant, session and path:

    ============== ==== =====================================================
    scan           str  ``sub-01`` or ``sub-01_ses-2``
    folder         str  ``sub-01`` or ``sub-01/ses-2``
    participant_id str  ``sub-01``
    session_id     str  ``ses-2`` or ""
    path           str  relative to `bids_dir`, with "/"; "" if there is none
    acquisition    str  one column for each of `ENTITIES`; "" is absent
    chosen         bool True for one row of a participant and session at most
    reason         str  "" if chosen, why not otherwise
    ============== ==== =====================================================

    Raises
    ------
    BidsError
        If the folder does not exist, holds results of morpho, has no ``sub-*`` folder, or no usable T1w; if
        ``.bidsignore`` cannot be read.
    ConfigError
        If `output_dir` lies in `bids_dir`, a filter names an unknown entity, or a participant asked for is absent.
    """
    bids_dir = Path(bids_dir)
    check_folders(bids_dir, output_dir)
    wanted_values = _parse_filters(filters)
    _check_is_raw(bids_dir)
    subjects = list_subjects(bids_dir)
    wanted = _parse_participants(participants, subjects)
    ignored = read_bidsignore(bids_dir)
    rows = [row for subject in subjects for row in list_t1w(bids_dir, subject)]
    for row in rows:
        row["reason"] = _reason_to_leave_out(row, bids_dir, ignored, wanted, wanted_values)
    choose_scans(rows)
    scans = pd.DataFrame(rows, columns=list(COLUMNS))
    _check_any_chosen(scans, bids_dir)
    LOGGER.info("T1w images found: %d; chosen: %d", (scans["path"] != "").sum(), scans["chosen"].sum())
    return scans


def check_folders(bids_dir: str | Path, output_dir: str | Path) -> None:
    """Check that the BIDS folder exists and that results go elsewhere.

    Raises
    ------
    BidsError
        If there is no such BIDS folder.
    ConfigError
        If `output_dir` is `bids_dir` or lies inside it.
    """
    source, target = Path(os.path.realpath(bids_dir)), Path(os.path.realpath(output_dir))
    if not os.path.isdir(source):  # noqa: PTH112 - unlike Path.is_dir, it does not raise where a folder is closed
        message = f"There is no BIDS folder '{bids_dir}' (config bids_dir). Set the key to an existing folder."
        raise BidsError(message)
    if target == source or source in target.parents:
        message = (
            f"output_dir '{output_dir}' lies inside bids_dir '{bids_dir}', into which morpho never writes. "
            "Set output_dir to a folder outside."
        )
        raise ConfigError(message)


def _check_is_raw(bids_dir: Path) -> None:
    """Refuse the results of morpho, of which the cropped and corrected T1w would be measured once more."""
    try:
        description = json.loads((bids_dir / "dataset_description.json").read_bytes())
    except (OSError, ValueError):
        return  # a broken description is told where it is used (`morpho.derivatives`)
    generators = description.get("GeneratedBy") if isinstance(description, dict) else None
    names = (
        [entry.get("Name") for entry in generators if isinstance(entry, dict)] if isinstance(generators, list) else []
    )
    if "morpho" in names:
        message = (
            f"The folder '{bids_dir}' (config bids_dir) holds results of morpho, as its dataset_description.json says, "
            "not raw scans. Set bids_dir to the data set that they were made from."
        )
        raise BidsError(message)


def _parse_participants(participants: Sequence[str | int], subjects: list[str]) -> set[str]:
    """Participant ids asked for, everyone if none is."""
    wanted = {f"sub-{str(name).removeprefix('sub-')}" for name in participants}
    absent = sorted(wanted.difference(subjects))
    if absent:
        message = (
            f"config scans.participants asks for {', '.join(absent)}, not in the BIDS folder. It has {len(subjects)} "
            f"participants: {', '.join(subjects[:5])}{' ...' if len(subjects) > 5 else ''}. Correct the ids; quote ids "
            'with leading zeros, as in ["01"].'
        )
        raise ConfigError(message)
    return wanted or set(map(printable, subjects))


def _parse_filters(filters: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Entity column -> allowed values, "" for absent."""
    columns = {**ENTITIES, **{name: name for name in ENTITIES.values()}, "session": "session_id", "ses": "session_id"}
    unknown = sorted(str(name) for name in filters if name not in columns)
    if unknown:
        message = (
            f"config scans.filters has unknown entities: {', '.join(unknown)}. Allowed are session, "
            f"{', '.join(ENTITIES.values())}. (Choose people with scans.participants.)"
        )
        raise ConfigError(message)
    parsed = {columns[name]: tuple(_filter_values(columns[name], value)) for name, value in filters.items()}
    if len(parsed) < len(filters):
        message = f"config scans.filters names an entity twice: {', '.join(filters)}. Give each once."
        raise ConfigError(message)
    return parsed


def _filter_values(column: str, value: Any) -> Iterator[str]:
    """Values of one filter in the spelling of the scans table."""
    for item in value if isinstance(value, (list, tuple)) else [value]:
        text = "" if item is None else str(item)
        if column == "session_id" and text:
            text = f"ses-{text.removeprefix('ses-')}"
        yield index_text(column, text)


def _reason_to_leave_out(
    row: Row, bids_dir: Path, ignored: GitIgnoreSpec | None, wanted: set[str], filters: Mapping[str, tuple[str, ...]]
) -> str:
    """Why a row cannot be chosen, whatever else there is; "" if it can."""
    if row["participant_id"] not in wanted:
        return NOT_ASKED
    if ignored and ignored.match_file(row["path"] or f"{row['folder']}/"):
        return "listed in .bidsignore"
    if row["reason"]:
        return str(row["reason"])
    for column, allowed in filters.items():
        if row[column] not in allowed:
            expected = " or ".join(value or "absent" for value in allowed)
            return f"filtered out: {column} is {row[column] or 'absent'}, config scans.filters asks for {expected}"
    if row["part"] in PHASE_PARTS:
        return f"part-{row['part']} is not a magnitude image"
    return explain_unusable(f"{bids_dir}/{row['path']}")


def _check_any_chosen(scans: pd.DataFrame, bids_dir: Path) -> None:
    """Refuse a folder without one usable T1w, and say why each was left out."""
    if scans["chosen"].any():
        return
    counts = scans.loc[scans["reason"] != NOT_ASKED, "reason"].value_counts()
    seen = "; ".join(f"{count} x {reason}" for reason, count in counts.head(5).items())
    message = (
        f"The BIDS folder '{bids_dir}' has no T1w image that can be measured: {seen}. Expected are files such as "
        "sub-01/anat/sub-01_T1w.nii.gz that pass scans.filters."
    )
    raise BidsError(message)
