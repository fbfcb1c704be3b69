"""Which column of a participants table is meant: the configured one, or none, but never one that is only similar."""

from __future__ import annotations

import difflib
import logging
import re
from collections.abc import Collection, Mapping
from typing import Any

import pandas as pd

LOGGER = logging.getLogger(__name__)

ALIASES = {
    "group": {"group", "groups", "dx", "diagnosis", "diagnostic", "diag", "condition", "cohort", "casecontrol"},
    "sex": {"sex", "gender", "sexe", "geschlecht"},
    "age": {"age", "ages", "alter"},
    "site": {"site", "sites", "centre", "center", "scanner", "institution"},
}
CLOSE_MATCH = 0.8
TIME_COLUMN = "acq_time"  # BIDS: when a session began
WEEKS = "weeks"  # the variable that is computed from it where the cohort has no column for it


def find_column(
    raw: pd.DataFrame,
    role: str,
    columns: Mapping[str, str | None],
    used: Collection[str],
    problems: list[str],
) -> str | None:
    """Find the column of a role. If it is absent and another one may be meant, that is a problem.

    Parameters
    ----------
    raw
        Participants table.
    role
        Key of `ALIASES`.
    columns
        Role -> configured column; None if the cohort has none.
    used
        Columns that have another meaning.
    problems
        A sentence is added to it if there is only a column of a similar name.

    Returns
    -------
    Name of the column; None if the cohort has none.
    """
    column = columns.get(role)
    if column is None or column in raw.columns:
        return column
    used = {"participant_id", "session_id", *used, *(name for name in columns.values() if name)}
    similar = [str(name) for name in raw.columns if name not in used and _is_similar(str(name), column, role)]
    if similar:
        listed = " and ".join(f"'{name}'" for name in similar)
        problems.append(
            f"there is no column '{column}' (config participants.columns.{role}), but {listed}; set the key to the "
            "right column, or to null if this cohort has none"
        )
    else:
        level = logging.INFO if role == "site" else logging.WARNING
        LOGGER.log(level, "participants.tsv has no column '%s' (participants.columns.%s)", column, role)
    return None


def absent_column(raw: pd.DataFrame, column: str, key: str) -> str:
    """Describe the problem that a configured column is not there, with similar ones and all there are."""
    names = {str(name).lower(): str(name) for name in raw.columns}
    close = [names[name] for name in difflib.get_close_matches(column.lower(), names, n=3, cutoff=0.6)]
    did_you_mean = f" Did you mean {' or '.join(close)}?" if close else ""
    columns = ", ".join(map(str, raw.columns))
    return f"there is no column '{column}' (config {key}).{did_you_mean} Columns: {columns}. Set the key to one of them"


def list_uses(
    raw: pd.DataFrame,
    columns: Mapping[str, str | None],
    severity: Mapping[str, str],
    variables: Mapping[str, Mapping[str, Any]],
) -> dict[str, str]:
    """List what the columns of a table are used for.

    Parameters
    ----------
    raw
        Participants table, joined with the sessions.
    columns, severity, variables
        As given to `morpho.covariates.standardise_participants`.

    Returns
    -------
    Standard name (``age_years``, ``severity_BDI``, name of a variable) -> column of `raw` that it comes from.
    """
    uses = {"age_years" if role == "age" else role: column for role, column in columns.items() if column is not None}
    uses |= {f"severity_{scale}": column for scale, column in severity.items()}
    uses |= {name: str(entry["column"]) for name, entry in variables.items()}
    if WEEKS in uses and uses[WEEKS] not in raw and {TIME_COLUMN, "session_id"}.issubset(raw.columns):
        uses[WEEKS] = TIME_COLUMN
    return {name: column for name, column in uses.items() if column in raw.columns}


def _is_similar(name: str, column: str, role: str) -> bool:
    """Whether a column's name suggests the role: the same words, a known alias, or nearly the same spelling."""
    words = re.split(r"[^0-9a-z]+", name.lower())
    if ALIASES[role].intersection([*words, "".join(words)]):
        return True
    return difflib.SequenceMatcher(None, name.lower(), column.lower()).ratio() >= CLOSE_MATCH
