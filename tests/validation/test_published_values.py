"""Numbers that others printed, or that R packages gave, come out of the public functions.

The expected numbers are literals with their source. The data of R's own bundled sets are read from the folder
``oracles`` beside the test data; without it these tests are skipped.
"""

import math
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from morpho.infer.design import HeadSize
from morpho.infer.models import associate_severity, compare_groups
from morpho.infer.study import Settings, Study, build_study
from morpho.stats.effects import (
    adjust_p,
    correct_small_sample,
    correlate_partially,
    standardise_as_enigma,
    standardise_difference,
)
from morpho.stats.power import detect_difference

FAMILIES = {"primary": {"rois": ["hippocampus"], "hemispheres": ["mean"]}}
NO_HEAD_SIZE = HeadSize("none", "")
TIV = HeadSize("tiv_whole_mm3", "")
MM3_PER_DM3 = 1e6
BENJAMINI_1995 = [
    0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0,
]  # fmt: skip


def read_oracle(name: str) -> pd.DataFrame:
    data = os.environ.get("MORPHO_TEST_DATA", Path(__file__).parents[2] / ".." / "shared" / "data")
    path = Path(data).parent / "oracles" / name
    if not path.exists():
        pytest.skip(f"no {name} in the folder 'oracles' beside the test data (MORPHO_TEST_DATA)")
    return pd.read_csv(path)


def make_cohort(volume: pd.Series, group: pd.Series, **columns: pd.Series) -> pd.DataFrame:
    names = [f"sub-{number:02}" for number in range(len(volume))]
    known = {"participant_id": names, "session_id": "", "scan": names, "group": group}
    return pd.DataFrame({**known, "hippocampus_mean_mm3": volume, **columns})


def prepare(cohort: pd.DataFrame, covariates: list[str], head_size: HeadSize) -> Study:
    settings = Settings(
        covariates=covariates,
        head_size=head_size,
        families=FAMILIES,
        min_group_size=3,
        confidence=0.95,
        n_permutations=19,
        seed=1,
        smallest_effects={"g": 0.2, "partial_r": 0.1},
    )
    domains = {"severity": ["severity_BDI"]}
    return build_study(cohort, settings, reference_group="control", comparison_group="patient", domains=domains)[0]


def compare(cohort: pd.DataFrame, covariates: list[str], head_size: HeadSize) -> pd.Series:
    return compare_groups(prepare(cohort, covariates, head_size)).effects.iloc[0]


def associate(cohort: pd.DataFrame, covariates: list[str], head_size: HeadSize) -> pd.Series:
    return associate_severity(prepare(cohort, covariates, head_size)).associations.iloc[0]


def test_mtcars_weight_by_transmission_equals_r_effectsize() -> None:
    cars = read_oracle("mtcars.csv")
    row = compare(make_cohort(cars["wt"], cars["am"].map({1: "control", 0: "patient"})), [], NO_HEAD_SIZE)
    assert row["d"] == pytest.approx(1.89240595391, rel=1e-10)
    assert row["g"] == pytest.approx(1.84463098894, rel=1e-10)
    assert (row["g_ci_low"], row["g_ci_high"]) == pytest.approx((1.00401879595, 2.66392744267), abs=1e-6)
    assert row["vif"] == pytest.approx(1.0)


def test_mtcars_mileage_adjusted_for_weight_and_power_equals_r() -> None:
    cars = read_oracle("mtcars.csv")
    group = cars["am"].map({0: "control", 1: "patient"})
    cohort = make_cohort(cars["mpg"], group, age_years=cars["wt"], tiv_whole_mm3=cars["hp"] * MM3_PER_DM3)
    row = compare(cohort, ["age"], TIV)
    assert row["estimate_mm3"] == pytest.approx(2.083710130323, rel=1e-10)
    assert row["se_mm3"] == pytest.approx(1.376420152305, rel=1e-10)
    assert row["t"] == pytest.approx(1.513861975091, rel=1e-10)
    assert row["p"] == pytest.approx(0.1412682367365, rel=1e-10)
    assert row["df"] == 28
    assert row["vif"] == pytest.approx(2.271082083361, rel=1e-10)  # car::vif
    assert row["d"] == pytest.approx(0.8211626899, rel=1e-9)  # emmeans::eff_size
    assert row["d_enigma"] == pytest.approx(0.5825172178, rel=1e-9)
    assert (row["d_enigma_ci_low"], row["d_enigma_ci_high"]) == pytest.approx((-0.1381929, 1.3032273), abs=1e-7)
    correction = correct_small_sample(28)
    limits = (row["g_ci_low"] / correction, row["g_ci_high"] / correction)
    assert limits == pytest.approx((-0.270, 1.899), abs=5e-4)


