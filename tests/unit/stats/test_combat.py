"""ComBat: output of the published R code, hand arithmetic without empirical Bayes, laws, and what it refuses."""

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from morpho.errors import DesignError
from morpho.stats.combat import CombatModel, apply_combat, learn_combat

FloatArray = npt.NDArray[np.float64]

ORACLE_SITE = np.repeat([1, 2], 5)
ORACLE_GROUP = np.tile([1.0, 0.0], 5)[:, np.newaxis]
# R sva::ComBat, parametric, first two features of the published test data, preserving the group.
SVA_ADJUSTED = [
    [
        *(8.048493154632, 6.237535105466, 7.950612150718, 4.126998087737, 5.911711811088),
        *(4.021808076904, 9.010643599736, 3.066849270774, 9.173489281867, 2.665632646309),
    ],
    [
        *(6.35430283314, 3.992887566403, 8.033728447948, 3.518781427024, 7.221591041033),
        *(4.163591969417, 4.97782265882, 3.575611622507, 8.519351949758, 4.247568446764),
    ],
]


def read_oracle(name: str) -> FloatArray:
    """Read a table of features x people as people x features."""
    data = os.environ.get("MORPHO_TEST_DATA", Path(__file__).parents[3] / ".." / "shared" / "data")
    path = Path(data).parent / "oracles" / "combat" / name
    if not path.exists():
        pytest.skip(f"no combat/{name} in the folder 'oracles' beside the test data (MORPHO_TEST_DATA)")
    return pd.read_csv(path).to_numpy().T


