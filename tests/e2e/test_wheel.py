"""A wheel has all that a run needs: installed away from the checkout, the command works there."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
CALL = ["-c", "import sys; from morpho.cli.main import main; sys.exit(main())"]


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of an environment with a wheel of morpho, and the other packages of this one."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(folder),
        str(ROOT),
    ]
    subprocess.run(build, check=True, capture_output=True)
    venv.create(folder / "venv", with_pip=False)
    site = folder / "venv" / Path(sysconfig.get_path("purelib")).relative_to(sysconfig.get_path("data"))
    # A .pth file adds a folder, but not the .pth files in it: the editable morpho of this environment stays unseen.
    (site / "base.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    (wheel,) = folder.glob("morpho-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    return folder / "venv" / "bin" / "python"


def morpho(python: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [str(python), *CALL, *words]
    return subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8", env=environment, check=False)


def test_wheel_plans_a_cohort_with_its_own_workflow(python: Path, tmp_path: Path) -> None:
    for name in ("sub-01", "sub-02"):
        anat = tmp_path / "study" / name / "anat"
        anat.mkdir(parents=True)
        nib.save(nib.Nifti1Image(np.zeros((2, 2, 2), np.uint8), np.eye(4)), anat / f"{name}_T1w.nii.gz")
    table = "participant_id\tage\tsex\tgroup\nsub-01\t30\tf\thc\nsub-02\t40\tm\tmdd\n"
    (tmp_path / "study" / "participants.tsv").write_text(table, encoding="utf-8")
    looked = morpho(python, tmp_path, "doctor", "--no-phantom")
    assert looked.returncode == 0, looked.stdout
    assert f"{python.parents[1]}/lib" in looked.stdout
    assert str(ROOT / "Snakefile") not in looked.stdout
    run = morpho(python, tmp_path, "study", "out", "group", "--dry-run")
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.startswith("Steps that would be done:")
    assert f"{ROOT}/" not in run.stderr.replace(str(python.parents[1]), "")
