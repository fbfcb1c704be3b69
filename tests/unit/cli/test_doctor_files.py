"""Data files are held against the SHA-256 that is recorded of each."""

import hashlib
import json
from pathlib import Path

import pytest

from morpho.atlas import TEMPLATE_FILES
from morpho.cli import doctor_files
from morpho.cli.doctor_files import RECORD, WEIGHTS, check_files, recorded_weights
from morpho.cli.pipeline import read_default_config

ROOT = Path(__file__).parents[3]


def test_this_installation_has_the_recorded_files() -> None:
    assert {finding.verdict for finding in check_files()} == {"ok"}


def test_template_and_default_atlas_are_recorded_as_in_the_guide() -> None:
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    assert set(record) == {*TEMPLATE_FILES.values(), read_default_config()["atlas"]["image"]}
    guide = (ROOT / "data/README.md").read_text(encoding="utf-8")
    assert [
        name for name, digest in record.items() if f"| `{digest}` | `{name.replace(':', '/')}` |" not in guide
    ] == []


def test_every_shipped_weight_is_recorded() -> None:
    shipped = {path.name for path in WEIGHTS.iterdir() if path.suffix in {".onnx", ".gz"}}
    assert set(recorded_weights(WEIGHTS)) == shipped


def test_file_that_was_changed_or_is_missing_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = hashlib.sha256(b"right").hexdigest()
    about = {"a": {"file": "a.onnx", "sha256": digest}, "b": {"file": "b.onnx", "sha256": digest}}
    (tmp_path / "networks.json").write_text(json.dumps(about), encoding="utf-8")
    (tmp_path / "a.onnx").write_bytes(b"wrong")
    monkeypatch.setattr(doctor_files, "WEIGHTS", tmp_path)
    found = {finding.what: finding for finding in check_files()}
    assert found["a.onnx"].verdict == found["b.onnx"].verdict == "fail"
    assert "is another file" in found["a.onnx"].value
    assert "cannot be read" in found["b.onnx"].value


def test_package_that_is_not_installed_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "record.json").write_text('{"no_such_package:data/x.nii.gz": "00"}', encoding="utf-8")
    monkeypatch.setattr(doctor_files, "RECORD", tmp_path / "record.json")
    assert check_files()[0].value == "package no_such_package is not installed"
