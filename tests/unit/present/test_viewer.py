"""Data of the viewer: the brain alone, in its place, its sides kept, small enough."""

from __future__ import annotations

import base64
import gzip
import json
from types import ModuleType

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nibabel.nifti1 import Nifti1Image

from morpho.errors import GridMismatchError
from morpho.images import array_of, labels_of
from morpho.present.viewer import ScanImages, pack_scans, shrink_scan, write_label_script, write_scan_script


def block_images() -> ScanImages:
    """Make a brain of 8 x 8 x 8 voxels of 1 mm in the middle of 24, bright and labelled on the left."""
    affine = np.diag([1.0, 1.0, 1.0, 1.0])
    affine[:3, 3] = (-12, -12, -12)
    mask = np.zeros((24, 24, 24), dtype=np.uint8)
    mask[8:16, 8:16, 8:16] = 1
    signal = np.full(mask.shape, 7.0, dtype=np.float32)
    signal[8:16, 8:16, 8:16] = 50.0
    signal[8:12, 8:16, 8:16] = 100.0
    labels = np.zeros(mask.shape, dtype=np.int16)
    labels[8:12, 8:16, 8:16] = 5
    return ScanImages(*(nib.Nifti1Image(data, affine) for data in (signal, mask, labels)))


def centre_mm(image: Nifti1Image, where: np.ndarray) -> np.ndarray:
    """Centre of a set of voxels in mm."""
    return nib.affines.apply_affine(image.affine, np.argwhere(where).mean(axis=0))


def test_voxels_are_merged_and_stay_in_place() -> None:
    images = block_images()
    scan, labels = shrink_scan(images)
    assert scan.header.get_zooms() == (2.0, 2.0, 2.0)
    values = array_of(scan)
    assert values.shape == (8, 8, 8)  # 8 voxels of brain and 4 of margin on each side, merged by two
    assert values[0].max() == 0  # nothing far outside the brain
    assert values[2, 3, 3] > 1.5 * values[5, 3, 3] > 0
    assert set(np.unique(values)) <= set(np.round(np.arange(48) * (255 / 47)))
    brain = centre_mm(images.brain_mask, array_of(images.brain_mask) > 0)
    assert centre_mm(scan, values > 60) == pytest.approx(brain, abs=0.01)
    assert centre_mm(labels, labels_of(labels) == 5) == pytest.approx([-2.5, -0.5, -0.5])


def test_voxels_that_are_long_already_stay_as_they_are() -> None:
    affine = np.diag([1.0, 1.0, 3.0, 1.0])
    images = block_images()
    long = ScanImages(*(Nifti1Image(np.asarray(image.dataobj), affine) for image in vars(images).values()))
    scan, _ = shrink_scan(long)
    assert scan.header.get_zooms() == (2.0, 2.0, 3.0)
    assert scan.shape == (8, 8, 12)  # margins of 4, 4 and 2 voxels


@pytest.mark.parametrize("flipped", [False, True])
def test_sides_are_kept_on_oblique_and_flipped_grids(study: ModuleType, flipped: bool) -> None:
    head = study.make_head(flipped=flipped)
    scan, labels = shrink_scan(ScanImages(head["t1w"], head["brain_mask"], head["regions"]), voxel_mm=6.0)
    for index in study.LABELS.values():
        before = centre_mm(head["regions"], labels_of(head["regions"]) == index)
        after = centre_mm(labels, labels_of(labels) == index)
        assert np.abs(after - before).max() < 4.0
        assert np.sign(after[0]) == np.sign(before[0])
    assert scan.shape == labels.shape


def test_the_script_holds_two_images_that_can_be_read() -> None:
    script = write_scan_script(block_images())
    held = json.loads(script.removeprefix("window.morphoScan = ").removesuffix(";\n"))
    images = {name: Nifti1Image.from_bytes(gzip.decompress(base64.b64decode(text))) for name, text in held.items()}
    assert np.array_equal(array_of(images["t1w"]), array_of(shrink_scan(block_images())[0]))
    assert images["labels"].header.get_intent()[0] == "label"
    assert images["t1w"].get_data_dtype() == np.uint8
    assert script == write_scan_script(block_images())


def test_scans_are_packed_until_there_is_no_room() -> None:
    size = len(write_scan_script(block_images()))
    asked: list[str] = []

    def load(scan: str) -> ScanImages:
        asked.append(scan)
        return block_images()

    packed = pack_scans(["a", "b", "c", "d"], load, limit_mb=2.5 * size / 1e6)
    assert list(packed) == ["a", "b"]
    assert asked == ["a", "b", "c"]
    assert pack_scans(["a"], load, limit_mb=0) == {}


def test_images_on_different_grids_are_refused() -> None:
    images = block_images()
    moved = nib.Nifti1Image(np.asarray(images.labels.dataobj), np.eye(4))
    with pytest.raises(GridMismatchError):
        shrink_scan(ScanImages(images.t1w, images.brain_mask, moved))


def test_labels_have_names_sides_and_the_colours_of_the_figures() -> None:
    labels = pd.DataFrame({"index": [17, 3], "name": ["hippocampus", "cuneus"], "hemisphere": ["L", "B"]})
    rois = pd.DataFrame({"roi": ["hippocampus"], "hemisphere": ["L"], "label_indices": [[17]]})
    script = write_label_script(labels, rois, {"hippocampus": "#D55E00"})
    table = json.loads(script.removeprefix("window.morphoLabels = ").removesuffix(";\n"))
    assert table["I"] == [0, 17, 3]
    assert table["labels"] == ["", "left hippocampus", "cuneus"]
    assert [table[channel][1] for channel in "RGB"] == [0xD5, 0x5E, 0x00]
    assert table["A"][0] == 0
