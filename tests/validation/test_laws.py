"""Laws that hold whatever the truth: nominal error where there is nothing, nominal coverage, and invariances.

Many regions of one cohort serve as repetitions. Source of the list: what any reviewer may try for themselves.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from morpho.infer.claims.verdicts import combine_judgements, judge_row
from morpho.infer.contrasts import Effect
from morpho.infer.design import HeadSize, Model
from morpho.infer.linear_tests import Question, run_linear
from morpho.infer.study import Settings
from morpho.stats.effects import correct_small_sample, correlate_partially
from morpho.stats.linear import estimate_contrast, fit_linear
from morpho.stats.permutation import permute_freedman_lane

RUNS = 400
MOST_ERRORS = 0.07
COVERAGE = (0.93, 0.97)
N_PEOPLE, N_REGIONS = 60, 400
CORRELATION = 0.5
SD_MM3 = 200.0
TIV = HeadSize("tiv_whole_mm3", "")
DIFFERENCE = Effect(of="group", weights={"control": -1.0, "patient": 1.0})
INTERACTION = Effect(of="group", weights=DIFFERENCE.weights, between="sex", between_weights={"F": 1.0, "M": -1.0})
SMALLEST = {"g": 0.2, "partial_r": 0.1}

Array = npt.NDArray[np.float64]


def make_design(rng: np.random.Generator, n: int = 40) -> tuple[Array, npt.NDArray[np.int64]]:
    """Intercept, group, age, and two sites; and the site of each person."""
    site = np.arange(n) // (n // 2)
    return np.column_stack([np.ones(n), rng.permutation(np.arange(n) % 2), rng.uniform(20, 60, n), site]), site


def make_volumes(rng: np.random.Generator, n: int, regions: int) -> Array:
    """Regions that correlate by half, as those of a brain do."""
    shared = rng.standard_normal((n, 1))
    own = rng.standard_normal((n, regions))
    return np.asarray(np.sqrt(CORRELATION) * shared + np.sqrt(1 - CORRELATION) * own)


def make_people(seed: int, *, effect: float = 0.0, regions: int = N_REGIONS) -> pd.DataFrame:
    """Draw a cohort of two groups at three sites; effects are in units of SD_MM3."""
    rng = np.random.default_rng(seed)
    is_patient = rng.permutation(np.arange(N_PEOPLE) % 2) == 1
    age_years = rng.uniform(20, 60, N_PEOPLE) + 5 * is_patient
    tiv = 1.5e6 + 1e5 * rng.standard_normal(N_PEOPLE)
    expected = 3 * (40 - age_years) + 1e-3 * tiv + SD_MM3 * effect * is_patient
    volumes = 2000 + expected[:, None] + SD_MM3 * rng.standard_normal((N_PEOPLE, regions))
    people = {
        "participant_id": [f"s{number:02}" for number in range(N_PEOPLE)],
        "group": np.where(is_patient, "patient", "control"),
        "age_years": age_years,
        "sex": rng.choice(["F", "M"], N_PEOPLE),
        "site": rng.choice(["a", "b", "c"], N_PEOPLE),
        "tiv_whole_mm3": tiv,
    }
    names = [f"r{number}_mean_mm3" for number in range(regions)]
    return pd.concat([pd.DataFrame(people), pd.DataFrame(volumes, columns=names)], axis="columns")


def estimate(
    people: pd.DataFrame,
    effect: Effect = DIFFERENCE,
    terms: str = "group",
    *,
    permute: bool = False,
    variables: tuple[str, ...] = ("group",),
) -> pd.DataFrame:
    """Run the engine's linear test on all regions of a cohort."""
    settings = Settings(["age", "sex"], TIV, {}, 3, 0.95, 99, 1, SMALLEST)
    rois = [str(name).removesuffix("_mean_mm3") for name in people if str(name).startswith("r")]
    places = [{"family": "all", "roi": roi, "hemisphere": "mean"} for roi in rois]
    model = Model(terms, variables, ("age", "sex"), TIV)
    return run_linear(people, Question(model, effect, places), settings, permute=permute).rows