def test_mtcars_adjusted_means_equal_predictions_at_the_mean() -> None:
    cars = read_oracle("mtcars.csv")
    group = cars["am"].map({0: "control", 1: "patient"})
    cohort = make_cohort(cars["mpg"], group, age_years=cars["wt"], tiv_whole_mm3=cars["hp"] * MM3_PER_DM3)
    row = compare(cohort, ["age"], TIV)
    intercept, weight, power = 34.002875122914, -2.878575413807, -0.03747872595338  # R lm(mpg ~ am + wt + hp)
    expected = intercept + weight * cars["wt"].mean() + power * cars["hp"].mean()
    assert row["adjusted_mean_reference_mm3"] == pytest.approx(expected, rel=1e-10)


def test_sleep_drug_difference_equals_r() -> None:
    sleep = read_oracle("sleep.csv")
    row = compare(make_cohort(sleep["extra"], sleep["group"].map({2: "control", 1: "patient"})), [], NO_HEAD_SIZE)
    assert row["t"] == pytest.approx(-1.860813467, rel=1e-9)
    assert row["d"] == pytest.approx(-0.832181, abs=1e-6)
    correction = correct_small_sample(18)
    limits = (row["g_ci_low"] / correction, row["g_ci_high"] / correction)
    assert limits == pytest.approx((-1.738817, 0.095450), abs=1e-6)


@pytest.mark.parametrize(
    ("covariates", "head_size", "r", "p"),
    [(["age"], NO_HEAD_SIZE, 0.5681692, 0.001303059), (["age"], TIV, 0.5344372, 0.003392904)],
)
def test_partial_correlation_equals_r_ppcor(covariates: list[str], head_size: HeadSize, r: float, p: float) -> None:
    data = read_oracle("partial_corr.csv")  # as printed in pingouin's test suite
    patients = pd.Series(["patient"] * len(data))
    cohort = make_cohort(
        data["y"], patients, severity_BDI=data["x"], age_years=data["cv1"], tiv_whole_mm3=data["cv2"] * MM3_PER_DM3
    )
    row = associate(cohort, covariates, head_size)
    assert row["partial_r"] == pytest.approx(r, abs=1e-7)
    assert row["p"] == pytest.approx(p, rel=1e-6)


def test_partial_correlation_interval_counts_every_covariate() -> None:
    r, df = 0.4926007, 30 - 3 - 2  # ppcor, three covariates, 30 people
    result = correlate_partially(r * math.sqrt(df / (1 - r**2)), df, 0.95)
    assert result.value == pytest.approx(r, rel=1e-12)
    assert (result.ci_low, result.ci_high) == pytest.approx((0.1385163, 0.7350221), abs=1e-7)


def test_partial_correlation_equals_metafor() -> None:
    result = correlate_partially(-2.1, 75, 0.95)  # escalc("PCOR", ti = -2.1, ni = 80, mi = 4)
    assert result.value == pytest.approx(-0.2357, abs=5e-5)
    assert math.atanh(result.value) == pytest.approx(-0.2402, abs=5e-5)


@pytest.mark.parametrize(
    ("confidence", "low", "high"), [(0.95, 0.46449165412, 1.46938737333), (0.90, 0.545129064, 1.388464624)]
)
def test_interval_of_d_from_t_equals_r_effectsize(confidence: float, low: float, high: float) -> None:
    result = standardise_difference(4.0, 68, 4 / 68, confidence)  # t_to_d(4, 68): d = 2 t / sqrt(df)
    assert result.d == pytest.approx(0.970142500145, rel=1e-11)
    assert (result.d_ci_low, result.d_ci_high) == pytest.approx((low, high), abs=1e-6)


