"""Who enters a model, and with which covariates."""

import logging

import numpy as np
import pandas as pd
import pytest

from morpho.errors import ConfigError, DesignError
from morpho.infer.design import HeadSize, Model, resolve_head_size, select_sample
from morpho.infer.sessions import choose_baseline

NO_HEAD_SIZE = HeadSize("none", "")
TIV = HeadSize("tiv_whole_mm3", "")
VOLUME = "hippocampus_mean_mm3"


def make_people(n: int = 6) -> pd.DataFrame:
    names = [f"sub-{number:02}" for number in range(n)]
    return pd.DataFrame(
        {
            "participant_id": names,
            "session_id": "",
            "scan": names,
            "group": ["control", "patient"] * (n // 2),
            "sex": ["F", "F", "M"] * (n // 3),
            "age_years": np.arange(n) * 10.0,
            "site": "north",
            "tiv_whole_mm3": np.arange(n) * 2e5 + 1e6,
            "affine_tiv_whole_mm3": np.arange(n) * 1e5 + 1e6,
            VOLUME: np.arange(n) ** 2 + 3000.0,
        }
    )


def make_sessions(*labels: str | float) -> pd.DataFrame:
    return pd.DataFrame({"participant_id": "sub-01", "session_id": labels, "scan": [f"s{label}" for label in labels]})


def ask(*covariates: str, head_size: HeadSize = NO_HEAD_SIZE) -> Model:
    return Model("C(group, Treatment('control'))", ("group",), covariates, head_size)


@pytest.mark.parametrize(
    ("labels", "first"),
    [
        (["ses-10", "ses-2"], "ses-2"),
        (["ses-post", "ses-pre"], "ses-pre"),
        (["ses-followup", "ses-baseline"], "ses-baseline"),
        (["ses-1", ""], ""),
        (["ses-1", np.nan], np.nan),
        (["ses-2020b", "ses-2020a"], "ses-2020a"),
    ],
)
def test_the_first_session_is_kept(labels: list[str | float], first: str | float) -> None:
    kept, later = choose_baseline(make_sessions(*labels))
    assert kept["scan"].tolist() == [f"s{first}"]
    assert len(later) == 1
    assert later.columns.tolist() == ["participant_id", "session_id", "scan", "stage", "reason"]
    assert later["stage"].tolist() == ["models"]
    assert "not the first measured session" in later["reason"].item()


def test_each_person_has_their_own_first_session_and_rows_keep_their_order() -> None:
    cohort = pd.DataFrame(
        {
            "participant_id": ["sub-02", "sub-01", "sub-02", "sub-03"],
            "session_id": ["ses-2", "ses-1", "ses-3", ""],
            "scan": ["d", "a", "c", "b"],
        }
    )
    kept, later = choose_baseline(cohort)
    assert kept["scan"].tolist() == ["d", "a", "b"]
    assert later["scan"].tolist() == ["c"]


def test_choosing_the_baseline_twice_changes_nothing() -> None:
    kept, _ = choose_baseline(make_sessions("ses-1", "ses-2"))
    again, later = choose_baseline(kept)
    pd.testing.assert_frame_equal(kept, again)
    assert later.empty


def test_head_size_is_the_configured_one_when_everyone_has_it() -> None:
    head_size = resolve_head_size(make_people(), head_size="tiv", substitute="affine_tiv")
    assert head_size.column == "tiv_whole_mm3"


def test_one_missing_head_size_brings_the_substitute_for_everyone(caplog: pytest.LogCaptureFixture) -> None:
    people = make_people()
    people.loc[3, "tiv_whole_mm3"] = np.nan
    with caplog.at_level(logging.WARNING):
        head_size = resolve_head_size(people, head_size="tiv", substitute="affine_tiv")
    assert head_size.column == "affine_tiv_whole_mm3"
    assert "1 of 6 scans" in head_size.note
    assert "everyone" in head_size.note
    assert head_size.note in caplog.text


def test_a_later_session_without_head_size_changes_nothing() -> None:
    people = make_people()
    later = people.iloc[[0]].assign(session_id="ses-2", tiv_whole_mm3=np.nan)
    cohort = pd.concat([people, later], ignore_index=True)
    assert resolve_head_size(cohort, head_size="tiv", substitute="affine_tiv").column == "tiv_whole_mm3"


def test_the_substitute_may_be_no_head_size_at_all() -> None:
    head_size = resolve_head_size(make_people().drop(columns="tiv_whole_mm3"), head_size="tiv", substitute="none")
    assert head_size.column == "none"
    assert "no head-size term" in head_size.note


def test_no_head_size_is_a_choice() -> None:
    assert resolve_head_size(make_people(), head_size="none", substitute="affine_tiv").column == "none"


def test_an_unknown_head_size_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"'icv'.*tiv, affine_tiv, brain_volume, none"):
        resolve_head_size(make_people(), head_size="icv", substitute="none")


def test_formula_names_every_covariate_and_leaves_out_a_single_site() -> None:
    sample = select_sample(make_people(), VOLUME, ask("age", "sex", head_size=TIV))
    assert sample.formula == ("volume_mm3 ~ C(group, Treatment('control')) + age_years + C(sex, Sum) + tiv_whole_dm3")
    assert sample.notes == ()


def test_numeric_covariates_are_centred_and_head_size_is_in_litres() -> None:
    data = select_sample(make_people(), VOLUME, ask("age", head_size=TIV)).data
    assert data["age_years"].tolist() == [-25.0, -15.0, -5.0, 5.0, 15.0, 25.0]
    assert data["tiv_whole_dm3"].tolist() == pytest.approx([-0.5, -0.3, -0.1, 0.1, 0.3, 0.5])


def test_two_sites_enter_the_formula() -> None:
    people = make_people()
    people.loc[:2, "site"] = "south"
    assert select_sample(people, VOLUME, ask()).formula.endswith(" + C(site)")


def test_numbered_sites_are_categories() -> None:
    people = make_people().assign(site=[1, 1, 2, 2, 3, 3])
    assert set(select_sample(people, VOLUME, ask()).data["site"]) == {"1", "2", "3"}


def test_a_second_site_that_only_an_incomplete_person_has_does_not_count() -> None:
    people = make_people()
    people.loc[0, ["site", "age_years"]] = ["south", np.nan]
    sample = select_sample(people, VOLUME, ask("age"))
    assert "site" not in sample.formula
    assert sample.missing == {"sub-00": ["age_years"]}


def test_a_person_without_site_leaves_when_there_are_several_sites() -> None:
    people = make_people().assign(site=["a", "a", "b", "b", None, "b"])
    assert select_sample(people, VOLUME, ask()).missing == {"sub-04": ["site"]}


def test_a_person_without_site_stays_when_the_others_share_one_and_a_note_says_so() -> None:
    people = make_people().assign(site=["a", "a", "a", "a", None, "a"])
    sample = select_sample(people, VOLUME, ask())
    assert len(sample.data) == 6
    assert sample.notes == ("some people have no site; no site term, as the others share one",)


def test_missing_values_are_listed_by_person_with_the_cohorts_own_column_names() -> None:
    people = make_people()
    people.loc[1, VOLUME] = np.nan
    people.loc[4, ["sex", "tiv_whole_mm3"]] = [None, np.nan]
    sample = select_sample(people, VOLUME, ask("age", "sex", head_size=TIV))
    assert sample.missing == {"sub-01": [VOLUME], "sub-04": ["sex", "tiv_whole_mm3"]}
    assert sample.data["participant_id"].tolist() == ["sub-00", "sub-02", "sub-03", "sub-05"]


def test_a_covariate_that_is_the_same_for_everyone_is_left_out_with_a_note() -> None:
    sample = select_sample(make_people().assign(sex="F"), VOLUME, ask("age", "sex"))
    assert sample.formula == "volume_mm3 ~ C(group, Treatment('control')) + age_years"
    assert sample.notes == ("sex left out of the model: it is F for everyone",)


def test_head_size_is_never_its_own_covariate() -> None:
    sample = select_sample(make_people(), "tiv_whole_mm3", ask("age", head_size=TIV))
    assert "tiv" not in sample.formula
    assert sample.head_size.column == "none"
    assert "the outcome itself" in sample.head_size.note


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        ("group", r"participants.tsv has no group column \(config participants.columns.group\)"),
        ("age_years", r"participants.tsv has no age column \(config participants.columns.age\)"),
        (VOLUME, "the cohort table has no column hippocampus_mean_mm3"),
        ("tiv_whole_mm3", "the cohort table has no column tiv_whole_mm3"),
    ],
)
def test_a_column_that_is_not_there_is_named(column: str, reason: str) -> None:
    with pytest.raises(DesignError, match=reason):
        select_sample(make_people().drop(columns=column), VOLUME, ask("age", head_size=TIV))


def test_an_unknown_covariate_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"\['handedness'\].*age, sex"):
        select_sample(make_people(), VOLUME, ask("handedness"))


def test_the_cohort_table_is_not_changed() -> None:
    people = make_people()
    before = people.copy()
    select_sample(people, VOLUME, ask("age", "sex", head_size=TIV))
    pd.testing.assert_frame_equal(people, before)
