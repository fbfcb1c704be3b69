"""Adapter of rule `associate_severity`: tables in, `morpho.infer.models.associate_severity`, tables out."""

from morpho.covariates import text_variables
from morpho.infer.cohort import describe_exclusions
from morpho.infer.dictionaries import PARTIAL_RESIDUALS, SEVERITY
from morpho.infer.models import EXCLUSION_COLUMNS, associate_severity, join_tables
from morpho.infer.study import prepare_study
from morpho.logs import log_to
from morpho.tables import read_table, write_table

log_to(snakemake.log[0])
given, out, params = snakemake.input, snakemake.output, snakemake.params
cohort = read_table(given.cohort, text=text_variables(params.participants["variables"]))
study, left_out = prepare_study(cohort, params.models, params.participants)
result = associate_severity(study)
exclusions = join_tables([left_out, result.exclusions], EXCLUSION_COLUMNS)
write_table(result.associations, out.associations, SEVERITY, digits=17)
write_table(result.partial_residuals, out.residuals, PARTIAL_RESIDUALS, digits=17)
write_table(exclusions, out.exclusions, describe_exclusions())
