"""Adapter of rule `describe_sample`: tables in, `morpho.infer.sharing.sample.describe_sample`, tables out."""

from morpho.covariates import text_variables
from morpho.infer.quality.sets import prepare_sets
from morpho.infer.sharing.sample import SAMPLE, describe_sample
from morpho.infer.sites.dictionaries import SITE_COUNTS, SITES
from morpho.infer.sites.sites import describe_sites
from morpho.infer.study import list_described
from morpho.job_start import start_job
from morpho.tables import read_table, write_table

start_job(snakemake)
given, out, params = snakemake.input, snakemake.output, snakemake.params
cohort = read_table(given.cohort, text=text_variables(params.participants["variables"]))
studies = prepare_sets(cohort, read_table(given.decisions), params.models, params.participants)
people = studies.main.people
sites = describe_sites(people)
write_table(describe_sample(people, list_described(studies.main)), out.sample, SAMPLE, digits=17)
write_table(sites.sites, out.sites, SITES, digits=17)
write_table(sites.counts, out.site_counts, SITE_COUNTS, digits=17)
