"""Signal of tissues: contrast of two known signals, shading of a known field, a structure of which a part is erased."""

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray

from morpho.measure.tissue_signal import measure_contrast, odd_signal_percent, shading_percent

SHAPE = (30, 24, 20)
Image = NDArray[np.float32]


def thirds() -> tuple[Image, Image, Image]:
    """Fluid, grey and white matter, a third of the image each, along x."""
    tissues = np.zeros((3, *SHAPE), np.float32)
    for number in range(3):
        tissues[number, 10 * number : 10 * number + 10] = 1
    return tissues[0], tissues[1], tissues[2]


def test_contrast_is_that_of_the_signals(rng: np.random.Generator) -> None:
    fluid, grey, white = thirds()
    signal = (20 * fluid + 100 * grey + 160 * white + rng.normal(0, 6, SHAPE)).astype(np.float32)
    found = measure_contrast(signal, grey, white)
    assert found.contrast_to_noise == pytest.approx(10, rel=0.05)
    assert found.white_to_grey == pytest.approx(1.6, rel=0.01)
    assert found.white_matter_snr == pytest.approx(160 / 6, rel=0.05)


def test_contrast_is_missing_without_pure_tissue() -> None:
    _, grey, white = thirds()
    found = measure_contrast(white, grey / 2, white)
    assert np.isnan([found.contrast_to_noise, found.white_to_grey, found.white_matter_snr]).all()


def test_shading_does_not_depend_on_the_unit_of_signal() -> None:
    field = np.broadcast_to(np.linspace(1, 1.5, SHAPE[0], dtype=np.float32)[:, None, None], SHAPE)
    everywhere, flat = np.ones(SHAPE, bool), np.ones(SHAPE, np.float32)
    assert shading_percent(700 * field, flat, everywhere) == pytest.approx(shading_percent(field, flat, everywhere))
    assert shading_percent(flat, flat, everywhere) == 0
    assert np.isnan(shading_percent(flat, flat, ~everywhere))


@pytest.mark.parametrize("filling", [0.2, 1.0])
@pytest.mark.parametrize("share", [0.0, 0.25, 0.5])
def test_erased_part_of_a_structure_is_its_odd_share(filling: float, share: float, awkward_affine: Image) -> None:
    """8 x 10 x 10 voxels of grey matter, of which a part along y has the signal of fluid or of white matter."""
    fluid, grey, white = thirds()
    signal = 0.2 * fluid + 0.7 * grey + white
    structure = np.zeros(SHAPE, np.float32)
    structure[11:19, 5:13, 5:15] = 1
    signal[11:19, 5 : 5 + round(8 * share), 5:15] = filling
    t1w = nib.Nifti1Image(signal.astype(np.float32), awkward_affine)
    whole = nib.Nifti1Image(np.zeros(SHAPE, np.float32), awkward_affine)
    expected = {
        ("hippocampus", "L"): nib.Nifti1Image(structure, awkward_affine).slicer[8:22, 3:20, 2:18],
        ("hippocampus", "R"): whole.slicer[8:22, 3:20, 2:18],
    }
    assert odd_signal_percent(t1w, (fluid, grey, white), expected) == pytest.approx(100 * share)


def test_no_structure_no_number(awkward_affine: Image) -> None:
    fluid, grey, white = thirds()
    t1w = nib.Nifti1Image(grey, awkward_affine)
    assert np.isnan(odd_signal_percent(t1w, (fluid, grey, white), {}))
    assert np.isnan(odd_signal_percent(t1w, (0 * fluid, grey, white), {}))
