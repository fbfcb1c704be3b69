"""Noise and sharpness of made-up tissue: what was put in is found again."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from morpho.measure.sharpness import blur_fwhm_mm, edge_width_mm, noise_in_white_matter

SHAPE = (40, 44, 48)
VOXEL_MM = np.array([1.0, 1.2, 0.8])
FWHM_PER_SIGMA = np.sqrt(8 * np.log(2))
Image = NDArray[np.float32]


def halves() -> tuple[Image, Image]:
    """Grey matter in the first half along x, white matter in the second."""
    grey = np.zeros(SHAPE, np.float32)
    grey[:20] = 1
    return grey, 1 - grey


@pytest.mark.parametrize("sigma", [0.02, 0.1])
def test_noise_of_white_matter_is_what_was_added(rng: np.random.Generator, sigma: float) -> None:
    grey, white = halves()
    signal = (0.6 * grey + white + rng.normal(0, sigma, SHAPE)).astype(np.float32)
    assert noise_in_white_matter(signal, white) == pytest.approx(100 * sigma, rel=0.03)


def test_shading_is_no_noise(rng: np.random.Generator) -> None:
    _, white = halves()
    field = np.linspace(0.7, 1.3, SHAPE[1])[None, :, None]
    signal = (field + rng.normal(0, 0.03, SHAPE)).astype(np.float32)
    assert noise_in_white_matter(signal, white) == pytest.approx(3, rel=0.05)


def test_noise_is_missing_without_white_matter() -> None:
    assert np.isnan(noise_in_white_matter(np.ones(SHAPE, np.float32), np.zeros(SHAPE, np.float32)))


@pytest.mark.parametrize("fwhm_mm", [2.5, 3.5])
def test_width_is_that_of_the_filter(rng: np.random.Generator, fwhm_mm: float) -> None:
    grey, white = halves()
    smooth = ndimage.gaussian_filter(rng.standard_normal(SHAPE), fwhm_mm / FWHM_PER_SIGMA / VOXEL_MM, mode="wrap")
    signal = (0.6 * grey + white + 0.05 * smooth / smooth.std()).astype(np.float32)
    assert blur_fwhm_mm(signal, [grey, white], VOXEL_MM) == pytest.approx(fwhm_mm, rel=0.1)


def test_width_of_independent_noise_is_less_than_a_voxel(rng: np.random.Generator) -> None:
    grey, white = halves()
    signal = (0.6 * grey + white + rng.normal(0, 0.05, SHAPE)).astype(np.float32)
    assert blur_fwhm_mm(signal, [grey, white], VOXEL_MM) < VOXEL_MM.max()


def test_width_is_missing_without_tissue() -> None:
    assert np.isnan(blur_fwhm_mm(np.ones(SHAPE, np.float32), [np.zeros(SHAPE, np.float32)], VOXEL_MM))


@pytest.mark.parametrize("width_mm", [3.0, 6.0])
def test_edge_is_as_wide_as_the_ramp_between_tissues(width_mm: float) -> None:
    """Signal rises from 0.6 to 1 over a width in mm along x; so does the share of white matter."""
    place_mm = np.arange(SHAPE[0]) - 19.3
    white = np.clip(place_mm / width_mm + 0.5, 0, 1)[:, None, None] * np.ones(SHAPE)
    signal = (0.6 + 0.4 * white).astype(np.float32)
    found = edge_width_mm(signal, (1 - white).astype(np.float32), white.astype(np.float32), VOXEL_MM)
    assert found == pytest.approx(width_mm, rel=0.01)


def test_edge_is_missing_without_a_border() -> None:
    grey, white = halves()
    assert np.isnan(edge_width_mm(grey, grey, white, VOXEL_MM))
