"""Find the T1w scans of a BIDS folder and choose one of each participant and session.

Takes a BIDS folder and the `scans` block of the configuration, gives the scans table: every T1w, chosen or not, with
the reason. Images are not opened, and nothing is written into the folder.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from pathspec import GitIgnoreSpec

from morpho.errors import BidsError, ConfigError
from morpho.scans import COLUMNS, ENTITIES, T1W_FILE, Row, choose_scans, index_text, row_of_file, row_without_scan

LOGGER = logging.getLogger(__name__)

PHASE_PARTS = frozenset({"phase", "real", "imag"})
ANNEX_POINTER = b"/annex/objects/"
NOT_ASKED = "not asked for (scans.participants)"
NOT_FETCHED = "not fetched (git-annex link to a file that is not here; run `datalad get`)"


def find_scans(
    bids_dir: str | Path, *, output_dir: str | Path, filters: Mapping[str, Any], participants: Sequence[str | int]
) -> pd.DataFrame:
    """Find all T1w scans of a BIDS folder and choose one of each participant and session.

    Only ``sub-*/anat`` and ``sub-*/ses-*/anat`` are looked into, so that ``derivatives``, ``sourcedata``, ``code`` and
    results are never taken for raw data. Scans are never averaged. Of several T1w of a session one is chosen:

    1. Left out are: files with a name that is not BIDS; files named in ``.bidsignore``; participants that were not
       asked for; scans that do not pass `filters`; git-annex links to files that are not here; phase, real and
       imaginary images (``part-mag`` counts as a plain image).
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
        If the folder does not exist, has no ``sub-*`` folder, or no usable T1w.
    ConfigError
        If `output_dir` lies in `bids_dir`, a filter names an unknown entity, or a participant asked for is absent.
    """
    bids_dir = Path(bids_dir)
    check_folders(bids_dir, output_dir)
    wanted_values = _parse_filters(filters)
    subjects = _find_subjects(bids_dir)
    wanted = _parse_participants(participants, subjects)
    ignored = _read_bidsignore(bids_dir)
    rows = [row for subject in subjects for row in _list_subject(bids_dir, subject)]
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
    source, target = Path(bids_dir).resolve(), Path(output_dir).resolve()
    if not source.is_dir():
        message = f"There is no BIDS folder '{bids_dir}' (config bids_dir). Set the key to an existing folder."
        raise BidsError(message)
    if target == source or source in target.parents:
        message = (
            f"output_dir '{output_dir}' lies inside bids_dir '{bids_dir}', into which morpho never writes. "
            "Set output_dir to a folder outside."
        )
        raise ConfigError(message)


def _find_subjects(bids_dir: Path) -> list[str]:
    """Names of the sub-* folders, sorted."""
    names = [entry.name for entry in _scan_folder(bids_dir)]
    subjects = [name for name in names if name.startswith("sub-") and (bids_dir / name).is_dir()]
    if subjects:
        return subjects
    seen = f"It holds: {', '.join(names[:8])}{' ...' if len(names) > 8 else ''}." if names else "It is empty."
    message = (
        f"The folder '{bids_dir}' (config bids_dir) has no sub-* folder. {seen} Set bids_dir to the top of a BIDS "
        "data set, the folder in which sub-01, sub-02 ... lie."
    )
    raise BidsError(message)


def _scan_folder(folder: Path) -> list[os.DirEntry[str]]:
    """Entries of a folder, sorted by name; none if it does not exist."""
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: entry.name)


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
    return wanted or set(subjects)


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


def _read_bidsignore(bids_dir: Path) -> GitIgnoreSpec:
    """Patterns of ``.bidsignore`` (gitignore syntax); nothing if there is no such file."""
    path = bids_dir / ".bidsignore"
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines() if path.is_file() else []
    return GitIgnoreSpec.from_lines(lines)


def _list_subject(bids_dir: Path, subject: str) -> list[Row]:
    """Rows of all T1w files of a participant, and of each of its sessions without any."""
    sessions = [entry.name for entry in _scan_folder(bids_dir / subject) if _is_session(entry)]
    has_own_anat = (bids_dir / subject / "anat").is_dir()
    rows: list[Row] = []
    for session in ([""] if has_own_anat or not sessions else []) + sessions:
        folder = f"{subject}/{session}" if session else subject
        files = [entry for entry in _scan_folder(bids_dir / folder / "anat") if T1W_FILE.fullmatch(entry.name)]
        rows += [row_of_file(subject, session, entry.name) for entry in files] or [row_without_scan(subject, session)]
    return rows


def _is_session(entry: os.DirEntry[str]) -> bool:
    """Whether a folder entry is a session."""
    return entry.name.startswith("ses-") and entry.is_dir()


def _reason_to_leave_out(
    row: Row, bids_dir: Path, ignored: GitIgnoreSpec, wanted: set[str], filters: Mapping[str, tuple[str, ...]]
) -> str:
    """Why a row cannot be chosen, whatever else there is; "" if it can."""
    if row["participant_id"] not in wanted:
        return NOT_ASKED
    if ignored.match_file(row["path"] or f"{row['folder']}/"):
        return "listed in .bidsignore"
    if row["reason"]:
        return str(row["reason"])
    for column, allowed in filters.items():
        if row[column] not in allowed:
            expected = " or ".join(value or "absent" for value in allowed)
            return f"filtered out: {column} is {row[column] or 'absent'}, config scans.filters asks for {expected}"
    if not is_fetched(bids_dir / row["path"]):
        return NOT_FETCHED
    if row["part"] in PHASE_PARTS:
        return f"part-{row['part']} is not a magnitude image"
    return ""


def is_fetched(path: Path) -> bool:
    """Whether a file is here: neither a broken link nor the pointer file of an unlocked git-annex."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return not file.read(len(ANNEX_POINTER)).startswith(ANNEX_POINTER)


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
