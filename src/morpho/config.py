"""Check the configuration before the first job: keys and values against the schema, then keys against each other."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from morpho.errors import ConfigError

REMOVABLE = (("participants", "group_levels"), ("participants", "severity"), ("models", "families"))


def read_config(path: str | Path, schema: str | Path) -> dict[str, Any]:
    """Read a full configuration file and validate it against its schema.

    Parameters
    ----------
    path
        A YAML file with all keys.
    schema
        The JSON schema of the configuration, as YAML.

    Returns
    -------
    The configuration without removed entries (see `drop_removed`).

    Raises
    ------
    ConfigError
        If the file cannot be read as YAML or does not fit the schema.
    """
    config = _read_yaml(path)
    validate_config(config, schema)
    return drop_removed(config)


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
    validator = Draft202012Validator(_read_yaml(schema))
    errors = sorted(validator.iter_errors(config), key=lambda error: [str(part) for part in error.absolute_path])
    _raise_all([line for error in errors for line in _explain(error)])


def drop_removed(config: Mapping[str, Any]) -> dict[str, Any]:
    """Drop the groups, scales and families that are null.

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
    return kept


def check_config(config: Mapping[str, Any]) -> None:
    """Check what a schema cannot say: that the keys of a configuration do not contradict each other.

    Regions and atlas labels are checked in `morpho.rois`, folders and filters in `morpho.bids`, columns and levels of
    the participants table in `morpho.covariates`.

    Parameters
    ----------
    config
        The whole configuration, valid against the schema.

    Raises
    ------
    ConfigError
        With all problems.
    """
    config = drop_removed(config)
    checks: tuple[Callable[[Mapping[str, Any]], list[str]], ...] = (
        _folder_problems,
        _column_problems,
        _level_problems,
        _model_problems,
        _quality_problems,
    )
    _raise_all([problem for check in checks for problem in check(config)])


def _read_yaml(path: str | Path) -> Any:
    """Content of a YAML file."""
    try:
        return yaml.safe_load(Path(path).read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        message = f"'{path}' cannot be read as YAML: {error}. Correct the file."
        raise ConfigError(message) from error


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


def _folder_problems(config: Mapping[str, Any]) -> list[str]:
    """Folders that are not set."""
    meanings = {"bids_dir": "the BIDS folder with the T1w scans", "output_dir": "a folder outside it for the results"}
    return [
        f"{key} is not set; set it to {meaning}, in a file given with --configfile or by --config {key}=PATH"
        for key, meaning in meanings.items()
        if config[key] is None
    ]


def _column_problems(config: Mapping[str, Any]) -> list[str]:
    """Columns of participants.tsv with two meanings."""
    participants = config["participants"]
    uses: dict[str, list[str]] = {}
    for block in ("columns", "severity"):
        for key, column in participants[block].items():
            if column is not None:
                uses.setdefault(column, []).append(f"participants.{block}.{key}")
    return [
        f"column '{column}' is given to {' and '.join(keys)}; a column can mean one thing"
        for column, keys in uses.items()
        if len(keys) > 1 or column == "participant_id"
    ]


def _level_problems(config: Mapping[str, Any]) -> list[str]:
    """Spellings that belong to two levels."""
    problems = []
    for block in ("group_levels", "sex_levels"):
        owners: dict[str, set[str]] = {}
        for level, spellings in config["participants"][block].items():
            for spelling in (level, *spellings):
                owners.setdefault(str(spelling).strip().casefold(), set()).add(level)
        problems += [
            f"participants.{block}: the spelling '{spelling}' is given to {' and '.join(sorted(levels))}; it can mean "
            "one level (null takes a default group away)"
            for spelling, levels in owners.items()
            if len(levels) > 1
        ]
    return problems


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
    """Ranges that are upside down."""
    low, high = config["quality"]["brain_volume_range_ml"]
    if low < high:
        return []
    return [f"quality.brain_volume_range_ml is [{low}, {high}]; the first value must be the smaller one"]
