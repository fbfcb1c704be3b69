"""Every claim is planted in a simulated study, and found: sign, interval, verdict; without effects, hardly any is.

Planted sizes are those of conftest.py, in mm3 (mm3 per unit of a slope; log odds per standard deviation of volume).
Intervals are checked on the scale of the effect size: all of them are functions of t, and the planted mm3 have a t.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from morpho.infer.claims.claims import ClaimsFile, ClaimTest
from morpho.infer.claims.engine import ClaimResults, run_claims
from morpho.infer.study import Study

Simulate = Callable[..., Study]

SD_MM3, CHANGE_SD_MM3 = 250.0, 60.0
TESTABLE = [f"C{number:02}" for number in range(1, 29)]
NEGATIVE, POSITIVE = -1, 1
PER_YEAR = CHANGE_SD_MM3 * 365.25 / 7 / 52
N_STUDIES = 10  # without effects
ALLELE_SD = np.sqrt(2 * 0.45 * 0.55)
STRESS_SD = {"ctq_total": 10.0, "pss": 6.0, "cortisol": 3.0}

# claim -> (test, region) -> planted; a change of responders has half of them remitting
PLANTED: Mapping[str, Mapping[tuple[str, str], float]] = {
    "C01": {
        ("patients_controls", "hippocampus"): -0.7 * SD_MM3,
        ("patients_controls", "rostral_anterior_cingulate"): -0.6 * SD_MM3,
        ("patients_controls", "vmpfc"): -0.8 * SD_MM3,
    },
    "C02": {("patients_controls", roi): -0.8 * SD_MM3 for roi in ("dlpfc", "vmpfc")},
    "C03": {("patients_controls", "hippocampus"): -0.7 * SD_MM3},
    "C04": {("patients_controls", "amygdala"): 0.4 * SD_MM3},
    "C05": {("severity", roi): -0.35 * SD_MM3 for roi in ("hippocampus", "dlpfc", "vmpfc")},
    "C06": {("illness_duration", "hippocampus"): -0.35 * SD_MM3 / 0.7},
    "C08": {
        ("recurrent_first", "hippocampus"): -0.5 * SD_MM3,
        ("recurrent_first", "dlpfc"): -0.4 * SD_MM3,
        ("recurrent_first", "vmpfc"): -0.4 * SD_MM3,
    },
    "C09": {("first_control", "hippocampus"): (-0.7 + 0.5 / 2) * SD_MM3},
    "C10": {("relapse", "hippocampus"): -0.7},
    "C11": {("women_men", roi): -0.8 * SD_MM3 for roi in ("hippocampus", "dlpfc", "vmpfc")},
    "C12": {("resistant_responsive", roi): -0.5 * SD_MM3 for roi in ("dlpfc", "vmpfc")},
    "C13": {("with_without_anxiety", roi): -0.5 * SD_MM3 for roi in ("dlpfc", "vmpfc")},
    "C14": {("adolescents", roi): -0.8 * SD_MM3 for roi in ("dlpfc", "vmpfc")},
    "C15": {
        (f"stress_{scale}", roi): -0.25 * SD_MM3 / sd
        for scale, sd in STRESS_SD.items()
        for roi in ("hippocampus", "dlpfc", "vmpfc")
    },
    "C16": {("s_alleles", "amygdala"): -0.35 * SD_MM3 / ALLELE_SD},
    "C17": {("response", "rostral_anterior_cingulate"): 0.7, ("response", "hippocampus"): 0.0},
    "C18": {
        ("responders_others", "hippocampus"): (1 + 0.6 / 2) * CHANGE_SD_MM3,
        ("responders_others", "dlpfc"): 0.8 * CHANGE_SD_MM3,
        ("responders_others", "vmpfc"): 0.8 * CHANGE_SD_MM3,
    },
    "C19": {("remission", "hippocampus"): (-0.3 + 1 * 0.5 + 0.6 * 0.75) * CHANGE_SD_MM3},
    "C20": {("change", "hippocampus"): (-0.3 + 1.8 * 0.75) * CHANGE_SD_MM3},
    "C21": {("arms", "dlpfc"): -0.8 * CHANGE_SD_MM3, ("arms", "hippocampus"): 0.0, ("arms", "vmpfc"): 0.0},
    "C25": {
        ("over_time", "hippocampus"): -0.3 * PER_YEAR,
        ("over_time", "rostral_anterior_cingulate"): -0.6 * PER_YEAR,
        ("over_time", "vmpfc"): -0.6 * PER_YEAR,
        ("per_decade", "hippocampus"): -0.2 * SD_MM3,
        ("per_decade", "rostral_anterior_cingulate"): -0.2 * SD_MM3,
        ("per_decade", "vmpfc"): 0.0,
    },
    "C27": {("crp", roi): -0.3 * SD_MM3 / 0.9 for roi in ("hippocampus", "dlpfc", "vmpfc")},
    "C28": {
        ("psychotic_others", "hippocampus"): -0.6 * SD_MM3,
        ("psychotic_others", "vmpfc"): -0.6 * SD_MM3,
        ("psychotic_others", "dlpfc"): 0.0,
    },
}
# where the claim is open ("either") or the planted size is on no scale of the rows, the sign of what was planted
SIGNS: Mapping[str, Mapping[str, int]] = {
    "C04": {"amygdala": POSITIVE},
    "C07": {"hippocampus": NEGATIVE},
    "C17": {"rostral_anterior_cingulate": POSITIVE},
    "C21": {"dlpfc": NEGATIVE},
    "C22": {"": POSITIVE},
    "C23": {"hippocampus": NEGATIVE},
    "C24": {"hippocampus": POSITIVE, "dlpfc": POSITIVE},
    "C26": {"hippocampus": POSITIVE, "dlpfc": POSITIVE, "vmpfc": POSITIVE, "": POSITIVE},
    "C28": {"hippocampus": NEGATIVE, "vmpfc": NEGATIVE},
}


def keep_tests(file: ClaimsFile, wanted: Callable[[ClaimTest], bool]) -> ClaimsFile:
    """Keep some tests of a file, and the claims that have any."""
    claims = [replace(claim, tests=tuple(filter(wanted, claim.tests))) for claim in file.claims]
    return replace(file, claims=tuple(claim for claim in claims if claim.tests))


def is_deciding(test: ClaimTest) -> bool:
    return bool(test.decides)


def is_linear(test: ClaimTest) -> bool:
    return bool(test.decides) and test.kind == "linear"


@pytest.fixture(scope="module")
def planted(simulate_study: Simulate, shipped_claims: ClaimsFile) -> ClaimResults:
    study = simulate_study(1, planted=True)
    return run_claims(study, keep_tests(shipped_claims, is_deciding), permute=False)


def find_deciding(results: ClaimResults, claim: str) -> pd.DataFrame:
    tests = results.tests
    return tests[(tests["claim_id"] == claim) & tests["decides"].astype(bool)]


def express(row: pd.Series, planted: float) -> float:
    """Put a planted effect in natural units on the scale of a row's effect size."""
    if row["effect_size"] == "log_odds_ratio":
        return planted
    share = planted / row["estimate_raw"]
    if row["effect_size"] == "partial_r":
        t = row["t"] * share
        return float(t / np.sqrt(t**2 + row["df"]))
    return float(row["estimate"] * share)  # g and d_z are proportional to t