@pytest.mark.parametrize(
    ("t", "df", "decision"),
    [
        (0.45, 675, "accepted"),
        (-0.65, 525, "undecided"),
        (7, 2000, "rejected"),
        (-2.2, 900, "rejected"),
        (2.25, 1875, "accepted"),
    ],
)
def test_equivalence_decisions_equal_r_effectsize(t: float, df: int, decision: str) -> None:
    result = standardise_difference(t, df, 4 / df, 0.90)  # equivalence_test(t_to_d(t, df, ci = .90), range = .2)
    if result.d_ci_low > -0.2 and result.d_ci_high < 0.2:
        found = "accepted"
    else:
        found = "rejected" if result.d_ci_low > 0 or result.d_ci_high < 0 else "undecided"
    assert found == decision


@pytest.mark.parametrize(
    ("mean_1", "sd_1", "n_1", "mean_2", "sd_2", "n_2", "expected"),
    [
        (55, 47, 155, 75, 64, 156, -0.35516964),
        (27, 7, 31, 29, 4, 32, -0.34794002),
        (64, 17, 75, 119, 29, 71, -2.31756916),
        (66, 20, 18, 137, 48, 18, -1.88798225),
    ],
)
def test_hedges_g_of_stroke_trials_equals_metafor(
    mean_1: float, sd_1: float, n_1: int, mean_2: float, sd_2: float, n_2: int, expected: float
) -> None:
    df = n_1 + n_2 - 2
    pooled = math.sqrt(((n_1 - 1) * sd_1**2 + (n_2 - 1) * sd_2**2) / df)
    v = 1 / n_1 + 1 / n_2
    t = (mean_1 - mean_2) / (pooled * math.sqrt(v))
    assert standardise_difference(t, df, v, 0.95).g == pytest.approx(expected, abs=1e-8)  # Normand 1999


def test_enigma_formula_is_consistent_with_itself() -> None:
    result = standardise_as_enigma(1.5138619751, 28, 19, 13)
    assert result.value == pytest.approx(0.5825172178, rel=1e-9)
    assert result.se == pytest.approx(0.3677092525, rel=1e-9)
    assert (result.ci_low, result.ci_high) == pytest.approx((-0.1381929, 1.3032273), abs=1e-7)


def test_corrections_of_benjamini_and_hochberg_1995_equal_r() -> None:
    false_discovery = [
        0.0015, 0.003, 0.0095, 0.035625, 0.0603, 0.06385714285714, 0.06385714285714, 0.0645, 0.0765, 0.486,
        0.5811818181818, 0.714875, 0.7532307692308, 0.8132142857143, 1.0,
    ]  # fmt: skip
    holm = [0.0015, 0.0056, 0.0247, 0.114, 0.2211, 0.278, 0.278, 0.278, 0.3213, 1, 1, 1, 1, 1, 1]
    any_dependence = [0.004977343489843, 0.009954686979687, 0.03152317543568, 0.1182119078838, 0.2000892082917]
    assert adjust_p(BENJAMINI_1995) == pytest.approx(false_discovery, rel=1e-12)
    assert adjust_p(BENJAMINI_1995, "holm") == pytest.approx(holm, rel=1e-12)
    assert adjust_p(BENJAMINI_1995, "fdr_by")[:5] == pytest.approx(any_dependence, rel=1e-12)


def test_refused_tests_count_as_in_r_with_n_given() -> None:
    # R: p.adjust(c(.01, .02, .03), "BH", n = 5), and the same for holm: by hand p * 5/rank and p * (5, 4, 3)
    planned = [0.01, np.nan, 0.02, np.nan, 0.03]
    assert adjust_p(planned) == pytest.approx([0.05, np.nan, 0.05, np.nan, 0.05], nan_ok=True)
    assert adjust_p(planned, "holm") == pytest.approx([0.05, np.nan, 0.08, np.nan, 0.09], nan_ok=True)


@pytest.mark.parametrize(("n", "g"), [(393, 0.20), (64, 0.50), (26, 0.80)])
def test_smallest_detectable_difference_equals_cohens_table(n: int, g: float) -> None:
    assert detect_difference(n, n, df=2 * n - 2, alpha=0.05, power=0.80) == pytest.approx(g, abs=0.01)
