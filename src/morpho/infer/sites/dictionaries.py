"""What the columns of the tables on sites, subgroups, harmonisation, single people and spread mean.

The order of the keys is the order of the columns. Written as JSON beside each table (see `morpho.infer.dictionaries`).
"""

from collections.abc import Iterable, Mapping

import pandas as pd

from morpho.tables import ColumnDictionary, describe_column

_SD = "residual standard deviations"
_HK = "Hartung-Knapp, never below the normal one"
_STATUS = {"fitted": "estimated", "refused": "not estimated: see reason"}
_PLACE = {
    "family": describe_column("Family of regions corrected together (config models.families)"),
    "roi": describe_column("Region, as in the region table"),
    "hemisphere": describe_column(
        "Side of the volume",
        levels={"L": "left", "R": "right", "mean": "mean of left and right", "whole": "both sides, or not sided"},
    ),
}
_SITE = describe_column("Site; missing where participants.tsv names none")
_GROUP = describe_column("Role of the group: control, patient, or missing where neither is known")
_GROUPS = {
    "n_reference": describe_column("Controls", units="people"),
    "n_comparison": describe_column("Patients", units="people"),
}
_G_LIMITS = {
    "ci_low": describe_column("Lower limit of g, exact (inverted noncentral t)", units=_SD),
    "ci_high": describe_column("Upper limit of g", units=_SD),
}

SITE_COUNTS = {
    "site": _SITE,
    "group": _GROUP,
    "sex": describe_column("Sex; missing where unknown"),
    "n": describe_column("People of this site, group and sex", units="people"),
}

SITES = {
    "site": _SITE,
    "n": describe_column("People in either group", units="people"),
    **_GROUPS,
    "effective_n": describe_column("n1 n0 / (n1 + n0): what the site adds to a comparison of groups", units="people"),
    "share_women": describe_column("Share of women among people of known sex", units="1"),
    "age_mean_years": describe_column("Mean age", units="years"),
    "age_sd_years": describe_column("Standard deviation of age (n - 1)", units="years"),
    "flags": describe_column("What asks for care, in words"),
}

SITE_EFFECTS = {
    **_PLACE,
    "site": _SITE,
    "status": describe_column("What became of the model within this site", levels=_STATUS),
    "reason": describe_column("Why the site is not part of the pooled effect"),
    **_GROUPS,
    "g": describe_column(
        "Hedges' g within the site, patients minus controls, adjusted for the covariates; its standard deviation is "
        "that of the residuals within the site",
        units=_SD,
    ),
    "se": describe_column("Standard error of g, sqrt(v + g^2 / (2 df)) with v = c'(X'X)^-1 c", units=_SD),
    **_G_LIMITS,
    "weight_percent": describe_column("Share of the site in the pooled effect, from 1 / (se^2 + tau2)", units="%"),
    "pooled_without_g": describe_column("Pooled effect of all other sites; missing with two sites", units=_SD),
}

POOLED_EFFECTS = {
    **_PLACE,
    "status": describe_column("Whether sites could be pooled", levels=_STATUS),
    "reason": describe_column("Why not; sites that were left out, and why"),
    "n_sites": describe_column("Sites pooled", units="sites"),
    **_GROUPS,
    "g": describe_column("Mean of the sites' effects (random effects, REML)", units=_SD),
    "se": describe_column(f"Standard error of g ({_HK})", units=_SD),
    "ci_low": describe_column(f"Lower limit of g ({_HK}), t on n_sites - 1 degrees of freedom", units=_SD),
    "ci_high": describe_column("Upper limit of g", units=_SD),
    "p": describe_column("Two-sided p value of g", units="1"),
    "tau2": describe_column("Variance of the true effects between sites (REML)", units="1"),
    "tau2_ci_low": describe_column("Lower limit of tau2 (Q-profile)", units="1"),
    "tau2_ci_high": describe_column("Upper limit of tau2", units="1"),
    "i2": describe_column("Share of tau2 in the whole variance of the sites' effects", units="%"),
    "h2": describe_column("Whole variance over sampling variance, 1 / (1 - i2 / 100)", units="1"),
    "q": describe_column("Cochran's Q", units="1"),
    "q_p": describe_column("p value of Q, of all sites having one true effect", units="1"),
    "prediction_low": describe_column("Lower limit of the true effect at a further site; missing below 3", units=_SD),
    "prediction_high": describe_column("Upper limit of the true effect at a further site", units=_SD),
    "lowest_without_one": describe_column("Lowest pooled effect when one site is left out", units=_SD),
    "highest_without_one": describe_column("Highest pooled effect when one site is left out", units=_SD),
}

SUBGROUPS = {
    **_PLACE,
    "modifier": describe_column(
        "What divides the people", levels={"sex": "F, M", "age_band": "up to 21, 22 to 59, 60 and over", "site": "site"}
    ),
    "subgroup": describe_column("Level of the modifier"),
    "status": describe_column("Whether the subgroup entered the model", levels=_STATUS),
    "reason": describe_column("Why not"),
    **_GROUPS,
    "g": describe_column(
        "Hedges' g in the subgroup, patients minus controls, from the model of all subgroups. Only described: the test "
        "is that of the interaction, interaction_p",
        units=_SD,
    ),
    **_G_LIMITS,
    "interaction_f": describe_column("F of group x modifier, all subgroups together", units="1"),
    "interaction_df": describe_column("Its numerator degrees of freedom: subgroups - 1", units="1"),
    "residual_df": describe_column("Its denominator degrees of freedom", units="1"),
    "interaction_p": describe_column("Its p value", units="1"),
}

