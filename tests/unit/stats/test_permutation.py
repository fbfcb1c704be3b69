"""Permutation tests: equal to enumeration by hand, scipy and nilearn; valid under the null; the same for one seed."""

import itertools
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from nilearn.mass_univariate import permuted_ols
from scipy import stats

from morpho.errors import DesignError
from morpho.stats import permutation
from morpho.stats.linear import compare_nested, estimate_contrast, fit_linear
from morpho.stats.permutation import PermutationTest, PlannedTest, permute_freedman_lane, permute_together

GROUP = np.array([0.0, 1.0, 0.0, 0.0])


def read_oracle(name: str) -> pd.DataFrame:
    data = os.environ.get("MORPHO_TEST_DATA", Path(__file__).parents[3] / ".." / "shared" / "data")
    path = Path(data).parent / "oracles" / name
    if not path.exists():
        pytest.skip(f"no {name} in the folder 'oracles' beside the test data (MORPHO_TEST_DATA)")
    return pd.read_csv(path)


def make_study(n: int, m: int, effect: float = 0.0, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Correlated volumes, and a design of intercept, group, age and head size, which differs between groups."""
    rng = np.random.default_rng(seed)
    group = np.arange(n) % 2.0
    age, head = rng.uniform(20, 60, n), 1500 + 50 * group + 100 * rng.normal(size=n)
    X = np.column_stack([np.ones(n), group, age, head])
    shared = rng.normal(size=(n, 1)) + 0.01 * (head[:, None] - 1500)
    return 4000 + 300 * (shared + rng.normal(size=(n, m)) + effect * group[:, None]), X


def enumerate_by_hand(y: np.ndarray, X: np.ndarray, contrasts: np.ndarray, orders: list[np.ndarray]) -> float:
    """Freedman and Lane's procedure step by step, with the columns 1 to q tested."""
    reduced = np.delete(X, np.flatnonzero(contrasts.any(axis=0)), axis=1)
    fitted = reduced @ np.linalg.lstsq(reduced, y, rcond=None)[0]
    outcomes = np.column_stack([fitted + (y - fitted)[order] for order in orders])
    F = compare_nested(fit_linear(np.column_stack([y, outcomes]), X), contrasts).F
    return float(np.mean(F[1:] >= F[0] * (1 - 1e-9)))


def test_statistic_is_absolute_t_or_f_of_least_squares() -> None:
    Y, X = make_study(40, 5)
    single = permute_freedman_lane(Y, X, GROUP, n_permutations=10)
    joint = permute_freedman_lane(Y, X, np.eye(4)[1:3], n_permutations=10)
    assert single.statistic == pytest.approx(np.abs(estimate_contrast(fit_linear(Y, X), GROUP).t), rel=1e-10)
    assert joint.statistic == pytest.approx(compare_nested(fit_linear(Y, X), np.eye(4)[1:3]).F, rel=1e-10)


@pytest.mark.parametrize("contrasts", [GROUP[None], np.eye(4)[1:3], np.eye(4)[[2]]])
def test_few_people_are_enumerated_as_by_hand(contrasts: np.ndarray) -> None:
    Y, X = make_study(6, 3, seed=2)
    orders = [np.array(order) for order in itertools.permutations(range(6))]
    test = permute_freedman_lane(Y, X, contrasts)
    assert (test.exhaustive, test.n_permutations) == (True, 719)
    assert test.p_uncorrected == pytest.approx([enumerate_by_hand(y, X, contrasts, orders) for y in Y.T], rel=1e-12)


def test_enumeration_of_two_groups_equals_scipy() -> None:
    y = np.array([3.1, 2.2, 4.0, 5.9, 4.4, 6.1])
    group = np.repeat([0.0, 1.0], 3)
    peer = stats.permutation_test((y[:3], y[3:]), lambda a, b: abs(a.mean() - b.mean()), alternative="greater")
    test = permute_freedman_lane(y[:, None], np.column_stack([np.ones(6), group]), [0, 1])
    assert test.p_uncorrected == pytest.approx([peer.pvalue], rel=1e-12)
    assert test.p_familywise == pytest.approx([peer.pvalue], rel=1e-12)


def test_enumeration_within_pairs_equals_changing_signs() -> None:
    sleep = read_oracle("sleep.csv")
    first, second = (sleep.loc[sleep["group"] == group, "extra"].to_numpy() for group in (1, 2))
    signs = np.array(list(itertools.product([-1, 1], repeat=10)))
    sums = np.abs(signs @ (second - first))
    expected = np.mean(sums >= abs((second - first).sum()) - 1e-9)
    X = np.column_stack([np.eye(10)[np.tile(np.arange(10), 2)], np.repeat([0.0, 1.0], 10)])
    test = permute_freedman_lane(sleep[["extra"]], X, np.eye(11)[10], blocks=sleep["ID"])
    assert (test.exhaustive, test.n_permutations) == (True, 1023)
    assert test.p_uncorrected == pytest.approx([expected], rel=1e-12)


def test_sleep_has_the_exact_p_of_r_within_monte_carlo_error() -> None:
    sleep = read_oracle("sleep.csv")
    X = np.column_stack([np.ones(20), sleep["group"] == 2]).astype(float)
    test = permute_freedman_lane(sleep[["extra"]], X, [0, 1], n_permutations=400_000)
    # R 4.2.2, coin 1.4-2: oneway_test(extra ~ group, distribution = "exact")
    exact = 0.0814479638
    assert test.p_uncorrected[0] == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 400_000))
    assert not test.exhaustive
    assert test.n_permutations >= 400_000


