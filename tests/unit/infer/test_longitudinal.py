"""Change between visits: planted change is found, published values come out, and nobody is left out in silence."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

from morpho.errors import ConfigError
from morpho.infer.change.longitudinal import ChangeResult, analyse_change
from morpho.infer.change.models import fit_visits
from morpho.infer.change.sample import ChangeQuestion, select_scans
from morpho.infer.design import HeadSize
from morpho.infer.study import Settings, Study

VOLUME = "hippocampus_mean_mm3"
NO_HEAD_SIZE = HeadSize("none", "")
# Hours of extra sleep of ten people with two drugs: Student, Biometrika 1908;6:1-25.
FIRST_DRUG = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
SECOND_DRUG = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(31)


def make_study(visits: pd.DataFrame, **settings: Any) -> Study:
    chosen = Settings((), NO_HEAD_SIZE, {}, 3, 0.95, 100, 1, {})
    people = visits.drop_duplicates("participant_id").reset_index(drop=True)
    return Study(people, visits, replace(chosen, **settings), {}, {})


def make_visits(
    volumes: Sequence[Sequence[float]], weeks: Sequence[float] | None = None, **people: Any
) -> pd.DataFrame:
    """One row per scan of `volumes` (people, visits), NaN where there was no visit; `people` holds one value each."""
    table = np.asarray(volumes, dtype=float)
    n, k = table.shape
    frame = pd.DataFrame({name: np.repeat(np.asarray(values, dtype=object), k) for name, values in people.items()})
    frame["participant_id"] = np.repeat([f"sub-{number:03}" for number in range(n)], k)
    frame[VOLUME] = table.ravel()
    if weeks is not None:
        frame["weeks"] = np.tile(np.asarray(weeks, dtype=float), n)
    if "group" not in frame:
        frame["group"] = "patient"
    frame = frame[frame[VOLUME].notna()].reset_index(drop=True)
    frame["visit"] = frame.groupby("participant_id").cumcount()
    return frame.infer_objects()


def simulate(rng: np.random.Generator, n: int, n_visits: int, change: Any = 0.0, noise: float = 30.0) -> np.ndarray:
    """Volumes (people, visits): people differ by 300 mm3, and `change` mm3 (one, or one per person) comes per visit."""
    level = rng.normal(3500, 300, n)[:, None] + np.asarray(change, dtype=float).reshape(-1, 1) * np.arange(n_visits)
    return level + rng.normal(0, noise, (n, n_visits))


def ask(study: Study, **question: Any) -> ChangeResult:
    return analyse_change(study, rois=["hippocampus"], hemispheres=["mean"], family="primary", **question)


def read_oracle(name: str) -> pd.DataFrame:
    data = os.environ.get("MORPHO_TEST_DATA", Path(__file__).parents[3] / ".." / "shared" / "data")
    path = Path(data).parent / "oracles" / name
    if not path.exists():
        pytest.skip(f"no {name} in the folder 'oracles' beside the test data (MORPHO_TEST_DATA)")
    return pd.read_csv(path)


def test_change_of_one_population_equals_the_paired_t_test_of_student() -> None:
    hours = np.c_[FIRST_DRUG, SECOND_DRUG] + 100
    row = ask(make_study(make_visits(hours, [0, 6])), kind="within").rows[0]
    assert row["t"] == pytest.approx(4.062127683, rel=1e-9)  # R t.test(paired = TRUE)
    assert row["p"] == pytest.approx(0.0028328902, rel=1e-8)
    assert (row["df"], row["n"], row["raw_unit"]) == (9, 10, "mm3")
    assert row["estimate_raw"] == pytest.approx(1.58)
    assert (row["raw_ci_low"], row["raw_ci_high"]) == pytest.approx((0.7001142, 2.4598858), abs=1e-7)  # R
    assert (row["effect_size"], row["estimate"]) == ("d_z", pytest.approx(4.062127683 / np.sqrt(10)))
    assert row["ci_low"] < row["ci90_low"] < row["estimate"] < row["ci90_high"] < row["ci_high"]
    assert row["contrast"] == "patient: change"


def test_table_describes_change_in_mm3_per_cent_and_weeks() -> None:
    visits = make_visits([[3900, 4100], [4000, 4000], [4000, 4400], [5000, np.nan]], [0, 10])
    result = ask(make_study(visits, min_group_size=3), kind="within", population={"group": ["patient"]})
    assert result.rows[0]["status"] == "refused"  # 2 degrees of freedom
    visits = make_visits([[3900, 4100], [4000, 4000], [4000, 4400], [4000, 4000], [5000, np.nan]], [0, 10])
    result = ask(make_study(visits), kind="within")
    part = result.table.iloc[0]
    assert part["n_per_visit"] == "0: 5, 1: 4"
    assert (part["n_pairs"], part["n_single"], part["arm"], part["weeks_mean"]) == (4, 1, "patient", 10)
    assert part["change_mean_mm3"] == 150
    assert part["percent_mean"] == pytest.approx((200 / 39 + 0 + 10 + 0) / 4)
    assert part["symmetrised_percent_mean"] == pytest.approx((5 + 0 + 400 / 42 + 0) / 4)
    assert part["symmetrised_percent_per_week"] == pytest.approx((0.5 + 40 / 42) / 4)
    assert part["change_sd_mm3"] == pytest.approx(np.sqrt((50**2 + 2 * 150**2 + 250**2) / 3))
    assert part["d_z"] == pytest.approx(150 / part["change_sd_mm3"])
    before, after = np.var([3900, 4000, 4000, 4000], ddof=1), np.var([4100, 4000, 4400, 4000], ddof=1)
    assert part["d_av"] == pytest.approx(150 / np.sqrt((before + after) / 2))
    assert "1 person with one scan left out" in result.rows[0]["reason"]
    assert list(result.table) == list(result.dictionary)


def test_two_wave_mixed_model_equals_paired_t_and_change_scores(rng: np.random.Generator) -> None:
    groups = ["control"] * 12 + ["patient"] * 15
    study = make_study(make_visits(simulate(rng, 27, 2, 20.0), [0, 8], group=groups))
    scans = select_scans(study, VOLUME, study.people.set_index("participant_id")["group"])
    for kind, levels in (("within", ()), ("by_group", ("patient", "control"))):
        by = "group" if levels else None
        simple = ask(study, kind=kind, by=by, population={}).rows[0]
        mixed = fit_visits(study, scans, ChangeQuestion(kind, by or "", levels, "", {}, ()))  # type: ignore[arg-type]
        assert mixed.test.t == pytest.approx(simple["t"], rel=1e-5)
        assert mixed.test.df == pytest.approx(simple["df"], rel=1e-4)
        assert mixed.test.estimate * 8 == pytest.approx(simple["estimate_raw"], rel=1e-6)
        spread = simple["estimate_raw"] / mixed.test.estimate * mixed.spread
        assert spread == pytest.approx(simple["estimate_raw"] / (simple["t"] * np.sqrt(sum_of_parts(levels))), rel=1e-5)


def sum_of_parts(levels: tuple[str, ...]) -> float:
    """Variance of the estimate for a residual variance of 1: 1/n of one group of 27, 1/n + 1/n of 12 and 15."""
    return 1 / 12 + 1 / 15 if levels else 1 / 27


def test_orthodont_growth_of_girls_and_boys_equals_lme4() -> None:
    growth = read_oracle("Orthodont.csv").sort_values(["Subject", "age"])
    volumes = growth["distance"].to_numpy().reshape(-1, 4)
    sex = growth["Sex"].to_numpy()[::4]
    study = make_study(make_visits(volumes, [8, 10, 12, 14], group=np.where(sex == "Female", "patient", "control")))
    row = ask(study, kind="by_group", by="group").rows[0]
    # R lme4/lmerTest: distance ~ I(age - 11) * Sex + (1 | Subject)
    assert row["estimate_raw"] == pytest.approx(-0.3048295455, rel=1e-8)
    assert (row["raw_ci_high"] - row["raw_ci_low"]) / 2 == pytest.approx(0.12142090 * 1.990450, rel=1e-5)
    assert (row["df"], row["p"]) == (pytest.approx(79, abs=1e-3), pytest.approx(0.01409745, rel=1e-5))
    assert (row["n"], row["n_comparison"], row["n_reference"]) == (27, 11, 16)
    assert row["formula"] == "volume_mm3 ~ weeks * group + (1 | participant_id)"
    residual_variance = 1.922054792
    assert row["t"] == pytest.approx(-0.3048295455 / 0.12142090, rel=1e-6)
    d = -0.3048295455 * 6 / np.sqrt(2 * residual_variance)  # six years from 8 to 14
    assert row["estimate"] == pytest.approx(d * (1 - 3 / (4 * 79 - 1)), rel=1e-4)
    per_year = ask(study, kind="progression").rows[0]
    assert per_year["estimate_raw"] == pytest.approx(-0.3048295455 * 365.25 / 7, rel=1e-8)
    assert (per_year["p"], per_year["raw_unit"]) == (pytest.approx(row["p"], rel=1e-6), "mm3/year")


def test_arms_within_patients_are_compared_by_ancova(rng: np.random.Generator) -> None:
    responder = np.tile(["yes", "no"], 30)
    people = {"age_years": rng.uniform(20, 60, 60), "sex": rng.choice(["F", "M"], 60), "responder": responder}
    visits = make_visits(simulate(rng, 60, 2, 60.0 * (responder == "yes")), [0, 6], **people)
    row = ask(make_study(visits, covariates=("age", "sex")), kind="by_group", by="responder").rows[0]
    pairs = visits.drop_duplicates("participant_id").assign(post=visits[VOLUME].to_numpy()[1::2])
    model = f"post ~ C(responder, Treatment('no')) + {VOLUME} + age_years + C(sex)"
    theirs = smf.ols(model, pairs).fit()
    name = "C(responder, Treatment('no'))[T.yes]"
    assert (row["estimate_raw"], row["t"], row["p"]) == pytest.approx(
        (theirs.params[name], theirs.tvalues[name], theirs.pvalues[name]), rel=1e-6
    )
    assert row["df"] == theirs.df_resid
    assert row["raw_ci_low"] < 60 < row["raw_ci_high"]
    assert row["raw_ci_low"] > 0
    assert row["formula"] == "last_mm3 ~ responder + first_mm3 + age_years + C(sex, Sum)"
    assert (row["contrast"], row["effect_size"]) == ("responder yes - no: change", "g")
    assert row["estimate"] == pytest.approx(
        theirs.params[name] / np.sqrt(theirs.scale) * (1 - 3 / (4 * 55 - 1)), rel=1e-4
    )


def test_groups_from_before_the_study_are_compared_by_change_scores(rng: np.random.Generator) -> None:
    group = np.repeat(["control", "patient"], 200)
    volumes = simulate(rng, 400, 2, 0.0, noise=150) - 400 * (group == "patient")[:, None]
    study = make_study(make_visits(volumes, [0, 50], group=group))
    row = ask(study, kind="by_group", by="group").rows[0]
    change = volumes[:, 1] - volumes[:, 0]
    assert row["estimate_raw"] == pytest.approx(change[200:].mean() - change[:200].mean())
    assert row["raw_ci_low"] < 0 < row["raw_ci_high"]  # ANCOVA would give 400 * (1 - reliability) = 80 mm3 of "loss"
    assert "Lord's paradox" in row["reason"]
    assert row["formula"] == "change_mm3 ~ group"


def test_direction_follows_the_levels(rng: np.random.Generator) -> None:
    arms = np.tile(["tDCS", "sham"], 20)
    study = make_study(make_visits(simulate(rng, 40, 2, 50.0 * (arms == "tDCS")), treatment=arms))
    there = ask(study, kind="by_group", by="treatment", levels=["tDCS", "sham"]).rows[0]
    back = ask(study, kind="by_group", by="treatment").rows[0]  # alphabetical
    assert (there["contrast"], back["contrast"]) == ("treatment tDCS - sham: change", "treatment sham - tDCS: change")
    assert there["raw_ci_low"] > 0
    mirrored = (-back["estimate"], -back["ci_high"], -back["ci_low"], back["p"])
    assert (there["estimate"], there["ci_low"], there["ci_high"], there["p"]) == pytest.approx(mirrored)


def test_units_and_order_of_rows_do_not_matter(rng: np.random.Generator) -> None:
    arms = np.tile(["yes", "no"], 15)
    visits = make_visits(simulate(rng, 30, 3, 20.0), [0, 6, 12], responder=arms)
    reference = ask(make_study(visits), kind="by_group", by="responder").rows[0]
    moved = visits.sample(frac=1, random_state=4).assign(**{VOLUME: lambda table: table[VOLUME] / 1000})
    row = ask(make_study(moved.reset_index(drop=True)), kind="by_group", by="responder").rows[0]
    for name in ("estimate", "ci_low", "ci_high", "t", "df", "p"):
        assert row[name] == pytest.approx(reference[name], rel=1e-5)
    assert row["estimate_raw"] == pytest.approx(reference["estimate_raw"] / 1000, rel=1e-6)


@pytest.mark.parametrize(("n_visits", "n_regions"), [(2, 60), (3, 32)])
def test_intervals_cover_a_planted_difference_and_false_alarms_keep_to_the_level(
    rng: np.random.Generator, n_visits: int, n_regions: int
) -> None:
    n = 24
    visits = make_visits(simulate(rng, n, n_visits), 6 * np.arange(n_visits), treatment=np.tile(["a", "b"], n // 2))
    gain = np.repeat(15.0 * (np.arange(n) % 2 == 0), n_visits) * visits["visit"]  # arm a, mm3 per visit
    null = {f"null{i}_mean_mm3": simulate(rng, n, n_visits).ravel() for i in range(n_regions)}
    planted = {f"gain{i}_mean_mm3": simulate(rng, n, n_visits).ravel() + gain for i in range(n_regions)}
    study = make_study(pd.concat([visits, pd.DataFrame({**null, **planted})], axis=1))
    found = {}
    for name in ("null", "gain"):
        rois = [f"{name}{i}" for i in range(n_regions)]
        found[name] = pd.DataFrame(
            analyse_change(study, rois=rois, hemispheres=["mean"], family="f", kind="by_group", by="treatment").rows
        )
    assert (found["null"]["p"] < 0.05).mean() < 0.14
    assert 0.4 < found["null"]["p"].mean() < 0.6
    truth = 15.0 if n_visits == 2 else 15.0 / 6  # mm3, or mm3 per week
    covered = (found["gain"]["raw_ci_low"] < truth) & (truth < found["gain"]["raw_ci_high"])
    assert covered.mean() > 0.85
    spread = 30 * np.sqrt(2) if n_visits == 3 else 30 * np.sqrt(2 - 30**2 / (300**2 + 30**2))
    d = 15.0 * (n_visits - 1) / spread
    assert ((found["gain"]["ci_low"] < d) & (d < found["gain"]["ci_high"])).mean() > 0.85


def test_people_with_one_visit_are_left_out_of_ancova_and_used_by_mixed_models(rng: np.random.Generator) -> None:
    volumes = simulate(rng, 20, 3, 20.0)
    volumes[:2, 1:] = np.nan
    volumes[2:6, 2] = np.nan
    arms = np.tile(["yes", "no"], 10)
    result = ask(make_study(make_visits(volumes, [0, 6, 12], responder=arms)), kind="by_group", by="responder")
    row = result.rows[0]
    assert (row["n"], row["n_comparison"], row["n_reference"]) == (20, 10, 10)
    assert "2 people with one scan in the model" in row["reason"]
    assert set(result.table["n_per_visit"]) == {"0: 10, 1: 9, 2: 7"}
    assert result.table["df_method"].tolist() == ["Satterthwaite"] * 2
    volumes[:, 2] = np.nan
    row = ask(make_study(make_visits(volumes, [0, 6, 12], responder=arms)), kind="by_group", by="responder").rows[0]
    assert (row["n"], row["df"]) == (18, 15)
    assert "2 people with one scan left out" in row["reason"]


def test_trend_of_one_population_over_several_visits(rng: np.random.Generator) -> None:
    study = make_study(make_visits(simulate(rng, 25, 4, 18.0), [0, 6, 12, 18]))
    row = ask(study, kind="within").rows[0]
    assert row["raw_unit"] == "mm3/week"
    assert row["raw_ci_low"] < 3 < row["raw_ci_high"]
    assert row["df"] == pytest.approx(74)  # 100 scans - 25 people - 1 slope: balanced
    d_z = 54 / (30 * np.sqrt(2))
    assert row["ci_low"] < d_z < row["ci_high"]
    assert row["formula"] == "volume_mm3 ~ weeks + (1 | participant_id)"


def test_who_changed_the_scanner_is_left_out_and_counted(rng: np.random.Generator) -> None:
    visits = make_visits(simulate(rng, 12, 2), [0, 6])
    visits["site"] = "a"
    visits.loc[visits["participant_id"].isin(["sub-003", "sub-007"]) & (visits["visit"] == 1), "site"] = "b"
    visits.loc[0, "site"] = None
    result = ask(make_study(visits), kind="within")
    assert result.rows[0]["n"] == 10
    assert "2 people whose site differs between sessions left out (another scanner)" in result.rows[0]["reason"]
    assert result.table["n_site_change"].tolist() == [2]


def test_who_was_scanned_with_other_voxels_is_left_out_and_counted(rng: np.random.Generator) -> None:
    visits = make_visits(simulate(rng, 14, 2), [0, 6]).assign(voxel_volume_mm3=1.0)
    second = visits["visit"] == 1
    visits.loc[visits["participant_id"].isin(["sub-003", "sub-007"]) & second, "voxel_volume_mm3"] = 0.8
    visits.loc[(visits["participant_id"] == "sub-004") & second, "voxel_volume_mm3"] = 1.001
    visits.loc[(visits["participant_id"] == "sub-005") & second, "voxel_volume_mm3"] = np.nan
    result = ask(make_study(visits), kind="within")
    assert result.rows[0]["n"] == 12
    assert "2 people whose voxel size differs between sessions left out (another protocol)" in result.rows[0]["reason"]


def test_without_weeks_estimates_are_per_interval(rng: np.random.Generator) -> None:
    volumes = simulate(rng, 15, 3, 20.0)
    row = ask(make_study(make_visits(volumes)), kind="within").rows[0]
    assert row["raw_unit"] == "mm3/visit"
    assert "weeks are not known" in row["reason"]
    constant = ask(make_study(make_visits(volumes, [8, 8, 8])), kind="within").rows[0]
    assert "weeks do not differ between sessions" in constant["reason"]
    assert constant["estimate_raw"] == row["estimate_raw"]
    refused = ask(make_study(make_visits(volumes, group=["control"] * 7 + ["patient"] * 8)), kind="progression").rows[0]
    assert refused["status"] == "refused"
    assert "weeks are not known" in refused["reason"]


def test_weeks_that_run_backwards_and_unequal_follow_up_are_reported(rng: np.random.Generator) -> None:
    visits = make_visits(simulate(rng, 20, 2), [0, 6], responder=np.tile(["yes", "no"], 10))
    visits.loc[(visits["responder"] == "no") & (visits["visit"] == 1), "weeks"] = 10
    visits.loc[(visits["participant_id"] == "sub-001") & (visits["visit"] == 1), "weeks"] = -3
    row = ask(make_study(visits), kind="by_group", by="responder").rows[0]
    assert (row["n_comparison"], row["n_reference"]) == (10, 9)
    assert "1 person whose weeks do not increase" in row["reason"]
    assert "unequal follow-up: 6 weeks in yes, 10 weeks in no" in row["reason"]


def test_weeks_missing_at_the_first_visit_count_from_it(rng: np.random.Generator) -> None:
    visits = make_visits(simulate(rng, 10, 2, 30.0), [np.nan, 6])
    assert ask(make_study(visits), kind="within").table["weeks_mean"].tolist() == [6]


def test_a_scan_without_a_date_is_left_out_of_a_trend(rng: np.random.Generator) -> None:
    visits = make_visits(simulate(rng, 12, 3, 20.0), [0, 6, 12])
    visits.loc[(visits["visit"] == 2) & visits["participant_id"].isin(["sub-001", "sub-002"]), "weeks"] = np.nan
    row = ask(make_study(visits), kind="within").rows[0]
    assert (row["n"], row["df"]) == (12, pytest.approx(21, abs=0.5))  # 34 scans - 12 people - 1 slope
    assert "scans without weeks left out: 2" in row["reason"]


def test_who_lacks_a_covariate_is_left_out_and_counted(rng: np.random.Generator) -> None:
    people = {"age_years": [np.nan, *rng.uniform(20, 60, 23)], "responder": pd.Categorical(["yes", "no"] * 12)}
    for n_visits, note in ((2, "1 person with two scans but a missing value"), (3, "1 person without weeks or a cov")):
        study = make_study(
            make_visits(simulate(rng, 24, n_visits), 6 * np.arange(n_visits), **people), covariates=("age",)
        )
        row = ask(study, kind="by_group", by="responder").rows[0]
        assert (row["n"], row["n_comparison"], row["n_reference"]) == (23, 11, 12)
        assert note in row["reason"]


def make_remission_study(rng: np.random.Generator) -> Study:
    group = np.repeat(["control", "patient"], [40, 80])
    remitter = np.where(group == "patient", np.tile(["yes", "no"], 60), None)
    volumes = simulate(rng, 120, 2, 60.0 * (remitter == "yes"), noise=20)
    volumes -= 300 * (group == "patient")[:, None]
    visits = make_visits(volumes, [0, 12], group=group, remitter=remitter, tiv_whole_mm3=rng.normal(1.5e6, 1e5, 120))
    return make_study(visits, head_size=HeadSize("tiv_whole_mm3", ""))


def test_remitters_catch_up_but_a_gap_stays(rng: np.random.Generator) -> None:
    result = ask(make_remission_study(rng), kind="three_level")
    change, gap = result.rows
    assert change["contrast"] == "remitters - controls: change"
    assert change["raw_ci_low"] < 60 < change["raw_ci_high"]
    assert (change["n"], change["n_comparison"], change["n_reference"], change["df"]) == (120, 40, 40, 117)
    assert gap["contrast"] == "remitters - controls: volume at the last scan"
    assert gap["raw_ci_low"] < 60 - 300 < gap["raw_ci_high"] < 0
    assert gap["ci_low"] < gap["ci90_low"] < gap["ci90_high"] < gap["ci_high"]
    assert gap["formula"] == "last_mm3 ~ arm + tiv_whole_dm3"
    assert result.table["arm"].tolist() == ["controls", "non-remitters", "remitters"] * 2
    assert result.table["n_retest"].tolist() == [40] * 6


def test_controls_give_the_spread_of_repeated_measurement() -> None:
    volumes = [[4000, 4040], [4000, 3960], [4000, 4000], [5000, 5100], [5000, 5000], [5000, 5150], [5000, 5090]]
    visits = make_visits(volumes, [0, 6], group=["control"] * 3 + ["patient"] * 4)
    part = ask(make_study(visits), kind="within").table.iloc[0]
    assert part["retest_sd_mm3"] == pytest.approx(40)
    assert part["retest_sd_percent"] == pytest.approx(1)
    assert part["n_retest"] == 3


def test_dose_slope_is_a_partial_correlation(rng: np.random.Generator) -> None:
    sessions = rng.integers(4, 16, 50).astype(float)
    sessions[:3] = np.nan
    age = rng.uniform(20, 70, 50)
    first = rng.normal(3500, 300, 50)
    last = first * (1 + 0.0028 * np.nan_to_num(sessions) + rng.normal(0, 0.01, 50))  # 0.28 % per session
    visits = make_visits(np.c_[first, last], [0, 4], ect_sessions=sessions, age_years=age)
    row = ask(make_study(visits, covariates=("age",)), kind="slope_on", by="ect_sessions").rows[0]
    known = ~np.isnan(sessions)
    Z = np.c_[np.ones(known.sum()), age[known]]
    percent = 100 * (last / first - 1)[known]
    parts = [values - Z @ np.linalg.lstsq(Z, values, rcond=None)[0] for values in (percent, sessions[known])]
    assert row["estimate"] == pytest.approx(np.corrcoef(parts)[0, 1])
    assert row["raw_ci_low"] < 0.28 < row["raw_ci_high"]
    assert (row["n"], row["df"], row["effect_size"]) == (47, 44, "partial_r")
    assert row["raw_unit"] == "%/unit of ect_sessions"
    assert "3 people with two scans but a missing value left out" in row["reason"]


def test_symptom_change_is_set_against_change_of_volume_given_its_first_value(rng: np.random.Generator) -> None:
    volumes = simulate(rng, 40, 2, 40.0)
    percent = 100 * (volumes[:, 1] / volumes[:, 0] - 1)
    first = rng.normal(30, 5, 40)
    change = -0.4 * first - 1.0 * percent + rng.normal(0, 2, 40)
    visits = make_visits(volumes, [0, 6], ect_sessions=rng.integers(4, 12, 40).astype(float))
    visits["HADS-anx"] = np.c_[first, first + change].ravel()
    study = make_study(visits)
    row = ask(study, kind="slope_on", outcome_change="HADS-anx", adjust_for=["ect_sessions"]).rows[0]
    X = np.c_[np.ones(40), percent, first, visits["ect_sessions"][::2].astype(float)]
    assert row["estimate_raw"] == pytest.approx(np.linalg.lstsq(X, change, rcond=None)[0][1])
    assert row["raw_ci_low"] < -1 < row["raw_ci_high"]
    assert row["contrast"] == "change of HADS-anx on % change"
    settled = make_study(visits.assign(symptom_change_percent=np.repeat(change, 2)))
    row = ask(settled, kind="slope_on", outcome_change="symptom_change_percent").rows[0]
    assert row["formula"] == 'Q("change of symptom_change_percent") ~ percent'
    assert row["estimate"] == pytest.approx(np.corrcoef(change, percent)[0, 1])


def test_lateralised_stimulation_moves_one_side_more(rng: np.random.Generator) -> None:
    electrode = np.tile(["RUL", "BL"], 25)
    left = simulate(rng, 50, 2, 60.0)
    right = simulate(rng, 50, 2, 60.0)
    right[:, 1] += 0.012 * right[:, 0] * (electrode == "RUL")  # 1.2 % more on the right
    visits = make_visits(left, [0, 4], ect_electrode=electrode)
    visits = visits.assign(hippocampus_L_mm3=left.ravel(), hippocampus_R_mm3=right.ravel())
    result = ask(make_study(visits), kind="lateralisation", by="ect_electrode")
    row = result.rows[0]
    assert row["contrast"] == "ect_electrode RUL - BL: % change right - left"
    assert row["raw_ci_low"] < 1.2 < row["raw_ci_high"]
    difference = 100 * (right[:, 1] / right[:, 0] - left[:, 1] / left[:, 0])
    assert row["estimate_raw"] == pytest.approx(difference[::2].mean() - difference[1::2].mean())
    assert (row["raw_unit"], row["hemisphere"]) == ("%", "")
    assert result.table["arm"].tolist() == ["BL R", "RUL R", "BL L", "RUL L"]


def test_progression_is_per_year(rng: np.random.Generator) -> None:
    group = np.repeat(["control", "patient"], 30)
    weeks = 365.25 / 7
    study = make_study(make_visits(simulate(rng, 60, 2, -40.0 * (group == "patient")), [0, 2 * weeks], group=group))
    row = ask(study, kind="progression").rows[0]
    assert row["raw_unit"] == "mm3/year"
    assert row["raw_ci_low"] < -20 < row["raw_ci_high"]
    assert row["contrast"] == "patient - control: change per year"


def test_any_column_name_can_be_a_factor_and_its_last_value_counts(rng: np.random.Generator) -> None:
    visits = make_visits(simulate(rng, 24, 3, 10.0), [0, 6, 12], **{"1st arm (A/B)": np.tile(["A", "B"], 12)})
    visits.loc[(visits["visit"] == 0), "1st arm (A/B)"] = None
    visits.loc[(visits["visit"] == 1) & (visits["participant_id"] == "sub-000"), "1st arm (A/B)"] = "B"
    row = ask(make_study(visits), kind="by_group", by="1st arm (A/B)").rows[0]
    assert (row["n_comparison"], row["n_reference"]) == (12, 12)
    assert row["formula"] == 'volume_mm3 ~ weeks * Q("1st arm (A/B)") + (1 | participant_id)'
    assert "1 person with a 1st arm (A/B) that changes: its last value counts" in row["reason"]


def test_a_factor_is_no_covariate_of_itself(rng: np.random.Generator) -> None:
    people = {"sex": np.tile(["F", "M"], 20), "age_years": rng.uniform(20, 60, 40)}
    study = make_study(make_visits(simulate(rng, 40, 2), [0, 6], **people), covariates=("age", "sex"))
    row = ask(study, kind="by_group", by="sex").rows[0]
    assert row["formula"] == "change_mm3 ~ sex + age_years"
    assert row["status"] == "fitted"


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ({"kind": "by_group", "by": "relapse"}, "no column for relapse"),
        ({"kind": "by_group", "by": "arm"}, "arm has 3 levels among patient (A, B, C), and a difference needs two"),
        ({"kind": "by_group", "by": "arm", "levels": ("A", "D")}, "too few people: 4 A, 0 D with two scans"),
        ({"kind": "slope_on", "by": "arm"}, "arm must be a number to be set against change; it holds A, B, C"),
        ({"kind": "slope_on", "by": "dose"}, "dose does not vary: it is 8 for all 12 people"),
        ({"kind": "within", "population": {"arm": "D"}}, "nobody of 0 people has"),
        ({"kind": "three_level"}, "no column for remitter"),
        ({"kind": "by_group", "by": "group"}, "too few people: 12 patient, 0 control"),
    ],
)
def test_what_the_cohort_cannot_answer_is_refused_in_words(
    rng: np.random.Generator, question: dict[str, Any], reason: str
) -> None:
    visits = make_visits(simulate(rng, 12, 2), [0, 6], arm=["A", "B", "C"] * 4, dose=[8.0] * 12)
    result = ask(make_study(visits), **question)
    for row in result.rows:
        assert row["status"] == "refused"
        assert reason in row["reason"]
        assert row["contrast"]
    assert result.table["status"].tolist() == ["refused"] * len(result.rows)


def test_a_region_that_fails_does_not_take_others_with_it(rng: np.random.Generator) -> None:
    visits = make_visits(simulate(rng, 12, 2), [0, 6]).assign(insula_mean_mm3=3000.0)
    rois = ["hippocampus", "amygdala", "insula"]
    found = analyse_change(make_study(visits), rois=rois, hemispheres=["mean"], family="primary", kind="within")
    assert [row["status"] for row in found.rows] == ["fitted", "refused", "refused"]
    assert "no column amygdala_mean_mm3: not measured" in found.rows[1]["reason"]
    assert "same for everyone" in found.rows[2]["reason"]
    assert found.table["roi"].tolist() == rois
    once = analyse_change(
        make_study(visits[visits["visit"] == 0]), rois=rois, hemispheres=["mean"], family="primary", kind="within"
    )
    assert "nobody of 12 people has hippocampus_mean_mm3 at two sessions" in once.rows[0]["reason"]


def test_too_few_people_are_refused_with_their_number(rng: np.random.Generator) -> None:
    study = make_study(make_visits(simulate(rng, 12, 2), [0, 6]), min_group_size=20)
    row = ask(study, kind="within").rows[0]
    assert "too few people: 12 people with two scans and all values" in row["reason"]
    assert "min_group_size asks for 20" in row["reason"]


@pytest.mark.parametrize(
    "question",
    [
        {"kind": "by_group"},
        {"kind": "lateralisation"},
        {"kind": "slope_on"},
        {"kind": "slope_on", "by": "dose", "outcome_change": "score"},
        {"kind": "by_group", "by": "arm", "levels": ("A", "B", "C")},
        {"kind": "growth"},
    ],
)
def test_questions_that_make_no_sense_are_errors(rng: np.random.Generator, question: dict[str, Any]) -> None:
    study = make_study(make_visits(simulate(rng, 12, 2), [0, 6]))
    with pytest.raises(ConfigError, match="is no question"):
        ask(study, **question)
