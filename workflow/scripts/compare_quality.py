"""Adapter of rule `compare_quality`: tables in, `morpho.infer.quality.comparison.compare_quality`, a table out."""

from morpho.covariates import text_variables
from morpho.infer.quality.comparison import compare_quality
from morpho.infer.quality.dictionaries import QUALITY_COMPARISON
from morpho.infer.quality.sets import prepare_sets
from morpho.job_start import start_job
from morpho.tables import read_table, write_table

start_job(snakemake)
given, params = snakemake.input, snakemake.params
cohort = read_table(given.cohort, text=text_variables(params.participants["variables"]))
studies = prepare_sets(cohort, read_table(given.decisions), params.models, params.participants)
comparison = compare_quality(studies.main, read_table(given.metrics))
write_table(comparison, snakemake.output.comparison, QUALITY_COMPARISON, digits=17)
