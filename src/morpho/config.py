"""Check the configuration before the first job: keys and values against the schema, then keys against each other."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from morpho.config_paths import cut_paths, path_problems
from morpho.errors import ConfigError
from morpho.participants_config import participants_problems
from morpho.quality_metrics import METRIC_FAILURES, METRIC_FLAGS, METRICS

REMOVABLE = (
    ("participants", "group_levels"), ("participants", "severity"), ("participants", "variables"),
    ("models", "families"), ("quality", "hard_limits"), ("quality", "limits"),
)  # fmt: skip
TEMPLATE_KEY = "__use_yte__"
TABLES = ("volumes", "participants")
PATHS = ("bids_dir", "output_dir")
BLOCK_PATHS = (
    ("atlas", "image"), ("atlas", "labels"), ("volumes", "rois"), ("models", "claims"), ("quality", "decisions"),
)  # fmt: skip


def validate_config(config: Mapping[str, Any], schema: str | Path) -> None:
    """Check keys, types and ranges of a configuration.

    Parameters
    ----------
    config
        The whole configuration.
    schema
        The JSON schema of the configuration, as YAML.

    Raises
    ------
    ConfigError
        With all problems: the key, the value seen, what is allowed, what the key means.
    """
    _raise_all(find_violations(config, schema))


def find_violations(content: Mapping[str, Any], schema: str | Path) -> list[str]:
    """List where the content of a YAML file violates a schema, a sentence each.

    Parameters
    ----------
    content
        What was read.
    schema
        The JSON schema, as YAML.
    """
    validator = Draft202012Validator(read_yaml(schema))
    errors = sorted(validator.iter_errors(content), key=lambda error: [str(part) for part in error.absolute_path])
    return [line for error in errors for line in _explain(error)]


def drop_removed(config: Mapping[str, Any]) -> dict[str, Any]:
    """Drop the groups, scales, study variables, families and limits that are null, and levels of variables that are.

    Configuration files are merged key by key, so that a study can take a default entry away only by setting it to
    null.

    Parameters
    ----------
    config
        A configuration that fits the schema.

    Examples
    --------
    >>> families = {"primary": {"rois": ["amygdala"]}, "totals": None}
    >>> drop_removed({"models": {"families": families}})
    {'models': {'families': {'primary': {'rois': ['amygdala']}}}}
    """
    kept = {block: dict(keys) if isinstance(keys, Mapping) else keys for block, keys in config.items()}
    for block, key in REMOVABLE:
        if key in kept.get(block, {}):
            kept[block][key] = {name: value for name, value in kept[block][key].items() if value is not None}
    for name, entry in kept.get("participants", {}).get("variables", {}).items():
        if entry.get("levels") is not None:
            levels = {level: given for level, given in entry["levels"].items() if given is not None}
            kept["participants"]["variables"][name] = {**entry, "levels": levels}
    return kept


def take_tables(
    config: Mapping[str, Any], layers: Iterable[str | Path]
) -> tuple[dict[str, Any], dict[str, str] | None]:
    """Take the paths of tables out of a configuration in which they stand for the blocks of their names.

    ``--config volumes=volumes.tsv participants=people.tsv`` puts a path where a block of keys was.

    Parameters
    ----------
    config
        The whole configuration, as Snakemake merged it.
    layers
        The configuration files that it was merged from, in their order.

    Returns
    -------
    config
        The same with the blocks of the files in place of the paths.
    tables
        Path of the table ``volumes`` and of the table ``participants``; None if the configuration names no table.

    Raises
    ------
    ConfigError
        If it names only one of the two, a path cannot be used, or a file cannot be read as YAML.
    """
    tables = {name: str(config[name]) for name in TABLES if isinstance(config.get(name), str)}
    if not tables:
        return dict(config), None
    absent = [name for name in TABLES if name not in tables]
    if absent:
        given, needed = next(iter(tables)), absent[0]
        message = (
            f"The configuration names a table, {given}={tables[given]}, but no table {needed}. Statistics without "
            "scans need both: --config volumes=VOLUMES.tsv participants=PARTICIPANTS.tsv."
        )
        raise ConfigError(message)
    _raise_all(path_problems(tables))
    blocks: dict[str, Any] = {name: {} for name in TABLES}
    for layer in layers:
        content = read_yaml(layer) or {}
        for name in TABLES:
            blocks[name] = _merge(blocks[name], content.get(name))
    return {**config, **blocks}, tables


def _merge(below: dict[str, Any], above: Any) -> dict[str, Any]:
    """Lay the keys of a block over those of another; what is no block (a path, nothing) changes nothing."""
    merged = dict(below)
    for key, value in above.items() if isinstance(above, Mapping) else ():
        under = merged.get(key)
        merged[key] = _merge(under if isinstance(under, dict) else {}, value) if isinstance(value, Mapping) else value
    return merged


def check_config(config: Mapping[str, Any], *, tables: bool = False, arguments: Iterable[str] = ()) -> None:
    """Check what a schema cannot say: that the keys of a configuration do not contradict each other.

    Regions and atlas labels are checked in `morpho.rois`, folders and filters in `morpho.bids`, columns and levels of
    the participants table in `morpho.covariates`.

    Parameters
    ----------
    config
        The whole configuration, valid against the schema.
    tables
        Whether the volumes come from a table (`take_tables`), so that no folder of scans is needed.
    arguments
        The command line that gave a part of the configuration.

    Raises
    ------
    ConfigError
        With all problems.
    """
    config = drop_removed(config)
    problems = _folder_problems(config, ("output_dir",) if tables else ("bids_dir", "output_dir"))
    paths = {key: config.get(key) for key in PATHS}
    paths |= {f"{block}.{key}": config.get(block, {}).get(key) for block, key in BLOCK_PATHS}
    problems += [*path_problems(paths), *cut_paths(paths, arguments)]
    problems += participants_problems(config["participants"])
    _raise_all([*problems, *_model_problems(config), *_quality_problems(config)])


def read_yaml(path: str | Path) -> Any:
    """Read a YAML file.

    Raises
    ------
    ConfigError
        If it cannot be read, or asks Snakemake to run the expressions in it.
    """
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        message = f"'{path}' cannot be read as YAML: {error}. Correct the file."
        raise ConfigError(message) from error
    if isinstance(content, Mapping) and TEMPLATE_KEY in content:
        message = (
            f"'{path}' has the key {TEMPLATE_KEY}, which makes a program of it. Take the key away; write plain YAML."
        )
        raise ConfigError(message)
    return content


def _raise_all(problems: list[str]) -> None:
    """Raise one error with all problems, if there are any."""
    if problems:
        message = "The configuration cannot be used:\n" + "\n".join(f"- {problem}" for problem in problems)
        raise ConfigError(message + "\nconfig/README.md explains every key.")


def _explain(error: ValidationError) -> list[str]:
    """Sentences about one violation of the schema."""
    key = ".".join(str(part) for part in error.absolute_path)
    schema: Any = error.schema
    if (
        error.validator == "additionalProperties"
        and isinstance(schema, Mapping)
        and isinstance(error.instance, Mapping)
    ):
        known = list(schema.get("properties", {}))
        prefix = f"{key}." if key else ""
        unknown = [str(name) for name in error.instance if name not in known]
        return [
            f"unknown key {prefix}{name}{_guess(name, known)}; allowed here: {', '.join(known)}" for name in unknown
        ]
    meaning = str(schema.get("description", "")).strip() if isinstance(schema, Mapping) else ""
    return [f"{key or 'top level'}: {error.message}{f' ({meaning})' if meaning else ''}"]


def _guess(name: str, known: list[str]) -> str:
    """Offer the most similar key."""
    close = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def _folder_problems(config: Mapping[str, Any], needed: Iterable[str]) -> list[str]:
    """Folders that are needed but not set."""
    meanings = {"bids_dir": "the BIDS folder with the T1w scans", "output_dir": "a folder outside it for the results"}
    return [
        f"{key} is not set; set it to {meanings[key]}, in a file given with --configfile or by --config {key}=PATH"
        for key in needed
        if config[key] is None
    ]


def _model_problems(config: Mapping[str, Any]) -> list[str]:
    """Contradictions of groups, covariates and families."""
    models, participants = config["models"], config["participants"]
    problems = []
    if models["reference_group"] == models["comparison_group"]:
        problems.append(f"models.reference_group and models.comparison_group are both '{models['reference_group']}'")
    levels = list(participants["group_levels"])
    problems += [
        f"models.{key} is '{models[key]}', not a group of participants.group_levels: {', '.join(levels) or 'none'}"
        for key in ("reference_group", "comparison_group")
        if participants["columns"]["group"] is not None and models[key] not in levels
    ]
    problems += [
        f"models.covariates has '{covariate}', but participants.columns.{covariate} is null; set the column, or take "
        "the covariate away"
        for covariate in models["covariates"]
        if participants["columns"][covariate] is None
    ]
    problems += [
        f"models.families.{name} tests '{models['head_size']}', which is also models.head_size; a volume cannot be "
        "adjusted for itself"
        for name, family in models["families"].items()
        if models["head_size"] in family["rois"]
    ]
    return problems


def _quality_problems(config: Mapping[str, Any]) -> list[str]:
    """Limits of metrics that are not measured, that have no name for being beyond, or that are upside down."""
    problems = []
    for key, codes in (("hard_limits", METRIC_FAILURES), ("limits", METRIC_FLAGS)):
        for metric, (low, high) in config["quality"][key].items():
            place = f"quality.{key}.{metric}"
            if metric not in METRICS:
                problems.append(
                    f"{place} is no metric{_guess(metric, list(METRICS))}; metrics are {', '.join(METRICS)}"
                )
                continue
            if low is not None and high is not None and low >= high:
                problems.append(f"{place} is [{low}, {high}]; the first value must be the smaller one")
            for limit, code, which in zip((low, high), codes.get(metric, ("", "")), ("lowest", "highest"), strict=True):
                if limit is not None and not code:
                    problems.append(f"{place} has a {which} value, {limit}, but that direction has no fault; use null")
    return problems
