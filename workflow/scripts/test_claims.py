"""Adapter of rule `test_claims`: tables in, `morpho.infer.claims.engine.run_claims`, tables out."""

from morpho.claims_file import read_claims
from morpho.covariates import text_variables
from morpho.infer.claims.engine import run_claims
from morpho.infer.claims.parsing import parse_claims
from morpho.infer.claims.tables import split_results
from morpho.infer.study import prepare_study
from morpho.logs import log_to
from morpho.tables import read_table, write_table

log_to(snakemake.log[0])
given, out, params = snakemake.input, snakemake.output, snakemake.params
cohort = read_table(given.cohort, text=text_variables(params.participants["variables"]))
study, _ = prepare_study(cohort, params.models, params.participants)
claims = parse_claims(read_claims(given.claims), study.settings.families)
for name, (table, dictionary) in split_results(run_claims(study, claims)).items():
    write_table(table, out[name], dictionary, digits=17)
