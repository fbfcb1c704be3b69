"""Imputed covariates: near what complete data give, narrower than complete cases, and the same for a seed."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from morpho.errors import DesignError
from morpho.infer.contrasts import Effect
from morpho.infer.design import HeadSize, Model
from morpho.infer.imputed import estimate_imputed
from morpho.infer.linear_tests import Question
from morpho.infer.sensitivity import vary_analysis, widen_variants
from morpho.infer.study import Settings

VOLUME = "hippocampus_mean_mm3"
PLACE = {"family": "primary", "roi": "hippocampus", "hemisphere": "mean"}
TIV = HeadSize("tiv_whole_mm3", "")
BY_GROUP = Effect(of="group", weights={"patient": 1.0, "control": -1.0})
GROUP_MODEL = Model("C(group, Treatment('control'))", ("group",), ("age", "sex"), TIV)
SLOPE_MODEL = Model("HADS", ("HADS",), ("age", "sex"), TIV)
SETTINGS = Settings(
    covariates=("age", "sex"),
    head_size=TIV,
    families={"primary": {"rois": ["hippocampus"], "hemispheres": ["mean"]}},
    min_group_size=5,
    confidence=0.95,
    n_permutations=100,
    seed=3,
    smallest_effects={},
)


def make_people(seed: int, n: int = 80) -> pd.DataFrame:
    """Patients 120 mm3 smaller; volume falls with age and a score and rises with head size."""
    rng = np.random.default_rng(seed)
    is_patient, age, tiv_mm3 = np.arange(n) % 2 == 1, rng.uniform(18, 65, n), rng.normal(1.5e6, 1.2e5, n)
    is_man, score = rng.random(n) < 0.5, rng.normal(10, 3, n)
    expected = 4000 - 120 * is_patient - 12 * (age - 40) + 0.0015 * (tiv_mm3 - 1.5e6) + 100 * is_man - 30 * (score - 10)
    return pd.DataFrame(
        {
            "participant_id": [f"sub-{number:03}" for number in range(n)],
            "group": np.where(is_patient, "patient", "control"),
            "age_years": age,
            "sex": np.where(is_man, "M", "F"),
            "HADS": score,
            "tiv_whole_mm3": tiv_mm3,
            VOLUME: expected + rng.normal(0, 200, n),
        }
    )


def lose(people: pd.DataFrame, column: str, share: float, seed: int = 0) -> pd.DataFrame:
    is_lost = np.random.default_rng([seed, len(column)]).random(len(people)) < share
    return people.assign(**{column: people[column].mask(is_lost)})


def impute(people: pd.DataFrame, model: Model = GROUP_MODEL, effect: Effect = BY_GROUP) -> dict[str, object]:
    return estimate_imputed(people, VOLUME, model, effect, SETTINGS)


def vary(people: pd.DataFrame, model: Model = GROUP_MODEL, effect: Effect = BY_GROUP) -> pd.DataFrame:
    return vary_analysis(people, Question(model, effect, [PLACE]), SETTINGS).set_index("variant")


def test_nothing_is_imputed_where_nobody_who_could_enter_lacks_a_covariate() -> None:
    people = make_people(1)
    assert impute(people) == {}
    for never_imputed in (VOLUME, "group"):
        gone = people.copy()
        gone.loc[:2, ["age_years", never_imputed]] = np.nan
        assert impute(gone) == {}, never_imputed
    by_age = replace(GROUP_MODEL, terms="age_years", variables=("age_years",))
    assert impute(lose(people, "age_years", 0.2), by_age, Effect(of="age_years")) == {}
    assert impute(lose(people, "tiv_whole_mm3", 0.2).drop(columns="sex")) == {}


def test_a_missing_site_is_never_imputed() -> None:
    people = make_people(2).assign(site=["north", "north", "south", "south"] * 20)
    people.loc[:4, "site"] = None
    people.loc[0, "age_years"] = np.nan
    assert impute(people) == {}
    people.loc[10, "age_years"] = np.nan
    assert impute(people)["n"] == 75


@pytest.mark.parametrize(
    ("model", "effect", "effect_size"), [(GROUP_MODEL, BY_GROUP, "g"), (SLOPE_MODEL, Effect(of="HADS"), "partial_r")]
)
def test_everybody_enters_and_the_effect_is_near_that_of_complete_data(
    model: Model, effect: Effect, effect_size: str
) -> None:
    complete = make_people(3, n=120)
    people = lose(lose(complete, "age_years", 0.1), "sex", 0.1)
    row, truth = impute(people, model, effect), vary(complete, model, effect).loc["main"]
    assert (row["status"], row["effect_size"], row["n"]) == ("fitted", effect_size, 120)
    ours = [row[name] for name in ("estimate", "ci_low", "ci_high")]
    # a tenth of two covariates: far less than the distance between the limits (0.7 of g, 0.35 of r)
    assert ours == pytest.approx(truth[["estimate", "ci_low", "ci_high"]].tolist(), abs=0.08)
    assert row["ci_low"] < row["estimate"] < row["ci_high"]


def test_imputing_one_age_of_many_hardly_changes_anything() -> None:
    complete = make_people(4)
    people = complete.copy()
    people.loc[7, "age_years"] = np.nan
    row, truth = impute(people), vary(complete).loc["main"]
    ours = [row[name] for name in ("estimate", "ci_low", "ci_high", "p")]
    assert ours == pytest.approx(truth[["estimate", "ci_low", "ci_high", "p"]].tolist(), abs=0.03)


def test_intervals_are_narrower_than_of_complete_cases_and_estimates_nearer_to_complete_data() -> None:
    widths, misses = [], []
    for seed in range(5):
        complete = make_people(100 + seed)
        people = lose(complete, "age_years", 0.35, seed)
        row, cases, truth = impute(people), vary_cases(people), vary_cases(complete)
        widths.append((row["ci_high"] - row["ci_low"]) / (cases["ci_high"] - cases["ci_low"]))
        misses.append([row["estimate"] - truth["estimate"], cases["estimate"] - truth["estimate"]])
    imputed_error, cases_error = np.sqrt(np.mean(np.square(misses), axis=0))
    assert np.mean(widths) < 0.95  # a third of the people left out widens an interval to 1 / sqrt(0.65) = 1.24 times
    assert imputed_error < cases_error
    assert abs(np.mean(misses, axis=0)[0]) < 0.1


def vary_cases(people: pd.DataFrame) -> pd.Series:
    """Do the main analysis of those with all values."""
    return vary(people.dropna()).loc["main"]


def test_a_seed_gives_the_same_numbers_whatever_the_order_of_rows_and_leaves_the_global_generator_alone() -> None:
    people = lose(make_people(5), "sex", 0.2)
    before = repr(np.random.get_state())  # noqa: NPY002
    row = impute(people)
    assert repr(np.random.get_state()) == before  # noqa: NPY002
    assert impute(people.sample(frac=1, random_state=1)) == row
    assert estimate_imputed(people, VOLUME, GROUP_MODEL, BY_GROUP, replace(SETTINGS, seed=4)) != row


def test_units_of_volume_do_not_matter_and_the_other_way_round_is_the_other_sign() -> None:
    people = lose(make_people(6), "tiv_whole_mm3", 0.2)
    row, litres = impute(people), impute(people.assign(**{VOLUME: people[VOLUME] / 1e6}))
    assert litres["estimate"] == pytest.approx(row["estimate"], rel=1e-6)
    assert litres["p"] == pytest.approx(row["p"], rel=1e-6)
    turned = impute(people, effect=Effect(of="group", weights={"patient": -1.0, "control": 1.0}))
    assert turned["estimate"] == pytest.approx(-row["estimate"], rel=1e-12)
    assert turned["ci_low"] == pytest.approx(-row["ci_high"], rel=1e-6)


def test_a_sex_that_all_known_people_share_is_filled_in() -> None:
    people = make_people(7).assign(sex="F")
    truth = vary(people).loc["main", "estimate"]
    people.loc[3, "sex"] = np.nan
    row = impute(people)
    assert row["n"] == 80
    assert row["estimate"] == pytest.approx(truth, rel=0.02)


def test_a_covariate_that_too_few_people_have_is_refused_with_numbers() -> None:
    people = make_people(8)
    people.loc[6:, "age_years"] = np.nan
    with pytest.raises(DesignError, match="age_years is known of 6 of 80 people, where its imputation from 4 columns"):
        impute(people)
    variants = vary(people)
    assert variants.loc["imputed", "status"] == "refused"
    assert "known of 6 of 80" in variants.loc["imputed", "reason"]


def test_the_variant_is_a_row_of_its_own_only_where_something_is_imputed() -> None:
    complete = make_people(9)
    people = lose(complete, "age_years", 0.2)
    assert "imputed" not in vary(complete).index
    variants = vary_analysis(people, Question(GROUP_MODEL, BY_GROUP, [PLACE]), SETTINGS)
    row = variants[variants["variant"] == "imputed"].iloc[0]
    assert (row["status"], row["n"], row["left_out"]) == ("fitted", 80, "")
    assert widen_variants(variants).loc[0, "effect_imputed"] == row["estimate"] == impute(people)["estimate"]
