"""The container recipes agree with the project, as nothing here can build them."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
RECIPES = ["Dockerfile", "Apptainer.def"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
# The packages that only build morpho (Makefile, target lock).
BUILDERS = {"hatchling", "editables"}


def read(name: str) -> str:
    return (ROOT / "container" / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("recipe", RECIPES)
def test_what_only_development_needs_is_taken_out(recipe: str) -> None:
    found = re.search(r"uninstall --yes((?: \\\n|[ \w-])+)", read(recipe))
    assert found is not None
    dev = {re.split(r"[<>=!~\[; ]", text)[0] for text in PROJECT["project"]["optional-dependencies"]["dev"]}
    assert set(found[1].replace("\\", " ").replace("&&", " ").split()) == dev | BUILDERS


@pytest.mark.parametrize("recipe", RECIPES)
def test_everything_is_installed_by_hash_and_nothing_is_resolved(recipe: str) -> None:
    text = read(recipe)
    assert "--no-deps --require-hashes --requirement requirements.lock" in text
    installs = re.findall(r"pip install .*", text)
    assert len(installs) == 2
    assert all("--no-deps" in line for line in installs)


@pytest.mark.parametrize("recipe", RECIPES)
def test_version_is_that_of_the_project(recipe: str) -> None:
    (version,) = re.findall(r"image\.version[ =]\"?([\d.]+)", read(recipe))
    assert version == PROJECT["project"]["version"]


@pytest.mark.parametrize("recipe", RECIPES)
def test_all_that_a_wheel_is_made_of_is_copied(recipe: str) -> None:
    needed = {
        "pyproject.toml",
        "hatch_build.py",
        "README.md",
        "LICENSE",
        "Snakefile",
        "config",
        "profiles",
        "workflow",
        "src",
    }
    copied = set(re.findall(r"[\w./-]+", read(recipe)))
    assert needed <= copied
    assert needed <= set(re.findall(r"^!(.+)$", read("Dockerfile.dockerignore"), re.MULTILINE))


def test_image_runs_as_nobody_in_particular() -> None:
    users = re.findall(r"^USER (.+)$", read("Dockerfile"), re.MULTILINE)
    assert users == ["1000"]
    assert read("Dockerfile").index("USER 1000") < read("Dockerfile").index("ENTRYPOINT")


def test_guide_says_that_nothing_was_built() -> None:
    assert "**Written, but not built here**" in read("README.md")
