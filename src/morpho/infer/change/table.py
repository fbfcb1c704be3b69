"""The longitudinal table: how each arm changed, in mm3, per cent, per week and standardised.

Takes the estimate of one contrast (`morpho.infer.change.models`) and describes the people behind it, arm by arm,
without a model. `CHANGE` describes the columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from morpho.errors import DesignError
from morpho.infer.change.models import ChangeEstimate
from morpho.infer.change.sample import Scans, find_members, select_scans
from morpho.infer.study import Study
from morpho.stats.change import standardise_change, standardise_change_average
from morpho.tables import describe_column

MIN_PAIRS = 3  # fewer changes have no standard deviation worth printing

_CI = "at the configured confidence (config models.confidence)"

CHANGE = {
    "family": describe_column("Family of regions corrected together (config models.families)"),
    "roi": describe_column("Region, as in the region table"),
    "hemisphere": describe_column("Side of the volume; missing where both sides are compared"),
    "kind": describe_column(
        "What is asked",
        levels={
            "within": "change of one population",
            "by_group": "difference of change between two arms",
            "progression": "the same per year",
            "three_level": "remitters against controls, non-remitters in the model",
            "slope_on": "change against a number",
            "lateralisation": "right against left change between two arms",
        },
    ),
    "contrast": describe_column("Direction of the estimate"),
    "status": describe_column("What became of the contrast", levels={"fitted": "estimated", "refused": "see reason"}),
    "reason": describe_column("Why it was refused, or who was left out and what asks for care"),
    "arm": describe_column("People that the columns up to d_av describe; one row per contrast and arm"),
    "n_per_visit": describe_column("Scans at each visit (0 is the first session of a person)", units="scans"),
    "n_pairs": describe_column("People with two scans or more; change is from the first to the last", units="people"),
    "n_single": describe_column("Attrition: people of the arm with one scan", units="people"),
    "n_site_change": describe_column(
        "People of all arms left out because their site differs between sessions", units="people"
    ),
    "weeks_mean": describe_column("Mean time between first and last scan", units="weeks"),
    "weeks_sd": describe_column("Its standard deviation (n - 1)", units="weeks"),
    "change_mean_mm3": describe_column("Mean of last minus first volume", units="mm3"),
    "change_sd_mm3": describe_column("Its standard deviation (n - 1)", units="mm3"),
    "percent_mean": describe_column("Mean of 100 (last - first) / first", units="%"),
    "percent_sd": describe_column("Its standard deviation (n - 1)", units="%"),
    "percent_per_week": describe_column("Mean of each person's change in % over weeks", units="%/week"),
    "symmetrised_percent_mean": describe_column("Mean of 100 (last - first) / mean of both", units="%"),
    "symmetrised_percent_sd": describe_column("Its standard deviation (n - 1)", units="%"),
    "symmetrised_percent_per_week": describe_column("Mean of each person's symmetrised % over weeks", units="%/week"),
    "d_z": describe_column(
        "change_mean_mm3 / change_sd_mm3; not comparable with d_av or with differences between groups",
        units="standard deviations of the change",
    ),
    "d_z_ci_low": describe_column(f"Lower limit of d_z, exact (noncentral t), {_CI}", units="as d_z"),
    "d_z_ci_high": describe_column("Upper limit of d_z", units="as d_z"),
    "d_av": describe_column(
        "change_mean_mm3 over the root mean square of the standard deviations at first and last scan",
        units="standard deviations between people",
    ),
    "estimate": describe_column("Estimate of the contrast, the same in all arms of it, in the unit of column unit"),
    "ci_low": describe_column(f"Lower limit of estimate, {_CI}"),
    "ci_high": describe_column("Upper limit of estimate"),
    "unit": describe_column("Unit of estimate and its limits"),
    "formula": describe_column("Model; names ending in _dm3 are head sizes in litres"),
    "df_method": describe_column(
        "Degrees of freedom", levels={"exact": "least squares", "Satterthwaite": "mixed model, REML"}
    ),
    "df": describe_column("Degrees of freedom of the test", units="1"),
    "p": describe_column("Two-sided p value, not corrected", units="1"),
    "n_retest": describe_column("Controls with two scans, same site", units="people"),
    "retest_sd_mm3": describe_column(
        f"Standard deviation of the change of controls: what happens without illness or treatment, {MIN_PAIRS} or more",
        units="mm3",
    ),
    "retest_sd_percent": describe_column("The same for the change in %", units="%"),
}


def describe_arms(estimate: ChangeEstimate, confidence: float) -> list[dict[str, Any]]:
    """Describe the change of every arm behind an estimate.

    Parameters
    ----------
    estimate
        Contrast with its scans.
    confidence
        Coverage of the intervals, between 0 and 1.

    Returns
    -------
    One dictionary per arm (and side, where two are compared), keys as in `CHANGE`.
    """
    model = {
        "estimate": estimate.test.estimate,
        "ci_low": estimate.test.ci_low,
        "ci_high": estimate.test.ci_high,
        "unit": estimate.unit,
        "formula": estimate.formula,
        "df_method": estimate.df_method,
        "df": estimate.test.df,
        "p": estimate.test.p,
    }
    return [
        {"arm": f"{arm} {side}".strip(), **_describe_arm(scans, arm, confidence), **model}
        for side, scans in estimate.scans.items()
        for arm in sorted(scans.arms.unique().tolist())
    ]


def measure_retest(study: Study, outcome: str) -> dict[str, Any]:
    """Measure how much the volume of controls changes between scans, keys as in `CHANGE`."""
    nothing = {"n_retest": 0, "retest_sd_mm3": float("nan"), "retest_sd_percent": float("nan")}
    try:
        controls = find_members(study, {"group": ["control"]})
        pairs = select_scans(study, outcome, pd.Series("control", index=controls, dtype=object)).pairs
    except DesignError:
        return nothing
    if len(pairs) < MIN_PAIRS:
        return {**nothing, "n_retest": len(pairs)}
    spreads = pairs[["change_mm3", "percent"]].std()
    return {"n_retest": len(pairs), "retest_sd_mm3": spreads["change_mm3"], "retest_sd_percent": spreads["percent"]}


def _describe_arm(scans: Scans, arm: str, confidence: float) -> dict[str, Any]:
    """Numbers and change of one arm."""
    members = scans.arms.index[scans.arms == arm]
    visits = scans.visits[scans.visits["participant_id"].isin(members)]
    pairs = scans.pairs[scans.pairs.index.isin(members)]
    counts = visits["visit"].value_counts().sort_index()
    return {
        "n_per_visit": ", ".join(f"{visit}: {n}" for visit, n in counts.items()),
        "n_pairs": len(pairs),
        "n_single": len(members) - len(pairs),
        "n_site_change": scans.n_moved,
        "weeks_mean": pairs["weeks"].mean(),
        "weeks_sd": pairs["weeks"].std(),
        "change_mean_mm3": pairs["change_mm3"].mean(),
        "change_sd_mm3": pairs["change_mm3"].std(),
        **dict(_describe_percent(pairs)),
        **_standardise(pairs, confidence),
    }


def _describe_percent(pairs: pd.DataFrame) -> Iterator[tuple[str, float]]:
    """Mean, spread and weekly rate of both kinds of % change."""
    for name in ("percent", "symmetrised_percent"):
        yield f"{name}_mean", pairs[name].mean()
        yield f"{name}_sd", pairs[name].std()
        yield f"{name}_per_week", (pairs[name] / pairs["weeks"]).mean()


def _standardise(pairs: pd.DataFrame, confidence: float) -> dict[str, float]:
    """d_z with its interval and d_av; nothing from too few people or a change that is the same for everyone."""
    spread = pairs["change_mm3"].std()
    if len(pairs) < MIN_PAIRS or not spread > 0:
        return {}
    mean = float(pairs["change_mm3"].mean())
    d_z = standardise_change(mean, float(spread), len(pairs), confidence)
    found = {"d_z": d_z.d, "d_z_ci_low": d_z.d_ci_low, "d_z_ci_high": d_z.d_ci_high}
    before, after = float(pairs["first_mm3"].std()), float(pairs["last_mm3"].std())
    if before > 0 and after > 0:
        r = float(pairs["first_mm3"].corr(pairs["last_mm3"]))
        found["d_av"] = standardise_change_average(mean, before, after, r, len(pairs), confidence=confidence).value
    return found
