"""Volumes of heads that are known beforehand: by geometry, and by the whole measuring chain on phantoms.

The first part needs arithmetic only. The second measures synthetic heads at 2 mm, with a slightly coarser
alignment than studies use (at 4 mm and coarser it becomes unstable): one head as it is, and the same head with a
smaller left hippocampus, mirrored and tilted besides. A phantom shows the tissues of the template, an average of
many people; the networks, which know single brains, take more of it for hippocampus than the atlas does. So volumes
are compared in a phantom and between phantoms, never with the atlas: ``benchmarks/known_truth.py`` is for that.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nibabel.nifti1 import Nifti1Image
from nibabel.orientations import apply_orientation, axcodes2ornt, inv_ornt_aff, io_orientation, ornt_transform
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from morpho.atlas import Atlas, Template
from morpho.images import array_of, voxel_volume_mm3
from morpho.measure.parcellate import label_regions, overlap_with_atlas
from morpho.measure.preprocess import PreprocessedScan, preprocess_t1w
from morpho.measure.register import Alignment, TissueImages, register_to_template, warp_to_scan
from morpho.measure.segment import TissueMaps, segment_tissue
from morpho.measure.volumes import measure_totals, measure_volumes
from morpho.phantom import Person, Phantom, Scanner, simulate_head
from morpho.phantom_maps import HeadMaps
from morpho.structures import load_subcortical_atlas, structures_by_label
from morpho.t1w import load_t1w

Array = NDArray[np.float64]
ROIS = pd.DataFrame({"roi": "ball", "hemisphere": ["L", "R"], "label_indices": [[1], [2]]})
RADII_MM = {"L": 14.0, "R": 11.0}
# A person whose left hippocampus is the smaller one even before it shrinks.
PERSON = Person(seed=7)
SCANNER = Scanner(whole_head=False)
REGIONS = ["hippocampus", "amygdala"]
LEFT_SHARE = 0.65


# --- geometry -----------------------------------------------------------------------------------------------------


def ball_mm3(side: str) -> float:
    return 4 / 3 * np.pi * RADII_MM[side] ** 3


def two_balls(voxel_size_mm: tuple[float, float, float]) -> tuple[Nifti1Image, Nifti1Image]:
    """Grey balls 44 mm apart, the larger on the left, and their labels; border voxels hold their share of grey."""
    sizes = np.array(voxel_size_mm)
    shape = np.ceil(np.array([90, 40, 40]) / sizes).astype(int)
    affine = np.diag([*sizes, 1.0])
    affine[:3, 3] = -(shape - 1) / 2 * sizes
    fine = 5
    axes = [
        ((np.arange(n * fine) + 0.5) / fine - 0.5 - (n - 1) / 2) * size for n, size in zip(shape, sizes, strict=True)
    ]
    x, y, z = np.meshgrid(*axes, indexing="ij", sparse=True)
    ball = ((x + 22) ** 2 + y**2 + z**2 <= RADII_MM["L"] ** 2) | ((x - 22) ** 2 + y**2 + z**2 <= RADII_MM["R"] ** 2)
    share = ball.reshape([part for n in shape for part in (n, fine)]).mean(axis=(1, 3, 5))
    half = np.broadcast_to(np.where(axes[0][fine // 2 :: fine] < 0, 1, 2)[:, None, None], share.shape)
    labels = np.where(share > 0, half, 0).astype(np.int16)
    return nib.Nifti1Image(share.astype(np.float32), affine), nib.Nifti1Image(labels, affine)


def measured(grey: Nifti1Image, labels: Nifti1Image) -> dict[str, float]:
    table = measure_volumes(grey, labels, {}, ROIS, min_voxels=1)
    return dict(zip(table["hemisphere"], table["volume_mm3"], strict=True))


def reoriented(image: Nifti1Image, codes: str) -> Nifti1Image:
    turn = ornt_transform(io_orientation(image.affine), axcodes2ornt(codes))
    data = apply_orientation(np.asanyarray(image.dataobj), turn)
    affine = image.affine @ inv_ornt_aff(turn, image.shape)
    turned = nib.Nifti1Image(data, affine)
    turned.set_qform(affine, code=1)
    return turned


@pytest.mark.parametrize("voxel_size_mm", [(1.0, 1.0, 1.0), (2.0, 2.0, 2.0), (1.0, 1.333, 1.333), (0.9, 0.9, 4.0)])
def test_balls_have_their_volume_on_any_grid(voxel_size_mm: tuple[float, float, float]) -> None:
    volumes = measured(*two_balls(voxel_size_mm))
    for side in "LR":
        assert volumes[side] == pytest.approx(ball_mm3(side), rel=0.005)
    assert volumes["mean"] == pytest.approx((ball_mm3("L") + ball_mm3("R")) / 2, rel=0.005)


def test_box_with_half_filled_faces() -> None:
    """Box of 6 x 4 x 2 voxels whose first layer along x is half grey: 5.5 x 4 x 2 voxels of 1.5 x 2 x 3 mm."""
    share = np.zeros((10, 8, 6), np.float32)
    share[2:8, 2:6, 2:4] = 1
    share[2, 2:6, 2:4] = 0.5
    affine = np.diag([1.5, 2.0, 3.0, 1.0])
    labels = nib.Nifti1Image((share > 0).astype(np.int16), affine)
    rois = pd.DataFrame({"roi": ["box"], "hemisphere": ["L"], "label_indices": [[1]]})
    table = measure_volumes(nib.Nifti1Image(share, affine), labels, {}, rois, min_voxels=1)
    assert table["volume_mm3"].iloc[0] == 5.5 * 4 * 2 * 9
    assert table["n_voxels"].iloc[0] == 48


@pytest.mark.parametrize("codes", ["LAS", "PSR", "SRA", "LPI"])
def test_order_of_axes_does_not_change_volumes(codes: str) -> None:
    images = two_balls((1.0, 1.5, 2.0))
    assert measured(*(reoriented(image, codes) for image in images)) == pytest.approx(measured(*images), rel=1e-9)


def test_oblique_grid_does_not_change_volumes(awkward_affine: Array) -> None:
    images = two_balls((1.5, 2.0, 3.0))
    tilted = [nib.Nifti1Image(np.asanyarray(image.dataobj), awkward_affine) for image in images]
    assert measured(*tilted) == pytest.approx(measured(*images), rel=1e-9)


def test_mirrored_brain_swaps_its_sides() -> None:
    grey, labels = two_balls((2.0, 2.0, 2.0))
    mirrored = nib.Nifti1Image(np.asanyarray(grey.dataobj)[::-1].copy(), grey.affine)
    # The labels are drawn in the world, so they stay; their borders are those of the larger ball on both sides.
    half = np.where(np.arange(grey.shape[0]) < grey.shape[0] / 2, 1, 2)[:, None, None]
    drawn = nib.Nifti1Image(np.broadcast_to(half, grey.shape).astype(np.int16), labels.affine)
    first, second = measured(grey, drawn), measured(mirrored, drawn)
    assert (second["L"], second["R"]) == pytest.approx((first["R"], first["L"]))
    assert first["L"] > 1.5 * first["R"]


def test_volumes_of_all_labels_add_up_to_the_whole() -> None:
    grey, labels = two_balls((2.0, 2.0, 2.0))
    volumes = measured(grey, labels)
    assert volumes["L"] + volumes["R"] == pytest.approx(float(array_of(grey).sum()) * voxel_volume_mm3(grey), rel=1e-6)


# --- the measuring chain ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Measured:
    """What the chain makes of one scan."""

    scan: PreprocessedScan
    alignment: Alignment
    tissue: TissueMaps
    overlap: float
    volumes: pd.DataFrame

    def mm3(self, roi: str, hemisphere: str) -> float:
        row = (self.volumes["roi"] == roi) & (self.volumes["hemisphere"] == hemisphere)
        return float(self.volumes.loc[row, "volume_mm3"].item())


@pytest.fixture(scope="module")
def chain(
    template: Template, atlas: Atlas, rois: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Nifti1Image], Measured]:
    """Measure an image as the workflow does: through a file, and with all stages in their order."""

    def measure(image: Nifti1Image) -> Measured:
        folder = tmp_path_factory.mktemp("scan")
        image.to_filename(folder / "t1w.nii.gz")
        scan = preprocess_t1w(load_t1w(folder / "t1w.nii.gz")[0], brain="auto", margin_mm=12)
        found = segment_tissue(scan.t1w, scan.brain_mask, scan.coarse_shares, prior_weight=1.0)
        tissue, structures = found.tissue, structures_by_label(found.structures, atlas.labels)
        maps = TissueImages(scan.brain_mask, **vars(tissue))
        reference = TissueImages(**{field.name: getattr(template, field.name) for field in fields(TissueImages)})
        files, alignment = register_to_template(maps, reference, resolution_mm=3, iterations=(40, 20, 5), folder=folder)
        carried = warp_to_scan(atlas.image, scan.t1w, files, nearest=True)
        regions = label_regions(carried, tissue.grey_matter, structures, atlas.labels, reach_mm=3.0)
        expected = {
            label: warp_to_scan(share, scan.t1w, files, nearest=False)
            for label, share in structures_by_label(load_subcortical_atlas(), atlas.labels).items()
        }
        parts = measure_volumes(tissue.grey_matter, regions, structures, rois, min_voxels=5)
        totals = measure_totals(
            tissue.grey_matter,
            tissue.white_matter,
            tissue.csf,
            scan.brain_mask,
            has_whole_head=scan.input_kind == "whole_head",
            affine_tiv_mm3=alignment.affine_tiv_mm3,
        )
        overlap = overlap_with_atlas(structures, expected)
        return Measured(scan, alignment, tissue, overlap, pd.concat([parts, totals], ignore_index=True))

    return measure


@pytest.fixture(scope="module")
def left_maps(head_maps: HeadMaps) -> HeadMaps:
    """Let only the left hippocampus shrink."""
    hippocampi = head_maps.depth_mm > 0
    left = head_maps.labels == head_maps.label_of["hippocampus", "L"]
    return replace(
        head_maps,
        depth_mm=np.where(left, head_maps.depth_mm, np.float32(0)),
        neighbour_white=head_maps.neighbour_white[left[hippocampi]],
    )


@pytest.fixture(scope="module")
def healthy_head(head_maps: HeadMaps) -> Phantom:
    return simulate_head(head_maps, PERSON, SCANNER, REGIONS)


@pytest.fixture(scope="module")
def small_left_head(left_maps: HeadMaps) -> Phantom:
    """Simulate the same person with a smaller left hippocampus."""
    return simulate_head(left_maps, replace(PERSON, hippocampus_scale=LEFT_SHARE), SCANNER, REGIONS)


@pytest.fixture(scope="module")
def healthy(chain: Callable[[Nifti1Image], Measured], healthy_head: Phantom) -> Measured:
    return chain(healthy_head.t1w)


@pytest.fixture(scope="module")
def small_left(chain: Callable[[Nifti1Image], Measured], small_left_head: Phantom) -> Measured:
    """Measure the head with the small left hippocampus, stored with other axes."""
    return chain(reoriented(small_left_head.t1w, "PSR"))


@pytest.fixture(scope="module")
def mirrored(chain: Callable[[Nifti1Image], Measured], small_left_head: Phantom) -> Measured:
    """Measure the mirror image of the head with the small left hippocampus, on a tilted grid."""
    image = small_left_head.t1w
    tilt = np.eye(4)
    tilt[:3, :3] = Rotation.from_euler("xyz", (6, -4, 9), degrees=True).as_matrix()
    mirror = np.diag([-1.0, 1.0, 1.0, 1.0])
    made = nib.Nifti1Image(np.asanyarray(image.dataobj), tilt @ mirror @ image.affine)
    made.set_sform(made.affine, code=1)
    made.set_qform(made.affine, code=1)
    return chain(made)


def change(after: Measured, before: Measured, roi: str, hemisphere: str) -> float:
    return after.mm3(roi, hemisphere) / before.mm3(roi, hemisphere) - 1


def test_planted_truth_is_what_was_planted(healthy_head: Phantom, small_left_head: Phantom) -> None:
    before, after = healthy_head.volumes_mm3, small_left_head.volumes_mm3
    assert after["hippocampus", "L"] / before["hippocampus", "L"] == pytest.approx(LEFT_SHARE, abs=0.02)
    assert after["hippocampus", "R"] / before["hippocampus", "R"] == pytest.approx(1, abs=0.01)


def test_order_of_axes_on_disk_leaves_the_scan_as_it_is(
    healthy_head: Phantom, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("axes")
    loaded = []
    for codes in ("RAS", "LAS", "PSR"):
        image = reoriented(healthy_head.t1w, codes)
        image.to_filename(folder / f"{codes}.nii.gz")
        loaded.append(load_t1w(folder / f"{codes}.nii.gz"))
    for image, notes in loaded:
        assert notes == []
        np.testing.assert_array_equal(array_of(image), array_of(loaded[0][0]))
        np.testing.assert_allclose(image.affine, loaded[0][0].affine, atol=1e-4)


def test_scan_measured_twice_gives_one_table(
    chain: Callable[[Nifti1Image], Measured], healthy: Measured, healthy_head: Phantom
) -> None:
    again = chain(healthy_head.t1w)
    pd.testing.assert_frame_equal(again.volumes, healthy.volumes, check_exact=True)
    assert again.alignment == healthy.alignment
    assert again.overlap == healthy.overlap


def test_loss_of_the_left_hippocampus_is_measured_on_the_left(healthy: Measured, small_left: Measured) -> None:
    true_change = LEFT_SHARE - 1
    assert 1.3 * true_change < change(small_left, healthy, "hippocampus", "L") < 0.6 * true_change
    assert abs(change(small_left, healthy, "hippocampus", "R")) < 0.01


@pytest.mark.parametrize("hemisphere", ["L", "R"])
def test_amygdala_beside_it_hardly_changes(healthy: Measured, small_left: Measured, hemisphere: str) -> None:
    assert abs(change(small_left, healthy, "amygdala", hemisphere)) < 0.02


def test_prefrontal_cortex_does_not_change(healthy: Measured, small_left: Measured) -> None:
    assert abs(change(small_left, healthy, "prefrontal_cortex", "mean")) < 0.01


@pytest.mark.parametrize("roi", ["hippocampus", "amygdala"])
def test_mirrored_and_tilted_head_swaps_its_sides(small_left: Measured, mirrored: Measured, roi: str) -> None:
    for side, other in (("L", "R"), ("R", "L")):
        assert mirrored.mm3(roi, other) == pytest.approx(small_left.mm3(roi, side), rel=0.03)
    # The sides differ by far more than that, or the test would not notice if they were not swapped.
    left, right = (small_left.mm3(roi, side) for side in "LR")
    assert left < 0.9 * right


def test_totals_survive_mirror_and_tilt(small_left: Measured, mirrored: Measured) -> None:
    for roi in ("total_grey_matter", "total_white_matter", "brain_volume", "affine_tiv"):
        assert mirrored.mm3(roi, "whole") == pytest.approx(small_left.mm3(roi, "whole"), rel=0.01)


def test_extracted_scan_has_no_tiv_and_an_affine_one(healthy: Measured, healthy_head: Phantom) -> None:
    assert healthy.scan.input_kind == "extracted"
    assert np.isnan(healthy.mm3("tiv", "whole"))
    assert healthy.mm3("affine_tiv", "whole") == pytest.approx(healthy_head.tiv_mm3, rel=0.12)


@pytest.mark.parametrize("roi", REGIONS)
def test_sides_stand_in_their_true_relation(healthy: Measured, healthy_head: Phantom, roi: str) -> None:
    measured_ratio = healthy.mm3(roi, "L") / healthy.mm3(roi, "R")
    true_ratio = healthy_head.volumes_mm3[roi, "L"] / healthy_head.volumes_mm3[roi, "R"]
    assert measured_ratio == pytest.approx(true_ratio, rel=0.08)
    assert true_ratio < 0.95


def test_found_structures_lie_where_the_atlas_expects_them(healthy: Measured, small_left: Measured) -> None:
    assert healthy.overlap > 0.55
    assert small_left.overlap > 0.5


def test_grey_and_white_matter_are_those_of_an_adult_in_proportion(healthy: Measured) -> None:
    tissue = {name: healthy.mm3(name, "whole") for name in ("total_grey_matter", "total_white_matter", "total_csf")}
    mask_mm3 = float(array_of(healthy.scan.brain_mask).sum()) * voxel_volume_mm3(healthy.scan.brain_mask)
    assert sum(tissue.values()) == pytest.approx(mask_mm3, rel=1e-3)
    assert 1.1 < tissue["total_grey_matter"] / tissue["total_white_matter"] < 1.7


def test_intracranial_volume_of_a_whole_head(whole_head: Phantom, preprocessed_head: PreprocessedScan) -> None:
    mask = preprocessed_head.brain_mask
    tiv_mm3 = float(array_of(mask).sum()) * voxel_volume_mm3(mask)
    assert tiv_mm3 == pytest.approx(whole_head.tiv_mm3, rel=0.03)
