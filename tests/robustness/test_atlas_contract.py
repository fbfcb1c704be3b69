"""Pain 16: an atlas whose numbers are not those of its table, or lie on the other side, is refused before any scan."""

import gzip
import struct
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from morpho.atlas import Atlas, load_atlas
from morpho.errors import AtlasError, ImageError, SmallRegionError
from morpho.images import labels_of
from morpho.measure.volumes import measure_volumes
from morpho.structures import redraw_structures

SLOPE = slice(112, 116)  # bytes of scl_slope in a NIfTI-1 header


@pytest.fixture
def stored(tmp_path: Path, small_atlas: Atlas) -> Path:
    path = tmp_path / "atlas.nii.gz"
    nib.save(small_atlas.image, path)
    return path


def test_scaled_labels_are_refused_with_the_labels_they_became(stored: Path, small_atlas: Atlas) -> None:
    """A slope of 2, as some tools write it, makes other labels of all of them."""
    content = bytearray(gzip.decompress(stored.read_bytes()))
    content[SLOPE] = struct.pack("<f", 2.0)
    stored.write_bytes(gzip.compress(bytes(content)))
    with pytest.raises(AtlasError, match=r"labels \[8, 10, 12\] are in the image but not in the label table"):
        load_atlas("small", stored, small_atlas.labels)


def test_interpolated_labels_are_refused(tmp_path: Path, small_atlas: Atlas) -> None:
    data = labels_of(small_atlas.image).astype(np.float32)
    blurred = (data + np.roll(data, 1, axis=0)) / 2
    nib.save(nib.Nifti1Image(blurred, small_atlas.image.affine), tmp_path / "blurred.nii.gz")
    with pytest.raises(ImageError, match="labels must be whole numbers"):
        load_atlas("small", tmp_path / "blurred.nii.gz", small_atlas.labels)


def test_whole_numbers_stored_as_floats_are_the_same_atlas(tmp_path: Path, small_atlas: Atlas) -> None:
    image = nib.Nifti1Image(labels_of(small_atlas.image).astype(np.float32), small_atlas.image.affine)
    nib.save(image, tmp_path / "float.nii.gz")
    loaded = load_atlas("small", tmp_path / "float.nii.gz", small_atlas.labels)
    expected = redraw_structures(small_atlas.image, small_atlas.labels)
    np.testing.assert_array_equal(labels_of(loaded.image), labels_of(expected))


def test_a_region_without_voxels_is_an_error_that_names_it_and_never_a_zero(
    small_atlas: Atlas, small_rois: pd.DataFrame
) -> None:
    data = labels_of(small_atlas.image).copy()
    lost = small_atlas.labels.query("name == 'superiorfrontal' and hemisphere == 'R'")["index"].item()
    data[data == lost] = 0
    labels = nib.Nifti1Image(data.astype(np.int16), small_atlas.image.affine)
    share = nib.Nifti1Image((data > 0).astype(np.float32), small_atlas.image.affine)
    with pytest.raises(SmallRegionError, match="superiorfrontal"):
        measure_volumes(share, labels, {}, small_rois, min_voxels=5)
