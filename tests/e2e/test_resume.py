"""A run that is killed goes on where it was: same tables to the last digit, and nothing that was done is done again."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

STAGES = ("preprocess", "segment", "register", "parcellate", "volumes", "quality")
GROUP_RULES = ("assemble_cohort", "assess_quality", "compare_groups", "test_claims", "record_statistics")
STARTED, KEPT = re.compile(r"stage (\w+): started"), re.compile(r"stage (\w+): done before")
LONGEST_WAIT_S = 300


def wait_for(found: Callable[[], bool], process: subprocess.Popen[str], said: Path) -> None:
    deadline = time.monotonic() + LONGEST_WAIT_S
    while not found():
        assert process.poll() is None, said.read_text()
        assert time.monotonic() < deadline, said.read_text()
        time.sleep(0.005)


def kill_when(study: Any, found: Callable[[], bool]) -> None:
    """Run the workflow until something is found, then kill all its processes at once."""
    with study.running("statistics") as process:
        wait_for(found, process, study.folder / "said.txt")
        os.killpg(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL


def scan_logs(study: Any) -> list[Path]:
    return sorted((study.out / "logs" / "measure_scan").rglob("*.log"))


def stages_done(study: Any) -> dict[str, set[str]]:
    """Stages of each scan that its record says are done."""
    records = sorted(study.out.rglob("*_desc-stages_provenance.json"))
    return {path.parents[1].name: set(json.loads(path.read_text())["Stages"]) for path in records}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, make_study: Callable[[Path, int], Any]) -> Any:
    """Run on two scans that nobody disturbs."""
    study = make_study(tmp_path_factory.mktemp("undisturbed"), 2)
    done = study.run("statistics", cores=2)
    assert done.returncode == 0, done.stdout + done.stderr
    return study


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory, make_study: Callable[[Path, int], Any]) -> tuple[Any, list]:
    """Kill a run during each stage of a scan, then during rules of the cohort, and let it end; what each run repeated.

    Everything happens in one output folder, one after the other: a killed run is the start of the next one.
    """
    study = make_study(tmp_path_factory.mktemp("interrupted"), 2)
    repeated = []
    for stage in STAGES:
        before = stages_done(study)
        earlier = {path: path.stat().st_mtime_ns for path in scan_logs(study)}

        def started(stage: str = stage, earlier: dict[Path, int] = earlier) -> bool:
            new = [path for path in scan_logs(study) if path.stat().st_mtime_ns != earlier.get(path)]
            return any(f"stage {stage}: started" in path.read_text() for path in new)

        kill_when(study, started)
        for log in scan_logs(study):
            if log.stat().st_mtime_ns != earlier.get(log):
                again = set(STARTED.findall(log.read_text())) & before.get(log.stem, set())
                repeated += [f"{log.stem} {name} (killed in {stage})" for name in sorted(again)]
    for rule in GROUP_RULES:
        log = study.out / "logs" / rule / "cohort.log"
        kill_when(study, log.exists)
    done = study.run("statistics")
    assert done.returncode == 0, done.stdout + done.stderr
    return study, repeated


def test_no_stage_that_was_done_is_done_again(interrupted: tuple[Any, list]) -> None:
    study, repeated = interrupted
    assert repeated == []
    assert stages_done(study) == {"sub-1": set(STAGES), "sub-2": set(STAGES)}


def test_the_tables_are_those_of_an_undisturbed_run(undisturbed: Any, interrupted: tuple[Any, list]) -> None:
    expected, found = undisturbed.tables(), interrupted[0].tables()
    ours = {name for name in expected if not name.endswith(".benchmark.tsv")}
    assert len([name for name in ours if name.startswith("group/")]) > 20
    assert {name for name in found if not name.endswith(".benchmark.tsv")} == ours
    assert [name for name in sorted(ours) if found[name] != expected[name]] == []


def test_every_table_of_the_cohort_says_what_its_scans_were_measured_with(undisturbed: Any) -> None:
    record = undisturbed.out / "sub-1" / "anat" / "sub-1_desc-stages_provenance.json"
    measured_with = json.loads(record.read_text())["MeasuredWith"]
    assert set(measured_with) == {"code", "atlas", "template", "weights", "settings"}
    stamps = {
        path.name: json.loads(path.with_suffix(".json").read_text())["MadeWith"]
        for path in (undisturbed.out / "group").glob("*.tsv")
    }
    assert len(stamps) > 20
    assert [name for name, stamp in stamps.items() if stamp.get("MeasuredWith") != measured_with] == []
    assert all(stamp["Code"] and stamp["Settings"] for stamp in stamps.values())


def test_nothing_half_written_is_left(interrupted: tuple[Any, list]) -> None:
    assert [path.name for path in interrupted[0].out.rglob("*.tmp")] == []


def test_a_finished_run_has_nothing_to_do(undisturbed: Any) -> None:
    again = undisturbed.run("statistics", options=("--dry-run",))
    assert "Nothing to be done" in again.stdout + again.stderr


def test_a_damaged_image_is_made_again_when_it_is_needed(undisturbed: Any) -> None:
    """A cut brain mask is told by its content: its stage runs, and all that was made from it is the same."""
    before = undisturbed.tables()
    mask = undisturbed.out / "sub-1" / "anat" / "sub-1_desc-brain_mask.nii.gz"
    whole = mask.read_bytes()
    mask.write_bytes(whole[: len(whole) // 2])
    forced = ("--forcerun", "out/sub-1/anat/sub-1_desc-quality_metrics.tsv")
    done = undisturbed.run("statistics", options=forced)
    assert done.returncode == 0, done.stdout + done.stderr
    log = (undisturbed.out / "logs" / "measure_scan" / "sub-1" / "sub-1.log").read_text()
    assert STARTED.findall(log) == ["preprocess"]
    assert mask.read_bytes() == whole
    after = undisturbed.tables()
    assert [name for name in before if "benchmark" not in name and before[name] != after[name]] == []


def test_a_second_run_in_the_same_folder_is_refused_and_harms_nothing(
    tmp_path: Path, make_study: Callable[[Path, int], Any]
) -> None:
    study = make_study(tmp_path / "first", 1)
    elsewhere = tmp_path / "second"
    elsewhere.mkdir()
    with study.running("scans") as first:
        wait_for(lambda: bool(scan_logs(study)), first, study.folder / "said.txt")
        blocks = (study.folder / "my.yaml").read_text().replace("output_dir: out", f"output_dir: {study.out}")
        blocks = blocks.replace("bids_dir: bids", f"bids_dir: {study.folder / 'bids'}")
        (elsewhere / "my.yaml").write_text(blocks)
        for folder in (elsewhere, study.folder):  # from another folder, and from the same one
            second = subprocess.run(
                study.command("scans"), cwd=folder, capture_output=True, text=True, check=False, timeout=120
            )
            said = second.stdout + second.stderr
            assert second.returncode != 0
            assert "Another run is at work in" in said
            assert f"process {first.pid} on" in said
            assert "Traceback" not in said
        assert first.poll() is None
        assert first.wait(timeout=LONGEST_WAIT_S) == 0, (study.folder / "said.txt").read_text()


def test_eight_runs_at_once_share_a_folder_of_scans_and_a_workplace(tmp_path: Path) -> None:
    """Runs of one cohort with eight configurations, started at once from one folder."""
    (tmp_path / "volumes.tsv").write_text(
        "participant_id\troi\themisphere\tvolume_mm3\n"
        + "".join(f"sub-{n}\thippocampus\tmean\t300{n}\n" for n in range(9))
    )
    rows = "".join(f"sub-{n}\t{'hc' if n % 2 else 'mdd'}\t3{n}\tF\n" for n in range(9))
    (tmp_path / "people.tsv").write_text("participant_id\tgroup\tage\tsex\n" + rows)
    root = Path(__file__).parents[2]
    processes = [
        subprocess.Popen(
            [
                sys.executable, "-m", "snakemake", "--snakefile", str(root / "Snakefile"), "--cores", "1",
                "--workflow-profile", str(root / "profiles/default"), "--config", "volumes=volumes.tsv",
                "participants=people.tsv", f"output_dir=out{number}", "--", f"out{number}/group/cohort.tsv",
            ],
            cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for number in range(8)
    ]  # fmt: skip
    said = [process.communicate(timeout=LONGEST_WAIT_S)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * 8, said
    assert len({(tmp_path / f"out{number}" / "group" / "cohort.tsv").read_bytes() for number in range(8)}) == 1
