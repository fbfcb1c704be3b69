"""The command `morpho` as people call it: another process, another folder, nothing measured (dry runs)."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import yaml

ROOT = Path(__file__).parents[2]
MORPHO = [sys.executable, "-P", "-c", "import sys; from morpho.cli.main import main; sys.exit(main())"]
SCAN = re.compile(r"wildcards: folder=\S+, scan=(\S+)")
RULE = re.compile(r"^(?:local)?rule (\w+):$", re.MULTILINE)
STATISTICS = {"assemble_cohort", "compare_groups", "write_report"}
TABLE = "participant_id\tage\tsex\tgroup\nsub-01\t30\tf\thc\nsub-02\t40\tm\tmdd\nsub-03\t50\tf\tmdd\n"
ALL = ("sub-01", "sub-02_ses-1_acq-fast", "sub-02_ses-1_acq-mprage", "sub-02_ses-2_acq-mprage", "sub-03")

Ended = subprocess.CompletedProcess[str]


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """BIDS folder with a name that shells and workflow engines stumble over; the caller's folder is beside it."""
    folder = tmp_path / "it's my study é"
    add_scans(folder, *ALL)
    (folder / "participants.tsv").write_text(TABLE, encoding="utf-8")
    (tmp_path / "here").mkdir()
    # A file of the caller that has the name of a module must not be taken for it.
    (tmp_path / "here" / "snakemake.py").write_text("raise SystemExit('the wrong module')\n", encoding="utf-8")
    return folder


def add_scans(folder: Path, *names: str) -> None:
    for name in names:
        parts = [part for part in name.split("_") if part.startswith(("sub-", "ses-"))]
        anat = folder.joinpath(*parts, "anat")
        anat.mkdir(parents=True, exist_ok=True)
        nib.save(nib.Nifti1Image(np.zeros((2, 2, 2), np.uint8), np.eye(4)), anat / f"{name}_T1w.nii.gz")


def morpho(folder: Path, *words: str | Path, **environment: str) -> Ended:
    """Call the command from a folder."""
    command = [*MORPHO, *map(str, words)]
    given = {**os.environ, **environment}
    return subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8", env=given, check=False)


def scans_of(run: Ended) -> set[str]:
    assert run.returncode == 0, run.stdout + run.stderr
    return set(SCAN.findall(run.stdout))


def files_below(folder: Path) -> Sequence[Path]:
    return sorted(folder.rglob("*"))


def test_labels_and_filter_file_choose_what_is_measured_and_nothing_is_written(study: Path) -> None:
    here = study.parent / "here"
    (here / "filter.json").write_text(json.dumps({"t1w": {"acquisition": ["mprage", None]}}), encoding="utf-8")
    before = files_below(study.parent)
    words = [study, "../results", "group", "--participant-label", "sub-01", "02", "--session-label", "1"]
    run = morpho(here, *words, "--bids-filter-file", "filter.json", "--dry-run", "--", "--quiet", "host")
    # sub-01 has no session 1.
    assert scans_of(run) == {"sub-02_ses-1"}
    assert "acq-mprage" in run.stdout
    assert "acq-fast" not in run.stdout
    assert set(RULE.findall(run.stdout)) >= STATISTICS
    assert files_below(study.parent) == before


def test_participant_measures_scans_and_makes_no_statistics(study: Path) -> None:
    run = morpho(study.parent, study, "out", "participant", "-n", "--skip-bids-validation", "--", "--quiet", "host")
    assert scans_of(run) == {"sub-01", "sub-02_ses-1", "sub-02_ses-2", "sub-03"}
    assert not set(RULE.findall(run.stdout)) & STATISTICS
    assert "--skip-bids-validation changes nothing" in run.stderr


def test_dry_run_is_a_table_of_steps_for_people(study: Path) -> None:
    run = morpho(study.parent, study, "out", "group", "--dry-run", HOME="/no/such/home")
    lines = run.stdout.splitlines()
    assert run.returncode == 0, run.stderr
    assert lines[0] == "Steps that would be done:"
    assert lines[-1] == "This was a dry run: nothing was measured or written."
    assert [line for line in lines if re.fullmatch(r"write_report +1", line)]


