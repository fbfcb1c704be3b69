"""Every claim gets one row and every test its rows, whatever a cohort lacks; the deciding rows make the verdict."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from morpho.infer.claims.engine import ClaimResults, run_claims
from morpho.infer.claims.parsing import parse_claims
from morpho.infer.claims.tables import split_results
from morpho.infer.design import HeadSize
from morpho.infer.study import Settings, Study, build_study
from morpho.stats.effects import standardise_difference

ROIS = ["hippocampus", "amygdala", "dlpfc"]
FAMILIES = {
    "primary": {"rois": ROIS, "hemispheres": ["mean"]},
    "sides": {"rois": ROIS[:2], "hemispheres": ["L", "R"]},
}
SMALLEST = {"g": 0.2, "partial_r": 0.1, "d_z": 0.2, "log_odds_ratio": 0.36, "auc": 0.056, "log_variance_ratio": 0.1,
            "log_rate_ratio": 0.2, "partial_eta_squared": 0.01}  # fmt: skip
DIFFERENCE = {"difference": ["group", "patient", "control"]}
SAYS = {"direction": "negative"}
BY_GROUP = {"formula": "volume ~ group + covariates", "effect": DIFFERENCE}
VARIABLES = {
    "course": {
        "levels": {
            "control": {"group": "control"},
            "first": {"group": "patient", "ICD-10": "F32"},
            "recurrent": {"group": "patient", "ICD-10": "F33"},
        }
    }
}
POPULATIONS = {"everyone": {}, "patients": {"group": "patient"}, "old": {"age_years": "> 90"}}


def make_cohort(n: int = 60, effect_mm3: float = -250.0) -> pd.DataFrame:
    rng = np.random.default_rng(8)
    is_patient = np.arange(n) % 2 == 1
    names = [f"sub-{number:02}" for number in range(n)]
    cohort = pd.DataFrame(
        {
            "participant_id": names,
            "session_id": "ses-1",
            "scan": names,
            "group": np.where(is_patient, "MDD", "HC"),
            "age_years": rng.uniform(20, 60, n),
            "sex": rng.choice(["F", "M"], n),
            "site": rng.choice(["north", "south"], n),
            "ICD-10": np.where(is_patient, rng.choice(["F32", "F33"], n), None),
            "HADS-anx": np.where(is_patient, rng.uniform(0, 21, n), np.nan),
            "2-back": rng.normal(100, 15, n),
            "relapse": np.where(is_patient, rng.choice(["yes", "no"], n), None),
        }
    )
    for roi in ROIS:
        shared = 4000 + 200 * rng.standard_normal(n) + effect_mm3 * is_patient * (roi == "hippocampus")
        side = 40 * rng.standard_normal(n)
        cohort = cohort.assign(
            **{f"{roi}_mean_mm3": shared, f"{roi}_L_mm3": shared + side, f"{roi}_R_mm3": shared - side}
        )
    return cohort


def make_study(cohort: pd.DataFrame) -> Study:
    settings = Settings(["age", "sex"], HeadSize("none", ""), FAMILIES, 3, 0.95, 49, 1, SMALLEST)
    domains = {"anxiety": ["HADS-anx"], "cognition": ["2-back"]}
    return build_study(cohort, settings, reference_group="HC", comparison_group="MDD", domains=domains)[0]


def run(cohort: pd.DataFrame, *tests: dict[str, Any], permute: bool = False, **others: Any) -> ClaimResults:
    entry = {"claim": "It is so.", "review": "here", "evidence": {"says": "little", "source": "none"}}
    claims = {
        "own": entry | {"tests": [{"test": f"test{number}"} | test for number, test in enumerate(tests)]}
    } | others
    content = {"variables": VARIABLES, "populations": POPULATIONS, "claims": claims}
    return run_claims(make_study(cohort), parse_claims(content, FAMILIES), permute=permute)


def claim(results: ClaimResults) -> dict[str, Any]:
    return results.claims.to_dict("records")[0]


def test_the_deciding_rows_are_the_named_regions_of_the_first_family() -> None:
    results = run(
        make_cohort(), BY_GROUP | {"decides": ["hippocampus", "amygdala"], "says": SAYS, "families": list(FAMILIES)}
    )
    deciding = results.tests[results.tests["decides"]]
    assert deciding[["family", "roi", "hemisphere"]].to_numpy().tolist() == [
        ["primary", "hippocampus", "mean"], ["primary", "amygdala", "mean"],
    ]  # fmt: skip
    assert len(results.tests) == 3 + 4
    assert claim(results)["verdict"] == "consistent"
    assert results.tests.loc[~results.tests["decides"], "simultaneous_ci_low"].isna().all()


def test_simultaneous_intervals_count_the_deciding_rows_of_all_tests_of_a_claim() -> None:
    """Three rows: 1 - .05 / 3."""
    one = BY_GROUP | {"decides": ["hippocampus", "amygdala"], "says": SAYS}
    two = BY_GROUP | {"decides": ["dlpfc"], "says": SAYS, "population": "everyone"}
    rows = run(make_cohort(), one, two).tests.query("decides")
    assert len(rows) == 3
    for row in rows.to_dict("records"):
        exact = standardise_difference(row["t"], row["df"], row["unit_variance"], 1 - 0.05 / 3)
        found = (row["simultaneous_ci_low"], row["simultaneous_ci_high"])
        assert found == pytest.approx((exact.g_ci_low, exact.g_ci_high))


def test_a_refused_deciding_row_does_not_count_and_is_told() -> None:
    cohort = make_cohort().assign(amygdala_mean_mm3=np.nan)
    results = run(cohort, BY_GROUP | {"decides": ["hippocampus", "amygdala"], "says": SAYS})
    row = results.tests.query("decides and status == 'fitted'").iloc[0]
    exact = standardise_difference(row["t"], row["df"], row["unit_variance"], 0.95)
    assert row["simultaneous_ci_low"] == pytest.approx(exact.g_ci_low)
    assert claim(results)["n_refused"] == 1
    assert claim(results)["sentence"].endswith("Not estimable in amygdala.")


def test_a_claim_says_what_it_needs() -> None:
    slope = {
        "formula": "volume ~ pss + group + covariates",
        "effect": {"slope": "pss"},
        "decides": ["dlpfc"],
        "says": SAYS,
    }
    row = claim(run(make_cohort(), slope))
    assert (row["status"], row["verdict"], row["needs"], row["n_tests"]) == ("not_testable", "", "pss", 0)
    both = claim(run(make_cohort(), slope, BY_GROUP))
    assert (both["status"], both["verdict"], both["needs"]) == ("described", "", "pss")


def test_a_claim_out_of_reach_says_why() -> None:
    entry = {
        "claim": "Wires.",
        "review": "here",
        "evidence": {"says": "x", "source": "none"},
        "out_of_reach": "No wires.",
    }
    results = run(make_cohort(), BY_GROUP, X01=entry)
    last = results.claims.to_dict("records")[-1]
    assert (last["claim_id"], last["status"], last["sentence"]) == ("X01", "out_of_reach", "No wires.")
    assert set(results.tests["claim_id"]) == {"own"}


def test_columns_may_be_called_anything() -> None:
    each = {"effect": {"slope": "each"}, "decides": ["dlpfc"], "says": SAYS, "formula": "volume ~ each + covariates"}
    together = {"formula": "volume ~ group * each + covariates", "each": "cognition"}
    results = run(
        make_cohort(),
        each | {"each": "anxiety", "population": "patients"},
        each | {"each": "cognition"},
        together | {"effect": {"slope": "each", "between": ["group", "patient", "control"]}},
        together | {"effect": DIFFERENCE | {"per": "each", "per_unit": 10}},
        together | {"effect": {"joint": ["group", "each"]}},
        permute=True,
    )
    assert (results.tests["status"] == "fitted").all()
    assert set(results.tests["test"]) == {
        "test0_HADS-anx",
        "test1_2-back",
        "test2_2-back",
        "test3_2-back",
        "test4_2-back",
    }
    assert claim(results)["status"] == "tested"


def test_three_groups_are_compared_in_one_model_of_everybody() -> None:
    effect = {"difference": ["course", "recurrent", "first"]}
    results = run(
        make_cohort(), {"formula": "volume ~ course + covariates", "effect": effect, "decides": ["dlpfc"], "says": SAYS}
    )
    row = results.tests.iloc[0]
    assert row["n"] == 60
    assert row["n_reference"] + row["n_comparison"] == 30
    assert row["contrast"] == "recurrent - first"


def confound(cohort: pd.DataFrame) -> pd.DataFrame:
    return cohort.assign(site=cohort["group"])


DAMAGE: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], str]] = {
    "empty cell": (lambda cohort: cohort[cohort["ICD-10"] != "F33"].assign(**{"ICD-10": "F32"}), "course"),
    "one of a cell": (lambda cohort: cohort.assign(**{"ICD-10": np.where(cohort.index == 1, "F33", "F32")}), "course"),
    "full confounding": (confound, "group"),
    "constant volume": (lambda cohort: cohort.assign(hippocampus_mean_mm3=3000.0), "group"),
    "no volume": (lambda cohort: cohort.drop(columns="hippocampus_mean_mm3"), "group"),
    "scale of four": (
        lambda cohort: cohort.assign(**{"HADS-anx": cohort["HADS-anx"].where(cohort.index < 8)}),
        "anxiety",
    ),
    "constant scale": (lambda cohort: cohort.assign(**{"HADS-anx": 5.0}), "anxiety"),
    "scale is age": (lambda cohort: cohort.assign(**{"HADS-anx": 2 * cohort["age_years"]}), "anxiety"),
}


@pytest.mark.parametrize("damage", list(DAMAGE))
def test_what_cannot_be_estimated_is_a_row_with_a_reason_and_the_rest_runs(damage: str) -> None:
    change, hit = DAMAGE[damage]
    decides = {"decides": ["hippocampus"], "says": SAYS}
    tests = {
        "group": BY_GROUP,
        "course": {
            "formula": "volume ~ course + covariates",
            "effect": {"difference": ["course", "recurrent", "first"]},
        },
        "anxiety": {
            "formula": 'volume ~ Q("HADS-anx") + covariates',
            "effect": {"slope": "HADS-anx"},
            "population": "patients",
        },
    }
    cognition = {"formula": 'volume ~ Q("2-back") + covariates', "effect": {"slope": "2-back"}}
    results = run(change(make_cohort()), tests[hit] | decides, cognition, permute=True)
    rows = results.tests[results.tests["test"] == "test0"]
    refused = rows[rows["roi"] == "hippocampus"].iloc[0]
    assert refused["status"] == "refused"
    assert len(refused["reason"]) > 20
    assert claim(results)["verdict"] == "not estimable"
    assert claim(results)["sentence"].startswith(f"Not estimable: {refused['reason']}")
    others = results.tests[(results.tests["test"] == "test1") & (results.tests["roi"] != "hippocampus")]
    assert (others["status"] == "fitted").all()
    assert others["p_familywise"].notna().all()
    assert set(rows["family_size"]) == {3}


def test_an_empty_population_is_refused_in_words() -> None:
    results = run(make_cohort(), BY_GROUP | {"population": "old", "decides": ["dlpfc"], "says": SAYS})
    assert claim(results)["verdict"] == "not estimable"
    assert "0 control" in claim(results)["sentence"]


def test_kinds_that_cannot_be_made_are_rows_too() -> None:
    results = run(
        make_cohort(n=16),
        {"kind": "prediction", "options": {"target": "group", "positive": "patient"}, "needs": ["group"]},
        {"kind": "outcome", "options": {"event": "relapse"}, "needs": ["relapse"], "population": "patients"},
        {"kind": "specificity", "effect": DIFFERENCE, "needs": ["group"]},
        {"kind": "sites", "needs": ["site"]},
        BY_GROUP | {"decides": ["hippocampus"], "says": SAYS},
    )
    status = results.tests.groupby("test", sort=False)["status"].agg(lambda values: ",".join(sorted(set(values))))
    assert status.to_dict() == {
        "test0": "refused",
        "test1": "refused",
        "test2": "refused",
        "test3": "refused",
        "test4": "fitted",
    }
    refused = results.tests[results.tests["status"] == "refused"]
    assert refused["reason"].str.len().min() > 20


def test_an_asymmetry_is_in_per_cent_and_needs_both_sides() -> None:
    cohort = make_cohort().drop(columns="dlpfc_R_mm3")
    rows = run(cohort, BY_GROUP | {"outcome": "asymmetry"}).tests
    assert rows["hemisphere"].tolist() == ["asymmetry"] * 3
    assert rows["status"].tolist() == ["fitted", "fitted", "refused"]
    left, right = (cohort[f"hippocampus_{side}_mm3"] for side in "LR")
    index = 200 * (left - right) / (left + right)
    controls = cohort["group"] == "HC"
    assert rows.loc[0, "mean_reference_mm3"] == pytest.approx(index[controls].mean())


def test_a_cohort_that_has_nothing_asked_for_gives_claims_and_no_tests() -> None:
    results = run(make_cohort().drop(columns="group"), BY_GROUP | {"decides": ["dlpfc"], "says": SAYS})
    assert claim(results)["status"] == "not_testable"
    assert results.tests.empty
    for table, dictionary in split_results(results).values():
        assert list(table.columns) == list(dictionary)


def test_the_same_study_gives_the_same_results() -> None:
    asked = BY_GROUP | {"decides": ["hippocampus"], "says": SAYS}
    one, two = (run(cohort, asked, permute=True) for cohort in (make_cohort(), make_cohort().iloc[::-1]))
    columns = ["estimate", "ci_low", "p", "p_permutation", "p_familywise"]
    assert one.tests[columns].to_numpy(dtype=float) == pytest.approx(two.tests[columns].to_numpy(dtype=float))
    assert claim(one)["sentence"] == claim(two)["sentence"]


def test_the_study_is_not_changed() -> None:
    study = make_study(make_cohort())
    people, visits = study.people.copy(), study.visits.copy()
    content = {"variables": VARIABLES, "populations": POPULATIONS, "claims": {}}
    run_claims(study, parse_claims(content, FAMILIES))
    pd.testing.assert_frame_equal(study.people, people)
    pd.testing.assert_frame_equal(study.visits, visits)
