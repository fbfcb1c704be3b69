"""What the command line writes: lines, tables, and verdicts in colour where a person looks at a terminal."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import TextIO

COLOURS = {"ok": "32", "note": "33", "fail": "31"}
WIDTH = 100


def say(text: str = "", *, stream: TextIO | None = None) -> None:
    """Write a line to the standard output, or to another stream; letters that it cannot show become `?`."""
    stream = stream or sys.stdout
    encoding = stream.encoding or "utf-8"
    stream.write(text.encode(encoding, errors="replace").decode(encoding) + "\n")
    stream.flush()


def remark(text: str) -> None:
    """Write a line that is no result to the standard error."""
    say(text, stream=sys.stderr)


def has_colour(stream: TextIO) -> bool:
    """Whether colours may be used: a terminal that is not a dumb one, and no NO_COLOR in the environment."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(word: str, *, stream: TextIO | None = None) -> str:
    """Colour a verdict (`ok`, `note`, `fail`, with spaces around or not) if colours may be used."""
    colour = COLOURS.get(word.strip())
    return f"\033[{colour}m{word}\033[0m" if colour and has_colour(stream or sys.stdout) else word


def align(rows: Iterable[Sequence[str]], *, right: Sequence[int] = (), indent: int = 2) -> list[str]:
    """Lay out rows of cells in columns.

    Parameters
    ----------
    rows
        Cells; rows may have fewer cells than others.
    right
        Numbers of the columns that are set flush right.
    indent
        Spaces before each line.

    Returns
    -------
    One line per row, without spaces at its end.
    """
    table = [list(row) for row in rows]
    n_columns = max((len(row) for row in table), default=0)
    widths = [max((len(row[column]) for row in table if column < len(row)), default=0) for column in range(n_columns)]
    lines = []
    for row in table:
        cells = [
            cell.rjust(widths[column]) if column in right else cell.ljust(widths[column])
            for column, cell in enumerate(row)
        ]
        lines.append((" " * indent + "  ".join(cells)).rstrip())
    return lines


def fill(text: str, *, first: str = "", indent: str = "", width: int = WIDTH) -> list[str]:
    """Break a sentence into lines; paths and words stay whole."""
    return textwrap.wrap(
        text, width, initial_indent=first, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
