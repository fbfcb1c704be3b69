"""Real scans through the whole workflow, and their reports in a browser; skipped where they are absent.

One whole head and one brain-extracted scan as a rule; everybody of both data sets among the slow tests.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from PIL import Image, ImageStat

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("MORPHO_TEST_DATA", ROOT.parent / "shared" / "data"))

# Generous ranges of healthy adults; outside of them a stage has failed, not a person.
PLAUSIBLE_ML = {
    ("hippocampus", "mean"): (2.5, 6.0),
    ("amygdala", "mean"): (1.0, 3.5),
    ("anterior_cingulate", "mean"): (2.0, 8.0),
    ("prefrontal_cortex", "mean"): (50.0, 120.0),
    ("total_grey_matter", "whole"): (500.0, 950.0),
    ("total_white_matter", "whole"): (300.0, 650.0),
    ("affine_tiv", "whole"): (1000.0, 1900.0),
}


def measure(dataset: str, participants: list[str], folder: Path, *studies: str) -> Path:
    """Run the workflow on participants of a data set, everybody if none is named; give the output folder."""
    if not (DATA / dataset).is_dir():
        pytest.skip(f"real scans of {dataset} are not here (MORPHO_TEST_DATA)")
    settings = {
        "bids_dir": str(DATA / dataset),
        "output_dir": str(folder / "out"),
        "scans": {"participants": participants},
    }
    (folder / "my.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", "2"]
    profile = ["--workflow-profile", str(ROOT / "profiles" / "default")]
    files = ["--configfile", *(str(ROOT / "config" / name) for name in studies), str(folder / "my.yaml")]
    run = subprocess.run([*command, *profile, *files], cwd=folder, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return folder / "out"


@pytest.fixture(scope="module")
def whole_head(tmp_path_factory):
    return measure("ds000011", ["sub-01"], tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="module")
def extracted(tmp_path_factory):
    # sub-40 has no sform, only a qform.
    return measure("ds002748", ["sub-40"], tmp_path_factory.mktemp("extracted"), "ds002748.yaml")


def read_group(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(folder / "group" / name, sep="\t", na_values=["n/a"])


@pytest.mark.parametrize("scan", ["whole_head", "extracted"])
def test_volumes_of_a_real_scan_are_those_of_an_adult(scan, request):
    volumes = read_group(request.getfixturevalue(scan), "roi_volumes.tsv").set_index(["roi", "hemisphere"])
    measured_ml = volumes["volume_mm3"] / 1000
    outside = {key: measured_ml[key] for key, (low, high) in PLAUSIBLE_ML.items() if not low < measured_ml[key] < high}
    assert not outside


@pytest.mark.parametrize("scan", ["whole_head", "extracted"])
def test_both_sides_of_a_real_scan_are_alike(scan, request):
    volumes = read_group(request.getfixturevalue(scan), "roi_volumes.tsv")
    sides = volumes[volumes["roi"] == "hippocampus"].set_index("hemisphere")["volume_mm3"]
    assert sides["L"] == pytest.approx(sides["R"], rel=0.25)


def test_a_whole_head_has_an_intracranial_volume_that_two_estimates_agree_on(whole_head):
    cohort = read_group(whole_head, "cohort.tsv").iloc[0]
    assert cohort["input_kind"] == "whole_head"
    assert 1_200_000 < cohort["tiv_whole_mm3"] < 1_900_000
    assert cohort["affine_tiv_whole_mm3"] == pytest.approx(cohort["tiv_whole_mm3"], rel=0.12)


def test_an_extracted_brain_has_no_intracranial_volume(extracted):
    cohort = read_group(extracted, "cohort.tsv").iloc[0]
    assert cohort["input_kind"] == "extracted"
    assert pd.isna(cohort["tiv_whole_mm3"])


def test_the_tools_own_words_say_why_a_cohort_without_groups_has_no_comparison(whole_head):
    effects = read_group(whole_head, "group_comparison.tsv")
    assert (effects["status"] == "refused").all()
    assert effects["reason"].str.contains("no group column").all()
    assert "no group column" in (whole_head / "report" / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("scan", ["whole_head", "extracted"])
def test_a_real_scan_of_good_quality_has_no_hard_failure(scan, request):
    metrics = read_group(request.getfixturevalue(scan), "metrics.tsv")
    assert metrics["hard_failures"].isna().all()


def look_at_report(folder: Path, open_page: Callable[..., Any], picture: Path) -> None:
    """Open every page of a report, sort and filter a table, and draw a scan in the viewer."""
    report = folder / "report"
    page = open_page(report / "index.html")
    for path in sorted(report.rglob("*.html")):
        page.goto(path.as_uri())
        assert page.locator("h1").count() == 1, path
    contrasts = read_group(folder, "metrics.tsv").set_index("scan")["contrast_to_noise"]
    page.goto((report / "quality.html").as_uri())
    table = page.locator("table:has(caption:text-is('All scans and their metrics'))")
    table.locator("thead button", has_text="contrast to noise").click()
    shown = contrasts[table.locator("tbody tr:visible th").all_inner_texts()]
    assert len(shown) == len(contrasts)
    assert (shown.diff().dropna() >= -0.05).all()  # of what is shown, rounded
    drawn = sorted((report / "viewer").glob("sub-*.js"))[0].stem
    page.goto((report / "scans" / f"{drawn}.html").as_uri())
    page.get_by_label("Filter the rows of Its volumes against the cohort").fill("left hippo")
    table = page.locator("table:has(caption:text-is('Its volumes against the cohort'))")
    assert table.locator("tbody tr:visible th").all_inner_texts() == ["left hippocampus"]
    page.get_by_role("button", name="Show the scan").click()
    page.wait_for_selector("body[data-viewer=ready]", timeout=60_000)
    page.wait_for_timeout(500)
    page.locator("#canvas").screenshot(path=picture)
    assert ImageStat.Stat(Image.open(picture).convert("L")).stddev[0] > 10


@pytest.mark.parametrize("scan", ["whole_head", "extracted"])
def test_the_report_of_a_real_scan_works_in_a_browser(scan, request, open_page, tmp_path):
    look_at_report(request.getfixturevalue(scan), open_page, tmp_path / "viewer.png")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dataset", "studies", "most_failed"), [("ds002748", ["ds002748.yaml"], 2), ("ds000011", [], 0)]
)
def test_whole_data_sets_pass_and_their_reports_work(dataset, studies, most_failed, open_page, tmp_path):
    folder = measure(dataset, [], tmp_path, *studies)
    metrics = read_group(folder, "metrics.tsv")
    assert (metrics["verdict"] == "failed").sum() <= most_failed
    size_mb = sum(path.stat().st_size for path in (folder / "report").rglob("*") if path.is_file()) / 1e6
    assert size_mb < 15
    look_at_report(folder, open_page, tmp_path / "viewer.png")
