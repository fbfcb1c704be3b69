"""Group, sex, age, site and severity of the participants, in standard names, levels and units.

Takes the participants table as text and the `participants` block of the configuration. Whatever could be read in two
ways is refused, all problems of a table at once.
"""

from __future__ import annotations

import difflib
import logging
import re
from collections.abc import Iterable, Mapping

import pandas as pd

from morpho.errors import ParticipantsError
from morpho.participants import list_some
from morpho.tables import NUMBER, describe_column

LOGGER = logging.getLogger(__name__)

AGE_RANGE_YEARS = (0.0, 120.0)
ROLES = ("group", "sex", "age", "site")
ALIASES = {
    "group": {"group", "groups", "dx", "diagnosis", "diagnostic", "diag", "condition", "cohort", "casecontrol"},
    "sex": {"sex", "gender", "sexe", "geschlecht"},
    "age": {"age", "ages", "alter"},
    "site": {"site", "sites", "centre", "center", "scanner", "institution"},
}
CLOSE_MATCH = 0.8


def standardise_participants(
    raw: pd.DataFrame,
    *,
    columns: Mapping[str, str | None],
    group_levels: Mapping[str, Iterable[str | int]],
    sex_levels: Mapping[str, Iterable[str | int]],
    severity: Mapping[str, str],
) -> pd.DataFrame:
    """Give the columns of a participants table their standard names, levels and units.

    Parameters
    ----------
    raw
        From `read_participants`.
    columns
        Name in the table of ``group``, ``sex``, ``age`` (years) and ``site``; None where the cohort has none.
    group_levels, sex_levels
        Level -> its spellings in the table, compared without regard to case; a level is a spelling of itself.
    severity
        Name of a scale -> its column.

    Returns
    -------
    One row per row of `raw`. A column that the cohort does not have is absent:

    ==================== ===== ===========================
    participant_id       str   ``sub-01``
    group                str   level or NaN
    sex                  str   level or NaN
    age_years            float NaN is missing
    site                 str   NaN is missing
    severity_<scale>     float points; NaN is missing
    ==================== ===== ===========================

    Raises
    ------
    ParticipantsError
        With all problems of the table: columns that are absent while one of a similar name is there, absent severity
        columns, values that are no level, cells that are no number, ages outside 0 to 120 years.
    """
    problems: list[str] = []
    table = pd.DataFrame({"participant_id": raw["participant_id"]})
    found = {role: _find_column(raw, role, columns, severity, problems) for role in ROLES}
    for role, levels in (("group", group_levels), ("sex", sex_levels)):
        column = found[role]
        if column is not None:
            table[role] = _map_levels(raw[column], role, levels, problems)
    if found["age"] is not None:
        table["age_years"] = _parse_ages(raw, found["age"], problems)
    if found["site"] is not None:
        table["site"] = raw[found["site"]]
    for scale, column in severity.items():
        if column in raw.columns:
            table[f"severity_{scale}"] = _parse_numbers(raw, column, problems)
        else:
            problems.append(_absent_column(raw, column, f"participants.severity.{scale}"))
    if problems:
        message = "participants.tsv cannot be read without guessing:\n" + "\n".join(f"- {line}" for line in problems)
        raise ParticipantsError(message)
    missing = ", ".join(f"{name} {count}" for name, count in table.isna().sum().items() if name != "participant_id")
    LOGGER.info("participants: %d; missing values: %s", len(table), missing or "no columns in use")
    return table


def describe_participants(table: pd.DataFrame) -> dict[str, dict[str, object]]:
    """Describe the columns that `standardise_participants` made."""
    described = {
        "participant_id": describe_column("Participant"),
        "group": describe_column("Group of the study (config participants.group_levels)"),
        "sex": describe_column("Sex", levels={"F": "female", "M": "male"}),
        "age_years": describe_column("Age", units="years"),
        "site": describe_column("Site or scanner"),
    }
    for column in table.columns:
        scale = str(column).removeprefix("severity_")
        if scale != column:
            described[str(column)] = describe_column(f"Severity on the scale {scale}", units="points")
    return {name: entry for name, entry in described.items() if name in table.columns}


