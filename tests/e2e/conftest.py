"""Small cohorts of simulated heads, and the workflow run on them as a user runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import pytest
import yaml

from morpho.phantom import Person, Scanner, simulate_head
from morpho.phantom_maps import HeadMaps

ROOT = Path(__file__).parents[2]
# Brains of 2 mm, aligned coarsely: half a minute for a scan.
QUICK = {
    "preprocess": {"margin_mm": 6},
    "register": {"resolution_mm": 3.0, "iterations": [40, 20, 5]},
    "models": {"covariates": [], "head_size": "none", "min_group_size": 2},
    "quality": {"hard_limits": {"laterality_score": None}},  # the template is symmetric
}


@dataclass
class Study:
    """A folder with a BIDS folder ``bids``, in which the workflow runs and writes ``out``."""

    folder: Path

    @property
    def out(self) -> Path:
        """Results."""
        return self.folder / "out"

    def command(self, *targets: str, cores: int = 1, options: Sequence[str] = (), **changes: object) -> list[str]:
        """Give the command that makes targets with `QUICK` and `changes` (blocks of the configuration)."""
        blocks: dict[str, Any] = {"bids_dir": "bids", "output_dir": "out", **QUICK, **changes}
        (self.folder / "my.yaml").write_text(yaml.safe_dump(blocks), encoding="utf-8")
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", str(cores)]
        return [
            *command, "--workflow-profile", str(ROOT / "profiles/default"), "--configfile", "my.yaml",
            *options, "--", *targets,
        ]  # fmt: skip

    def run(self, *arguments: str, cores: int = 1, **changes: object) -> subprocess.CompletedProcess[str]:
        """Run the workflow to its end."""
        command = self.command(*arguments, cores=cores, **changes)
        return subprocess.run(command, cwd=self.folder, env=environment(), capture_output=True, text=True, check=False)

    @contextmanager
    def running(self, *targets: str, **settings: Any) -> Iterator[subprocess.Popen[str]]:
        """Run the workflow in the background, in a process group of its own, which does not outlive the test."""
        with (self.folder / "said.txt").open("w", encoding="utf-8") as said:
            process = subprocess.Popen(
                self.command(*targets, **settings), cwd=self.folder, env=environment(), stdout=said,
                stderr=subprocess.STDOUT, text=True, start_new_session=True,
            )  # fmt: skip
            try:
                yield process
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, 9)
                process.wait()

    def tables(self) -> dict[str, bytes]:
        """Content of every table, by its path in the results."""
        return {path.relative_to(self.out).as_posix(): path.read_bytes() for path in self.out.rglob("*.tsv")}


def environment() -> dict[str, str]:
    """Environment of a user: without what pytest sets."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}


@pytest.fixture(scope="session")
def simulated_brains(head_maps: HeadMaps) -> list[nib.Nifti1Image]:
    """Three extracted brains."""
    people = [Person(hippocampus_scale=scale, seed=seed) for seed, scale in enumerate((1.0, 0.9, 0.8))]
    return [simulate_head(head_maps, person, Scanner(whole_head=False), []).t1w for person in people]


@pytest.fixture(scope="session")
def make_study(simulated_brains: list[nib.Nifti1Image]) -> Callable[[Path, int], Study]:
    """Make a study of so many brains, the first of them controls."""

    def make(folder: Path, n_scans: int) -> Study:
        rows = ["participant_id\tgroup"]
        for number, scan in enumerate(simulated_brains[:n_scans], start=1):
            path = folder / "bids" / f"sub-{number}" / "anat" / f"sub-{number}_T1w.nii.gz"
            path.parent.mkdir(parents=True)
            nib.save(scan, path)
            rows.append(f"sub-{number}\t{'control' if number <= n_scans // 2 else 'patient'}")
        (folder / "bids" / "participants.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
        return Study(folder)

    return make
