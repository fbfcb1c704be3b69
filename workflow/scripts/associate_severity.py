"""Adapter of rule `associate_severity`: tables in, `morpho.infer.models.associate_severity`, tables out."""

from morpho.covariates import text_variables
from morpho.infer.cohort import describe_exclusions
from morpho.infer.dictionaries import PARTIAL_RESIDUALS, SEVERITY
from morpho.infer.models import EXCLUSION_COLUMNS, associate_severity, join_tables
from morpho.infer.quality.sets import prepare_sets
from morpho.job_start import start_job
from morpho.tables import read_table, write_table

start_job(snakemake)
given, out, params = snakemake.input, snakemake.output, snakemake.params
cohort = read_table(given.cohort, text=text_variables(params.participants["variables"]))
studies = prepare_sets(cohort, read_table(given.decisions), params.models, params.participants)
result = associate_severity(studies.main, studies.others)
exclusions = join_tables([studies.left_out, result.exclusions], EXCLUSION_COLUMNS)
write_table(result.associations, out.associations, SEVERITY, digits=17)
write_table(result.partial_residuals, out.residuals, PARTIAL_RESIDUALS, digits=17)
write_table(exclusions, out.exclusions, describe_exclusions())
