"""Group comparison and severity association: tables, refusals, exclusions and laws."""

import numpy as np
import pandas as pd
import pytest

from morpho.infer.design import HeadSize
from morpho.infer.dictionaries import ADJUSTED_VOLUMES, EFFECTS, PARTIAL_RESIDUALS, SENSITIVITY, SEVERITY
from morpho.infer.models import GroupComparison, SeverityAssociation, associate_severity, compare_groups, join_tables
from morpho.infer.quality.set_names import SET_COLUMNS
from morpho.infer.study import Settings, Study, build_study
from morpho.stats.effects import adjust_p
from morpho.tables import TEXT_COLUMNS

FAMILIES = {
    "primary": {"rois": ["hippocampus", "amygdala"], "hemispheres": ["mean"]},
    "hemispheres": {"rois": ["hippocampus", "amygdala"], "hemispheres": ["L", "R"]},
    "totals": {"rois": ["brain_volume"], "hemispheres": ["whole"]},
}
SETTINGS = {
    "families": FAMILIES,
    "covariates": ["age", "sex"],
    "head_size": HeadSize("tiv_whole_mm3", "total intracranial volume"),
    "min_group_size": 3,
    "confidence": 0.95,
    "n_permutations": 99,
    "seed": 1,
    "smallest_effects": {"g": 0.2, "partial_r": 0.1},
}
EXCLUSIONS = ["participant_id", "session_id", "scan", "stage", "reason"]
INVARIANT = ["t", "df", "p", "p_fdr", "d", "g", "g_ci_low", "g_ci_high", "d_enigma", "vif", "percent"]


@pytest.fixture
def cohort() -> pd.DataFrame:
    rng = np.random.default_rng(7)
    n = 40
    is_patient = np.arange(n) >= 18
    tiv_mm3 = rng.normal(1.5e6, 1e5, n)
    left, right, amygdala = (rng.normal(mean, sd, n) for mean, sd in ((3400, 250), (3500, 250), (1600, 120)))
    left, right = left - 200 * is_patient, right - 200 * is_patient
    return pd.DataFrame(
        {
            "participant_id": [f"sub-{number:02}" for number in range(n)],
            "session_id": "",
            "scan": [f"sub-{number:02}" for number in range(n)],
            "group": np.where(is_patient, "patient", "control"),
            "sex": rng.choice(["F", "M"], n),
            "age_years": rng.uniform(18, 60, n),
            "site": rng.choice(["north", "south"], n),
            "severity_BDI": np.where(is_patient, rng.uniform(10, 50, n), np.nan),
            "hippocampus_L_mm3": left,
            "hippocampus_R_mm3": right,
            "hippocampus_mean_mm3": (left + right) / 2,
            "amygdala_L_mm3": amygdala,
            "amygdala_R_mm3": amygdala + rng.normal(0, 30, n),
            "amygdala_mean_mm3": amygdala + rng.normal(0, 10, n),
            "brain_volume_whole_mm3": 0.8 * tiv_mm3 + rng.normal(0, 3e4, n),
            "tiv_whole_mm3": tiv_mm3,
        }
    )


def prepare(cohort: pd.DataFrame, scales: list[str], **changes: object) -> tuple[Study, pd.DataFrame]:
    groups = {"reference_group": "control", "comparison_group": "patient"}
    chosen = {name: changes.pop(name, group) for name, group in groups.items()}
    settings = Settings(**{**SETTINGS, **changes})
    study, left_out = build_study(cohort, settings, **chosen, domains={"severity": [f"severity_{s}" for s in scales]})
    return study, left_out


def compare(cohort: pd.DataFrame, **changes: object) -> GroupComparison:
    study, left_out = prepare(cohort, [], **changes)
    comparison = compare_groups(study)
    exclusions = join_tables([left_out, comparison.exclusions], EXCLUSIONS)
    return GroupComparison(**{**vars(comparison), "exclusions": exclusions})


def associate(cohort: pd.DataFrame, scales: tuple[str, ...] = ("BDI",), **changes: object) -> SeverityAssociation:
    study, left_out = prepare(cohort, list(scales), **changes)
    association = associate_severity(study)
    exclusions = join_tables([left_out, association.exclusions], EXCLUSIONS)
    return SeverityAssociation(**{**vars(association), "exclusions": exclusions})


