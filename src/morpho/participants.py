"""Read ``participants.tsv`` and the ``sessions.tsv`` of the participants without guessing.

Takes the files as people have them (encodings, quotes, spellings of missing), gives all cells as text, one row per
participant or per participant and session, and checks that they speak of the people who were scanned. What the columns
mean is the matter of `morpho.covariates`.
"""

from __future__ import annotations

import logging
import os
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from morpho.errors import ParticipantsError
from morpho.user_tables import list_some, read_cells, read_rows

LOGGER = logging.getLogger(__name__)

SessionRow = dict[str, str | None]


def read_participants(path: str | Path, *, required: bool = False) -> pd.DataFrame | None:
    """Read a participants table as text.

    Parameters
    ----------
    path
        ``participants.tsv``, or a table of the same form; see `morpho.user_tables.read_cells`.
    required
        Whether the file must be there.

    Returns
    -------
    One row per participant, all columns of the file as text, missing is NaN; ``participant_id`` is first and begins
    with "sub-". If the file has a column ``session_id``, there may be one row per participant and session; ids of
    sessions begin with "ses-", and "" is a row for all sessions that have none of their own. None if there is no such
    file: a cohort without a table can be measured, but not compared.

    Raises
    ------
    ParticipantsError
        If `read_cells` refuses the file, or a participant, or a participant's session, is named twice or not at all.
    """
    path = Path(path)
    if not os.path.lexists(path) and not required:
        others = [name for name in _list_names(path.parent) if name.casefold().startswith("participants.")]
        only = list_some(sorted(name for name in others if not name.endswith(".json")))
        hint = f" (only {only}; save it as {path.name})" if only else ""
        LOGGER.warning("there is no %s%s: volumes are measured, but groups cannot be compared", path.name, hint)
        return None
    raw = normalise_ids(read_cells(path))
    names = [key for key in ("participant_id", "session_id") if key in raw]
    cells = raw[names].astype(object).where(raw[names].notna(), None)
    _check_keys(names, list(cells.itertuples(index=False, name=None)), path.name)
    LOGGER.info("%s: %d participants, columns %s", path.name, raw["participant_id"].nunique(), ", ".join(raw.columns))
    return raw


def normalise_ids(cells: pd.DataFrame) -> pd.DataFrame:
    """Put the ids of participants ("sub-01") and, if there are any, of sessions ("ses-1" or "") first."""
    ids = {"participant_id": "sub-" + cells["participant_id"].str.removeprefix("sub-")}
    if "session_id" in cells:
        ids["session_id"] = ("ses-" + cells["session_id"].str.removeprefix("ses-")).fillna("")
    return pd.concat([pd.DataFrame(ids), cells.drop(columns=list(ids))], axis="columns")


def find_sessions(bids_dir: str | Path, participants: Iterable[str]) -> list[Path]:
    """Find ``sub-XX/sub-XX_sessions.tsv`` of each participant who has one, broken links too; by participant."""
    top = os.fspath(bids_dir)
    files = [f"{top}/{name}/{name}_sessions.tsv" for name in sorted(set(participants))]
    return [Path(path) for path in files if os.path.lexists(path)]


def read_sessions(bids_dir: str | Path, participants: Iterable[str]) -> dict[str, list[SessionRow]]:
    """Read what changes over time: the sessions tables of the participants, as text.

    Parameters
    ----------
    bids_dir
        BIDS folder.
    participants
        Ids with "sub-".

    Returns
    -------
    Participant -> one dict per session, column of the file -> cell, None is missing; ``session_id`` begins with "ses-".
    Participants without such a file are absent.

    Raises
    ------
    ParticipantsError
        With all files that cannot be read, lack ``session_id``, or name a session twice or not at all.
    """
    tables, problems = {}, []
    for path in find_sessions(bids_dir, participants):
        try:
            header, rows = read_rows(path, key="session_id")
            table: list[SessionRow] = [dict(zip(header, row, strict=True)) for row in rows]
            for row in table:
                row["session_id"] = _with_prefix(row["session_id"], "ses-")
            _check_keys(["session_id"], [(row["session_id"],) for row in table], path.name)
        except ParticipantsError as error:
            problems.append(str(error))
        else:
            tables[path.parent.name] = table
    if problems:
        raise ParticipantsError("\n".join(problems))
    return tables


def join_sessions(
    raw: pd.DataFrame | None, sessions: Mapping[str, Sequence[SessionRow]], columns: Collection[str]
) -> pd.DataFrame | None:
    """Give each session that has a sessions table its own row, as its participant's row with the session's values.

    Parameters
    ----------
    raw
        From `read_participants`; None if the cohort has no such table.
    sessions
        From `read_sessions`.
    columns
        Columns that may change over time; others of the sessions tables are not looked at. A column of a participant's
        sessions table holds for all sessions in it: a missing cell is missing, whatever `raw` says.

    Returns
    -------
    `raw` as it is if there are no sessions. Otherwise its rows with ``session_id`` ("" for all sessions without a row
    of their own), then the rows of the sessions; a row of a session in `raw` gives way.
    """
    if not sessions:
        return raw
    if raw is None:
        raw = pd.DataFrame({"participant_id": list(sessions)}, dtype="str")
    general = raw if "session_id" in raw else raw.assign(session_id="")
    rows = {(str(row["participant_id"]), str(row["session_id"])): row for row in general.to_dict("records")}
    kept = {"session_id", *columns}
    for participant, table in sessions.items():
        for session in table:
            key = (participant, str(session["session_id"]))
            basis = rows.get(key, rows.get((participant, ""), {"participant_id": participant}))
            rows[key] = {**basis, **{name: cell for name, cell in session.items() if name in kept}}
    seen = {name for table in sessions.values() for session in table for name in session}
    LOGGER.info("sessions tables: %d; columns not in use: %s", len(sessions), ", ".join(sorted(seen - kept)) or "none")
    names = dict.fromkeys(["participant_id", "session_id", *general.columns, *sorted(seen & kept)])
    cells = {name: [row.get(name) for row in rows.values()] for name in names}
    return pd.DataFrame(cells, dtype="str")


