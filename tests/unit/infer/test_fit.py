"""Fitted terms equal statsmodels' formula interface; what cannot be estimated is refused in words."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from statsmodels.stats.outliers_influence import variance_inflation_factor

from morpho.errors import DesignError
from morpho.infer.contrasts import Effect
from morpho.infer.design import HeadSize, Model, Sample, select_sample
from morpho.infer.fit import EffectFit, fit_effect, fit_regions
from morpho.infer.plans import plan_effect

VOLUME = "hippocampus_mean_mm3"
TERM = "C(group, Treatment('control'))"
PLACES = [{"family": "primary", "roi": "hippocampus", "hemisphere": "mean"}]

Question = tuple[Model, Effect]
DIFFERENCE = Effect(of="group", weights={"patient": 1.0, "control": -1.0})
BY_GROUP = Model(TERM, ("group",), ("age", "sex"), HeadSize("none", "")), DIFFERENCE
BY_SEVERITY = Model("severity_BDI", ("severity_BDI",), ("age", "sex"), HeadSize("none", "")), Effect(of="severity_BDI")


@pytest.fixture
def people(rng: np.random.Generator) -> pd.DataFrame:
    n = 40
    group = np.where(np.arange(n) % 3 == 0, "control", "patient")
    age_years = rng.uniform(18, 60, n) + 5 * (group == "patient")
    return pd.DataFrame(
        {
            "participant_id": [f"sub-{number:02}" for number in range(n)],
            "group": group,
            "sex": rng.choice(["F", "M"], n),
            "age_years": age_years,
            "site": rng.choice(["a", "b", "c"], n),
            "severity_BDI": rng.integers(10, 50, n).astype(float),
            VOLUME: 3500 - 10 * age_years + rng.normal(0, 200, n),
        }
    )


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20)


def fit(people: pd.DataFrame, question: Question = BY_GROUP) -> tuple[Sample, EffectFit]:
    sample = select_sample(people, VOLUME, question[0])
    return sample, fit_effect(sample, plan_effect(sample, question[1]), 0.95)


def test_estimate_and_test_equal_statsmodels(people: pd.DataFrame) -> None:
    _, ours = fit(people)
    theirs = smf.ols(f"{VOLUME} ~ C(group, Treatment('control')) + age_years + sex + site", people).fit()
    name = f"{TERM}[T.patient]"
    low, high = theirs.conf_int(0.05).loc[name]
    assert (ours.estimate, ours.se, ours.t, ours.p) == pytest.approx(
        (theirs.params[name], theirs.bse[name], theirs.tvalues[name], theirs.pvalues[name]), rel=1e-8
    )
    assert (ours.ci_low, ours.ci_high, ours.df) == pytest.approx((low, high, theirs.df_resid), rel=1e-8)


def test_variance_inflation_equals_statsmodels(people: pd.DataFrame) -> None:
    model = smf.ols(f"{VOLUME} ~ C(group, Treatment('control')) + age_years + sex + site", people)
    place = model.exog_names.index(f"{TERM}[T.patient]")
    assert fit(people)[1].vif == pytest.approx(variance_inflation_factor(model.exog, place), rel=1e-8)


def test_residuals_on_the_covariates_give_back_slope_and_correlation(people: pd.DataFrame) -> None:
    _, ours = fit(people, BY_SEVERITY)
    slope = np.polynomial.polynomial.polyfit(ours.term_residual, ours.volume_residual, 1)
    r = np.corrcoef(ours.term_residual, ours.volume_residual)[0, 1]
    assert slope == pytest.approx([0.0, ours.estimate], abs=1e-8)
    assert r == pytest.approx(ours.t / np.sqrt(ours.t**2 + ours.df), rel=1e-8)


def test_adjusted_volumes_average_to_the_adjusted_means(people: pd.DataFrame) -> None:
    sample, ours = fit(people)
    means = pd.Series(ours.adjusted).groupby(sample.data["group"]).mean()
    assert means["control"] == pytest.approx(ours.reference_mean, rel=1e-10)
    assert means["patient"] == pytest.approx(ours.reference_mean + ours.estimate, rel=1e-10)
    assert ours.adjusted.mean() == pytest.approx(people[VOLUME].mean(), rel=1e-10)


def test_without_covariates_adjusted_volumes_are_the_volumes(people: pd.DataFrame) -> None:
    question = Model(TERM, ("group",), (), HeadSize("none", "")), DIFFERENCE
    _, ours = fit(people.drop(columns="site"), question)
    assert ours.adjusted == pytest.approx(people[VOLUME].to_numpy())
    assert ours.vif == pytest.approx(1.0)


def test_group_confounded_with_site_is_refused_with_the_columns_and_the_counts(people: pd.DataFrame) -> None:
    people["site"] = people["group"].map({"control": "north", "patient": "south"})
    with pytest.raises(DesignError, match=r"T\.patient\], C\(site\)\[T\.south\] cannot be told apart") as refusal:
        fit(people)
    assert "site north: 14 control, site south: 26 patient" in str(refusal.value)
    assert "age_years" not in str(refusal.value)


def test_three_sites_without_a_common_group_are_refused(people: pd.DataFrame) -> None:
    people["site"] = np.where(people["group"] == "control", "a", people["site"].replace({"a": "b"}))
    with pytest.raises(DesignError, match=r"T\.patient\], C\(site\)\[T\.b\], C\(site\)\[T\.c\]"):
        fit(people)


def test_a_site_with_one_group_only_is_no_obstacle(people: pd.DataFrame) -> None:
    people["site"] = np.where(people.index < 5, "new", "old")
    people.loc[people.index < 5, "group"] = "patient"
    assert np.isfinite(fit(people)[1].t)


def test_severity_that_repeats_age_is_refused(people: pd.DataFrame) -> None:
    people["severity_BDI"] = 2 * people["age_years"] + 1
    with pytest.raises(DesignError, match="the effects of severity_BDI, age_years cannot be told apart"):
        fit(people, BY_SEVERITY)


def test_too_few_residual_degrees_of_freedom_are_refused(people: pd.DataFrame) -> None:
    with pytest.raises(DesignError, match=r"7 people for \d columns of the design leave [0-2] residual"):
        fit(people.iloc[:7].assign(sex=list("FMFMFMM"), site=list("aabbcca")))


def test_a_constant_volume_is_refused(people: pd.DataFrame) -> None:
    people[VOLUME] = 3000.0
    with pytest.raises(DesignError, match=r"hippocampus_mean_mm3 does not vary: it is 3000\.0 for all 40 people"):
        fit(people)


def test_a_constant_scale_is_refused(people: pd.DataFrame) -> None:
    people["severity_BDI"] = 21.0
    with pytest.raises(DesignError, match=r"severity_BDI does not vary: it is 21\.0 for all 40 people"):
        fit(people, BY_SEVERITY)


def test_a_volume_that_the_covariates_reproduce_is_refused(people: pd.DataFrame) -> None:
    people[VOLUME] = 4000 - 3 * people["age_years"]
    with pytest.raises(DesignError, match="reproduced exactly"):
        fit(people)


def test_a_refused_region_does_not_stop_the_others(people: pd.DataFrame) -> None:
    people["amygdala_mean_mm3"] = 1500.0
    places = [{**PLACES[0], "roi": "amygdala"}, *PLACES]
    refused, fitted = fit_regions(people, *BY_GROUP, places, check=lambda _: None, confidence=0.95)
    assert refused.fit is None
    assert "amygdala_mean_mm3 does not vary" in refused.reason
    assert fitted.fit is not None


def test_the_check_of_the_caller_can_refuse(people: pd.DataFrame) -> None:
    def refuse(sample: Sample) -> None:
        msg = f"not these {len(sample.data)}"
        raise DesignError(msg)

    (model,) = fit_regions(people, *BY_GROUP, PLACES, check=refuse, confidence=0.95)
    assert (model.fit, model.reason) == (None, "not these 40")


@pytest.mark.parametrize(("gap_years", "is_refused"), [(50, False), (200, True)])
def test_a_group_that_nearly_is_a_covariate_asks_for_care_or_is_refused(
    people: pd.DataFrame, gap_years: int, *, is_refused: bool
) -> None:
    people["age_years"] += np.where(people["group"] == "patient", gap_years, 0)
    (model,) = fit_regions(people, *BY_GROUP, PLACES, check=lambda _: None, confidence=0.95)
    assert (model.fit is None) == is_refused
    said = "group cannot be told from the covariates" if is_refused else "group overlaps with the covariates"
    assert f"{said}{':' if is_refused else ''}" in model.reason


def test_robust_errors_and_influence_equal_statsmodels(people: pd.DataFrame) -> None:
    _, ours = fit(people)
    theirs = smf.ols(f"{VOLUME} ~ C(group, Treatment('control')) + age_years + sex + site", people).fit()
    robust = theirs.get_robustcov_results("HC3", use_t=True)
    place = theirs.model.exog_names.index(f"{TERM}[T.patient]")
    influence = theirs.get_influence()
    assert (ours.se_hc3, ours.p_hc3) == pytest.approx((robust.bse[place], robust.pvalues[place]), rel=1e-8)
    assert ours.diagnostics.cook_max == pytest.approx(influence.cooks_distance[0].max(), rel=1e-8)
    assert ours.diagnostics.studentised_max == pytest.approx(abs(influence.resid_studentized_external).max(), rel=1e-8)


def test_an_effect_does_not_depend_on_how_factors_are_coded(people: pd.DataFrame) -> None:
    effect = Effect(
        of="group", weights={"patient": 1.0, "control": -1.0}, between="sex", between_weights={"F": 1.0, "M": -1.0}
    )
    coded = ["C(group) * C(sex)", "C(group, Sum) * C(sex, Sum)", "C(group, Treatment('patient')) * sex"]
    fits = []
    for terms in coded:
        sample = select_sample(people, VOLUME, Model(terms, ("group", "sex"), ("age",), HeadSize("none", "")))
        fits.append(fit_effect(sample, plan_effect(sample, effect), 0.95))
    assert [f.t for f in fits[1:]] == pytest.approx([fits[0].t] * 2, rel=1e-8)
    theirs = smf.ols(f"{VOLUME} ~ C(group) * C(sex) + age_years + site", people).fit()
    name = next(name for name in theirs.tvalues.index if ":" in name)
    assert fits[0].t == pytest.approx(-theirs.tvalues[name], rel=1e-8)  # F - M, where statsmodels has M - F
