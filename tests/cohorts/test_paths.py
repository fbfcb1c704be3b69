"""Paths as people have them, through a real Snakemake: spaces, accents, quotes and signs of the shell.

The locale is C, as on many clusters. Whatever cannot work is refused before the first job, with the remedy.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from morpho.tables import read_table
from tests.cohorts.layouts import add, snapshot, t1w

ROOT = Path(__file__).parents[2]
STUDY = "My Study é \"x\" 'y'"
SIGNS = "$HOME; 100% & #1: (a) [b] *? `c` !d | e > f < g \\ h, ü"
PEOPLE = "participant_id\tage\tsex\tgroup\nsub-01\t30\tf\thc\nsub-02\t40\tm\tmdd\n"
N_PER_GROUP = 12
CLAIM = {
    "claim": "The hippocampus is smaller.",
    "review": "own question",
    "evidence": {"says": "nothing published", "source": "none"},
    "tests": [
        {
            "test": "patients_controls",
            "formula": "volume ~ group + covariates",
            "effect": {"difference": ["group", "patient", "control"]},
            "decides": ["hippocampus"],
            "says": {"direction": "negative"},
        }
    ],
}


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Snakemake in a folder, with the locale of a bare machine."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", "2"]
    command += ["--workflow-profile", str(ROOT / "profiles/default"), *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "LC_", "LANG"))}
    return subprocess.run(
        command, cwd=folder, env=environment | {"LC_ALL": "C"}, capture_output=True, encoding="utf-8", check=False
    )


def make_study(folder: Path) -> Path:
    """Make a BIDS folder of two people in a folder of any name."""
    bids_dir = folder / "raw data é"
    add(bids_dir, t1w("sub-01"), t1w("sub-02"))
    (bids_dir / "participants.tsv").write_text(PEOPLE, encoding="utf-8")
    return bids_dir


def assert_refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode != 0
    assert "Traceback" not in done.stdout + done.stderr
    for word in words:
        assert word in done.stderr


def test_quotes_accents_and_spaces_on_the_command_line(tmp_path: Path) -> None:
    folder = tmp_path / STUDY
    bids_dir = make_study(folder)
    before = snapshot(bids_dir)
    done = run(folder, "--dry-run", "--config", f"bids_dir={bids_dir}", f"output_dir={folder / 'results é'}")
    assert done.returncode == 0, done.stderr
    assert f"{bids_dir}/{t1w('sub-02')}" in done.stdout
    assert snapshot(bids_dir) == before
    assert not (folder / "results é").exists()


def test_signs_of_the_shell_in_a_configuration_file(tmp_path: Path) -> None:
    folder = tmp_path / SIGNS
    bids_dir = make_study(folder)
    before = snapshot(bids_dir)
    config = {"bids_dir": str(bids_dir), "output_dir": str(folder / "out $(touch spoilt)")}
    (folder / "my config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    done = run(folder, "--dry-run", "--configfile", "my config.yaml")
    assert done.returncode == 0, done.stderr
    assert f"{bids_dir}/{t1w('sub-01')}" in done.stdout
    assert snapshot(bids_dir) == before
    assert not (folder / "spoilt").exists()


@pytest.mark.parametrize(
    ("key", "path", "words"),
    [
        ("output_dir", "results {site}", ("output_dir is 'results {site}'; Snakemake takes braces", "without { and }")),
        ("bids_dir", "raw {1}", ("bids_dir is 'raw {1}'; Snakemake takes braces", "Rename the folder")),
        ("output_dir", "results #2", ("output_dir=results #2 was read as 'results'", "--configfile, in quotes")),
        ("output_dir", "~/results", ("output_dir is '~/results'; only a shell knows", "Write the whole path")),
    ],
)
def test_paths_that_cannot_work_are_refused_before_the_first_job(
    tmp_path: Path, key: str, path: str, words: tuple[str, ...]
) -> None:
    make_study(tmp_path)
    paths = {"bids_dir": "raw data é", "output_dir": "results", key: path}
    assert_refused(
        run(tmp_path, "--dry-run", "--config", *(f"{name}={value}" for name, value in paths.items())), *words
    )


def write_tables(folder: Path) -> None:
    """Write volumes and participants with the dirt that can be read: CRLF, a byte-order mark, quotes, bare ids."""
    rng = np.random.default_rng(8)
    n = 2 * N_PER_GROUP
    ids = [f"{number:02}" for number in range(n)]
    volumes = pd.DataFrame({"participant_id": ids, "eTIV": rng.normal(1.5e6, 1e5, n).round()})
    volumes[["hippocampus_L_mm3", "hippocampus_R_mm3"]] = rng.normal(3500, 200, (n, 2)).round(1)
    volumes.to_csv(folder / "volumes é.tsv", sep="\t", index=False, encoding="utf-8-sig", lineterminator="\r\n")
    people = pd.DataFrame({"participant_id": ids, "group": ["HC", "MDD"] * N_PER_GROUP})
    people = people.assign(age=rng.integers(20, 60, n), sex=["f", "f", "m", "m"] * (n // 4)).astype(str)
    people.to_csv(folder / 'people "x".tsv', sep="\t", index=False, quoting=1)
    (folder / "claims 'y'.yaml").write_text(
        yaml.safe_dump({"variables": {}, "populations": {"everyone": {}}, "claims": {"own": CLAIM}}), encoding="utf-8"
    )


def test_statistics_run_in_a_folder_of_any_name(tmp_path: Path) -> None:
    """Every job is a process of its own, which is told all paths anew."""
    folder = tmp_path / STUDY / SIGNS
    folder.mkdir(parents=True)
    write_tables(folder)
    settings = {
        "volumes": str(folder / "volumes é.tsv"),
        "participants": 'people "x".tsv',
        "output_dir": str(folder / "out ü $x; 5%"),
        "models": {"claims": str(folder / "claims 'y'.yaml"), "n_permutations": 100},
    }
    (folder / "my.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    arguments = ["statistics", "--configfile", "my.yaml"]
    done = run(folder, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    group = folder / "out ü $x; 5%" / "group"
    cohort = read_table(group / "cohort.tsv")
    written = pd.read_csv(folder / "volumes é.tsv", sep="\t", encoding="utf-8-sig", dtype={"participant_id": str})
    assert cohort["participant_id"].tolist() == [f"sub-{name}" for name in written["participant_id"]]
    assert cohort["hippocampus_L_mm3"].tolist() == written["hippocampus_L_mm3"].tolist()
    effects = read_table(group / "group_comparison.tsv").set_index(["family", "roi"])
    assert effects.loc[("primary", "hippocampus"), "status"] == "fitted"
    assert (group / "claims.tsv").is_file()
    again = run(folder, "--dry-run", *arguments)
    assert sorted(path.name for path in tmp_path.iterdir()) == [STUDY]
    assert "Nothing to be done" in again.stdout + again.stderr
