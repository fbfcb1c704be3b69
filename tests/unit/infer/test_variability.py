"""Spread: planted ratios, coverage without a difference, counts of extreme deviations, refusals."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf

from morpho.infer.design import HeadSize
from morpho.infer.sites.dictionaries import EXTREME_COUNTS, VARIABILITY, tabulate
from morpho.infer.sites.individuals import IndividualResult, score_individuals
from morpho.infer.sites.variability import VariabilityResult, compare_extremes, compare_variability_of_regions
from morpho.infer.study import Settings, Study

SETTINGS = Settings(["age", "sex"], HeadSize("tiv_whole_mm3", ""), {}, 5, 0.95, 100, 1, {"g": 0.2})
COLUMN = "hippo-campus_mean_mm3"


def make_people(n_control: int = 120, n_patient: int = 160, ratio: float = 1.0, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    n = n_control + n_patient
    patient = np.arange(n) >= n_control
    age = rng.uniform(18, 65, n)
    site = rng.choice(["north", "Süd 'x'"], n)
    noise = rng.normal(0, 250, n) * np.where(patient, ratio, 1)
    return pd.DataFrame(
        {
            "participant_id": [f"sub-{number:03}" for number in range(n)],
            "group": np.where(patient, "patient", "control"),
            "sex": rng.choice(["F", "M"], n),
            "age_years": age,
            "site": site,
            "HADS-anx": rng.normal(size=n),
            "tiv_whole_mm3": rng.normal(1.5e6, 1e5, n),
            COLUMN: 3500 - 10 * (age - 40) + 600 * (site == "north") - 200 * patient + noise,
        }
    )


def make_study(people: pd.DataFrame) -> Study:
    return Study(people, people.assign(visit=0), SETTINGS, {}, {})


def compare(people: pd.DataFrame, **changes: object) -> VariabilityResult:
    asked = {"rois": ["hippo-campus"], "hemispheres": ["mean"], "family": "primary"}
    return compare_variability_of_regions(make_study(people), **{**asked, **changes})


def make_counts(control: list[int], patient: list[int], n_regions: int = 16) -> IndividualResult:
    """Make a result with given numbers of extreme deviations."""
    extremes = pd.DataFrame(
        {
            "participant_id": [str(number) for number in range(len(control) + len(patient))],
            "group": ["control"] * len(control) + ["patient"] * len(patient),
            "n_regions": n_regions,
            "n_extreme": [*control, *patient],
        }
    )
    return IndividualResult(pd.DataFrame(), pd.DataFrame(), extremes, "")


# --- spread of volumes


def test_a_planted_ratio_of_spreads_is_found() -> None:
    result = compare(make_people(ratio=1.5))
    row = result.rows[0]
    assert (row["status"], row["effect_size"], row["contrast"]) == ("fitted", "log_variance_ratio", "patient / control")
    assert row["ci_low"] < np.log(1.5) < row["ci_high"]
    assert row["ci_low"] > 0
    assert row["ci_low"] < row["ci90_low"] < row["estimate"] < row["ci90_high"] < row["ci_high"]
    assert row["estimate_raw"] == pytest.approx(np.exp(row["estimate"]))
    assert list(result.table) == list(VARIABILITY)
    detail = result.table.iloc[0]
    assert detail["sd_reference_mm3"] == pytest.approx(250, abs=35)
    assert detail["sd_comparison_mm3"] == pytest.approx(375, abs=45)
    assert detail["p_brown_forsythe"] < 0.01


def test_a_difference_of_means_and_a_larger_scale_change_nothing() -> None:
    people = make_people(ratio=1.2)
    moved = people.copy()
    moved.loc[moved["group"] == "patient", COLUMN] += 5000
    moved[COLUMN] *= 3
    assert compare(moved).rows[0]["estimate"] == pytest.approx(compare(people).rows[0]["estimate"], rel=1e-9)


def test_residuals_are_freed_of_how_closely_the_model_fits_each_group() -> None:
    people = make_people(12, 60)
    fit = smf.ols(f"Q('{COLUMN}') ~ group + age_years + sex + tiv_whole_mm3 + site", people).fit()
    leverage = fit.get_influence().hat_matrix_diag
    detail = compare(people).table.iloc[0]
    squares, spare = fit.resid**2 / (1 - leverage), 1 - leverage
    sd, df = {}, {}
    for role, name in (("control", "reference"), ("patient", "comparison")):
        inside = (people["group"] == role).to_numpy()
        sd[role], df[role] = np.sqrt(squares[inside].mean()), int(spare[inside].sum())
        assert detail[f"sd_{name}_mm3"] == pytest.approx(sd[role], rel=1e-6)
    expected = np.log(sd["patient"] / sd["control"]) + 1 / (2 * df["patient"]) - 1 / (2 * df["control"])
    assert detail["log_variance_ratio"] == pytest.approx(expected, rel=1e-6)
    assert detail["se"] == pytest.approx(np.sqrt(1 / (2 * df["patient"]) + 1 / (2 * df["control"])))


def test_swapping_the_groups_turns_the_sign() -> None:
    people = make_people(ratio=1.3)
    swapped = people.assign(group=people["group"].map({"control": "patient", "patient": "control"}))
    assert compare(swapped).rows[0]["estimate"] == pytest.approx(-compare(people).rows[0]["estimate"], rel=1e-9)


def test_without_a_difference_the_interval_holds_zero_as_often_as_it_says() -> None:
    people = make_people(18, 54, seed=5)  # small and unequal groups, two sites, four covariates
    rng = np.random.default_rng(6)
    names = [f"r{number:03}" for number in range(120)]
    noise = pd.DataFrame(rng.normal(1000, 90, (len(people), len(names))), columns=[f"{name}_L_mm3" for name in names])
    rows = compare(pd.concat([people, noise], axis=1), rois=names, hemispheres=["L"]).rows
    estimates = np.array([row["estimate"] for row in rows])
    assert abs(estimates.mean()) < 0.055  # 3 standard errors
    assert 0.88 <= np.mean([row["ci_low"] < 0 < row["ci_high"] for row in rows]) <= 0.99
    assert estimates.std() == pytest.approx(rows[0]["se"], rel=0.2)


def test_too_few_people_are_refused() -> None:
    people = make_people(8, 30)
    people.loc[:3, COLUMN] = np.nan
    result = compare(people, rois=["hippo-campus", "absent"])
    assert [row["status"] for row in result.rows] == ["refused", "refused"]
    reason = "too few people: 4 controls, 30 patients with all values; config models.min_group_size asks for 5"
    assert result.rows[0]["reason"] == reason
    assert result.table["reason"].iloc[0] == reason
    assert "no column absent_mean_mm3" in result.rows[1]["reason"]


def test_a_volume_without_spread_is_refused() -> None:
    people = make_people()
    people.loc[:, COLUMN] = 1000.0
    assert compare(people).rows[0]["status"] == "refused"


# --- extreme deviations


def test_the_rate_ratio_is_that_of_the_counts() -> None:
    control, patient = [0, 1, 0, 2, 0, 1, 1, 0], [2, 0, 4, 1, 3, 0, 2, 0]
    result = compare_extremes(make_study(make_people()), make_counts(control, patient), family="all")
    row = result.rows[0]
    assert row["estimate_raw"] == pytest.approx(12 / 5)
    # Sandwich variance of a log rate: sum of squared residuals over the squared total; HC1 multiplies by n / (n - 2).
    parts = [np.sum((np.array(counts) - np.mean(counts)) ** 2) / sum(counts) ** 2 for counts in (control, patient)]
    assert row["se"] == pytest.approx(np.sqrt(sum(parts) * 16 / 14), rel=1e-6)
    assert (row["df"], row["n"], row["family"]) == (14, 16, "all")
    assert list(result.table) == list(EXTREME_COUNTS)
    assert result.table["share_any_extreme"].tolist() == [0.5, 0.625]
    assert result.table["share_extreme"].tolist() == [5 / 128, 12 / 128]


def test_people_with_fewer_regions_count_by_their_regions() -> None:
    study = make_study(make_people())
    counts = make_counts([1, 2, 1, 2] * 4, [1, 2, 1, 2] * 4)
    assert compare_extremes(study, counts).rows[0]["estimate"] == pytest.approx(0, abs=1e-8)
    counts.extremes.loc[counts.extremes["group"] == "patient", "n_regions"] = 8
    assert compare_extremes(study, counts).rows[0]["estimate_raw"] == pytest.approx(2)


def test_clustered_counts_widen_the_interval_and_keep_their_coverage() -> None:
    rng = np.random.default_rng(7)
    study = make_study(make_people())
    covered, naive = [], []
    for _ in range(150):
        rates = rng.gamma(0.7, 1.0, 120)  # negative binomial counts: variance far above the mean
        counts = rng.poisson(rates)
        row = compare_extremes(study, make_counts(counts[:60].tolist(), counts[60:].tolist())).rows[0]
        covered.append(row["ci_low"] < 0 < row["ci_high"])
        X = np.column_stack([np.ones(120), np.arange(120) >= 60]).astype(float)
        naive.append(row["se"] > sm.GLM(counts, X, family=sm.families.Poisson()).fit().bse[1])
    assert 0.90 <= np.mean(covered) <= 0.99
    assert np.mean(naive) > 0.9


def test_patients_with_more_spread_have_more_extreme_deviations() -> None:
    people = make_people(200, 200, ratio=1.8)
    study = make_study(people)
    scores = score_individuals(study, rois=["hippo-campus"], hemispheres=["mean"], family="primary")
    row = compare_extremes(study, scores).rows[0]
    assert row["ci_low"] > 0
    assert row["effect_size"] == "log_rate_ratio"


def test_counts_that_are_too_small_are_refused() -> None:
    study = make_study(make_people())
    for control, patient, match in (
        ([0] * 20, [1] * 20, "too few extreme deviations to compare rates: 0 in controls, 20 in patients, 5 in each"),
        ([1] * 20, [2] * 20, "everybody of a group has the same number of extreme deviations"),
        ([1] * 4, [1] * 20, "too few people with a z score: 4 controls, 20 patients, 5 of each are the least"),
    ):
        row = compare_extremes(study, make_counts(control, patient)).rows[0]
        assert row["status"] == "refused"
        assert match in row["reason"]
        assert "estimate" not in row


def test_a_refused_norm_gives_its_reason() -> None:
    people = make_people(20, 20)
    study = make_study(people)
    scores = score_individuals(study, rois=["hippo-campus"], hemispheres=["mean"], family="primary")
    result = compare_extremes(study, scores)
    assert "25 are the least" in result.rows[0]["reason"]
    assert result.table["n"].tolist() == [0, 0]


def test_counts_are_whole_numbers_also_where_some_are_missing() -> None:
    table = tabulate([{"group": "control", "n": 3}, {"group": "patient"}], EXTREME_COUNTS)
    assert table["n"].dtype == "Int64"
    assert table["n_extreme_mean"].dtype == "float64"
