"""Metadata of the derivative data set."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from morpho.derivatives import bidsignore_text, dataset_description, derivative_path, derivative_sidecar
from morpho.errors import BidsError


def describe(folder: Path, raw: Any = None) -> dict[str, object]:
    (folder / "raw data").mkdir(exist_ok=True)
    if raw is not None:
        (folder / "raw data/dataset_description.json").write_text(json.dumps(raw), encoding="utf-8")
    return dataset_description(folder / "raw data", folder / "results/morpho", version="1.2.3")


def test_description_without_raw_description_links_the_folder(tmp_path: Path) -> None:
    description = describe(tmp_path)
    assert description["DatasetType"] == "derivative"
    assert description["GeneratedBy"] == [{"Name": "morpho", "Version": "1.2.3"}]
    assert description["DatasetLinks"] == {"raw": "../../raw%20data"}
    assert description["SourceDatasets"] == [{"URL": "../../raw%20data"}]
    assert "License" not in description


@pytest.mark.parametrize("prefix", ["", "doi:", "https://doi.org/", "http://dx.doi.org/", "DOI: "])
def test_name_licence_and_doi_come_from_the_raw_data_set(tmp_path: Path, prefix: str) -> None:
    description = describe(tmp_path, {"Name": "Étude", "License": "CC0", "DatasetDOI": f"{prefix}10.1/x.v1"})
    assert str(description["Name"]).endswith(": Étude")
    assert description["License"] == "CC0"
    assert description["SourceDatasets"] == [{"DOI": "10.1/x.v1"}]
    assert description["DatasetLinks"] == {"raw": "doi:10.1/x.v1"}


@pytest.mark.parametrize("raw", [[], {"Name": None, "License": 1, "DatasetDOI": "unknown"}])
def test_odd_raw_description_is_no_obstacle(tmp_path: Path, raw: Any) -> None:
    description = describe(tmp_path, raw)
    assert str(description["Name"]).endswith("unnamed data set")
    assert description["DatasetLinks"] == {"raw": "../../raw%20data"}


def test_broken_raw_description_is_named(tmp_path: Path) -> None:
    describe(tmp_path)
    (tmp_path / "raw data/dataset_description.json").write_text("{", encoding="utf-8")
    with pytest.raises(BidsError, match=r"dataset_description\.json is not valid JSON"):
        describe(tmp_path)


def test_code_url_is_given_if_known(tmp_path: Path) -> None:
    description = dataset_description(tmp_path, tmp_path, version="1", code_url="https://example.org")
    assert description["GeneratedBy"] == [{"Name": "morpho", "Version": "1", "CodeURL": "https://example.org"}]


def test_sidecar_names_its_sources() -> None:
    sidecar = derivative_sidecar(
        ["sub-01/anat/sub-01_T1w.nii"], description="x", spatial_reference="orig", Type="Brain"
    )
    assert sidecar == {
        "Description": "x",
        "Sources": ["bids:raw:sub-01/anat/sub-01_T1w.nii"],
        "SpatialReference": "orig",
        "Type": "Brain",
    }


def test_paths_hold_wildcards_too() -> None:
    assert derivative_path("{folder}", "{scan}", "dseg.nii.gz") == "{folder}/anat/{scan}_dseg.nii.gz"


@pytest.mark.parametrize("raw", [None, {"Name": "x", "License": "CC0", "DatasetDOI": "10.1/x"}])
def test_bids_validator_accepts_the_data_set(tmp_path: Path, raw: Any) -> None:
    validator = shutil.which("bids-validator-deno", path=str(Path(sys.executable).parent))
    if validator is None:
        pytest.skip("the BIDS validator is not installed (extra: dev)")
    folder = tmp_path / "results/morpho"
    names = ["desc-regions_volumes.tsv", "from-T1w_to-x_xfm.mat", "label-GM_probseg.nii.gz"]
    for path in [
        *(derivative_path("sub-01", "sub-01", name) for name in names),
        "group/a.tsv",
        "logs/x.log",
        "enigma_export/patient_control.tsv",
        "report/index.html",
        "report/assets/report.js",
        "report/tables/a.json",
    ]:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(b"x\n1\n")
    sidecar = derivative_sidecar(["sub-01/anat/sub-01_T1w.nii.gz"], description="x", spatial_reference="orig")
    (folder / derivative_path("sub-01", "sub-01", "label-GM_probseg.json")).write_text(json.dumps(sidecar))
    (folder / "dataset_description.json").write_text(json.dumps(describe(tmp_path, raw)), encoding="utf-8")
    (folder / ".bidsignore").write_text(bidsignore_text(), encoding="utf-8")
    command = [validator, "--format", "json", "--ignoreWarnings", "--ignoreNiftiHeaders", "--max-rows=-1", str(folder)]
    report = json.loads(subprocess.run(command, capture_output=True, text=True, check=False).stdout)
    assert report["summary"]["totalFiles"] >= 1
    assert [issue for issue in report["issues"]["issues"] if issue["severity"] == "error"] == []
