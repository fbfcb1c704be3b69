"""`morpho init`: looks at a BIDS folder and writes a configuration with its guesses, for a first run without manual."""

from __future__ import annotations

import argparse
import json
import logging
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import yaml

from morpho.bids import find_scans
from morpho.cli.check_study import check_study
from morpho.cli.guess_roles import count_groups, guess_roles
from morpho.cli.guess_scans import guess_scans, match_people
from morpho.cli.guess_variables import VariableGuesses, guess_variables
from morpho.cli.people import People, list_counts, read_people
from morpho.cli.pipeline import read_default_config
from morpho.cli.run_options import Parser
from morpho.cli.study_file import Study, write_study
from morpho.cli.terminal import fill, say
from morpho.errors import CommandLineError
from morpho.user_tables import list_some

LONGEST_TITLE = 80
SMALL_GROUP = 20
GROUPS = 2


def run_init(arguments: Sequence[str]) -> int:
    """Look at a BIDS folder and write a configuration for it.

    Parameters
    ----------
    arguments
        What follows ``morpho init``.

    Returns
    -------
    Exit status: 0 if a run with the configuration can begin, 1 if something must be put right first.

    Raises
    ------
    CommandLineError
        If there is no such folder, or the file exists or cannot be written.
    """
    options = _parse(arguments)
    bids_dir: Path = options.bids_dir
    path: Path = options.output or Path(f"{bids_dir.resolve().name}.yaml")
    _check_places(bids_dir, path, is_forced=options.force)
    output_dir = options.output_dir or suggest_output(bids_dir)
    with collect_warnings() as doubts:
        scans = find_scans(bids_dir, output_dir=output_dir, filters={}, participants=[])
        study = guess_study(bids_dir, output_dir, scans)
        _write(write_study(study), path)
        problems = check_study(path)
    _report(study, scans, path)
    _say_list("What else may be meant otherwise", list(dict.fromkeys(doubts)))
    _say_list("morpho will not run with it before this is put right", problems)
    command = ["morpho", study.bids_dir, study.output_dir, "group", "--config", str(path)]
    say("\nNext: look at the file, then see what would be done; and without --dry-run, do it:")
    say(f"  {shlex.join([*command, '--dry-run'])}")
    return int(bool(problems))


def _write(text: str, path: Path) -> None:
    """Write the configuration, which must be valid YAML whatever the table holds."""
    yaml.safe_load(text)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        message = f"'{path}' cannot be written: {error.strerror}. Name another file with --output."
        raise CommandLineError(message) from error


def guess_study(bids_dir: Path, output_dir: Path, scans: pd.DataFrame) -> Study:
    """Guess everything about a study.

    Parameters
    ----------
    bids_dir, output_dir
        Folders.
    scans
        Scans table without filters.

    Returns
    -------
    Guesses with their reasons.
    """
    people = read_people(bids_dir)
    roles = {} if people is None else guess_roles(people)
    taken = [guess.column for guess in roles.values()]
    defaults = read_default_config()["participants"]["variables"]
    return Study(
        bids_dir=str(bids_dir.absolute()),
        output_dir=str(output_dir.absolute()),
        title=_read_title(bids_dir),
        scans=guess_scans(scans),
        people=people,
        roles=roles,
        variables=VariableGuesses() if people is None else guess_variables(people, taken, defaults),
    )


class _Collector(logging.Handler):
    """Keeps the messages of warnings."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a message."""
        self.messages.append(record.getMessage())


@contextmanager
def collect_warnings() -> Iterator[list[str]]:
    """Collect what the readers and checks warn of, as they have no log file here.

    Yields
    ------
    Messages so far; it grows.
    """
    collector = _Collector()
    logger = logging.getLogger("morpho")
    logger.addHandler(collector)
    try:
        yield collector.messages
    finally:
        logger.removeHandler(collector)


def suggest_output(bids_dir: Path) -> Path:
    """Suggest a folder for results: beside the BIDS folder if one can be made there, or else here."""
    source = bids_dir.resolve()
    name = f"{source.name}_morpho"
    here = Path.cwd().resolve()
    inside = source == here or source in here.parents
    return source.parent / name if os.access(source.parent, os.W_OK) or inside else here / name


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(prog="morpho init", description="Look at a BIDS folder and write a configuration for it.")
    parser.add_argument("bids_dir", metavar="BIDS_DIR", type=Path, help="folder of the data set; never written to")
    parser.add_argument("--output", type=Path, metavar="FILE", help="configuration (default: NAME_OF_BIDS_DIR.yaml)")
    where = "folder for results (default: beside BIDS_DIR, with _morpho)"
    parser.add_argument("--output-dir", type=Path, metavar="DIR", help=where)
    parser.add_argument("--force", action="store_true", help="write over a file that exists")
    return parser.parse_args(list(arguments))


