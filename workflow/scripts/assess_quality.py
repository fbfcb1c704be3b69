"""Adapter of rule `assess_quality`: tables in, `morpho.infer.quality.assessment.assess_quality`, tables out."""

from morpho.covariates import text_variables
from morpho.infer.measured import failures_of
from morpho.infer.quality.assessment import assess_quality, make_limits
from morpho.infer.quality.dictionaries import REGION_DEVIATIONS, SCAN_METRICS
from morpho.job_start import start_job
from morpho.quality_metrics import METRICS
from morpho.scans import read_scans
from morpho.tables import read_table, write_table

start_job(snakemake)
given, out, params = snakemake.input, snakemake.output, snakemake.params
scans = read_scans(given.scans)
metrics = read_table(given.metrics).astype(dict.fromkeys(METRICS, "float64"))
cohort = read_table(given.cohort, text=text_variables(params.participants["variables"]))
result = assess_quality(metrics, cohort, scans, failures_of(scans), make_limits(params.quality))
write_table(result.scans, out.metrics, SCAN_METRICS)
write_table(result.deviations, out.deviations, REGION_DEVIATIONS)
