"""The demo cohort through a real Slurm of two nodes, with faults on the way: the tables are those of a local run.

`make test-slurm` starts the cluster (start.sh) and runs this; without it, everything here is skipped. Nothing passes
unless Slurm itself says that the fault has happened: what became of each job stands in its log of ended jobs.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    "MORPHO_SLURM" not in os.environ, reason="needs a Slurm cluster; make test-slurm starts one"
)

ROOT = Path(__file__).parents[2]
N_PER_GROUP = 3
LOGS = Path(os.environ.get("SLURM_CONF", "/")).parent / "log"
HUNGRY, MEMORY_TOO_SMALL_MB = "sub-01", 600
PATIENCE_S = 1800
POLL_S = 1.0
# Tests look more often than one should at a cluster that others use, and this one has neither accounts nor accounting.
HERE = {
    "slurm": [
        "--slurm-no-account",
        *("--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "3"),
    ],
    "cluster-generic": ["--seconds-between-status-checks", "5"],
}
# A job has the memory of the greediest of its rules.
STARVED = [
    f"{rule}:mem_mb={MEMORY_TOO_SMALL_MB} if attempt == 1 and wildcards.scan == '{HUNGRY}' else 2600 * attempt"
    for rule in ("measure_scan", "plot_overlay")
]


@dataclass(frozen=True)
class Job:
    """A job as Slurm tells of it while it waits or runs, or after its end."""

    number: str
    state: str
    node: str
    name: str


@dataclass
class Workflow:
    """A run of the workflow: its folder, and what it has said so far."""

    folder: Path
    process: subprocess.Popen[str]

    def finish(self) -> int:
        return self.process.wait(PATIENCE_S)

    @property
    def said(self) -> str:
        return (self.folder / "said.txt").read_text(encoding="utf-8")


def slurm(*command: str) -> list[str]:
    """Lines that a program of Slurm prints."""
    run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return run.stdout.splitlines()


def list_jobs(**wanted: str) -> list[Job]:
    """Jobs that the controller knows, running and ended, with these values of their fields."""
    lines = slurm("squeue", "--noheader", "--states=all", "--format=%i|%T|%N|%k|%j")
    split = [line.split("|") for line in lines]
    jobs = [Job(number, state, node, comment + name) for number, state, node, comment, name in split]
    return [job for job in jobs if all(getattr(job, field) == value for field, value in wanted.items())]


def measuring(node: str | None = None) -> list[Job]:
    """Jobs in which a scan is being measured now: their step has begun."""
    steps = {line.split(".")[0] for line in slurm("squeue", "--noheader", "--steps", "--format=%i") if ".0" in line}
    running = list_jobs(state="RUNNING") if node is None else list_jobs(state="RUNNING", node=node)
    return [job for job in running if job.number in steps and "scan" in job.name]


def wait_for(what: Callable[[], object], why: str, workflow: Workflow) -> None:
    """Wait until `what` is true while the workflow runs."""
    end = time.monotonic() + PATIENCE_S
    while not what():
        assert workflow.process.poll() is None, f"the workflow ended before {why}:\n{workflow.said}"
        assert time.monotonic() < end, f"{why} did not happen:\n{workflow.said}"
        time.sleep(POLL_S)


def scans_that_say(folder: Path, words: str) -> list[str]:
    """Name the scans in whose logs these words stand."""
    logs = folder.glob("out/logs/measure_scan/*/*.log")
    return [path.stem for path in logs if words in path.read_text(encoding="utf-8")]


def command(profile: str, bids: Path, folder: Path, *arguments: str) -> list[str]:
    places = [f"bids_dir={bids}", f"output_dir={folder / 'out'}"]
    call = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    config = ["--configfile", str(ROOT / "config/demo.yaml"), "--config", *places]
    return [*call, *config, "--workflow-profile", str(ROOT / "profiles" / profile), *arguments, *HERE.get(profile, [])]


@contextmanager
def run_workflow(profile: str, bids: Path, folder: Path, *arguments: str) -> Iterator[Workflow]:
    """Start the workflow in a folder of its own; on leaving, end it if it still runs."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    with (folder / "said.txt").open("w", encoding="utf-8") as said:
        process = subprocess.Popen(
            command(profile, bids, folder, *arguments),
            cwd=folder,
            env=environment,
            stdout=said,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            yield Workflow(folder, process)
        finally:
            process.kill()
            process.wait()


def group_tables(folder: Path) -> dict[str, bytes]:
    """Every table about the cohort, byte for byte; what differs between output folders by nature is left out."""
    out = folder / "out"
    tables = {path.relative_to(out).as_posix(): path.read_bytes() for path in sorted(out.glob("group/**/*.tsv"))}
    assert {"group/roi_volumes.tsv", "group/cohort.tsv", "group/group_comparison.tsv"} <= set(tables)
    return {name: text.replace(str(out).encode(), b"OUT") for name, text in tables.items()}


def ended_jobs(*states: str) -> list[str]:
    """Numbers of the jobs that ended in one of these states, from the log that the controller writes."""
    lines = (LOGS / "jobs.log").read_text(encoding="utf-8").splitlines() if (LOGS / "jobs.log").exists() else []
    found = [re.search(r"JobId=(\d+) .*JobState=(\w+)", line) for line in lines]
    return [match[1] for match in found if match and match[2] in states]


def starved_jobs() -> list[str]:
    """Numbers of the jobs that ended because their step had too little memory, as the nodes wrote down.

    The job around such a step is called OUT_OF_MEMORY, or FAILED, by whichever of its processes the kernel chose.
    """
    text = "".join(path.read_text(encoding="utf-8") for path in LOGS.glob("slurmd-*.log"))
    killed = re.findall(r"oom-kill event\(s\) in StepId=(\d+)|StepId=(\d+)\S* exceeded memory limit", text)
    return [number for number in ended_jobs("OUT_OF_MEMORY", "FAILED") if number in {a or b for a, b in killed}]


@pytest.fixture(scope="module")
def bids(tmp_path_factory):
    """Make the demo cohort, smaller."""
    folder = tmp_path_factory.mktemp("cohort")
    call = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "workflow/demo.smk"), "--cores", "2"]
    config = [f"bids_dir={folder / 'bids'}", f"output_dir={folder / 'out'}", f"n_per_group={N_PER_GROUP}"]
    subprocess.run([*call, "--config", *config, "--", "simulate_cohort"], cwd=ROOT, check=True, timeout=PATIENCE_S)
    return folder / "bids"