def test_every_testable_claim_of_the_file_was_tested(planted: ClaimResults) -> None:
    assert planted.claims["claim_id"].tolist() == TESTABLE
    assert (planted.claims["n_refused"] == 0).all()


@pytest.mark.parametrize("claim", TESTABLE)
def test_a_planted_claim_is_consistent(planted: ClaimResults, claim: str) -> None:
    row = planted.claims.set_index("claim_id").loc[claim]
    assert (row["status"], row["verdict"]) == ("tested", "consistent")
    assert row["sentence"].startswith("Consistent: zero lies outside the interval, on the side of the claim.")


@pytest.mark.parametrize("claim", sorted({*PLANTED, *SIGNS}))
def test_effects_have_the_planted_sign(planted: ClaimResults, claim: str) -> None:
    rows = find_deciding(planted, claim)
    null = rows["effect_size"].map({"auc": 0.5}).fillna(0.0)
    wanted = [
        PLANTED.get(claim, {}).get((row["test"], row["roi"])) or SIGNS.get(claim, {}).get(row["roi"])
        for _, row in rows.iterrows()
    ]
    signs = pd.Series(wanted, index=rows.index, dtype=float).map(np.sign)
    seen = np.sign(rows["estimate"].astype(float) - null)
    checked = signs.abs() == 1
    assert checked.any()
    assert (seen[checked] == signs[checked]).all()


