"""What every column of the tables of claims means: verdicts, tests, and the detailed tables of each kind of test."""

from collections.abc import Mapping

from morpho.infer.change.table import CHANGE
from morpho.infer.claims.verdicts import MEANINGS
from morpho.infer.dictionaries import CARE, CELLS, DIFFERENCE, OUTCOME, PLACE, SLOPE, TEST
from morpho.infer.prediction.columns import CALIBRATION, PREDICTION
from morpho.infer.prediction.columns import SUBGROUPS as PREDICTION_SUBGROUPS
from morpho.infer.prediction.outcome_columns import OUTCOMES
from morpho.infer.sites.dictionaries import (
    EXTREME_COUNTS,
    POOLED_EFFECTS,
    SITE_EFFECTS,
    SUBGROUPS,
    VARIABILITY,
)
from morpho.tables import describe_column

_STATUS = {
    "tested": "at least one test could be made",
    "described": "the cohort lacks the columns of the test that decides; others were made",
    "not_testable": "the cohort lacks the columns in `needs`",
    "out_of_reach": "no T1w scan can answer it",
}

CLAIMS = {
    "claim_id": describe_column("Claim of the claims file (config models.claims)"),
    "claim": describe_column("What the claim says"),
    "review": describe_column("Where the review says so"),
    "confirmatory": describe_column("Whether it was set before looking at the data, or is explored"),
    "status": describe_column("What became of it", levels=_STATUS),
    "verdict": describe_column(
        "What this sample says, from intervals that hold for all deciding regions together", levels=dict(MEANINGS)
    ),
    "sentence": describe_column("The verdict in words, with the numbers of the deciding regions"),
    "needs": describe_column("Columns that are missing for the claim, or for some of its tests"),
    "n_tests": describe_column("Tests made: one per region and effect", units="tests"),
    "n_refused": describe_column("Tests among them that could not be estimated", units="tests"),
    "evidence": describe_column("What the strongest published evidence says"),
    "source": describe_column("Source of the evidence"),
}

_CLAIMED = {
    "claim_id": CLAIMS["claim_id"],
    "test": describe_column("Test of the claim"),
    "population": describe_column("People who take part (populations of the claims file)"),
}
_SHARED = {
    **PLACE,
    "status": OUTCOME["status"],
    "reason": OUTCOME["reason"],
    "contrast": describe_column("The effect in words: its direction, or the predictor of a slope"),
    "n": describe_column("People analysed", units="people"),
    "effect_size": describe_column(
        "Name of the effect size: g (Hedges), partial_r, partial_eta_squared, d_z, log_odds_ratio (per SD), auc, "
        "log_variance_ratio, log_rate_ratio"
    ),
}

CLAIM_TESTS = {
    **_CLAIMED,
    "kind": describe_column("Kind of analysis"),
    **_SHARED,
    "estimate": describe_column("Effect, on the scale of effect_size", units="1"),
    "ci_low": describe_column("Lower limit at the configured confidence", units="1"),
    "ci_high": describe_column("Upper limit", units="1"),
    "estimate_raw": describe_column("The effect in natural units", units="see raw_unit"),
    "raw_ci_low": describe_column("Lower limit of estimate_raw", units="see raw_unit"),
    "raw_ci_high": describe_column("Upper limit of estimate_raw", units="see raw_unit"),
    "raw_unit": describe_column("Unit of estimate_raw"),
    **TEST,
    "decides": describe_column("Whether the verdict on the claim rests on this row, among others"),
    "direction": describe_column("Direction that the claim gives the effect", levels={
        "negative": "below no effect", "positive": "above no effect", "either": "no direction claimed"}),
    "expected": describe_column("Effect claimed, from the best evidence; else the smallest of interest", units="1"),
    "smallest_effect": describe_column("Smallest effect of interest (config models.smallest_effects)", units="1"),
    "simultaneous_ci_low": describe_column(
        "Lower limit of the interval that holds for all deciding rows of the claim together (Bonferroni)", units="1"
    ),
    "simultaneous_ci_high": describe_column("Upper limit of that interval", units="1"),
    "verdict": describe_column("What this row alone says", levels=dict(MEANINGS)),
    "formula": OUTCOME["formula"],
}  # fmt: skip

CONTRASTS = {**_CLAIMED, **_SHARED, "formula": OUTCOME["formula"], **CELLS, **DIFFERENCE}

ASSOCIATIONS = {
    **_CLAIMED,
    **_SHARED,
    "formula": OUTCOME["formula"],
    "slope_mm3_per_unit": describe_column(
        "Coefficient b of the predictor, adjusted for the covariates", units="mm3/unit"
    ),
    "slope_ci_low_mm3": describe_column("Lower limit of the slope, b - t* se", units="mm3/unit"),
    "slope_ci_high_mm3": describe_column("Upper limit of the slope, b + t* se", units="mm3/unit"),
    **SLOPE,
}

INTERACTIONS = {
    **_CLAIMED,
    **_SHARED,
    "formula": OUTCOME["formula"],
    "estimate": describe_column("Interaction as effect size: difference of g, or partial r of the product", units="1"),
    "ci_low": describe_column("Lower limit at the configured confidence", units="1"),
    "ci_high": describe_column("Upper limit", units="1"),
    "estimate_raw": describe_column("The same in mm3, or in mm3 per unit", units="see raw_unit"),
    "raw_ci_low": describe_column("Lower limit of estimate_raw", units="see raw_unit"),
    "raw_ci_high": describe_column("Upper limit of estimate_raw", units="see raw_unit"),
    "raw_unit": describe_column("Unit of estimate_raw"),
    "f": describe_column("F value, of tests of several columns at once", units="1"),
    "df_numerator": describe_column("Columns tested at once", units="1"),
    "partial_eta_squared": describe_column(
        "Share of the variance left by the other terms, F df1 / (F df1 + df2)", units="1"
    ),
    "partial_eta_squared_ci_low": describe_column("Its lower limit, from the noncentral F distribution", units="1"),
    "partial_eta_squared_ci_high": describe_column("Its upper limit", units="1"),
    **TEST,
    **CARE,
}

DETAILS: Mapping[str, Mapping[str, Mapping[str, object]]] = {
    "change": CHANGE,
    "outcome": OUTCOMES,
    "prediction": PREDICTION,
    "prediction_subgroups": PREDICTION_SUBGROUPS,
    "prediction_calibration": CALIBRATION,
    "site_effects": SITE_EFFECTS,
    "site_pooled": POOLED_EFFECTS,
    "subgroups": SUBGROUPS,
    "variability": VARIABILITY,
    "extremes": EXTREME_COUNTS,
}


def describe_detail(name: str) -> dict[str, Mapping[str, object]]:
    """Describe the columns of a detailed table, with claim and test before its own."""
    return {"claim_id": CLAIMS["claim_id"], "test": _CLAIMED["test"], **DETAILS[name]}
