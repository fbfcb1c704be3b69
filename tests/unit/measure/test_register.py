"""Alignment with the template: a known displacement is found again, and labels land where the anatomy is."""

from dataclasses import astuple, fields, replace
from pathlib import Path

import ants
import nibabel as nib
import numpy as np
import pytest
from nibabel.affines import apply_affine
from nibabel.nifti1 import Nifti1Image
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation

from morpho.atlas import Atlas, Template
from morpho.errors import RegistrationError
from morpho.images import array_of, check_same_grid, labels_of, mask_of
from morpho.measure.register import Alignment, TissueImages, Transforms, register_to_template, warp_to_scan

HEAD_SCALE = 0.9
ROTATION_DEGREES = (8.0, -5.0, 6.0)
TURN = Rotation.from_euler("xyz", ROTATION_DEGREES, degrees=True).as_matrix()
ITERATIONS = (10, 5, 0)
COARSE_MM, FINE_MM = 1.5, 1.0
SCAN_SHAPE, SCAN_VOXEL_MM = (56, 58, 44), (1.0, 1.0, 1.2)
MAPS = [field.name for field in fields(TissueImages)]

Aligned = tuple[TissueImages, Transforms, Alignment]


def maps_of(template: Template) -> TissueImages:
    return TissueImages(**{name: getattr(template, name) for name in MAPS})


def align(
    scan: TissueImages, template: Template, folder: Path, resolution_mm: float = COARSE_MM
) -> tuple[Transforms, Alignment]:
    settings = {"resolution_mm": resolution_mm, "iterations": ITERATIONS, "folder": folder}
    return register_to_template(scan, maps_of(template), **settings)


def tilt(image: Nifti1Image) -> Nifti1Image:
    """Map of the small head as it is in a head a tenth smaller and turned about the origin, on an oblong grid."""
    affine = np.diag([*SCAN_VOXEL_MM, 1.0])
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(SCAN_SHAPE) - 1) / 2)
    to_template = np.eye(4)
    to_template[:3, :3] = TURN.T / HEAD_SCALE
    matrix = np.linalg.inv(image.affine) @ to_template @ affine
    data = ndimage.affine_transform(array_of(image), matrix[:3, :3], matrix[:3, 3], SCAN_SHAPE, order=1)
    return nib.Nifti1Image(data.astype(np.float32), affine)


@pytest.fixture(scope="module")
def tilted_scan(small_template: Template) -> TissueImages:
    maps = {name: tilt(getattr(small_template, name)) for name in MAPS}
    mask = maps["brain_mask"]
    maps["brain_mask"] = nib.Nifti1Image((array_of(mask) > 0.5).astype(np.uint8), mask.affine)
    return TissueImages(**maps)


@pytest.fixture(scope="module")
def aligned(tilted_scan: TissueImages, small_template: Template, tmp_path_factory: pytest.TempPathFactory) -> Aligned:
    return (tilted_scan, *align(tilted_scan, small_template, tmp_path_factory.mktemp("aligned"), FINE_MM))


@pytest.fixture
def shift(tmp_path: Path) -> Transforms:
    """Write transforms of a scan that lies 3 mm to the right, 2 mm behind and 1 mm above the template."""
    affine = ants.create_ants_transform(transform_type="AffineTransform", dimension=3, translation=(-3.0, 2.0, 1.0))
    ants.write_transform(affine, str(tmp_path / "affine.mat"))
    nothing = ants.from_numpy(np.zeros((10, 10, 10, 3), np.float32), has_components=True, spacing=(9.0,) * 3)
    for name in ("warp.nii.gz", "inverse_warp.nii.gz"):
        ants.image_write(nothing, str(tmp_path / name))
    return Transforms(*(tmp_path / name for name in ("affine.mat", "warp.nii.gz", "inverse_warp.nii.gz")))


# --- register_to_template -----------------------------------------------------------------------------------------


