"""Tables of other tools, made by hand in their formats, and names of structures."""

import json

import nibabel as nib
import numpy as np
import pytest
from peers.brainchop import read_class_names, scan_of_labels
from peers.compare import with_sums
from peers.deepmriprep import scan_of_maps
from peers.hippodeep import check
from peers.naming import PeerError, add_up, parse_name, parts_of_structure
from peers.tables import read_freesurfer, read_synthseg

ASEG = """# Title Segmentation Statistics
# Measure TotalGray, TotalGrayVol, Total gray matter volume, 600000.000000, mm^3
# ColHeaders  Index SegId NVoxels Volume_mm3 StructName normMean
  1  17  4000  4001.5 Left-Hippocampus 60.0
  2  53  4100  4101.5 Right-Hippocampus 60.0
  3  16  9000  9001.0 Brain-Stem 90.0
"""


def aparc(names):
    rows = [f"{name} 1000 700 {100 + position} 2.5" for position, name in enumerate(names)]
    return "\n".join(["# Table", "# ColHeaders StructName NumVert SurfArea GrayVol ThickAvg", *rows])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Left-Hippocampus", ("L", "hippocampus")),
        ("ctx-rh-frontalpole", ("R", "frontalpole")),
        ("right amygdala", ("R", "amygdala")),
        ("Brain-Stem", None),
        ("total intracranial", None),
    ],
)
def test_names_are_parsed(text, expected):
    assert parse_name(text) == expected


def test_parts_are_those_of_the_region_table_without_carved_labels():
    assert parts_of_structure("hippocampus") == {"hippocampus"}
    assert parts_of_structure("anterior_cingulate") == {"rostralanteriorcingulate", "caudalanteriorcingulate"}
    assert "superiorfrontal" in parts_of_structure("prefrontal_cortex")


def test_a_missing_part_makes_the_sum_missing():
    volumes = add_up({("L", "rostralanteriorcingulate"): 1.0})
    assert np.isnan(volumes["anterior_cingulate", "L"])


def test_freesurfer_statistics_add_up(tmp_path):
    stats = tmp_path / "sub-7" / "stats"
    stats.mkdir(parents=True)
    (stats / "aseg.stats").write_text(ASEG)
    for hemisphere in ("lh", "rh"):
        names = ["rostralanteriorcingulate", "caudalanteriorcingulate"]
        (stats / f"{hemisphere}.aparc.stats").write_text(aparc(names))
    volumes = with_sums(read_freesurfer(tmp_path, "7").volumes_mm3)
    assert volumes["hippocampus", "both"] == pytest.approx(8103.0)
    assert volumes["anterior_cingulate", "R"] == 201
    assert np.isnan(volumes["amygdala", "L"])
    with pytest.raises(PeerError, match="no subject 8"):
        read_freesurfer(tmp_path, "8")


def test_synthseg_row_is_found_by_the_name_of_the_image(tmp_path):
    file = tmp_path / "volumes.csv"
    file.write_text("subject,total intracranial,left hippocampus,right hippocampus\n6_SS,9,1,2\n7_SS,9,3,4\n")
    assert read_synthseg([file], "7").volumes_mm3["hippocampus", "R"] == 4
    with pytest.raises(PeerError, match="no row 5"):
        read_synthseg([file], "5")


def test_label_image_of_named_classes(tmp_path):
    names = ["Unknown", "Left-Hippocampus", "Right-Hippocampus", "Left-Amygdala", "Right-Amygdala"]
    (tmp_path / "labels.json").write_text(json.dumps(dict(enumerate(names))))
    labels = np.zeros((4, 4, 4), np.uint8)
    labels[0, 0, :3], labels[1, 0, :2], labels[2, 2, 2], labels[3, 3, 3] = 1, 2, 3, 4
    image = nib.Nifti1Image(labels, np.diag([2.0, 1, 1, 1]))
    scan = scan_of_labels(image, read_class_names(tmp_path))
    assert scan.volumes_mm3["hippocampus", "L"] == 6
    assert np.asanyarray(scan.masks["hippocampus", "R"].dataobj).sum() == 2


def test_grey_share_inside_the_labels_of_the_atlas():
    atlas = np.zeros((3, 3, 3), np.uint8)
    atlas[0], atlas[1] = 48, 47  # left, right hippocampus
    grid = np.diag([1.0, 1.0, 2.0, 1.0])
    scan = scan_of_maps(nib.Nifti1Image(np.full((3, 3, 3), 0.5, np.float32), grid), nib.Nifti1Image(atlas, grid))
    assert scan.volumes_mm3["hippocampus", "L"] == pytest.approx(9.0)
    assert scan.volumes_mm3["amygdala", "R"] == 0


def test_folder_that_is_no_checkout_is_refused(tmp_path):
    with pytest.raises(PeerError, match=r"has no hippodeep\.py"):
        check(tmp_path)
