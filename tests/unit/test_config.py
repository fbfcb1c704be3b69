"""Contradictions between keys, which a schema cannot see."""

from pathlib import Path
from typing import Any

import pytest

from morpho.config import check_config, drop_removed, read_yaml, take_tables, validate_config
from morpho.errors import ConfigError


@pytest.fixture
def config() -> dict[str, Any]:
    return {
        "bids_dir": "raw",
        "output_dir": "results",
        "participants": {
            "columns": {"group": "group", "sex": "sex", "age": "age", "site": None},
            "group_levels": {"control": ["hc", "0"], "patient": ["mdd", 1]},
            "sex_levels": {"F": ["f"], "M": ["m"]},
            "severity": {"BDI": "BDI"},
            "variables": {"relapse": {"column": "relapse", "levels": {"yes": ["y"], "no": ["n"]}}},
        },
        "quality": {"hard_limits": {"brain_mask_volume_ml": [700, 2200]}, "limits": {"mask_parts": [None, 1]}},
        "models": {
            "reference_group": "control",
            "comparison_group": "patient",
            "covariates": ["age", "sex"],
            "head_size": "tiv",
            "families": {"primary": {"rois": ["hippocampus"], "hemispheres": ["mean"]}},
        },
    }


def test_consistent_config_passes_and_is_left_as_it_was(config: dict[str, Any]) -> None:
    before = repr(config)
    check_config(config)
    assert repr(config) == before


def test_all_problems_are_told_at_once(config: dict[str, Any]) -> None:
    config["bids_dir"] = None
    config["models"]["reference_group"] = "patient"
    config["quality"]["hard_limits"]["brain_mask_volume_ml"] = [2200, 700]
    with pytest.raises(ConfigError) as caught:
        check_config(config)
    message = str(caught.value)
    assert "bids_dir is not set" in message
    assert "are both 'patient'" in message
    assert "[2200, 700]; the first value must be the smaller one" in message


def test_limits_need_a_metric_and_a_name_for_being_beyond(config: dict[str, Any]) -> None:
    config["quality"]["hard_limits"] |= {"tiv_ml": [900, None], "registration_corelation": [0.5, None]}
    config["quality"]["limits"]["contrast_to_noise"] = [1.0, 9.0]
    with pytest.raises(ConfigError) as caught:
        check_config(config)
    message = str(caught.value)
    assert "quality.hard_limits.tiv_ml has a lowest value, 900, but that direction has no fault" in message
    assert "registration_corelation is no metric (did you mean registration_correlation?)" in message
    assert "quality.limits.contrast_to_noise has a highest value, 9.0" in message
    assert "has a lowest value, 1.0" not in message


def test_a_default_limit_can_be_taken_away(config: dict[str, Any]) -> None:
    config["quality"]["hard_limits"] |= {"registration_correlation": None}
    check_config(config)
    assert drop_removed(config)["quality"]["hard_limits"] == {"brain_mask_volume_ml": [700, 2200]}


def test_unknown_group_is_refused_with_the_known_ones(config: dict[str, Any]) -> None:
    config["models"]["comparison_group"] = "mania"
    with pytest.raises(ConfigError, match=r"comparison_group is 'mania', not a group .*: control, patient"):
        check_config(config)


def test_cohort_without_groups_needs_no_levels(config: dict[str, Any]) -> None:
    config["participants"]["columns"]["group"] = None
    config["participants"]["group_levels"] = {}
    check_config(config)


def test_covariate_without_column_is_refused(config: dict[str, Any]) -> None:
    config["participants"]["columns"]["age"] = None
    with pytest.raises(ConfigError, match=r"has 'age', but participants\.columns\.age is null"):
        check_config(config)


@pytest.mark.parametrize("spelling", ["MDD ", "control", "1"])
def test_spelling_of_two_levels_is_refused(config: dict[str, Any], spelling: str) -> None:
    config["participants"]["group_levels"]["relative"] = [spelling, "control", "mdd", 1]
    with pytest.raises(ConfigError, match=f"the spelling '{spelling.strip().lower()}' is given to"):
        check_config(config)


def test_null_takes_a_default_group_away(config: dict[str, Any]) -> None:
    config["participants"]["group_levels"] |= {"control": None, "healthy": ["hc"]}
    config["models"]["reference_group"] = "healthy"
    check_config(config)


def test_column_with_two_meanings_is_refused(config: dict[str, Any]) -> None:
    config["participants"]["severity"]["HAMD"] = "BDI"
    with pytest.raises(
        ConfigError, match=r"'BDI' is given to participants\.severity\.BDI and participants\.severity\.HAMD"
    ):
        check_config(config)


