"""The variants of an analysis, in words: one list for the analysis, its dictionary and its figures."""

from collections.abc import Mapping

from morpho.infer.quality.set_names import SETS

OUTLIER = 3.0  # externally studentised residual
N_IMPUTATIONS = 20

VARIANTS: Mapping[str, str] = {
    "main": "the analysis as configured",
    "no_head_size": "without head size",
    "log_log": "logarithms of volume and head size",
    "residual": "residual of volume on head size (pooled slope) in place of volume",
    "proportion": "volume over head size",
    "age_quadratic": "with age squared",
    "no_outliers": f"without people beyond {OUTLIER:g} studentised residuals",
    "unmedicated": "without people who take an antidepressant",
    "image_quality": "with the quality index of the scans as a covariate",
    **SETS,
    "imputed": f"missing covariates imputed ({N_IMPUTATIONS} times)",
    "loso": "without one site, each in turn",
}
