"""What every column of the model tables means, with its unit and how it is computed.

Written as JSON beside each table. The order of the keys is the order of the columns. The tables of claims:
`morpho.infer.claims.dictionaries`.
"""

from morpho.infer.quality.set_names import SET_COLUMNS, SETS
from morpho.infer.sensitivity_names import VARIANTS
from morpho.tables import describe_column

_ROWS = "one model per row"
_INTERVAL = "at the configured confidence (config models.confidence)"

PLACE = {
    "family": describe_column("Family of regions corrected together (config models.families)"),
    "roi": describe_column("Region, as in the region table"),
    "hemisphere": describe_column(
        "Side of the volume",
        levels={"L": "left", "R": "right", "mean": "mean of left and right", "whole": "both sides, or not sided"},
    ),
}
OUTCOME = {
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
_SD = "residual standard deviations"
TEST = {
    "t": describe_column("Estimate over its standard error", units="1"),
    "df": describe_column("Residual degrees of freedom: people minus columns of the design", units="1"),
    "p": describe_column("Two-sided p value of t", units="1"),
    "p_hc3": describe_column("The same with a standard error that allows unequal spread (HC3)", units="1"),
    "p_permutation": describe_column(
        "p of the region alone by permutation of residuals (Freedman-Lane) within sites; to be read in small cells",
        units="1",
    ),
    "p_familywise": describe_column(
        "p corrected for the family by the largest statistic of each permutation (family-wise error rate)", units="1"
    ),
    "p_fdr": describe_column(
        "p corrected for the family by Benjamini-Hochberg (false discovery rate); refused models count as p = 1",
        units="1",
    ),
    "p_by": describe_column("The same by Benjamini-Yekutieli, valid under any dependence", units="1"),
    "p_holm": describe_column("The same by Holm (family-wise error rate)", units="1"),
    "family_size": describe_column("Tests in the family, refused models included", units="tests"),
}
CARE = {
    "vif": describe_column(
        "Variance inflation of the effect: its variance over that without covariates; 1: balanced in all of them",
        units="1",
    ),
    "n_effective": describe_column("1 / v, v = c'(X'X)^-1 c: people that the effect is worth", units="people"),
    "cook_max": describe_column("Largest Cook's distance: influence of one person", units="1"),
    "studentised_max": describe_column("Largest absolute externally studentised residual", units="1"),
    "n_high_leverage": describe_column("People with more than twice the mean leverage", units="people"),
    "breusch_pagan_p": describe_column("p of the Breusch-Pagan test of equal spread", units="1"),
}
CELLS = {
    "n_reference": describe_column("People analysed in the reference group", units="people"),
    "n_comparison": describe_column("People analysed in the comparison group", units="people"),
    "n_sites": _N_SITES,
    "mean_reference_mm3": describe_column("Mean volume of the reference group, as measured", units="mm3"),
    "sd_reference_mm3": describe_column("Its standard deviation (n - 1)", units="mm3"),
    "mean_comparison_mm3": describe_column("Mean volume of the comparison group, as measured", units="mm3"),
    "sd_comparison_mm3": describe_column("Its standard deviation (n - 1)", units="mm3"),
    "adjusted_mean_reference_mm3": describe_column(
        "Prediction of the model if everybody were in the reference group, averaged over the people", units="mm3"
    ),
    "adjusted_mean_comparison_mm3": describe_column(
        "adjusted_mean_reference_mm3 + estimate_mm3: the same for the comparison group", units="mm3"
    ),
}
DIFFERENCE = {
    "estimate_mm3": describe_column("Difference b adjusted for the covariates", units="mm3"),
    "ci_low_mm3": describe_column(f"Lower limit of estimate_mm3, b - t* se, {_INTERVAL}", units="mm3"),
    "ci_high_mm3": describe_column("Upper limit of estimate_mm3, b + t* se", units="mm3"),
    "percent": describe_column("100 * estimate_mm3 / adjusted_mean_reference_mm3", units="%"),
    "percent_ci_low": describe_column(
        "100 * ci_low_mm3 / adjusted_mean_reference_mm3: the reference mean is taken as known", units="%"
    ),
    "percent_ci_high": describe_column("100 * ci_high_mm3 / adjusted_mean_reference_mm3", units="%"),
    "se_mm3": describe_column("Standard error of estimate_mm3", units="mm3"),
    "se_hc3_mm3": describe_column("Standard error that allows unequal spread (HC3)", units="mm3"),
    **TEST,
    "d": describe_column(
        "Cohen's d: estimate_mm3 over the residual standard deviation, t * sqrt(v) with v = c'(X'X)^-1 c", units=_SD
    ),
    "g": describe_column(
        "Hedges' g, the primary effect size: d * J, J = gamma(df/2) / (sqrt(df/2) gamma((df-1)/2))", units=_SD
    ),
    "g_ci_low": describe_column(
        f"Lower limit of g, exact (inverted noncentral t, times sqrt(v) J), {_INTERVAL}", units=_SD
    ),
    "g_ci_high": describe_column("Upper limit of g", units=_SD),
    "d_raw": describe_column("estimate_mm3 over the pooled raw standard deviation", units="standard deviations"),
    "overlap": describe_column("Share by which two normal groups that differ by d overlap, 2 Phi(-|d|/2)", units="1"),
    "d_enigma": describe_column(
        "d as the ENIGMA consortium computes it, t (n1+n2) / (sqrt(n1 n2) sqrt(df)); to compare with its tables",
        units="standard deviations",
    ),
    "d_enigma_se": describe_column("sqrt((n1+n2)/(n1 n2) + d^2/(2(n1+n2-2)))", units="standard deviations"),
    "d_enigma_ci_low": describe_column(
        "d_enigma - 1.96 se; 95 % whatever the configured confidence", units="standard deviations"
    ),
    "d_enigma_ci_high": describe_column("d_enigma + 1.96 se", units="standard deviations"),
    "bayes_factor_10": describe_column(
        "Bayes factor of a difference against none, JZS prior of scale sqrt(2)/2; below 1 speaks for none", units="1"
    ),
    "equivalence_bound_g": describe_column("Smallest effect of interest (config models.smallest_effects.g)", units=_SD),
    "equivalence_p": describe_column(
        "p of two one-sided tests that g lies within the bound; below .05 is the same as its 90 % interval inside it",
        units="1",
    ),
    "g_ci90_low": describe_column("Lower limit of the 90 % interval of g", units=_SD),
    "g_ci90_high": describe_column("Upper limit of the 90 % interval of g", units=_SD),
    **CARE,
}
_VARIED = {
    f"effect_{name}": describe_column(f"Effect size of this row in a variant of the analysis: {text}", units="1")
    for name, text in VARIANTS.items()
    if name not in {"main", "loso", *SETS}
} | {
    "effect_loso_min": describe_column("Smallest effect size when one site is left out, each in turn", units="1"),
    "effect_loso_max": describe_column("Largest effect size when one site is left out", units="1"),
}

EFFECTS = {
    **PLACE,
    "contrast": describe_column("Direction of every difference: comparison group minus reference group"),
    **OUTCOME,
    **CELLS,
    **DIFFERENCE,
    **_VARIED,
    **SET_COLUMNS,
}

SLOPE = {
    "se_mm3": describe_column("Standard error of the slope", units="mm3 per unit"),
    "se_hc3_mm3": describe_column("Standard error that allows unequal spread (HC3)", units="mm3 per unit"),
    **TEST,
    "partial_r": describe_column(
        "Partial correlation of volume and predictor given the covariates, t / sqrt(t^2 + df)", units="1"
    ),
    "partial_r_ci_low": describe_column(
        f"Lower limit of partial_r, tanh(artanh(r) - z* / sqrt(df - 1)), {_INTERVAL}", units="1"
    ),
    "partial_r_ci_high": describe_column("Upper limit of partial_r", units="1"),
    "spearman_r": describe_column(
        "Partial rank correlation: the same from the ranks of volume, predictor and numeric covariates", units="1"
    ),
    "spearman_r_ci_low": describe_column("Lower limit of spearman_r (Fisher z, approximate for ranks)", units="1"),
    "spearman_r_ci_high": describe_column("Upper limit of spearman_r", units="1"),
    **CARE,
}

SEVERITY = {
    "family": PLACE["family"],
    "scale": describe_column("Severity scale (config participants.severity); each scale has its own families of tests"),
    "roi": PLACE["roi"],
    "hemisphere": PLACE["hemisphere"],
    **OUTCOME,
    "n": describe_column("People analysed, all of the comparison group", units="people"),
    "n_sites": _N_SITES,
    "slope_mm3_per_point": describe_column("Coefficient b of severity, adjusted for the covariates", units="mm3/point"),
    "slope_ci_low_mm3": describe_column(f"Lower limit of the slope, b - t* se, {_INTERVAL}", units="mm3/point"),
    "slope_ci_high_mm3": describe_column("Upper limit of the slope, b + t* se", units="mm3/point"),
    **SLOPE,
    **SET_COLUMNS,
}

SENSITIVITY = {
    **PLACE,
    "variant": describe_column("Variant of the analysis", levels=dict(VARIANTS)),
    "left_out": describe_column("Site left out, in variant loso"),
    "status": OUTCOME["status"],
    "reason": OUTCOME["reason"],
    "n": describe_column("People analysed", units="people"),
    "effect_size": describe_column("Effect size: g (Hedges) or partial_r"),
    "estimate": describe_column("Effect in this variant", units="1"),
    "ci_low": describe_column(f"Lower limit, {_INTERVAL}", units="1"),
    "ci_high": describe_column("Upper limit", units="1"),
    "p": describe_column("Two-sided p value", units="1"),
}

ADJUSTED_VOLUMES = {
    **PLACE,
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
    "family": PLACE["family"],
    "scale": SEVERITY["scale"],
    "roi": PLACE["roi"],
    "hemisphere": PLACE["hemisphere"],
    "participant_id": describe_column("Person analysed"),
    "severity_residual": describe_column("Residual of severity on the other covariates of the model", units="points"),
    "volume_residual_mm3": describe_column(
        "Residual of volume on the same covariates; its slope on severity_residual is slope_mm3_per_point", units="mm3"
    ),
}
