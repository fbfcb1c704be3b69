"""The digest of code changes when, and only when, code that is used changes."""

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from morpho import provenance
from morpho.errors import ConfigError
from morpho.provenance import RECORDED_PACKAGES, software_versions, source_digest

SOURCE = Path(provenance.__file__).parent
MODULES = {
    "errors.py": "",
    "images.py": "from morpho.errors import ImageError\n",
    "tables.py": "import json\n",
    "measure/__init__.py": "",
    "measure/volumes.py": "import numpy\nfrom morpho.images import load\n",
    "measure/quality.py": "from morpho.tables import write\n",
}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Small package in place of morpho."""
    for name, text in MODULES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "provenance.py"))
    return tmp_path


def test_digest_is_sixteen_hexadecimal_digits_and_repeatable() -> None:
    digest = source_digest("morpho.measure.volumes")
    assert len(digest) == 16
    assert int(digest, 16) >= 0
    assert source_digest("morpho.measure.volumes") == digest


@pytest.mark.parametrize("name", ["measure/volumes.py", "images.py", "errors.py"])
def test_change_of_code_that_is_used_changes_the_digest(package: Path, name: str) -> None:
    before = source_digest("morpho.measure.volumes")
    (package / name).write_text(MODULES[name] + "CHANGED = 1\n")
    assert source_digest("morpho.measure.volumes") != before


@pytest.mark.parametrize("name", ["measure/quality.py", "tables.py"])
def test_change_of_other_code_leaves_the_digest(package: Path, name: str) -> None:
    before = source_digest("morpho.measure.volumes")
    (package / name).write_text(MODULES[name] + "CHANGED = 1\n")
    assert source_digest("morpho.measure.volumes") == before


def test_words_and_layout_do_not_count(package: Path) -> None:
    path = package / "images.py"
    path.write_text("def load(a):\n    return a + 1\n")
    before = source_digest("morpho.measure.volumes")
    path.write_text('"""Images."""\n\ndef load(\n    a,\n):\n    """Load."""\n    return a + 1  # why\n')
    assert source_digest("morpho.measure.volumes") == before
    path.write_text("def load(a):\n    return a + 2\n")
    assert source_digest("morpho.measure.volumes") != before


def test_modules_may_import_each_other(package: Path) -> None:
    (package / "errors.py").write_text("from morpho.images import load\n")
    assert source_digest("morpho.images") == source_digest("morpho.errors")


def test_order_of_the_modules_does_not_matter() -> None:
    first, second = "morpho.rois", "morpho.measure.quality"
    assert source_digest(first, second) == source_digest(second, first)
    assert source_digest(first, second) != source_digest(first)


@pytest.mark.parametrize("name", ["morpho.nonsense", "morpho.measure.nonsense", "numpy.images"])
def test_unknown_module_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"no module '{name}'"):
        source_digest(name)


def test_digest_covers_what_python_imports() -> None:
    name = "morpho.infer.models"
    code = f"import sys, {name}; print(*(n for n in sys.modules if n.startswith('morpho.')))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    imported = {module for module in printed if not (SOURCE / Path(*module.split(".")[1:])).is_dir()}
    assert provenance._imported_modules((name,)) == imported


def test_every_import_in_the_package_is_one_that_the_digest_follows() -> None:
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                assert not any(alias.name.split(".")[0] == "morpho" for alias in node.names), path
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, path
                package = SOURCE.parent.joinpath(*(node.module or "").split("."))
                assert not package.is_dir() or path.name == "__init__.py", path


def test_versions_name_what_makes_the_numbers() -> None:
    versions = software_versions()
    assert set(versions) == {"python", "platform", *RECORDED_PACKAGES}
    assert versions["numpy"] == np.__version__
    assert versions["python"] == ".".join(map(str, sys.version_info[:3]))


def test_absent_package_is_said_to_be_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "RECORDED_PACKAGES", ("no_such_package",))
    assert software_versions()["no_such_package"] == "not installed"
