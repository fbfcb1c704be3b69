"""The program `morpho`: hands over to the BIDS App, to `morpho doctor` or to `morpho init`.

What a command needs is imported when it is called, so that `morpho doctor` runs where something is missing.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from morpho.cli.terminal import remark
from morpho.errors import CommandLineError, MorphoError

DONE, FAILED, WRONG_USAGE, INTERRUPTED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    arguments
        What follows the name of the program; those of this process if None.

    Returns
    -------
    Exit status: 0 done, 1 something is wrong with what was looked at, 2 wrong usage.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    command = words[0] if words else ""
    run = {"doctor": _doctor, "init": _init}.get(command)
    try:
        return run(words[1:]) if run else _app(words or ["--help"])
    except CommandLineError as error:
        remark(f"morpho: {error}")
        return WRONG_USAGE
    except (MorphoError, OSError) as error:
        remark(f"morpho: {error}")
        return FAILED
    except KeyboardInterrupt:
        remark("morpho: stopped")
        return INTERRUPTED


def _app(words: Sequence[str]) -> int:
    """Run the BIDS App."""
    from morpho.cli.run import run_app

    return run_app(words)


def _doctor(words: Sequence[str]) -> int:
    """Run `morpho doctor`."""
    from morpho.cli.doctor import run_doctor

    return run_doctor(words)


def _init(words: Sequence[str]) -> int:
    """Run `morpho init`."""
    from morpho.cli.init import run_init

    return run_init(words)