def cover(rows: pd.DataFrame, columns: tuple[str, str], truth: float) -> float:
    low, high = (rows[name].astype(float) for name in columns)
    return float(((low < truth) & (truth < high)).mean())


def test_family_wise_error_of_the_largest_statistic_is_nominal() -> None:
    """At most one family in 14 has any region below .05; a tenth more than nominal is 400 runs' own error."""
    rng = np.random.default_rng(21)
    contrast = np.array([0.0, 1.0, 0.0, 0.0])
    hits = {"corrected": 0, "uncorrected": 0}
    for seed in range(RUNS):
        X, site = make_design(rng)
        Y = make_volumes(rng, len(X), 8)
        found = permute_freedman_lane(Y, X, contrast, blocks=site, n_permutations=199, seed=seed)
        hits["corrected"] += found.p_familywise.min() < 0.05
        hits["uncorrected"] += found.p_uncorrected.min() < 0.05
    assert 0.02 < hits["corrected"] / RUNS <= MOST_ERRORS
    assert hits["uncorrected"] / RUNS > 2 * MOST_ERRORS  # eight tests are not one


def test_claims_of_several_regions_are_consistent_by_chance_no_more_often_than_nominal() -> None:
    """Three deciding regions, intervals of 1 - .05 / 3; a claim with a direction has half of the error."""
    rng = np.random.default_rng(22)
    n_consistent = {"either": 0, "negative": 0}
    for _ in range(RUNS):
        X, _ = make_design(rng)
        test = estimate_contrast(fit_linear(make_volumes(rng, len(X), 3), X), np.array([0.0, 1.0, 0.0, 0.0]))
        for direction in n_consistent:
            rows = [describe(float(t), test.df, direction) for t in test.t]
            judgements = [judge_row(row, n_deciding=3, smallest_effect=0.1) for row in rows]
            n_consistent[direction] += combine_judgements(judgements) == "consistent"
    assert 0.01 < n_consistent["either"] / RUNS <= MOST_ERRORS
    assert 0 < n_consistent["negative"] / RUNS <= MOST_ERRORS / 2


def describe(t: float, df: int, direction: str) -> Mapping[str, object]:
    """Write a row as a partial correlation, whose interval costs less than that of g."""
    r = correlate_partially(t, df, 0.95)
    row = {"effect_size": "partial_r", "estimate": r.value, "ci_low": r.ci_low, "ci_high": r.ci_high}
    return {**row, "confidence": 0.95, "t": t, "df": df, "direction": direction, "expected": np.nan}


@pytest.mark.parametrize("effect", [0.0, -0.8])
def test_intervals_of_g_and_of_the_difference_cover(effect: float) -> None:
    rows = estimate(make_people(31, effect=effect))
    assert COVERAGE[0] <= cover(rows, ("ci_low_mm3", "ci_high_mm3"), effect * SD_MM3) <= COVERAGE[1]
    assert COVERAGE[0] <= cover(rows, ("g_ci_low", "g_ci_high"), effect) <= COVERAGE[1]
    assert rows["g"].mean() == pytest.approx(effect, abs=4 * rows["g"].std() / np.sqrt(N_REGIONS))
    assert correct_small_sample(float(rows["df"].iloc[0])) < 1  # so an uncorrected d would be too far out


@pytest.mark.parametrize("r", [0.0, -0.5])
def test_intervals_of_a_partial_correlation_cover(r: float) -> None:
    """Over 100 cohorts of 20 regions, as the scores are random too."""
    rng = np.random.default_rng(32)
    covered = []
    for _ in range(100):
        X, _ = make_design(rng)
        score = rng.standard_normal(len(X))
        Y = r / np.sqrt(1 - r**2) * score[:, None] + rng.standard_normal((len(X), 20))
        test = estimate_contrast(fit_linear(Y, np.column_stack([X, score])), np.array([0.0, 0.0, 0.0, 0.0, 1.0]))
        intervals = [correlate_partially(float(t), test.df, 0.95) for t in test.t]
        covered += [interval.ci_low < r < interval.ci_high for interval in intervals]
    assert COVERAGE[0] <= np.mean(covered) <= COVERAGE[1]


