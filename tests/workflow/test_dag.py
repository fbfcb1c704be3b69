"""Dry runs of small BIDS folders: which scans would be measured, and what is refused before the first job."""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import yaml

ROOT = Path(__file__).parents[2]
JOB = re.compile(r"^(?:local)?rule (\w+):\n((?:    .*\n)*)", re.MULTILINE)
WILDCARDS = re.compile(r"wildcards: folder=(\S+), scan=(\S+)")

MEASURING = {"preprocess_t1w", "register_to_template", "segment_tissue", "label_regions", "measure_volumes"}
COHORT = {"list_scans", "assemble_cohort", "assess_quality", "compare_groups", "associate_severity"}
PEOPLE = [("sub-01", 30, "f", "hc"), ("sub-02", 40, "m", "mdd"), ("sub-03", 50, "f", "mdd")]


@dataclass(frozen=True)
class DryRun:
    """What a dry run said, and which scans (folder, scan) each rule would be run for."""

    returncode: int
    output: str
    errors: str

    @property
    def jobs(self) -> dict[str, set[tuple[str, str]]]:
        jobs: dict[str, set[tuple[str, str]]] = {}
        for rule, details in JOB.findall(self.output):
            jobs.setdefault(rule, set()).update(WILDCARDS.findall(details))
        return jobs


@pytest.fixture
def bids_dir(tmp_path: Path) -> Path:
    """Make an empty BIDS folder; its path has a space and a letter that is not ASCII."""
    folder = tmp_path / "my study é"
    folder.mkdir()
    return folder


def add_scans(bids_dir: Path, *names: str) -> None:
    """Add T1w scans named as "sub-01_ses-2" or "sub-01_acq-fast"; what is in them is never looked at."""
    for name in names:
        folders = [part for part in name.split("_") if part.startswith(("sub-", "ses-"))]
        folder = bids_dir.joinpath(*folders, "anat")
        folder.mkdir(parents=True, exist_ok=True)
        nib.save(nib.Nifti1Image(np.zeros((2, 2, 2), dtype=np.uint8), np.eye(4)), folder / f"{name}_T1w.nii.gz")


