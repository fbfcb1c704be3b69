"""Read a BIDS filter file, in the form that other BIDS Apps take, as the block `scans` of the configuration."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from morpho.errors import CommandLineError
from morpho.scans import ENTITIES

QUERY = "t1w"
# Queries of other Apps for images that morpho does not read; a file that is shared with them is no mistake.
OTHER_QUERIES = frozenset({"t2w", "flair", "bold", "sbref", "fmap", "dwi", "roi", "asl", "pet", "anat", "func"})
# Entities that every T1w has anyway -> the values that say so.
IMPLIED: dict[str, set[Any]] = {
    "suffix": {"T1w"}, "datatype": {"anat"}, "extension": {".nii", ".nii.gz", "nii", "nii.gz"}, "space": {None},
    "desc": {None},
}  # fmt: skip
SUBJECT = ("subject", "participant", "sub")
SESSION = ("session", "ses")


def read_bids_filter(path: str | Path) -> dict[str, Any]:
    """Read a filter file such as ``{"t1w": {"acquisition": "mprage", "session": ["1"], "run": null}}``.

    Parameters
    ----------
    path
        JSON: query -> entity -> value, list of values, or null for "must be absent". Only the query ``t1w`` is looked
        at; those that other Apps have for other images are passed over.

    Returns
    -------
    Block ``scans`` of the configuration: ``filters``, and ``participants`` if the filter chooses people.

    Raises
    ------
    CommandLineError
        With all problems: no such file, no JSON, unknown queries or entities, values that are no label.
    """
    content = _read_json(Path(path))
    problems = [
        f"unknown query '{name}'{_guess(name, [QUERY, *OTHER_QUERIES])}; morpho reads '{QUERY}' only"
        for name in content
        if name not in {QUERY, *OTHER_QUERIES}
    ]
    query = content.get(QUERY)
    if not isinstance(query, Mapping):
        problems.append(f'it has no query "{QUERY}" with entities, such as {{"{QUERY}": {{"acquisition": "mprage"}}}}')
        query = {}
    chosen: dict[str, Any] = {"filters": {}}
    for entity, value in query.items():
        problems += _take(chosen, str(entity), value)
    if problems:
        listed = "\n".join(f"- {problem}" for problem in problems)
        message = f"The filter file '{path}' cannot be used:\n{listed}"
        raise CommandLineError(message)
    return chosen


def _read_json(path: Path) -> Mapping[str, Any]:
    """Content of the file, an object."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        message = f"The filter file '{path}' cannot be read as JSON: {error}. Name a file in UTF-8 with valid JSON."
        raise CommandLineError(message) from error
    if not isinstance(content, dict):
        message = f"The filter file '{path}' holds {type(content).__name__}, not an object {{...}} of queries."
        raise CommandLineError(message)
    return content


def _take(chosen: dict[str, Any], entity: str, value: Any) -> list[str]:
    """Put one entity of the query into the block `scans`; give what is wrong with it."""
    values = value if isinstance(value, list) else [value]
    if entity in IMPLIED and set(map(_plain, values)) <= IMPLIED[entity]:
        return []
    known = {*ENTITIES, *ENTITIES.values(), *SESSION, *SUBJECT}
    if entity not in known:
        return [f"unknown entity '{entity}'{_guess(entity, sorted(known))}; known are {_known_entities()}"]
    problems = [f"{entity} is {item!r}: {reason}" for item in values if (reason := _fault(item))]
    if not values:
        problems.append(f"{entity} is an empty list; give a value, or null for 'must be absent'")
    if problems:
        return problems
    if entity in SUBJECT:
        if None in values:
            return [f"{entity} is null, but every scan has a participant"]
        chosen["participants"] = [str(item) for item in values]
    else:
        key = "session" if entity in SESSION else ENTITIES.get(entity, entity)
        chosen["filters"][key] = value
    return []


def _plain(value: Any) -> Any:
    """Value that can be looked up in a set."""
    return value if value is None or isinstance(value, str) else repr(value)


def _fault(value: Any) -> str:
    """Why a value is no label of a BIDS entity; "" if it is one."""
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return ""
    if not isinstance(value, str) or not value:
        return "give a text, a whole number, a list of them, or null for 'must be absent'"
    if value == "*" or value.lower().startswith(("query.", "<query.")):
        return "queries are not understood; list the values, or write null for 'must be absent'"
    return ""


def _guess(name: str, known: list[str]) -> str:
    """Offer the most similar name."""
    close = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def _known_entities() -> str:
    """Entities in words."""
    return ", ".join(["subject", "session", *ENTITIES.values()])
