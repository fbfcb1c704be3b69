"""Air around a ball: its noise is the one that was put in, and ghosts are seen where they were cast."""

import numpy as np
import pytest
from numpy.typing import NDArray

from morpho.measure.background import measure_background

SHAPE, VOXEL_MM, WHITE, SIGMA = (56, 64, 60), np.array([4.0, 4.0, 4.0]), 500.0, 10.0
Mask = NDArray[np.bool_]


def ball() -> Mask:
    x, y, z = np.ogrid[tuple(slice(size) for size in SHAPE)]
    return np.asarray(((x - 28) / 20) ** 2 + ((y - 32) / 24) ** 2 + ((z - 26) / 22) ** 2 <= 1)


def head(rng: np.random.Generator, ghost: float = 0.0, axis: int = 1) -> NDArray[np.float32]:
    """Signal 500 in a ball, a ghost of it moved by half the image, Rician noise of standard deviation 10."""
    signal = WHITE * ball()
    signal = signal + ghost * np.roll(signal, SHAPE[axis] // 2, axis)
    noise = SIGMA * rng.standard_normal((2, *SHAPE))
    return np.hypot(signal + noise[0], noise[1]).astype(np.float32)


NOTHING = np.zeros(SHAPE, bool)


def test_noise_of_air_is_that_of_the_scanner(rng: np.random.Generator) -> None:
    """Magnitudes in air are smaller than in tissue (Rayleigh); the noise behind them is the same."""
    found = measure_background(head(rng), ball(), NOTHING, VOXEL_MM, WHITE)
    assert found.noise_percent == pytest.approx(100 * SIGMA / WHITE, rel=0.02)
    assert found.ghost_percent == pytest.approx(0, abs=0.1)
    assert found.artefact_percent < 0.1


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_ghost_is_as_bright_as_it_was_cast(rng: np.random.Generator, axis: int) -> None:
    """A ghost of 20 % is 100; noise adds less than 1 to it, and the air beside it has 12.5 (1.25 sigma)."""
    found = measure_background(head(rng, 0.2, axis), ball(), NOTHING, VOXEL_MM, WHITE)
    assert found.ghost_percent == pytest.approx(100 * (0.2 * WHITE - 1.25 * SIGMA) / WHITE, rel=0.06)
    assert found.artefact_percent > 5


def test_ghost_does_not_pass_for_noise(rng: np.random.Generator) -> None:
    quiet = measure_background(head(rng), ball(), NOTHING, VOXEL_MM, WHITE).noise_percent
    assert measure_background(head(rng, 0.1), ball(), NOTHING, VOXEL_MM, WHITE).noise_percent == pytest.approx(
        quiet, rel=0.1
    )


def test_extracted_brain_has_no_background(rng: np.random.Generator) -> None:
    signal = np.where(ball(), head(rng), 0)
    found = measure_background(signal, ball(), ~ball(), VOXEL_MM, WHITE)
    assert np.isnan([found.noise_percent, found.ghost_percent, found.artefact_percent]).all()


def test_blanked_face_is_not_taken_for_quiet_air(rng: np.random.Generator) -> None:
    """A corner is 4 mm of air away from the ball and was set to zero."""
    signal, blanked = head(rng), NOTHING.copy()
    blanked[:, 48:, :30] = True
    signal[blanked] = 0
    found = measure_background(signal, ball() & ~blanked, blanked, VOXEL_MM, WHITE)
    assert found.noise_percent == pytest.approx(100 * SIGMA / WHITE, rel=0.02)
