"""Equal effects on all regions are told from unequal ones, by an F test that has its nominal error."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from morpho.errors import DesignError
from morpho.infer.claims.specificity import compare_regions
from morpho.infer.contrasts import Effect
from morpho.infer.design import HeadSize
from morpho.infer.study import Settings, Study

ROIS = ("one", "two", "three")
DIFFERENCE = Effect(of="group", weights={"control": -1.0, "patient": 1.0})


def make_study(seed: int, effects: tuple[float, ...] = (0, 0, 0), n: int = 40, correlation: float = 0.5) -> Study:
    rng = np.random.default_rng(seed)
    is_patient = np.arange(n) % 2 == 1
    shared = rng.standard_normal(n)
    volumes = {
        f"{roi}_mean_mm3": 3000
        + 100
        * (np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * rng.standard_normal(n) + effect * is_patient)
        for roi, effect in zip(ROIS, effects, strict=True)
    }
    people = pd.DataFrame(
        {
            "participant_id": [f"s{number:03}" for number in range(n)],
            "group": np.where(is_patient, "patient", "control"),
            "age_years": rng.uniform(20, 60, n),
            "sex": rng.choice(["F", "M"], n),
            **volumes,
        }
    )
    families = {"primary": {"rois": list(ROIS), "hemispheres": ["mean"]}}
    settings = Settings(["age", "sex"], HeadSize("none", ""), families, 3, 0.95, 19, 1, {})
    return Study(people, people, settings, {}, {})


def compare(study: Study, rois: tuple[str, ...] | None = None) -> dict:
    return compare_regions(study, DIFFERENCE, rois, "primary")


def test_two_regions_are_the_t_test_of_their_difference() -> None:
    """T squared of one contrast is the t test of the difference of the standardised volumes in the same model."""
    study = make_study(1, (0.8, 0.0, 0.0))
    found = compare(study, ("one", "two"))
    people = study.people
    z = [
        (people[f"{roi}_mean_mm3"] - people[f"{roi}_mean_mm3"].mean()) / people[f"{roi}_mean_mm3"].std() for roi in ROIS
    ]
    y = (z[0] - z[1]).to_numpy()
    X = np.column_stack([np.ones(40), people["group"] == "patient", people["age_years"], people["sex"] == "M"]).astype(
        float
    )
    beta, rss, *_ = np.linalg.lstsq(X, y, rcond=None)
    t = beta[1] / np.sqrt(rss[0] / 36 * np.linalg.inv(X.T @ X)[1, 1])
    assert (found["f"], found["df_numerator"], found["df"]) == pytest.approx((t**2, 1, 36))
    assert found["p"] == pytest.approx(2 * stats.t.sf(abs(t), 36))


def test_unequal_effects_are_found_and_equal_ones_are_not() -> None:
    unequal, equal = (compare(make_study(2, effects, n=200)) for effects in ((-1.0, 0.0, 0.0), (-1.0, -1.0, -1.0)))
    assert unequal["p"] < 1e-6
    assert equal["p"] > 0.01
    assert unequal["estimate"] > equal["estimate"]
    assert unequal["df_numerator"] == 2


def test_the_error_is_nominal_where_all_regions_have_the_same_effect() -> None:
    p = [compare(make_study(seed, (-0.5, -0.5, -0.5), n=40))["p"] for seed in range(80)]
    assert 1 <= np.sum(np.array(p) < 0.05) <= stats.binom.isf(0.001, 80, 0.05)


def test_units_and_the_order_of_people_do_not_matter() -> None:
    study = make_study(3, (-0.5, 0.0, 0.3))
    before = compare(study)
    scaled = replace(study, people=study.people.assign(two_mean_mm3=study.people["two_mean_mm3"] * 1e3).iloc[::-1])
    after = compare(scaled)
    assert (after["f"], after["p"]) == pytest.approx((before["f"], before["p"]))


def test_a_person_without_one_of_the_volumes_is_left_out() -> None:
    study = make_study(4)
    people = study.people.copy()
    people.loc[0, "two_mean_mm3"] = np.nan
    people.loc[1, "three_mean_mm3"] = np.nan
    assert compare(replace(study, people=people))["n"] == 38
    assert compare(replace(study, people=people), ("one", "two"))["n"] == 39


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda people: people.drop(columns=["two_mean_mm3", "three_mean_mm3"]), "at least two measured regions"),
        (lambda people: people.head(15), "needs 20 people with all 3 volumes; 15 have"),
        (lambda people: people[people["group"] == "patient"], "only one group is present: 0 control, 20 patient"),
        (lambda people: people.assign(two_mean_mm3=people["one_mean_mm3"]), "two regions say the same"),
        (lambda people: people.assign(two_mean_mm3=3000.0), "two_mean_mm3 does not vary: it is 3000.0 for all 40"),
        (lambda people: people.assign(two_mean_mm3=np.nan), "only one group is present: 0 control, 0 patient"),
    ],
    ids=["absent", "few", "one group", "same", "constant", "empty"],
)
def test_what_cannot_be_compared_is_refused(change: object, why: str) -> None:
    study = make_study(5)
    with pytest.raises(DesignError, match=why):
        compare(replace(study, people=change(study.people)))  # type: ignore[operator]