def _check_places(bids_dir: Path, path: Path, *, is_forced: bool) -> None:
    """Refuse a BIDS folder that is none, and a file that should not be written."""
    if not bids_dir.is_dir():
        message = f"There is no folder '{bids_dir}'. Give the top of a BIDS data set."
        raise CommandLineError(message)
    place = path.absolute().parent.resolve()
    if place == bids_dir.resolve() or bids_dir.resolve() in place.parents:
        message = f"'{path}' lies in the BIDS folder, into which morpho never writes. Name another file with --output."
        raise CommandLineError(message)
    if path.exists() and not is_forced:
        message = f"'{path}' exists. Look at it, and write over it with --force, or name another file with --output."
        raise CommandLineError(message)


def _read_title(bids_dir: Path) -> str | None:
    """Title of the report, from the name of the data set."""
    try:
        name = json.loads((bids_dir / "dataset_description.json").read_text(encoding="utf-8-sig"))["Name"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    text = " ".join(str(name).split()) if isinstance(name, str) else ""
    return f"Grey-matter volumes: {text}" if 0 < len(text) <= LONGEST_TITLE else None


def _report(study: Study, scans: pd.DataFrame, path: Path) -> None:
    """Say what was found and guessed, and what to look at."""
    say(f"{path} is written.")
    _say_list("Found", [*study.scans.facts, *_say_people(study, scans)])
    _say_list("Guessed", _say_guesses(study))
    checks = list(study.scans.checks)
    for role, guess in study.roles.items():
        checks += [*guess.say_unmapped(role), *guess.checks]
        checks += [f"{role}: {guess.why}"] if guess.column is None and not guess.checks and role != "site" else []
    checks += study.variables.checks
    _say_list("To check in the file (CHECK)", checks)


def _say_list(title: str, lines: Sequence[str]) -> None:
    """Write a list under a title."""
    if lines:
        say(f"\n{title}:")
    for line in lines:
        for part in line.splitlines():
            for text in fill(part.strip().removeprefix("- "), first="  - ", indent="    "):
                say(text)


def _say_people(study: Study, scans: pd.DataFrame) -> list[str]:
    """Who has no scan, who has no row, and how large the groups are."""
    if study.people is None:
        return ["no participants.tsv: volumes are measured, but nothing can be compared"]
    without_scan, without_row = match_people(scans, study.people.raw["participant_id"])
    lines = []
    if without_scan:
        lines.append(f"in participants.tsv, but without scan: {len(without_scan)} ({list_some(without_scan)})")
    if without_row:
        lines.append(f"with scan, but not in participants.tsv: {len(without_row)} ({list_some(without_row)})")
    scanned = scans.loc[scans["chosen"], "participant_id"]
    groups = count_groups(study.people, study.roles["group"], set(scanned))
    return [*lines, *_say_groups(groups, _count_columns(study, study.people))] if groups else lines


def _count_columns(study: Study, people: People) -> int:
    """Columns of the default model: two groups, covariates, head size, and sites but one."""
    site = study.roles["site"].column
    n_covariates = sum(study.roles[role].column is not None for role in ("age", "sex"))
    return GROUPS + n_covariates + 1 + (len(people.count(site)) - 1 if site else 0)


def _say_groups(groups: Mapping[str, int], n_columns: int) -> list[str]:
    """How large the groups are, and whether the default model can compare them."""
    models = read_default_config()["models"]
    small, everybody = min(groups.values()), sum(groups.values())
    lines = [f"people with scans: {list_counts(groups)}"]
    if small < models["min_group_size"]:
        return [*lines, "a group is too small: groups are not compared"]
    if everybody - n_columns < models["min_residual_df"]:
        needed = n_columns + models["min_residual_df"]
        few = f"{everybody} people are too few to compare groups with age, sex, site and head size: it takes {needed}"
        return [*lines, f"{few}, or fewer covariates (models.covariates)"]
    if small < SMALL_GROUP:
        lines.append(f"a group has fewer than {SMALL_GROUP} people: the report says what such a sample can find")
    return lines


def _say_guesses(study: Study) -> list[str]:
    """Guess of each role, scales and variables in words."""
    lines = [
        f"{role} is column '{guess.column}', {guess.why}"
        for role, guess in study.roles.items()
        if guess.column is not None
    ]
    lines += [f"severity {scale} is column '{column}'" for scale, column in study.variables.severity.items()]
    named = [f"{name} (column '{entry['column']}')" for name, entry in study.variables.variables.items() if entry]
    named += study.variables.by_itself
    lines += [f"study variables: {', '.join(named)}"] if named else []
    if study.scans.filters:
        lines.append(f"scans: {study.scans.filters}, {study.scans.why}")
    return lines
