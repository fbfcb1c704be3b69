"""Adapter of rule `describe_precision`: tables in, `morpho.infer.sharing.precision.describe_precision`, a table out."""

from morpho.infer.sharing.precision import PRECISION, describe_precision, plan_tests
from morpho.job_start import start_job
from morpho.reference_data import load_recovery
from morpho.tables import read_table, write_table

start_job(snakemake)
given, params = snakemake.input, snakemake.params
rows = plan_tests(read_table(given.effects), read_table(given.associations))
chance = {"alpha": 1 - params.confidence, "confidence": params.confidence, "power": params.power}
precision = describe_precision(rows, load_recovery() if params.measured else None, **chance)
write_table(precision, snakemake.output.precision, PRECISION, digits=17)
