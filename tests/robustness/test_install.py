"""Pain 26: what morpho needs is ordinary packages, no framework for training and no graphics card."""

import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
FRAMEWORKS = {"torch", "tensorflow", "keras", "jax", "onnx", "antspynet", "templateflow", "nipype"}
IMPORT_ALL = """
import importlib, pkgutil, sys
import morpho
for module in pkgutil.walk_packages(morpho.__path__, "morpho."):
    importlib.import_module(module.name)
print(sorted(set(name.partition(".")[0] for name in sys.modules)))
"""


def test_no_framework_is_needed_or_imported() -> None:
    assert not FRAMEWORKS & {Requirement(line).name for line in PROJECT["dependencies"]}
    run = subprocess.run([sys.executable, "-c", IMPORT_ALL], capture_output=True, text=True, check=True)
    imported = set(run.stdout.strip()[2:-2].split("', '"))
    assert "nibabel" in imported
    assert not FRAMEWORKS & imported


def test_three_versions_of_python_are_allowed_and_said() -> None:
    allowed = SpecifierSet(PROJECT["requires-python"])
    assert all(version in allowed for version in ("3.11", "3.12", "3.13"))
    assert "3.10" not in allowed
    assert "(3.11 to 3.13)" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_lock_holds_for_linux_and_macos_and_is_pinned() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    lines = [line for line in lock.splitlines() if line and not line.startswith((" ", "#"))]
    assert [line for line in lines if "==" not in line] == []
    needed = {Requirement(line).name.lower() for line in PROJECT["dependencies"]}
    locked = {line.partition("==")[0].lower() for line in lines}
    assert needed <= locked
    assert not [line for line in lines if "sys_platform == 'linux'" in line and line.partition("==")[0] in needed]