@pytest.mark.parametrize("claim", list(PLANTED))
def test_planted_sizes_lie_in_the_simultaneous_intervals(planted: ClaimResults, claim: str) -> None:
    rows = find_deciding(planted, claim).set_index(["test", "roi"])
    assert set(PLANTED[claim]) <= set(rows.index)
    for place, size in PLANTED[claim].items():
        row = rows.loc[place]
        truth = express(row, size)
        assert row["simultaneous_ci_low"] < truth < row["simultaneous_ci_high"], (place, truth)


def test_the_pooled_difference_of_sites_is_the_planted_one(planted: ClaimResults) -> None:
    """On the scale of g that the model of all people gives."""
    [pooled] = find_deciding(planted, "C23").to_dict("records")
    whole = find_deciding(planted, "C03").iloc[0]
    truth = express(whole, -0.7 * SD_MM3)
    assert pooled["simultaneous_ci_low"] < truth < pooled["simultaneous_ci_high"]


def test_no_region_was_planted_alike_and_the_profile_says_so(planted: ClaimResults) -> None:
    """Two of the three carry -0.8, lateral orbitofrontal nothing."""
    tests = planted.tests
    [row] = tests[tests["kind"] == "specificity"].to_dict("records")
    assert row["p"] < 1e-6
    assert row["estimate"] > 0.05


def test_nothing_else_stands_in_the_details(planted: ClaimResults) -> None:
    """Tables of the analyses that are no linear models, one for each kind of test that decides."""
    assert {name for name, table in planted.details.items() if len(table)} >= {
        "change", "outcome", "prediction", "site_effects", "site_pooled", "variability", "extremes",
    }  # fmt: skip


def narrow_families(file: ClaimsFile, study: Study) -> tuple[ClaimsFile, Study]:
    """Look at deciding regions alone: the others cost time, and have no say in verdicts."""
    families = {}
    claims = []
    for claim in file.claims:
        tests = []
        for test in claim.tests:
            name = "+".join(test.decides)
            families[name] = {"rois": list(test.decides), "hemispheres": ["mean"]}
            tests.append(replace(test, families=(name,)))
        claims.append(replace(claim, tests=tuple(tests)))
    return replace(file, claims=tuple(claims)), replace(study, settings=replace(study.settings, families=families))


def judge_null(simulate: Simulate, claims: ClaimsFile, seed: int, n_per_group: int) -> pd.Series:
    """Verdicts by claim in a study without effects."""
    file, study = narrow_families(claims, simulate(seed, planted=False, n_per_group=n_per_group))
    return run_claims(study, file, permute=False).claims.set_index("claim_id")["verdict"]


def find_open(claims: ClaimsFile) -> list[str]:
    """Claims without a direction, for which any effect will do."""
    return [claim.claim_id for claim in claims.claims if {test.direction for test in claim.tests} == {"either"}]


def test_where_nothing_is_planted_claims_are_consistent_at_the_nominal_rate(
    simulate_study: Simulate, shipped_claims: ClaimsFile
) -> None:
    """One claim in 40 has a simultaneous 95 % interval on its own side of 0; one in 20, if either side will do.

    Linear tests only: the other kinds cost seconds each, and their rates are tested where they are made.
    """
    linear = keep_tests(shipped_claims, is_linear)
    seeds = range(100, 100 + N_STUDIES)
    verdicts = pd.DataFrame([judge_null(simulate_study, linear, seed, 60) for seed in seeds])
    is_consistent = verdicts == "consistent"
    directed = is_consistent.drop(columns=find_open(linear)).to_numpy()
    either = is_consistent[find_open(linear)].to_numpy()
    assert directed.shape == (N_STUDIES, 17)
    assert 1 <= directed.sum() <= stats.binom.isf(0.001, directed.size, 0.025)
    assert either.sum() <= stats.binom.isf(0.001, either.size, 0.05)


def test_a_large_study_without_effects_says_that_there_are_none(
    simulate_study: Simulate, shipped_claims: ClaimsFile
) -> None:
    linear = keep_tests(shipped_claims, is_linear)
    verdicts = judge_null(simulate_study, linear, 7, 1500)
    assert (verdicts == "consistent").sum() <= 2  # P(3 or more of 19 by chance) is below 1 %
    assert verdicts.isin(["equivalent to none", "contrary"]).mean() > 0.7
    assert (verdicts == "not estimable").sum() == 0
