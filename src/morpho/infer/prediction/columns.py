"""What every column of the prediction tables means, the published results beside them, and how rows become tables.

The order of the keys is the order of the columns.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from morpho.tables import describe_column

Row = dict[str, object]


@dataclass(frozen=True)
class PublishedResult:
    """A large published classification of depression by brain structure; `measure` says what the value is."""

    value: float
    measure: str
    n: int
    scheme: str
    source: str


PUBLISHED = (
    PublishedResult(
        0.52,
        "balanced accuracy",
        5365,
        "ENIGMA-MDD, sites left out or harmonised by ComBat (0.62 with mixed folds, not harmonised)",
        "doi:10.1038/s41598-023-47934-8",
    ),
    PublishedResult(
        0.56,
        "accuracy, upper limit",
        1809,
        "Winter 2022, best of several imaging modalities",
        "JAMA Psychiatry 2022;79:879-888",
    ),
    PublishedResult(
        0.51,
        "balanced accuracy",
        7012,
        "ENIGMA-MDD, DenseNet on cortical surfaces, unseen sites (0.58 with mixed folds)",
        "doi:10.1038/s41380-025-03273-w",
    ),
)

_DRAWN = "interval from people drawn anew within site and class; the trained models are taken as fixed"
_SCHEME = describe_column(
    "Who is predicted by whom",
    levels={
        "leave_site_out": "each site by all other sites: the primary result where there are several sites",
        "mixed_folds": "random parts of all sites together; flattered by differences between sites",
        "single_site": "random parts of one site; says nothing about other sites",
    },
)
_MODEL = describe_column(
    "What predicts",
    levels={
        "volumes": "regional volumes, the covariates regressed out of them in each training fold",
        "covariates": "the covariates alone, in the same folds",
    },
)
_STATUS = describe_column(
    "What became of the prediction",
    levels={"fitted": "made", "refused": "not made: all results missing, see reason"},
)

PREDICTION = {
    "scheme": _SCHEME,
    "model": _MODEL,
    "is_primary": describe_column("Whether this is the one result to read"),
    "status": _STATUS,
    "reason": describe_column("Why it was refused; for a fitted one, who was left out or what asks for care"),
    "target": describe_column("Column that is predicted"),
    "positive": describe_column("Value of the target that is looked for"),
    "negative": describe_column("The other value"),
    "unit_of_split": describe_column("What a fold holds together: sites, families or single people"),
    "features": describe_column("Columns that predict"),
    "covariates": describe_column("Covariates; regressed out of the volumes in all people of the training fold"),
    "harmonisation": describe_column("Harmonisation of sites, and where it was fitted"),
    "n": describe_column("People predicted", units="people"),
    "n_positive": describe_column("Of them with the value looked for", units="people"),
    "n_negative": describe_column("Of them with the other value", units="people"),
    "fewest_per_class": describe_column("Fewer people in either class: refused", units="people"),
    "n_sites": describe_column("Sites of the people predicted; 1 also where no site is known", units="sites"),
    "n_folds": describe_column("Outer folds, all repetitions together", units="folds"),
    "penalty_median": describe_column(
        "Median of the inverse penalties C that the inner folds chose; where reason says that it is not tuned, C",
        units="1",
    ),
    "auc": describe_column(
        "Area under the ROC curve within sites, averaged with weights n1 n0 / (n1 + n0); 0.5 is chance. People are "
        "ranked by their log odds minus those of the label in the training fold",
        units="1",
    ),
    "auc_se": describe_column("Standard deviation of auc over the draws", units="1"),
    "auc_ci_low": describe_column(f"Lower limit of auc, {_DRAWN}", units="1"),
    "auc_ci_high": describe_column("Upper limit of auc", units="1"),
    "auc_ci90_low": describe_column("Lower limit of auc at 90 %", units="1"),
    "auc_ci90_high": describe_column("Upper limit of auc at 90 %", units="1"),
    "p_permutation": describe_column(
        "Share of label shuffles within sites that reach the auc of the true labels, (1 + hits) / (1 + shuffles); "
        "all models of this test, that of the true labels too, have the same fixed penalty and one repetition",
        units="1",
    ),
    "n_permutations": describe_column("Label shuffles", units="shuffles"),
    "auc_baseline": describe_column("auc of the covariates alone in the same folds", units="1"),
    "auc_gain": describe_column("auc minus auc_baseline", units="1"),
    "auc_gain_ci_low": describe_column("Lower limit of auc_gain, same draws of people for both", units="1"),
    "auc_gain_ci_high": describe_column("Upper limit of auc_gain", units="1"),
    "auc_pooled": describe_column(
        "Area with all sites in one; where sites differ in their share of the positive, mixed folds are rewarded here "
        "for telling sites apart",
        units="1",
    ),
    "auc_pooled_of_site": describe_column(
        "Pooled area of knowing everyone's site and its share of the positive, and nothing else", units="1"
    ),
    "auc_pooled_ci_low": describe_column("Lower limit of auc_pooled", units="1"),
    "auc_pooled_ci_high": describe_column("Upper limit of auc_pooled", units="1"),
    "auc_folds_mean": describe_column("Mean area of the single outer folds", units="1"),
    "auc_folds_se": describe_column("Its standard error, corrected for shared training people", units="1"),
    "balanced_accuracy": describe_column(
        "Mean of sensitivity and specificity within sites, averaged as auc; who exceeds the share of the label in "
        "the training fold is called positive",
        units="1",
    ),
    "balanced_accuracy_ci_low": describe_column("Lower limit of balanced_accuracy", units="1"),
    "balanced_accuracy_ci_high": describe_column("Upper limit of balanced_accuracy", units="1"),
    "balanced_accuracy_pooled": describe_column("Mean of sensitivity and specificity, all sites in one", units="1"),
    "published_balanced_accuracy": describe_column("The largest published result for unseen sites", units="1"),
    "published": describe_column("Published results, with people and source"),
    "sensitivity": describe_column("Share called positive among the positive", units="1"),
    "specificity": describe_column("Share called negative among the negative", units="1"),
    "sensitivity_at_specificity_90": describe_column("Sensitivity where nine of ten negatives are right", units="1"),
    "study_prevalence": describe_column("Share of the positive among the people predicted", units="1"),
    "ppv_study": describe_column("Share of positives among those called positive, at study_prevalence", units="1"),
    "npv_study": describe_column("Share of negatives among those called negative, at study_prevalence", units="1"),
    "population_prevalence": describe_column("Share assumed in the population", units="1"),
    "ppv_population": describe_column("ppv_study at population_prevalence", units="1"),
    "npv_population": describe_column("npv_study at population_prevalence", units="1"),
    "calibration_intercept": describe_column("Log odds by which the true share exceeds the predicted; 0 is right"),
    "calibration_slope": describe_column("Slope of the outcome on the predicted log odds; below 1: too extreme"),
    "calibration_note": describe_column("Why intercept and slope are missing"),
    "brier": describe_column("Mean squared error of the predicted probability", units="1"),
    "brier_of_prevalence": describe_column("Brier score of telling everyone the study prevalence", units="1"),
}

SUBGROUPS = {
    "scheme": _SCHEME,
    "subgroup": describe_column("What divides the people"),
    "level": describe_column("Site, sex or age band"),
    "status": _STATUS,
    "reason": describe_column("Why it was refused"),
    "n": describe_column("People of the subgroup", units="people"),
    "n_positive": describe_column("Of them with the value looked for", units="people"),
    "n_negative": describe_column("Of them with the other value", units="people"),
    "fewest_per_class": describe_column("Fewer people in either class: refused", units="people"),
    **{name: PREDICTION[name] for name in ("auc", "auc_ci_low", "auc_ci_high", "balanced_accuracy")},
    **{name: PREDICTION[name] for name in ("sensitivity", "specificity")},
}

CALIBRATION = {
    "scheme": _SCHEME,
    "model": _MODEL,
    "bin": describe_column("Bin of people with similar predicted probability, lowest first"),
    "n": describe_column("People in the bin", units="people"),
    "mean_predicted": describe_column("Mean predicted probability of the value looked for", units="1"),
    "observed": describe_column("Share with the value looked for", units="1"),
    "observed_ci_low": describe_column("Lower limit of observed (Wilson)", units="1"),
    "observed_ci_high": describe_column("Upper limit of observed (Wilson)", units="1"),
}

PREDICTION_COUNTS = {"n", "n_positive", "n_negative", "fewest_per_class", "n_sites", "n_folds", "n_permutations", "bin"}
PREDICTION_TEXT = {
    "scheme", "model", "is_primary", "status", "reason", "target", "positive", "negative", "unit_of_split", "features",
    "covariates", "harmonisation", "published", "calibration_note", "subgroup", "level",
}  # fmt: skip


def describe_published() -> str:
    """Put the published results into one line."""
    return "; ".join(
        f"{result.measure} {result.value:.2f}, N = {result.n}, {result.scheme} ({result.source})"
        for result in PUBLISHED
    )


def keep_description(row: Mapping[str, object]) -> Row:
    """Keep what describes the people and folds of a row, not its results."""
    kept = list(PREDICTION)[: list(PREDICTION).index("penalty_median")]
    return {name: row[name] for name in kept if name in row}


def write_claim_row(row: Mapping[str, object]) -> Row:
    """Write the row of the table of claims; only the primary scheme has a p value to correct.

    Parameters
    ----------
    row
        One row of the table of predictions, columns of `PREDICTION`.

    Returns
    -------
    Effect size "auc" with ``null_value`` 0.5; in natural units the balanced accuracy.
    """
    words = {"leave_site_out": "sites left out", "mixed_folds": "mixed folds", "single_site": "one site"}
    kind = words.get(str(row.get("scheme")), "")
    result: Row = {"family": "", "roi": "", "hemisphere": "", "status": row["status"], "reason": row["reason"]}
    result |= {
        "formula": "",
        "contrast": ", ".join(filter(None, [f"prediction of {row['target']} {row['positive']}", kind])),
    }
    result |= {"effect_size": "auc", "null_value": 0.5}
    if row["status"] == "refused":
        return result
    result["formula"] = f"{row['target']} ~ {row['features']} | {row['covariates']}"
    result |= {"n": row["n"], "n_reference": row["n_negative"], "n_comparison": row["n_positive"]}
    result |= {"estimate": row["auc"], "se": row["auc_se"], "ci_low": row["auc_ci_low"], "ci_high": row["auc_ci_high"]}
    result |= {"ci90_low": row["auc_ci90_low"], "ci90_high": row["auc_ci90_high"]}
    result |= {"estimate_raw": row["balanced_accuracy"], "raw_ci_low": row["balanced_accuracy_ci_low"]}
    result |= {"raw_ci_high": row["balanced_accuracy_ci_high"], "raw_unit": "balanced accuracy within sites"}
    result["p_permutation"] = row["p_permutation"]
    return result | ({"p": row["p_permutation"]} if row["is_primary"] else {})


def tabulate_prediction(rows: Sequence[Row], columns: Mapping[str, object]) -> pd.DataFrame:
    """Make a table with numbers as numbers, also where no row has any."""
    table = pd.DataFrame(list(rows), columns=list(columns))
    kinds = {
        name: "Int64" if name in PREDICTION_COUNTS else "float64" for name in columns if name not in PREDICTION_TEXT
    }
    return table.astype(kinds)
