"""Which paths of a configuration the workflow engine could not use, told before anything is done.

Spaces, accents, quotes, ``$``, ``;`` and ``%`` are all legal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def path_problems(paths: Mapping[str, object]) -> list[str]:
    """Find paths with signs that mean something else to the workflow engine.

    Parameters
    ----------
    paths
        Key of the configuration -> path; what is no text is passed over.

    Returns
    -------
    One sentence for each problem.
    """
    problems = []
    for key, path in paths.items():
        if not isinstance(path, str):
            continue
        shown = ascii(path) if CONTROL.search(path) or not _is_utf8(path) else f"'{path}'"
        if "{" in path or "}" in path:
            problems.append(
                f"{key} is {shown}; Snakemake takes braces for names of wildcards. Rename the folder or file, or give "
                "the path of a link without { and }"
            )
        if path.startswith("~"):
            problems.append(f"{key} is {shown}; only a shell knows what ~ means. Write the whole path")
        if CONTROL.search(path):
            problems.append(
                f"{key} is {shown}, with a line break, tab or other control sign. Rename the folder or file"
            )
        elif not _is_utf8(path):
            problems.append(f"{key} is {shown}, whose name is not UTF-8. Rename the folder or file")
    return problems


def cut_paths(paths: Mapping[str, object], arguments: Iterable[str]) -> list[str]:
    """Find paths of the command line of which a part was lost: Snakemake reads them as YAML, where " #" is a comment.

    Parameters
    ----------
    paths
        Key of the configuration -> path, as Snakemake read it.
    arguments
        The command line; ``key=path`` is looked for.

    Returns
    -------
    One sentence for each problem.
    """
    given = [argument.partition("=") for argument in arguments if "=" in argument]
    return [
        f"{key}={text} was read as '{paths[key]}', because a # after a space begins a comment. Set {key} in a file "
        "given with --configfile, in quotes"
        for key, _, text in given
        if isinstance(paths.get(key), str) and re.match(rf"{re.escape(str(paths[key]))}\s+#", text)
    ]


def _is_utf8(path: str) -> bool:
    """Whether a path can be written as UTF-8."""
    return path.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in path)
