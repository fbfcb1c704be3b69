"""ANTs sees the same voxels at the same places in the world as nibabel does."""

import tempfile
from pathlib import Path

import ants
import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray

from morpho.itk import from_ants, scratch_folder, to_ants

Affine = NDArray[np.float64]


@pytest.fixture(params=["identity", "permuted", "awkward"])
def affine(request: pytest.FixtureRequest, awkward_affine: Affine) -> Affine:
    permuted = np.array([[0.0, 0, 2, 5], [-1, 0, 0, 6], [0, 3, 0, 7], [0, 0, 0, 1]])
    return {"identity": np.eye(4), "permuted": permuted, "awkward": awkward_affine}[request.param]


def test_round_trip_keeps_values_and_geometry(rng: np.random.Generator, shape: tuple[int, ...], affine: Affine) -> None:
    values = rng.normal(size=shape).astype(np.float32)
    back = from_ants(to_ants(nib.Nifti1Image(values, affine)))
    np.testing.assert_array_equal(np.asarray(back.dataobj), values)
    np.testing.assert_allclose(back.affine, affine, atol=1e-6)


def test_world_of_ants_has_left_and_front_reversed(shape: tuple[int, ...], affine: Affine) -> None:
    image = to_ants(nib.Nifti1Image(np.zeros(shape, np.uint8), affine))
    for voxel in ((0, 0, 0), (6, 1, 4)):
        x, y, z, _ = affine @ [*voxel, 1]
        point = ants.transform_index_to_physical_point(image, voxel)
        np.testing.assert_allclose(point, (-x, -y, z), atol=1e-4)


def test_spacing_is_the_voxel_size(shape: tuple[int, ...], awkward_affine: Affine) -> None:
    image = to_ants(nib.Nifti1Image(np.zeros(shape, np.int16), awkward_affine))
    assert image.spacing == pytest.approx((1.5, 2.0, 3.0))
    assert image.pixeltype == "float"


def test_file_that_ants_writes_is_what_nibabel_reads(
    rng: np.random.Generator, shape: tuple[int, ...], affine: Affine, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("itk") / "a.nii.gz"
    values = rng.normal(size=shape).astype(np.float32)
    ants.image_write(to_ants(nib.Nifti1Image(values, affine)), str(path))
    read = nib.load(path)
    np.testing.assert_array_equal(np.asarray(read.dataobj), values)
    np.testing.assert_allclose(read.affine, affine, atol=1e-4)


def test_what_is_written_to_scratch_does_not_stay() -> None:
    usual = tempfile.gettempdir()
    with scratch_folder() as folder:
        left = Path(tempfile.mkdtemp())
        (left / "a.nii.gz").touch()
        assert left.parent == Path(folder)
    assert not Path(folder).exists()
    assert tempfile.gettempdir() == usual


def test_scratch_is_removed_after_an_error_too() -> None:
    usual = tempfile.gettempdir()
    scratch = scratch_folder()
    folder = scratch.__enter__()
    assert not scratch.__exit__(RuntimeError, RuntimeError("ANTs gave up"), None)
    assert not Path(folder).exists()
    assert tempfile.gettempdir() == usual
