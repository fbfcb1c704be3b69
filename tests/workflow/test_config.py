"""The configuration that ships with morpho: its schema, its defaults and its documentation agree."""

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from morpho.config import check_config, drop_removed, read_yaml, take_tables, validate_config
from morpho.errors import ConfigError
from morpho.rois import check_regions, read_labels, read_rois, resolve_rois

ROOT = Path(__file__).parents[2]
SCHEMA_FILE = ROOT / "workflow/schemas/config.schema.yaml"
CONFIG_FILE = ROOT / "config/config.yaml"
SCHEMA = yaml.safe_load(SCHEMA_FILE.read_text(encoding="utf-8"))


@pytest.fixture
def config() -> dict[str, Any]:
    return yaml.safe_load(CONFIG_FILE.read_text(encoding="utf-8"))


def walk(node: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """All keys of the schema; a key with a free name is "*"."""
    for name, child in node.get("properties", {}).items():
        yield (*path, name), child
        yield from walk(child, (*path, name))
    free = node.get("additionalProperties")
    if isinstance(free, dict):
        yield from walk(free, (*path, "*"))


KEYS = dict(walk(SCHEMA))
LEAVES = {".".join(path): node for path, node in KEYS.items() if "properties" not in node}
CLOSED = [path for path, node in KEYS.items() if "properties" in node]
README_ROW = re.compile(r"^\| `([^`]+)` \| (.+?) \| (.*?) ?\| (?:`(.+)`|see `config.yaml`) \|$", re.MULTILINE)


def test_schema_is_a_schema_without_defaults() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert "default" not in {key for node in KEYS.values() for key in node}


def test_every_key_is_described_and_every_fixed_level_is_closed() -> None:
    assert SCHEMA["additionalProperties"] is False
    for path, node in KEYS.items():
        assert node.get("description"), path
        if "properties" in node:
            assert node["additionalProperties"] is False, path
            assert set(node["required"]) == set(node["properties"]), path


def test_defaults_are_valid_and_complete() -> None:
    defaults = read_yaml(CONFIG_FILE)
    validate_config(defaults, SCHEMA_FILE)
    assert drop_removed(defaults) == defaults


FREE = [("models", "families", "primary"), ("participants", "variables", "state")]


@pytest.mark.parametrize("path", [(), *CLOSED, *FREE], ids=".".join)
def test_unknown_key_is_refused_at_every_level(config: dict[str, Any], path: tuple[str, ...]) -> None:
    level = config
    for name in path:
        level = level[name]
    level["unknown_key"] = 1
    key = re.escape(".".join([*path, "unknown_key"]))
    with pytest.raises(ConfigError, match=rf"unknown key {key}; allowed here"):
        validate_config(config, SCHEMA_FILE)


@pytest.mark.parametrize("path", [path for path in KEYS if "*" not in path], ids=".".join)
def test_absent_key_is_refused(config: dict[str, Any], path: tuple[str, ...]) -> None:
    level = config
    for name in path[:-1]:
        level = level[name]
    del level[path[-1]]
    with pytest.raises(ConfigError, match=f"'{path[-1]}' is a required property"):
        validate_config(config, SCHEMA_FILE)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("models.confidence", 1),
        ("models.confidence", 95),
        ("models.head_size", "icv"),
        ("models.covariates", ["age", "education"]),
        ("models.min_group_size", 1),
        ("models.min_residual_df", 2),
        ("preprocess.brain", "head"),
        ("preprocess.margin_mm", -1),
        ("register.iterations", []),
        ("register.iterations", [10.5]),
        ("segment.prior_weight", 1.1),
        ("atlas.space", "MNI305"),
        ("volumes.min_voxels", 0),
        ("quality.hard_limits", {"brain_mask_volume_ml": [700]}),
        ("quality.limits", {"structure_overlap": ["low", None]}),
        ("quality.region_mads", 0),
        ("report.share", "yes"),
        ("figures.formats", ["gif"]),
        ("participants.group_levels", {"1st": ["a"]}),
        ("participants.severity", {"HADS/depr": "x"}),
        ("participants.variables", {"": {"column": "x"}}),
        ("participants.variables", {"ICD-10 ": {"column": "x"}}),
        ("participants.variables", {"a\tb": {"column": "x"}}),
        ("participants.variables", {"ICD-10\n": {"column": "x"}}),
        ("participants.variables", {"ICD-10": {"levels": {}}}),
        ("participants.variables", {"ICD-10": {"column": None}}),
        ("participants.variables", {"ICD-10": {"column": "x", "domain": "severity"}}),
        ("participants.variables", {"relapse": {"column": "x", "levels": {True: ["y"]}}}),
        ("participants.variables", {"relapse": {"column": "x", "levels": {"yes": [True]}}}),
        ("scans.filters", {"run": {"a": 1}}),
    ],
)
def test_impossible_value_is_refused_with_its_key(config: dict[str, Any], key: str, value: object) -> None:
    block, name = key.split(".")
    config[block][name] = value
    with pytest.raises(ConfigError, match=rf"- {re.escape(key)}"):
        validate_config(config, SCHEMA_FILE)


