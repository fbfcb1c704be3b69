"""Read a claims file and check it against its schema, before the first job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from morpho.config import find_violations, read_yaml
from morpho.errors import ConfigError


def read_claims(path: str | Path, schema: str | Path | None = None) -> dict[str, Any]:
    """Read a claims file.

    Parameters
    ----------
    path
        YAML file with blocks variables, populations and claims.
    schema
        JSON schema as YAML; None if the file was checked before.

    Returns
    -------
    Content of the file.

    Raises
    ------
    ConfigError
        If the file cannot be read as YAML or does not fit the schema, with all problems.
    """
    content: dict[str, Any] = read_yaml(path)
    problems = [] if schema is None else find_violations(content, schema)
    if problems:
        listed = "\n".join(f"- {problem}" for problem in problems)
        message = f"The claims file '{path}' cannot be used:\n{listed}\nconfig/claims.md explains every key."
        raise ConfigError(message)
    return content
