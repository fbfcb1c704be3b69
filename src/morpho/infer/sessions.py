"""Which session of a participant comes first: models across people take one row per person."""

from __future__ import annotations

import logging
import re

import pandas as pd

logger = logging.getLogger(__name__)

FIRST_SESSIONS = ("ses-base", "ses-bl", "ses-pre")  # "post" would come before "pre" in the alphabet


def choose_baseline(cohort: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Keep the first measured session of each participant, as models take one row per person.

    Parameters
    ----------
    cohort
        One row per measured scan, with ``participant_id``, ``session_id`` and ``scan``.

    Returns
    -------
    The rows kept, in their order, and the later sessions as exclusions (``participant_id``, ``session_id``, ``scan``,
    ``stage``, ``reason``).

    Notes
    -----
    ASSUME: session labels sort in time, numbers by their value (2 before 10). Labels that begin with "base", "bl" or
    "pre" come first.
    """
    place = cohort["session_id"].fillna("").astype(str).map(order_sessions(cohort["session_id"]))
    is_first = place == place.groupby(cohort["participant_id"]).transform("min")
    is_first &= ~cohort.assign(place=place).duplicated(["participant_id", "place"])
    later = cohort.loc[~is_first, ["participant_id", "session_id", "scan"]].assign(stage="models")
    later["reason"] = "not the first measured session of this participant, the one that models use"
    if len(later):
        logger.info("%d later sessions left out, %d participants remain", len(later), is_first.sum())
    return cohort[is_first], later.reset_index(drop=True)


def order_sessions(labels: pd.Series[str]) -> dict[str, int]:
    """Place of each session label in time (see `choose_baseline`); a missing label is ""."""
    return {label: place for place, label in enumerate(sorted(set(labels.fillna("").astype(str)), key=_order_session))}


def _order_session(label: str) -> tuple[bool, list[str | int]]:
    """Place a session label in time: first the usual names of a first session, then by the numbers in it."""
    parts = re.split(r"(\d+)", label.lower())
    return not label.lower().startswith(FIRST_SESSIONS), [int(part) if part.isdigit() else part for part in parts]
