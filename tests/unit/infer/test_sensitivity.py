"""Variants of an analysis are that analysis done otherwise: each equals the formula interface on the same people."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

from morpho.infer.contrasts import Effect
from morpho.infer.design import HeadSize, Model
from morpho.infer.linear_tests import Question, run_linear
from morpho.infer.quality.set_names import SETS
from morpho.infer.sensitivity import append_sets, vary_analysis, widen_variants
from morpho.infer.sensitivity_names import OUTLIER, VARIANTS
from morpho.infer.study import Settings

TIV = HeadSize("tiv_whole_mm3", "")
PLACES = [{"family": "primary", "roi": roi, "hemisphere": "mean"} for roi in ("one", "two")]
SETTINGS = Settings(["age", "sex"], TIV, {}, 3, 0.95, 19, 1, {"g": 0.2, "partial_r": 0.1})
MODEL = Model("C(group, Treatment('control'))", ("group",), ("age", "sex"), TIV)
DIFFERENCE = Question(MODEL, Effect(of="group", weights={"control": -1.0, "patient": 1.0}), PLACES)
TERM = "C(group, Treatment('control'))[T.patient]"
COVARIATES = "age_years + sex + site"


@pytest.fixture
def people() -> pd.DataFrame:
    rng = np.random.default_rng(12)
    n = 60
    is_patient = np.arange(n) % 2 == 1
    tiv = 1.5e6 + 1e5 * rng.standard_normal(n)
    volumes = {f"{roi}_mean_mm3": 4000 + 2e-3 * (tiv - 1.5e6) + 200 * rng.standard_normal(n) for roi in ("one", "two")}
    people = pd.DataFrame(
        {
            "participant_id": [f"s{number:02}" for number in range(n)],
            "group": np.where(is_patient, "patient", "control"),
            "age_years": rng.uniform(20, 60, n),
            "sex": rng.choice(["F", "M"], n),
            "site": rng.choice(["east", "north", "west"], n),
            "medication": np.where(is_patient, rng.choice(["naive", "free", "current"], n), None),
            "score": rng.standard_normal(n),
            "tiv_whole_mm3": tiv,
            **volumes,
        }
    )
    people.loc[3, "one_mean_mm3"] += 2000
    return people.assign(quality_index=rng.standard_normal(n))


def fit_t(people: pd.DataFrame, outcome: str = "one_mean_mm3", terms: str = f"{COVARIATES} + tiv_whole_mm3") -> float:
    data = people.assign(tiv_whole_mm3=people["tiv_whole_mm3"] / 1e6)
    return float(smf.ols(f"{outcome} ~ C(group, Treatment('control')) + {terms}", data).fit().tvalues[TERM])


def take_logs(people: pd.DataFrame) -> pd.DataFrame:
    return people.assign(
        one_mean_mm3=np.log(people["one_mean_mm3"]), tiv_whole_mm3=1e6 * np.log(people["tiv_whole_mm3"])
    )


def take_share(people: pd.DataFrame) -> pd.DataFrame:
    return people.assign(one_mean_mm3=people["one_mean_mm3"] / people["tiv_whole_mm3"])


def take_residual(people: pd.DataFrame) -> pd.DataFrame:
    slope = np.polyfit(people["tiv_whole_mm3"], people["one_mean_mm3"], 1)[0]
    return people.assign(one_mean_mm3=people["one_mean_mm3"] - slope * people["tiv_whole_mm3"])


@pytest.mark.parametrize(
    ("variant", "change", "terms"),
    [
        ("main", lambda people: people, f"{COVARIATES} + tiv_whole_mm3"),
        ("no_head_size", lambda people: people, COVARIATES),
        ("log_log", take_logs, f"{COVARIATES} + tiv_whole_mm3"),
        ("proportion", take_share, COVARIATES),
        ("residual", take_residual, COVARIATES),
        ("age_quadratic", lambda people: people, f"{COVARIATES} + np.square(age_years) + tiv_whole_mm3"),
        ("unmedicated", lambda people: people[people["medication"] != "current"], f"{COVARIATES} + tiv_whole_mm3"),
        ("image_quality", lambda people: people, f"{COVARIATES} + tiv_whole_mm3 + quality_index"),
        ("no_outliers", lambda people: people.drop(index=3), f"{COVARIATES} + tiv_whole_mm3"),
    ],
)
def test_each_variant_equals_the_formula_interface(
    people: pd.DataFrame, variant: str, change: Callable[[pd.DataFrame], pd.DataFrame], terms: str
) -> None:
    variants = vary_analysis(people, DIFFERENCE, SETTINGS)
    [row] = variants[(variants["variant"] == variant) & (variants["roi"] == "one")].to_dict("records")
    changed = change(people)
    t = fit_t(changed, terms=terms)
    assert row["n"] == len(changed)
    assert np.sign(row["estimate"]) == np.sign(t)
    p = smf.ols(f"one_mean_mm3 ~ C(group, Treatment('control')) + {terms}", changed).fit().pvalues[TERM]
    assert row["p"] == pytest.approx(p, rel=1e-6)


def test_the_main_variant_is_the_analysis(people: pd.DataFrame) -> None:
    main = vary_analysis(people, DIFFERENCE, SETTINGS).query("variant == 'main'")
    rows = run_linear(people, DIFFERENCE, SETTINGS, permute=False).rows
    ours = main[["estimate", "ci_low", "ci_high", "p"]].to_numpy(dtype=float)
    assert ours == pytest.approx(rows[["g", "g_ci_low", "g_ci_high", "p"]].to_numpy(dtype=float))


def test_every_site_is_left_out_once_and_the_range_is_kept(people: pd.DataFrame) -> None:
    variants = vary_analysis(people, DIFFERENCE, SETTINGS)
    left_out = variants[(variants["variant"] == "loso") & (variants["roi"] == "two")]
    assert left_out["left_out"].tolist() == ["east", "north", "west"]
    assert left_out["n"].tolist() == [(people["site"] != site).sum() for site in ("east", "north", "west")]
    wide = widen_variants(variants).set_index("roi").loc["two"]
    assert wide["effect_loso_min"] == left_out["estimate"].min()
    assert wide["effect_loso_max"] == left_out["estimate"].max()
    assert (
        wide["effect_no_head_size"] == variants.query("variant == 'no_head_size' and roi == 'two'")["estimate"].item()
    )


def test_variants_that_the_cohort_does_not_allow_are_absent(people: pd.DataFrame) -> None:
    bare = people.drop(columns=["medication", "tiv_whole_mm3", "site", "quality_index"])
    bare["one_mean_mm3"] = bare["one_mean_mm3"].where(bare.index != 3, 4000.0)
    model = replace(MODEL, head_size=HeadSize("none", ""), age_model="spline")
    variants = vary_analysis(bare, replace(DIFFERENCE, model=model), replace(SETTINGS, head_size=HeadSize("none", "")))
    assert set(variants["variant"]) <= {"main", "no_outliers"}
    assert widen_variants(variants.query("variant == 'main'")).empty


def test_variants_are_those_with_a_description(people: pd.DataFrame) -> None:
    """All but the one that imputes covariates, which nobody lacks here, and other sets of scans."""
    assert set(vary_analysis(people, DIFFERENCE, SETTINGS)["variant"]) == set(VARIANTS) - {"imputed", *SETS}


def test_other_sets_of_scans_are_variants_beside_their_region(people: pd.DataFrame) -> None:
    variants = vary_analysis(people, DIFFERENCE, SETTINGS)
    fewer = run_linear(people.iloc[10:], DIFFERENCE, SETTINGS, permute=False).rows
    joined = append_sets(variants, {"unflagged": fewer})
    assert list(joined) == list(variants)
    assert joined["roi"].tolist() == sorted(joined["roi"], key=["one", "two"].index)
    rows = joined[joined["variant"] == "unflagged"]
    assert rows["n"].tolist() == [50, 50]
    ours = rows[["estimate", "ci_low", "ci_high", "p"]].to_numpy(dtype=float)
    assert ours == pytest.approx(fewer[["g", "g_ci_low", "g_ci_high", "p"]].to_numpy(dtype=float))
    assert "effect_unflagged" not in widen_variants(joined)


def test_a_slope_is_a_partial_correlation_in_every_variant(people: pd.DataFrame) -> None:
    question = Question(replace(MODEL, terms="score", variables=("score",)), Effect(of="score"), PLACES)
    variants = vary_analysis(people, question, SETTINGS)
    assert set(variants["effect_size"]) == {"partial_r"}
    assert variants["estimate"].abs().max() < 1


def test_a_variant_that_cannot_be_made_is_refused_and_the_others_are_not(people: pd.DataFrame) -> None:
    """All patients but two take an antidepressant."""
    medication = np.where(people["group"] == "patient", np.where(people.index < 4, "free", "current"), None)
    variants = vary_analysis(people.assign(medication=medication), DIFFERENCE, SETTINGS)
    refused = variants[variants["status"] == "refused"]
    assert set(refused["variant"]) == {"unmedicated"}
    assert refused["reason"].str.startswith("too few people: 30 control, 2 patient").all()
    assert refused[["estimate", "p"]].isna().all(axis=None)


def test_regions_that_others_lack_keep_their_own_people(people: pd.DataFrame) -> None:
    people["two_mean_mm3"] = people["two_mean_mm3"].where(people.index > 4)
    main = vary_analysis(people, DIFFERENCE, SETTINGS).query("variant == 'main'").set_index("roi")
    assert main["n"].to_dict() == {"one": 60.0, "two": 55.0}


@pytest.mark.parametrize("value", [np.nan, 3000.0], ids=["missing", "constant"])
def test_an_empty_or_constant_region_is_refused_in_every_variant(people: pd.DataFrame, value: float) -> None:
    """log_log and residual too: a constant over the head size varies, and may be fitted."""
    variants = vary_analysis(people.assign(two_mean_mm3=value), DIFFERENCE, SETTINGS)
    of_two = variants[(variants["roi"] == "two") & (variants["variant"] != "proportion")]
    assert (of_two["status"] == "refused").all()
    assert (of_two["reason"].str.len() > 10).all()
    assert (variants.loc[variants["roi"] == "one", "status"] == "fitted").all()


def test_only_large_residuals_are_outliers(people: pd.DataFrame) -> None:
    people["one_mean_mm3"] = people["one_mean_mm3"].where(people.index != 3, people["one_mean_mm3"].mean())
    variants = vary_analysis(people, DIFFERENCE, SETTINGS)
    assert OUTLIER == 3.0
    assert "no_outliers" not in set(variants.query("roi == 'one'")["variant"])
