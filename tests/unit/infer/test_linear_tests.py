"""Rows of linear tests: families keep their planned size, a refused region is a row, odd names and gaps do no harm."""

import re

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

from morpho.infer.contrasts import Effect
from morpho.infer.design import HeadSize, Model
from morpho.infer.linear_tests import Question, correct_families, run_linear
from morpho.infer.study import Settings
from morpho.stats.effects import adjust_p

ROIS = ("one", "two", "three", "four")
PLACES = [{"family": "primary", "roi": roi, "hemisphere": "mean"} for roi in ROIS]
NO_HEAD_SIZE = HeadSize("none", "")
DIFFERENCE = Effect(of="group", weights={"control": -1.0, "patient": 1.0})
SETTINGS = Settings(
    ["age", "sex"], NO_HEAD_SIZE, {}, 3, 0.95, 99, 1, {"g": 0.2, "partial_r": 0.1, "partial_eta_squared": 0.01}
)


@pytest.fixture
def people() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    n = 48
    group = np.where(np.arange(n) % 2 == 1, "patient", "control")
    volumes = {f"{roi}_mean_mm3": 3000 + 100 * rng.standard_normal(n) - 60 * (group == "patient") for roi in ROIS}
    return pd.DataFrame(
        {
            "participant_id": [f"s{number:02}" for number in range(n)],
            "group": group,
            "age_years": rng.uniform(20, 60, n),
            "sex": rng.choice(["F", "M"], n),
            "site": rng.choice(["north", "south"], n),
            "crp": np.exp(rng.standard_normal(n)),
            "HADS-anx": rng.uniform(0, 21, n),
            "2-back score": rng.normal(100, 15, n),
            **volumes,
        }
    )


def ask(terms: str, effect: Effect, *variables: str) -> Question:
    return Question(Model(terms, variables, ("age", "sex"), NO_HEAD_SIZE), effect, PLACES)


BY_GROUP = ask("group", DIFFERENCE, "group")


def run(people: pd.DataFrame, question: Question = BY_GROUP, *, permute: bool = False) -> pd.DataFrame:
    return run_linear(people, question, SETTINGS, permute=permute).rows


def test_a_gap_in_one_region_changes_that_region_alone(people: pd.DataFrame) -> None:
    before = run(people)
    after = run(people.assign(two_mean_mm3=people["two_mean_mm3"].where(people.index != 5)))
    assert after["n"].tolist() == [48, 47, 48, 48]
    numbers = ["estimate_mm3", "g", "g_ci_low", "p", "t"]
    same = [0, 2, 3]
    assert after.loc[same, numbers].to_numpy(dtype=float) == pytest.approx(
        before.loc[same, numbers].to_numpy(dtype=float)
    )
    assert after.loc[1, "t"] != before.loc[1, "t"]


@pytest.mark.parametrize("empty", [np.nan, 3000.0], ids=["missing", "constant"])
def test_a_region_that_fails_is_a_row_and_the_family_keeps_its_size(people: pd.DataFrame, empty: float) -> None:
    before = run(people, permute=True)
    after = run(people.assign(two_mean_mm3=empty), permute=True)
    assert after["status"].tolist() == ["fitted", "refused", "fitted", "fitted"]
    assert after.loc[1, "reason"].startswith(("only one group is present: 0 control", "two_mean_mm3 does not vary"))
    assert after["family_size"].tolist() == [4] * 4
    p = before["p"].where(before.index != 1).to_numpy(dtype=float)
    for column, method in {"p_fdr": "fdr_bh", "p_by": "fdr_by", "p_holm": "holm"}.items():
        assert after[column].to_numpy() == pytest.approx(adjust_p(p, method), nan_ok=True)
    assert after["p_familywise"].isna().tolist() == [False, True, False, False]
    assert (after["p_familywise"].dropna() >= after["p_permutation"].dropna()).all()


def test_a_region_that_was_not_measured_is_a_row(people: pd.DataFrame) -> None:
    after = run(people.drop(columns="three_mean_mm3"), permute=True)
    assert after["status"].tolist() == ["fitted", "fitted", "refused", "fitted"]
    assert "no column three_mean_mm3: not measured" in after.loc[2, "reason"]


def test_an_interaction_equals_the_formula_interface(people: pd.DataFrame) -> None:
    effect = Effect(of="group", weights=DIFFERENCE.weights, between="sex", between_weights={"F": 1.0, "M": -1.0})
    ours = run(people, ask("group * sex", effect, "group", "sex"))
    theirs = smf.ols(
        "one_mean_mm3 ~ C(group, Treatment('control')) * C(sex, Treatment('M')) + age_years + site", people
    ).fit()
    name = "C(group, Treatment('control'))[T.patient]:C(sex, Treatment('M'))[T.F]"
    assert (ours.loc[0, "estimate_mm3"], ours.loc[0, "t"], ours.loc[0, "p"]) == pytest.approx(
        (theirs.params[name], theirs.tvalues[name], theirs.pvalues[name])
    )


@pytest.mark.parametrize("name", ["HADS-anx", "2-back score"])
def test_odd_names_give_what_plain_names_give(people: pd.DataFrame, name: str) -> None:
    odd = run(people, ask(f'Q("{name}")', Effect(of=name), name), permute=True)
    plain = run(people.rename(columns={name: "score"}), ask("score", Effect(of="score"), "score"), permute=True)
    columns = ["partial_r", "spearman_r", "slope_mm3_per_unit", "p", "p_permutation", "p_familywise"]
    assert (odd["status"] == "fitted").all()
    assert odd[columns].to_numpy(dtype=float) == pytest.approx(plain[columns].to_numpy(dtype=float))


