"""Adapter of rule `test_claims`: tables in, `morpho.infer.claims.tables.tabulate_claims`, tables out."""

from morpho.claims_file import read_claims
from morpho.covariates import text_variables
from morpho.infer.claims.parsing import parse_claims
from morpho.infer.claims.tables import tabulate_claims
from morpho.infer.quality.sets import prepare_sets
from morpho.job_start import start_job
from morpho.tables import read_table, write_table

start_job(snakemake)
given, out, params = snakemake.input, snakemake.output, snakemake.params
cohort = read_table(given.cohort, text=text_variables(params.participants["variables"]))
studies = prepare_sets(cohort, read_table(given.decisions), params.models, params.participants)
claims = parse_claims(read_claims(given.claims), studies.main.settings.families)
for name, (table, dictionary) in tabulate_claims(studies.main, claims, studies.others).items():
    write_table(table, out[name], dictionary, digits=17)
