"""Pain 13: what a scan costs in planning, before it is measured. Seconds for 10,000: benchmarks/README.md."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd

from morpho.bids import find_scans

ROOT = Path(__file__).parents[2]
JOBS = re.compile(r"^(\w+)\s+(\d+)$", re.MULTILINE)
DECLARED = re.compile(r"^ *rule (\w+):\n(?: {4}(?!resources).*\n)* {4}resources: (.*)$", re.MULTILINE)
AMOUNT = re.compile(r"\b(?:mem_mb|runtime) *[=:]")
RULES = [ROOT / "Snakefile", *sorted((ROOT / "workflow").rglob("*.smk"))]


def make_cohort(folder: Path, n: int) -> None:
    """Make a BIDS folder of files that are no images: whoever opens one to plan it fails."""
    names = [f"sub-{number:04}" for number in range(n)]
    for name in names:
        anat = folder / "bids" / name / "anat"
        anat.mkdir(parents=True)
        (anat / f"{name}_T1w.nii.gz").write_bytes(b"no image" * 200)
    people = {"participant_id": names, "group": ["control", "patient"] * (n // 2), "sex": "F", "age": 30}
    pd.DataFrame(people).to_csv(folder / "bids/participants.tsv", sep="\t", index=False)


def dry_run(folder: Path, *options: str) -> str:
    """Plan the whole workflow; give what Snakemake says."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", "1", "--dry-run"]
    profile = ["--workflow-profile", str(ROOT / "profiles/default")]
    places = ["--config", "bids_dir=bids", "output_dir=out"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    run = subprocess.run(
        [*command, *profile, *options, *places],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout + run.stderr


def plan(folder: Path) -> dict[str, int]:
    """Plan the whole workflow; give the rules with the number of their jobs."""
    said = dry_run(folder, "--quiet", "rules", "reason")
    return {rule: int(count) for rule, count in JOBS.findall(said) if rule != "total"}


def test_a_scan_adds_two_jobs_and_no_more(tmp_path: Path) -> None:
    make_cohort(tmp_path / "few", 4)
    make_cohort(tmp_path / "many", 24)
    few, many = plan(tmp_path / "few"), plan(tmp_path / "many")
    assert {rule: many[rule] - few[rule] for rule in many if many[rule] != few[rule]} == {
        "measure_scan": 20,
        "plot_overlay": 20,
    }


def test_scans_are_planned_without_being_opened(tmp_path: Path) -> None:
    make_cohort(tmp_path, 2)
    assert find_scans(tmp_path / "bids", output_dir=tmp_path / "out", filters={}, participants=[])["chosen"].all()


def test_no_rule_is_planned_in_two_steps() -> None:
    """A checkpoint would plan the cohort again after each of its jobs."""
    assert [path.name for path in RULES if re.search(r"^checkpoint \w+:", path.read_text("utf-8"), re.MULTILINE)] == []


def test_every_rule_declares_memory_and_time(tmp_path: Path) -> None:
    """Where memory is limited, Snakemake then runs no more steps at a time than fit."""
    make_cohort(tmp_path, 2)
    said = dry_run(tmp_path, "--verbose")
    declared = {rule: dict(re.findall(r"(\w+)=(\d+)(?:,|$)", line)) for rule, line in DECLARED.findall(said)}
    expected = set(re.findall(r"^ *rule (\w+):$", said, re.MULTILINE))
    assert len(expected) > 20
    assert set(declared) == expected
    without = [rule for rule, given in declared.items() if not {"mem_mb", "runtime"} <= set(given)]
    assert without == []
    assert int(declared["measure_scan"]["mem_mb"]) >= 1500


def test_memory_and_time_grow_with_each_attempt() -> None:
    files = [*RULES, *sorted((ROOT / "profiles").glob("*/config.yaml"))]
    lines = [line.split("#")[0] for path in files for line in path.read_text(encoding="utf-8").splitlines()]
    declared = {line.strip(): len(AMOUNT.findall(line)) for line in lines if AMOUNT.search(line)}
    assert len(declared) >= 8
    assert [line for line, amounts in declared.items() if line.count("* attempt") != amounts] == []
