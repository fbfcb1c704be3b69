"""Read ``participants.tsv`` and the ``sessions.tsv`` of the participants without guessing.

Takes the files as people have them (encodings, quotes, spellings of missing), gives all cells as text, one row per
participant or per participant and session, and checks that they speak of the people who were scanned. What the columns
mean is the matter of `morpho.covariates`.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import pandas as pd

from morpho.errors import ParticipantsError
from morpho.user_tables import list_some, read_cells

LOGGER = logging.getLogger(__name__)


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
    if not path.is_file() and not required:
        LOGGER.warning("there is no %s: volumes are measured, but groups cannot be compared", path.name)
        return None
    raw = normalise_ids(read_cells(path))
    _check_keys(raw[[key for key in ("participant_id", "session_id") if key in raw]], path.name)
    LOGGER.info("%s: %d participants, columns %s", path.name, raw["participant_id"].nunique(), ", ".join(raw.columns))
    return raw


def normalise_ids(cells: pd.DataFrame) -> pd.DataFrame:
    """Put the ids of participants ("sub-01") and, if there are any, of sessions ("ses-1" or "") first."""
    ids = {"participant_id": "sub-" + cells["participant_id"].str.removeprefix("sub-")}
    if "session_id" in cells:
        ids["session_id"] = _normalise_sessions(cells["session_id"]).fillna("")
    return pd.concat([pd.DataFrame(ids), cells.drop(columns=list(ids))], axis="columns")


def find_sessions(bids_dir: str | Path, participants: Iterable[str]) -> list[Path]:
    """Find ``sub-XX/sub-XX_sessions.tsv`` of each participant who has one, sorted by participant."""
    files = [Path(bids_dir, name, f"{name}_sessions.tsv") for name in sorted(set(participants))]
    return [path for path in files if path.is_file()]


def read_sessions(bids_dir: str | Path, participants: Iterable[str]) -> dict[str, pd.DataFrame]:
    """Read what changes over time: the sessions tables of the participants, as text.

    Parameters
    ----------
    bids_dir
        BIDS folder.
    participants
        Ids with "sub-".

    Returns
    -------
    Participant -> one row per session: ``session_id`` with "ses-", then the columns of the file, missing is NaN.
    Participants without such a file are absent.

    Raises
    ------
    ParticipantsError
        With all files that cannot be read, lack ``session_id``, or name a session twice or not at all.
    """
    tables, problems = {}, []
    for path in find_sessions(bids_dir, participants):
        try:
            table = read_cells(path, key="session_id")
            table.insert(0, "session_id", _normalise_sessions(table.pop("session_id")))
            _check_keys(table[["session_id"]], path.name)
        except ParticipantsError as error:
            problems.append(str(error))
        else:
            tables[path.parent.name] = table
    if problems:
        raise ParticipantsError("\n".join(problems))
    return tables


def join_sessions(
    raw: pd.DataFrame | None, sessions: Mapping[str, pd.DataFrame], columns: Collection[str]
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
    for participant, table in sessions.items():
        kept = [name for name in table.columns if name == "session_id" or name in columns]
        for row in table[kept].to_dict("records"):
            key = (participant, str(row["session_id"]))
            basis = rows.get(key, rows.get((participant, ""), {"participant_id": participant}))
            rows[key] = {**basis, **row}
    unused = sorted({str(name) for table in sessions.values() for name in table.columns} - {"session_id", *columns})
    LOGGER.info("sessions tables: %d; columns not in use: %s", len(sessions), ", ".join(unused) or "none")
    joined = pd.DataFrame(list(rows.values()))
    first = ["participant_id", "session_id"]
    return joined[[*first, *joined.columns.difference(first, sort=False)]].astype("str")


def check_matches(participants: pd.DataFrame, scans: pd.DataFrame, *, source: str = "the BIDS folder") -> None:
    """Check that the participants table speaks of the people who were scanned.

    A scanned participant without a row is legal, and so is a session. But an id that differs from one in the table by
    case or leading zeros alone (often lost in a spreadsheet), or a table of which no row fits, is refused.

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
            f"Ids of {source} and of the participants table differ by leading zeros or case alone: {list_some(pairs)} "
            f"({source} / participants table). Write them in the participants table as in {source}."
        )
        raise ParticipantsError(message)
    if scanned and not listed.intersection(scanned):
        message = (
            f"No scanned participant has a row in the participants table. In {source}: {list_some(scanned)}; in the "
            f"participants table: {list_some(sorted(listed)) or 'none'}. Write the ids of {source} into its column "
            "participant_id."
        )
        raise ParticipantsError(message)


def _near_matches(scanned: Iterable[str], listed: set[str]) -> list[str]:
    """Pairs of ids that are the same but for case and leading zeros."""
    scanned = list(scanned)
    unused = {_bare_id(identifier): identifier for identifier in listed.difference(scanned)}
    without_row = [identifier for identifier in scanned if identifier not in listed]
    return [f"{name} / {unused[_bare_id(name)]}" for name in without_row if _bare_id(name) in unused]


def _name_visits(rows: pd.DataFrame) -> list[str]:
    """Participant and session of each row that has a session, as one text."""
    visits = rows.loc[rows["session_id"] != "", ["participant_id", "session_id"]]
    return sorted(set((visits["participant_id"] + " " + visits["session_id"]).tolist()))


def _bare_id(identifier: str) -> str:
    """Id of a participant, or of a participant and session, without prefixes, case and leading zeros."""
    return " ".join(part[4:].lower().lstrip("0") for part in identifier.split(" "))


def _normalise_sessions(sessions: pd.Series[str]) -> pd.Series[str]:
    """Ids of sessions with "ses-", missing where there is none."""
    return "ses-" + sessions.str.removeprefix("ses-")


def _check_keys(keys: pd.DataFrame, name: str) -> None:
    """Refuse missing and repeated ids of participants, of their sessions, or of the sessions of one file."""
    main = str(keys.columns[0])
    n_missing = int(keys[main].isna().sum())
    problems = [f"{n_missing} row(s) without {main}"] if n_missing else []
    counts = Counter(" ".join(row).strip() for row in keys.dropna().itertuples(index=False))
    twice = [f"{identifier} ({count} rows)" for identifier, count in counts.items() if count > 1]
    if twice:
        problems.append(f"named more than once: {list_some(twice)}")
    if problems:
        what = {"participant_id": "participant ('01' and 'sub-01' are one)", "session_id": "session"}
        one = " and ".join(what[str(key)] for key in keys.columns)
        message = f"{name} has {'; '.join(problems)}. It must have one row per {one}."
        raise ParticipantsError(message)
