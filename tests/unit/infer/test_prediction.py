"""Prediction of a class: planted signals, the trap of unequal sites, leaks, refusals."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

from morpho.errors import DesignError
from morpho.infer.design import HeadSize
from morpho.infer.prediction.classifier import (
    FIXED_PENALTY,
    Problem,
    build_pipeline,
    prepare_fold,
    rank_area,
    score_out_of_fold,
    score_with_fixed_penalty,
)
from morpho.infer.prediction.columns import CALIBRATION, PREDICTION, PUBLISHED, SUBGROUPS
from morpho.infer.prediction.folds import leave_sites_out, mix_folds, name_families, shuffle_within
from morpho.infer.prediction.performance import band_ages
from morpho.infer.prediction.prediction import PredictionResult, Validation, predict_group
from morpho.infer.prediction.shuffles import deal_by_site, permute_labels, score_labels
from morpho.infer.study import Settings, Study
from morpho.stats.bootstrap import BlockAreas
from morpho.tables import read_table, write_table

FEATURES = [f"region{number}_L_mm3" for number in range(6)]
QUICK = Validation(n_repeats=1, n_permutations=19, n_draws=40)
SETTINGS = Settings(
    covariates=("age", "sex"),
    head_size=HeadSize("tiv_whole_mm3", ""),
    families={},
    min_group_size=10,
    confidence=0.95,
    n_permutations=100,
    seed=3,
    smallest_effects={},
)


def make_people(
    seed: int = 0,
    *,
    n: int = 150,
    shares: tuple[float, ...] = (0.5, 0.5, 0.5),
    effect: float = 0.0,
    offset: float = 0.0,
) -> pd.DataFrame:
    """People of several sites with six volumes, two of them smaller in patients by `effect` standard deviations."""
    rng = np.random.default_rng(seed)
    site = np.arange(n) % len(shares)
    is_patient = rng.random(n) < np.array(shares)[site]
    volumes = rng.normal(size=(n, len(FEATURES))) + offset * rng.normal(size=(len(shares), len(FEATURES)))[site]
    volumes[:, :2] -= effect * is_patient[:, None]
    people = pd.DataFrame(4000 + 400 * volumes, columns=FEATURES)
    return people.assign(
        participant_id=[f"sub-{number:03}" for number in range(n)],
        group=np.where(is_patient, "patient", "control"),
        sex=rng.choice(["F", "M"], n),
        age_years=rng.uniform(18, 70, n),
        site=[f"site {number}" for number in site],
        tiv_whole_mm3=rng.normal(1.5e6, 1e5, n),
    )


def predict(people: pd.DataFrame, validation: Validation = QUICK, **changes: Any) -> PredictionResult:
    given: dict[str, Any] = {"target": "group", "positive": "patient", "features": FEATURES, "population": {}}
    study = Study(people, people, SETTINGS, {}, {})
    return predict_group(study, validation=validation, **{**given, **changes})


@pytest.fixture(scope="module")
def planted() -> PredictionResult:
    return predict(make_people(effect=1.0))


def make_problem(people: pd.DataFrame) -> Problem:
    covariates = np.column_stack([people["age_years"], people["sex"] == "F"]).astype(float)
    X = np.column_stack([people[FEATURES].to_numpy(), covariates])
    label = (people["group"] == "patient").to_numpy()
    site = people["site"].to_numpy(dtype=str)
    return Problem(X, len(FEATURES), label, site, name_families([None] * len(people)))


def refusal(result: PredictionResult) -> str:
    assert [row["status"] for row in result.rows] == ["refused"]
    assert result.table["status"].tolist() == result.baseline["status"].tolist() == ["refused"]
    assert result.table["auc"].isna().all()
    return str(result.rows[0]["reason"])


def test_a_planted_difference_is_found_with_the_unseen_site_first(planted: PredictionResult) -> None:
    result = planted
    assert result.table["scheme"].tolist() == ["leave_site_out", "mixed_folds"]
    assert result.table["is_primary"].tolist() == [True, False]
    primary, secondary = result.rows
    assert primary["estimate"] > 0.7
    assert primary["ci_low"] > 0.5
    assert primary["ci_low"] < primary["ci90_low"] < primary["estimate"] < primary["ci90_high"] < primary["ci_high"]
    assert primary["p"] == primary["p_permutation"] == 1 / 20
    assert "p" not in secondary
    assert primary["null_value"] == 0.5
    assert (primary["effect_size"], primary["n"]) == ("auc", 150)
    assert primary["n_reference"] + primary["n_comparison"] == 150
    row = result.table.iloc[0]
    assert row["auc_gain"] == pytest.approx(row["auc_baseline"] * -1 + row["auc"])
    assert row["auc_gain_ci_low"] > 0
    assert row["brier"] < row["brier_of_prevalence"]


def test_a_site_offset_passes_for_depression_only_in_mixed_folds() -> None:
    # No signal, but sites differ in their volumes and in their share of patients: statistics.md 2.16.
    people = make_people(1, n=240, shares=(0.2, 0.5, 0.8), offset=1.5)
    table = predict(people).table.set_index("scheme")
    assert table.loc["leave_site_out", "auc"] == pytest.approx(0.5, abs=0.1)
    assert table.loc["mixed_folds", "auc_pooled"] > 0.65
    assert table.loc["mixed_folds", "auc_pooled"] == pytest.approx(
        table.loc["mixed_folds", "auc_pooled_of_site"], abs=0.1
    )
    assert table.loc["mixed_folds", "auc"] == pytest.approx(0.5, abs=0.1)
    assert "secondary" in table.loc["mixed_folds", "reason"]


def test_without_signal_p_is_spread_evenly() -> None:
    validation = replace(QUICK, n_permutations=9, n_draws=2, n_splits=2)
    p = [predict(make_people(seed, n=80, shares=(0.5,)), validation).rows[0]["p"] for seed in range(10, 22)]
    assert sum(value <= 0.2 for value in p) <= 6  # P = 0.004 if p is uniform
    assert 0.3 < np.mean([float(value) for value in p]) < 0.8


@pytest.mark.parametrize("by_site", [True, False])
def test_nothing_of_the_people_predicted_reaches_their_model(by_site: bool) -> None:
    problem = make_problem(make_people(2, n=90, effect=0.5))
    folds = leave_sites_out(problem.site, problem.family) if by_site else None
    folds = folds or mix_folds(problem.label, problem.site, problem.family, n_splits=3, seed=1)
    before = score_out_of_fold(problem, [folds], by_site=by_site, seed=1)
    tested = folds[1].test
    X, label = problem.X.copy(), problem.label.copy()
    X[tested[0]] = 1e6
    label[tested] = ~label[tested]
    after = score_out_of_fold(replace(problem, X=X, label=label), [folds], by_site=by_site, seed=1)
    assert after.log_odds[tested[1:]] == pytest.approx(before.log_odds[tested[1:]], rel=1e-12)
    assert after.log_odds[tested[0]] != before.log_odds[tested[0]]
    assert (
        np.abs(after.log_odds[folds[0].test] - before.log_odds[folds[0].test]).min() > 1e-6
    )  # it has learned from them


def test_each_step_is_learned_in_the_training_fold() -> None:
    problem = make_problem(make_people(3, n=60))
    problem.X[::7, 0] = np.nan
    fold = leave_sites_out(problem.site, problem.family)[0]
    excess = score_with_fixed_penalty(problem.label, [prepare_fold(problem, fold)])
    pipeline = build_pipeline(len(FEATURES), FIXED_PENALTY).fit(problem.X[fold.train], problem.label[fold.train])
    base = special.logit(problem.label[fold.train].mean())
    assert excess[fold.test] == pytest.approx(pipeline.decision_function(problem.X[fold.test]) - base)
    assert np.isnan(excess[fold.train]).all()
    # By hand: median, regression on the covariates, unit variance.
    train, test = problem.X[fold.train].copy(), problem.X[fold.test].copy()
    medians = np.nanmedian(train, axis=0)
    for part in (train, test):
        part[:] = np.where(np.isnan(part), medians, part)
    designs = [np.column_stack([np.ones(len(part)), part[:, 6:]]) for part in (train, test)]
    slopes = np.linalg.lstsq(designs[0], train[:, :6])[0]
    residuals = [part[:, :6] - design @ slopes for part, design in zip((train, test), designs, strict=True)]
    expected = residuals[1] / residuals[0].std(axis=0)
    assert prepare_fold(problem, fold).X_test == pytest.approx(expected)


def test_a_difference_in_age_shows_in_the_baseline_and_not_in_the_volumes() -> None:
    people = make_people(4)
    rng = np.random.default_rng(4)
    is_old = people["age_years"] + rng.normal(0, 10, len(people)) > 44
    people["group"] = np.where(is_old, "patient", "control")
    people[FEATURES] -= 40 * np.array(people["age_years"])[:, None]  # smaller with age, and only with age
    result = predict(people)
    assert (result.baseline["auc"] > 0.8).all()
    assert (result.table["auc"] < 0.65).all()
    assert (result.table["auc_gain"] < 0).all()
    assert result.baseline["features"].str.contains("age_years").all()


@pytest.mark.parametrize(
    ("change", "changes", "reason"),
    [
        ({}, {"features": ["nowhere_L_mm3"]}, "none of the 1 features was measured: nowhere_L_mm3"),
        ({}, {"target": "responder"}, "no column responder"),
        ({}, {"population": {"state": "acute"}}, "no column state"),
        ({}, {"positive": "bipolar"}, "one of them bipolar; seen: .*control"),
        ({"group": "patient"}, {}, "needs two values, one of them patient; seen: patient 150"),
        ({"group": np.nan}, {}, "seen: none"),
        ({FEATURES[0]: np.nan}, {"features": FEATURES[:1]}, "none of the 1 features was measured"),
        ({"age_years": np.nan}, {}, "too few people: 0 patient, 0 control.*150 people without all covariates"),
    ],
)
def test_a_prediction_that_cannot_be_made_is_a_refused_row(
    change: Mapping[str, Any], changes: Mapping[str, Any], reason: str
) -> None:
    people = make_people(5).assign(**change)
    assert pd.Series([refusal(predict(people, **changes))]).str.contains(reason).all()


def test_few_people_are_refused_with_their_number() -> None:
    reason = refusal(predict(make_people(6, n=24, shares=(0.5,))))
    assert "where a prediction needs 20 of each" in reason
    result = predict(make_people(6, n=24, shares=(0.5,)), replace(QUICK, fewest_per_class=8))
    assert [row["status"] for row in result.rows] == ["fitted"]


def test_sites_with_one_class_are_left_out_and_all_such_sites_are_refused() -> None:
    people = make_people(7, n=200, shares=(0.5, 0.5, 1.0, 0.5))
    result = predict(people)
    assert result.table["n"].tolist() == [150, 150]
    assert "50 people of sites without 5 of both classes left out: site 2" in str(result.rows[0]["reason"])
    assert result.per_site["level"].tolist() == ["site 0", "site 1", "site 3"]
    people["site"] = people["group"]
    assert "site and group cannot be told apart" in refusal(predict(people))


def test_one_site_says_that_nothing_is_known_of_others() -> None:
    people = make_people(8, n=80, shares=(0.5,), effect=1.0)
    for table in (people.drop(columns="site"), people.assign(site=np.nan)):
        result = predict(table)
        assert result.table["scheme"].tolist() == ["single_site"]
        assert result.table["is_primary"].tolist() == [True]
        assert "nothing is known about other sites" in str(result.rows[0]["reason"])
        assert result.rows[0]["estimate"] > 0.6


def test_odd_names_and_missing_values_do_no_harm() -> None:
    people = make_people(9, effect=1.0).rename(columns={FEATURES[0]: "HADS-anx ~ Q('x')", "group": "5-year relapse?"})
    people["5-year relapse?"] = people["5-year relapse?"].map({"patient": "yes", "control": "no"})
    people["state"] = "acute"
    people.loc[:2, "state"] = "remitted"
    people.loc[3:5, "5-year relapse?"] = np.nan
    people.loc[6:7, "sex"] = np.nan
    people.loc[8, "site"] = np.nan
    people.loc[10:40:3, FEATURES[1]] = np.nan
    features = ["HADS-anx ~ Q('x')", *FEATURES[1:], "absent"]
    changes = {"target": "5-year relapse?", "positive": "yes", "features": features, "population": {"state": "acute"}}
    row = predict(people, **changes).rows[0]
    assert row["n"] == 150 - 3 - 3 - 2 - 1
    for note in (
        "not measured: absent",
        "3 people without a value",
        "2 people without all cov",
        "1 people without a site",
    ):
        assert note in str(row["reason"])
    assert row["estimate"] > 0.6


def test_the_covariate_that_is_predicted_is_no_covariate() -> None:
    result = predict(make_people(10), target="sex", positive="F")
    assert result.table["covariates"].tolist() == ["age_years + tiv_whole_dm3"] * 2


def test_without_covariates_there_is_no_baseline() -> None:
    people = make_people(11, n=60, shares=(0.5,)).assign(age_years=40.0, sex="F", tiv_whole_mm3=1.5e6)
    result = predict(people)
    assert result.table["status"].tolist() == ["fitted"]
    assert result.baseline["status"].tolist() == ["refused"]
    assert result.table["auc_gain"].isna().all()


def test_results_do_not_depend_on_the_names_of_sites_or_the_units_of_volumes() -> None:
    people = make_people(12, n=60, shares=(0.5, 0.5), effect=0.5)
    renamed = people.assign(site=people["site"].str.replace("site", "scanner"))
    renamed[FEATURES] /= 1000
    pd.testing.assert_frame_equal(predict(renamed).table, predict(people).table, rtol=1e-6)


def test_subgroups_have_their_numbers_and_a_least_size() -> None:
    people = make_people(13, effect=1.0)
    people.loc[people["age_years"] < 22, "age_years"] = 30
    people.loc[:5, "age_years"] = 20
    result = predict(people)
    groups = result.subgroups.set_index(["subgroup", "level"])
    assert groups.loc[("sex", "F"), "n"] + groups.loc[("sex", "M"), "n"] == 150
    young = groups.loc[("age_band", "up to 21 years")]
    assert (young["status"], young["n"]) == ("refused", 6)
    assert groups.loc[("age_band", "22 to 59 years"), "auc"] > 0.6
    assert result.per_site["n"].tolist() == [50, 50, 50]
    assert (result.per_site["auc_ci_low"] <= result.per_site["auc"]).all()


def test_age_bands_divide_where_they_say() -> None:
    bands = band_ages(pd.Series([21.9, 22.0, 59.9, 60.0, np.nan]))
    assert bands.tolist()[:4] == ["up to 21 years", "22 to 59 years", "22 to 59 years", "60 years and more"]
    assert pd.isna(bands[4])


def test_predictive_values_fall_with_the_prevalence(planted: PredictionResult) -> None:
    row = planted.table.iloc[0]
    expected = row["sensitivity"] * 0.07 / (row["sensitivity"] * 0.07 + (1 - row["specificity"]) * 0.93)  # Bayes
    assert row["ppv_population"] == pytest.approx(expected)
    assert row["ppv_population"] < row["ppv_study"]
    assert row["population_prevalence"] == 0.07


def test_bins_of_calibration_hold_everyone_once(planted: PredictionResult) -> None:
    result = planted
    bins = result.calibration.groupby(["scheme", "model"])
    assert bins["n"].sum().tolist() == [150] * 4
    observed = (result.calibration["n"] * result.calibration["observed"]).groupby(result.calibration["scheme"]).sum()
    assert observed.tolist() == pytest.approx([2 * result.rows[0]["n_comparison"]] * 2)


def test_the_published_results_stand_beside(planted: PredictionResult) -> None:
    table = planted.table
    assert table["published_balanced_accuracy"].tolist() == [0.52, 0.52]
    for result in PUBLISHED:
        assert result.source in table.loc[0, "published"]
        assert str(result.n) in table.loc[0, "published"]


def test_every_column_is_described_and_survives_the_disk(planted: PredictionResult, tmp_path: Path) -> None:
    result = planted
    tables = {
        "table": (result.table, PREDICTION),
        "baseline": (result.baseline, PREDICTION),
        "site": (result.per_site, SUBGROUPS),
        "subgroups": (result.subgroups, SUBGROUPS),
        "calibration": (result.calibration, CALIBRATION),
    }
    for name, (table, columns) in tables.items():
        assert table.columns.tolist() == list(columns)
        write_table(table, tmp_path / f"{name}.tsv", columns)
        assert len(read_table(tmp_path / f"{name}.tsv")) == len(table) > 0


def test_the_same_seed_gives_the_same_numbers(planted: PredictionResult) -> None:
    assert predict(make_people(effect=1.0)).rows == planted.rows


def test_families_are_never_divided() -> None:
    rng = np.random.default_rng(19)
    label, site = rng.random(120) < 0.5, np.repeat(["A", "B", "C"], 40)
    family = name_families([f"{number // 3}" for number in rng.permutation(120)])
    for folds in (mix_folds(label, site, family, n_splits=5, seed=1), leave_sites_out(site, family)):
        assert sorted(np.concatenate([fold.test for fold in folds])) == list(range(120))
        for fold in folds:
            assert not set(family[fold.train]) & set(family[fold.test])


def test_people_without_a_family_stand_alone() -> None:
    assert len(set(name_families(["a", "a", None, np.nan, "", 3.0, 3.0]))) == 5


def test_mixed_folds_keep_the_share_of_the_label_at_every_site() -> None:
    site = np.repeat(["A", "B", "tiny"], [50, 50, 6])
    label = np.tile([True, False], 53)
    folds = mix_folds(label, site, name_families([None] * 106), n_splits=5, seed=2)
    for fold in folds:
        for name in ("A", "B"):
            inside = fold.test[site[fold.test] == name]
            assert len(inside) in range(8, 13)
            assert 3 <= label[inside].sum() <= 7


def test_folds_of_too_few_people_are_refused() -> None:
    site, family = np.array(["A"] * 4), name_families([None] * 4)
    with pytest.raises(DesignError, match="there are 3 and 1"):
        mix_folds(np.array([True, False, False, False]), site, family, n_splits=2, seed=1)
    with pytest.raises(DesignError, match="at least 2 sites"):
        leave_sites_out(site, family)


def test_shuffling_keeps_the_share_of_every_site() -> None:
    site, label = np.repeat(["A", "B"], 20), np.repeat([True, False, True, False], [15, 5, 3, 17])
    shuffled = shuffle_within(label, site, np.random.default_rng(1))
    assert (shuffled != label).any()
    assert [shuffled[site == name].sum() for name in ("A", "B")] == [15, 3]


def test_areas_within_sites_ignore_offsets_between_sites() -> None:
    site = np.repeat(["A", "B"], [4, 3])
    label = np.array([True, False, True, False, True, False, False])
    score = np.array([2.0, 1.0, 4.0, 3.0, 30.0, 20.0, 40.0])
    # A: 3 of 4 pairs, weight 2 * 2 / 4 = 1; B: 1 of 2 pairs, weight 1 * 2 / 3: (0.75 + 0.5 * 2 / 3) / (5 / 3) = 0.65
    everybody = np.arange(len(label))
    assert BlockAreas(label, site, score)(everybody) == pytest.approx(0.65)
    assert BlockAreas(label, site, score + 100 * (site == "B"))(everybody) == pytest.approx(0.65)
    assert np.isnan(BlockAreas(label, label.astype(str), score)(everybody))
    assert np.isnan(rank_area(np.array([True, True]), np.array([1.0, 2.0])))


def test_many_shuffles_at_once_score_as_one_by_one() -> None:
    problem = make_problem(make_people(n=180, effect=0.5))
    problem.X[3, 1] = np.nan
    rng = np.random.default_rng(2)
    labels = np.column_stack([problem.label, *(shuffle_within(problem.label, problem.site, rng) for _ in range(60))])
    folds = leave_sites_out(problem.site, problem.family)
    together = score_labels(problem, folds, labels)
    problem.X[3, 1] = np.nanmedian(problem.X[:, 1])
    prepared = [prepare_fold(problem, fold) for fold in folds]
    alone = np.column_stack([score_with_fixed_penalty(label, prepared) for label in labels.T])
    assert together == pytest.approx(alone, abs=2e-3)  # the classifier stops at gradients of 1e-4
    assert np.corrcoef(together.ravel(), alone.ravel())[0, 1] > 0.999999


def test_a_large_cohort_is_not_tuned_and_says_so() -> None:
    people = make_people(n=300, effect=0.8)
    tuned, large = predict(people), predict(people, replace(QUICK, many=200))
    for result in (tuned, large):
        assert result.table["p_permutation"].tolist() == [1 / 20, 1 / 20]
    assert large.table["auc"].to_numpy() == pytest.approx(tuned.table["auc"].to_numpy(), abs=0.02)
    assert large.table["penalty_median"].tolist() == [1.0, 1.0]
    assert large.table["reason"].str.contains("more than 200 people: penalty 1 instead of one that is tuned").all()
    assert not tuned.table["reason"].str.contains("penalty").any()


@pytest.mark.parametrize("by_site", [True, False])
def test_shuffles_of_a_large_cohort_without_a_difference_are_like_the_true_labels(by_site: bool) -> None:
    p = []
    for seed in range(60):
        problem = make_problem(make_people(seed, n=90, shares=(0.3, 0.6), offset=1.0))
        folds = leave_sites_out(problem.site, problem.family)
        if not by_site:
            folds = deal_by_site(problem, n_splits=5, seed=seed)
        p.append(permute_labels(problem, folds, n_permutations=19, seed=seed))
    assert stats.kstest(p, "uniform").pvalue > 0.001
    assert np.mean(np.array(p) <= 0.1) < 0.1 + 3 * np.sqrt(0.09 / 60)
