"""Subgroups: planted interactions, agreement with statsmodels, bands of age, refusals."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import stats

from morpho.infer.design import HeadSize
from morpho.infer.sites.dictionaries import SUBGROUPS
from morpho.infer.sites.subgroups import AGE_BANDS, SubgroupResult, compare_subgroups, cut_ages
from morpho.infer.study import Settings, Study

SETTINGS = Settings(["age", "sex"], HeadSize("none", ""), {}, 3, 0.95, 100, 1, {"g": 0.2})


def make_people(n: int = 240, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "participant_id": [f"sub-{number:03}" for number in range(n)],
            "group": rng.choice(["control", "patient"], n),
            "sex": rng.choice(["F", "M"], n),
            "age_years": rng.choice([17.0, 21.9, 22.0, 40.0, 59.9, 60.0, 71.0], n) + rng.uniform(0, 0.05, n),
            "site": rng.choice(["north", "south"], n),
            "hippocampus_mean_mm3": rng.normal(3500, 250, n),
        }
    )


def compare(people: pd.DataFrame, **changes: object) -> SubgroupResult:
    study = Study(people, people.assign(visit=0), SETTINGS, {}, {})
    asked = {"rois": ["hippocampus"], "hemispheres": ["mean"], "family": "primary"}
    return compare_subgroups(study, **{**asked, **changes})


def test_bands_begin_with_the_birthday() -> None:
    ages = pd.DataFrame({"age_years": [12.0, 21.99, 22.0, 59.9, 60.0, np.nan]})
    young, middle, old = AGE_BANDS
    assert cut_ages(ages).tolist()[:5] == [young, young, middle, middle, old]
    assert cut_ages(ages).isna().tolist() == [False] * 5 + [True]
    assert cut_ages(ages.drop(columns="age_years")).isna().all()


def test_one_row_per_modifier_with_its_own_family() -> None:
    result = compare(make_people())
    families = ["primary: group x sex", "primary: group x age_band", "primary: group x site"]
    assert [row["family"] for row in result.rows] == families
    assert {row["status"] for row in result.rows} == {"fitted"}
    assert list(result.table) == list(SUBGROUPS)
    subgroups = ["F", "M", *AGE_BANDS, "north", "south"]
    assert result.table["subgroup"].tolist() == subgroups
    assert (result.table.groupby("modifier")["n_reference"].sum() <= 240).all()


def test_interaction_equals_the_nested_comparison_of_statsmodels() -> None:
    people = make_people()
    people.loc[(people["group"] == "patient") & (people["sex"] == "F"), "hippocampus_mean_mm3"] -= 150
    row = compare(people, modifiers=["sex"]).rows[0]
    small = smf.ols("hippocampus_mean_mm3 ~ C(group) + C(sex) + age_years + C(site)", people).fit()
    large = smf.ols("hippocampus_mean_mm3 ~ C(group) * C(sex) + age_years + C(site)", people).fit()
    F, p, _ = large.compare_f_test(small)
    assert row["p"] == pytest.approx(p, rel=1e-8)
    assert row["estimate"] == pytest.approx(F / (F + large.df_resid), rel=1e-8)
    assert row["df"] == large.df_resid
    assert 0 <= row["ci_low"] <= row["ci90_low"] <= row["estimate"] <= row["ci90_high"] <= row["ci_high"]


def test_a_planted_interaction_is_found_and_described() -> None:
    people = make_people(400, seed=2)
    people.loc[(people["group"] == "patient") & (people["sex"] == "F"), "hippocampus_mean_mm3"] -= 250
    result = compare(people, modifiers=["sex", "site"])
    assert result.rows[0]["p"] < 1e-4
    assert result.rows[1]["p"] > 0.001
    g = result.table.set_index("subgroup")["g"]
    assert g["F"] == pytest.approx(-1, abs=0.3)
    assert g["M"] == pytest.approx(0, abs=0.3)


def test_without_interaction_p_is_even() -> None:
    people = make_people(100, seed=3)
    rng = np.random.default_rng(4)
    names = [f"r{number:03}" for number in range(40)]
    noise = pd.DataFrame(rng.normal(1000, 90, (len(people), len(names))), columns=[f"{name}_L_mm3" for name in names])
    rows = compare(
        pd.concat([people, noise], axis=1), rois=names, hemispheres=["L"], modifiers=["sex"], min_per_group=5
    ).rows
    assert stats.kstest([row["p"] for row in rows], "uniform").pvalue > 0.01


def test_a_small_subgroup_is_left_out_and_named() -> None:
    people = make_people()
    people.loc[:5, "site"] = "tiny 'x'"
    row = compare(people, modifiers=["site"]).rows[0]
    assert row["status"] == "fitted"
    assert "tiny 'x' left out: " in row["reason"]
    assert row["n"] == 234


def test_fewer_than_two_subgroups_are_refused() -> None:
    result = compare(make_people().assign(sex="F"), modifiers=["sex"])
    assert result.rows[0]["status"] == "refused"
    assert "1 levels of sex have 10 people of each group; 2 are the least" in result.rows[0]["reason"]
    assert result.table["reason"].str.startswith("no test").all()


def test_an_absent_modifier_is_refused() -> None:
    result = compare(make_people().drop(columns="site"), modifiers=["site"])
    assert result.rows[0]["status"] == "refused"
    assert "site" in result.rows[0]["reason"]
    assert result.table.empty