def numbers_of(table: pd.DataFrame) -> pd.DataFrame:
    return table[[name for name in table if name not in TEXT_COLUMNS and name != "family_size"]]


# --- tables


def test_tables_have_the_columns_of_their_dictionaries(cohort: pd.DataFrame) -> None:
    comparison, association = compare(cohort), associate(cohort)
    assert list(comparison.effects) == list(EFFECTS)
    assert list(comparison.adjusted_volumes) == list(ADJUSTED_VOLUMES)
    assert list(comparison.sensitivity) == list(SENSITIVITY)
    assert list(association.associations) == list(SEVERITY)
    assert list(association.partial_residuals) == list(PARTIAL_RESIDUALS)


def test_one_row_per_family_region_and_hemisphere_in_the_configured_order(cohort: pd.DataFrame) -> None:
    effects = compare(cohort).effects
    places = effects[["family", "roi", "hemisphere"]].agg("/".join, axis=1).tolist()
    assert places == [
        "primary/hippocampus/mean", "primary/amygdala/mean",
        "hemispheres/hippocampus/L", "hemispheres/hippocampus/R", "hemispheres/amygdala/L", "hemispheres/amygdala/R",
        "totals/brain_volume/whole",
    ]  # fmt: skip
    assert effects["family_size"].tolist() == [2, 2, 4, 4, 4, 4, 1]
    assert (effects["status"] == "fitted").all()
    always = [name for name in numbers_of(effects) if not name.startswith("effect_") and name not in SET_COLUMNS]
    assert not effects[always].isna().any(axis=None)


def test_raw_means_are_those_of_the_people_analysed(cohort: pd.DataFrame) -> None:
    row = compare(cohort).effects.iloc[0]
    volumes = cohort.groupby("group")["hippocampus_mean_mm3"]
    assert (row["n_reference"], row["n_comparison"], row["n_sites"]) == (18, 22, 2)
    assert row["mean_reference_mm3"] == pytest.approx(volumes.mean()["control"])
    assert row["sd_comparison_mm3"] == pytest.approx(volumes.std()["patient"])


def test_percent_is_of_the_adjusted_mean_of_the_reference_group(cohort: pd.DataFrame) -> None:
    effects = compare(cohort).effects
    difference = effects["adjusted_mean_comparison_mm3"] - effects["adjusted_mean_reference_mm3"]
    assert difference.to_numpy() == pytest.approx(effects["estimate_mm3"].to_numpy())
    for percent, mm3 in (("percent", "estimate_mm3"), ("percent_ci_low", "ci_low_mm3")):
        expected = 100 * effects[mm3] / effects["adjusted_mean_reference_mm3"]
        assert effects[percent].to_numpy() == pytest.approx(expected.to_numpy())


def test_p_is_corrected_within_each_family(cohort: pd.DataFrame) -> None:
    for _, rows in compare(cohort).effects.groupby("family"):
        assert rows["p_fdr"].to_numpy() == pytest.approx(adjust_p(rows["p"].to_numpy()))


def test_adjusted_volumes_are_the_people_of_the_model(cohort: pd.DataFrame) -> None:
    comparison = compare(cohort)
    rows = comparison.adjusted_volumes.query("family == 'primary' and roi == 'hippocampus'")
    means = rows.groupby("group")["adjusted_volume_mm3"].mean()
    effect = comparison.effects.iloc[0]
    assert rows["participant_id"].tolist() == cohort["participant_id"].tolist()
    assert rows["volume_mm3"].to_numpy() == pytest.approx(cohort["hippocampus_mean_mm3"].to_numpy())
    assert means["control"] == pytest.approx(effect["adjusted_mean_reference_mm3"])
    assert means["patient"] == pytest.approx(effect["adjusted_mean_comparison_mm3"])


def test_partial_residuals_carry_the_slope(cohort: pd.DataFrame) -> None:
    association = associate(cohort)
    rows = association.partial_residuals.query("family == 'primary' and roi == 'amygdala'")
    row = association.associations.iloc[1]
    slope = np.polyfit(rows["severity_residual"], rows["volume_residual_mm3"], 1)[0]
    assert slope == pytest.approx(row["slope_mm3_per_point"])
    assert len(rows) == row["n"] == 22