HARMONISATION = {
    "site": _SITE,
    "status": describe_column(
        "What became of the site's volumes",
        levels={"harmonised": "site differences taken out", "refused": "left as measured, or missing: see reason"},
    ),
    "reason": describe_column("Why, in words"),
    "n": describe_column("People", units="people"),
    **_GROUPS,
    "n_learned": describe_column("People from whom the site's shift and spread were learnt", units="people"),
    "n_incomplete": describe_column(
        "People with some volumes missing: not learnt from, others harmonised", units="people"
    ),
    "n_unknown": describe_column(
        "People without a value that must be protected: all their volumes missing", units="people"
    ),
}

INDIVIDUALS = {
    "participant_id": describe_column("Person"),
    "group": _GROUP,
    "site": _SITE,
    **_PLACE,
    "volume_mm3": describe_column("Volume as measured", units="mm3"),
    "expected_mm3": describe_column("Volume expected of a control with the same covariates", units="mm3"),
    "prediction_sd_mm3": describe_column(
        "Standard deviation around the expected volume, for a new person", units="mm3"
    ),
    "z": describe_column(
        "Deviation from the expected volume, with the centile of a t distribution where the norm is the cohort's own; "
        "for a control, from the norm of all other controls. Missing: see note",
        units="standard deviations",
    ),
    "centile": describe_column("100 * normal probability of z: share of controls with smaller volumes", units="%"),
    "calibration_mean": describe_column("Mean z of the controls of the same site (0 if the norm fits)", units="1"),
    "calibration_sd": describe_column("Standard deviation of their z (1 if the norm fits)", units="1"),
    "note": describe_column("Why there is no z, in words"),
}

CALIBRATION = {
    **_PLACE,
    "site": describe_column("Site of the controls; missing: controls of all sites"),
    "status": describe_column("Whether people were scored in this region", levels=_STATUS),
    "reason": describe_column("Why not, or what of the calibration asks for care"),
    "n_controls": describe_column("Controls, each scored against a norm without them", units="people"),
    "mean": describe_column("Mean of their z, 0 if the norm fits", units="1"),
    "sd": describe_column("Standard deviation of their z, 1 if the norm fits", units="1"),
    "share_extreme": describe_column("Share of controls beyond 1.96 on either side, 0.05 if the norm fits", units="1"),
    "p_normal": describe_column("p value of Shapiro and Wilk's test of their z", units="1"),
}

EXTREMES = {
    "participant_id": describe_column("Person"),
    "group": _GROUP,
    "site": _SITE,
    "n_regions": describe_column("Volumes with a z score", units="volumes"),
    "n_extreme": describe_column("Volumes with |z| above 1.96", units="volumes"),
    "n_low": describe_column("Volumes with z below -1.96", units="volumes"),
    "n_high": describe_column("Volumes with z above 1.96", units="volumes"),
    "lowest_z": describe_column("Lowest z of the person", units="standard deviations"),
    "highest_z": describe_column("Highest z of the person", units="standard deviations"),
}

VARIABILITY = {
    **_PLACE,
    "status": describe_column("Whether spreads could be compared", levels=_STATUS),
    "reason": describe_column("Why not, or what asks for care"),
    **_GROUPS,
    "sd_reference_mm3": describe_column("Standard deviation of the controls' residuals", units="mm3"),
    "sd_comparison_mm3": describe_column("Standard deviation of the patients' residuals", units="mm3"),
    "log_variance_ratio": describe_column(
        "lnVR: logarithm of the ratio of standard deviations, patients over controls, corrected for small samples",
        units="1",
    ),
    "se": describe_column("Standard error of lnVR, sqrt(1/(2(n1-1)) + 1/(2(n0-1)))", units="1"),
    "ci_low": describe_column("Lower limit of lnVR", units="1"),
    "ci_high": describe_column("Upper limit of lnVR", units="1"),
    "ratio": describe_column("exp(lnVR): how many times the spread of controls", units="1"),
    "p": describe_column("Two-sided p value of lnVR (normal)", units="1"),
    "p_brown_forsythe": describe_column("p value of equal spread that does not assume normal residuals", units="1"),
}

EXTREME_COUNTS = {
    "group": _GROUP,
    "n": describe_column("People with a z score", units="people"),
    "n_regions_mean": describe_column("Mean number of volumes with a z score", units="volumes"),
    "n_extreme_mean": describe_column("Mean number of volumes with |z| above 1.96", units="volumes"),
    "share_any_extreme": describe_column("Share of people with at least one", units="1"),
    "share_extreme": describe_column("Extreme volumes over all volumes scored", units="1"),
}


def tabulate(rows: Iterable[Mapping[str, object]] | pd.DataFrame, dictionary: ColumnDictionary) -> pd.DataFrame:
    """Make a table with the columns of a dictionary; counts are whole numbers, and columns of numbers never text.

    Parameters
    ----------
    rows
        Cells by column, or a table; what a row does not have is missing.
    dictionary
        Description of every column; those with units are numbers.

    Returns
    -------
    The columns of the dictionary in their order, one row per entry of `rows`.
    """
    table = pd.DataFrame(rows if isinstance(rows, pd.DataFrame) else list(rows), columns=list(dictionary))
    kinds = {name: "Int64" if _is_count(name) else "float64" for name, entry in dictionary.items() if "Units" in entry}
    return table.astype(kinds)


def _is_count(name: str) -> bool:
    """Whether a column counts people, sites or volumes."""
    return (name == "n" or name.startswith("n_")) and not name.endswith("_mean")
