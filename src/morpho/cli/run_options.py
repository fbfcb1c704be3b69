"""What `morpho BIDS_DIR OUT_DIR participant|group` understands, and what it answers to what it does not."""

from __future__ import annotations

import argparse
import importlib.metadata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from morpho.errors import CommandLineError

LEVELS = ("participant", "group")
EPILOG = """\
Other commands:
  morpho doctor          what is installed, what this machine has, and a phantom measured with known truth
  morpho init BIDS_DIR   look at a BIDS folder and write a configuration for it

What follows after -- is handed to Snakemake as it is:
  morpho /data/study /data/out group -- --rerun-incomplete report

Nothing is written into BIDS_DIR. Exit status: 0 done, 1 the run failed, 2 wrong usage.
"""


@dataclass(frozen=True)
class RunOptions:
    """A call of the BIDS App; None where an option was not given."""

    bids_dir: Path
    output_dir: Path
    level: str
    participants: tuple[str, ...] = ()
    sessions: tuple[str, ...] = ()
    filter_file: Path | None = None
    skips_validation: bool = False
    work_dir: Path | None = None
    configs: tuple[Path, ...] = ()
    profile: str | None = None
    n_procs: int | None = None
    mem_mb: int | None = None
    is_dry: bool = False
    retries: bool = False
    handed_over: tuple[str, ...] = ()


class Parser(argparse.ArgumentParser):
    """Parser that raises `CommandLineError` in place of ending the program."""

    def error(self, message: str) -> NoReturn:
        """Refuse the command line.

        Raises
        ------
        CommandLineError
            Always.
        """
        text = f"{message[:1].upper()}{message[1:]}.\n{self.format_usage().strip()}\n`{self.prog} --help` explains it."
        raise CommandLineError(text)


def parse_run(arguments: Sequence[str]) -> RunOptions:
    """Parse a call of the BIDS App.

    Parameters
    ----------
    arguments
        What follows the name of the program.

    Returns
    -------
    What was asked for; nothing is looked up on disk.

    Raises
    ------
    CommandLineError
        If it is not understood.
    """
    words = list(arguments)
    cut = words.index("--") if "--" in words else len(words)
    own, handed_over = [_with_hyphens(word) for word in words[:cut]], words[cut + 1 :]
    found = _make_parser().parse_intermixed_args(own)
    bids_dir, output_dir, level = _read_positions(found)
    return RunOptions(
        bids_dir=Path(bids_dir),
        output_dir=Path(output_dir),
        level=level,
        participants=_labels(found.participant_label, "sub-"),
        sessions=_labels(found.session_label, "ses-"),
        filter_file=found.bids_filter_file,
        skips_validation=found.skip_bids_validation,
        work_dir=found.work_dir,
        configs=tuple(found.config),
        profile=found.profile,
        n_procs=found.nprocs,
        mem_mb=found.mem_mb,
        is_dry=found.dry_run,
        retries=found.retry_failed,
        handed_over=tuple(handed_over),
    )


def version() -> str:
    """Version of the installed package."""
    return importlib.metadata.version("morpho")


def _make_parser() -> Parser:
    """Parser of the BIDS App."""
    parser = Parser(
        prog="morpho",
        usage="morpho BIDS_DIR OUT_DIR participant|group [options] [-- options of snakemake]",
        description="Regional grey-matter volumes of the T1w scans of a BIDS folder, and honest statistics on them.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=EPILOG,
        allow_abbrev=False,
    )
    add = parser.add_argument
    folders = "folder of the BIDS data set, never written to; folder for all results, outside of it; what to do: "
    levels = "participant measures each scan, group does that too, where it is not done, then statistics and report"
    add("positions", metavar="BIDS_DIR OUT_DIR participant|group", nargs="*", help=folders + levels)
    labels: dict[str, Any] = {"nargs": "+", "metavar": "LABEL", "default": []}
    add("--participant-label", **labels, help="only these people, with or without sub-")
    add("--session-label", **labels, help="only these sessions, with or without ses-")
    chooses = 'JSON that chooses among several T1w, such as {"t1w": {"acquisition": "mprage", "run": null}}'
    add("--bids-filter-file", type=Path, metavar="FILE", help=chooses)
    accepted = "accepted, as other BIDS Apps have it; morpho checks what it needs and nothing else, and always does"
    add("--skip-bids-validation", action="store_true", help=accepted)
    work = "folder for Snakemake's records (default: OUT_DIR/.morpho); keep it, or steps may be run again"
    add("-w", "--work-dir", type=Path, metavar="DIR", help=work)
    study = "configuration of the study, as `morpho init` writes it; may be given again, the last one counts"
    add("--config", type=Path, metavar="FILE", action="append", default=[], help=study)
    add("--profile", metavar="NAME", help="Snakemake profile, for a cluster: a folder, or the name of one of morpho's")
    add("--nprocs", type=_positive, metavar="N", help="steps at a time (default: all cores)")
    add("--mem-mb", type=_positive, metavar="MB", help="memory for all steps together (default: 90 %%)")
    again = "measure the scans again that failed in an earlier run; the others stay as they are"
    add("--retry-failed", action="store_true", help=again)
    add("-n", "--dry-run", action="store_true", help="check everything and say what would be done; write nothing")
    add("--version", action="version", version=f"morpho {version()}")
    return parser


def _with_hyphens(word: str) -> str:
    """Option without underscores: ``--participant_label`` is what the first BIDS Apps had."""
    name, equals, value = word.partition("=")
    return f"{name.replace('_', '-')}{equals}{value}" if word.startswith("--") else word


def _positive(text: str) -> int:
    """Whole number above 0."""
    if not text.isdecimal() or int(text) < 1:
        message = f"'{text}' is no whole number above 0"
        raise argparse.ArgumentTypeError(message)
    return int(text)


def _labels(given: Sequence[str], prefix: str) -> tuple[str, ...]:
    """Labels without prefix, each once; commas separate them too."""
    parts = [part.strip().removeprefix(prefix) for text in given for part in text.split(",")]
    return tuple(dict.fromkeys(part for part in parts if part))


def _read_positions(found: argparse.Namespace) -> tuple[str, str, str]:
    """Folders and level; refuse missing and wrong ones with the likely reason."""
    given = list(found.positions)
    names = ["BIDS_DIR", "OUT_DIR", "participant or group"]
    example = "morpho /data/study /data/study_morpho group"
    if len(given) < len(names):
        swallowed = [
            label for label in [*found.participant_label, *found.session_label] if "/" in label or label in LEVELS
        ]
        missing = ", ".join(names[len(given) :])
        hint = f" '{swallowed[0]}' was taken for a label: write labels after the folders." if swallowed else ""
        message = f"Missing on the command line: {missing}.{hint} For example: {example}"
        raise CommandLineError(message)
    if len(given) > len(names):
        message = (
            f"Too many words on the command line: {' '.join(given)}. Quote paths with spaces. For example: {example}"
        )
        raise CommandLineError(message)
    bids_dir, output_dir, level = given
    if level not in LEVELS:
        order = " The folders come first, then participant or group." if {bids_dir, output_dir} & set(LEVELS) else ""
        message = f"'{level}' is no level; it is participant or group.{order} For example: {example}"
        raise CommandLineError(message)
    return bids_dir, output_dir, level
