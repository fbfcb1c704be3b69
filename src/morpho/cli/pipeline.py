"""Where the workflow lies, and how a configuration for it is put together.

In a checkout (and an editable installation) the workflow is the checkout itself; a wheel carries a copy of it beside
the package's code. What reads YAML is imported where it is needed, as `morpho doctor` must run where it is missing.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from morpho.errors import CommandLineError

PACKAGE = Path(__file__).parents[1]
# Keys whose values are paths: of the study (from the folder in which the command runs), and of data files that may
# also be given from the folder of the Snakefile, or as package:path.
STUDY_PATHS = (("quality", "decisions"), ("models", "norm_table"))
DATA_PATHS = (
    ("atlas", "image"), ("atlas", "labels"), ("volumes", "rois"), ("models", "claims"), ("figures", "style"),
)  # fmt: skip


def pipeline_folder() -> Path:
    """Find the folder with the Snakefile.

    Raises
    ------
    CommandLineError
        If neither the package nor the checkout around it has one.
    """
    candidates = [PACKAGE / "pipeline", PACKAGE.parents[1]]
    for folder in candidates:
        if (folder / "Snakefile").is_file():
            return folder
    message = (
        f"The workflow is missing: there is no Snakefile in {' or '.join(map(str, candidates))}. Install morpho again."
    )
    raise CommandLineError(message)


def snakemake_command() -> list[str]:
    """Begin a call of Snakemake with the Python that runs this, whatever lies in the present folder (``-P``)."""
    return [sys.executable, "-P", "-m", "snakemake"]


def find_profile(name: str) -> list[str]:
    """Find a profile, by its name if it is one of those that come with morpho, or else by its folder.

    Parameters
    ----------
    name
        Name or folder.

    Returns
    -------
    Options of Snakemake. A profile that comes with morpho stands in place of the default one; another one adds to it.

    Raises
    ------
    CommandLineError
        If there is no such name and no such folder.
    """
    shipped = pipeline_folder() / "profiles"
    known = sorted(path.parent.name for path in shipped.glob("*/config*.yaml"))
    if name in known:
        return ["--workflow-profile", str(shipped / name)]
    if any(Path(name).glob("config*.yaml")):
        return ["--profile", str(Path(name).resolve()), "--workflow-profile", str(shipped / "default")]
    message = (
        f"There is no profile '{name}': neither one that comes with morpho ({', '.join(known)}) nor a folder with a "
        "config.yaml. Name one of them."
    )
    raise CommandLineError(message)


def read_default_config() -> dict[str, Any]:
    """Read the configuration that every study starts from."""
    from morpho.config import read_yaml

    config: dict[str, Any] = read_yaml(pipeline_folder() / "config" / "config.yaml")
    return config


def config_schema() -> Path:
    """Path of the schema of the configuration."""
    return pipeline_folder() / "workflow" / "schemas" / "config.schema.yaml"


def read_study_config(path: str | Path) -> dict[str, Any]:
    """Read a configuration file of a study, all its paths made absolute.

    Parameters
    ----------
    path
        YAML with the keys that differ from the defaults; its relative paths start at the present folder.

    Returns
    -------
    What is in the file.

    Raises
    ------
    CommandLineError
        If there is no such file, or it holds no keys.
    """
    from morpho.config import read_yaml

    if not Path(path).is_file():
        message = f"There is no configuration file '{path}'. Name an existing one; `morpho init BIDS_DIR` writes one."
        raise CommandLineError(message)
    content = read_yaml(path)
    if content is None:
        return {}
    if not isinstance(content, dict):
        message = f"'{path}' holds no keys of a configuration but {type(content).__name__}. See config/README.md."
        raise CommandLineError(message)
    return absolute_paths(content)


def absolute_paths(config: Mapping[str, Any]) -> dict[str, Any]:
    """Make the paths of a configuration absolute, which would otherwise start at the folder that Snakemake runs in."""
    changed: dict[str, Any] = {
        key: dict(value) if isinstance(value, Mapping) else value for key, value in config.items()
    }
    for key in ("bids_dir", "output_dir"):
        changed |= {key: _absolute(changed[key])} if isinstance(changed.get(key), str) else {}
    for block, key in (*STUDY_PATHS, *DATA_PATHS):
        keys = changed.get(block)
        value = keys.get(key) if isinstance(keys, dict) else None
        if isinstance(value, str) and ((block, key) in STUDY_PATHS or Path(value).exists()):
            changed[block][key] = _absolute(value)
    return changed


def _absolute(path: str) -> str:
    """Make a path absolute; one with ~ stays, so that it is refused with the remedy."""
    return path if path.startswith("~") else str(Path(path).absolute())


def merge_configs(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Lay the keys of a configuration over those of another, block by block, as Snakemake does.

    Examples
    --------
    >>> merge_configs({"scans": {"filters": {"run": 1}}}, {"scans": {"participants": ["01"]}})
    {'scans': {'filters': {'run': 1}, 'participants': ['01']}}
    """
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        both = isinstance(value, Mapping) and isinstance(under, Mapping)
        merged[key] = merge_configs(under, value) if both and isinstance(under, Mapping) else value
    return merged
