"""The files of the report: pictures sorted from failure notes, figures from captions, and the folder itself."""

from __future__ import annotations

import hashlib
import json
from io import BytesIO
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from morpho.atlas import find_data_file
from morpho.failures import Failure, write_failure
from morpho.present.report_files import (
    find_pictures,
    find_vendored,
    make_viewer,
    place_figures,
    read_exclusions,
    read_sources,
    read_tables,
    write_report,
)

REPOSITORY = Path(__file__).parents[3]


def test_the_viewer_is_the_recorded_file_and_brings_its_licence() -> None:
    record = json.loads(find_data_file("morpho:vendor/niivue/niivue.json").read_text(encoding="utf-8"))
    vendored = find_vendored({"viewer/sub-01.js": "x"})
    assert set(vendored) == {"viewer/niivue.umd.js", "viewer/LICENSE-niivue.txt"}
    content = vendored["viewer/niivue.umd.js"].read_bytes()
    assert hashlib.sha256(content).hexdigest() == record["sha256"]
    licence = vendored["viewer/LICENSE-niivue.txt"].read_text(encoding="utf-8")
    assert "BSD 2-Clause" in licence
    assert "Copyright (c) 2021, Niivue" in licence
    assert find_vendored({}) == {}


def test_pictures_are_sorted_from_failures_with_the_end_of_their_log(tmp_path: Path) -> None:
    log = tmp_path / "out" / "logs" / "preprocess_t1w" / "sub-02.log"
    log.parent.mkdir(parents=True)
    log.write_text("".join(f"line {i}\n" for i in range(100)), encoding="utf-8")
    good, bad = tmp_path / "a.webp", tmp_path / "b.webp"
    good.write_bytes(b"RIFF")
    write_failure(Failure("preprocess", "no brain", str(log)), [bad])
    found = find_pictures(["sub-01", "sub-02"], [str(good), str(bad)], [str(good), str(bad)])
    assert dict(found.files) == {"pictures/sub-01.webp": good, "thumbnails/sub-01.webp": good}
    failure = found.failures["sub-02"]
    assert (failure.stage, failure.log) == ("preprocess", "logs/preprocess_t1w/sub-02.log")
    assert failure.log_end.splitlines() == [f"line {i}" for i in range(75, 100)]
    assert find_pictures(["x"], [], []).files == {}


def test_figures_with_a_caption_are_taken_as_drawings_or_pixels(tmp_path: Path) -> None:
    for name in ("claims", "flow"):
        (tmp_path / f"{name}.svg").write_text(f"<svg>{name}</svg>", encoding="utf-8")
        pixels = np.random.default_rng(1).integers(0, 255, (50, 300, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{name}.png", dpi=(300, 300))
    captions = tmp_path / "x_captions.json"
    captions.write_text(json.dumps({"claims": "Words.", "flow": ""}), encoding="utf-8")
    paths = [str(path) for path in tmp_path.iterdir() if path.suffix != ".json"]
    drawn = place_figures(paths, [captions], file_format="svg")
    assert list(drawn.pictures) == ["claims"]
    assert drawn.texts == {"figures/claims.svg": "<svg>claims</svg>"}
    painted = place_figures(paths, [captions], file_format="png")
    assert painted.texts == {}
    picture = painted.pictures["claims"]
    assert (picture.source, picture.size) == ("figures/claims.webp", (120, 20))  # an inch is 96 pixels, a fourth larger
    with Image.open(BytesIO(painted.files["figures/claims.webp"])) as image:
        assert np.array_equal(np.asarray(image.convert("RGB")), pixels)


def test_tables_travel_with_their_dictionaries(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("x\n1\n", encoding="utf-8")
    (tmp_path / "a.json").write_text("{}", encoding="utf-8")
    (tmp_path / "b.tsv").write_text("y\n", encoding="utf-8")
    texts = read_tables([tmp_path / "a.tsv", tmp_path / "b.tsv"])
    assert texts == {"tables/a.tsv": "x\n1\n", "tables/a.json": "{}", "tables/b.tsv": "y\n"}
    assert read_sources([tmp_path / "b.tsv"]) == {"b.tsv": "y\n"}


def test_exclusions_of_several_tables_are_one_list(tmp_path: Path) -> None:
    for name, rows in (("a", "s1\tmeasure\n"), ("b", "s1\tmeasure\ns2\tmodels\n")):
        (tmp_path / f"{name}.tsv").write_text("scan\tstage\n" + rows, encoding="utf-8")
    together = read_exclusions([tmp_path / "a.tsv", tmp_path / "b.tsv"])
    assert together["scan"].tolist() == ["s1", "s2"]
    assert together.index.tolist() == [0, 1]


def make_scan(folder: Path, name: str) -> list[str]:
    """Write a cube of a brain with one label; gives the three paths."""
    data = np.zeros((12, 12, 12), dtype=np.uint8)
    data[4:8, 4:8, 4:8] = 1
    paths = [folder / f"{name}_{kind}.nii" for kind in ("t1w", "mask", "labels")]
    for path in paths:
        nib.save(nib.Nifti1Image(data, np.eye(4)), path)
    return [str(path) for path in paths]


@pytest.fixture
def scans(tmp_path: Path) -> dict[str, list[str]]:
    images = {name: make_scan(tmp_path, name) for name in ("sub-01", "sub-02", "sub-03")}
    for path in images["sub-03"]:
        write_failure(Failure("register", "no", "x.log"), [path])
    return images


def test_the_viewer_takes_the_worst_scans_that_were_measured(scans: dict[str, list[str]]) -> None:
    metrics = pd.DataFrame({"scan": list(scans), "verdict": ["passed", "flagged", "failed"], "quality_index": 0.0})
    config = REPOSITORY / "config"
    where = {
        "label_table": config / "atlas-desikankilliany_labels.tsv",
        "rois": config / "rois.tsv",
        "style": config / "figures.yaml",
    }
    made = make_viewer(metrics, scans, **where, limit_mb=1)
    assert list(made) == ["viewer/sub-02.js", "viewer/sub-01.js", "viewer/labels.js"]
    one = make_viewer(metrics, scans, **where, limit_mb=1.5 * len(made["viewer/sub-02.js"]) / 1e6)
    assert list(one) == ["viewer/sub-02.js", "viewer/labels.js"]
    assert "left hippocampus" in made["viewer/labels.js"]
    assert make_viewer(metrics, scans, **where, limit_mb=0) == {}
    assert make_viewer(None, {}, **where, limit_mb=9) == {}


def test_the_folder_is_written_anew(tmp_path: Path) -> None:
    source = tmp_path / "picture.webp"
    source.write_bytes(b"\x00\x01")
    folder = tmp_path / "report"
    (folder / "scans").mkdir(parents=True)
    (folder / "scans" / "old.html").write_text("old", encoding="utf-8")
    files_to_write = {"pictures/a.webp": source, "figures/b.webp": b"b"}
    write_report(folder, {"index.html": "é", "scans/a.html": "a"}, files_to_write)
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files == {"index.html", "scans/a.html", "pictures/a.webp", "figures/b.webp"}
    assert (folder / "index.html").read_text(encoding="utf-8") == "é"
    assert (folder / "pictures/a.webp").read_bytes() == b"\x00\x01"
