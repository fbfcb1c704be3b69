"""A large cohort made of a measured one: files are shared, numbers are not, and what is planted is in them."""

import numpy as np
import pandas as pd
import pytest
from measuring import VOLUMES, BenchmarkError
from report_scale import METRICS, build_cohort, find_scans, weigh

from morpho.failures import Failure, write_failure

REGIONS = ["hippocampus", "amygdala"]


def write_scan(folder, name, *, failed=False):
    anat = folder / name / "anat"
    anat.mkdir(parents=True)
    pd.DataFrame({"roi": REGIONS, "hemisphere": "L", "volume_mm3": [4000.0, 1500.0]}).to_csv(
        anat / f"{name}_{VOLUMES}", sep="\t", index=False
    )
    pd.DataFrame({"input_kind": ["extracted"], "mask_parts": [1], "brain_mask_volume_ml": [1200.0]}).to_csv(
        anat / f"{name}_{METRICS}", sep="\t", index=False
    )
    if failed:
        write_failure(Failure("preprocess", "no brain", "log"), [anat / f"{name}_{METRICS}"])
    (anat / f"{name}_desc-brain_mask.nii.gz").write_bytes(b"mask")


@pytest.fixture
def measured(tmp_path):
    write_scan(tmp_path / "measured", "sub-a")
    write_scan(tmp_path / "measured", "sub-b", failed=True)
    return tmp_path / "measured"


def test_scans_that_failed_are_no_sources(measured):
    assert [folder.name for folder in find_scans(measured)] == ["sub-a"]


def test_a_folder_without_scans_is_refused(tmp_path):
    with pytest.raises(BenchmarkError, match="no measured scan"):
        find_scans(tmp_path)


def test_images_are_shared_and_the_planted_effect_is_in_the_volumes(measured, tmp_path):
    work, n = tmp_path / "work", 400
    build_cohort(measured, work, n, np.random.default_rng(0))
    source = measured / "sub-a" / "anat" / "sub-a_desc-brain_mask.nii.gz"
    assert (work / "morpho/sub-00400/anat/sub-00400_desc-brain_mask.nii.gz").samefile(source)
    people = pd.read_csv(work / "bids" / "participants.tsv", sep="\t").set_index("participant_id")
    volumes = pd.concat(
        pd.read_csv(work / f"morpho/{name}/anat/{name}_{VOLUMES}", sep="\t").assign(name=name) for name in people.index
    ).pivot_table(index="name", columns="roi", values="volume_mm3")
    assert volumes.nunique().eq(n).all()
    # The body share of a person is in both regions, so their ratio shows the hippocampus alone.
    ratio = np.log(volumes["hippocampus"] / volumes["amygdala"]).groupby(people["group"]).mean()
    assert ratio["patient"] - ratio["control"] == pytest.approx(-0.02, abs=3 * 0.04 * np.sqrt(2 * 4 / n))
    assert people.loc[people["group"] == "control", "hamd"].isna().all()


def test_megabytes_are_of_the_files_on_disk(tmp_path):
    (tmp_path / "index.html").write_bytes(b"x" * 2_000_000)
    (tmp_path / "scans").mkdir()
    (tmp_path / "scans" / "a.webp").write_bytes(b"x" * 500_000)
    sizes = weigh(tmp_path)
    assert (sizes["all_mb"], sizes["index_mb"], sizes["webp_mb"], sizes["js_mb"]) == (2.5, 2.0, 0.5, 0)
