"""Simulated cohorts: planted effects come back, intervals cover, and no effect is found where there is none.

Many regions of one cohort serve as repetitions of the experiment; covariates differ between groups on purpose.
"""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from morpho.infer.design import resolve_head_size
from morpho.infer.models import associate_severity, compare_groups
from morpho.infer.study import Settings, Study, build_study
from morpho.stats.effects import correct_small_sample, invert_noncentral_t

N_PEOPLE = 60
N_REGIONS = 200
SD_MM3 = 200.0
EFFECT_MM3 = -160.0  # d = -0.8
SLOPE_MM3_PER_POINT = -6.0
SETTINGS = {
    "covariates": ["age", "sex"], "min_group_size": 3, "confidence": 0.95, "n_permutations": 19, "seed": 1,
    "smallest_effects": {"g": 0.2, "partial_r": 0.1},
}  # fmt: skip


def simulate_cohort(*, effect_mm3: float, slope_mm3_per_point: float, seed: int) -> pd.DataFrame:
    """Volumes that depend on age, sex, head size and site, in a cohort whose patients are older and smaller."""
    rng = np.random.default_rng(seed)
    is_patient = np.arange(N_PEOPLE) % 2 == 1
    age_years = rng.uniform(20, 50, N_PEOPLE) + 6 * is_patient
    is_male = rng.random(N_PEOPLE) < 0.5
    tiv_mm3 = rng.normal(1.5e6, 1e5, N_PEOPLE) + 8e4 * is_male - 3e4 * is_patient
    is_south = rng.random(N_PEOPLE) < np.where(is_patient, 0.65, 0.35)
    severity = np.where(is_patient, rng.uniform(10, 50, N_PEOPLE), np.nan)
    expected_mm3 = (
        3500 - 8 * (age_years - 35) + 50 * is_male + 1.2e-3 * (tiv_mm3 - 1.5e6) + 150 * is_south
        + effect_mm3 * is_patient + slope_mm3_per_point * np.where(is_patient, severity - 30, 0)
    )  # fmt: skip
    volumes_mm3 = expected_mm3[:, None] + rng.normal(0, SD_MM3, (N_PEOPLE, N_REGIONS))
    names = [f"sub-{number:03}" for number in range(N_PEOPLE)]
    people = pd.DataFrame(
        {
            "participant_id": names,
            "session_id": "",
            "scan": names,
            "group": np.where(is_patient, "patient", "control"),
            "sex": np.where(is_male, "M", "F"),
            "age_years": age_years,
            "site": np.where(is_south, "south", "north"),
            "severity_BDI": severity,
            "tiv_whole_mm3": tiv_mm3,
        }
    )
    columns = [f"region{number}_mean_mm3" for number in range(N_REGIONS)]
    return pd.concat([people, pd.DataFrame(volumes_mm3, columns=columns)], axis=1)


def prepare(cohort: pd.DataFrame) -> Study:
    families = {"all": {"rois": [f"region{number}" for number in range(N_REGIONS)], "hemispheres": ["mean"]}}
    head_size = resolve_head_size(cohort, head_size="tiv", substitute="none")
    settings = Settings(families=families, head_size=head_size, **SETTINGS)
    domains = {"severity": ["severity_BDI"]}
    return build_study(cohort, settings, reference_group="control", comparison_group="patient", domains=domains)[0]


def compare(cohort: pd.DataFrame) -> pd.DataFrame:
    return compare_groups(prepare(cohort)).effects


def associate(cohort: pd.DataFrame) -> pd.DataFrame:
    return associate_severity(prepare(cohort)).associations


@pytest.fixture(scope="module")
def effects() -> pd.DataFrame:
    return compare(simulate_cohort(effect_mm3=EFFECT_MM3, slope_mm3_per_point=0.0, seed=11))


@pytest.fixture(scope="module")
def null_effects() -> pd.DataFrame:
    return compare(simulate_cohort(effect_mm3=0.0, slope_mm3_per_point=0.0, seed=12))