NUMBERS = ["g", "g_ci_low", "g_ci_high", "t", "p"]


@pytest.fixture(scope="module")
def few() -> pd.DataFrame:
    return make_people(41, effect=-0.5, regions=4)


def test_exchanging_the_groups_turns_effect_and_interval(few: pd.DataFrame) -> None:
    before = estimate(few)
    after = estimate(few.assign(group=few["group"].map({"control": "patient", "patient": "control"})))
    for name, mirror in (("g", "g"), ("g_ci_low", "g_ci_high"), ("estimate_mm3", "estimate_mm3"), ("t", "t")):
        assert after[name].to_numpy() == pytest.approx(-before[mirror].to_numpy())
    assert after["p"].to_numpy() == pytest.approx(before["p"].to_numpy())


def test_exchanging_the_sexes_turns_an_interaction(few: pd.DataFrame) -> None:
    before, after = (
        estimate(people, INTERACTION, "group * sex", variables=("group", "sex"))
        for people in (few, few.assign(sex=few["sex"].map({"F": "M", "M": "F"})))
    )
    assert after["g"].to_numpy() == pytest.approx(-before["g"].to_numpy())
    assert after["g_ci_low"].to_numpy() == pytest.approx(-before["g_ci_high"].to_numpy())


@pytest.mark.parametrize("factor", [1e-3, 1e3])
def test_the_unit_of_volumes_and_head_size_leaves_effect_sizes_alone(few: pd.DataFrame, factor: float) -> None:
    sizes = [name for name in few if str(name).endswith("_mm3")]
    after = estimate(few.assign(**{name: few[name] * factor for name in sizes}), permute=True)
    before = estimate(few, permute=True)
    columns = [*NUMBERS, "p_permutation", "p_familywise"]
    assert after[columns].to_numpy(dtype=float) == pytest.approx(before[columns].to_numpy(dtype=float), rel=1e-6)
    assert after["estimate_mm3"].to_numpy() == pytest.approx(factor * before["estimate_mm3"].to_numpy(), rel=1e-6)


def test_row_order_and_site_names_change_nothing(few: pd.DataFrame) -> None:
    columns = [*NUMBERS, "p_permutation", "p_familywise"]
    before = estimate(few, permute=True)[columns].to_numpy(dtype=float)
    shuffled = estimate(few.sample(frac=1, random_state=2), permute=True)
    assert shuffled[columns].to_numpy(dtype=float) == pytest.approx(before)
    renamed = estimate(few.assign(site=few["site"].map({"a": "1", "b": "0", "c": "10"})), permute=True)
    assert renamed[columns].to_numpy(dtype=float) == pytest.approx(before)


def test_a_covariate_that_is_the_same_for_everyone_is_left_out_and_said(few: pd.DataFrame) -> None:
    """Refusing would be the other way; nobody is served by a study of women that cannot be analysed."""
    women = few.assign(sex="F")
    after = estimate(women)
    settings = Settings(["age"], TIV, {}, 3, 0.95, 99, 1, SMALLEST)
    places = [{"family": "all", "roi": f"r{number}", "hemisphere": "mean"} for number in range(4)]
    model = Model("group", ("group",), ("age",), TIV)
    before = run_linear(women, Question(model, DIFFERENCE, places), settings, permute=False).rows
    assert after[NUMBERS].to_numpy(dtype=float) == pytest.approx(before[NUMBERS].to_numpy(dtype=float))
    assert set(after["reason"]) == {"sex left out of the model: it is F for everyone"}


def test_a_covariate_that_says_the_same_twice_is_refused(few: pd.DataFrame) -> None:
    rows = estimate(few.assign(tiv_whole_mm3=1e6 + 1e4 * few["age_years"]))
    assert set(rows["status"]) == {"refused"}
    assert rows["reason"].str.contains("age_years, tiv_whole_dm3 cannot be told apart").all()