def test_scale_of_the_head_is_found(aligned: Aligned, small_template: Template) -> None:
    _, _, alignment = aligned
    assert alignment.affine_scale == pytest.approx(HEAD_SCALE**3, rel=0.06)
    template_mm3 = mask_of(small_template.brain_mask).sum()
    assert alignment.affine_tiv_mm3 == pytest.approx(alignment.affine_scale * template_mm3)


def test_rotation_of_the_head_is_found(aligned: Aligned) -> None:
    """To about 3.5 degrees in a head of 40 mm: at its finest level the affine sees 20 voxels of it across."""
    _, transforms, _ = aligned
    lps = ants.read_transform(str(transforms.affine)).parameters[:9].reshape(3, 3)
    flip = np.diag([-1.0, -1.0, 1.0])
    found = flip @ lps @ flip / HEAD_SCALE
    np.testing.assert_allclose(found, TURN, atol=0.07)


def test_score_tells_that_the_brains_match(aligned: Aligned) -> None:
    _, _, alignment = aligned
    assert 0.95 < alignment.correlation <= 1
    assert 0.7 < alignment.jacobian_low < 1 < alignment.jacobian_high < 1.4


def test_wrong_alignment_has_a_lower_score(aligned: Aligned, small_template: Template, tmp_path: Path) -> None:
    """A head turned inside out: fluid where the white matter is."""
    scan, _, good = aligned
    wrong = replace(scan, white_matter=scan.csf, csf=scan.white_matter)
    _, bad = align(wrong, small_template, tmp_path)
    assert bad.correlation < good.correlation - 0.3


def test_files_lie_in_the_folder_asked_for(aligned: Aligned) -> None:
    _, transforms, _ = aligned
    names = [path.name for path in astuple(transforms)]
    assert names == ["affine.mat", "warp.nii.gz", "inverse_warp.nii.gz"]
    assert {path.name for path in transforms.affine.parent.iterdir()} == set(names)


def test_one_scan_has_one_alignment(tilted_scan: TissueImages, small_template: Template, tmp_path: Path) -> None:
    runs = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        transforms, alignment = align(tilted_scan, small_template, tmp_path / name)
        warp = array_of(nib.load(transforms.inverse_warp))
        runs.append((alignment, transforms.affine.read_bytes(), warp.tobytes()))
    assert runs[0] == runs[1]


def test_labels_land_on_the_anatomy(aligned: Aligned, small_atlas: Atlas) -> None:
    scan, transforms, _ = aligned
    carried = labels_of(warp_to_scan(small_atlas.image, scan.grey_matter, transforms, nearest=True))
    original = labels_of(small_atlas.image)
    for index in small_atlas.labels["index"]:
        expected = (
            HEAD_SCALE * TURN @ apply_affine(small_atlas.image.affine, np.argwhere(original == index)).mean(axis=0)
        )
        found = apply_affine(scan.grey_matter.affine, np.argwhere(carried == index)).mean(axis=0)
        assert np.linalg.norm(found - expected) < 0.8
        count = (carried == index).sum() * 1.2
        assert count == pytest.approx((original == index).sum() * HEAD_SCALE**3, rel=0.12)


def test_left_stays_left(aligned: Aligned, small_atlas: Atlas) -> None:
    scan, transforms, _ = aligned
    carried = labels_of(warp_to_scan(small_atlas.image, scan.grey_matter, transforms, nearest=True))
    x_mm = apply_affine(scan.grey_matter.affine, np.argwhere(carried == 1))[:, 0]
    assert x_mm.max() < 0.5
    # The left hippocampus of the small head is the larger one.
    assert (carried == 1).sum() > 1.2 * (carried == 2).sum()


def test_brain_of_impossible_size_is_refused(
    tilted_scan: TissueImages, small_template: Template, tmp_path: Path
) -> None:
    larger = np.diag([1.7, 1.7, 1.7, 1.0])
    giant = TissueImages(
        **{name: nib.Nifti1Image(i.dataobj, larger @ i.affine) for name, i in vars(tilted_scan).items()}
    )
    with pytest.raises(RegistrationError, match=r"scales the brain's volume by 3\.\d+; 0\.2 to 3\.0"):
        align(giant, small_template, tmp_path)
    assert not list(tmp_path.iterdir())


