"""Adapter of rule `decide_scans`: tables in, `morpho.infer.quality.decisions.decide_scans`, tables out."""

import pandas as pd

from morpho.covariates import text_variables
from morpho.infer.cohort import describe_exclusions
from morpho.infer.flow import count_flow, describe_flow
from morpho.infer.quality.decisions import agree_raters, decide_scans, list_excluded
from morpho.infer.quality.dictionaries import RATER_AGREEMENT, SCAN_DECISIONS
from morpho.job_start import start_job
from morpho.qc_decisions import read_decisions
from morpho.scans import read_scans
from morpho.tables import read_table, write_table

start_job(snakemake)
given, out = snakemake.input, snakemake.output
scans, lost = read_scans(given.scans), read_table(given.exclusions)
cohort = read_table(given.cohort, text=text_variables(snakemake.params.participants["variables"]))
metrics = read_table(given.metrics[0]) if given.metrics else None
human = read_decisions(given.human[0], scans["scan"]) if given.human else None
decisions = decide_scans(scans, cohort["scan"], metrics, human)
exclusions = pd.concat([lost, list_excluded(decisions, cohort["scan"], metrics)])
kept = decisions.loc[decisions["decision"] == "keep", "scan"]
write_table(decisions, out.decisions, SCAN_DECISIONS)
write_table(agree_raters(human), out.agreement, RATER_AGREEMENT)
write_table(exclusions, out.exclusions, describe_exclusions())
write_table(count_flow(scans, cohort, lost, kept), out.flow, describe_flow())
