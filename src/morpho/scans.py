"""The scans table: what a T1w's file name says, and which one of a session is chosen. No file is looked for here."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from morpho.tables import describe_column, read_table

ENTITIES = {
    "task": "task", "acq": "acquisition", "ce": "ceagent", "rec": "reconstruction", "dir": "direction", "run": "run",
    "echo": "echo", "flip": "flip", "inv": "inversion", "mt": "mtransfer", "part": "part", "chunk": "chunk",
    "desc": "description",
}  # fmt: skip
INDEX_ENTITIES = frozenset({"run", "echo", "flip", "inversion", "chunk"})
COLUMNS = ("scan", "folder", "participant_id", "session_id", "path", *ENTITIES.values(), "chosen", "reason")
T1W_FILE = re.compile(r"(?P<stem>[^.].*)_T1w(?P<extension>\.nii(\.gz)?)", re.DOTALL)
LABEL = re.compile(r"[0-9A-Za-z+]+")
NO_T1W = "no T1w image in anat/"

Row = dict[str, Any]


def read_scans(path: str | Path) -> pd.DataFrame:
    """Read a scans table that was written with `morpho.tables.write_table`; absent entities are ""."""
    scans = read_table(path, text=ENTITIES.values())
    text = [column for column in scans.columns if column != "chosen"]
    scans[text] = scans[text].astype(object).where(scans[text].notna(), "").astype("str")
    return scans


def describe_scans() -> dict[str, dict[str, object]]:
    """Describe the columns of the scans table."""
    described = {
        "scan": describe_column("Participant and session, as in file names"),
        "folder": describe_column("Folder of the participant and session"),
        "participant_id": describe_column("Participant"),
        "session_id": describe_column("Session; n/a in a cohort without sessions"),
        "path": describe_column("T1w image, relative to the BIDS folder; n/a if there is none"),
    }
    for short, name in ENTITIES.items():
        described[name] = describe_column(f"BIDS entity {short} of the file name; n/a if absent")
    described["chosen"] = describe_column("Whether this image is the one that was measured for the session")
    described["reason"] = describe_column("Why the image was not chosen; n/a if it was")
    return described


def name_scan_files(scans: pd.DataFrame, templates: Sequence[str]) -> dict[str, list[str]]:
    """Name files of every scan that was chosen: scan -> one path per template, which names {scan} and {folder}.

    Nothing without templates, when there are no scans but a table of volumes.
    """
    if not templates:
        return {}
    chosen = scans[scans["chosen"]]
    return {
        str(row["scan"]): [template.format(scan=row["scan"], folder=row["folder"]) for template in templates]
        for row in chosen[["scan", "folder"]].to_dict("records")
    }


def index_text(column: str, value: str) -> str:
    """Index without leading zeros, any other value as it is."""
    return str(int(value)) if column in INDEX_ENTITIES and value.isdecimal() else value


def printable(name: str) -> str:
    r"""Give a name of the file system as text that can be written; bytes that are not UTF-8 become ``\xe9``."""
    return name if name.isascii() else name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def row_without_scan(subject: str, session: str, *, reason: str = NO_T1W) -> Row:
    """Make the row of a participant or session without T1w, not chosen for a reason."""
    subject, session = printable(subject), printable(session)
    row: Row = dict.fromkeys(COLUMNS, "")
    row |= {"participant_id": subject, "session_id": session, "chosen": False, "reason": reason}
    row["scan"] = f"{subject}_{session}" if session else subject
    row["folder"] = f"{subject}/{session}" if session else subject
    bad = [name for name in (subject, session) if name and not LABEL.fullmatch(name[4:])]
    if bad:
        row["reason"] = f"the folder name '{bad[0]}' is not BIDS (only letters and digits after the dash)"
    return row


def row_of_file(subject: str, session: str, name: str) -> Row:
    """Make the row of a T1w file; its entities come from its name, and a name that is not BIDS is its reason.

    Parameters
    ----------
    subject, session
        Names of the folders that it lies in; session is "" if there is none.
    name
        Name of the file.

    Returns
    -------
    Row of the scans table, not chosen yet.
    """
    name = printable(name)
    row = row_without_scan(subject, session, reason="")
    row["path"] = f"{row['folder']}/anat/{name}"
    if row["reason"]:
        return row
    stem = str(T1W_FILE.sub(r"\g<stem>", name))
    if stem != row["scan"] and not stem.startswith(f"{row['scan']}_"):
        row["reason"] = f"the file name does not start with that of its folder, {row['scan']}"
        return row
    for pair in stem.removeprefix(row["scan"]).split("_")[1:]:
        key, _, value = pair.partition("-")
        if key not in ENTITIES or not LABEL.fullmatch(value):
            row["reason"] = f"'{pair}' in the file name is not a BIDS entity of a T1w"
            return row
        if row[ENTITIES[key]]:
            row["reason"] = f"the entity {key} is twice in the file name"
            return row
        row[ENTITIES[key]] = index_text(ENTITIES[key], value)
    return row


def choose_scans(rows: Sequence[Row]) -> None:
    """Mark the best row of each participant and session as chosen; give the others the reason, in place.

    Rows that already have a reason are not candidates. The order of preference is documented in
    `morpho.bids.find_scans`.
    """
    best: dict[Hashable, tuple[Row, dict[str, Any]]] = {}
    candidates = [(row, _preferences(row)) for row in rows if not row["reason"]]
    for row, ours in sorted(candidates, key=lambda candidate: tuple(candidate[1].values())):
        winner, theirs = best.setdefault(row["scan"], (row, ours))
        row["chosen"] = winner is row
        if winner is row:
            continue
        criterion = next(name for name in ours if ours[name] != theirs[name])
        name = winner["path"].rpartition("/")[2]
        row["reason"] = f"duplicate of {name}" if criterion == "twin" else f"{name} was chosen: {criterion}"


def _preferences(row: Row) -> dict[str, Any]:
    """Criteria of choice in order; smaller is better, and the name of a criterion says what made the better one."""
    given = [name for name in ENTITIES.values() if row[name] and (name, row[name]) != ("part", "mag")]
    stem, _, extension = row["path"].partition(".nii")
    run = row["run"] or "0"
    return {
        "no contrast agent": bool(row["ceagent"]),
        "no reconstruction entity": bool(row["reconstruction"]),
        "lower run": (int(run), "") if run.isdecimal() else (0, run),
        "fewer entities in its name": len(given),
        "first in the alphabet": stem,
        "twin": extension != ".gz",
    }