@pytest.fixture(scope="module")
def local(bids, tmp_path_factory):
    """Run everything on this machine, as `make demo` does."""
    folder = tmp_path_factory.mktemp("local")
    with run_workflow("default", bids, folder, "--cores", "2") as workflow:
        assert workflow.finish() == 0, workflow.said
    return folder


@pytest.fixture(scope="module")
def distributed(bids, tmp_path_factory):
    """Run everything through Slurm: a node is lost and comes back, a job is killed, and one lacks memory.

    Each node measures two scans at a time. Once three have passed a stage, both nodes have one that has, and both have
    most of their work before them.
    """
    folder = tmp_path_factory.mktemp("slurm")
    with run_workflow("slurm", bids, folder, "--set-resources", *STARVED) as workflow:
        wait_for(lambda: len(scans_that_say(folder, "stage preprocess: done in")) > 2, "a stage was done", workflow)
        slurm("scontrol", "update", "NodeName=node2", "State=DOWN", "Reason=test")
        slurm("scancel", measuring("node1")[0].number)
        wait_for(lambda: ended_jobs("NODE_FAIL"), "a job lost its node", workflow)
        wait_for(lambda: ended_jobs("CANCELLED"), "a job was cancelled", workflow)
        slurm("scontrol", "update", "NodeName=node2", "State=RESUME")
        wait_for(starved_jobs, "a job ran out of memory", workflow)
        assert workflow.finish() == 0, workflow.said
    return folder


def test_the_faults_happened_and_every_job_was_made_good(distributed):
    assert len(starved_jobs()) == 1
    assert len(ended_jobs("CANCELLED")) == 1
    assert ended_jobs("NODE_FAIL")
    assert scans_that_say(distributed, "stage preprocess: done before"), "what was done of a scan is not done again"
    # A scan and its picture share a job, and so do all steps of the cohort.
    assert len(ended_jobs("COMPLETED")) == 2 * N_PER_GROUP + 1


def test_the_tables_are_those_of_the_local_run(local, distributed):
    expected, found = group_tables(local), group_tables(distributed)
    assert set(found) == set(expected)
    assert [name for name in expected if found[name] != expected[name]] == []


def test_a_second_run_has_nothing_to_do(bids, distributed):
    call = [*command("slurm", bids, distributed), "--dry-run"]
    run = subprocess.run(call, cwd=distributed, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert run.returncode == 0
    assert "Nothing to be done" in run.stdout + run.stderr


def test_a_run_through_three_commands_goes_on_after_its_end(bids, local, tmp_path):
    """Two scans and the cohort are left to do; Snakemake is killed while it waits for the scans, and called again."""
    shutil.copytree(local / "out", tmp_path / "out")
    for done in ("sub-02", "sub-05", "group", "report", "logs"):
        shutil.rmtree(tmp_path / "out" / done)
    with run_workflow("cluster-generic", bids, tmp_path) as workflow:
        wait_for(lambda: scans_that_say(tmp_path, "started"), "a scan was measured", workflow)
        workflow.process.send_signal(signal.SIGKILL)
        workflow.finish()
    jobs = list_jobs(state="RUNNING", name="(null)morpho-scan")
    assert jobs, "jobs outlive the process that submitted them"
    slurm("scancel", *(job.number for job in jobs))
    with run_workflow("cluster-generic", bids, tmp_path) as workflow:
        assert workflow.finish() == 0, workflow.said
    assert set(re.findall(r"measure_scan +(sub-\d+)", workflow.said)) == {"sub-02", "sub-05"}
    expected, found = group_tables(local), group_tables(tmp_path)
    assert [name for name in expected if found[name] != expected[name]] == []
