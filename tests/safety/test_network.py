"""A raw scan becomes volumes, statistics and a report on a machine without network."""

import subprocess
from pathlib import Path
from typing import Any

import nibabel as nib
import pandas as pd
import pytest
import yaml

from morpho.phantom import Person, Scanner, simulate_head
from morpho.phantom_maps import HeadMaps

SETTINGS = {
    "preprocess": {"margin_mm": 6},
    "register": {"resolution_mm": 3.0, "iterations": [40, 20, 5]},
    "models": {"n_permutations": 100},
    "quality": {"hard_limits": {"laterality_score": None}},  # the template is symmetric
    "figures": {"formats": ["png"], "dpi": 60},
}


def test_a_program_that_asks_for_another_machine_fails_and_is_told(tmp_path: Path, sealed: Any) -> None:
    ask = "import urllib.request; urllib.request.urlopen('http://example.org', timeout=5)"
    run = sealed.run(tmp_path, "-c", ask)
    assert run.returncode != 0
    assert "example.org" in sealed.attempts.read_text(encoding="utf-8")
    sealed.attempts.unlink()


def test_compiled_code_has_no_network_either(sealed: Any) -> None:
    if not sealed.prefix:
        pytest.skip("this user may not make a network of its own (unshare -rn): only Python's requests are refused")
    run = subprocess.run([*sealed.prefix, "cat", "/proc/net/dev"], capture_output=True, text=True, check=True)
    interfaces = {line.partition(":")[0].strip() for line in run.stdout.splitlines() if ":" in line}
    assert interfaces == {"lo"}


def test_the_networks_report_to_nobody_and_leave_no_mark_of_the_machine(tmp_path: Path, sealed: Any) -> None:
    """What runs the networks (onnxruntime) would write an id of the machine and a queue of reports, and send them."""
    sealed.environment.pop("ORT_DISABLE_TELEMETRY", None)
    run = sealed.run(tmp_path, "-c", "from morpho.networks import load_network; load_network('medial_temporal')")
    assert run.returncode == 0, run.stderr
    assert [path for place in (sealed.home, sealed.temporary) for path in place.rglob("*") if path.is_file()] == []


@pytest.mark.slow
def test_a_scan_is_measured_and_reported_without_network(tmp_path: Path, sealed: Any, head_maps: HeadMaps) -> None:
    phantom = simulate_head(head_maps, Person(seed=3), Scanner(whole_head=False), [])
    scan = tmp_path / "bids/sub-01/anat/sub-01_T1w.nii.gz"
    scan.parent.mkdir(parents=True)
    nib.save(phantom.t1w, scan)
    people = pd.DataFrame({"participant_id": ["sub-01"], "group": "control", "sex": "F", "age": 70})
    people.to_csv(tmp_path / "bids/participants.tsv", sep="\t", index=False)
    blocks = {"bids_dir": "bids", "output_dir": "out", **SETTINGS}
    (tmp_path / "my.yaml").write_text(yaml.safe_dump(blocks), encoding="utf-8")
    run = sealed.snakemake(tmp_path, "--configfile", "my.yaml")
    assert run.returncode == 0, run.stdout + run.stderr
    assert not sealed.attempts.exists(), sealed.attempts.read_text(encoding="utf-8")
    volumes = pd.read_csv(tmp_path / "out/group/roi_volumes.tsv", sep="\t").set_index(["roi", "hemisphere"])[
        "volume_mm3"
    ]
    assert 1500 < volumes["hippocampus", "L"] < 8000
    page = (tmp_path / "out/report/index.html").read_text(encoding="utf-8")
    assert "The oldest person is 70 years old" in page
    assert [path for path in sealed.temporary.rglob("*") if path.is_file()] == []
    assert not list(sealed.home.rglob("*onnxruntime*"))
