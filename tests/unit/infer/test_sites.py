"""Sites: who was scanned where, planted effects by site, refusals and laws of the pooled difference."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from morpho.infer.design import HeadSize
from morpho.infer.sites.dictionaries import POOLED_EFFECTS, SITE_COUNTS, SITE_EFFECTS, SITES
from morpho.infer.sites.sites import SiteResult, compare_sites, describe_sites
from morpho.infer.study import Settings, Study
from morpho.stats.effects import correct_small_sample

SETTINGS = Settings(
    covariates=["age", "sex"],
    head_size=HeadSize("tiv_whole_mm3", "total intracranial volume"),
    families={},
    min_group_size=3,
    confidence=0.95,
    n_permutations=100,
    seed=1,
    smallest_effects={"g": 0.2},
)
NO_COVARIATES = replace(SETTINGS, covariates=[], head_size=HeadSize("none", ""))


def make_people(n_per_site: int, sites: list[str], seed: int = 1) -> pd.DataFrame:
    """Half controls and half patients at each site, with volumes of pure noise."""
    rng = np.random.default_rng(seed)
    n = n_per_site * len(sites)
    return pd.DataFrame(
        {
            "participant_id": [f"sub-{number:03}" for number in range(n)],
            "group": np.tile(["control", "patient"], n // 2),
            "sex": rng.choice(["F", "M"], n),
            "age_years": rng.uniform(18, 65, n),
            "site": np.repeat(sites, n_per_site),
            "HADS-anx": rng.normal(size=n),
            "tiv_whole_mm3": rng.normal(1.5e6, 1e5, n),
            "hippocampus_mean_mm3": rng.normal(3500, 250, n),
        }
    )


def compare(people: pd.DataFrame, settings: Settings = SETTINGS, **changes: object) -> SiteResult:
    study = Study(people, people.assign(visit=0), settings, {}, {})
    asked = {"rois": ["hippocampus"], "hemispheres": ["mean"], "family": "primary"}
    return compare_sites(study, **{**asked, **changes})


# --- who was scanned where


def test_counts_add_up_to_everybody_the_unknown_included() -> None:
    people = make_people(20, ["north", "south"])
    people.loc[0, "sex"] = people.loc[1, "site"] = people.loc[2, "group"] = None
    counts = describe_sites(people).counts
    assert list(counts) == list(SITE_COUNTS)
    assert counts["n"].sum() == 40
    assert counts[["site", "group", "sex"]].isna().sum().tolist() == [1, 1, 1]


def test_sites_are_described_by_hand_arithmetic() -> None:
    people = pd.DataFrame(
        {
            "group": ["control"] * 2 + ["patient"] * 3 + ["control"] * 12 + ["patient"] * 4,
            "site": ["a"] * 5 + ["b"] * 16,
            "sex": ["F", "M", "M", "M", None] + ["F"] * 16,
            "age_years": [20.0, 30, 40, 50, 60] + [33.0] * 16,
        }
    )
    description = describe_sites(people)
    assert list(description.sites) == list(SITES)
    a, b = (row for _, row in description.sites.iterrows())
    assert (a["n_reference"], a["n_comparison"], a["effective_n"]) == (2, 3, 1.2)  # 2 * 3 / 5
    assert (a["share_women"], a["age_mean_years"]) == (0.25, 40.0)
    assert a["flags"] == "fewer than 10 controls (2); fewer than 10 patients (3)"
    assert b["flags"] == "fewer than 10 patients (4); sex F only"
    assert description.effective_n == pytest.approx(1.2 + 12 * 4 / 16)
    phi = abs(2 * 4 - 3 * 12) / np.sqrt(5 * 16 * 14 * 7)  # the phi coefficient, as the table is 2 x 2
    assert description.cramers_v == pytest.approx(phi)


def test_cramers_v_is_one_where_the_site_gives_the_group_away() -> None:
    people = make_people(20, ["a", "b"]).assign(group=["control"] * 20 + ["patient"] * 20)
    description = describe_sites(people)
    assert description.cramers_v == pytest.approx(1.0)
    assert description.effective_n == 0
    assert description.sites["flags"].tolist() == ["controls only", "patients only"]


def test_a_cohort_without_sites_and_sexes_is_one_site_without_name() -> None:
    people = make_people(20, ["a"]).drop(columns=["site", "sex", "age_years"])
    description = describe_sites(people)
    assert len(description.sites) == 1
    assert description.sites["flags"].tolist() == ["site unknown"]
    assert np.isnan(description.cramers_v)
    assert description.n_without_site == 20


# --- the pooled difference


def test_without_covariates_g_and_its_variance_are_those_of_two_groups() -> None:
    people = make_people(30, ["a", "b", "c"])
    row = compare(people, NO_COVARIATES).table.iloc[0]
    own = people[people["site"] == "a"]
    controls, patients = (own.loc[own["group"] == role, "hippocampus_mean_mm3"] for role in ("control", "patient"))
    pooled_sd = np.sqrt((14 * controls.var() + 14 * patients.var()) / 28)
    g = correct_small_sample(28) * (patients.mean() - controls.mean()) / pooled_sd
    assert row["g"] == pytest.approx(g, rel=1e-10)
    assert row["se"] == pytest.approx(np.sqrt(2 / 15 + g**2 / 56), rel=1e-10)


def test_tables_and_rows_agree() -> None:
    people = make_people(30, ["a", "b", "c", "d"])
    people.loc[people["group"] == "patient", "hippocampus_mean_mm3"] -= 150
    result = compare(people)
    assert list(result.table) == list(SITE_EFFECTS)
    assert list(result.pooled) == list(POOLED_EFFECTS)
    row, pooled = result.rows[0], result.pooled.iloc[0]
    assert (row["status"], row["effect_size"], row["contrast"]) == ("fitted", "g", "patient - control")
    assert (row["n"], row["n_reference"], row["n_comparison"], row["df"]) == (120, 60, 60, 3)
    assert (row["estimate"], row["p"]) == (pooled["g"], pooled["p"])
    assert row["ci_low"] < row["ci90_low"] < row["estimate"] < row["ci90_high"] < row["ci_high"]
    assert result.table["weight_percent"].sum() == pytest.approx(100)
    assert pooled["lowest_without_one"] == result.table["pooled_without_g"].min()
    assert "C(site)" not in row["formula"]
    assert "age_years" in row["formula"]


def test_offsets_and_scales_of_sites_change_nothing() -> None:
    people = make_people(30, ["a", "b", "c"])
    people.loc[people["group"] == "patient", "hippocampus_mean_mm3"] -= 200
    moved = people.copy()
    moved.loc[moved["site"] == "b", "hippocampus_mean_mm3"] += 900
    moved.loc[moved["site"] == "c", "hippocampus_mean_mm3"] *= 2
    before, after = compare(people).rows[0], compare(moved).rows[0]
    assert [after[name] for name in ("estimate", "se", "p")] == pytest.approx(
        [before[name] for name in ("estimate", "se", "p")], rel=1e-9
    )


def test_order_of_people_and_names_of_sites_change_nothing() -> None:
    people = make_people(24, ["a", "b", "c"])
    renamed = people.assign(site=people["site"].map({"a": "Köln '2'", "b": "1", "c": "site-x y"}))
    other = compare(renamed.sample(frac=1, random_state=3))
    assert other.rows[0]["estimate"] == pytest.approx(compare(people).rows[0]["estimate"], rel=1e-9)
    assert other.table["site"].tolist() == ["1", "Köln '2'", "site-x y"]


def test_an_effect_that_depends_on_the_site_is_heterogeneity() -> None:
    sites = [f"s{number:02}" for number in range(12)]
    people = make_people(40, sites, seed=4)
    strong = people["site"].isin(sites[::2]) & (people["group"] == "patient")
    people.loc[strong, "hippocampus_mean_mm3"] -= 300  # g = -1.2 at every other site, 0 elsewhere: tau2 = 0.36
    pooled = compare(people).pooled.iloc[0]
    assert 0.15 < pooled["tau2"] < 0.8
    assert pooled["tau2_ci_low"] > 0.05
    assert pooled["q_p"] < 0.01
    assert pooled["i2"] > 50
    assert pooled["prediction_low"] < pooled["ci_low"] < pooled["g"] < pooled["ci_high"] < pooled["prediction_high"]


def test_without_any_effect_the_interval_holds_zero_as_often_as_it_says() -> None:
    people = make_people(24, ["a", "b", "c"], seed=5)
    rng = np.random.default_rng(6)
    names = [f"r{number:03}" for number in range(40)]
    noise = pd.DataFrame(rng.normal(1000, 90, (len(people), len(names))), columns=[f"{name}_L_mm3" for name in names])
    rows = compare(pd.concat([people, noise], axis=1), rois=names, hemispheres=["L"]).rows
    covered = np.mean([row["ci_low"] < 0 < row["ci_high"] for row in rows])
    assert covered >= 0.9  # never shorter than the normal interval, so three sites are on the safe side


# --- refusals


def test_a_small_site_is_left_out_with_the_reason() -> None:
    people = pd.concat([make_people(30, ["a", "b"]), make_people(8, ["tiny"], seed=2)], ignore_index=True)
    result = compare(people)
    reason = "4 controls and 4 patients with all values, 10 of each are the least"
    assert result.rows[0]["reason"] == f"site tiny left out: {reason}"
    assert result.rows[0]["n"] == 60
    assert result.table.set_index("site").loc["tiny", ["status", "reason"]].tolist() == ["refused", reason]
    assert result.pooled["prediction_low"].isna().all()  # two sites only
    assert compare(people, min_per_group=4).rows[0]["n"] == 68


def test_one_usable_site_is_refused() -> None:
    people = make_people(30, ["a", "b"])
    people.loc[people["site"] == "b", "group"] = "patient"
    row = compare(people).rows[0]
    assert row["status"] == "refused"
    assert "1 sites with enough people of both groups; 2 are the least" in row["reason"]
    assert "site b left out: 0 controls and 30 patients" in row["reason"]
    assert row.get("estimate") is None


def test_a_cohort_without_site_is_refused() -> None:
    people = make_people(30, ["a", "b"])
    for cohort in (people.drop(columns="site"), people.assign(site=None)):
        row = compare(cohort).rows[0]
        assert row["status"] == "refused"
        assert "config participants.columns.site" in row["reason"]


def test_missing_cells_leave_their_region_only() -> None:
    people = make_people(30, ["a", "b", "c"])
    people["amygdala_mean_mm3"] = people["hippocampus_mean_mm3"]
    people.loc[:14, "amygdala_mean_mm3"] = np.nan
    people.loc[40, "age_years"] = np.nan
    people.loc[41, "group"] = None
    result = compare(people, rois=["hippocampus", "amygdala", "absent"])
    assert [row["status"] for row in result.rows] == ["fitted", "fitted", "refused"]
    assert [row["n"] for row in result.rows] == [88, 58, 0]
    assert "site a left out" in result.rows[1]["reason"]
    assert "absent_mean_mm3" in result.rows[2]["reason"]


def test_a_site_whose_design_cannot_be_estimated_is_left_out() -> None:
    people = make_people(30, ["a", "b", "c"])
    inside = people["site"] == "a"
    people.loc[inside, "sex"] = np.where(people.loc[inside, "group"] == "patient", "F", "M")
    result = compare(people)
    assert "site a left out: the effects of" in result.rows[0]["reason"]
    assert "cannot be told apart" in result.rows[0]["reason"]
    assert result.pooled["n_sites"].tolist() == [2]
