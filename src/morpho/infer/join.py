"""Join scans with the participants table: which row of it speaks of which scan."""

from __future__ import annotations

import pandas as pd

PERSONAL = ("group", "sex")  # what belongs to a person, not to a session
ROW = "\trow"  # no variable can be called so


def join_participants(scans: pd.DataFrame, participants: pd.DataFrame) -> pd.DataFrame:
    """Give every scan the values of its participant, or of its session where `participants` has rows of sessions.

    A scan takes the row of its session; without one, the row of its participant that is for no session ("") in
    particular; a scan without session also takes the only row of its participant. Group and sex belong to the person:
    where they are missing, they come from the person's other rows, if these agree.

    Parameters
    ----------
    scans
        Columns participant_id and session_id ("" if there is none).
    participants
        Column participant_id, and session_id if it has rows of sessions.

    Returns
    -------
    Rows of `scans`, in their order, with the other columns of `participants`, missing where no row fits.
    """
    if "session_id" not in participants:
        return scans.merge(participants, on="participant_id", how="left")
    rows = participants.rename(columns={"session_id": ROW})
    sessions = {str(name): set(own) for name, own in rows.groupby("participant_id")[ROW]}
    chosen = [
        _choose_row(session, sessions.get(participant, set()))
        for participant, session in zip(scans["participant_id"], scans["session_id"], strict=True)
    ]
    joined = scans.assign(**{ROW: chosen}).merge(rows, on=["participant_id", ROW], how="left")
    for column in [name for name in PERSONAL if name in participants]:
        known = participants.dropna(subset=[column]).groupby("participant_id")[column].agg(["nunique", "first"])
        agreed = known.loc[known["nunique"] == 1, "first"]
        joined[column] = joined[column].fillna(joined["participant_id"].map(agreed))
    return joined.drop(columns=ROW)


def _choose_row(session: str, rows: set[str]) -> str:
    """Session of the row that speaks of a scan's session, given those that its participant has rows of."""
    if session in rows:
        return session
    return next(iter(rows)) if len(rows) == 1 and not session else ""
