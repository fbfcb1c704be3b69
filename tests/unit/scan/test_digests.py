"""What scans were measured with is another digest as soon as a part of it is another, and that part alone."""

from pathlib import Path

import pytest

from morpho.atlas import find_data_file
from morpho.scan import digests
from morpho.scan.digests import STAGES, digest_code, measured_with
from morpho.scan.plan import MAKERS

SETTINGS = {"volumes": {"min_voxels": 5}}


@pytest.fixture
def atlas(tmp_path: Path) -> dict[str, str]:
    files = {name: tmp_path / name for name in ("image", "labels", "rois")}
    for name, path in files.items():
        path.write_text(name, encoding="utf-8")
    return {name: str(path) for name, path in files.items()}


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    assert set(before) == set(after) == {"code", "atlas", "template", "weights", "settings"}
    return {key for key in before if before[key] != after[key]}


def test_settings_and_atlas(atlas: dict[str, str]) -> None:
    before = measured_with(SETTINGS, "dk", atlas)
    assert changed(before, measured_with(SETTINGS, "dk", atlas)) == set()
    assert changed(before, measured_with({"volumes": {"min_voxels": 6}}, "dk", atlas)) == {"settings"}
    assert changed(before, measured_with(SETTINGS, "other", atlas)) == {"atlas"}
    for path in atlas.values():
        earlier = measured_with(SETTINGS, "dk", atlas)
        Path(path).write_text("another", encoding="utf-8")
        assert changed(earlier, measured_with(SETTINGS, "dk", atlas)) == {"atlas"}


def test_another_version_of_a_library_is_another_code(monkeypatch: pytest.MonkeyPatch, atlas: dict[str, str]) -> None:
    before = measured_with(SETTINGS, "dk", atlas)
    stages = {name: digest_code(name) for name in STAGES}
    monkeypatch.setattr(digests.importlib.metadata, "version", lambda _: "0.0")
    assert changed(before, measured_with(SETTINGS, "dk", atlas)) == {"code"}
    unchanged = {name for name in STAGES if digest_code(name) == stages[name]}
    assert unchanged == {"volumes"}  # arithmetic alone


def test_other_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, atlas: dict[str, str]) -> None:
    before = measured_with(SETTINGS, "dk", atlas)
    other = tmp_path / "networks.json"
    other.write_text("{}", encoding="utf-8")

    def find(location: str) -> Path:
        return other if location.endswith("networks.json") else find_data_file(location)

    monkeypatch.setattr(digests, "find_data_file", find)
    assert changed(before, measured_with(SETTINGS, "dk", atlas)) == {"weights"}


def test_every_stage_of_the_plan_has_a_digest() -> None:
    assert tuple(MAKERS) == STAGES
