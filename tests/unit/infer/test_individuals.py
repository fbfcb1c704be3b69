"""Single people: calibration, agreement with a fit without the person, who is not scored and why, norm tables."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from morpho.errors import ConfigError
from morpho.infer.design import HeadSize
from morpho.infer.sites.dictionaries import CALIBRATION, EXTREMES, INDIVIDUALS
from morpho.infer.sites.individuals import RESEARCH_ONLY, IndividualResult, count_extremes, score_individuals
from morpho.infer.study import Settings, Study

SETTINGS = Settings(["age", "sex"], HeadSize("tiv_whole_mm3", ""), {}, 3, 0.95, 100, 1, {"g": 0.2})
COLUMN = "hippo-campus_mean_mm3"


def make_people(n: int = 160, seed: int = 1, sites: tuple[str, ...] = ()) -> pd.DataFrame:
    """Half controls and half patients from one population; every fourth patient is 900 mm3 below it."""
    rng = np.random.default_rng(seed)
    group = np.tile(["control", "patient"], n // 2)
    age, tiv = rng.uniform(18, 65, n), rng.normal(1.5e6, 1e5, n)
    age[[0, -2]] = 17.0, 66.0  # controls, so that everybody is within their ages
    people = pd.DataFrame(
        {
            "participant_id": [f"sub-{number:03}" for number in range(n)],
            "group": group,
            "sex": rng.choice(["F", "M"], n),
            "age_years": age,
            "tiv_whole_mm3": tiv,
            COLUMN: 3500 - 10 * (age - 40) + 1e-3 * (tiv - 1.5e6) + rng.normal(0, 250, n),
        }
    )
    people.loc[np.arange(n) % 8 == 7, COLUMN] -= 900
    if sites:
        people["site"] = rng.choice(sites, n)
    return people


def score(people: pd.DataFrame, **changes: object) -> IndividualResult:
    study = Study(people, people.assign(visit=0), SETTINGS, {}, {})
    asked = {"rois": ["hippo-campus"], "hemispheres": ["mean"], "family": "primary"}
    return score_individuals(study, **{**asked, **changes})


def make_norm(**changes: object) -> pd.DataFrame:
    norm = {"roi": "hippo-campus", "hemisphere": "mean", "sex": ["F", "F", "F", "M", "M"]}
    norm |= {"age_years": [60.0, 20, 40, 20, 60], "mean_mm3": [3000.0, 3400, 3200, 3600, 3200]}
    return pd.DataFrame({**norm, "sd_mm3": [300.0, 200, 250, 260, 280], **changes})


def make_person(**values: object) -> pd.DataFrame:
    known = {"participant_id": "sub-1", "group": "patient", "sex": "F", "age_years": 30.0, COLUMN: 3000.0}
    return pd.DataFrame([{**known, **values}])


# --- scores


def test_tables_have_the_columns_of_their_dictionaries_and_say_what_they_are_for() -> None:
    result = score(make_people())
    assert (list(result.table), list(result.calibration)) == (list(INDIVIDUALS), list(CALIBRATION))
    assert list(result.extremes) == list(EXTREMES)
    assert result.use == RESEARCH_ONLY == "for research; not a diagnosis"
    assert result.refusal == ""


@pytest.mark.parametrize("who", [0, 1, 7])  # a control, and two patients
def test_a_person_is_scored_by_a_fit_without_them(who: int) -> None:
    people = make_people()
    row = score(people).table.iloc[who]
    X = pd.DataFrame(
        {
            "intercept": 1.0,
            "age": people["age_years"],
            "male": (people["sex"] == "M").astype(float),
            "tiv": people["tiv_whole_mm3"] / 1e6,
        }
    )
    norm = (people["group"] == "control") & (people.index != who)
    fit = sm.OLS(people.loc[norm, COLUMN], X[norm]).fit()
    prediction = fit.get_prediction(X.loc[[who]])
    expected, sd = float(prediction.predicted_mean[0]), float(prediction.se_obs[0])
    t = (people.loc[who, COLUMN] - expected) / sd
    assert row["expected_mm3"] == pytest.approx(expected, rel=1e-9)
    assert row["prediction_sd_mm3"] == pytest.approx(sd, rel=1e-9)
    assert row["centile"] == pytest.approx(100 * stats.t.cdf(t, fit.df_resid), rel=1e-6)
    assert row["z"] == pytest.approx(stats.norm.ppf(stats.t.cdf(t, fit.df_resid)), rel=1e-6)


def test_the_norm_is_calibrated_on_controls_and_on_new_people() -> None:
    people = make_people(800, seed=2)
    result = score(people)
    calibration = result.calibration.iloc[0]
    assert calibration["n_controls"] == 400
    assert calibration["mean"] == pytest.approx(0, abs=0.02)
    assert calibration["sd"] == pytest.approx(1, abs=0.02)
    assert 0.02 < calibration["share_extreme"] < 0.08
    assert calibration["reason"] == ""
    healthy = result.table.loc[(people["group"] == "patient") & (people.index % 8 != 7), "z"]
    assert healthy.mean() == pytest.approx(0, abs=0.15)
    assert healthy.std() == pytest.approx(1, abs=0.1)


def test_planted_deviations_are_extreme() -> None:
    people = make_people(400)
    result = score(people)
    planted = people.index % 8 == 7
    z = result.table["z"]
    assert z[planted].mean() == pytest.approx(-900 / 250, abs=0.4)
    low = result.extremes.set_index("participant_id")["n_low"].to_numpy()
    assert low[planted].mean() > 0.85
    assert low[~planted].mean() < 0.06


def test_extremes_are_counted_per_person() -> None:
    z = [-2.0, 1.97, 1.95, np.nan, 0.0, -3.0]
    table = pd.DataFrame({"participant_id": list("aaabbc"), "group": "control", "site": None, "z": z})
    extremes = count_extremes(table).set_index("participant_id")
    counts = extremes[["n_regions", "n_extreme", "n_low", "n_high"]].to_numpy().tolist()
    assert counts == [[3, 2, 1, 1], [1, 0, 0, 0], [1, 1, 1, 0]]
    assert extremes.loc["a", ["lowest_z", "highest_z"]].tolist() == [-2.0, 1.97]


def test_each_of_several_sites_has_its_own_offset_and_calibration() -> None:
    people = make_people(400, sites=("north", "Süd 'x'"))
    people.loc[people["site"] == "north", COLUMN] += 2000
    result = score(people)
    assert result.calibration["site"].tolist()[1:] == ["Süd 'x'", "north"]
    assert result.calibration["mean"].abs().max() < 0.05
    own = result.calibration.set_index("site").loc["north", "sd"]
    assert (result.table.loc[people["site"] == "north", "calibration_sd"] == own).all()


def test_a_site_that_spreads_more_is_said_not_to_fit() -> None:
    people = make_people(800, sites=("north", "south"))
    inside = people["site"] == "north"
    people.loc[inside, COLUMN] += np.random.default_rng(3).normal(0, 600, int(inside.sum()))
    reasons = score(people).calibration.set_index("site")["reason"]
    assert "centiles are too extreme" in reasons["north"]
    assert "centiles are too mild" in reasons["south"]


# --- who is not scored


def test_people_unlike_the_controls_are_not_scored() -> None:
    people = make_people(200)
    people.loc[1, "age_years"], people.loc[3, "age_years"] = 12.0, 80.0
    people.loc[5, "age_years"] = np.nan
    people.loc[9, COLUMN] = np.nan
    result = score(people)
    controls = people.loc[people["group"] == "control", "age_years"]
    span = f"({controls.min():g} to {controls.max():g} years)"
    notes = result.table["note"]
    assert notes[1] == f"younger than the controls {span}"
    assert notes[3] == f"older than the controls {span}"
    assert notes[5] == "age, sex, head size or site unknown"
    assert notes[9] == "no volume"
    unscored = [1, 3, 5, 9]
    assert result.table.loc[unscored, ["z", "centile", "expected_mm3", "prediction_sd_mm3"]].isna().all(axis=None)
    assert result.table["z"].notna().sum() == 196
    assert (notes.drop(unscored) == "").all()


def test_a_sex_without_controls_is_not_scored() -> None:
    people = make_people()
    people.loc[people["group"] == "control", "sex"] = "F"
    result = score(people)
    assert set(result.table.loc[people["sex"] == "M", "note"]) == {"no controls of sex M"}
    assert result.table.loc[people["sex"] == "F", "z"].notna().all()


def test_a_site_with_few_controls_is_not_scored() -> None:
    people = make_people(200, sites=("north", "south"))
    people.loc[:39, "site"] = "tiny"
    people.loc[40, "age_years"] = 17.0  # the youngest control stays
    result = score(people)
    assert set(result.table.loc[:39, "note"]) == {"site tiny has 20 controls with all values, 25 are the least"}
    assert result.table.loc[40:, "z"].notna().all()
    assert result.table.loc[:39, "calibration_sd"].isna().all()


def test_people_of_unknown_group_are_scored_and_are_no_controls() -> None:
    people = make_people()
    people.loc[4, "group"] = None
    result = score(people)
    assert result.table.loc[4, "note"] == ""
    assert result.calibration["n_controls"].tolist() == [79]


def test_too_few_controls_are_refused() -> None:
    people = make_people(48)
    people.loc[0, COLUMN] = np.nan
    result = score(people)
    expected = "23 controls with all values, 25 are the least for a norm (min_controls); 1 without: no volume"
    assert result.refusal == expected
    assert result.calibration["status"].tolist() == ["refused"]
    assert result.table["z"].isna().all()
    assert set(result.table["note"]) == {f"region refused: {expected}"}
    assert (result.extremes["n_regions"] == 0).all()
    assert score(people, min_controls=20).refusal == ""


def test_one_region_is_refused_and_the_other_scored() -> None:
    result = score(make_people(), rois=["hippo-campus", "absent"])
    assert result.refusal == ""
    assert result.calibration["status"].tolist() == ["fitted", "refused"]
    assert result.table.groupby("roi")["z"].count().tolist() == [0, 160]
    assert set(result.extremes["n_regions"]) == {1}


def test_a_cohort_without_group_or_sex_is_refused() -> None:
    assert "no column group" in score(make_people().drop(columns="group")).refusal
    assert "sex" in score(make_people().drop(columns="sex")).refusal


# --- a norm that the user brings


def test_a_norm_table_is_interpolated_in_age() -> None:
    row = score(make_person(), norm_table=make_norm(), min_controls=0).table.iloc[0]
    assert (row["expected_mm3"], row["prediction_sd_mm3"]) == (3300.0, 225.0)  # half way from 20 to 40 years
    assert row["z"] == pytest.approx(-300 / 225)
    assert row["centile"] == pytest.approx(100 * stats.norm.cdf(-300 / 225))


@pytest.mark.parametrize(
    ("values", "note"),
    [
        ({"age_years": 19.9}, "younger than the norm table (20 to 60 years)"),
        ({"age_years": 61.0}, "older than the norm table (20 to 60 years)"),
        ({"age_years": np.nan}, "age or sex unknown"),
        ({"sex": "X"}, "the norm table has no sex X"),
        ({COLUMN: np.nan}, "no volume"),
    ],
)
def test_people_beyond_a_norm_table_are_not_scored(values: dict[str, object], note: str) -> None:
    row = score(make_person(**values), norm_table=make_norm(), min_controls=0).table.iloc[0]
    assert row["note"] == note
    assert np.isnan(row["z"])


def test_a_norm_table_needs_controls_to_check_it() -> None:
    people = make_people(60)
    people["age_years"] = people["age_years"].clip(20, 60)
    result = score(people, norm_table=make_norm(), min_controls=30)
    assert result.table["z"].notna().all()
    foreign = score(people.assign(**{COLUMN: people[COLUMN] * 1.3}), norm_table=make_norm(), min_controls=30)
    assert "the norm does not fit their scanner or software" in foreign.calibration["reason"].iloc[0]
    assert (
        "30 controls with all values, 31 are the least"
        in score(people, norm_table=make_norm(), min_controls=31).refusal
    )
    alone = score(make_person(), norm_table=make_norm(), min_controls=0)
    assert alone.calibration["reason"].tolist() == ["0 controls are too few to check the norm"]


def test_a_norm_table_is_checked_at_every_site() -> None:
    people = make_people(100, sites=("north", "south"))
    people["age_years"] = people["age_years"].clip(20, 60)
    people.loc[:9, "site"], people.loc[10, "site"] = "tiny", None
    notes = score(people, norm_table=make_norm(), min_controls=15).table["note"]
    assert set(notes[:10]) == {"site tiny has 5 controls with all values, 15 are the least"}
    assert notes[10] == "site unknown"
    assert (notes[11:] == "").all()


def test_a_region_that_the_norm_table_lacks_is_refused() -> None:
    result = score(make_person(), norm_table=make_norm(roi="amygdala"), min_controls=0)
    assert result.refusal == "the norm table has no row for this region and side"


def test_an_unusable_norm_table_is_an_error() -> None:
    for norm, match in (
        (make_norm().drop(columns="sd_mm3"), "lacks the columns sd_mm3"),
        (make_norm(sd_mm3=[1.0, 2, 0, 3, 4]), r"1 rows .* above 0 \(rows 3\)"),
        (make_norm(mean_mm3=[1.0, np.nan, 3, 3, 4]), r"1 rows .* \(rows 2\)"),
        (make_norm(age_years=[60.0, 20, 20, 20, 60]), r"2 rows .* \(rows 2, 3\)"),
    ):
        with pytest.raises(ConfigError, match=match):
            score(make_person(), norm_table=norm, min_controls=0)
