"""What the user sees of each BIDS folder: one row per scan, the reason of every choice, and nothing written into it."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest

from morpho.bids import find_scans
from morpho.participants import read_participants, read_sessions
from morpho.scans import describe_scans, read_scans
from morpho.tables import write_table
from tests.cohorts.layouts import ACCEPTED, REFUSED, Accepted, Refused, add, snapshot, t1w

NOBODY = 65534
READ_ONLY = """set -e
mount --bind "$1" "$1"
mount -o remount,bind,ro "$1"
if touch "$1/written" 2>/dev/null; then exit 77; fi
shift
exec "$@"
"""
FIND = """import sys
from morpho.bids import find_scans
scans = find_scans(sys.argv[1], output_dir=sys.argv[2], filters={}, participants=[])
print(",".join(scans.loc[scans["chosen"], "scan"]))
"""


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
    command = [sys.executable, "-c", FIND, str(bids_dir), str(tmp_path / "results")]
    done = subprocess.run([*private, *command], capture_output=True, encoding="utf-8", check=False)
    assert (done.returncode, done.stdout) == (0, "sub-01,sub-02,sub-03\n"), done.stderr
    assert snapshot(bids_dir) == before
