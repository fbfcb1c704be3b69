"""A small made-up report, for tests that need no measured scan."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from morpho.present.report import choose_files, render_pages
from morpho.present.report_content import ReportContent
from morpho.present.report_files import find_vendored, write_report
from morpho.present.viewer import ScanImages, write_label_script, write_scan_script

STUDY = Path(__file__).parents[1] / "unit" / "present" / "conftest.py"


@pytest.fixture(scope="session")
def invented() -> ModuleType:
    """Give the module with the made-up study of the unit tests."""
    spec = importlib.util.spec_from_file_location("invented_study", STUDY)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def invented_content(invented: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> ReportContent:
    """Content of a small report: 30 scans, so that there is more than one page of them, pictures, one scan in 3D."""
    content: ReportContent = invented.make_report_content(
        invented.make_effects(), invented.make_associations(invented.make_residuals())
    )
    more = [f"sub-{number}" for number in range(10, 33)]
    metrics = content.tables.metrics
    assert metrics is not None
    copies = [metrics.iloc[[0]].assign(scan=name, participant_id=name, quality_index=-2.0) for name in more]
    tables = replace(content.tables, metrics=pd.concat([metrics, *copies], ignore_index=True))
    folder = tmp_path_factory.mktemp("pictures")
    sizes = {"pictures": (1000, 700), "thumbnails": (320, 220)}
    for name, (width, height) in sizes.items():
        Image.fromarray(np.full((height, width, 3), 90, dtype=np.uint8)).save(folder / f"{name}.webp")
    scans = [scan for scan in tables.metrics["scan"] if scan != "sub-05"]  # type: ignore[index]
    files = {f"{name}/{scan}.webp": folder / f"{name}.webp" for name in sizes for scan in scans}
    head = invented.make_head()
    images = ScanImages(head["t1w"], head["brain_mask"], head["regions"])
    labels = pd.DataFrame({"index": [1, 2], "name": list(invented.LABELS), "hemisphere": ["L", "R"]})
    viewer = {
        "viewer/sub-04.js": write_scan_script(images),
        "viewer/labels.js": write_label_script(labels, invented.make_roi_labels(), {"hippocampus": "#D55E00"}),
    }
    return replace(content, tables=tables, files={**files, **find_vendored(viewer)}, texts={**content.texts, **viewer})


@pytest.fixture(scope="session")
def make_report(
    invented: ModuleType, invented_content: ReportContent, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Path]:
    """Write the small report with other options; gives its folder."""

    def make(**options: object) -> Path:
        content = replace(invented_content, options=replace(invented_content.options, **options))
        folder = tmp_path_factory.mktemp("study") / "report"
        write_report(folder, render_pages(content, invented.load_templates()), choose_files(content))
        return folder

    return make


@pytest.fixture(scope="session")
def report(make_report: Callable[..., Path]) -> Path:
    """Folder of the small report."""
    return make_report()
