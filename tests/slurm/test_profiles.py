"""The cluster profiles know every rule, agree with each other and with the default one, and start their scripts."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CLUSTERS = ("slurm", "cluster-generic")
OTHER_WORKFLOWS = {"simulate_cohort", "compare_planted", "combine_exports"}
OF_A_SCAN = {"measure_scan", "plot_overlay"}


def read_profile(name: str) -> dict[str, object]:
    return yaml.safe_load((ROOT / "profiles" / name / "config.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def script_rules() -> set[str]:
    text = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "workflow").rglob("*.smk")))
    return set(re.findall(r"^rule (\w+):\n(?:[ \t]+.*\n|\n)*?[ \t]+script:", text, re.MULTILINE)) - OTHER_WORKFLOWS


@pytest.mark.parametrize("name", CLUSTERS)
def test_every_rule_shares_a_job_with_its_scan_or_with_the_cohort(name, script_rules):
    groups = read_profile(name)["groups"]
    assert {rule for rule, group in groups.items() if group == "scan"} == OF_A_SCAN
    assert {rule for rule, group in groups.items() if group == "cohort"} == script_rules - OF_A_SCAN


@pytest.mark.parametrize("name", CLUSTERS)
def test_a_cluster_profile_plans_as_the_default_one(name):
    default, profile = read_profile("default"), read_profile(name)
    less, more = default.pop("default-resources"), profile.pop("default-resources")
    assert {key: profile.get(key) for key in default} == default
    assert set(less) <= set(more)
    memory_mb = [int(given["mem_mb"].removesuffix(" * attempt")) for given in (less, more)]
    assert memory_mb[1] >= memory_mb[0] + 800, "a job holds two Snakemakes beside the step"


def test_jobs_are_tried_again_by_the_profiles_and_never_by_a_rule():
    assert all(read_profile(name)["retries"] >= 1 for name in CLUSTERS)
    assert "retries" not in read_profile("default")
    rules = [ROOT / "Snakefile", *(ROOT / "workflow").rglob("*.smk")]
    assert [path.name for path in rules if re.search(r"^\s+retries:", path.read_text(encoding="utf-8"), re.M)] == []


def call_script(name: str, *arguments: str, folder: Path, **programs: str) -> str:
    """Call a script of profiles/cluster-generic where the scheduler's programs do as given."""
    for program, body in programs.items():
        (folder / program).write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        (folder / program).chmod(0o755)
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    script = str(ROOT / "profiles/cluster-generic" / name)
    run = subprocess.run(
        [script, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    return run.stdout


def test_a_job_asks_for_what_its_rules_need(tmp_path):
    properties = {"type": "group", "groupid": "scan", "threads": 1, "resources": {"mem_mb": 2600, "runtime": 40}}
    script = tmp_path / "a job.sh"
    script.write_text(f"#!/bin/sh\n# properties = {json.dumps(properties)}\ntrue\n", encoding="utf-8")
    said = call_script("submit.py", str(script), folder=tmp_path, sbatch='printf "%s\\n" "$@"')
    given = said.splitlines()
    assert {"--mem=2600", "--time=40", "--cpus-per-task=1", "--no-requeue", "--job-name=morpho-scan"} <= set(given)
    assert given[-1] == str(script)


@pytest.mark.parametrize(
    ("accounting", "controller", "expected"),
    [
        ("echo COMPLETED", "exit 1", "success"),
        ("echo 'CANCELLED by 0'", "exit 1", "failed"),
        ("echo OUT_OF_MEMORY", "exit 1", "failed"),
        ("echo RUNNING", "exit 1", "running"),
        ("exit 1", "echo NODE_FAIL", "failed"),
        ("exit 1", "echo COMPLETED", "success"),
        ("exit 1", "exit 1", "running"),  # nobody answers: ask again, rather than start the work anew
    ],
)
def test_states_of_slurm_are_told_in_the_words_of_snakemake(tmp_path, accounting, controller, expected):
    assert call_script("status.sh", "7", folder=tmp_path, sacct=accounting, squeue=controller).split() == [expected]
