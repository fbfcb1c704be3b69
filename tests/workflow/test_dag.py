"""Dry runs of small BIDS folders: which scans would be measured, and what is refused before the first job.

Tables are joined for real, as nothing has to be measured for it.
"""

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import yaml

from morpho.infer.cohort import NOT_LISTED
from morpho.scans import read_scans
from morpho.tables import read_table, write_json, write_table
from morpho.volume_tables import NO_ROW

ROOT = Path(__file__).parents[2]
JOB = re.compile(r"^(?:local)?rule (\w+):\n((?:    .*\n)*)", re.MULTILINE)
WILDCARDS = re.compile(r"wildcards: folder=(\S+), scan=(\S+)")

MEASURING = {"measure_scan", "plot_overlay"}
COHORT = {
    "assemble_cohort", "assess_quality", "decide_scans", "compare_quality", "compare_groups",
    "associate_severity",
}  # fmt: skip
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


def run_cohort(
    folder: Path, *options: str, configfile: str | None = None, target: str = "cohort", **paths: str
) -> DryRun:
    """Ask Snakemake, in a folder, for the cohort table or another one."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", "1", *options]
    command += ["--configfile", configfile] if configfile else []
    command += ["--config", *(f"{key}={path}" for key, path in paths.items()), "--", f"my results/group/{target}.tsv"]
    done = subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8", check=False)
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


def test_codes_that_the_codebook_has_the_other_way_round_are_refused_before_any_job(bids_dir: Path) -> None:
    add_scans(bids_dir, "sub-01", "sub-02")
    write_participants(bids_dir, [("sub-01", 40, 1, 0), ("sub-02", 41, 2, 1)])
    levels = {"1": "female", "2": "male"}
    (bids_dir / "participants.json").write_text(json.dumps({"sex": {"Levels": levels}}), encoding="utf-8")
    assert_refused(dry_run(bids_dir), "1 is 'female'", "reads 1 as M")
    swapped = {"sex_levels": {"F": ["1"], "M": ["2"]}}
    assert dry_run(bids_dir, participants=swapped).returncode == 0


def test_unknown_key_is_refused(bids_dir: Path) -> None:
    add_scans(bids_dir, "sub-01")
    assert_refused(dry_run(bids_dir, segment={"prior_wieght": 0.3}), "unknown key segment.prior_wieght")


def test_limits_and_decisions_are_checked_before_any_job(bids_dir: Path) -> None:
    add_scans(bids_dir, "sub-01")
    absent = {"decisions": str(bids_dir / "nothing.tsv")}
    assert_refused(dry_run(bids_dir, quality=absent), "There is no file", "nothing.tsv", "config quality.decisions")
    limits = {"limits": {"structure_overlap": [0.9, 0.1]}}
    assert_refused(dry_run(bids_dir, quality=limits), "quality.limits.structure_overlap is [0.9, 0.1]")


def test_label_that_the_atlas_lacks_is_refused(bids_dir: Path) -> None:
    add_scans(bids_dir, "sub-01")
    rois = (ROOT / "config/rois.tsv").read_text(encoding="utf-8").replace("\tfrontalpole\t", "\tfrontalcape\t")
    table = bids_dir.parent / "rois.tsv"
    table.write_text(rois, encoding="utf-8")
    run = dry_run(bids_dir, volumes={"rois": str(table)})
    assert_refused(run, "labels that the atlas does not have", "frontalcape (L, region frontal_pole)")


def test_sessions_tables_are_inputs_of_the_cohort(bids_dir: Path) -> None:
    add_scans(bids_dir, "sub-01_ses-1", "sub-01_ses-2", "sub-02_ses-1")
    write_participants(bids_dir, PEOPLE)
    table = bids_dir / "sub-01" / "sub-01_sessions.tsv"
    table.write_text("session_id\tBDI\nses-1\t20\n2\t9\n", encoding="utf-8")
    run = dry_run(bids_dir, participants={"severity": {"BDI": "BDI"}})
    assert run.returncode == 0, run.errors
    readers = [rule for rule, details in JOB.findall(run.output) if "sub-01_sessions.tsv" in details]
    assert readers == ["assemble_cohort"]


def write_volumes(bids_dir: Path, *scans: tuple[str, str]) -> None:
    """Write what measuring would have written of these scans (folder, scan)."""
    for folder, scan in scans:
        stem = bids_dir.parent / "my results" / folder / "anat" / scan
        volumes = pd.DataFrame({"roi": ["hippocampus"], "hemisphere": ["L"], "volume_mm3": [3000.0]})
        columns: dict[str, dict[str, object]] = {name: {} for name in [*volumes.columns, "input_kind"]}
        write_table(volumes, f"{stem}_seg-desikankilliany_desc-volumes_morph.tsv", columns)
        write_table(pd.DataFrame({"input_kind": ["extracted"]}), f"{stem}_desc-quality_metrics.tsv", columns)
        write_json({"MeasuredWith": {}, "Stages": {}}, f"{stem}_desc-stages_provenance.json")


def test_changed_sessions_table_makes_only_the_cohort_again(bids_dir: Path) -> None:
    add_scans(bids_dir, "sub-01_ses-1", "sub-01_ses-2", "sub-02_ses-1")
    write_participants(bids_dir, PEOPLE)
    table = bids_dir / "sub-01" / "sub-01_sessions.tsv"
    table.write_text(
        "session_id\tage\tbmi\tacq_time\nses-1\t30\t22\t2024-01-01\n2\t31\tn/a\t2024-01-15\n", encoding="utf-8"
    )
    scans = [("sub-01/ses-1", "sub-01_ses-1"), ("sub-01/ses-2", "sub-01_ses-2"), ("sub-02/ses-1", "sub-02_ses-1")]
    write_volumes(bids_dir, *scans)
    paths = {"bids_dir": bids_dir.name, "output_dir": "my results"}
    run = run_cohort(bids_dir.parent, **paths)
    assert run.returncode == 0, run.errors
    cohort = read_table(bids_dir.parent / "my results" / "group" / "cohort.tsv")
    assert cohort["scan"].tolist() == [scan for _, scan in scans]
    assert cohort["age_years"].tolist() == [30.0, 31.0, 40.0]
    assert cohort["bmi"].fillna(-1).tolist() == [22.0, -1.0, -1.0]
    assert cohort["weeks"].fillna(-1).tolist() == [0.0, 2.0, -1.0]
    assert cohort["group"].tolist() == ["control", "control", "patient"]
    table.write_text("session_id\tbmi\nses-1\t23\n", encoding="utf-8")
    assert set(run_cohort(bids_dir.parent, "--dry-run", **paths).jobs) == {"assemble_cohort"}


def test_unreadable_cell_of_a_sessions_table_is_refused(bids_dir: Path) -> None:
    add_scans(bids_dir, "sub-01_ses-1")
    write_participants(bids_dir, PEOPLE)
    table = bids_dir / "sub-01" / "sub-01_sessions.tsv"
    table.write_text("session_id\tbmi\tacq_time\n1\thigh\tMonday\n", encoding="utf-8")
    assert_refused(dry_run(bids_dir), "'sub-01': 'high'", "participants.variables.bmi: null", "'sub-01': 'Monday'")


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """Make a folder with a table of volumes, one of participants, and a configuration of their columns."""
    volumes = "participant_id,hippocampus_L_mm3,hippocampus_R_mm3,ICV\n01,3000,3200,1500000\n2,3100,,1400000\n4,1,1,9\n"
    people = (
        "participant_id\tage\tgender\tgroup\tICD-10\n01\t30\tf\thc\tn/a\n2\t40\tm\tmdd\tF32.1\n3\t50\tf\tmdd\tF32.0\n"
    )
    variables = {"ICD-10": {"column": "ICD-10", "levels": {"mild": ["F32.0"], "moderate": ["F32.1"]}}}
    config = {"participants": {"columns": {"sex": "gender"}, "variables": variables}, "bids_dir": "not looked at"}
    (tmp_path / "volumes.csv").write_text(volumes, encoding="utf-8")
    (tmp_path / "people.tsv").write_text(people, encoding="utf-8")
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    return tmp_path


PATHS = {"volumes": "volumes.csv", "participants": "people.tsv", "output_dir": "my results"}


def test_tables_in_place_of_scans_give_the_cohort(tables: Path) -> None:
    run = run_cohort(tables, configfile="study.yaml", target="flow", **PATHS)
    assert run.returncode == 0, run.errors
    group = tables / "my results" / "group"
    cohort = read_table(group / "cohort.tsv").set_index("participant_id")
    assert cohort["group"].fillna("?").to_dict() == {"sub-01": "control", "sub-2": "patient", "sub-4": "?"}
    assert cohort["ICD-10"].fillna("?").tolist() == ["?", "moderate", "?"]
    assert cohort["sex"].fillna("?").tolist() == ["F", "M", "?"]
    assert set(cohort["input_kind"]) == {"table"}
    assert cohort["hippocampus_mean_mm3"].fillna(-1).tolist() == [3100.0, -1.0, 1.0]
    assert cohort["tiv_whole_mm3"].tolist() == [1500000, 1400000, 9]
    exclusions = read_table(group / "exclusions.tsv").set_index("participant_id")
    assert exclusions["reason"].to_dict() == {"sub-3": NO_ROW, "sub-4": NOT_LISTED}
    assert read_scans(group / "scans.tsv")["path"].unique().tolist() == ["volumes.csv"]
    assert len(read_table(group / "roi_volumes.tsv")) == 12
    flow = read_table(group / "flow.tsv")
    assert flow.loc[flow["step"] == "with_participants_row", "n_participants"].tolist() == [2]
    decisions = read_table(group / "scan_decisions.tsv")
    assert set(decisions["decision"]) == {"keep"}
    assert decisions[["automatic_decision", "human_decision"]].isna().all(axis=None)
    again = run_cohort(tables, "--dry-run", configfile="study.yaml", target="flow", **PATHS)
    assert again.jobs == {}, again.output


def test_decisions_of_people_are_an_input_of_the_statistics_alone(tables: Path) -> None:
    """A scan is left out as its rater says; another decision makes nothing again but what follows from it."""
    (tables / "study.yaml").write_text(
        (tables / "study.yaml").read_text(encoding="utf-8") + "quality: {decisions: my decisions.tsv}\n",
        encoding="utf-8",
    )
    header, line = "scan\tdecision\trater\treason\tdate\n", "sub-01\t{}\tAB\tmoved\t2024-03-05\n"
    (tables / "my decisions.tsv").write_text(header + line.format("exclude"), encoding="utf-8")
    run = run_cohort(tables, configfile="study.yaml", target="exclusions", **PATHS)
    assert run.returncode == 0, run.errors
    exclusions = read_table(tables / "my results/group/exclusions.tsv").set_index("participant_id")
    assert exclusions.loc["sub-01", "stage"] == "quality"
    assert exclusions.loc["sub-01", "reason"] == "excluded by people (AB: exclude): moved"
    flow = read_table(tables / "my results/group/flow.tsv").set_index("step")["n_scans"]
    assert (flow["measured"], flow["kept"]) == (3, 2)
    (tables / "my decisions.tsv").write_text(header + line.format("keep"), encoding="utf-8")
    again = run_cohort(tables, "--dry-run", configfile="study.yaml", target="severity_association", **PATHS)
    assert set(again.jobs) == {"decide_scans", "associate_severity"}
    (tables / "my decisions.tsv").write_text(header + line.format("perhaps").replace("01", "11"), encoding="utf-8")
    refused = run_cohort(tables, "--dry-run", configfile="study.yaml", target="exclusions", **PATHS)
    assert_refused(refused, "scans that were not found: sub-11", "sub-11: 'perhaps'", "config quality.decisions")


def test_tables_are_checked_before_any_job(tables: Path) -> None:
    absent = PATHS | {"participants": "nobody.tsv"}
    assert_refused(run_cohort(tables, "--dry-run", **absent), "There is no file 'nobody.tsv'")
    assert_refused(run_cohort(tables, "--dry-run", **PATHS), "no column 'sex'", "but 'gender'")
    (tables / "volumes.csv").write_text("participant_id,hippocampus_L_mm3\n1,-5\n", encoding="utf-8")
    run = run_cohort(tables, "--dry-run", configfile="study.yaml", **PATHS)
    assert_refused(run, "sub-1 hippocampus_L_mm3: '-5'")
