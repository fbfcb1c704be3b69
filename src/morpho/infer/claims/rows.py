"""Linear tests of claims: from a declared test to rows, in the shape that all kinds of tests share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from morpho.infer.claims.claims import ClaimTest, name_variables, write_terms
from morpho.infer.contrasts import Effect
from morpho.infer.design import HeadSize, Model
from morpho.infer.linear_tests import Question, run_linear
from morpho.infer.study import Study, list_places

ASYMMETRY = "asymmetry"
NO_HEAD_SIZE = HeadSize("none", "an asymmetry is a ratio: head size cancels")

# effect size -> the columns of a linear row that hold estimate and limits
ESTIMATES: Mapping[str, tuple[str, str, str]] = {
    "g": ("g", "g_ci_low", "g_ci_high"),
    "partial_r": ("partial_r", "partial_r_ci_low", "partial_r_ci_high"),
    "partial_eta_squared": (
        "partial_eta_squared",
        "partial_eta_squared_ci_low",
        "partial_eta_squared_ci_high",
    ),
}
RAW: Mapping[str, tuple[str, str, str]] = {
    "g": ("estimate_mm3", "ci_low_mm3", "ci_high_mm3"),
    "partial_r": ("slope_mm3_per_unit", "slope_ci_low_mm3", "slope_ci_high_mm3"),
}


def run_linear_test(test: ClaimTest, study: Study, people: pd.DataFrame, *, permute: bool) -> pd.DataFrame:
    """Fit a linear test of a claim to all regions of its families.

    Parameters
    ----------
    test
        Formula, effect and families.
    study
        Settings and families.
    people
        The test's population, with all variables.
    permute
        Whether permutation p values are wanted.

    Returns
    -------
    Rows of `morpho.infer.linear_tests.run_linear`, with ``effect_size``, ``estimate``, ``ci_low``, ``ci_high`` and,
    where there are natural units, ``estimate_raw`` and its limits.
    """
    settings = study.settings
    head_size = settings.head_size
    places = list_places(settings.families, test.families)
    if test.outcome == ASYMMETRY:
        people, places, head_size = *_add_asymmetry(people, places), NO_HEAD_SIZE
    chosen = (settings.covariates, head_size, settings.age_model, settings.min_residual_df)
    model = Model(write_terms(test), name_variables(test), *chosen)
    rows = run_linear(people, Question(model, test.effect, places), settings, permute=permute).rows
    rows["effect_size"] = name_effect_size(test.effect)
    rows["is_interaction"] = bool(test.effect.joint or test.effect.between)
    return _share_columns(rows)


def name_effect_size(effect: Effect) -> str:
    """Name the effect size that expresses an effect, estimated or refused."""
    if effect.joint:
        return "partial_eta_squared"
    return "partial_r" if effect.is_slope else "g"


def _share_columns(rows: pd.DataFrame) -> pd.DataFrame:
    """Copy estimate and limits into the columns that all kinds of tests have."""
    rows = rows.copy()
    for shared, sources in (
        (("estimate", "ci_low", "ci_high"), ESTIMATES),
        (("estimate_raw", "raw_ci_low", "raw_ci_high"), RAW),
    ):
        for size, columns in sources.items():
            inside = (rows["effect_size"] == size).to_numpy()
            if inside.any() and set(columns) <= set(rows):
                rows.loc[inside, list(shared)] = rows.loc[inside, list(columns)].to_numpy(dtype=float)
    units = {"g": "mm3", "partial_r": "mm3 per unit"}
    rows["raw_unit"] = rows["effect_size"].map(units)
    return rows


def _add_asymmetry(
    people: pd.DataFrame, places: Sequence[Mapping[str, str]]
) -> tuple[pd.DataFrame, list[dict[str, str]]]:
    """Add 100 (L - R) / ((L + R) / 2) of each region, in per cent, under the name of a volume."""
    rois = list(dict.fromkeys(place["roi"] for place in places))
    sides = {roi: (f"{roi}_L_mm3", f"{roi}_R_mm3") for roi in rois}
    indices = {
        f"{roi}_{ASYMMETRY}_mm3": 200 * (people[left] - people[right]) / (people[left] + people[right])
        for roi, (left, right) in sides.items()
        if {left, right} <= set(people)
    }
    family = places[0]["family"]
    added = people.assign(**indices)
    return added, [{"family": family, "roi": roi, "hemisphere": ASYMMETRY} for roi in rois]
