"""Names in the tables to share, and what their columns mean: the export of a study, and several studies pooled.

The dictionaries are written as JSON beside each table. The order of their keys is the order of the columns.
"""

from morpho.tables import describe_column

_D = "standard deviations"

# Contrasts that part the same patients: with one of them withheld, the others give it away.
SPLITS = (("first_control", "recurrent_control", "recurrent_first"), ("early_control", "late_control", "late_early"))
# Columns that an export is made from, and those of an export that pooling needs.
FROM_EFFECTS = ("roi", "hemisphere", "t", "df", "p", "n_reference", "n_comparison")
TO_POOL = ("Contrast", "Structure", "d_icv", "se_icv", "n_controls", "n_patients")
# Regions whose names in FreeSurfer's atlas are not those of morpho without underscores.
STRUCTURES = {"vmpfc": "medialorbitofrontal"}
SIDES = {"L": "L_", "R": "R_", "mean": "M_", "whole": ""}

EXPORT = {
    "Contrast": describe_column("Groups compared: the first named minus the second"),
    "Structure": describe_column("Side (L_, R_, M_ for the mean of both, none for totals) and region"),
    "roi": describe_column("Region, as in morpho's region table"),
    "hemisphere": describe_column("Side of the volume"),
    "d_icv": describe_column(
        "Cohen's d as ENIGMA computes it, t (n1+n2) / (sqrt(n1 n2) sqrt(df)); icv_adjusted says whether head size was "
        "a covariate, whatever the name of this column",
        units=_D,
    ),
    "se_icv": describe_column("Its standard error, sqrt((n1+n2)/(n1 n2) + d^2/(2(n1+n2-2)))", units=_D),
    "low_ci_icv": describe_column("d_icv - 1.96 se_icv", units=_D),
    "up_ci_icv": describe_column("d_icv + 1.96 se_icv", units=_D),
    "n_controls": describe_column("People in the group named second", units="people"),
    "n_patients": describe_column("People in the group named first", units="people"),
    "pobs": describe_column("Two-sided p value of t", units="1"),
    "fdr_p": describe_column("pobs corrected over the rows of this table (Benjamini-Hochberg)", units="1"),
    "icv_adjusted": describe_column("Whether head size was a covariate of the model"),
    "model": describe_column("The model"),
    "withheld": describe_column("Why the numbers of this row are not given"),
}
NUMBERS = ("d_icv", "se_icv", "low_ci_icv", "up_ci_icv", "n_controls", "n_patients", "pobs", "fdr_p")

COMBINED = {
    "Contrast": EXPORT["Contrast"],
    "Structure": EXPORT["Structure"],
    "status": describe_column("What became of the pooling", levels={"fitted": "pooled", "refused": "see reason"}),
    "reason": describe_column("Why it was refused, or which studies are left out"),
    "studies": describe_column("Studies pooled"),
    "k": describe_column("Number of studies pooled", units="studies"),
    "n_controls": describe_column("People in the group named second, all studies", units="people"),
    "n_patients": describe_column("People in the group named first, all studies", units="people"),
    "mean": describe_column("Pooled d, random effects, restricted maximum likelihood", units=_D),
    "se_hk": describe_column("Its standard error by Hartung and Knapp", units=_D),
    "ci_low_hk": describe_column("Lower limit of the mean, t on k - 1 degrees of freedom", units=_D),
    "ci_high_hk": describe_column("Upper limit of the mean", units=_D),
    "p_hk": describe_column("Two-sided p value of the mean", units="1"),
    "p_fdr": describe_column("p_hk corrected over the rows of one contrast (Benjamini-Hochberg)", units="1"),
    "prediction_low_hk": describe_column("Lower end of the interval for the effect of a further study", units=_D),
    "prediction_high_hk": describe_column("Upper end of that interval", units=_D),
    "tau2": describe_column("Variance of true effects between studies", units="squared standard deviations"),
    "tau2_ci_low": describe_column("Lower limit of tau2 (Q-profile)", units="squared standard deviations"),
    "tau2_ci_high": describe_column("Upper limit of tau2", units="squared standard deviations"),
    "i2": describe_column("Share of tau2 in the whole variance", units="%"),
    "q": describe_column("Cochran's Q", units="1"),
    "q_p": describe_column("p value of Q", units="1"),
    "leave_one_out_low": describe_column("Lowest pooled d without one of the studies; from three studies", units=_D),
    "leave_one_out_high": describe_column("Highest pooled d without one of the studies", units=_D),
}
COMBINED_TEXT = {"Contrast", "Structure", "status", "reason", "studies"}
