"""A scan that fails is a row and never the end of the cohort; a full disk stops the run and says what to do."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

COHORT = ("out/group/measured_share.tsv", "out/group/exclusions.tsv", "out/group/flow.tsv")
LONGEST_WAIT_S = 300


def read_group(study: Any, name: str) -> pd.DataFrame:
    return pd.read_csv(study.out / "group" / f"{name}.tsv", sep="\t", keep_default_na=False)


def children_of(pid: int) -> list[int]:
    """List the processes below a process, whichever of its threads started them, the deepest last."""
    found = []
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            found += [int(child), *children_of(int(child))]
    return found


def kill_worker(process: subprocess.Popen[str], log: Path, text: str) -> None:
    """Kill, as the kernel does when memory runs out, the process of a scan that does the work, once its log says so."""
    deadline = time.monotonic() + LONGEST_WAIT_S
    while not (log.exists() and text in log.read_text()):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(children_of(process.pid)[-1], signal.SIGKILL)


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory, make_study: Callable[[Path, int], Any]) -> tuple[Any, str]:
    """Run on a whole scan, one whose worker is killed while it is registered, and one cut short; what the run said."""
    study = make_study(tmp_path_factory.mktemp("killed"), 3)
    cut = study.folder / "bids" / "sub-3" / "anat" / "sub-3_T1w.nii.gz"
    cut.write_bytes(cut.read_bytes()[:5000])
    with study.running(*COHORT, failures={"min_measured_fraction": 0.3}) as process:
        log = study.out / "logs" / "measure_scan" / "sub-1" / "sub-1.log"
        kill_worker(process, log, "stage register: started")
        assert process.wait(timeout=LONGEST_WAIT_S) == 0, (study.folder / "said.txt").read_text()
    return study, (study.folder / "said.txt").read_text()


def test_every_scan_has_a_row_with_stage_reason_and_log(killed: tuple[Any, str]) -> None:
    study, _ = killed
    scans = read_group(study, "scans").set_index("scan")
    assert scans["status"].to_dict() == {"sub-1": "failed", "sub-2": "measured", "sub-3": "failed"}
    assert scans.loc["sub-1", "stage"] == "register"
    assert "memory ran out" in scans.loc["sub-1", "reason"]
    assert "more memory" in scans.loc["sub-1", "reason"]
    assert scans.loc["sub-3", "stage"] == "preprocess"
    assert "sub-3_T1w.nii.gz" in scans.loc["sub-3", "reason"]
    assert scans.loc["sub-3", "code"] == "unreadable_image"
    for log in scans.loc[["sub-1", "sub-3"], "log"]:
        assert (study.folder / log).is_file()
    assert scans.loc["sub-2", ["stage", "reason", "log"]].tolist() == ["n/a"] * 3


def test_the_cohort_is_made_of_the_rest_and_the_run_says_so_first(killed: tuple[Any, str]) -> None:
    study, said = killed
    assert read_group(study, "cohort")["scan"].tolist() == ["sub-2"]
    summary = said[said.index("FAILED:") - 30 :]
    assert summary.index("sub-1: register failed") < summary.index("Scans: 3 found, 3 chosen, 1 measured")
    assert "sub-3: preprocess failed" in summary
    assert read_group(study, "measured_share").iloc[0].to_dict()["n_measured"] == 1


def test_too_small_a_share_is_an_error_after_everything_is_made(killed: tuple[Any, str]) -> None:
    study, _ = killed
    done = study.run(*COHORT, failures={"min_measured_fraction": 0.5})
    assert done.returncode != 0
    assert "Only 1 of 3 chosen scans were measured" in done.stdout + done.stderr
    assert "failures.min_measured_fraction" in done.stdout + done.stderr
    assert read_group(study, "cohort")["scan"].tolist() == ["sub-2"]


def test_a_failed_scan_is_tried_again_on_request_and_goes_on_where_it_was(killed: tuple[Any, str]) -> None:
    """The killed scan keeps its first two stages."""
    study, _ = killed
    volumes = study.out / "sub-1" / "anat" / "sub-1_seg-desikankilliany_desc-volumes_morph.tsv"
    assert "morpho_failure" in volumes.read_text()
    forced = ("--forcerun", str(volumes.relative_to(study.folder)))
    done = study.run(*COHORT, options=forced, failures={"min_measured_fraction": 0.3})
    assert done.returncode == 0, done.stdout + done.stderr
    assert read_group(study, "cohort")["scan"].tolist() == ["sub-1", "sub-2"]
    log = (study.out / "logs" / "measure_scan" / "sub-1" / "sub-1.log").read_text()
    assert "stage segment: done before" in log
    assert "stage register: started" in log


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a disk of 3 MB, which is less than a scan takes."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(place)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root may mount a small disk")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_stops_the_run_with_cause_and_remedy_and_loses_nothing(
    tmp_path: Path, small_disk: Path, make_study: Callable[[Path, int], Any]
) -> None:
    study = make_study(tmp_path / "study", 1)
    study.out.symlink_to(small_disk)
    done = study.run("scans")
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "is full" in said
    assert "Make room" in said
    assert "give the same command again" in said.replace("\n", " ")
    volumes = study.out / "sub-1" / "anat" / "sub-1_seg-desikankilliany_desc-volumes_morph.tsv"
    assert not volumes.exists()  # a full disk is no failure of the scan
    record = (study.out / "sub-1" / "anat" / "sub-1_desc-stages_provenance.json").read_text()
    assert '"preprocess"' in record
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    again = study.run("scans")
    assert again.returncode == 0, again.stdout + again.stderr
    log = (study.out / "logs" / "measure_scan" / "sub-1" / "sub-1.log").read_text()
    assert "stage preprocess: done before" in log
    assert volumes.read_text().startswith("roi\t")