def write_participants(bids_dir: Path, people: list[tuple[Any, ...]]) -> None:
    lines = ["\t".join(map(str, row)) for row in [("participant_id", "age", "sex", "group"), *people]]
    (bids_dir / "participants.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def dry_run(bids_dir: Path, **settings: object) -> DryRun:
    """Ask Snakemake, from another folder, what it would do; nothing may be written into the BIDS folder."""
    before = sorted(bids_dir.rglob("*"))
    workplace = bids_dir.parent
    config = {"bids_dir": str(bids_dir), "output_dir": str(workplace / "my results"), **settings}
    (workplace / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", "1", "--dry-run"]
    command += ["--configfile", "config.yaml"]
    done = subprocess.run(command, cwd=workplace, capture_output=True, encoding="utf-8", check=False)
    assert sorted(bids_dir.rglob("*")) == before
    assert not (workplace / "my results").exists()
    return DryRun(done.returncode, done.stdout, done.stderr)


def assert_measures(run: DryRun, scans: set[tuple[str, str]]) -> None:
    """Check that all stages of exactly these scans are planned, and all rules of the cohort."""
    assert run.returncode == 0, run.errors
    jobs = run.jobs
    assert {rule: jobs.get(rule) for rule in MEASURING} == dict.fromkeys(MEASURING, scans)
    assert set(jobs) >= COHORT | {"write_report", "all"}


def assert_refused(run: DryRun, *messages: str) -> None:
    """Check that the run stopped before any job was thought of, with these messages and no traceback."""
    assert run.returncode != 0
    for message in messages:
        assert message in run.errors
    assert run.jobs == {}
    assert "Traceback" not in run.errors


def test_cohort_without_sessions(bids_dir: Path) -> None:
    add_scans(bids_dir, "sub-01", "sub-02", "sub-03")
    write_participants(bids_dir, PEOPLE)
    assert_measures(dry_run(bids_dir), {(name, name) for name in ("sub-01", "sub-02", "sub-03")})


def test_cohort_with_sessions(bids_dir: Path) -> None:
    add_scans(bids_dir, "sub-01_ses-1", "sub-01_ses-2", "sub-02_ses-1")
    write_participants(bids_dir, PEOPLE)
    expected = {("sub-01/ses-1", "sub-01_ses-1"), ("sub-01/ses-2", "sub-01_ses-2"), ("sub-02/ses-1", "sub-02_ses-1")}
    assert_measures(dry_run(bids_dir), expected)


def test_cohort_in_which_some_have_sessions(bids_dir: Path) -> None:
    add_scans(bids_dir, "sub-01", "sub-02_ses-a", "sub-02_ses-b", "sub-03")
    write_participants(bids_dir, PEOPLE)
    expected = {("sub-02/ses-a", "sub-02_ses-a"), ("sub-02/ses-b", "sub-02_ses-b")}
    assert_measures(dry_run(bids_dir), expected | {("sub-01", "sub-01"), ("sub-03", "sub-03")})


def test_participant_without_t1w_is_left_out(bids_dir: Path) -> None:
    add_scans(bids_dir, "sub-01", "sub-03")
    (bids_dir / "sub-02" / "func").mkdir(parents=True)
    write_participants(bids_dir, PEOPLE)
    assert_measures(dry_run(bids_dir), {("sub-01", "sub-01"), ("sub-03", "sub-03")})


def test_one_group_only_is_measured(bids_dir: Path) -> None:
    add_scans(bids_dir, "sub-02", "sub-03")
    write_participants(bids_dir, PEOPLE[1:])
    assert_measures(dry_run(bids_dir), {("sub-02", "sub-02"), ("sub-03", "sub-03")})


def test_no_participants_table(bids_dir: Path) -> None:
    add_scans(bids_dir, "sub-01", "sub-02")
    run = dry_run(bids_dir)
    assert_measures(run, {("sub-01", "sub-01"), ("sub-02", "sub-02")})
    assert "there is no participants.tsv" in run.errors


def test_filters_exclude_scans(bids_dir: Path) -> None:
    add_scans(bids_dir, "sub-01_acq-fast", "sub-01_acq-mprage", "sub-02_acq-fast")
    run = dry_run(bids_dir, scans={"filters": {"acquisition": "mprage"}})
    assert_measures(run, {("sub-01", "sub-01")})
    assert "sub-01_acq-mprage_T1w.nii.gz" in run.output
    assert "acq-fast" not in run.output


def test_unknown_levels_are_listed_before_any_job(bids_dir: Path) -> None:
    add_scans(bids_dir, "sub-01", "sub-02", "sub-03")
    write_participants(bids_dir, [*PEOPLE[:1], ("sub-02", 40, "x", "mdd"), ("sub-03", "old", "f", "relapsed")])
    assert_refused(dry_run(bids_dir), "'relapsed' (1 x)", "'x' (1 x)", "'old'")


def test_unknown_key_is_refused(bids_dir: Path) -> None:
    add_scans(bids_dir, "sub-01")
    assert_refused(dry_run(bids_dir, segment={"prior_wieght": 0.3}), "unknown key segment.prior_wieght")


def test_label_that_the_atlas_lacks_is_refused(bids_dir: Path) -> None:
    add_scans(bids_dir, "sub-01")
    rois = (ROOT / "config/rois.tsv").read_text(encoding="utf-8").replace("\tfrontalpole\t", "\tfrontalcape\t")
    table = bids_dir.parent / "rois.tsv"
    table.write_text(rois, encoding="utf-8")
    run = dry_run(bids_dir, volumes={"rois": str(table)})
    assert_refused(run, "labels that the atlas does not have", "frontalcape (L, region frontal_pole)")