def cover(low: pd.Series, high: pd.Series, truth: float) -> float:
    return float(((low <= truth) & (truth <= high)).mean())


def test_the_planted_difference_comes_back_without_bias(effects: pd.DataFrame) -> None:
    standard_error = effects["se_mm3"].mean() / np.sqrt(N_REGIONS)
    assert effects["estimate_mm3"].mean() == pytest.approx(EFFECT_MM3, abs=4 * standard_error)
    assert effects["estimate_mm3"].std() == pytest.approx(effects["se_mm3"].mean(), rel=0.15)


def test_hedges_g_is_unbiased(effects: pd.DataFrame) -> None:
    standard_error = effects["g"].std() / np.sqrt(N_REGIONS)
    assert effects["g"].mean() == pytest.approx(EFFECT_MM3 / SD_MM3, abs=4 * standard_error)


def test_the_unadjusted_difference_would_be_wrong(effects: pd.DataFrame) -> None:
    raw = effects["mean_comparison_mm3"] - effects["mean_reference_mm3"]
    standard_error = raw.std() / np.sqrt(N_REGIONS)
    assert abs(raw.mean() - EFFECT_MM3) > 4 * standard_error
    assert (effects["vif"] > 1.05).all()


def test_intervals_cover_the_planted_difference(effects: pd.DataFrame) -> None:
    assert 0.91 <= cover(effects["ci_low_mm3"], effects["ci_high_mm3"], EFFECT_MM3) <= 0.99
    d_low, d_high = (effects[name] / correct_small_sample(54) for name in ("g_ci_low", "g_ci_high"))
    assert 0.91 <= cover(d_low, d_high, EFFECT_MM3 / SD_MM3) <= 0.99


def test_where_there_is_nothing_five_in_a_hundred_are_found(null_effects: pd.DataFrame) -> None:
    assert 0.01 <= (null_effects["p"] < 0.05).mean() <= 0.09
    assert stats.kstest(null_effects["p"], "uniform").pvalue > 0.001


def test_correction_leaves_hardly_anything_where_there_is_nothing(null_effects: pd.DataFrame) -> None:
    assert (null_effects["p_fdr"] < 0.05).sum() <= 1


def test_the_planted_slope_comes_back_and_its_absence_is_not_found() -> None:
    cohort = simulate_cohort(effect_mm3=EFFECT_MM3, slope_mm3_per_point=SLOPE_MM3_PER_POINT, seed=13)
    no_slope = simulate_cohort(effect_mm3=EFFECT_MM3, slope_mm3_per_point=0.0, seed=13)  # the same people and noise
    table = associate(cohort)
    standard_error = table["slope_mm3_per_point"].std() / np.sqrt(N_REGIONS)
    assert table["slope_mm3_per_point"].mean() == pytest.approx(SLOPE_MM3_PER_POINT, abs=4 * standard_error)
    assert 0.91 <= cover(table["slope_ci_low_mm3"], table["slope_ci_high_mm3"], SLOPE_MM3_PER_POINT) <= 0.99
    assert (table["n"] == N_PEOPLE // 2).all()
    null_table = associate(no_slope)
    assert 0.01 <= (null_table["p"] < 0.05).mean() <= 0.09
    assert 0.91 <= cover(null_table["partial_r_ci_low"], null_table["partial_r_ci_high"], 0.0) <= 0.99


@pytest.mark.parametrize(("noncentrality", "df"), [(0.0, 28), (4.0, 12)])
def test_noncentral_t_intervals_cover_at_their_confidence(noncentrality: float, df: int) -> None:
    rng = np.random.default_rng(15)
    t_values = (rng.normal(size=1500) + noncentrality) / np.sqrt(rng.chisquare(df, 1500) / df)
    limits = np.array([invert_noncentral_t(t, df, 0.95) for t in t_values])
    assert 0.93 <= np.mean((limits[:, 0] <= noncentrality) & (noncentrality <= limits[:, 1])) <= 0.97
