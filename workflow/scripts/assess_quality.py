"""Adapter of rule `assess_quality`: files in, `morpho.infer.quality.assessment.assess_quality`, tables out."""

import pandas as pd

from morpho.covariates import text_variables
from morpho.failures import sort_failures
from morpho.infer.quality.assessment import assess_quality, make_limits
from morpho.infer.quality.dictionaries import REGION_DEVIATIONS, SCAN_METRICS
from morpho.job_start import start_job
from morpho.quality_metrics import METRICS
from morpho.scans import read_scans
from morpho.tables import read_table, write_table

start_job(snakemake)
given, out, params = snakemake.input, snakemake.output, snakemake.params
scans = read_scans(given.scans)
chosen = scans.loc[scans["chosen"], "scan"].tolist()
_, lost = sort_failures(dict(zip(chosen, given.volumes, strict=True)))
measured, unmeasured = sort_failures(dict(zip(chosen, given.metrics, strict=True)))
rows = [read_table(path).assign(scan=scan) for scan, path in measured.items()]
nobody = pd.DataFrame(columns=["scan", "input_kind", *METRICS]).astype(dict.fromkeys(METRICS, "float64"))
metrics = pd.concat([row.astype(dict.fromkeys(METRICS, "float64")) for row in rows]) if rows else nobody
cohort = read_table(given.cohort, text=text_variables(params.participants["variables"]))
result = assess_quality(metrics, cohort, scans, unmeasured | lost, make_limits(params.quality))
write_table(result.scans, out.metrics, SCAN_METRICS)
write_table(result.deviations, out.deviations, REGION_DEVIATIONS)
