"""Manual labels: names are checked, volumes counted, and a cropped label image finds its place again."""

import nibabel as nib
import numpy as np
import pytest
from grids import on_grid_of
from manual_labels import compare_with_manual, summarise
from manual_set import (
    PROTOCOL,
    SIDE_NAMES,
    check_label_names,
    find_manual_scans,
    manual_volumes,
    parse_pairs,
)
from measuring import REGIONS, BenchmarkError, Measured, label_indices

SHAPE = (12, 24, 12)
AFFINE = np.array([[-2.0, 0, 0, 0], [0, 1, 0, -20], [0, 0, 1, -30], [0, 0, 0, 1]])


def all_parts():
    return [(part, labels) for parts in PROTOCOL.values() for part, labels in parts.items()]


@pytest.fixture
def manual_folder(tmp_path):
    """One scan in which each label fills 2 x 2 x 1 voxels of 2 mm3."""
    lines = [
        f"{label},{side} {part}  some gyrus,GM"
        for part, labels in all_parts()
        for side, label in zip(SIDE_NAMES, labels, strict=True)
    ]
    (tmp_path / "labels.csv").write_text("\n".join(["Label Number,Label Name,Class", *lines]))
    data = np.zeros(SHAPE, np.int16)
    for position, label in enumerate(label for _, labels in all_parts() for label in labels):
        column, row, height = position % 5, position // 5 % 11, position // 55
        data[2 * column : 2 * column + 2, 2 * row : 2 * row + 2, height] = label
    nib.save(nib.Nifti1Image(data, AFFINE), tmp_path / "7_glm.nii.gz")
    nib.save(nib.Nifti1Image(data, AFFINE), tmp_path / "7_SS.nii.gz")
    return tmp_path


def test_volumes_are_voxels_times_their_size(manual_folder):
    table = manual_volumes(find_manual_scans(manual_folder)).set_index(["structure", "side"])["volume_mm3"]
    assert table["hippocampus", "L"] == 8
    assert table["prefrontal_cortex", "both"] == 2 * 13 * 8
    assert table["total_grey_matter", "both"] == 2 * 16 * 8


def test_other_names_in_the_csv_are_refused(manual_folder):
    file = manual_folder / "labels.csv"
    file.write_text(file.read_text().replace("Left Hippocampus", "Left Caudate"))
    with pytest.raises(BenchmarkError, match="48 is 'Left Caudate"):
        check_label_names(file)


@pytest.mark.parametrize("text", ["7", "7-7", "7-8"])
def test_a_pair_that_is_none_is_refused(manual_folder, text):
    with pytest.raises(BenchmarkError, match="is no pair of scans"):
        parse_pairs([text], find_manual_scans(manual_folder))


def test_labels_on_a_cropped_and_flipped_grid_find_their_place():
    data = np.zeros(SHAPE, np.int16)
    data[3:6, 4:9, 5:7] = 5
    data[8, 20, 2] = 7  # cut off by the crop
    whole = nib.Nifti1Image(data, AFFINE)
    flipped = nib.as_closest_canonical(nib.Nifti1Image(data[:, 2:12, 3:], whole.slicer[:, 2:12, 3:].affine))
    found = on_grid_of(flipped, whole)
    assert np.array_equal(found, np.where(data == 7, 0, data))


def test_perfect_measurement_has_dice_one_and_a_failed_scan_is_a_row(manual_folder, tmp_path):
    scans = find_manual_scans(manual_folder)
    manual = nib.load(scans[0].labels)
    theirs, ours = np.asanyarray(manual.dataobj), np.zeros(SHAPE, np.int16)
    for structure in ("hippocampus", "amygdala"):
        (labels,) = PROTOCOL[structure].values()
        for side, label in zip("RL", labels, strict=True):
            ours[theirs == label] = label_indices()[structure, side][0]
    nib.save(nib.Nifti1Image(ours, AFFINE), tmp_path / f"sub-7_{REGIONS}")
    done = Measured("7", tmp_path, volumes_mm3={("hippocampus", "L"): 8.0, ("hippocampus", "R"): 9.0})
    summary = summarise(compare_with_manual(scans, {"7": done}, []), "morpho")
    assert summary["hippocampus_dice"] == 1
    assert summary["hippocampus_bias"] == pytest.approx(100 / 16)
    failed = compare_with_manual(scans, {"7": Measured("7", tmp_path, failure="register: lost")}, [])
    assert failed.loc[failed["measure"] == "failure", "note"].tolist() == ["register: lost"]
    assert summarise(failed, "morpho")["n"] == 0
