"""Adapter of rule `assemble_cohort`: files in, `morpho.infer.cohort.assemble_cohort`, files out."""

from morpho.column_report import COLUMN_REPORT
from morpho.covariates import (
    describe_participants,
    report_participants,
    standardise_participants,
    varying_columns,
)
from morpho.failures import sort_failures
from morpho.infer.cohort import (
    assemble_cohort,
    describe_cohort,
    describe_exclusions,
    describe_volumes,
    gather_volumes,
)
from morpho.infer.measured import (
    add_status,
    describe_metrics,
    describe_status,
    gather_metrics,
    read_measured_with,
    read_repairs,
)
from morpho.job_start import start_job
from morpho.participants import join_sessions, read_participants, read_sessions
from morpho.scans import describe_scans, name_scan_files, read_scans
from morpho.tables import read_tables, stamp_tables, write_table

start_job(snakemake)
given, out, settings = snakemake.input, snakemake.output, snakemake.params.participants
scans = read_scans(snakemake.params.manifest)
tables, failures = sort_failures(dict(zip(scans.loc[scans["chosen"], "scan"], given.volumes, strict=True)))
quality, unjudged = sort_failures(dict(zip(scans.loc[scans["chosen"], "scan"], given.quality, strict=True)))
failures = unjudged | failures
measured = scans[scans["chosen"] & ~scans["scan"].isin(list(failures))]
beside = name_scan_files(measured, [snakemake.params.record, snakemake.params.sidecar])
stamp_tables(read_measured_with({scan: record for scan, (record, _) in beside.items()}), add=True)
repairs = read_repairs({scan: sidecar for scan, (_, sidecar) in beside.items()})
raw = read_participants(given.participants[0]) if given.participants else None
sessions = read_sessions(snakemake.params.bids_dir, scans["participant_id"])
raw = join_sessions(raw, sessions, varying_columns(settings))
participants = None if raw is None else standardise_participants(raw, **settings)
volumes = gather_volumes(read_tables({scan: tables[scan] for scan in measured["scan"]}, key="scan"), scans)
metrics = gather_metrics(read_tables(quality, key="scan"))
kinds = dict(zip(metrics["scan"], metrics["input_kind"], strict=True))
cohort, exclusions = assemble_cohort(volumes, scans, participants, failures, input_kinds=kinds)
covariates = {} if participants is None else describe_participants(participants, settings["variables"])
write_table(add_status(scans, failures, repairs), out.scans, describe_scans() | describe_status())
write_table(report_participants(raw, participants, settings), out.columns, COLUMN_REPORT)
write_table(metrics, out.metrics, describe_metrics(), digits=6)
write_table(volumes, out.volumes, describe_volumes())
write_table(cohort, out.cohort, describe_cohort(cohort, covariates))
write_table(exclusions, out.exclusions, describe_exclusions())
