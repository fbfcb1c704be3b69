"""The planted deformation against cases that can be solved by hand."""

import numpy as np
import pytest
from contraction import FADE_MM, contract, flow, gradient_with_divergence, jacobian_of

SHAPE = (62, 54, 62)
VOXEL_MM = (1.0, 1.2, 1.0)
CENTRE = (np.array(SHAPE) - 1) / 2


def offsets():
    """Distance of each voxel from the centre along each axis (voxels), shape (3, X, Y, Z)."""
    return np.stack(np.meshgrid(*[np.arange(size) - middle for size, middle in zip(SHAPE, CENTRE, strict=True)],
                                indexing="ij"))  # fmt: skip


def radius_mm():
    return np.sqrt(sum((part * size) ** 2 for part, size in zip(offsets(), VOXEL_MM, strict=True)))


def test_field_of_a_ball_grows_with_a_third_of_the_radius():
    # div v = 1 in a ball: v = r/3 there (Gauss), whatever compensates for it outside.
    radius = radius_mm()
    ball, shell = radius < 12, (radius > 16) & (radius < 20)
    field = gradient_with_divergence(ball - shell * (ball.sum() / shell.sum()), VOXEL_MM)
    along_y = field[1] * VOXEL_MM[1]
    inner = radius < 8
    assert np.abs(along_y - offsets()[1] * VOXEL_MM[1] / 3)[inner].max() < 0.06


@pytest.mark.parametrize("rate", [-0.1, -0.02])
def test_flow_of_a_linear_field_is_the_exponential(rate):
    moved = flow((rate * offsets()).astype(np.float32))
    assert np.abs(moved - np.expm1(rate) * offsets()).max() < 4e-3
    assert np.abs(jacobian_of(moved) - np.exp(3 * rate)).max() < 1e-3


def test_forward_and_backward_flow_undo_each_other():
    velocity = (-0.05 * offsets()).astype(np.float32)
    there, back = flow(velocity), flow(-velocity)
    inner = (slice(None), slice(8, -8), slice(8, -8), slice(8, -8))
    growth = (1 + there[inner] / offsets()[inner]) * (1 + back[inner] / offsets()[inner])
    assert np.abs(growth - 1).max() < 1e-3


@pytest.mark.parametrize("share", [0.02, 0.1])
def test_a_ball_shrinks_by_what_was_asked_and_the_rest_makes_room(share):
    radius = radius_mm()
    ball = radius < 8
    weights = ball.astype(np.float32)
    contraction = contract(ball, weights, np.zeros_like(ball), VOXEL_MM, share)
    assert contraction.growth(weights) / weights.sum() == pytest.approx(-share, rel=0.005)
    # The same from the warped image: within .2 % of the volume.
    assert contraction.warped_growth(weights) / weights.sum() == pytest.approx(-share, abs=0.002)
    # Evenly: the middle shrinks as much as the whole.
    middle = tuple(int(size) // 2 for size in contraction.jacobian.shape)
    assert contraction.jacobian[middle] == pytest.approx(1 - share, abs=0.1 * share)
    # Nothing is lost or made, and nothing far away moves.
    assert float(contraction.jacobian.mean()) == pytest.approx(1, abs=2e-4)
    far = (radius[contraction.box] > 8 + FADE_MM[1])[None]
    assert float(np.abs(contraction.forward * far).max()) < 0.01


def test_a_neighbour_that_is_kept_moves_but_keeps_its_size():
    ball = radius_mm() < 8
    kept = np.roll(radius_mm() < 5, 11, axis=0) & ~ball
    weights, neighbour = ball.astype(np.float32), kept.astype(np.float32)
    free = contract(ball, weights, np.zeros_like(ball), VOXEL_MM, 0.1)
    tied = contract(ball, weights, kept, VOXEL_MM, 0.1)
    assert abs(free.growth(neighbour)) > 0.01 * neighbour.sum()
    assert abs(tied.growth(neighbour)) < 0.005 * neighbour.sum()
    assert tied.growth(weights) / weights.sum() == pytest.approx(-0.1, rel=0.005)
    assert np.abs(tied.forward[:, kept[tied.box]]).max() > 0.05


def test_impossible_contractions_are_refused():
    ball = radius_mm() < 10
    with pytest.raises(ValueError, match=r"cannot shrink by 0\.6"):
        contract(ball, ball.astype(np.float32), ~ball, VOXEL_MM, 0.6)
    with pytest.raises(ValueError, match="0 voxels"):
        contract(np.zeros(SHAPE, bool), np.zeros(SHAPE, np.float32), ball, VOXEL_MM, 0.1)
