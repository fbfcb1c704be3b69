"""Later outcomes: agreement with R, planted odds and hazard ratios, refusals."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from statsmodels.duration.hazard_regression import PHReg

from morpho.infer.design import HeadSize
from morpho.infer.prediction.outcome_columns import OUTCOMES
from morpho.infer.prediction.outcomes import OutcomeResult, analyse_outcome
from morpho.infer.study import Settings, Study
from morpho.tables import read_table, write_table

SETTINGS = Settings(
    covariates=("age", "sex"),
    head_size=HeadSize("tiv_whole_mm3", ""),
    families={},
    min_group_size=10,
    confidence=0.95,
    n_permutations=100,
    seed=5,
    smallest_effects={},
)
BARE = replace(SETTINGS, covariates=(), head_size=HeadSize("none", ""))
TRUE_LOG_ODDS_RATIO, TRUE_LOG_HAZARD_RATIO = -0.8, -0.5


def read_oracle(name: str) -> pd.DataFrame:
    data = os.environ.get("MORPHO_TEST_DATA", Path(__file__).parents[3] / ".." / "shared" / "data")
    path = Path(data).parent / "oracles" / name
    if not path.exists():
        pytest.skip(f"no {name} in the folder 'oracles' beside the test data (MORPHO_TEST_DATA)")
    return pd.read_csv(path)


def make_people(seed: int = 0, n: int = 240) -> pd.DataFrame:
    """Patients of two sites whose relapse is rarer, and later, with a large hippocampus, and likelier when severe."""
    rng = np.random.default_rng(seed)
    z, severity = rng.normal(size=n), rng.normal(20, 5, n)
    log_odds = TRUE_LOG_ODDS_RATIO * z + 0.1 * (severity - 20)
    months = rng.exponential(12 / np.exp(TRUE_LOG_HAZARD_RATIO * z))
    return pd.DataFrame(
        {
            "participant_id": [f"sub-{number:03}" for number in range(n)],
            "group": "patient",
            "hippocampus_mean_mm3": 4000 + 400 * z,
            "amygdala_mean_mm3": rng.normal(1700, 150, n),
            "sex": rng.choice(["F", "M"], n),
            "age_years": rng.uniform(18, 70, n),
            "site": rng.choice(["A", "B"], n),
            "tiv_whole_mm3": rng.normal(1.5e6, 1e5, n),
            "severity_HADS-anx": severity,
            "episode_status": rng.choice(["first", "recurrent"], n),
            "responder": np.where(rng.random(n) < 1 / (1 + np.exp(-log_odds)), "yes", "no"),
            "relapse": np.where(months < 12, "yes", "no"),
            "months_to_relapse": np.minimum(months, 12),
        }
    )


def analyse(
    people: pd.DataFrame, settings: Settings = SETTINGS, *, rois: Sequence[str] = ("hippocampus",), **changes: Any
) -> OutcomeResult:
    given: dict[str, Any] = {"outcome": "responder", "event": "yes", "family": "primary", "population": {}}
    study = Study(people, people, settings, {}, {})
    return analyse_outcome(study, rois=rois, hemispheres=["mean"], **{**given, **changes})


def refusal(result: OutcomeResult) -> str:
    assert [row["status"] for row in result.rows] == result.table["status"].tolist() == ["refused"]
    assert "estimate" not in result.rows[0]
    assert result.table["odds_ratio"].isna().all()
    return str(result.rows[0]["reason"])


def test_the_endometrial_study_equals_r() -> None:
    # brglm2 (Firth): HG ~ NV + PI + EH. NV separates the events, so maximum likelihood has no value for it.
    table = read_oracle("endometrial.csv")
    people = table.assign(hippocampus_mean_mm3=table["EH"], HG=table["HG"].map({1: "yes", 0: "no"}))
    row = analyse(people, BARE, outcome="HG", adjust_for=["NV", "PI"]).rows[0]
    sd = table["EH"].std()
    assert row["estimate"] == pytest.approx(-2.604163925276 * sd, abs=1e-7)
    assert row["se"] == pytest.approx(0.7760176424978 * sd, abs=1e-7)
    assert (row["n"], row["n_reference"], row["n_comparison"]) == (79, 49, 30)
    people["hippocampus_mean_mm3"] = table["NV"]
    row = analyse(people, BARE, outcome="HG", adjust_for=["EH", "PI"]).rows[0]
    assert row["estimate"] == pytest.approx(2.92927335318 * table["NV"].std(), abs=1e-7)
    # Profile limits of NV 0.61 and 7.85 (Heinze G, Schemper M, Statistics in Medicine 2002;21:2409-2419).
    assert row["ci_low"] == pytest.approx(0.61 * table["NV"].std(), abs=0.01)
    assert row["ci_high"] == pytest.approx(7.85 * table["NV"].std(), abs=0.01)


def test_a_planted_odds_ratio_lies_in_its_interval() -> None:
    result = analyse(make_people(), adjust_for=["severity_HADS-anx"], rois=["hippocampus", "amygdala"])
    planted, other = result.rows
    assert planted["ci_low"] < TRUE_LOG_ODDS_RATIO < planted["ci_high"] < 0
    assert planted["ci_low"] < planted["ci90_low"] < planted["estimate"] < planted["ci90_high"] < planted["ci_high"]
    assert planted["p"] < 0.001
    assert planted["t"] < 0 < other["p"]
    assert other["ci_low"] < 0 < other["ci_high"]
    assert planted["estimate_raw"] == pytest.approx(np.exp(planted["estimate"]))
    assert planted["contrast"] == "responder yes: per SD of volume"
    assert planted["effect_size"] == "log_odds_ratio"
    gains = result.table["auc_gain"]
    assert gains[0] > 0.05 > gains[1]
    assert result.table.loc[0, "auc_gain_ci_low"] < gains[0] < result.table.loc[0, "auc_gain_ci_high"]


def test_intervals_cover_the_planted_value_as_often_as_they_say() -> None:
    covered = []
    for seed in range(30):
        row = analyse(make_people(seed, n=120), replace(BARE, confidence=0.9), adjust_for=["severity_HADS-anx"]).rows[0]
        sd = make_people(seed, n=120)["hippocampus_mean_mm3"].std() / 400
        covered.append(row["ci_low"] < TRUE_LOG_ODDS_RATIO * sd < row["ci_high"])
    assert sum(covered) >= 22  # binomial(30, 0.9): P(below 22) = 0.002


def test_without_the_event_the_ratio_turns_round() -> None:
    people = make_people(1)
    forward, back = analyse(people).rows[0], analyse(people, event="no").rows[0]
    assert back["estimate"] == pytest.approx(-float(forward["estimate"]), abs=1e-7)
    assert (back["ci_low"], back["ci_high"]) == pytest.approx((-forward["ci_high"], -forward["ci_low"]), abs=1e-6)
    assert back["p"] == pytest.approx(forward["p"], rel=1e-6)
    assert back["n_comparison"] == forward["n_reference"]


def test_the_unit_of_volume_and_the_order_of_people_do_not_matter() -> None:
    people = make_people(2, n=120)
    row = analyse(people).rows[0]
    moved = people.sample(frac=1, random_state=1).assign(hippocampus_mean_mm3=lambda table: table.iloc[:, 2] / 1000 + 7)
    other = analyse(moved).rows[0]
    for name in ("estimate", "se", "ci_low", "ci_high", "p"):
        assert other[name] == pytest.approx(row[name], rel=1e-5)


def test_out_of_fold_areas_forgive_no_chance() -> None:
    people = make_people(3, n=60)
    people["responder"] = np.random.default_rng(3).permutation(people["responder"])
    row = analyse(people).table.iloc[0]
    assert row["auc_apparent"] > row["auc"]
    assert row["auc_ci_low"] < 0.5


def test_hazard_ratios_where_times_are_known() -> None:
    people = make_people(4, n=300)
    row = analyse(people, BARE, outcome="relapse").table.iloc[0]
    assert row["hazard_ratio_ci_low"] < np.exp(TRUE_LOG_HAZARD_RATIO) < row["hazard_ratio_ci_high"] < 1
    z = (people["hippocampus_mean_mm3"] - people["hippocampus_mean_mm3"].mean()) / people["hippocampus_mean_mm3"].std()
    design = np.column_stack([z, people["site"] == "B"]).astype(float)
    fit = PHReg(people["months_to_relapse"], design, status=people["relapse"] == "yes", ties="efron").fit()
    assert row["hazard_ratio"] == pytest.approx(np.exp(fit.params[0]), rel=1e-6)
    assert row["hazard_ratio_p"] == pytest.approx(fit.pvalues[0], rel=1e-6)
    assert row["n_time"] == 300
    assert row["n_time_events"] == row["n_events"]


def test_without_enough_times_the_odds_ratio_stands_alone() -> None:
    people = make_people(5)
    people.loc[8:, "months_to_relapse"] = np.nan
    few = analyse(people, outcome="relapse").table.iloc[0]
    assert few["status"] == "fitted"
    assert few["n_time"] == 8
    assert "no Cox model" in few["reason"]
    none = analyse(people.drop(columns="months_to_relapse"), outcome="relapse").table.iloc[0]
    assert "Cox" not in none["reason"]
    for row in (few, none):
        assert np.isnan(row["hazard_ratio"])
        assert np.isfinite(row["odds_ratio"])


def test_a_volume_that_separates_the_events_keeps_finite_limits() -> None:
    people = make_people(6, n=40)
    people["responder"] = np.where(people["hippocampus_mean_mm3"] > 4000, "yes", "no")
    row = analyse(people, BARE).rows[0]
    assert row["status"] == "fitted"
    assert 0 < row["ci_low"] < row["estimate"] < row["ci_high"] < 200


def test_few_events_per_variable_ask_for_care() -> None:
    people = make_people(7, n=60)
    assert "events per variable, below 10" in str(analyse(people).rows[0]["reason"])
    row = analyse(people).table.iloc[0]
    assert row["events_per_variable"] == min(row["n_events"], row["n_non_events"]) / 5  # volume, age, sex, head, site
    assert "events per variable" not in str(analyse(make_people(7)).rows[0]["reason"])


def test_categories_and_constants_among_the_adjustments() -> None:
    people = make_people(8).assign(treatment="CBT")
    people.loc[:2, "severity_HADS-anx"] = np.nan
    row = analyse(people, adjust_for=["episode_status", "severity_HADS-anx", "treatment"]).rows[0]
    assert row["n"] == 237
    assert "treatment left out of the model: it is CBT for everyone" in str(row["reason"])
    assert "3 of 240 people left out" in str(row["reason"])
    assert str(row["formula"]).endswith("C(site) + episode_status + severity_HADS-anx")
    recoded = people.assign(episode_status=(people["episode_status"] == "recurrent").astype(float) * 5)
    again = analyse(recoded, adjust_for=["episode_status", "severity_HADS-anx", "treatment"]).rows[0]
    assert again["estimate"] == pytest.approx(row["estimate"], abs=1e-7)


def test_a_site_that_is_tested_as_a_whole_does_no_harm() -> None:
    people = make_people(9, n=120)
    people.loc[0, "site"] = "C"
    row = analyse(people).table.iloc[0]
    assert row["status"] == "fitted"
    assert 0 < row["auc"] < 1


@pytest.mark.parametrize(
    ("change", "changes", "reason"),
    [
        ({}, {"outcome": "remitter"}, "no column remitter"),
        ({}, {"adjust_for": ["n_episodes"]}, "no column n_episodes"),
        ({}, {"population": {"state": "acute"}}, "no column state"),
        ({}, {"rois": ["insula"]}, "no column insula_mean_mm3"),
        ({}, {"event": "perhaps"}, "0 with responder perhaps"),
        ({"responder": "no"}, {}, "0 with responder yes, 240 without"),
        ({"responder": ["yes"] * 4 + ["no"] * 236}, {}, "4 with responder yes, 236 without.*5 of each"),
        ({"responder": ["no"] * 4 + ["yes"] * 236}, {}, "236 with responder yes, 4 without.*5 of each"),
        ({"hippocampus_mean_mm3": np.nan}, {}, "0 with responder yes"),
        ({"hippocampus_mean_mm3": 4000.0}, {}, "4000 for everyone"),
        ({"age_years": np.nan}, {}, "0 with responder yes"),
        ({"copy": range(240), "twin": range(240)}, {"adjust_for": ["copy", "twin"]}, "redundant"),
    ],
)
def test_an_outcome_that_cannot_be_analysed_is_a_refused_row(
    change: dict[str, Any], changes: dict[str, Any], reason: str
) -> None:
    result = analyse(make_people(10).assign(**change), **changes)
    assert pd.Series([refusal(result)]).str.contains(reason).all(), result.rows


def test_a_refused_region_leaves_the_others_alone() -> None:
    rows = analyse(make_people(11), rois=["insula", "hippocampus"]).rows
    assert [row["status"] for row in rows] == ["refused", "fitted"]
    assert [row["roi"] for row in rows] == ["insula", "hippocampus"]


def test_only_the_population_counts() -> None:
    people = make_people(12)
    people.loc[:99, "group"] = "control"
    assert analyse(people, population={"group": "patient"}).rows[0]["n"] == 140
    assert analyse(people).rows[0]["n"] == 240


def test_every_column_is_described_and_survives_the_disk(tmp_path: Path) -> None:
    table = analyse(make_people(13), rois=["hippocampus", "insula"], outcome="relapse").table
    assert table.columns.tolist() == list(OUTCOMES)
    write_table(table, tmp_path / "outcomes.tsv", OUTCOMES)
    assert read_table(tmp_path / "outcomes.tsv")["status"].tolist() == ["fitted", "refused"]
