"""Write the configuration that `morpho init` guessed: YAML, each guess with its reason, what is unsure marked CHECK."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from morpho.cli.guess_roles import RoleGuess
from morpho.cli.guess_scans import ScanGuess
from morpho.cli.guess_variables import VariableGuesses, suggest_entry
from morpho.cli.people import People, list_counts, shown
from morpho.cli.terminal import fill
from morpho.participants_config import RESERVED

WIDTH, BEHIND = 118, 30
MOST_SUGGESTIONS = 40
LINE_ENDS = re.compile("[\\n\\r\\x85\\u2028\\u2029]")
HEAD = (
    "Configuration of a morpho study, written by `morpho init`: what differs from the defaults. All of it is guessed, "
    "with the reason beside it. Read it, and look at the lines with CHECK. What each key means: config/README.md."
)


@dataclass(frozen=True)
class Study:
    """All that was guessed about a study; `people` is None without a participants table."""

    bids_dir: str
    output_dir: str
    title: str | None
    scans: ScanGuess
    people: People | None
    roles: Mapping[str, RoleGuess]
    variables: VariableGuesses


def write_study(study: Study) -> str:
    """Write the configuration of a study.

    Parameters
    ----------
    study
        What was guessed.

    Returns
    -------
    YAML with comments.
    """
    lines = [*_comment(HEAD), ""]
    lines += [*_entry(0, "bids_dir", study.bids_dir), *_entry(0, "output_dir", study.output_dir), ""]
    lines += _scans(study.scans)
    if study.people is None:
        lines += _comment("There is no participants.tsv: volumes are measured, but nothing can be compared.")
    else:
        lines += [*_participants(study, study.people), *_models(study.roles)]
    if study.title:
        lines += ["report:", *_entry(1, "title", study.title)]
    return "\n".join(lines).rstrip() + "\n"


def flow(value: Any) -> str:
    """Write a value on one line of YAML; letters that would end the line are escaped."""
    text = _dump(value, allow_unicode=True)
    return _dump(value, allow_unicode=False) if LINE_ENDS.search(text) else text


def _dump(value: Any, *, allow_unicode: bool) -> str:
    """Flow style of YAML, without the end of a document."""
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=allow_unicode, width=10**6, sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...").strip()


def _entry(depth: int, key: str, value: Any, comment: str = "") -> list[str]:
    """Lines of a key with its value; the comment stands behind it, or above where it is too long."""
    line = f"{'  ' * depth}{flow(key)}: {flow(value)}"
    if not comment:
        return [line]
    behind = _behind(line, comment, BEHIND)
    return [behind] if len(behind) <= WIDTH else [*_comment(comment, depth), line]


def _comment(text: str, depth: int = 0) -> list[str]:
    """Lines of a comment."""
    start = "  " * depth + "# "
    return fill(_legible(text), first=start, indent=start, width=WIDTH)


def _behind(line: str, comment: str, column: int) -> str:
    """Line with a comment behind it, from a column on."""
    return f"{line.ljust(column)}  # {_legible(comment)}"


def _legible(text: str) -> str:
    """Text for a comment: on one line, and nothing that YAML does not allow."""
    return "".join(letter if letter.isprintable() else "?" for letter in " ".join(text.split()))


def _scans(guess: ScanGuess) -> list[str]:
    """Block of the scans."""
    lines = [line for fact in guess.facts for line in _comment(fact)]
    lines += [line for check in guess.checks for line in _comment(f"CHECK {check}")]
    if guess.filters:
        lines += ["scans:", *_entry(1, "filters", guess.filters, guess.why)]
    others = [(filters, words) for filters, words in guess.suggestions if filters != guess.filters]
    if others:
        lines += _comment("To choose: a line such as one of these, under `scans:`")
        lines += [_behind(f"#   filters: {flow(filters)}", words, 44) for filters, words in others]
    return [*lines, ""]


def _participants(study: Study, people: People) -> list[str]:
    """Block of the participants."""
    lines = [*_comment(f"participants.tsv: {people.n} people; in brackets: how many"), "participants:", "  columns:"]
    for role, guess in study.roles.items():
        is_unsure = guess.column is None and role in {"group", "age", "sex"}
        lines += _entry(2, role, guess.column, f"{'CHECK ' if is_unsure else ''}{guess.why}")
    for role, key in (("group", "group_levels"), ("sex", "sex_levels")):
        lines += _levels(people, role, key, study.roles[role])
    for role in ("age", "site"):
        lines += [line for check in study.roles[role].checks for line in _comment(f"CHECK {check}", 1)]
    return [*lines, *_severity(study.variables), *_variables(study.variables, people), ""]


def _levels(people: People, role: str, key: str, guess: RoleGuess) -> list[str]:
    """Map of levels to spellings, and the spellings that nobody has explained."""
    checks = [line for check in guess.checks for line in _comment(f"CHECK {check}", 1)]
    if guess.column is None:
        return checks
    counts = people.count(guess.column)
    lines = [*checks, f"  {key}:"]
    for level, spellings in guess.levels.items():
        counted = list_counts({spelling: counts[spelling] for spelling in spellings}) if spellings else "nobody"
        lines += _entry(2, level, spellings or [level], counted)
    if guess.unmapped:
        own = ", take its # away for a group of its own" if role == "group" else ""
        text = (
            f"CHECK morpho refuses to run until these values of '{guess.column}' mean something. Add each to the "
            f"brackets of a level above{own}, or write n/a in the table:"
        )
        lines += _comment(text, 2)
        unmapped = [(f"    # {_group_name(value)}: {flow([value])}", str(n)) for value, n in guess.unmapped.items()]
        lines += [_behind(line, n, BEHIND) for line, n in unmapped]
    return lines


def _group_name(value: str) -> str:
    """Name of a group for a spelling: letters, digits and underscores, a letter first."""
    name = re.sub(r"[^A-Za-z0-9]+", "_", value).strip("_")
    return name if name[:1].isalpha() else f"group_{name}".rstrip("_")


def _severity(guesses: VariableGuesses) -> list[str]:
    """Severity scales."""
    if not guesses.severity:
        return _comment("No column looks like a severity scale; to name one: severity: {BDI: its column}", 1)
    lines = ["  severity:"]
    for scale, column in guesses.severity.items():
        lines += _entry(2, scale, column, guesses.why.get(scale, ""))
    return lines


def _variables(guesses: VariableGuesses, people: People) -> list[str]:
    """Study variables, and the columns without a meaning."""
    lines = [line for check in guesses.checks for line in _comment(f"CHECK {check}", 1)]
    if guesses.by_itself:
        lines += _comment(f"Read without being named here: {', '.join(guesses.by_itself)}", 1)
    lines += ["  variables:"] if guesses.variables else []
    for name, entry in guesses.variables.items():
        lines += _entry(2, name, entry, guesses.why.get(name, ""))
    ready = {column: entry for column in guesses.unused if (entry := suggest_entry(people, column))}
    other = [column for column in guesses.unused if column not in ready]
    if ready:
        where = "" if guesses.variables else ", and the one of `variables:`"
        depth = 2 if guesses.variables else 1
        lines += _comment(f"Columns that are not used. To study one, take its # away{where}:", depth)
        lines += [] if guesses.variables else ["  # variables:"]
        lines += _suggest(ready, guesses.unused)
    if other:
        lines += _comment(f"Other columns: {', '.join(map(shown, other[:MOST_SUGGESTIONS]))}", 1)
    return lines


def _suggest(ready: Mapping[str, Mapping[str, Any]], words: Mapping[str, str]) -> Iterable[str]:
    """Lines of variables that wait for their # to be taken away."""
    for column in list(ready)[:MOST_SUGGESTIONS]:
        name = f"{column}_column" if column in RESERVED else column
        yield _behind(f"    # {flow(name)}: {flow(dict(ready[column]))}", words[column], 60)
    if len(ready) > MOST_SUGGESTIONS:
        yield f"    # ... and {len(ready) - MOST_SUGGESTIONS} more columns"


def _models(roles: Mapping[str, RoleGuess]) -> list[str]:
    """Covariates, where the cohort lacks one of the default ones."""
    present = [role for role in ("age", "sex") if roles[role].column is not None]
    if len(present) == len(("age", "sex")):
        return []
    return ["models:", *_entry(1, "covariates", present, "CHECK of age and sex, what this cohort has"), ""]