def test_names_of_variables_and_scales_may_be_those_of_their_columns(config: dict[str, Any]) -> None:
    config["participants"]["severity"] = {"HADS-depr": "HADS-depr", "1st score": "1"}
    config["participants"]["variables"] |= {
        "ICD-10": {"column": "ICD-10", "levels": {"F32.0": [], "2nd": ["F33", 2], "F34": None}, "domain": "clinical"},
        "HADS-anx": {"column": "HADS-anx", "unit": None, "domain": None, "levels": None},
        "5-HTTLPR (rs25531)": {"column": "5-HTTLPR", "levels": {}},
        "state": None,
    }
    validate_config(config, SCHEMA_FILE)


def test_yes_without_quotes_is_told_so(config: dict[str, Any]) -> None:
    config["participants"]["variables"]["relapse"]["levels"] = yaml.safe_load("{yes: [y], no: [n]}")
    with pytest.raises(ConfigError, match=r"True is not of type 'string' .*Quote yes and no"):
        validate_config(config, SCHEMA_FILE)


def test_study_of_ds002748_fits_the_schema_and_does_not_contradict_itself() -> None:
    study = ROOT / "config/ds002748.yaml"
    layers = [CONFIG_FILE, study]
    paths = {"volumes": "v.tsv", "participants": "p.tsv", "output_dir": "results"}
    config, tables = take_tables(yaml.safe_load(CONFIG_FILE.read_text(encoding="utf-8")) | paths, layers)
    assert tables == {"volumes": "v.tsv", "participants": "p.tsv"}
    validate_config(config, SCHEMA_FILE)
    check_config(config, tables=True)
    variables = config["participants"]["variables"]
    assert variables["ICD-10"]["levels"] == {"mild": ["F32.0"], "moderate": ["F32.1"]}
    assert variables["anxiety_total"] == {"column": "HADS-anx", "unit": "points", "domain": "anxiety"}
    assert variables["handedness"] == {"column": "Edinburgh", "domain": "demographic", "levels": None}
    assert config["volumes"] == yaml.safe_load(CONFIG_FILE.read_text(encoding="utf-8"))["volumes"]


def test_readme_lists_exactly_the_keys_of_the_schema() -> None:
    rows = README_ROW.findall((ROOT / "config/README.md").read_text(encoding="utf-8"))
    assert sorted(row[0] for row in rows) == sorted(LEAVES)


def test_readme_has_the_defaults(config: dict[str, Any]) -> None:
    for key, _, _, cell in README_ROW.findall((ROOT / "config/README.md").read_text(encoding="utf-8")):
        if cell:
            value = copy.deepcopy(config)
            for name in key.split("."):
                value = value[name]
            assert yaml.safe_load(cell) == value, key


def test_units_in_names_are_units_in_the_readme() -> None:
    units = {"mm": "mm", "ml": "ml", "mads": "scaled MAD", "dpi": "dots per inch"}
    for key, _, unit, _ in README_ROW.findall((ROOT / "config/README.md").read_text(encoding="utf-8")):
        ending = re.split(r"[._]", key)[-1]
        if ending in units:
            assert unit == units[ending], key


def test_defaults_do_not_contradict_themselves(config: dict[str, Any]) -> None:
    check_config(config | {"bids_dir": "raw", "output_dir": "results"})


def test_regions_of_the_defaults_exist_in_the_atlas(config: dict[str, Any]) -> None:
    rois = read_rois(ROOT / config["volumes"]["rois"])
    check_regions(rois, atlas=config["atlas"]["name"], families=config["models"]["families"])
    resolved = resolve_rois(rois, read_labels(ROOT / config["atlas"]["labels"]))
    assert len(resolved) == len(rois)