# --- laws


def test_the_sign_is_comparison_minus_reference(cohort: pd.DataFrame) -> None:
    row = compare(cohort).effects.iloc[0]
    assert row["contrast"] == "patient - control"
    assert max(row["estimate_mm3"], row["percent"], row["d"], row["g"], row["d_enigma"], row["t"]) < 0


def test_exchanging_the_groups_turns_every_sign(cohort: pd.DataFrame) -> None:
    forward = compare(cohort).effects
    backward = compare(cohort, reference_group="patient", comparison_group="control").effects
    for name, mirror in [
        ("estimate_mm3", "estimate_mm3"), ("t", "t"), ("g", "g"), ("d_enigma", "d_enigma"),
        ("ci_low_mm3", "ci_high_mm3"), ("g_ci_low", "g_ci_high"), ("d_enigma_ci_low", "d_enigma_ci_high"),
    ]:  # fmt: skip
        assert forward[name].to_numpy() == pytest.approx(-backward[mirror].to_numpy(), rel=1e-6)
    assert forward["p"].to_numpy() == pytest.approx(backward["p"].to_numpy(), rel=1e-8)


def test_the_unit_of_volume_leaves_effect_sizes_alone(cohort: pd.DataFrame) -> None:
    volumes = [name for name in cohort if name.endswith("_mm3")]
    scaled = cohort.copy()
    scaled[volumes] *= 3.0
    one, three = compare(cohort).effects, compare(scaled).effects
    for name in INVARIANT:
        assert one[name].to_numpy(dtype=float) == pytest.approx(three[name].to_numpy(dtype=float), rel=1e-6)
    assert three["estimate_mm3"].to_numpy() == pytest.approx(3 * one["estimate_mm3"].to_numpy(), rel=1e-8)


def test_the_order_of_rows_does_not_matter(cohort: pd.DataFrame) -> None:
    shuffled = cohort.sample(frac=1, random_state=1)
    for one, other in (
        (compare(cohort).effects, compare(shuffled).effects),
        (associate(cohort).associations, associate(shuffled).associations),
    ):
        pd.testing.assert_frame_equal(one, other, rtol=1e-7)


def test_names_of_sites_do_not_matter(cohort: pd.DataFrame) -> None:
    renamed = cohort.assign(site=cohort["site"].map({"north": "z", "south": "a"}))
    pd.testing.assert_frame_equal(compare(cohort).effects, compare(renamed).effects, rtol=1e-7)


def test_a_wider_confidence_widens_all_but_the_enigma_interval(cohort: pd.DataFrame) -> None:
    narrow, wide = compare(cohort, confidence=0.90).effects, compare(cohort, confidence=0.99).effects
    assert (wide["ci_low_mm3"] < narrow["ci_low_mm3"]).all()
    assert (wide["g_ci_high"] > narrow["g_ci_high"]).all()
    assert wide["d_enigma_ci_low"].equals(narrow["d_enigma_ci_low"])
    narrow, wide = associate(cohort, confidence=0.90).associations, associate(cohort, confidence=0.99).associations
    assert (wide["partial_r_ci_low"] < narrow["partial_r_ci_low"]).all()


def test_controls_take_no_part_in_severity_models(cohort: pd.DataFrame) -> None:
    with_scores = cohort.copy()
    with_scores.loc[with_scores["group"] == "control", "severity_BDI"] = 0.0
    pd.testing.assert_frame_equal(associate(cohort).associations, associate(with_scores).associations)


def test_each_scale_has_its_own_family(cohort: pd.DataFrame) -> None:
    cohort["severity_HAMD17"] = cohort["severity_BDI"].to_numpy()[::-1]
    cohort.loc[18:, "severity_HAMD17"] = np.random.default_rng(3).uniform(5, 30, 22)
    both = associate(cohort, scales=("BDI", "HAMD17")).associations
    alone = associate(cohort, scales=("HAMD17",)).associations
    assert both["scale"].tolist() == ["BDI"] * 7 + ["HAMD17"] * 7
    pd.testing.assert_frame_equal(both.iloc[7:].reset_index(drop=True), alone)