def test_enumeration_does_not_depend_on_the_order_of_rows() -> None:
    Y, X = make_study(6, 3)
    order = np.array([4, 2, 0, 5, 1, 3])
    here, there = permute_freedman_lane(Y, X, GROUP), permute_freedman_lane(Y[order], X[order], GROUP)
    assert (here.p_uncorrected == there.p_uncorrected).all()
    assert (here.p_familywise == there.p_familywise).all()


def test_agrees_with_nilearn_in_a_single_block() -> None:
    Y, X = make_study(50, 6, effect=1.0, seed=3)
    ours = permute_freedman_lane(Y, X, GROUP, n_permutations=20_000)
    # nilearn changes signs instead if the covariates hold a constant, so the intercept stays out.
    theirs = permuted_ols(X[:, [1]], Y, X[:, 2:], n_perm=4000, random_state=1)
    p = 10 ** -theirs["logp_max_t"][0]
    assert ours.statistic == pytest.approx(np.abs(theirs["t"][0]), rel=1e-9)
    assert (np.abs(ours.p_familywise - p) <= 4 * np.sqrt(p * (1 - p) / 4000) + 1e-3).all()
    assert p.min() < 0.2


def test_random_orders_approach_the_enumeration() -> None:
    Y, X = make_study(7, 3, effect=1.0)
    exact = permute_freedman_lane(Y, X, GROUP, n_permutations=5040)
    drawn = permute_freedman_lane(Y, X, GROUP, n_permutations=5039)
    assert (exact.exhaustive, drawn.exhaustive) == (True, False)
    for name in ("p_uncorrected", "p_familywise"):
        p = getattr(exact, name)
        assert (np.abs(getattr(drawn, name) - p) <= 4 * np.sqrt(p * (1 - p) / 5039) + 1e-3).all()


def test_products_of_orders_vary_as_single_draws_would() -> None:
    Y, X = make_study(30, 8)
    runs = [permute_freedman_lane(Y, X, GROUP, n_permutations=99, seed=seed).p_uncorrected for seed in range(300)]
    p = permute_freedman_lane(Y, X, GROUP, n_permutations=40_000).p_uncorrected
    ratio = np.var(runs, axis=0) / (p * (1 - p) / 100)
    assert np.mean(ratio) == pytest.approx(1, abs=0.15)


