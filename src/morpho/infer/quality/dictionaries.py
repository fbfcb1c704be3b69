"""What every column of the tables of quality control means, with its unit and how it is computed.

Written as JSON beside each table. The order of the keys is the order of the columns. What the metrics and the names of
faults mean: `morpho.quality_metrics`.
"""

from morpho.quality_metrics import FLAGS, HARD_FAILURES, METRICS
from morpho.tables import describe_column

_INTERVAL = "at the configured confidence (config models.confidence)"
_SD = "standard deviations"
_MAD = "robust z (scaled MAD)"
_KEYS = {
    "participant_id": describe_column("Participant"),
    "session_id": describe_column("Session; n/a in a cohort without sessions"),
    "scan": describe_column("Participant and session as in file names"),
}

# metrics.tsv: one row per chosen scan, those that failed too
SCAN_METRICS = {
    **_KEYS,
    "input_kind": describe_column(
        "What the T1w shows; n/a for a scan that could not be measured",
        levels={"whole_head": "scan of the whole head", "extracted": "brain extracted before it came to morpho"},
    ),
    "verdict": describe_column(
        "What quality control says of the scan",
        levels={
            "passed": "nothing found",
            "flagged": "something asks for a look; the scan stays in the statistics",
            "failed": "left out of the statistics, unless somebody decided to keep it",
        },
    ),
    "hard_failures": describe_column("What is wrong with the scan, codes separated by commas", levels=HARD_FAILURES),
    "flags": describe_column("What asks for a look, codes separated by commas", levels=FLAGS),
    "reason": describe_column("Verdict in words: each code with metric, value and limit, and what was not compared"),
    "quality_index": describe_column(
        "Quality of the image in one number, higher is worse: mean robust z (winsorised) of noise, contrast to noise, "
        "ghosts and blur, the bad direction up; then its own robust z among comparable scans. Volumes take no part. "
        "Comparable are the scans of its kind, and of its site where a site has enough; n/a below 8 of them",
        units=_MAD,
    ),
    "distance": describe_column(
        "How unusual the scan is in all metrics together: robust z of the logarithm of its Mahalanobis distance from "
        "comparable scans (winsorised robust z, covariance shrunk by Ledoit and Wolf); n/a below 8 of them",
        units=_MAD,
    ),
    **METRICS,
}

# region_deviations.tsv: one row per measured scan and volume
REGION_DEVIATIONS = {
    "scan": _KEYS["scan"],
    "roi": describe_column("Region (config volumes.rois) or total"),
    "hemisphere": describe_column(
        "Side of the volume",
        levels={"L": "left", "R": "right", "mean": "mean of left and right", "whole": "both sides, or not sided"},
    ),
    "volume_mm3": describe_column("Volume as measured", units="mm3"),
    "expected_mm3": describe_column(
        "Volume expected from the other scans of the cohort, given adjusted_for: robust regression (MM), the scan "
        "itself left out, blind to group",
        units="mm3",
    ),
    "z": describe_column(
        "volume_mm3 minus expected_mm3, over the robust standard deviation of such a difference", units=_MAD
    ),
    "adjusted_for": describe_column(
        "What the expected volume takes into account, as far as the cohort knows it and is large enough: head size, "
        "sex, age, site"
    ),
}

# scan_decisions.tsv: one row per chosen scan
SCAN_DECISIONS = {
    **_KEYS,
    "automatic_decision": describe_column(
        "What quality control decides; n/a where volumes come from a table",
        levels={"keep": "no hard failure", "exclude": "a hard failure"},
    ),
    "human_decision": describe_column(
        "What people decided (config quality.decisions), the latest row of each rater: the majority of keep and "
        "exclude; n/a if nobody looked",
        levels={"keep": "keep", "exclude": "exclude", "unsure": "as many for as against, or nobody is sure"},
    ),
    "raters": describe_column("Who decided, and what each said"),
    "human_reason": describe_column("Their reasons"),
    "decision": describe_column(
        "What the statistics do: the decision of people where there is one, else that of quality control. A scan that "
        "was not measured is excluded whatever people say",
        levels={"keep": "in the statistics", "exclude": "left out"},
    ),
    "basis": describe_column("Whose decision it is", levels={"automatic": "of quality control", "human": "of people"}),
    "flagged": describe_column(
        "Whether quality control flagged or failed the scan; n/a where volumes come from a table"
    ),
    "quality_index": describe_column("Quality index of the scan (metrics.tsv); higher is worse", units=_MAD),
    "voxel_volume_mm3": describe_column("Volume of a voxel of the scan (metrics.tsv)", units="mm3"),
}

# rater_agreement.tsv: one row per pair of raters
RATER_AGREEMENT = {
    "rater_1": describe_column("One rater"),
    "rater_2": describe_column("The other rater"),
    "n_scans": describe_column("Scans that both rated", units="scans"),
    "agreement": describe_column("Share of these scans on which they say the same (keep, exclude, unsure)", units="1"),
    "kappa": describe_column(
        "Cohen's kappa: agreement beyond what their own shares would give by chance; 1 is perfect, 0 is chance; n/a if "
        "both say the same of all scans",
        units="1",
    ),
    "kappa_ci_low": describe_column("Lower limit of kappa (Fleiss, Cohen and Everitt 1969), 95 %", units="1"),
    "kappa_ci_high": describe_column("Upper limit of kappa", units="1"),
    "reason": describe_column("Why there is no kappa"),
}

# quality_comparison.tsv: one row per metric, quality_index first
QUALITY_COMPARISON = {
    "metric": describe_column("Column of metrics.tsv"),
    "status": describe_column(
        "Whether the groups could be compared", levels={"fitted": "compared", "refused": "not compared: see reason"}
    ),
    "reason": describe_column("Why they were not compared"),
    "n_reference": describe_column("People of the reference group with a kept scan and a value", units="people"),
    "n_comparison": describe_column("People of the comparison group with a kept scan and a value", units="people"),
    "mean_reference": describe_column("Mean of the reference group", units="as the metric"),
    "sd_reference": describe_column("Its standard deviation (n - 1)", units="as the metric"),
    "mean_comparison": describe_column("Mean of the comparison group", units="as the metric"),
    "sd_comparison": describe_column("Its standard deviation (n - 1)", units="as the metric"),
    "g": describe_column(
        "Hedges' g of the metric, comparison minus reference group, unadjusted; first session of everybody", units=_SD
    ),
    "g_ci_low": describe_column(f"Lower limit of g, exact (inverted noncentral t), {_INTERVAL}", units=_SD),
    "g_ci_high": describe_column("Upper limit of g", units=_SD),
}

# columns of group_comparison.tsv
QUALITY_DIFFERENCE = {
    "quality_g": describe_column(
        "How much worse the images of the comparison group are: Hedges' g of quality_index, comparison minus reference "
        "group, unadjusted; the same in all rows",
        units=_SD,
    ),
    "quality_g_ci_low": describe_column(f"Lower limit of quality_g, {_INTERVAL}", units=_SD),
    "quality_g_ci_high": describe_column("Upper limit of quality_g", units=_SD),
    "motion_equivalent_mm_per_min": describe_column(
        "Head motion of the comparison group beyond that of the reference group that would alone make this difference: "
        "percent / -0.7, as grey matter seems about 0.7 % smaller per mm/min (Reuter M et al., NeuroImage "
        "2015;107:107-115, doi:10.1016/j.neuroimage.2014.12.006); n/a for volumes that are no grey matter",
        units="mm/min",
    ),
}
