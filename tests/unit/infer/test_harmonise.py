"""Harmonisation: planted site differences go, planted effects stay, bad cohorts are refused with their reason."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from morpho.errors import DesignError
from morpho.infer.design import HeadSize
from morpho.infer.sites.dictionaries import HARMONISATION
from morpho.infer.sites.harmonise import apply_harmonisation, harmonise_cohort, learn_harmonisation
from morpho.infer.study import Settings
from morpho.stats.combat import apply_combat, learn_combat

SETTINGS = Settings(["age", "sex"], HeadSize("tiv_whole_mm3", ""), {}, 3, 0.95, 100, 1, {"g": 0.2})
REGIONS = ["hippocampus", "amygdala", "rostral-acc", "dlpfc", "vmpfc", "lofc"]
VOLUMES = [f"{region}_mean_mm3" for region in REGIONS]
SITES = ["north", "site 'B' 2", "south"]
OFFSET_MM3, EFFECT_MM3 = 400.0, -150.0


def make_people(n: int = 360, seed: int = 1, patients_at_second: float = 0.7) -> pd.DataFrame:
    """Three sites, of which the second measures more and wider, with more patients; patients are smaller everywhere."""
    rng = np.random.default_rng(seed)
    site = rng.choice(SITES, n)
    patient = rng.random(n) < np.where(site == SITES[1], patients_at_second, 0.4)
    age, tiv = rng.uniform(18, 65, n), rng.normal(1.5e6, 1e5, n)
    people = pd.DataFrame(
        {
            "participant_id": [f"sub-{number:03}" for number in range(n)],
            "group": np.where(patient, "patient", "control"),
            "sex": rng.choice(["F", "M"], n),
            "age_years": age,
            "site": site,
            "HADS-anx": rng.normal(size=n),
            "tiv_whole_mm3": tiv,
        }
    )
    for name in VOLUMES:
        own = 3000 - 5 * (age - 40) + 4e-4 * (tiv - 1.5e6) + EFFECT_MM3 * patient
        noise = rng.normal(0, 200, n) * np.where(site == SITES[1], 1.6, 1)
        people[name] = own + noise + OFFSET_MM3 * (site == SITES[1])
    return people


def adjust(people: pd.DataFrame, column: str, *, site: bool) -> pd.Series:
    """Regress a volume on everything that was planted, with or without site."""
    terms = {
        "patient": (people["group"] == "patient").astype(float),
        "age": people["age_years"],
        "tiv": people["tiv_whole_mm3"] / 1e6,
        "intercept": 1.0,
    }
    if site:
        terms |= {"second": (people["site"] == SITES[1]).astype(float)}
    X = pd.DataFrame(terms, index=people.index)
    return pd.Series(np.linalg.lstsq(X.to_numpy(), people[column].to_numpy(), rcond=None)[0], index=X.columns)


def spread_at(people: pd.DataFrame, site: str, column: str) -> float:
    own = people[people["site"] == site]
    return float(own.loc[own["group"] == "control", column].std())


# --- what goes and what stays


def test_site_offset_and_spread_go_and_the_effect_of_group_stays() -> None:
    people = make_people()
    result = harmonise_cohort(people, SETTINGS, VOLUMES)
    before = [adjust(people, name, site=True) for name in VOLUMES]
    after = [adjust(result.people, name, site=True) for name in VOLUMES]
    assert np.mean([fit["second"] for fit in before]) == pytest.approx(OFFSET_MM3, abs=40)
    assert np.mean([fit["second"] for fit in after]) == pytest.approx(0, abs=5)
    assert np.mean([fit["patient"] for fit in after]) == pytest.approx(EFFECT_MM3, abs=20)
    assert np.mean([fit["age"] for fit in after]) == pytest.approx(-5, abs=1)
    ratios = [
        np.mean([spread_at(table, SITES[1], name) / spread_at(table, SITES[0], name) for name in VOLUMES])
        for table in (people, result.people)
    ]
    assert ratios == pytest.approx([1.5, 1.0], abs=0.12)


def test_without_protecting_group_part_of_the_effect_goes_with_the_sites() -> None:
    people = make_people(2000, patients_at_second=0.9)
    effects = []
    for protect in (["group", "age", "sex", "head_size"], ["age", "sex", "head_size"]):
        harmonised = harmonise_cohort(people, SETTINGS, VOLUMES, protect=protect).people
        effects.append(np.mean([adjust(harmonised, name, site=False)["patient"] for name in VOLUMES]))
    assert effects[0] == pytest.approx(EFFECT_MM3, abs=20)
    assert effects[1] > effects[0] + 15


def test_columns_that_are_not_harmonised_stay() -> None:
    people = make_people()
    result = harmonise_cohort(people, SETTINGS, VOLUMES)
    others = [name for name in people if name not in VOLUMES]
    pd.testing.assert_frame_equal(result.people[others], people[others])
    assert list(result.people) == list(people)


def test_numbers_are_those_of_combat() -> None:
    people = make_people()
    preserved = np.column_stack(
        [
            people["group"] == "patient",
            people["age_years"] - 40,  # neither origin nor coding matters
            people["sex"] == "M",
            people["tiv_whole_mm3"] / 1e6,
        ]
    ).astype(float)
    model = learn_combat(people[VOLUMES], people["site"], preserved)
    expected = apply_combat(model, people[VOLUMES], people["site"], preserved)
    result = harmonise_cohort(people, SETTINGS, VOLUMES)
    assert result.people[VOLUMES].to_numpy() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("age_model", ["linear", "quadratic", "spline"])
def test_learning_and_applying_apart_gives_the_same_as_together(age_model: str) -> None:
    people, settings = make_people(), replace(SETTINGS, age_model=age_model)
    model = learn_harmonisation(people, settings, VOLUMES)
    together = harmonise_cohort(people, settings, VOLUMES).people
    apart, _ = apply_harmonisation(model, people)
    few, _ = apply_harmonisation(model, people.iloc[[7, 100]])
    pd.testing.assert_frame_equal(apart, together)
    pd.testing.assert_frame_equal(few, together.iloc[[7, 100]])


def test_other_people_are_harmonised_without_their_group_where_it_was_not_protected() -> None:
    people = make_people()
    train, test = people.iloc[:240], people.iloc[240:]
    model = learn_harmonisation(train, SETTINGS, VOLUMES, protect=["age", "sex", "head_size"])
    other, notes = apply_harmonisation(model, test.drop(columns="group"))
    offset = np.mean([other.loc[test["site"] == SITES[1], name].mean() - other[name].mean() for name in VOLUMES])
    assert abs(offset) < 60
    assert notes["status"].tolist() == ["harmonised"] * 3


def test_nothing_may_be_protected_at_all() -> None:
    people = make_people()
    result = harmonise_cohort(people, SETTINGS, VOLUMES, protect=[], empirical_bayes=False)
    by_site = result.people.groupby("site")[VOLUMES]
    assert (by_site.mean().max() - by_site.mean().min()).max() == pytest.approx(0, abs=1e-6)
    assert (by_site.std().max() - by_site.std().min()).max() == pytest.approx(0, abs=1e-6)


def test_a_single_volume_needs_no_empirical_bayes() -> None:
    people = make_people()
    assert "at least 2 features" in harmonise_cohort(people, SETTINGS, VOLUMES[:1]).refusal
    result = harmonise_cohort(people, SETTINGS, VOLUMES[:1], empirical_bayes=False)
    assert adjust(result.people, VOLUMES[0], site=True)["second"] == pytest.approx(0, abs=20)


def test_controls_alone_can_be_learnt_from() -> None:
    people = make_people()
    model = learn_harmonisation(people[people["group"] == "control"], SETTINGS, VOLUMES)
    assert model.preserved == ("age", "sex", "head_size")
    assert model.notes == ("group is not protected: it is the same for everyone",)


# --- gaps


def test_a_missing_volume_stays_missing_and_the_others_are_harmonised() -> None:
    people = make_people()
    people.loc[[3, 50], VOLUMES[2]] = np.nan
    result = harmonise_cohort(people, SETTINGS, VOLUMES)
    assert result.people.loc[[3, 50], VOLUMES[2]].isna().all()
    assert result.people[VOLUMES].isna().sum().sum() == 2
    assert list(result.notes) == list(HARMONISATION)
    assert result.notes["n_incomplete"].sum() == 2
    assert result.notes["n_learned"].sum() == 358
    rest = harmonise_cohort(people.drop(index=[3, 50]), SETTINGS, VOLUMES)
    pd.testing.assert_frame_equal(result.people.drop(index=[3, 50]), rest.people)


def test_unknown_values_make_all_volumes_missing_and_are_counted() -> None:
    people = make_people()
    people.loc[0, "age_years"] = np.nan
    people.loc[1, "group"] = None
    people.loc[2, "site"] = None
    result = harmonise_cohort(people, SETTINGS, VOLUMES)
    assert result.people.loc[:2, VOLUMES].isna().all(axis=None)
    assert result.people.loc[3:, VOLUMES].notna().all(axis=None)
    assert result.notes["n"].sum() == 360
    assert result.notes["n_unknown"].sum() == 2
    assert result.notes["reason"].iloc[-1] == "site unknown: all volumes missing"


def test_a_site_that_was_not_learnt_is_missing_not_as_measured() -> None:
    people = make_people()
    model = learn_harmonisation(people[people["site"] != "south"], SETTINGS, VOLUMES)
    result, notes = apply_harmonisation(model, people)
    assert result.loc[people["site"] == "south", VOLUMES].isna().all(axis=None)
    assert notes.set_index("site").loc["south", "reason"] == "site was not learnt: all volumes missing"


def test_a_covariate_that_the_cohort_lacks_is_noted() -> None:
    people = make_people().drop(columns="sex")
    result = harmonise_cohort(people, SETTINGS, VOLUMES)
    assert result.refusal == ""
    assert set(result.notes["reason"]) == {"sex is not protected: no column sex"}


# --- refusals


def check_refused(people: pd.DataFrame, match: str, **changes: object) -> None:
    columns = changes.pop("volume_columns", VOLUMES)
    result = harmonise_cohort(people, SETTINGS, columns, **changes)
    assert match in result.refusal
    assert result.model is None
    assert set(result.notes["status"]) == {"refused"}
    assert match in result.notes["reason"].iloc[0]
    pd.testing.assert_frame_equal(result.people, people)
    with pytest.raises(DesignError):
        learn_harmonisation(people, SETTINGS, columns, **changes)


def test_a_site_with_too_few_people_is_refused() -> None:
    people = make_people()
    people.loc[:3, "site"] = "tiny"
    check_refused(people, "site tiny has 4 people with all values, 5 are the least")
    people.loc[4:13, "site"] = "tiny"
    people.loc[:9, "age_years"] = np.nan
    check_refused(people, "site tiny has 4 people with all values, 5 are the least")


def test_a_site_with_one_diagnosis_is_refused() -> None:
    people = make_people()
    people.loc[people["site"] == "south", "group"] = "control"
    n = int((people["site"] == "south").sum())
    check_refused(people, f"site south has one diagnosis only ({n} controls, 0 patients)")
    check_refused(people, "one diagnosis only", protect=["age"])


def test_a_volume_without_variance_is_refused() -> None:
    people = make_people()
    people.loc[people["site"] == "north", VOLUMES[1]] = 1500.0
    check_refused(people, f"no variance: {VOLUMES[1]} at site north")


def test_a_single_site_is_refused() -> None:
    check_refused(make_people().assign(site="north"), "there is one site only, north")


def test_a_cohort_without_sites_is_refused() -> None:
    check_refused(make_people().drop(columns="site"), "config participants.columns.site")
    check_refused(make_people().assign(site=None), "nobody has a site")


def test_columns_of_another_kind_are_refused() -> None:
    people = make_people().assign(**{"acc_thickness_mm": 2.5})
    check_refused(people, "acc_thickness_mm: not volumes", volume_columns=[*VOLUMES, "acc_thickness_mm"])
    check_refused(people, "protected as head size", volume_columns=[*VOLUMES, "tiv_whole_mm3"])
    check_refused(people, "no column nothing_mean_mm3", volume_columns=[*VOLUMES, "nothing_mean_mm3"])
    check_refused(people, "one is named twice", volume_columns=[*VOLUMES, VOLUMES[0]])
    check_refused(people, "no volume is named", volume_columns=[])


def test_an_unknown_protected_variable_is_refused() -> None:
    check_refused(make_people(), "cannot protect handedness", protect=["age", "handedness"])


def test_people_without_the_learnt_columns_are_refused() -> None:
    people = make_people()
    model = learn_harmonisation(people, SETTINGS, VOLUMES)
    with pytest.raises(DesignError, match="lack the columns group"):
        apply_harmonisation(model, people.drop(columns="group"))
    with pytest.raises(DesignError, match="lack the columns lofc_mean_mm3"):
        apply_harmonisation(model, people.drop(columns="lofc_mean_mm3"))
