"""Adapter of rule `score_individuals`: tables in, `morpho.infer.sites.individuals.score_individuals`, tables out."""

from morpho.covariates import text_variables
from morpho.infer.quality.sets import prepare_sets
from morpho.infer.sites.dictionaries import CALIBRATION, EXTREMES, INDIVIDUALS
from morpho.infer.sites.individuals import score_individuals
from morpho.job_start import start_job
from morpho.tables import read_table, write_table

start_job(snakemake)
given, out, params = snakemake.input, snakemake.output, snakemake.params
cohort = read_table(given.cohort, text=text_variables(params.participants["variables"]))
studies = prepare_sets(cohort, read_table(given.decisions), params.models, params.participants)
norm = read_table(given.norm_table[0]) if given.norm_table else None
family = {"family": params.family, **params.models["families"][params.family]}
result = score_individuals(studies.main, **family, norm_table=norm)
write_table(result.table, out.deviations, INDIVIDUALS, digits=17)
write_table(result.calibration, out.calibration, CALIBRATION, digits=17)
write_table(result.extremes, out.extremes, EXTREMES, digits=17)