def make_cohort(seed: int = 0, sizes: tuple[int, ...] = (12, 20, 9)) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Make volumes of 6 features with site and age effects, sites 0, 1, ..., and a column of ages."""
    rng = np.random.default_rng(seed)
    site = np.repeat(np.arange(len(sizes)), sizes)
    age = rng.uniform(20, 60, site.size)
    shift, spread = rng.normal(0, 300, (len(sizes), 6)), rng.uniform(0.7, 1.5, (len(sizes), 6))
    noise = rng.normal(0, 400, (site.size, 6))
    Y = 4000 + 200 * np.arange(6) - 10 * np.outer(age, np.arange(1, 7)) + shift[site] + spread[site] * noise
    return Y, site, age[:, np.newaxis]


def harmonise(Y: FloatArray, site: npt.ArrayLike, preserved: FloatArray | None, **options: bool | int) -> FloatArray:
    return apply_combat(learn_combat(Y, site, preserved, **options), Y, site, preserved)


@pytest.mark.parametrize(
    ("expected", "preserved", "empirical_bayes"),
    [("adjusted", ORACLE_GROUP, True), ("adjusted_noeb", ORACLE_GROUP, False), ("unadjusted", None, True)],
)
def test_output_equals_that_of_the_published_r_code(
    expected: str, preserved: FloatArray | None, *, empirical_bayes: bool
) -> None:
    # ComBatHarmonization (Fortin 2018), Testing/inputData and outputData.
    harmonised = harmonise(read_oracle("testdata.csv"), ORACLE_SITE, preserved, empirical_bayes=empirical_bayes)
    expected_volumes = read_oracle(f"testdata_combat_parametric_{expected}_r.csv")
    np.testing.assert_allclose(harmonised, expected_volumes, rtol=0, atol=1e-12)


def test_output_equals_that_of_sva() -> None:
    harmonised = harmonise(read_oracle("testdata.csv"), ORACLE_SITE, ORACLE_GROUP)
    np.testing.assert_allclose(harmonised[:, :2].T, SVA_ADJUSTED, rtol=1e-11)


def test_without_empirical_bayes_all_sites_get_the_same_mean_and_spread() -> None:
    Y, site, _ = make_cohort()
    harmonised = harmonise(Y, site, None, empirical_bayes=False)
    pooled_sd = np.sqrt(sum(((Y[site == s] - Y[site == s].mean(0)) ** 2).sum(0) for s in range(3)) / len(Y))
    for number in range(3):
        np.testing.assert_allclose(harmonised[site == number].mean(axis=0), Y.mean(axis=0), rtol=1e-12)
        np.testing.assert_allclose(harmonised[site == number].std(axis=0, ddof=1), pooled_sd, rtol=1e-10)


def test_preserved_slopes_stay_and_site_differences_go() -> None:
    Y, site, age = make_cohort(sizes=(60, 100, 45))
    model = learn_combat(Y, site, age, empirical_bayes=False)
    again = learn_combat(apply_combat(model, Y, site, age), site, age, empirical_bayes=False)
    raw = np.abs(model.shift).max()
    assert raw > 0.5
    assert np.abs(again.shift).max() < 0.2 * raw  # slopes are estimated anew after the spreads have changed
    np.testing.assert_allclose(model.slopes[0], -10 * np.arange(1, 7), atol=9)  # three standard errors
    np.testing.assert_allclose(again.slopes, model.slopes, atol=4)


def test_a_group_that_is_not_preserved_is_lost_with_the_sites() -> None:
    rng = np.random.default_rng(1)
    site = np.repeat(["a", "b"], 50)
    patient = np.concatenate([rng.random(50) < 0.2, rng.random(50) < 0.8]).astype(float)[:, np.newaxis]
    Y = 4000 + rng.normal(0, 300, (100, 20)) - 300 * patient

    def difference(volumes: FloatArray) -> float:
        return float((volumes[patient[:, 0] == 1] - volumes[patient[:, 0] == 0].mean(axis=0)).mean())

    assert difference(harmonise(Y, site, patient)) == pytest.approx(-300, abs=30)
    assert difference(harmonise(Y, site, None)) > -230


def test_empirical_bayes_draws_sites_towards_their_mean_over_features() -> None:
    Y, site, age = make_cohort()
    plain = learn_combat(Y, site, age, empirical_bayes=False)
    shrunken = learn_combat(Y, site, age)
    centre = plain.shift.mean(axis=1, keepdims=True)
    assert (np.abs(shrunken.shift - centre) < np.abs(plain.shift - centre)).all()
    assert (shrunken.variance_ratio.std(axis=1) < plain.variance_ratio.std(axis=1)).all()
    np.testing.assert_array_equal(shrunken.slopes, plain.slopes)


def test_empirical_bayes_solves_its_two_equations() -> None:
    # Johnson 2007, equation 3 and the inverse gamma moments; to the published tolerance of the iterations.
    Y, site, _ = make_cohort()
    plain, model = learn_combat(Y, site, empirical_bayes=False), learn_combat(Y, site)
    group = ((Y - model.grand_mean) / model.residual_sd)[site == 1]
    n, hat, ratio = len(group), plain.shift[1], plain.variance_ratio[1]
    mean, variance = ratio.mean(), ratio.var(ddof=1)
    shape, rate = (2 * variance + mean**2) / variance, (mean * variance + mean**3) / variance
    squares = ((group - model.shift[1]) ** 2).sum(axis=0)
    np.testing.assert_allclose(model.variance_ratio[1], (rate + squares / 2) / (n / 2 + shape - 1), rtol=1e-4)
    precision = n * hat.var(ddof=1) / model.variance_ratio[1]
    np.testing.assert_allclose(model.shift[1], (precision * hat + hat.mean()) / (precision + 1), rtol=1e-3)


@pytest.mark.parametrize("empirical_bayes", [True, False])
def test_one_site_stays_as_it_is(*, empirical_bayes: bool) -> None:
    Y, _, age = make_cohort()
    harmonised = harmonise(Y, ["only"] * len(Y), age, empirical_bayes=empirical_bayes)
    np.testing.assert_allclose(harmonised, Y, rtol=1e-12)


def test_names_of_sites_and_order_of_people_do_not_matter() -> None:
    Y, site, age = make_cohort()
    expected = harmonise(Y, site, age)
    renamed = np.array(["c", "a", "b"])[site]
    np.testing.assert_allclose(harmonise(Y, renamed, age), expected, rtol=1e-10)
    order = np.random.default_rng(2).permutation(len(Y))
    np.testing.assert_allclose(harmonise(Y[order], site[order], age[order]), expected[order], rtol=1e-10)


def test_units_of_each_feature_and_of_preserved_columns_do_not_matter() -> None:
    Y, site, age = make_cohort()
    expected = harmonise(Y, site, age)
    scale, shift = np.array([1e-3, 1, 1e3, 2, 5, 0.1]), np.array([0, 1e3, 0, -50, 1, 2])
    np.testing.assert_allclose(harmonise(scale * Y + shift, site, age), scale * expected + shift, rtol=1e-9)
    np.testing.assert_allclose(harmonise(Y, site, 12 * age - 500), expected, rtol=1e-9)


def test_a_single_person_is_harmonised_as_among_others() -> None:
    Y, site, age = make_cohort()
    model = learn_combat(Y, site, age)
    np.testing.assert_allclose(apply_combat(model, Y[[7]], site[[7]], age[[7]]), apply_combat(model, Y, site, age)[[7]])


def test_a_single_feature_is_harmonised_without_empirical_bayes() -> None:
    Y, site, age = make_cohort()
    alone = harmonise(Y[:, [2]], site, age, empirical_bayes=False)
    np.testing.assert_allclose(alone, harmonise(Y, site, age, empirical_bayes=False)[:, [2]], rtol=1e-12)
    with pytest.raises(DesignError, match="at least 2 features to learn from each other; got 1"):
        learn_combat(Y[:, [2]], site, age)


def test_equal_features_learn_from_each_other_what_each_knows() -> None:
    Y, site, _ = make_cohort()
    twins = Y[:, [2, 2]]
    plain, shrunken = learn_combat(twins, site, empirical_bayes=False), learn_combat(twins, site)
    np.testing.assert_allclose(shrunken.shift, plain.shift, rtol=1e-10)
    np.testing.assert_allclose(shrunken.variance_ratio, plain.variance_ratio, rtol=1e-10)


def test_planted_sites_are_found() -> None:
    rng = np.random.default_rng(3)
    site = np.repeat(["a", "b"], 150)
    Y = rng.normal(size=(300, 40))
    Y[150:] = 2 * Y[150:] + 1.5
    model = learn_combat(Y, site)
    # Pooled variance (1 + 4) / 2 = 2.5: shifts -0.75 and 0.75 over sqrt(2.5), ratios 0.4 and 1.6.
    np.testing.assert_allclose(model.shift.mean(axis=1), [-0.4743, 0.4743], atol=0.03)
    np.testing.assert_allclose(model.variance_ratio.mean(axis=1), [0.4, 1.6], atol=0.05)


def test_missing_values_are_refused() -> None:
    Y, site, age = make_cohort()
    model = learn_combat(Y, site, age)
    Y[3, 1] = np.nan
    with pytest.raises(DesignError, match="1 volumes and 0 preserved values are missing"):
        learn_combat(Y, site, age)
    with pytest.raises(DesignError, match="1 volumes and 0 preserved values are missing"):
        apply_combat(model, Y, site, age)
    with pytest.raises(DesignError, match="1 preserved values are missing"):
        learn_combat(np.nan_to_num(Y), site, np.where(age == age[0], np.inf, age))


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
def test_a_missing_site_is_refused(missing: object) -> None:
    Y, site, age = make_cohort()
    with pytest.raises(DesignError, match="got 41, of which 1 are missing"):
        learn_combat(Y, [missing, *site[1:]], age)


def test_small_sites_are_refused() -> None:
    Y, site, _ = make_cohort(sizes=(12, 4, 9))
    with pytest.raises(DesignError, match=r"at least 5 people per site; these have fewer: 1 \(4\)"):
        learn_combat(Y, site)
    assert learn_combat(Y, site, min_site_size=4).sites == ("0", "1", "2")
    Y, site, _ = make_cohort(sizes=(12, 1))
    with pytest.raises(DesignError, match=r"at least 2 people per site; these have fewer: 1 \(1\)"):
        learn_combat(Y, site, min_site_size=1)


def test_features_without_spread_are_refused() -> None:
    Y, site, age = make_cohort()
    constant = Y.copy()
    constant[:, 4] = 1234.5
    with pytest.raises(DesignError, match=r"features \[4\] \(counted from 0\)"):
        learn_combat(constant, site, age)
    explained = Y.copy()
    explained[:, 2] = 300 - 0.1 * age[:, 0] + site
    with pytest.raises(DesignError, match=r"features \[2\] \(counted from 0\)"):
        learn_combat(explained, site, age)


@pytest.mark.parametrize("with_age", [True, False])
def test_a_site_without_spread_is_refused(*, with_age: bool) -> None:
    Y, site, age = make_cohort()
    Y[site == 2, 3] = 1234.5
    with pytest.raises(DesignError, match="no spread at a site: site 2, feature 3 "):
        learn_combat(Y, site, age if with_age else None)


def test_preserved_columns_that_give_the_site_away_are_refused() -> None:
    Y, site, age = make_cohort()
    aliased = (site == 1).astype(float)[:, np.newaxis]
    for columns in (aliased, np.ones_like(age), np.column_stack([age, 2 * age + 3 * aliased[:, 0]])):
        with pytest.raises(DesignError, match="Sites cannot be told from the"):
            learn_combat(Y, site, columns)
    one_site_mixed = np.where(site == 0, np.arange(len(Y)) % 2, 1.0)[:, np.newaxis]
    assert learn_combat(Y, site, one_site_mixed).slopes.shape == (1, 6)


def test_an_unseen_site_is_refused() -> None:
    Y, site, age = make_cohort()
    model = learn_combat(Y, site, age)
    with pytest.raises(DesignError, match="has not learnt the sites 3; it knows 0, 1, 2"):
        apply_combat(model, Y, np.where(site == 2, 3, site), age)


def test_other_columns_than_those_learnt_are_refused() -> None:
    Y, site, age = make_cohort()
    model = learn_combat(Y, site, age)
    with pytest.raises(DesignError, match="is applied to 6 and 0"):
        apply_combat(model, Y, site)
    with pytest.raises(DesignError, match="is applied to 5 and 1"):
        apply_combat(model, Y[:, :5], site, age)


def test_tables_of_wrong_shape_are_refused() -> None:
    Y, site, age = make_cohort()
    for volumes, columns in ((Y[:, 0], age), (Y, age[:, 0]), (Y[:-1], age)):
        with pytest.raises(DesignError, match="one row per person"):
            learn_combat(volumes, site, columns)
    with pytest.raises(DesignError, match="site of each of 41 people; got 40"):
        learn_combat(Y, site[:-1], age)


def test_what_was_learnt_cannot_be_exchanged() -> None:
    model = learn_combat(*make_cohort())
    with pytest.raises(AttributeError, match="cannot assign"):
        model.sites = ("x",)  # type: ignore[misc]
    assert isinstance(model, CombatModel)
