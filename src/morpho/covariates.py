"""Group, sex, age, site, severity and study variables of the participants, in standard names, levels and units.

Takes the participants table as text and the `participants` block of the configuration. Whatever could be read in two
ways is refused, all problems of a table at once.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import pandas as pd

from morpho.column_names import TIME_COLUMN, WEEKS, absent_column, find_column, list_uses
from morpho.column_report import COLUMN_REPORT, report_columns
from morpho.columns import count_weeks, map_levels, parse_numbers
from morpho.doubts import find_doubts
from morpho.errors import ParticipantsError
from morpho.tables import describe_column
from morpho.user_tables import list_some

LOGGER = logging.getLogger(__name__)

AGE_RANGE_YEARS = (0.0, 120.0)
ROLES = ("group", "sex", "age", "site")


def standardise_participants(
    raw: pd.DataFrame,
    *,
    columns: Mapping[str, str | None],
    group_levels: Mapping[str, Iterable[str | int]],
    sex_levels: Mapping[str, Iterable[str | int]],
    severity: Mapping[str, str],
    variables: Mapping[str, Mapping[str, Any]],
) -> pd.DataFrame:
    """Give the columns of a participants table their standard names, levels and units.

    Parameters
    ----------
    raw
        From `morpho.participants.read_participants` or `join_sessions`.
    columns
        Name in the table of ``group``, ``sex``, ``age`` (years) and ``site``; None where the cohort has none.
    group_levels, sex_levels
        Level -> its spellings in the table, compared without regard to case; a level is a spelling of itself.
    severity
        Name of a scale -> its column.
    variables
        Name of a study variable -> ``column``; ``levels`` as those of the group, if it is a category (no level at all:
        the text as it is); without levels it is a number. A column that the table lacks is no problem.

    Returns
    -------
    One row per row of `raw`. A column that the cohort does not have is absent:

    ==================== ============ =============================================================
    participant_id       str          ``sub-01``
    session_id           str          ``ses-1``, "" for sessions without a row; if `raw` has sessions
    group                str          level or NaN
    sex                  str          level or NaN
    age_years            float        NaN is missing
    site                 str          NaN is missing
    severity_<scale>     float        points; NaN is missing
    <variable>           str or float level or number; NaN is missing
    ==================== ============ =============================================================

    Raises
    ------
    ParticipantsError
        With all problems of the table: columns that are absent while one of a similar name is there, absent severity
        columns, values that are no level, cells that are no number, ages outside 0 to 120 years, people of two sexes.

    Notes
    -----
    ASSUME: weeks, where the cohort has no column for them, are the time since the person's first session, from the
    column ``acq_time`` of the sessions table.
    """
    problems: list[str] = []
    table = raw[["participant_id", *(["session_id"] if "session_id" in raw else [])]].copy()
    used = {*severity.values(), *(str(entry["column"]) for entry in variables.values())}
    found = {role: find_column(raw, role, columns, used, problems) for role in ROLES}
    for role, levels in (("group", group_levels), ("sex", sex_levels)):
        column = found[role]
        if column is not None:
            table[role] = map_levels(raw[column], role, f"{role}_levels", levels, problems)
    if found["age"] is not None:
        table["age_years"] = _parse_ages(raw, found["age"], problems)
    if found["site"] is not None:
        table["site"] = raw[found["site"]]
    for scale, column in severity.items():
        if column in raw.columns:
            table[f"severity_{scale}"] = parse_numbers(raw, column, problems)
        else:
            problems.append(absent_column(raw, column, f"participants.severity.{scale}"))
    for name, values in _read_variables(raw, variables, problems).items():
        table[name] = values
    problems += _sex_problems(table)
    if problems:
        message = "participants.tsv cannot be read without guessing:\n" + "\n".join(f"- {line}" for line in problems)
        raise ParticipantsError(message)
    for doubt in find_doubts(raw, table, columns=columns, severity=severity, variables=variables):
        LOGGER.warning("participants.tsv: %s", doubt)
    _log_columns(report_columns(raw, table, list_uses(raw, columns, severity, variables)))
    return table


def report_participants(
    raw: pd.DataFrame | None, table: pd.DataFrame | None, settings: Mapping[str, Any]
) -> pd.DataFrame:
    """Report what each column of a participants table was read as.

    Parameters
    ----------
    raw
        Columns of the file, as text; None if the cohort has no table.
    table
        From `standardise_participants`.
    settings
        Block ``participants`` of the configuration.

    Returns
    -------
    As `morpho.column_report.report_columns`; no row for a cohort without table.
    """
    if raw is None or table is None:
        return pd.DataFrame(columns=list(COLUMN_REPORT))
    uses = list_uses(raw, settings["columns"], settings["severity"], settings["variables"])
    return report_columns(raw, table, uses)


def varying_columns(settings: Mapping[str, Any]) -> set[str]:
    """Columns that a sessions table may hold, given the block `participants` of the configuration.

    Age, site, severity and study variables may change over time, and a session has a time of its own.
    """
    own = {str(column) for role in ("age", "site") if (column := settings["columns"].get(role))}
    studied = {str(entry["column"]) for entry in settings["variables"].values()}
    return own | set(settings["severity"].values()) | studied | {TIME_COLUMN}


def text_variables(variables: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    """Names of the study variables that are text, whatever their levels look like: those that have levels."""
    return tuple(name for name, entry in variables.items() if entry.get("levels") is not None)


def group_by_domain(
    variables: Mapping[str, Mapping[str, Any]], severity: Mapping[str, str], columns: Collection[str]
) -> dict[str, tuple[str, ...]]:
    """Sort the columns of a cohort by what they are about.

    Parameters
    ----------
    variables, severity
        As in `standardise_participants`; the ``domain`` of a variable may be absent.
    columns
        Columns that the cohort has.

    Returns
    -------
    Domain -> its columns, in the order of the configuration; "severity" comes first. Domains of which the cohort has
    nothing are absent, as are variables without domain.

    Examples
    --------
    >>> group_by_domain({"pss": {"column": "PSS-10", "domain": "stress"}}, {"BDI": "bdi"}, ["severity_BDI", "pss"])
    {'severity': ('severity_BDI',), 'stress': ('pss',)}
    """
    domains: dict[str, tuple[str, ...]] = {}
    named = [("severity", f"severity_{scale}") for scale in severity]
    named += [(str(entry["domain"]), name) for name, entry in variables.items() if entry.get("domain")]
    for domain, name in named:
        if name in columns:
            domains[domain] = (*domains.get(domain, ()), name)
    return domains


def describe_participants(
    table: pd.DataFrame, variables: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, object]]:
    """Describe the columns that `standardise_participants` made.

    Parameters
    ----------
    table
        From `standardise_participants`.
    variables
        As given to it: ``unit`` and ``levels`` of a study variable are its Units and Levels.

    Returns
    -------
    Column -> its description, as BIDS does.
    """
    described = {
        "participant_id": describe_column("Participant"),
        "session_id": describe_column("Session; n/a for all sessions without a row of their own"),
        "group": describe_column("Group of the study (config participants.group_levels)"),
        "sex": describe_column("Sex", levels={"F": "female", "M": "male"}),
        "age_years": describe_column("Age", units="years"),
        "site": describe_column("Site or scanner"),
    }
    for column in table.columns:
        scale = str(column).removeprefix("severity_")
        if scale != column:
            described[str(column)] = describe_column(f"Severity on the scale {scale}", units="points")
    for name, entry in variables.items():
        levels = {str(level): _describe_level(level, given) for level, given in (entry.get("levels") or {}).items()}
        description = f"Column {entry['column']} of the participants table (config participants.variables)"
        described[name] = describe_column(description, units=entry.get("unit"), levels=levels or None)
    return {name: entry for name, entry in described.items() if name in table.columns}


def _log_columns(report: pd.DataFrame) -> None:
    """Log what each column was read as."""
    for use in report.to_dict("records"):
        LOGGER.info("column '%(column)s': %(used_as)s, %(kind)s, %(n_missing)d missing: %(content)s", use)


def _read_variables(
    raw: pd.DataFrame, variables: Mapping[str, Mapping[str, Any]], problems: list[str]
) -> dict[str, pd.Series[Any]]:
    """Columns of the study variables that the table has; weeks may come from the times of the sessions."""
    read: dict[str, pd.Series[Any]] = {}
    absent = []
    for name, entry in variables.items():
        column, levels, found = str(entry["column"]), entry.get("levels"), len(problems)
        if column not in raw.columns:
            absent.append(name)
        elif levels is None:
            read[name] = parse_numbers(raw, column, problems)
        elif levels:
            read[name] = map_levels(raw[column], name, f"variables.{name}.levels", levels, problems)
        else:
            read[name] = raw[column]
        problems[found:] = [
            f"{line} (or take the variable away: config participants.variables.{name}: null)"
            for line in problems[found:]
        ]
    if WEEKS in absent and {TIME_COLUMN, "session_id"}.issubset(raw.columns):
        read[WEEKS] = count_weeks(raw, TIME_COLUMN, problems)
    LOGGER.info("study variables: %s; without a column: %s", ", ".join(read) or "none", ", ".join(absent) or "none")
    return read


def _sex_problems(table: pd.DataFrame) -> list[str]:
    """People whose rows do not agree on their sex."""
    if "sex" not in table:
        return []
    n_sexes = table.groupby("participant_id")["sex"].nunique()
    two = list_some(map(str, n_sexes.index[n_sexes > 1]))
    return [f"rows of the same person have different sexes: {two}. Correct them, or write n/a"] if two else []


def _parse_ages(raw: pd.DataFrame, column: str, problems: list[str]) -> pd.Series[float]:
    """Column as ages in years; impossible ages are a problem."""
    ages_years = parse_numbers(raw, column, problems)
    low, high = AGE_RANGE_YEARS
    wrong = ages_years.notna() & ~ages_years.between(low, high)
    if wrong.any():
        seen = list_some(f"'{raw['participant_id'][row]}': {ages_years[row]:g}" for row in ages_years.index[wrong])
        problems.append(
            f"column '{column}' has ages outside {low:g} to {high:g} years: {seen}. Correct them, or write n/a"
        )
    return ages_years


def _describe_level(level: str, spellings: Iterable[str | int]) -> str:
    """Level and its spellings in the participants table."""
    return ", ".join([str(level), *(str(spelling) for spelling in spellings)])
