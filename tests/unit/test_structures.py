"""Hippocampus and amygdala as stacks of shares, as labels of an atlas, and as the shipped atlas draws them."""

import hashlib
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nibabel.affines import apply_affine
from nibabel.nifti1 import Nifti1Image
from numpy.typing import NDArray

from morpho import structures
from morpho.atlas import Atlas, Template
from morpho.errors import AtlasError
from morpho.images import array_of, labels_of, like, mask_of, save_image, voxel_volume_mm3
from morpho.structures import (
    STRUCTURES,
    load_subcortical_atlas,
    redraw_structures,
    stack_structures,
    structures_by_label,
    unstack_structures,
)

Shares = dict[tuple[str, str], Nifti1Image]


@pytest.fixture
def shares(rng: np.random.Generator, shape: tuple[int, ...], awkward_affine: NDArray[np.float64]) -> Shares:
    """Random shares, named in an order that is not the one they are stored in."""
    names = sorted(STRUCTURES)
    return {name: nib.Nifti1Image(rng.uniform(0, 1, shape).astype(np.float32), awkward_affine) for name in names}


def ship(shares: Shares, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write shares as the package ships its atlas, and let the package find them."""
    file = folder / "subcortical_atlas.nii.gz"
    save_image(stack_structures(shares), file, kind="probability")
    about = {"sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
    file.with_name("subcortical_atlas.json").write_text(json.dumps(about), encoding="utf-8")
    monkeypatch.setattr(structures, "ATLAS_FILE", file)
    return file


# --- stacks -------------------------------------------------------------------------------------------------------


def test_what_is_stacked_comes_apart_again(shares: Shares, awkward_affine: NDArray[np.float64]) -> None:
    again = unstack_structures(stack_structures(shares))
    assert list(again) == list(STRUCTURES)
    for name, image in again.items():
        np.testing.assert_array_equal(array_of(image), array_of(shares[name]))
        np.testing.assert_array_equal(image.affine, awkward_affine)


def test_order_of_the_stack_is_the_documented_one(shares: Shares, shape: tuple[int, ...]) -> None:
    stacked = stack_structures(shares)
    assert stacked.shape == (*shape, 4)
    order = [("hippocampus", "L"), ("hippocampus", "R"), ("amygdala", "L"), ("amygdala", "R")]
    for number, name in enumerate(order):
        np.testing.assert_array_equal(array_of(stacked)[..., number], array_of(shares[name]))


def test_stack_survives_being_stored(shares: Shares, tmp_path: Path) -> None:
    save_image(stack_structures(shares), tmp_path / "stack.nii.gz", kind="probability")
    for name, image in unstack_structures(nib.load(tmp_path / "stack.nii.gz")).items():
        np.testing.assert_allclose(array_of(image), array_of(shares[name]), atol=0.5 / 255 + 1e-6)
        np.testing.assert_allclose(image.affine, shares[name].affine, atol=1e-4)


# --- labels -------------------------------------------------------------------------------------------------------


def test_structures_get_the_labels_of_the_table(shares: Shares, labels: pd.DataFrame) -> None:
    by_label = structures_by_label(shares, labels)
    assert len(by_label) == 4
    rows = labels.set_index("index")
    for label, share in by_label.items():
        assert share is shares[rows.loc[label, "name"], rows.loc[label, "hemisphere"]]


def test_structures_that_the_table_lacks_are_left_out(shares: Shares) -> None:
    table = pd.DataFrame({"index": [40, 7], "name": ["amygdala", "insula"], "hemisphere": ["R", "L"]})
    assert structures_by_label(shares, table) == {40: shares["amygdala", "R"]}
    assert structures_by_label(shares, table.iloc[1:]) == {}


# --- load_subcortical_atlas ---------------------------------------------------------------------------------------


def test_shipped_file_is_loaded(shares: Shares, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ship(shares, tmp_path, monkeypatch)
    loaded = load_subcortical_atlas()
    assert list(loaded) == list(STRUCTURES)
    for name, image in loaded.items():
        np.testing.assert_allclose(array_of(image), array_of(shares[name]), atol=0.003)


def test_damaged_file_is_noticed(shares: Shares, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = ship(shares, tmp_path, monkeypatch)
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with pytest.raises(AtlasError, match=r"subcortical_atlas\.nii\.gz is damaged .*Install morpho again"):
        load_subcortical_atlas()


@pytest.mark.parametrize("name", ["subcortical_atlas.nii.gz", "subcortical_atlas.json"])
def test_absent_file_is_noticed(shares: Shares, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    ship(shares, tmp_path, monkeypatch).with_name(name).unlink()
    with pytest.raises(AtlasError, match="missing from the package"):
        load_subcortical_atlas()


def test_shipped_atlas_has_structures_of_adult_size_on_their_sides(template: Template) -> None:
    """Sizes of FreeSurfer's definitions in template space, which is about 1.3 times as large as an average brain."""
    atlas = load_subcortical_atlas()
    inside = mask_of(template.brain_mask)
    for (name, side), image in atlas.items():
        values = array_of(image)
        assert 0 <= values.min() <= values.max() <= 1
        low, high = {"hippocampus": (3.5, 7.0), "amygdala": (1.2, 3.2)}[name]
        assert low < values.sum(dtype=float) * voxel_volume_mm3(image) / 1000 < high
        world = apply_affine(image.affine, np.argwhere(values >= 0.5))
        assert (world[:, 0] < 0).all() if side == "L" else (world[:, 0] > 0).all()
        voxels = np.rint(apply_affine(np.linalg.inv(template.t1w.affine), world)).astype(int)
        assert inside[tuple(voxels.T)].mean() > 0.99


def test_shipped_atlas_is_about_as_large_on_both_sides() -> None:
    total = {name: float(array_of(image).sum()) for name, image in load_subcortical_atlas().items()}
    for name in ("hippocampus", "amygdala"):
        assert total[name, "L"] == pytest.approx(total[name, "R"], rel=0.15)


# --- redraw_structures --------------------------------------------------------------------------------------------


@pytest.fixture
def redrawn(small_atlas: Atlas, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Nifti1Image, dict[int, set]]:
    """Small atlas redrawn with structures that are 5 voxels wide, on a grid of their own; where these should be."""
    margin = np.array([3, 4, 5])
    affine = small_atlas.image.affine.copy()
    affine[:3, 3] -= margin
    data = labels_of(small_atlas.image)
    shares, expected = {}, {}
    for name, side in STRUCTURES:
        row = small_atlas.labels.query("name == @name and hemisphere == @side")
        label = int(row["index"].iloc[0])
        middle = np.rint(np.argwhere(data == label).mean(axis=0)).astype(int)
        box = tuple(slice(at - 2, at + 3) for at in middle + margin)
        values = np.zeros(np.array(data.shape) + 2 * margin, np.float32)
        values[tuple(slice(s.start - 1, s.stop + 1) for s in box)] = 0.4
        values[box] = 0.9
        shares[name, side] = nib.Nifti1Image(values, affine)
        expected[label] = {tuple(at) for at in np.argwhere(values > 0.5) - margin}
    ship(shares, tmp_path, monkeypatch)
    return redraw_structures(small_atlas.image, small_atlas.labels), expected


def test_structures_are_where_the_shipped_atlas_has_them(
    redrawn: tuple[Nifti1Image, dict[int, set]], small_atlas: Atlas
) -> None:
    image, expected = redrawn
    data = labels_of(image)
    assert image.get_data_dtype() == np.int16
    np.testing.assert_array_equal(image.affine, small_atlas.image.affine)
    for label, voxels in expected.items():
        assert {tuple(at) for at in np.argwhere(data == label)} == voxels


def test_all_other_labels_stay(redrawn: tuple[Nifti1Image, dict[int, set]], small_atlas: Atlas) -> None:
    image, expected = redrawn
    before, after = labels_of(small_atlas.image), labels_of(image)
    untouched = ~np.isin(before, list(expected)) & ~np.isin(after, list(expected))
    np.testing.assert_array_equal(after[untouched], before[untouched])
    lost = np.isin(before, list(expected)) & ~np.isin(after, list(expected))
    assert lost.any()
    assert not after[lost].any()


@pytest.mark.usefixtures("redrawn")
def test_atlas_itself_is_left_as_it_was(small_atlas: Atlas) -> None:
    assert (labels_of(small_atlas.image) == 1).sum() > 125


def test_atlas_without_such_structures_stays_as_it_is(small_atlas: Atlas) -> None:
    """And the shipped atlas is not even asked for."""
    cortex = small_atlas.labels.query("tissue == 'cortex'")
    data = labels_of(small_atlas.image)
    image = like(small_atlas.image, np.where(np.isin(data, cortex["index"]), data, 0).astype(np.int16))
    np.testing.assert_array_equal(labels_of(redraw_structures(image, cortex)), labels_of(image))


def test_structures_beyond_the_image_are_cut(
    small_atlas: Atlas, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    affine = small_atlas.image.affine.copy()
    affine[:3, 3] -= 2
    full = nib.Nifti1Image(np.ones((4, 4, 4), np.float32), affine)
    nothing = like(full, np.zeros((4, 4, 4), np.float32))
    ship(dict.fromkeys(STRUCTURES, nothing) | {("amygdala", "R"): full}, tmp_path, monkeypatch)
    data = labels_of(redraw_structures(small_atlas.image, small_atlas.labels))
    label = small_atlas.labels.query("name == 'amygdala' and hemisphere == 'R'")["index"].iloc[0]
    assert np.argwhere(data == label).tolist() == [[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)]
