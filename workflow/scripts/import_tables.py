"""Adapter of rule `import_tables`: tables in, `morpho.infer.cohort.assemble_cohort`, tables out."""

from morpho.column_report import COLUMN_REPORT
from morpho.covariates import describe_participants, report_participants, standardise_participants
from morpho.infer.cohort import (
    assemble_cohort,
    describe_cohort,
    describe_exclusions,
    describe_volumes,
)
from morpho.job_start import start_job
from morpho.participants import read_participants
from morpho.rois import TOTALS
from morpho.scans import describe_scans
from morpho.tables import describe_column, write_table
from morpho.volume_tables import NO_ROW, read_volume_table

start_job(snakemake)
given, out, params = snakemake.input, snakemake.output, snakemake.params
volumes, scans = read_volume_table(given.volumes, regions=params.regions, totals=TOTALS)
raw = read_participants(given.participants, required=True)
participants = standardise_participants(raw, **params.participants)
kinds = dict.fromkeys(volumes["scan"], "table")
cohort, exclusions = assemble_cohort(volumes, scans, participants, {}, input_kinds=kinds, without_scan=NO_ROW)
covariates = describe_participants(participants, params.participants["variables"])
source = {"path": describe_column("Table that the volumes come from")}
write_table(scans, out.scans, describe_scans() | source)
write_table(report_participants(raw, participants, params.participants), out.columns, COLUMN_REPORT)
write_table(volumes, out.volumes, describe_volumes())
write_table(cohort, out.cohort, describe_cohort(cohort, covariates))
write_table(exclusions, out.exclusions, describe_exclusions())
