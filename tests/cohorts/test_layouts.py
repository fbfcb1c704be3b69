"""What the user sees of each BIDS folder: one row per scan, the reason of every choice, and nothing written into it."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest

from morpho.bids import find_scans
from morpho.participants import join_sessions, read_participants, read_sessions
from morpho.scans import describe_scans, read_scans
from morpho.tables import write_table
from tests.cohorts.layouts import ACCEPTED, REFUSED, Accepted, Refused, add, snapshot, t1w

ROOT = Path(__file__).parents[2]
NOBODY = 65534
READ_ONLY = """set -e
mount --bind "$1" "$1"
mount -o remount,bind,ro "$1"
if touch "$1/written" 2>/dev/null; then exit 77; fi
shift
exec "$@"
"""
N_MANY = 1000
LONGEST_CPU_S = 1.0  # measured: 0.2 s; with a data frame for every sessions table it was about 2 s


@pytest.fixture
def bids_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "My Study é" / 'the "raw" data'
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize("layout", ACCEPTED.values(), ids=ACCEPTED)
def test_every_scan_has_one_row_and_every_other_file_its_reason(
    bids_dir: Path, tmp_path: Path, layout: Accepted
) -> None:
    layout.build(bids_dir)
    before = snapshot(bids_dir)
    scans = find_scans(bids_dir, output_dir=tmp_path / "results", filters=layout.filters, participants=[])
    read_sessions(bids_dir, scans["participant_id"])
    read_participants(bids_dir / "participants.tsv")
    chosen = scans[scans["chosen"]]
    assert dict(zip(chosen["scan"], chosen["path"], strict=True)) == layout.chosen
    assert chosen["scan"].is_unique
    assert (chosen["reason"] == "").all()
    others = scans[~scans["chosen"]]
    names = others["path"].where(others["path"] != "", others["scan"])
    reasons = dict(zip(names, others["reason"], strict=True))
    assert all(reasons.values())
    for name, reason in layout.reasons.items():
        assert reason in reasons[name]
    assert snapshot(bids_dir) == before
    write_table(scans, tmp_path / "scans.tsv", describe_scans())
    pd.testing.assert_frame_equal(read_scans(tmp_path / "scans.tsv"), scans)


@pytest.mark.parametrize("layout", REFUSED.values(), ids=REFUSED)
def test_folder_that_cannot_be_measured_is_refused_with_cause_and_remedy(bids_dir: Path, layout: Refused) -> None:
    layout.build(bids_dir)
    before = snapshot(bids_dir)
    with pytest.raises(layout.error) as caught:
        find_scans(bids_dir, output_dir=bids_dir / layout.output_dir, filters={}, participants=[])
    for words in layout.says:
        assert words in str(caught.value)
    assert snapshot(bids_dir) == before


@contextmanager
def folder_of_nobody() -> Iterator[Path]:
    """Make a folder whose owner this process is for a while, and who is not root."""
    folder = Path(tempfile.mkdtemp())
    is_root = os.geteuid() == 0
    try:
        if is_root:
            os.chown(folder, NOBODY, NOBODY)
            os.seteuid(NOBODY)
        yield folder
    finally:
        if is_root:
            os.seteuid(0)
        shutil.rmtree(folder)


def test_folder_and_file_without_permission_are_rows_with_the_cause() -> None:
    with folder_of_nobody() as folder:
        add(
            folder,
            t1w("sub-01", "run-1"),
            t1w("sub-01", "run-2"),
            t1w("sub-02"),
            t1w("sub-03_ses-1"),
            t1w("sub-03_ses-2"),
        )
        closed = [folder / name for name in (t1w("sub-01", "run-1"), "sub-02", "sub-03/ses-1/anat")]
        for path in closed:
            path.chmod(0)
        scans = find_scans(folder, output_dir=folder.parent / "x", filters={}, participants=[]).set_index("scan")
        for path in closed[1:]:
            path.chmod(0o755)
    assert scans.loc[scans["chosen"], "path"].tolist() == [t1w("sub-01", "run-2"), t1w("sub-03_ses-2")]
    assert scans.loc[~scans["chosen"], "reason"].tolist() == [
        "the file cannot be read: Permission denied",
        "the folder sub-02 cannot be read: Permission denied",
        "the folder sub-03/ses-1/anat cannot be read: Permission denied",
    ]


@pytest.mark.skipif(
    shutil.which("unshare") is None, reason="no unshare on this machine: no read-only folder can be made"
)
def test_read_only_folder_is_read(bids_dir: Path, tmp_path: Path) -> None:
    """As root no permission binds, so the folder is mounted read-only where this process alone sees it."""
    ACCEPTED["several runs and acquisitions"].build(bids_dir)
    before = snapshot(bids_dir)
    private = ["unshare", "--mount", "--map-root-user", "sh", "-c", READ_ONLY, "sh", str(bids_dir)]
    if subprocess.run([*private, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this machine lets nobody mount a folder read-only")
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", "1", "--dry-run"]
    command += ["--config", f"bids_dir={bids_dir}", f"output_dir={tmp_path / 'results'}"]
    done = subprocess.run([*private, *command], cwd=tmp_path, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    for path in ACCEPTED["several runs and acquisitions"].chosen.values():
        assert path in done.stdout
    assert snapshot(bids_dir) == before


def test_a_large_cohort_is_read_in_no_time(bids_dir: Path, tmp_path: Path) -> None:
    """Time of the processor, as tests share theirs; 10,000 people are ten times as many (benchmarks/scale.py)."""
    people = [f"sub-{number:04}" for number in range(N_MANY)]
    rows = [f"{name}\t{20 + number % 50}\t20\n" for number, name in enumerate(people)]
    (bids_dir / "participants.tsv").write_text("participant_id\tage\tbmi\n" + "".join(rows), encoding="utf-8")
    for name in people:
        add(bids_dir, *(t1w(f"{name}_{session}", run) for session in ("ses-1", "ses-2") for run in ("run-1", "run-2")))
        add(bids_dir, f"{name}/{name}_sessions.tsv", content=b"session_id\tbmi\nses-1\t20\nses-2\t21\n")
    start = time.process_time()
    scans = find_scans(bids_dir, output_dir=tmp_path / "results", filters={}, participants=[])
    sessions = read_sessions(bids_dir, scans["participant_id"])
    joined = join_sessions(read_participants(bids_dir / "participants.tsv"), sessions, {"bmi"})
    used_s = time.process_time() - start
    assert joined is not None
    assert (len(scans), int(scans["chosen"].sum()), len(joined)) == (4 * N_MANY, 2 * N_MANY, 3 * N_MANY)
    assert used_s < LONGEST_CPU_S
