"""What may leave the house: ids as hashes, and no count of few people.

Ids are replaced in the finished texts, so that none slips through a caption, a reason or a file name. Works on texts
and tables; opens no file.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
import yaml

COUNTS = re.compile(r"n(_(reference|comparison|with|without|cases|controls|patients|people|participants|scans|events))?"
                    r"|n_(all_scans|unflagged|human)")  # fmt: skip
TOO_FEW = re.compile(r"(too few people|only one group is present): [^;]*?(?=, where|;|$)")
SHARE_OF_SCANS = re.compile(r"in (\d+) of (?=\d+ scans)")
TOLD = ("reason", "sentence", "head_size_note")  # columns whose texts tell counts
KEYS = ("participant_id", "scan")
DIGITS = 10
LEFT_OUT = "(left out)"
PRIVATE = (
    "bids_dir",
    "output_dir",
    "decisions",
    "participants",
    "volumes",
)  # keys of folders, files and lists of people


def make_salt(*, wanted: bool) -> str:
    """Make the secret of one report; "" if ids are not to be hashed."""
    return secrets.token_hex(16) if wanted else ""


def hash_ids(participants: Iterable[str], salt: str) -> dict[str, str]:
    """Make a short hash for every participant.

    Parameters
    ----------
    participants
        Their ids, ``sub-01``.
    salt
        Secret of this report: without it, nobody can find the id by hashing all that there may be.

    Returns
    -------
    Id -> ``id-`` and ten hexadecimal digits of the SHA-256 of salt and id, longer where two would be the same.
    """
    full = {
        name: hashlib.sha256(f"{salt}\n{name}".encode()).hexdigest() for name in dict.fromkeys(participants) if name
    }
    digits = DIGITS
    while len({digest[:digits] for digest in full.values()}) < len(full):
        digits += 1
    return {name: f"id-{digest[:digits]}" for name, digest in full.items()}


def replace_ids(text: str, hashes: Mapping[str, str]) -> str:
    """Replace every id in a text by its hash.

    Parameters
    ----------
    text
        Any text: a page, a script, a table, the name of a file.
    hashes
        Id -> hash, from `hash_ids`.

    Returns
    -------
    The text. Lines of a table that has a column participant_id or scan are sorted by their hashes, because their order
    would tell who is who.

    Examples
    --------
    >>> replace_ids("sub-01_ses-2 and sub-012", {"sub-01": "id-ab"})
    'id-ab_ses-2 and sub-012'
    """
    if not hashes:
        return text
    names = "|".join(re.escape(name) for name in sorted(hashes, key=len, reverse=True))
    replaced = re.sub(rf"(?<![0-9A-Za-z])(?:{names})(?![0-9A-Za-z+])", lambda found: hashes[found.group()], text)
    head, _, body = replaced.partition("\n")
    if any(key in head.split("\t") for key in KEYS) and body:
        replaced = "\n".join([head, *sorted(body.splitlines()), ""])
    return replaced


def withhold_small(table: pd.DataFrame, smallest: int) -> pd.DataFrame:
    """Leave out the rows that describe fewer people than may be shared.

    Parameters
    ----------
    table
        Any table of results; its columns with numbers of people are found by their names (`COUNTS`).
    smallest
        Fewest people; 0 leaves the table as it is.

    Returns
    -------
    Rows in which every count is missing, zero or at least `smallest`.
    """
    return table[~_is_small(table, smallest)]


def withhold_small_text(text: str, smallest: int) -> str:
    """Leave the same rows out of a table as text, tab-separated and without quotes; its other lines stay as they are.

    Examples
    --------
    >>> withhold_small_text(chr(10).join(["n", "9", "10", ""]), 10).split()
    ['n', '10']
    """
    lines = [line for line in text.splitlines() if line]
    cells = pd.DataFrame([line.split("\t") for line in lines[1:]], columns=lines[0].split("\t"))
    small = _is_small(cells, smallest)
    kept = [line for line, is_small in zip(lines[1:], small, strict=True) if not is_small]
    return "\n".join([lines[0], *kept, ""])


def hide_counts(text: str, smallest: int) -> str:
    """Hide the counts of few people that reasons and notes tell.

    Examples
    --------
    >>> hide_counts("too few people: 16 patient, 8 control, where a prediction needs 20 of each", 10)
    'too few people, where a prediction needs 20 of each'
    >>> hide_counts("could not be measured in 3 of 59 scans", 10)
    'could not be measured in few of 59 scans'
    """
    text = TOO_FEW.sub(r"\1", text)
    return SHARE_OF_SCANS.sub(lambda found: "in few of " if 0 < int(found[1]) < smallest else found[0], text)


def hide_table_counts(table: pd.DataFrame, smallest: int) -> pd.DataFrame:
    """Hide the counts of few people in the texts of a table (`TOLD`)."""
    told = {name: [_hide(cell, smallest) for cell in table[name]] for name in TOLD if name in table}
    return table.assign(**told)


def _hide(cell: Any, smallest: int) -> Any:
    """Hide counts in a cell, if it is text."""
    return hide_counts(cell, smallest) if isinstance(cell, str) else cell


def _is_small(table: pd.DataFrame, smallest: int) -> pd.Series[Any]:
    """Rows with a count between 1 and `smallest` - 1."""
    small = pd.Series(data=False, index=table.index)
    for name in table.columns:
        if COUNTS.fullmatch(str(name)):
            count = pd.to_numeric(table[name], errors="coerce")
            small |= (count > 0) & (count < smallest)
    return small


def write_config(config: Mapping[str, Any], *, private: bool) -> str:
    """Write a configuration as YAML, if need be without what names places or people.

    Parameters
    ----------
    config
        The full configuration.
    private
        Whether to leave out the folders of the study, absolute paths and lists of participants.

    Returns
    -------
    YAML text.
    """
    shown = _strip(config) if private else dict(config)
    return yaml.safe_dump(shown, sort_keys=False, allow_unicode=True, width=100)


def _strip(value: Any) -> Any:
    """Copy a value of a configuration without places and people."""
    if isinstance(value, Mapping):
        return {
            name: LEFT_OUT if name in PRIVATE and inner and not isinstance(inner, Mapping) else _strip(inner)
            for name, inner in value.items()
        }
    is_place = isinstance(value, str) and re.match(r"[/\\~]|\w:[/\\]", value)
    return LEFT_OUT if is_place else value