def test_real_run_becomes_snakemake_and_has_its_exit_status(study: Path) -> None:
    (study / "participants.tsv").write_text(TABLE.replace("hc", "XX"), encoding="utf-8")
    run = morpho(study.parent, study, "out", "group", "--nprocs", "2", "--mem-mb", "3000")
    assert run.returncode == 1
    assert "values that are no group" in run.stderr
    assert "--cores 2" in run.stderr
    assert "mem_mb=3000" in run.stderr
    (config,) = (study.parent / "out" / ".morpho").glob("call-*.yaml")
    assert yaml.safe_load(config.read_text(encoding="utf-8")) == {
        "bids_dir": str(study),
        "output_dir": str(study.parent / "out"),
    }


def test_configuration_that_init_writes_can_run(study: Path) -> None:
    here = study.parent / "here"
    made = morpho(here, "init", study, "--output", "my.yaml")
    assert made.returncode == 0, made.stdout + made.stderr
    assert yaml.safe_load((here / "my.yaml").read_text(encoding="utf-8"))["bids_dir"] == str(study)
    run = morpho(here, study, "../out", "group", "--config", "my.yaml", "-n")
    assert run.returncode == 0, run.stderr
    assert "output_dir of the command line counts" in run.stderr


def test_configuration_that_init_writes_for_published_data_can_run(tmp_path: Path, shared_data: Path) -> None:
    source = shared_data / "ds002748"
    if not source.is_dir():
        pytest.skip("no ds002748 in the folder of real scans")
    bids_dir = tmp_path / "ds002748"
    add_scans(bids_dir, *(path.name for path in source.glob("sub-*")))
    for name in ("participants.tsv", "participants.json", "dataset_description.json"):
        shutil.copyfile(source / name, bids_dir / name)
    made = morpho(tmp_path, "init", bids_dir)
    assert made.returncode == 0, made.stdout + made.stderr
    written = yaml.safe_load((tmp_path / "ds002748.yaml").read_text(encoding="utf-8"))["participants"]
    # What config/ds002748.yaml, which a person wrote, says.
    ours = yaml.safe_load((ROOT / "config/ds002748.yaml").read_text(encoding="utf-8"))["participants"]
    assert written["columns"] == {"group": "group", "sex": ours["columns"]["sex"], "age": "age", "site": None}
    assert set(written["severity"].values()) == set(ours["severity"].values())
    assert written["group_levels"] == {"control": ["control"], "patient": ["depr"]}
    for name in ("anxiety_total", "handedness"):
        assert written["variables"][name] == ours["variables"][name]
    run = morpho(tmp_path, bids_dir, "out", "group", "--config", "ds002748.yaml", "-n")
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["{study}", "out"], "Missing on the command line: participant or group"),
        (["out", "{study}", "group"], "are the two swapped?"),
        (["{study}", "{study}/derivatives/morpho", "group"], "lies inside BIDS_DIR"),
        (["{study}", "out", "group", "--participant-label", "77"], "77 not in BIDS_DIR"),
        (["{study}", "out", "group", "--config", "none.yaml"], "no configuration file 'none.yaml'"),
        (["{study}", "out", "group", "--profile", "none"], "no profile 'none'"),
        (["{study}", "out", "group", "--bids-filter-file", "none.json"], "cannot be read as JSON"),
        (["init", "{study}/none"], "There is no folder"),
        (["doctor", "--nonsense"], "Unrecognized arguments"),
    ],
)
def test_wrong_usage_is_one_message_and_exit_status_2(study: Path, words: list[str], message: str) -> None:
    run = morpho(study.parent / "here", *(word.format(study=study) for word in words))
    assert run.returncode == 2
    assert message in run.stderr
    assert run.stderr.startswith("morpho: ")
    assert "Traceback" not in run.stderr
    assert not (study.parent / "here" / "out").exists()


def test_version_is_that_of_the_package(tmp_path: Path) -> None:
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    assert version is not None
    assert morpho(tmp_path, "--version").stdout == f"morpho {version[1]}\n"


def test_doctor_in_the_locale_of_a_bare_machine(tmp_path: Path) -> None:
    run = morpho(tmp_path, "doctor", "--no-phantom", LC_ALL="C", TERM="dumb")
    assert run.returncode == 0, run.stdout
    assert run.stdout.endswith("Everything that morpho needs is here.\n")
    assert files_below(tmp_path) == []