def test_no_scale_gives_empty_tables_with_their_columns(cohort: pd.DataFrame) -> None:
    association = associate(cohort, scales=())
    assert association.associations.empty
    assert list(association.associations) == list(SEVERITY)
    assert list(association.partial_residuals) == list(PARTIAL_RESIDUALS)


def test_the_cohort_table_is_not_changed(cohort: pd.DataFrame) -> None:
    before = cohort.copy()
    compare(cohort)
    associate(cohort)
    pd.testing.assert_frame_equal(cohort, before)


# --- covariates and head size


def test_the_head_size_used_is_in_every_row(cohort: pd.DataFrame) -> None:
    effects = compare(cohort, head_size=HeadSize("brain_volume_whole_mm3", "brain volume")).effects
    assert effects["head_size"].tolist() == ["brain_volume_whole_mm3"] * 6 + ["none"]
    assert "the outcome itself" in effects["head_size_note"].iloc[-1]
    assert "brain_volume_whole_dm3" in effects["formula"].iloc[0]
    assert "dm3" not in effects["formula"].iloc[-1]


def test_one_sex_only_is_left_out_and_said(cohort: pd.DataFrame) -> None:
    effects = compare(cohort.assign(sex="F")).effects
    assert (effects["status"] == "fitted").all()
    assert not effects["formula"].str.contains("sex").any()
    assert effects["reason"].str.contains("sex left out of the model: it is F for everyone").all()


def test_without_site_the_model_has_no_site_term(cohort: pd.DataFrame) -> None:
    effects = compare(cohort.drop(columns="site")).effects
    assert not effects["formula"].str.contains("site").any()
    assert effects["n_sites"].tolist() == [1] * 7


# --- refusals


def check_refused(table: pd.DataFrame, reason: str) -> None:
    assert (table["status"] == "refused").all()
    assert table["reason"].str.contains(reason, regex=False).all(), table["reason"].tolist()
    assert numbers_of(table).isna().all(axis=None)


def test_without_a_group_column_everything_is_refused(cohort: pd.DataFrame) -> None:
    groupless = cohort.drop(columns="group")
    comparison, association = compare(groupless), associate(groupless)
    check_refused(comparison.effects, "participants.tsv has no group column (config participants.columns.group)")
    check_refused(association.associations, "participants.tsv has no group column")
    assert comparison.adjusted_volumes.empty
    assert comparison.effects["family_size"].tolist() == [2, 2, 4, 4, 4, 4, 1]
    assert list(comparison.effects) == list(EFFECTS)


def test_an_empty_group_column_is_refused(cohort: pd.DataFrame) -> None:
    comparison = compare(cohort.assign(group=None))
    check_refused(comparison.effects, "only one group is present: 0 control, 0 patient")
    assert comparison.exclusions["reason"].tolist() == ["no group known"] * 40


def test_a_cohort_of_one_group_is_refused(cohort: pd.DataFrame) -> None:
    check_refused(compare(cohort.iloc[18:]).effects, "only one group is present: 0 control, 22 patient")


def test_a_cohort_of_nobody_is_refused(cohort: pd.DataFrame) -> None:
    check_refused(compare(cohort.iloc[:0]).effects, "0 control, 0 patient")
    check_refused(associate(cohort.iloc[:0]).associations, "0 people")


def test_too_few_people_in_a_group_are_refused(cohort: pd.DataFrame) -> None:
    few = cohort.iloc[16:]
    check_refused(compare(few).effects, "too few people: 2 control, 22 patient with all values")
    assert (compare(few, min_group_size=2).effects["status"] == "fitted").all()


def test_too_few_people_for_missing_values_are_refused_with_the_column(cohort: pd.DataFrame) -> None:
    cohort.loc[2:17, "age_years"] = np.nan
    check_refused(compare(cohort).effects, "too few people: 2 control, 22 patient")
    check_refused(compare(cohort).effects, "without a value: age_years 16")


def test_a_scale_that_too_few_have_is_refused(cohort: pd.DataFrame) -> None:
    cohort.loc[20:, "severity_BDI"] = np.nan
    check_refused(associate(cohort).associations, "too few people: 2 people with all values")


def test_a_constant_scale_is_refused(cohort: pd.DataFrame) -> None:
    check_refused(associate(cohort.assign(severity_BDI=21.0)).associations, "severity_BDI does not vary: it is 21.0")


