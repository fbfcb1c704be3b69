"""What the tests in a browser share: Debian's Chromium, pages that may not reach out or complain, a small report.

Nothing is downloaded; where chromium or playwright is absent, the tests are skipped and say so.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from morpho.present.report import choose_files, render_pages
from morpho.present.report_content import ReportContent
from morpho.present.report_files import find_vendored, write_report
from morpho.present.viewer import ScanImages, write_label_script, write_scan_script

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DESKTOP, PHONE = 1280, 390
LOCAL = ("file:", "data:", "blob:", "about:")
STUDY = Path(__file__).parents[1] / "unit" / "present" / "conftest.py"


@dataclass
class Opened:
    """An open page, what it complained about, and where it wanted to go outside its folder."""

    page: Any
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium of the system."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("no chromium on this machine (Debian: apt-get install chromium)")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (extra: dev)")
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        yield running
        running.close()


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Any]]:
    """Open a file in a fresh browser profile; at the end, no page may have complained or asked the network."""
    opened: list[Opened] = []
    contexts: dict[int, Any] = {}

    def open_file(path: Path, *, width: int = DESKTOP, script: bool = True) -> Any:
        key = width * 2 + script
        if key not in contexts:
            contexts[key] = browser.new_context(
                viewport={"width": width, "height": 900}, accept_downloads=True, java_script_enabled=script
            )
        page = contexts[key].new_page()
        seen = Opened(page)
        opened.append(seen)
        page.on("console", lambda message: seen.complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        page.on("request", lambda request: seen.requests.append(request.url))
        page.goto(path.as_uri())
        return page

    yield open_file
    complaints = [text for seen in opened for text in seen.complaints]
    outside = [url for seen in opened for url in seen.requests if not url.startswith(LOCAL)]
    for context in contexts.values():
        context.close()
    assert complaints == []
    assert outside == []


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