def test_a_predictor_that_the_formula_transforms_has_no_rank_correlation(people: pd.DataFrame) -> None:
    """The slope on log(crp) is found by moving crp; ranks have no logarithm worth the name."""
    logged = run(people, ask("np.log(crp)", Effect(of="crp"), "crp"))
    made = run(people.assign(log_crp=np.log(people["crp"])), ask("log_crp", Effect(of="log_crp"), "log_crp"))
    assert logged["partial_r"].to_numpy() == pytest.approx(made["partial_r"].to_numpy())
    assert made["spearman_r"].notna().all()
    assert "spearman_r" not in logged


def test_the_order_of_rows_and_the_names_of_sites_have_no_say(people: pd.DataFrame) -> None:
    before = run(people, permute=True)
    renamed = people.assign(site=people["site"].map({"north": "z", "south": "a"}))
    after = run(renamed.sample(frac=1, random_state=1), permute=True)
    columns = ["g", "g_ci_low", "g_ci_high", "p", "p_permutation", "p_familywise"]
    assert after[columns].to_numpy(dtype=float) == pytest.approx(before[columns].to_numpy(dtype=float))


def test_joint_effects_give_an_f_test_that_equals_the_formula_interface(people: pd.DataFrame) -> None:
    rows = run(people, ask("group * sex", Effect(joint=("group", "sex")), "group", "sex"), permute=True)
    fit = smf.ols("one_mean_mm3 ~ group * sex + age_years + site", people).fit()
    t = fit.tvalues["group[T.patient]:sex[T.M]"]
    assert rows["effect_size"].tolist() == ["partial_eta_squared"] * 4
    assert rows.loc[0, "f"] == pytest.approx(t**2)
    assert rows.loc[0, "partial_eta_squared"] == pytest.approx(t**2 / (t**2 + fit.df_resid))
    assert rows["p_familywise"].between(0.01, 1).all()


def test_a_refused_joint_test_is_a_row(people: pd.DataFrame) -> None:
    rows = run(people[people["sex"] == "F"], ask("group * sex", Effect(joint=("group", "sex")), "group", "sex"))
    assert rows["status"].tolist() == ["refused"] * 4
    assert re.fullmatch(r"sex does not vary: it is F for all \d+ people", rows.loc[0, "reason"])


def test_a_joint_test_of_a_region_that_nobody_has_is_a_row(people: pd.DataFrame) -> None:
    question = ask("group * sex", Effect(joint=("group", "sex")), "group", "sex")
    rows = run(people.assign(two_mean_mm3=np.nan), question, permute=True)
    assert rows["status"].tolist() == ["fitted", "refused", "fitted", "fitted"]
    assert rows.loc[1, "reason"].startswith("too few people: nobody with all values")
    assert rows.loc[1, "reason"].endswith("without a value: two_mean_mm3 48")


def test_who_lacks_a_value_is_counted_in_the_refusal(people: pd.DataFrame) -> None:
    few = people.assign(crp=people["crp"].where(people.index < 2))
    rows = run(few, ask("crp", Effect(of="crp"), "crp"))
    assert rows.loc[0, "reason"] == (
        "too few people: 2 people with all values, where config models.min_group_size asks for 3 of each; "
        "without a value: crp 46"
    )


def test_a_scale_of_four_people_is_refused_for_degrees_of_freedom(people: pd.DataFrame) -> None:
    few = people.assign(crp=people["crp"].where(people.index < 4))
    rows = run(few, ask("crp", Effect(of="crp"), "crp"))
    assert rows["status"].tolist() == ["refused"] * 4
    assert "residual degrees of freedom" in rows.loc[0, "reason"]


def test_group_confounded_with_site_is_refused_in_every_region(people: pd.DataFrame) -> None:
    rows = run(people.assign(site=people["group"].map({"control": "a", "patient": "b"})), permute=True)
    assert rows["status"].tolist() == ["refused"] * 4
    assert "cannot be told apart" in rows.loc[0, "reason"]
    assert rows["p_familywise"].isna().all()


def test_one_person_who_alone_has_a_site_leaves_no_robust_error_but_all_else(people: pd.DataFrame) -> None:
    """Their leverage is 1, and HC3 would divide by 0."""
    alone = run(people.assign(site=np.where(people.index == 7, "west", people["site"])))
    without = run(people.drop(index=7))
    assert alone["g"].tolist() == pytest.approx(without["g"].tolist())
    assert alone["se_hc3_mm3"].isna().all()
    assert alone["p_hc3"].isna().all()
    assert without["p_hc3"].notna().all()


def test_families_are_corrected_apart() -> None:
    table = pd.DataFrame({"family": ["a", "b", "a", "b"], "p": [0.01, 0.02, np.nan, 0.04]})
    done = correct_families(table, ["family"])
    assert done["p_holm"].tolist() == pytest.approx([0.02, 0.04, np.nan, 0.04], nan_ok=True)
    assert done["family_size"].tolist() == [2, 2, 2, 2]
    assert "p_fdr" not in table