def test_tissues_land_on_the_tissues(aligned: Aligned, small_template: Template) -> None:
    """Also grey matter, which is a ribbon of 3 mm."""
    scan, transforms, _ = aligned
    for name in ("grey_matter", "white_matter"):
        carried = array_of(warp_to_scan(getattr(small_template, name), scan.grey_matter, transforms, nearest=False))
        truth = array_of(getattr(scan, name))
        assert 2 * np.minimum(carried, truth).sum() / (carried + truth).sum() > 0.9


def test_air_around_the_brain_does_not_matter(
    aligned: Aligned, small_template: Template, small_atlas: Atlas, tmp_path: Path
) -> None:
    """Shares outside the mask are no brain, and a wider field of view is the same head."""
    scan, transforms, _ = aligned
    wide = {}
    for name, image in vars(scan).items():
        affine = image.affine.copy()
        affine[:3, 3] -= affine[:3, :3] @ np.full(3, 6)
        data = np.pad(array_of(image), 6, constant_values=0 if name == "brain_mask" else 1)
        wide[name] = nib.Nifti1Image(data, affine)
    again, _ = align(TissueImages(**wide), small_template, tmp_path, FINE_MM)
    first, second = (
        labels_of(warp_to_scan(small_atlas.image, scan.grey_matter, files, nearest=True))
        for files in (transforms, again)
    )
    assert (first != second)[first > 0].mean() < 0.03


def test_failure_of_ants_is_explained(
    tilted_scan: TissueImages, small_template: Template, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def give_up(*_: object, **__: object) -> None:
        message = "All samples map outside moving image buffer"
        raise RuntimeError(message)

    monkeypatch.setattr(ants, "registration", give_up)
    with pytest.raises(RegistrationError, match=r"could not be aligned .*All samples map outside.*Look at the scan"):
        align(tilted_scan, small_template, tmp_path)


# --- warp_to_scan -------------------------------------------------------------------------------------------------


def test_known_shift_moves_a_map_with_the_anatomy(shift: Transforms, awkward_affine: NDArray[np.float64]) -> None:
    grid = np.eye(4)
    data = np.zeros((20, 22, 24), np.float32)
    data[5, 9, 7] = 1
    carried = warp_to_scan(
        nib.Nifti1Image(data, grid), nib.Nifti1Image(np.zeros_like(data), grid), shift, nearest=False
    )
    assert np.argwhere(array_of(carried) > 0.99).tolist() == [[8, 7, 8]]
    assert array_of(carried).sum() == pytest.approx(1, abs=1e-4)
    oblique = nib.Nifti1Image(np.zeros((7, 8, 9), np.float32), awkward_affine)
    check_same_grid(warp_to_scan(nib.Nifti1Image(data, grid), oblique, shift, nearest=False), oblique)


def test_labels_are_never_mixed_and_shares_are(shift: Transforms) -> None:
    data = np.zeros((20, 22, 24), np.float32)
    data[:10] = 7
    scan = nib.Nifti1Image(np.zeros((20, 22, 24), np.float32), np.diag([0.8, 1.0, 1.0, 1.0]))
    template_map = nib.Nifti1Image(data, np.eye(4))
    assert set(np.unique(labels_of(warp_to_scan(template_map, scan, shift, nearest=True)))) == {0, 7}
    between = array_of(warp_to_scan(template_map, scan, shift, nearest=False))
    assert ((between > 0.1) & (between < 6.9)).any()


def test_scan_far_from_the_template_gets_nothing(shift: Transforms) -> None:
    far = np.eye(4)
    far[:3, 3] = 500
    scan = nib.Nifti1Image(np.zeros((7, 8, 9), np.float32), far)
    carried = warp_to_scan(nib.Nifti1Image(np.ones((20, 22, 24), np.float32), np.eye(4)), scan, shift, nearest=True)
    assert not labels_of(carried).any()
