"""What every column of the outcome table means, and how rows become tables.

The order of the keys is the order of the columns.
"""

from collections.abc import Mapping, Sequence

import pandas as pd

from morpho.tables import describe_column

Row = dict[str, object]

_OUT_OF_FOLD = "five folds, five times; log odds averaged per person"

OUTCOMES = {
    "family": describe_column("Family of regions corrected together"),
    "roi": describe_column("Region, as in the region table"),
    "hemisphere": describe_column("Side of the volume"),
    "status": describe_column(
        "What became of the model (one model per row)",
        levels={"fitted": "estimated", "refused": "not estimated: all results missing, see reason"},
    ),
    "reason": describe_column("Why the model was refused; for a fitted one, what asks for care"),
    "outcome": describe_column("Column with the outcome"),
    "event": describe_column("Value of the outcome that counts as event"),
    "formula": describe_column("Logistic model with Firth's penalty; volume in standard deviations"),
    "n": describe_column("People analysed", units="people"),
    "n_events": describe_column("Of them with the event", units="people"),
    "n_non_events": describe_column("Of them without it", units="people"),
    "events_per_variable": describe_column(
        "Events or non-events, whichever are fewer, over columns of the model besides the constant", units="1"
    ),
    "volume_sd_mm3": describe_column("Standard deviation of the volume: the unit of the odds ratio", units="mm3"),
    "log_odds_ratio": describe_column("Log odds ratio of the event per standard deviation of volume", units="1"),
    "log_odds_ratio_se": describe_column("Its standard error, from the expected information", units="1"),
    "log_odds_ratio_ci_low": describe_column("Lower limit, profile of the penalised likelihood", units="1"),
    "log_odds_ratio_ci_high": describe_column("Upper limit", units="1"),
    "log_odds_ratio_ci90_low": describe_column("Lower limit at 90 %", units="1"),
    "log_odds_ratio_ci90_high": describe_column("Upper limit at 90 %", units="1"),
    "odds_ratio": describe_column("exp(log_odds_ratio); below 1: the event is rarer with a large volume", units="1"),
    "odds_ratio_ci_low": describe_column("Lower limit of odds_ratio", units="1"),
    "odds_ratio_ci_high": describe_column("Upper limit of odds_ratio", units="1"),
    "chi2": describe_column("Penalised likelihood ratio with and without the volume, 1 degree of freedom", units="1"),
    "z": describe_column("Root of chi2 with the sign of log_odds_ratio; standard normal without effect", units="1"),
    "p": describe_column("p value of chi2", units="1"),
    "auc": describe_column(f"Area under the ROC curve with the volume, out of fold ({_OUT_OF_FOLD})", units="1"),
    "auc_ci_low": describe_column("Lower limit of auc (DeLong); the trained models are taken as fixed", units="1"),
    "auc_ci_high": describe_column("Upper limit of auc", units="1"),
    "auc_without_volume": describe_column("The same of the model without the volume, in the same folds", units="1"),
    "auc_without_volume_ci_low": describe_column("Lower limit of auc_without_volume", units="1"),
    "auc_without_volume_ci_high": describe_column("Upper limit of auc_without_volume", units="1"),
    "auc_gain": describe_column("auc minus auc_without_volume", units="1"),
    "auc_gain_ci_low": describe_column("Lower limit of auc_gain (paired DeLong)", units="1"),
    "auc_gain_ci_high": describe_column("Upper limit of auc_gain", units="1"),
    "auc_gain_p": describe_column("p value of auc_gain (paired DeLong)", units="1"),
    "auc_apparent": describe_column("Area in the people the model was fitted to: too high, for comparison", units="1"),
    "auc_apparent_without_volume": describe_column("The same without the volume: too high", units="1"),
    "hazard_ratio": describe_column(
        "Hazard ratio of the event per standard deviation of volume, Cox model of the same columns", units="1"
    ),
    "hazard_ratio_ci_low": describe_column("Lower limit of hazard_ratio (Wald)", units="1"),
    "hazard_ratio_ci_high": describe_column("Upper limit of hazard_ratio", units="1"),
    "hazard_ratio_p": describe_column("p value of hazard_ratio (Wald)", units="1"),
    "n_time": describe_column("People in the Cox model: those with a time", units="people"),
    "n_time_events": describe_column("Events in the Cox model", units="people"),
}

OUTCOME_COUNTS = {"n", "n_events", "n_non_events", "n_time", "n_time_events"}
OUTCOME_TEXT = {"family", "roi", "hemisphere", "status", "reason", "outcome", "event", "formula"}


def write_outcome_row(row: Mapping[str, object]) -> Row:
    """Write the row of the table of claims; t is the signed root of the likelihood ratio."""
    result: Row = {name: row[name] for name in ("family", "roi", "hemisphere", "status", "reason")}
    result |= {"contrast": f"{row['outcome']} {row['event']}: per SD of volume", "effect_size": "log_odds_ratio"}
    result["formula"] = row.get("formula", "")
    if row["status"] == "refused":
        return result
    result |= {"n": row["n"], "n_reference": row["n_non_events"], "n_comparison": row["n_events"]}
    result |= {"estimate": row["log_odds_ratio"], "se": row["log_odds_ratio_se"], "t": row["z"], "p": row["p"]}
    for limit in ("ci_low", "ci_high", "ci90_low", "ci90_high"):
        result[limit] = row[f"log_odds_ratio_{limit}"]
    result |= {"estimate_raw": row["odds_ratio"], "raw_unit": "odds ratio per SD of volume"}
    return result | {"raw_ci_low": row["odds_ratio_ci_low"], "raw_ci_high": row["odds_ratio_ci_high"]}


def tabulate_outcomes(rows: Sequence[Row]) -> pd.DataFrame:
    """Make a table with numbers as numbers, also where no row has any."""
    table = pd.DataFrame(list(rows), columns=list(OUTCOMES))
    kinds = {name: "Int64" if name in OUTCOME_COUNTS else "float64" for name in OUTCOMES if name not in OUTCOME_TEXT}
    return table.astype(kinds)