def test_p_is_uniform_under_the_null() -> None:
    _, X = make_study(20, 1)
    Y = X[:, 2:] @ np.array([[30.0], [2.0]]) + np.random.default_rng(4).standard_t(5, size=(20, 800))
    test = permute_freedman_lane(Y, X, GROUP, n_permutations=2000)
    assert stats.kstest(test.p_uncorrected, "uniform").pvalue > 0.01


def test_family_wise_error_is_held_with_correlated_outcomes_and_gaps() -> None:
    errors = 0
    for seed in range(400):
        Y, X = make_study(24, 8, seed=seed)
        Y[seed % 24, 0] = np.nan
        Y[(seed + 5) % 24, :2] = np.nan
        smallest = permute_freedman_lane(Y, X, GROUP, n_permutations=199, seed=seed).p_familywise.min()
        errors += smallest <= 0.05
    assert 0.02 <= errors / 400 <= 0.07


def test_a_group_difference_is_found_and_p_is_never_zero() -> None:
    Y, X = make_study(60, 4, effect=3.0)
    test = permute_freedman_lane(Y, X, GROUP, n_permutations=999)
    smallest = 1 / (test.n_permutations + 1)
    assert test.p_uncorrected.tolist() == test.p_familywise.tolist() == [smallest] * 4


def test_family_wise_p_is_at_least_the_uncorrected_one() -> None:
    Y, X = make_study(40, 6)
    test = permute_freedman_lane(Y, X, GROUP, n_permutations=500)
    assert (test.p_familywise >= test.p_uncorrected).all()
    alone = permute_freedman_lane(Y[:, :1], X, GROUP, n_permutations=500)
    assert alone.p_familywise == alone.p_uncorrected == test.p_uncorrected[:1]


def test_same_seed_same_p_and_another_seed_another() -> None:
    Y, X = make_study(40, 6)
    first, again, other = (permute_freedman_lane(Y, X, GROUP, n_permutations=500, seed=seed) for seed in (1, 1, 2))
    assert (first.p_familywise == again.p_familywise).all()
    assert (first.p_uncorrected != other.p_uncorrected).any()


@pytest.mark.parametrize("working_bytes", [1, 50_000])
def test_size_of_batches_changes_nothing(monkeypatch: pytest.MonkeyPatch, working_bytes: int) -> None:
    Y, X = make_study(40, 6)
    Y[3, 2] = np.nan
    whole = permute_freedman_lane(Y, X, GROUP, n_permutations=500)
    monkeypatch.setattr(permutation, "DESIGN_BYTES", working_bytes)
    monkeypatch.setattr(permutation, "OUTCOME_BYTES", working_bytes)
    assert_same(permute_freedman_lane(Y, X, GROUP, n_permutations=500), whole)


def assert_same(first: PermutationTest, second: PermutationTest) -> None:
    assert first.p_uncorrected == pytest.approx(second.p_uncorrected, rel=1e-12, nan_ok=True)
    assert first.p_familywise == pytest.approx(second.p_familywise, rel=1e-12, nan_ok=True)
    assert first.statistic == pytest.approx(second.statistic, rel=1e-9, nan_ok=True)


@pytest.mark.parametrize("blocks", [None, np.arange(60) % 3])
def test_tests_made_together_are_those_made_alone(blocks: np.ndarray | None) -> None:
    Y, X = make_study(60, 6)
    Y[5:9, 1] = np.nan
    site = np.eye(3)[np.arange(60) % 3][:, 1:]
    planned = [
        PlannedTest(X, GROUP),
        PlannedTest(np.hstack([X, site]), np.eye(6)[1]),
        PlannedTest(np.hstack([X[:, :3], X[:, 2:3] ** 2, site]), np.eye(6)[2:4]),
        PlannedTest(X[:, :3], [0, 1, 0]),
    ]
    together = permute_together(Y, planned, blocks=blocks, n_permutations=700, seed=3)
    for plan, test in zip(planned, together, strict=True):
        alone = permute_freedman_lane(Y, plan.X, plan.contrasts, blocks=blocks, n_permutations=700, seed=3)
        assert_same(test, alone)


