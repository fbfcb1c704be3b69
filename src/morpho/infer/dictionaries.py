"""What every column of the model tables means, with its unit and how it is computed.

Written as JSON beside each table. The order of the keys is the order of the columns.
"""

from morpho.tables import describe_column

_ROWS = "one model per row"
_INTERVAL = "at the configured confidence (config models.confidence)"

_PLACE = {
    "family": describe_column("Family of regions corrected together (config models.families)"),
    "roi": describe_column("Region, as in the region table"),
    "hemisphere": describe_column(
        "Side of the volume",
        levels={"L": "left", "R": "right", "mean": "mean of left and right", "whole": "both sides, or not sided"},
    ),
}
_OUTCOME = {
    "status": describe_column(
        f"What became of the model ({_ROWS})",
        levels={"fitted": "estimated", "refused": "not estimated: all results missing, see reason"},
    ),
    "reason": describe_column("Why the model was refused; for a fitted one, what was left out of it or asks for care"),
    "formula": describe_column(
        "Model, ordinary least squares. Names ending in _years, _dm3 are centred at the mean of the people analysed; "
        "_dm3 is the head size in litres; sex is sum-coded"
    ),
    "head_size": describe_column("Column of the cohort table used as head-size covariate; none: no such covariate"),
    "head_size_note": describe_column("Why this head size"),
}
_N_SITES = describe_column("Sites among the people analysed; 1 also where participants.tsv names none", units="sites")
_TEST = {
    "t": describe_column("Estimate over its standard error", units="1"),
    "df": describe_column("Residual degrees of freedom: people minus columns of the design", units="1"),
    "p": describe_column("Two-sided p value of t", units="1"),
    "p_fdr": describe_column(
        "p corrected for the family by Benjamini-Hochberg (false discovery rate); refused models count as p = 1",
        units="1",
    ),
    "family_size": describe_column("Tests in the family, refused models included", units="tests"),
}

EFFECTS = {
    **_PLACE,
    "contrast": describe_column("Direction of every difference: comparison group minus reference group"),
    **_OUTCOME,
    "n_reference": describe_column("People analysed in the reference group", units="people"),
    "n_comparison": describe_column("People analysed in the comparison group", units="people"),
    "n_sites": _N_SITES,
    "mean_reference_mm3": describe_column("Mean volume of the reference group, as measured", units="mm3"),
    "sd_reference_mm3": describe_column("Its standard deviation (n - 1)", units="mm3"),
    "mean_comparison_mm3": describe_column("Mean volume of the comparison group, as measured", units="mm3"),
    "sd_comparison_mm3": describe_column("Its standard deviation (n - 1)", units="mm3"),
    "adjusted_mean_reference_mm3": describe_column(
        "Prediction of the model for the reference group, all covariates at their mean over both groups", units="mm3"
    ),
    "adjusted_mean_comparison_mm3": describe_column(
        "adjusted_mean_reference_mm3 + estimate_mm3: the same for the comparison group", units="mm3"
    ),
    "estimate_mm3": describe_column("Coefficient b of group: difference adjusted for the covariates", units="mm3"),
    "ci_low_mm3": describe_column(f"Lower limit of estimate_mm3, b - t* se, {_INTERVAL}", units="mm3"),
    "ci_high_mm3": describe_column("Upper limit of estimate_mm3, b + t* se", units="mm3"),
    "percent": describe_column("100 * estimate_mm3 / adjusted_mean_reference_mm3", units="%"),
    "percent_ci_low": describe_column(
        "100 * ci_low_mm3 / adjusted_mean_reference_mm3: the reference mean is taken as known", units="%"
    ),
    "percent_ci_high": describe_column("100 * ci_high_mm3 / adjusted_mean_reference_mm3", units="%"),
    "se_mm3": describe_column("Standard error of estimate_mm3", units="mm3"),
    **_TEST,
    "d": describe_column(
        "Cohen's d: estimate_mm3 over the residual standard deviation, t * sqrt(v) with v = c'(X'X)^-1 c",
        units="residual standard deviations",
    ),
    "g": describe_column(
        "Hedges' g, the primary effect size: d * J, J = gamma(df/2) / (sqrt(df/2) gamma((df-1)/2))",
        units="residual standard deviations",
    ),
    "g_ci_low": describe_column(
        f"Lower limit of g, exact (inverted noncentral t, times sqrt(v) J), {_INTERVAL}",
        units="residual standard deviations",
    ),
    "g_ci_high": describe_column("Upper limit of g", units="residual standard deviations"),
    "d_enigma": describe_column(
        "d as the ENIGMA consortium computes it, t (n1+n2) / (sqrt(n1 n2) sqrt(df)); to compare with its tables",
        units="standard deviations",
    ),
    "d_enigma_ci_low": describe_column(
        "d_enigma - 1.96 se, se = sqrt((n1+n2)/(n1 n2) + d^2/(2(n1+n2-2))); 95 % whatever the configured confidence",
        units="standard deviations",
    ),
    "d_enigma_ci_high": describe_column("d_enigma + 1.96 se", units="standard deviations"),
    "vif_group": describe_column(
        "Variance inflation of group, 1/(1 - R2) of group on the covariates; 1: groups balanced in all of them",
        units="1",
    ),
}

ASSOCIATIONS = {
    "family": _PLACE["family"],
    "scale": describe_column("Severity scale (config participants.severity); each scale has its own families of tests"),
    "roi": _PLACE["roi"],
    "hemisphere": _PLACE["hemisphere"],
    **_OUTCOME,
    "n": describe_column("People analysed, all of the comparison group", units="people"),
    "n_sites": _N_SITES,
    "slope_mm3_per_point": describe_column("Coefficient b of severity, adjusted for the covariates", units="mm3/point"),
    "slope_ci_low_mm3": describe_column(f"Lower limit of the slope, b - t* se, {_INTERVAL}", units="mm3/point"),
    "slope_ci_high_mm3": describe_column("Upper limit of the slope, b + t* se", units="mm3/point"),
    **_TEST,
    "partial_r": describe_column(
        "Partial correlation of volume and severity given the covariates, t / sqrt(t^2 + df)", units="1"
    ),
    "partial_r_ci_low": describe_column(
        f"Lower limit of partial_r, tanh(artanh(r) - z* / sqrt(df - 1)), {_INTERVAL}", units="1"
    ),
    "partial_r_ci_high": describe_column("Upper limit of partial_r", units="1"),
}

ADJUSTED_VOLUMES = {
    **_PLACE,
    "participant_id": describe_column("Person analysed"),
    "group": describe_column("Group of the person"),
    "volume_mm3": describe_column("Volume as measured", units="mm3"),
    "adjusted_volume_mm3": describe_column(
        "volume_mm3 minus what the model gives to this person's covariates beyond their mean: residual + adjusted mean "
        "of the group",
        units="mm3",
    ),
}

PARTIAL_RESIDUALS = {
    "family": _PLACE["family"],
    "scale": ASSOCIATIONS["scale"],
    "roi": _PLACE["roi"],
    "hemisphere": _PLACE["hemisphere"],
    "participant_id": describe_column("Person analysed"),
    "severity_residual": describe_column("Residual of severity on the other covariates of the model", units="points"),
    "volume_residual_mm3": describe_column(
        "Residual of volume on the same covariates; its slope on severity_residual is slope_mm3_per_point", units="mm3"
    ),
}