def test_head_size_is_not_adjusted_for_itself(config: dict[str, Any]) -> None:
    config["models"]["families"]["totals"] = {"rois": ["tiv"], "hemispheres": ["whole"]}
    with pytest.raises(ConfigError, match=r"families\.totals tests 'tiv'"):
        check_config(config)


def test_drop_removed_leaves_other_nulls() -> None:
    config = {"scans": {"filters": {"run": None}}, "models": {"families": {"a": None}}, "bids_dir": None}
    assert drop_removed(config) == {"scans": {"filters": {"run": None}}, "models": {"families": {}}, "bids_dir": None}


def test_drop_removed_takes_away_variables_and_their_levels() -> None:
    variables = {
        "state": None,
        "medication": {"column": "drug", "levels": {"naive": ["no"], "free": None}},
        "handedness": {"column": "Edinburgh", "levels": None},
    }
    config = {"participants": {"variables": variables}}
    assert drop_removed(config)["participants"]["variables"] == {
        "medication": {"column": "drug", "levels": {"naive": ["no"]}},
        "handedness": {"column": "Edinburgh", "levels": None},
    }
    assert variables["medication"] == {"column": "drug", "levels": {"naive": ["no"], "free": None}}


def test_statistics_on_tables_need_no_folder_of_scans(config: dict[str, Any]) -> None:
    config["bids_dir"] = None
    check_config(config, tables=True)
    config["output_dir"] = None
    with pytest.raises(ConfigError) as caught:
        check_config(config, tables=True)
    assert "output_dir is not set" in str(caught.value)
    assert "bids_dir is not set" not in str(caught.value)


@pytest.fixture
def layers(tmp_path: Path) -> list[Path]:
    contents = [
        "volumes: {rois: rois.tsv, min_voxels: 5}\nparticipants: {severity: {}, columns: {sex: sex, age: age}}\n",
        "participants: {severity: {BDI: bdi}, columns: {sex: gender}}\nreport: {title: Mine}\n",
        "participants: people.tsv\n",
        "",
    ]
    paths = [tmp_path / f"{number}.yaml" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_text(content, encoding="utf-8")
    return paths


def test_paths_of_tables_are_taken_out_and_their_blocks_restored(layers: list[Path]) -> None:
    config = {"volumes": "v.tsv", "participants": "p.tsv", "report": {"title": "Mine"}, "output_dir": "out"}
    before = repr(config)
    restored, tables = take_tables(config, layers)
    assert tables == {"volumes": "v.tsv", "participants": "p.tsv"}
    assert restored == {
        "volumes": {"rois": "rois.tsv", "min_voxels": 5},
        "participants": {"severity": {"BDI": "bdi"}, "columns": {"sex": "gender", "age": "age"}},
        "report": {"title": "Mine"},
        "output_dir": "out",
    }
    assert repr(config) == before


def test_configuration_without_tables_is_left_as_it_is(config: dict[str, Any], layers: list[Path]) -> None:
    assert take_tables(config, layers) == (config, None)


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ("volumes", "volumes=x.tsv, but no table participants"),
        ("participants", "participants=x.tsv, but no table volumes"),
    ],
)
def test_one_table_needs_the_other(config: dict[str, Any], layers: list[Path], block: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        take_tables({**config, block: "x.tsv"}, layers)


def test_schema_problems_are_told_at_once_and_typos_get_a_guess(tmp_path: Path) -> None:
    schema = tmp_path / "schema.yaml"
    schema.write_text(
        "type: object\nadditionalProperties: false\nproperties:\n  dpi: {type: integer, description: Dots per inch.}\n"
        "  formats: {type: array}\n",
        encoding="utf-8",
    )
    with pytest.raises(ConfigError) as caught:
        validate_config({"dpi": "many", "format": 1}, schema)
    assert "unknown key format (did you mean formats?); allowed here: dpi, formats" in str(caught.value)
    assert "dpi: 'many' is not of type 'integer' (Dots per inch.)" in str(caught.value)


def test_broken_yaml_is_named(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("models: [1, 2", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"config\.yaml' cannot be read as YAML"):
        read_yaml(path)


def test_a_file_that_is_a_program_is_refused(tmp_path: Path) -> None:
    """Snakemake evaluates what follows a question mark in a file with this key."""
    path = tmp_path / "my.yaml"
    path.write_text("__use_yte__: true\nreport:\n  title: ?print(1)\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="makes a program of it"):
        read_yaml(path)