def test_units_do_not_change_p() -> None:
    Y, X = make_study(40, 4)
    plain = permute_freedman_lane(Y, X, GROUP, n_permutations=500)
    scaled = permute_freedman_lane(Y * 1e-6 + 3, X * [1, 5, 365.25, 1e6], GROUP, n_permutations=500)
    assert scaled.p_familywise == pytest.approx(plain.p_familywise, rel=1e-12)


def test_people_stay_in_their_blocks() -> None:
    Y, X = make_study(7, 2)
    blocks = np.array(["b", "a", "b", "a", "a", "b", "a"])
    orders = []
    for a, b in itertools.product(itertools.permutations([1, 3, 4, 6]), itertools.permutations([0, 2, 5])):
        order = np.empty(7, dtype=int)
        order[[1, 3, 4, 6]], order[[0, 2, 5]] = a, b
        orders.append(order)
    test = permute_freedman_lane(Y, X, GROUP, blocks=blocks)
    assert (test.exhaustive, test.n_permutations) == (True, 24 * 6 - 1)
    assert test.p_uncorrected == pytest.approx([enumerate_by_hand(y, X, GROUP[None], orders) for y in Y.T], rel=1e-12)


def test_blocks_that_differ_in_spread_give_their_own_null() -> None:
    """Controls come mostly from the noisy site: shuffling across sites would make p too small."""
    rng = np.random.default_rng(5)
    site, group = np.repeat([0.0, 1.0], 20), np.concatenate([np.arange(20) < 4, np.arange(20) < 16]).astype(float)
    X = np.column_stack([np.ones(40), group, site])
    Y = rng.normal(size=(40, 500)) * np.where(site == 1, 1, 8)[:, None]
    within = permute_freedman_lane(Y, X, [0, 1, 0], blocks=site, n_permutations=999)
    assert np.mean(within.p_uncorrected <= 0.05) == pytest.approx(0.05, abs=0.03)
    assert stats.kstest(within.p_uncorrected, "uniform").pvalue > 0.01


@pytest.mark.parametrize("contrasts", [GROUP, np.eye(4)[1:3]])
def test_a_term_that_is_constant_within_blocks_is_refused(contrasts: np.ndarray) -> None:
    Y, X = make_study(40, 2)
    with pytest.raises(DesignError, match="same for all people of each of the 2 blocks"):
        permute_freedman_lane(Y, X, contrasts, blocks=X[:, 1])


def test_the_intercept_cannot_be_tested_by_changing_places() -> None:
    Y, X = make_study(40, 2)
    with pytest.raises(DesignError, match="same for all people of each of the 1 blocks"):
        permute_freedman_lane(Y, X, np.eye(4)[0])


def test_a_term_that_is_constant_within_the_blocks_of_those_with_an_outcome_has_no_p() -> None:
    Y, X = make_study(40, 2)
    blocks = np.arange(40) // 4
    Y[np.arange(40) % 4 > 1, 0] = np.nan
    X = np.column_stack([np.ones(40), np.arange(40) % 4 == 2, X[:, 2]]) + np.outer(blocks == 1, [0, 1, 0])
    test = permute_freedman_lane(Y, X, [0, 1, 0], blocks=blocks, n_permutations=200)
    assert np.isnan(test.p_uncorrected).tolist() == [True, False]


def test_a_gap_changes_only_the_uncorrected_p_of_its_outcome() -> None:
    Y, X = make_study(40, 5)
    gapped = Y.copy()
    gapped[[2, 17, 30], 3] = np.nan
    whole = permute_freedman_lane(Y, X, GROUP, n_permutations=500)
    test = permute_freedman_lane(gapped, X, GROUP, n_permutations=500)
    same = test.p_uncorrected == whole.p_uncorrected
    assert same.tolist() == [True, True, True, False, True]