def test_group_confounded_with_site_is_refused(cohort: pd.DataFrame) -> None:
    confounded = cohort.assign(site=cohort["group"].map({"control": "north", "patient": "south"}))
    check_refused(compare(confounded).effects, "C(site)[T.south] cannot be told apart")


def test_too_few_degrees_of_freedom_are_refused(cohort: pd.DataFrame) -> None:
    few = cohort.iloc[15:21].assign(sex=list("FMFMFM"), site=list("aabbab"))
    check_refused(compare(few).effects, "leave 0 residual degrees of freedom")


def test_one_refused_region_leaves_the_others_and_the_size_of_the_family(cohort: pd.DataFrame) -> None:
    full = compare(cohort).effects
    effects = compare(cohort.assign(amygdala_mean_mm3=1500.0)).effects
    assert effects["status"].tolist() == ["fitted", "refused"] + ["fitted"] * 5
    assert "amygdala_mean_mm3 does not vary" in effects["reason"].iloc[1]
    check_refused(effects.iloc[[1]], "it is 1500.0 for all 40 people")
    assert effects["family_size"].iloc[0] == 2
    assert effects["p_fdr"].iloc[0] == pytest.approx(2 * full["p"].iloc[0])


def test_a_region_that_was_not_measured_is_refused(cohort: pd.DataFrame) -> None:
    effects = compare(cohort.drop(columns="hippocampus_L_mm3")).effects
    assert effects["status"].tolist() == ["fitted"] * 2 + ["refused"] + ["fitted"] * 4
    assert "no column hippocampus_L_mm3" in effects["reason"].iloc[2]


# --- who did not enter


def test_a_missing_volume_takes_the_person_from_that_row_only(cohort: pd.DataFrame) -> None:
    cohort.loc[0, "hippocampus_L_mm3"] = np.nan
    comparison = compare(cohort)
    assert comparison.effects["n_reference"].tolist() == [18, 18, 17, 18, 18, 18, 18]
    exclusion = comparison.exclusions.iloc[0]
    assert len(comparison.exclusions) == 1
    assert exclusion["participant_id"] == "sub-00"
    assert exclusion["stage"] == "models"
    assert exclusion["reason"] == "not in 1 of 7 group models: no value for hippocampus_L_mm3"


def test_a_missing_covariate_takes_the_person_from_all_models(cohort: pd.DataFrame) -> None:
    cohort.loc[39, "age_years"] = np.nan
    comparison, association = compare(cohort), associate(cohort)
    assert comparison.effects["n_comparison"].tolist() == [21] * 7
    assert comparison.exclusions["reason"].tolist() == ["not in 7 of 7 group models: no value for age_years"]
    assert association.exclusions["reason"].tolist() == ["not in 7 of 7 severity models: no value for age_years"]


def test_people_of_other_groups_and_of_none_are_listed(cohort: pd.DataFrame) -> None:
    cohort["group"] = cohort["group"].astype(object)
    cohort.loc[[0, 1], "group"] = ["bipolar", None]
    reasons = compare(cohort).exclusions.set_index("participant_id")["reason"]
    assert reasons.to_dict() == {
        "sub-00": "group bipolar is not compared (control and patient are)",
        "sub-01": "no group known",
    }


def test_later_sessions_are_listed_and_count_nowhere(cohort: pd.DataFrame) -> None:
    second = cohort.iloc[[5, 30]].assign(session_id="ses-2", scan=["sub-05_ses-2", "sub-30_ses-2"])
    twice = pd.concat([second, cohort.assign(session_id="ses-1")], ignore_index=True)
    comparison = compare(twice)
    assert comparison.exclusions["scan"].tolist() == ["sub-05_ses-2", "sub-30_ses-2"]
    pd.testing.assert_frame_equal(comparison.effects, compare(cohort).effects)
    assert associate(twice).exclusions["scan"].tolist() == ["sub-05_ses-2", "sub-30_ses-2"]


def test_nobody_is_listed_when_everybody_enters(cohort: pd.DataFrame) -> None:
    exclusions = compare(cohort).exclusions
    assert exclusions.empty
    assert list(exclusions) == ["participant_id", "session_id", "scan", "stage", "reason"]