def _find_column(
    raw: pd.DataFrame,
    role: str,
    columns: Mapping[str, str | None],
    severity: Mapping[str, str],
    problems: list[str],
) -> str | None:
    """Column of a role; None if the cohort has none. A column of a similar name is a problem: it may be the one."""
    column = columns.get(role)
    if column is None or column in raw.columns:
        return column
    used = {"participant_id", *severity.values(), *(name for name in columns.values() if name)}
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


def _is_similar(name: str, column: str, role: str) -> bool:
    """Whether a column's name suggests the role: the same words, a known alias, or nearly the same spelling."""
    words = re.split(r"[^0-9a-z]+", name.lower())
    if ALIASES[role].intersection([*words, "".join(words)]):
        return True
    return difflib.SequenceMatcher(None, name.lower(), column.lower()).ratio() >= CLOSE_MATCH


def _map_levels(
    cells: pd.Series[str], role: str, levels: Mapping[str, Iterable[str | int]], problems: list[str]
) -> pd.Series[str]:
    """Level of each cell; cells that are no spelling of a level are a problem."""
    spellings = {
        str(spelling).strip().casefold(): level for level, given in levels.items() for spelling in (level, *given)
    }
    mapped = cells.str.casefold().map(spellings).astype("str")
    unknown = cells[cells.notna() & mapped.isna()].value_counts()
    if len(unknown):
        seen = list_some(f"'{value}' ({count} x)" for value, count in unknown.items())
        known = "; ".join(f"{level}: {', '.join(map(str, given))}" for level, given in levels.items())
        problems.append(
            f"column '{cells.name}' has values that are no {role} of config participants.{role}_levels: {seen}. Known "
            f"are {known}. Add the spelling there, or write n/a in the table"
        )
    return mapped


def _parse_numbers(raw: pd.DataFrame, column: str, problems: list[str]) -> pd.Series[float]:
    """Column as numbers; cells that are no number are a problem."""
    cells = raw[column]
    is_number = cells.str.fullmatch(NUMBER).fillna(value=False).astype(bool) & ~cells.str.contains("inf", na=False)
    wrong = cells.notna() & ~is_number
    if wrong.any():
        seen = list_some(f"'{raw['participant_id'][row]}': '{cells[row]}'" for row in cells.index[wrong])
        comma = cells[wrong].str.fullmatch(r"[+-]?\d+,\d+").any()
        hint = "Write the decimal point as '.'" if comma else "Write a number, or n/a"
        problems.append(f"column '{column}' has cells that are no number: {seen}. {hint}")
    return cells.where(is_number).astype("float64")


def _parse_ages(raw: pd.DataFrame, column: str, problems: list[str]) -> pd.Series[float]:
    """Column as ages in years; impossible ages are a problem."""
    ages_years = _parse_numbers(raw, column, problems)
    low, high = AGE_RANGE_YEARS
    wrong = ages_years.notna() & ~ages_years.between(low, high)
    if wrong.any():
        seen = list_some(f"'{raw['participant_id'][row]}': {ages_years[row]:g}" for row in ages_years.index[wrong])
        problems.append(
            f"column '{column}' has ages outside {low:g} to {high:g} years: {seen}. Correct them, or write n/a"
        )
    return ages_years


def _absent_column(raw: pd.DataFrame, column: str, key: str) -> str:
    """Problem: a configured column is not there."""
    names = {str(name).lower(): str(name) for name in raw.columns}
    close = [names[name] for name in difflib.get_close_matches(column.lower(), names, n=3, cutoff=0.6)]
    did_you_mean = f" Did you mean {' or '.join(close)}?" if close else ""
    columns = ", ".join(map(str, raw.columns))
    return f"there is no column '{column}' (config {key}).{did_you_mean} Columns: {columns}. Set the key to one of them"
