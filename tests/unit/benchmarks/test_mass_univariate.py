"""The loop and morpho find the same, and what they took is compared as it says."""

from dataclasses import replace

import numpy as np
import pytest
from mass_univariate import Side, Size, compare_sides, run_loop, run_morpho, simulate, summarise

OURS = Side(np.array([[0.5, -4.0]]), np.array([[0.5, 0.01]]), 0.5, 1.5, 99, 3.0, 300.0)
LOOP = Side(np.array([[0.5, -4.4]]), np.array([[0.5, 0.01]]), 10.0, 30.0, 99, 50.0, 200.0)


def test_both_sides_find_the_same():
    volumes, designs = simulate(Size(80, 5, 8, 400))
    ours, loop = run_morpho(volumes, designs, 400), run_loop(volumes, designs, 400, cores=1)
    found = compare_sides(ours, loop)
    assert ours.t.shape == loop.p.shape == (8, 5)
    assert found["t_difference"] < 1e-11
    assert found["p_difference"] < 4.5


def test_models_have_seven_to_twelve_columns_and_differ():
    volumes, designs = simulate(Size(100, 3, 12, 1))
    assert volumes.shape == (100, 3)
    assert {X.shape[1] for X in designs} <= set(range(7, 13))
    assert len({X.tobytes() for X in designs}) == 12
    assert all((X[:, 1] == 1).all() for X in designs)


def test_differences_and_ratios():
    found = compare_sides(OURS, LOOP)
    assert (found["loop_seconds"], found["morpho_seconds"], found["wall_ratio"]) == (40, 2, 20)
    assert (found["fit_ratio"], found["permute_ratio"]) == (20, 20)
    assert found["t_difference"] == pytest.approx(0.4 / 4.4)
    assert found["p_difference"] == 0


def test_difference_of_p_is_in_standard_errors():
    moved = replace(LOOP, p=np.array([[0.6, 0.01]]))
    assert compare_sides(OURS, moved)["p_difference"] == pytest.approx(0.1 / np.sqrt((0.25 + 1 / 99) * 2 / 99))


def test_summary_takes_ratios_of_medians_and_the_largest_difference():
    slow = replace(OURS, permute_seconds=9.5, peak_rss_mb=350.0)
    same = replace(LOOP, t=OURS.t)
    summary = summarise([compare_sides(OURS, same), compare_sides(slow, LOOP), compare_sides(OURS, same)])
    assert summary["wall_ratio"] == 20
    assert summary["t_difference"] == pytest.approx(0.4 / 4.4)
    assert summary["peak_rss_mb"] == 350


def test_fewer_permutations_of_the_loop_are_scaled():
    volumes, designs = simulate(Size(60, 3, 2, 100))
    few = run_loop(volumes, designs, 20, cores=1, scale_to=200)
    assert few.permutations == 20
    assert 0 < few.permute_seconds < 60
