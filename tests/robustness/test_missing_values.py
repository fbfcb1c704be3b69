"""Pain 20: whatever is missing or cannot be estimated, every row has its people, or the reason why it has no number."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from morpho.infer.models import associate_severity, compare_groups
from morpho.infer.study import Study, make_settings, prepare_study

ROOT = Path(__file__).parents[2]
CONFIG = yaml.safe_load((ROOT / "config/config.yaml").read_text(encoding="utf-8"))
FAMILIES = {"primary": {"rois": ["hippocampus", "amygdala"], "hemispheres": ["mean"]}}
MODELS = CONFIG["models"] | {"families": FAMILIES, "n_permutations": 19, "head_size": "tiv"}
PARTICIPANTS: dict[str, Any] = {"variables": {}, "severity": {"BDI": "BDI"}}

Damage = Callable[[pd.DataFrame], pd.DataFrame]


def make_cohort(n: int = 40) -> pd.DataFrame:
    rng = np.random.default_rng(2)
    is_patient = np.arange(n) % 2 == 1
    names = [f"sub-{number:02}" for number in range(n)]
    return pd.DataFrame(
        {
            "participant_id": names,
            "session_id": "",
            "scan": names,
            "group": np.where(is_patient, "patient", "control"),
            "age_years": rng.uniform(20, 60, n),
            "sex": rng.choice(["F", "M"], n),
            "site": rng.choice(["north", "south"], n),
            "severity_BDI": np.where(is_patient, rng.uniform(10, 40, n), np.nan),
            "tiv_whole_mm3": rng.normal(1.5e6, 1e5, n),
            "affine_tiv_whole_mm3": rng.normal(1.4e6, 1e5, n),
            "hippocampus_mean_mm3": rng.normal(3800, 250, n),
            "amygdala_mean_mm3": rng.normal(1700, 120, n),
        }
    )


def lose(column: str, rows: slice = slice(None)) -> Damage:
    def damage(cohort: pd.DataFrame) -> pd.DataFrame:
        lost = cohort.copy()
        lost.loc[lost.index[rows], column] = None
        return lost

    return damage


DAMAGES: dict[str, Damage] = {
    "nothing": lambda cohort: cohort,
    "half of the ages": lose("age_years", slice(0, 20)),
    "all ages": lose("age_years"),
    "all volumes of a region": lose("amygdala_mean_mm3"),
    "most volumes of a region": lose("amygdala_mean_mm3", slice(3, None)),
    "the head size of one person": lose("tiv_whole_mm3", slice(0, 1)),
    "all sites": lose("site"),
    "all patients": lambda cohort: cohort[cohort["group"] == "control"],
    "all but two patients": lambda cohort: cohort[(cohort["group"] == "control") | (cohort.index < 4)],
    "all but 14 people": lambda cohort: cohort.iloc[:14],
    "a region that does not vary": lambda cohort: cohort.assign(amygdala_mean_mm3=1700.0),
    "a region that is not there": lambda cohort: cohort.drop(columns="amygdala_mean_mm3"),
    "age that repeats head size": lambda cohort: cohort.assign(age_years=cohort["tiv_whole_mm3"] / 5e4),
    "site that repeats group": lambda cohort: cohort.assign(site=cohort["group"]),
    "one sex": lambda cohort: cohort.assign(sex="F"),
    "a site of one person": lambda cohort: cohort.assign(site=np.where(cohort.index == 5, "one", "north")),
    "severity that does not vary": lambda cohort: cohort.assign(severity_BDI=20.0),
    "all severity": lose("severity_BDI"),
}


def prepare(cohort: pd.DataFrame) -> Study:
    return prepare_study(cohort.reset_index(drop=True), MODELS, PARTICIPANTS)[0]


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_row_has_its_people_and_numbers_or_a_reason(damage: Damage) -> None:
    study = prepare(damage(make_cohort()))
    effects, associations = compare_groups(study).effects, associate_severity(study).associations
    assert effects["roi"].tolist() == ["hippocampus", "amygdala"]
    for table, counts in ((effects, ["n_reference", "n_comparison"]), (associations, ["n"])):
        fitted, refused = (table[table["status"] == status] for status in ("fitted", "refused"))
        assert len(fitted) + len(refused) == len(table)
        assert fitted[["p", *counts]].notna().all(axis=None)
        assert (fitted[counts] >= MODELS["min_group_size"]).all(axis=None)
        assert (fitted["df"] >= MODELS["min_residual_df"]).all()
        assert refused["p"].isna().all()
        assert refused["reason"].fillna("").str.len().gt(10).all()


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ("all but 14 people", "leave 8 residual degrees of freedom; config models.min_residual_df asks for 10"),
        ("site that repeats group", "site control: 20 control"),
        ("age that repeats head size", "cannot be told apart"),
        ("all patients", "only one group is present"),
        ("all but two patients", "too few people: 20 control, 2 patient"),
    ],
)
def test_the_reason_is_in_plain_words(damage: str, reason: str) -> None:
    effects = compare_groups(prepare(DAMAGES[damage](make_cohort()))).effects
    assert effects["reason"].str.contains(reason, regex=False).all(), effects["reason"].tolist()


def test_people_are_counted_region_by_region() -> None:
    """Complete cases of each region: a gap in one does not cost people in another."""
    gap = lose("amygdala_mean_mm3", slice(0, 6))(make_cohort())
    effects = compare_groups(prepare(gap)).effects.set_index("roi")
    assert (effects.loc["hippocampus", ["n_reference", "n_comparison"]] == [20, 20]).all()
    assert (effects.loc["amygdala", ["n_reference", "n_comparison"]] == [17, 17]).all()


def test_ten_degrees_of_freedom_are_the_shipped_least() -> None:
    assert CONFIG["models"]["min_residual_df"] == 10
    assert make_settings(MODELS, make_cohort()).min_residual_df == 10
