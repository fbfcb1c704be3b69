"""Walk a BIDS folder: participants, sessions and T1w files that are there, and what keeps a file from being read.

Nothing is chosen here, nothing is written, and no image is opened: a folder of 10,000 scans costs a second. Links are
followed, to a fixed depth, so that a link to its own parent does no harm.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import stat
from pathlib import Path

from pathspec import GitIgnoreSpec

from morpho.errors import BidsError, ParticipantsError
from morpho.scans import NO_T1W, T1W_FILE, Row, printable, row_of_file, row_without_scan
from morpho.user_tables import decode_text

LOGGER = logging.getLogger(__name__)

ANNEX_POINTER = b"/annex/objects/"
ANNEX_FOLDER = "/annex/objects/"
LARGEST_POINTER = 32768  # bytes; git-annex writes no larger one
NOT_FETCHED = "not fetched (git-annex link to a file that is not here; run `datalad get`)"
EMPTY_FILE = "the file is empty (0 bytes)"
ALMOST_SUBJECT = re.compile(r"sub-.+|sub[_ ]?[^_ -]*\d[^_ -]*", re.IGNORECASE)
ALMOST_T1W = re.compile(r"[^.].*(t1|mprage).*\.(nii|nii\.gz|mgz|img|dcm)", re.IGNORECASE)
MOST_NAMED = 8


def list_subjects(bids_dir: Path) -> list[str]:
    """List the participants of a BIDS folder.

    Parameters
    ----------
    bids_dir
        The folder, which exists.

    Returns
    -------
    Names of the ``sub-*`` folders, sorted; links that lead nowhere are among them.

    Raises
    ------
    BidsError
        If there is none, or the folder cannot be read.
    """
    try:
        entries = _scan_folder(bids_dir)
    except OSError as error:
        message = f"The folder '{bids_dir}' (config bids_dir) cannot be read: {error.strerror}. Check its permissions."
        raise BidsError(message) from error
    subjects = [entry.name for entry in entries if entry.name.startswith("sub-") and _may_be_folder(entry)]
    others = [entry for entry in entries if not entry.name.startswith("sub-") and _may_be_folder(entry)]
    almost = [printable(entry.name) for entry in others if ALMOST_SUBJECT.fullmatch(entry.name)]
    if subjects:
        if almost:
            listed = _list_names(almost)
            LOGGER.warning("folders that are no participants, as their names do not begin with 'sub-': %s", listed)
        return subjects
    names = [printable(entry.name) for entry in entries]
    seen = f"It holds: {_list_names(names)}." if names else "It is empty."
    message = (
        f"The folder '{bids_dir}' (config bids_dir) has no sub-* folder. {seen} Set bids_dir to the top of a BIDS "
        "data set, the folder in which sub-01, sub-02 ... lie."
    )
    raise BidsError(message)


def list_t1w(bids_dir: Path, subject: str) -> list[Row]:
    """List the T1w files of a participant.

    Parameters
    ----------
    bids_dir
        BIDS folder.
    subject
        Name of the participant's folder.

    Returns
    -------
    Rows of the scans table (`morpho.scans`), sorted by session and name, none of them chosen: one per T1w file, and one
    with the reason for the participant or for each of its sessions without any.
    """
    try:
        entries = _scan_folder(f"{bids_dir}/{subject}")
    except OSError as error:
        return [row_without_scan(subject, "", reason=_closed(subject, error))]
    sessions = [entry.name for entry in entries if entry.name.startswith("ses-") and _may_be_folder(entry)]
    has_own_anat = any(entry.name == "anat" for entry in entries)
    rows = _list_session(bids_dir, subject, "") if has_own_anat or not sessions else []
    return rows + [row for session in sessions for row in _list_session(bids_dir, subject, session)]


def _list_session(bids_dir: Path, subject: str, session: str) -> list[Row]:
    """Rows of the T1w files of one session, or of a participant without sessions."""
    folder = f"{subject}/{session}/anat" if session else f"{subject}/anat"
    try:
        names = [entry.name for entry in _scan_folder(f"{bids_dir}/{folder}")]
    except (FileNotFoundError, NotADirectoryError):
        names = []
        if session and not (bids_dir / subject / session).is_dir():
            reason = f"the folder {printable(subject)}/{printable(session)} is a link that leads nowhere"
            return [row_without_scan(subject, session, reason=reason)]
    except OSError as error:
        return [row_without_scan(subject, session, reason=_closed(folder, error))]
    files = [name for name in names if T1W_FILE.fullmatch(name)]
    if files:
        return [row_of_file(subject, session, name) for name in files]
    almost = [printable(name) for name in names if ALMOST_T1W.fullmatch(name)]
    hint = f", but {_list_names(almost)}; names must end with _T1w.nii or _T1w.nii.gz" if almost else ""
    return [row_without_scan(subject, session, reason=NO_T1W + hint)]


def explain_unusable(path: str | Path) -> str:
    """Say why a file cannot be read, without opening it unless it is as small as a pointer of git-annex.

    Parameters
    ----------
    path
        A file that is listed in its folder.

    Returns
    -------
    The reason in words; "" if the file can be read.
    """
    try:
        status = os.stat(path)  # noqa: PTH116 - 10,000 files: paths cost time
        if stat.S_ISREG(status.st_mode):
            if status.st_size == 0:
                return EMPTY_FILE
            return NOT_FETCHED if status.st_size <= LARGEST_POINTER and _is_pointer(path) else _why_closed(path)
    except FileNotFoundError:
        target = os.readlink(path)  # noqa: PTH115
        return NOT_FETCHED if ANNEX_FOLDER in target else f"a link to a file that is not here: {printable(target)}"
    except OSError as error:
        return f"the file cannot be read: {error.strerror}"
    return "a folder, not a file" if stat.S_ISDIR(status.st_mode) else "not a file that can be read"


def read_bidsignore(bids_dir: Path) -> GitIgnoreSpec | None:
    """Read the patterns of ``.bidsignore``.

    Parameters
    ----------
    bids_dir
        BIDS folder.

    Returns
    -------
    What is to be ignored, as git would understand it; None if there is no such file, or no pattern in it.

    Raises
    ------
    BidsError
        If the file cannot be read, is no text, or has a line that is no pattern.
    """
    path = bids_dir / ".bidsignore"
    if not os.path.isfile(path):  # noqa: PTH113
        return None
    try:
        lines = re.split(r"\r\n|\r|\n", decode_text(path.read_bytes(), path.name))
    except OSError as error:
        message = f"'{path}' cannot be read: {error.strerror}. Check its permissions."
        raise BidsError(message) from error
    except ParticipantsError as error:
        raise BidsError(str(error)) from error
    wrong = [f"line {number} ('{line[:80]}')" for number, line in enumerate(lines, start=1) if not _is_pattern(line)]
    if wrong:
        message = f"'{path}' has lines that are no pattern of gitignore: {_list_names(wrong)}. Correct or remove them."
        raise BidsError(message)
    spec = GitIgnoreSpec.from_lines(lines)
    return spec if any(pattern.include is not None for pattern in spec.patterns) else None


def _is_pattern(line: str) -> bool:
    """Whether a line of .bidsignore can be understood."""
    try:
        GitIgnoreSpec.from_lines([line])
    except (ValueError, re.error):
        return False
    return True


def _scan_folder(folder: str | Path) -> list[os.DirEntry[str]]:
    """Entries of a folder, sorted by name."""
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: entry.name)


def _may_be_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder, or a link that leads nowhere, where a folder is expected."""
    try:
        return entry.is_dir() or (entry.is_symlink() and not os.path.exists(entry.path))  # noqa: PTH110
    except OSError:  # a link that leads to itself
        return True


def _is_pointer(path: str | Path) -> bool:
    """Whether a small file is what an unlocked git-annex leaves in place of a file that is not here."""
    with open(path, "rb") as file:  # noqa: PTH123
        return file.read(len(ANNEX_POINTER)).startswith(ANNEX_POINTER)


def _why_closed(path: str | Path) -> str:
    """Why a file that is there may not be opened; "" if it may."""
    return "" if os.access(path, os.R_OK) else f"the file cannot be read: {os.strerror(errno.EACCES)}"


def _closed(folder: str, error: OSError) -> str:
    """Reason of a folder that cannot be listed."""
    if isinstance(error, FileNotFoundError):
        return f"the folder {printable(folder)} is a link that leads nowhere"
    return f"the folder {printable(folder)} cannot be read: {error.strerror}"


def _list_names(names: list[str]) -> str:
    """First names of a list."""
    return f"{', '.join(names[:MOST_NAMED])}{' ...' if len(names) > MOST_NAMED else ''}"
