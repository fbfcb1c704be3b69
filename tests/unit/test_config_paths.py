"""Paths that the workflow engine would take for something else."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from morpho.config import check_config, take_tables
from morpho.config_paths import cut_paths, path_problems
from morpho.errors import ConfigError

CONFIG = Path(__file__).parents[2] / "config/config.yaml"


@pytest.mark.parametrize("path", ["/data/My Study é/\"x\" 'y'", "$HOME; 100% & #1: (a) [b] *?", "a~b", "ö", "\u202e"])
def test_odd_but_legal_paths_are_no_problem(path: str) -> None:
    assert path_problems({"bids_dir": path, "quality.decisions": None}) == []


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("/data/{study}", "output_dir is '/data/{study}'; Snakemake takes braces for names of wildcards. Rename"),
        ("/data/a}", "give the path of a link without { and }"),
        ("~/results", "output_dir is '~/results'; only a shell knows what ~ means. Write the whole path"),
        ("/data/a\nb", r"output_dir is '/data/a\nb', with a line break, tab or other control sign"),
        ("/data/M\udcfcller", r"output_dir is '/data/M\udcfcller', whose name is not UTF-8. Rename"),
    ],
)
def test_paths_with_another_meaning_are_named_with_their_key(path: str, problem: str) -> None:
    [found] = path_problems({"output_dir": path, "bids_dir": "/data"})
    assert problem in found


@pytest.mark.parametrize("key", ["bids_dir", "output_dir", "atlas.labels", "volumes.rois", "models.claims"])
def test_all_paths_of_the_configuration_are_looked_at(key: str) -> None:
    config: dict[str, Any] = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    config |= {"bids_dir": "raw", "output_dir": "results"}
    check_config(config)
    block, _, name = key.partition(".")
    if name:
        config[block][name] = "{x}"
    else:
        config[block] = "{x}"
    with pytest.raises(ConfigError, match=rf"{key} is '{{x}}'; Snakemake takes braces"):
        check_config(config)


def test_tables_in_place_of_scans_are_looked_at() -> None:
    with pytest.raises(ConfigError, match=r"participants is '~/people.tsv'; only a shell"):
        take_tables({"volumes": "v.tsv", "participants": "~/people.tsv"}, [])


@pytest.mark.parametrize(
    ("argument", "read", "is_cut"),
    [
        ("output_dir=/data/Study #1/out", "/data/Study", True),
        ("output_dir=/data/Study  #", "/data/Study", True),
        ("output_dir=/data/Study#1", "/data/Study#1", False),
        ("output_dir='/data/Study #1'", "/data/Study #1", False),
        ("output_dir=/data/other", "/data/Study", False),
        ("bids_dir=/data/Study #1", "/data/Study", False),
    ],
)
def test_paths_that_snakemake_cut_are_noticed(argument: str, read: str, *, is_cut: bool) -> None:
    found = cut_paths({"output_dir": read, "bids_dir": None}, ["--config", argument])
    assert found == (
        [f"{argument} was read as '{read}', because a # after a space begins a comment. Set output_dir in a file given "
         "with --configfile, in quotes"] if is_cut else []
    )  # fmt: skip
