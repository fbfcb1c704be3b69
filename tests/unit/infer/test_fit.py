"""Fitted terms equal statsmodels' formula interface; what cannot be estimated is refused in words."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from statsmodels.stats.outliers_influence import variance_inflation_factor

from morpho.errors import DesignError
from morpho.infer.design import HeadSize, Question, Sample, select_sample
from morpho.infer.fit import TermFit, fit_regions, fit_term

VOLUME = "hippocampus_mean_mm3"
TERM = "C(group, Treatment('control'))"
BY_GROUP = Question("group", "group", TERM, ("age", "sex"), HeadSize("none", ""))
BY_SEVERITY = Question("severity_BDI", "severity", "severity", ("age", "sex"), HeadSize("none", ""))


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


def fit(people: pd.DataFrame, question: Question = BY_GROUP) -> tuple[Sample, TermFit]:
    sample = select_sample(people, VOLUME, question)
    return sample, fit_term(sample, question, 0.95)


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
    assert means["control"] == pytest.approx(ours.mean_at_zero, rel=1e-10)
    assert means["patient"] == pytest.approx(ours.mean_at_zero + ours.estimate, rel=1e-10)
    assert ours.adjusted.mean() == pytest.approx(people[VOLUME].mean(), rel=1e-10)


def test_without_covariates_adjusted_volumes_are_the_volumes(people: pd.DataFrame) -> None:
    question = Question("group", "group", TERM, (), HeadSize("none", ""))
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
    with pytest.raises(DesignError, match="the effects of severity, age_years cannot be told apart"):
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
    families = {"primary": {"rois": ["amygdala", "hippocampus"], "hemispheres": ["mean"]}}
    refused, fitted = fit_regions(people, BY_GROUP, families, check=lambda _: None, confidence=0.95)
    assert refused.fit is None
    assert "amygdala_mean_mm3 does not vary" in refused.reason
    assert fitted.fit is not None


def test_the_check_of_the_caller_can_refuse(people: pd.DataFrame) -> None:
    def refuse(sample: Sample) -> None:
        msg = f"not these {len(sample.data)}"
        raise DesignError(msg)

    families = {"primary": {"rois": ["hippocampus"], "hemispheres": ["mean"]}}
    (model,) = fit_regions(people, BY_GROUP, families, check=refuse, confidence=0.95)
    assert (model.fit, model.reason) == (None, "not these 40")


def test_a_group_that_nearly_is_a_covariate_asks_for_care(people: pd.DataFrame) -> None:
    people["age_years"] = np.where(people["group"] == "patient", 50, 20) + people["age_years"] / 20
    families = {"primary": {"rois": ["hippocampus"], "hemispheres": ["mean"]}}
    (model,) = fit_regions(people, BY_GROUP, families, check=lambda _: None, confidence=0.95)
    assert model.fit is not None
    assert model.fit.vif > 5
    assert "group overlaps with the covariates (variance inflation" in model.reason