@pytest.mark.parametrize("gaps", [[4], [1, 4]])
def test_an_outcome_with_gaps_is_tested_as_in_those_who_have_it(gaps: list[int]) -> None:
    Y, X = make_study(7, 3, seed=6)
    X = X[:, :3]
    Y[gaps, 1] = np.nan
    kept = np.setdiff1d(np.arange(7), gaps)
    test = permute_freedman_lane(Y, X, [0, 1, 0], n_permutations=5040)
    alone = permute_freedman_lane(Y[kept, 1:2], X[kept], [0, 1, 0], n_permutations=5040)
    assert test.exhaustive
    assert test.p_uncorrected[1] == pytest.approx(alone.p_uncorrected[0], rel=1e-12)
    assert test.statistic[1] == pytest.approx(alone.statistic[0], rel=1e-10)


def test_gaps_leave_outcomes_dependent() -> None:
    """Two outcomes that are the same but for gaps are nearly one test, not two."""
    Y, X = make_study(200, 1, effect=0.25, seed=8)
    twins = np.hstack([Y, Y])
    twins[[10, 60, 61, 120, 150], 1] = np.nan
    test = permute_freedman_lane(twins, X, GROUP)
    largest = test.p_uncorrected.min()
    assert 0.02 < largest < 0.5
    independent = 1 - (1 - largest) ** 2
    assert test.p_familywise.min() < largest + 0.35 * (independent - largest)


def test_outcomes_that_cannot_be_fitted_take_no_part() -> None:
    Y, X = make_study(40, 6)
    X = np.column_stack([X, np.arange(40) >= 36])
    plain = permute_freedman_lane(Y[:, 4:], X, np.eye(5)[1], n_permutations=500)
    Y[:, 0] = 4321.7
    Y[:, 1] = 3 * X[:, 2]
    Y[5:, 2] = np.nan
    Y[36:, 3] = np.nan
    test = permute_freedman_lane(Y, X, np.eye(5)[1], n_permutations=500)
    for values in (test.p_uncorrected, test.p_familywise, test.statistic):
        assert np.isnan(values).tolist() == [True, True, True, True, False, False]
    assert test.p_familywise[4:] == pytest.approx(plain.p_familywise, rel=1e-12)


def test_an_outcome_without_any_value_and_one_that_the_design_explains_have_no_p() -> None:
    Y, X = make_study(20, 3)
    Y[:, 0] = np.nan
    Y[:, 1] = X @ [1.0, 2.0, 3.0, 4.0]
    test = permute_freedman_lane(Y, X, GROUP, n_permutations=100)
    assert np.isnan(test.p_familywise).tolist() == [True, True, False]


def test_ties_count_as_at_least_as_large() -> None:
    y = np.array([1.0, 2.0, 1.0, 2.0])
    test = permute_freedman_lane(y[:, None], np.column_stack([np.ones(4), [0.0, 0.0, 1.0, 1.0]]), [0, 1])
    assert test.statistic == pytest.approx([0], abs=1e-12)
    assert test.p_uncorrected.tolist() == [1.0]


def test_designs_that_cannot_be_estimated_are_refused() -> None:
    Y, X = make_study(20, 2)
    with pytest.raises(DesignError, match=r"Columns \[1, 4\]"):
        permute_freedman_lane(Y, np.column_stack([X, X[:, 1]]), np.eye(5)[1])
    with pytest.raises(DesignError, match="Outcomes of 20 people and a design of 19"):
        permute_freedman_lane(Y, X[1:], GROUP)
    with pytest.raises(DesignError, match="Contrasts need 4 finite weights"):
        permute_freedman_lane(Y, X, [0, 1])


def test_outcomes_and_blocks_that_do_not_fit_are_refused() -> None:
    Y, X = make_study(20, 2)
    with pytest.raises(DesignError, match=r"shapes \(20, 2\) and \(19,\)"):
        permute_freedman_lane(Y, X, GROUP, blocks=np.zeros(19))
    Y[0, 0] = np.inf
    with pytest.raises(DesignError, match="1 outcomes being infinite"):
        permute_freedman_lane(Y, X, GROUP)