def check_matches(participants: pd.DataFrame, scans: pd.DataFrame, *, source: str = "the BIDS folder") -> None:
    """Check that the participants table speaks of the people who were scanned.

    A scanned participant without a row is legal, and so is a session. But an id that differs from one in the table by
    prefix, leading zeros (often lost in a spreadsheet), case or punctuation alone, or a table of which no row fits, is
    refused.

    Parameters
    ----------
    participants
        Column participant_id, and session_id if there are rows of sessions.
    scans
        The scans table: columns participant_id, session_id, chosen.
    source
        Where the scans come from, in words.

    Raises
    ------
    ParticipantsError
        If ids nearly match, or none does.
    """
    listed = set(participants["participant_id"])
    chosen = scans[scans["chosen"]]
    scanned = sorted(set(chosen["participant_id"]))
    pairs = _near_matches(scanned, listed)
    if "session_id" in participants and not pairs:
        pairs = _near_matches(_name_visits(chosen), set(_name_visits(participants)))
    if pairs:
        message = (
            f"Ids of {source} and of the participants table differ by prefix, leading zeros, case or punctuation "
            f"alone: {list_some(pairs)} ({source} / participants table). Write them in the participants table as in "
            f"{source}."
        )
        raise ParticipantsError(message)
    if scanned and not listed.intersection(scanned):
        message = (
            f"No scanned participant has a row in the participants table. In {source}: {list_some(scanned)}; in the "
            f"participants table: {list_some(sorted(listed)) or 'none'}. Write the ids of {source} into its column "
            "participant_id."
        )
        raise ParticipantsError(message)


def _list_names(folder: Path) -> list[str]:
    """Names in a folder; none if it cannot be listed."""
    try:
        return os.listdir(folder)  # noqa: PTH208 - names are wanted, no paths
    except OSError:
        return []


def _near_matches(scanned: Iterable[str], listed: set[str]) -> list[str]:
    """Pairs of ids that are the same but for prefix, case, leading zeros and punctuation."""
    scanned = list(scanned)
    unused = {_bare_id(identifier): identifier for identifier in listed.difference(scanned)}
    without_row = [identifier for identifier in scanned if identifier not in listed]
    return [f"{name} / {unused[_bare_id(name)]}" for name in without_row if _bare_id(name) in unused]


def _name_visits(rows: pd.DataFrame) -> list[str]:
    """Participant and session of each row that has a session, as one text."""
    visits = rows.loc[rows["session_id"] != "", ["participant_id", "session_id"]]
    return sorted(set((visits["participant_id"] + " " + visits["session_id"]).tolist()))


def _bare_id(identifier: str) -> str:
    """Id of a participant, or of both it and a session, without prefixes, case, leading zeros and punctuation."""
    person, _, session = identifier.partition(" ses-")
    return f"{_bare_name(person, 'sub')} {_bare_name(session, 'ses')}"


def _bare_name(name: str, prefix: str) -> str:
    """Letters and digits of an id: "01", "1", "1.0" (a number of a spreadsheet), "Sub_01" and "sub 01" are one."""
    letters = re.sub(r"[\W_]+", "", re.sub(r"\.0+$", "", name)).casefold()
    while letters.startswith(prefix):
        letters = letters.removeprefix(prefix)
    return letters.lstrip("0") or letters[-1:]


def _with_prefix(identifier: str | None, prefix: str) -> str | None:
    """Id with its prefix, None if there is none."""
    return None if identifier is None else prefix + identifier.removeprefix(prefix)


def _check_keys(names: Sequence[str], keys: Sequence[tuple[str | None, ...]], file: str) -> None:
    """Refuse missing and repeated ids of participants, of their sessions, or of the sessions of one file.

    Repeated ids are compared as they will be matched: "01" and "sub-01" are one.
    """
    n_missing = sum(key[0] is None for key in keys)
    problems = [f"{n_missing} row(s) without {names[0]}"] if n_missing else []
    counts = Counter(" ".join(map(str, key)).strip() for key in keys if key[0] is not None)
    twice = [f"{identifier} ({count} rows)" for identifier, count in counts.items() if count > 1]
    if twice:
        problems.append(f"named more than once: {list_some(twice)}")
    if problems:
        what = {"participant_id": "participant ('01' and 'sub-01' are one)", "session_id": "session"}
        one = " and ".join(what[name] for name in names)
        message = f"{file} has {'; '.join(problems)}. It must have one row per {one}."
        if twice and list(names) == ["participant_id"]:
            message += " If its rows are sessions, name their column session_id."
        raise ParticipantsError(message)
