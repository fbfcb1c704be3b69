"""What ``participants.json`` says about the columns of the participants table, and whether morpho reads them so.

A code such as 1 means nothing by itself. Read the wrong way round it would exchange the groups, or the sexes, in every
result, so a codebook that says otherwise than the configuration stops the run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from morpho.columns import spell_levels
from morpho.errors import ParticipantsError

Codebook = Mapping[str, Mapping[str, Any]]


def read_codebook(path: str | Path) -> dict[str, dict[str, Any]]:
    """Read what is said about the columns of a table.

    Parameters
    ----------
    path
        JSON file beside the table; it may be absent or damaged, as no number comes from it.

    Returns
    -------
    Column -> its Description, Levels, Units and others; only what is an object.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8-sig", errors="replace"))
    except (OSError, ValueError, RecursionError):
        return {}
    return {str(k): v for k, v in content.items() if isinstance(v, dict)} if isinstance(content, dict) else {}


def describe_levels(codebook: Codebook, column: str) -> dict[str, str]:
    """Give the descriptions of the levels of a column, by level without regard to case; empty if there are none.

    >>> describe_levels({"sex": {"Levels": {"M": "male", "F": {"Description": "female"}}}}, "sex")
    {'m': 'male', 'f': 'female'}
    """
    levels = codebook.get(column, {}).get("Levels", {})
    if not isinstance(levels, Mapping):
        return {}
    texts = {
        str(level): text.get("Description", "") if isinstance(text, Mapping) else text for level, text in levels.items()
    }
    return {level.strip().casefold(): str(text) for level, text in texts.items()}


def check_codebook(raw: pd.DataFrame, codebook: Codebook, settings: Mapping[str, Any]) -> None:
    """Check that the codes of groups and sexes are read as the codebook says.

    Parameters
    ----------
    raw
        Participants table as text.
    codebook
        From `read_codebook`.
    settings
        Block `participants` of the configuration; of it, columns, group_levels and sex_levels are looked at.

    Raises
    ------
    ParticipantsError
        If a code (a whole number) that the table has is described by a word that is a spelling of another level.
        Descriptions in other words than the spellings are not judged.
    """
    problems = []
    for role in ("group", "sex"):
        column, spellings = settings["columns"].get(role), spell_levels(settings[f"{role}_levels"])
        if column is None or column not in raw:
            continue
        words = {spelling: level for spelling, level in spellings.items() if not spelling.isdigit()}
        texts = describe_levels(codebook, column)
        for code in sorted({cell.strip() for cell in raw[column].dropna() if cell.strip().isdigit()}):
            read, text = spellings.get(code), texts.get(code, "").strip(" .")
            said = words.get(text.casefold()) or words.get(text.casefold().removesuffix("s"))
            if read is not None and said is not None and said != read:
                problems.append(
                    f"column '{column}': the JSON file beside the table says that {code} is '{text}', but config "
                    f"participants.{role}_levels reads {code} as {read}. Take {code} from {read} and give it to {said} "
                    "there, or correct the JSON file"
                )
    if problems:
        raise ParticipantsError("; ".join(problems))
