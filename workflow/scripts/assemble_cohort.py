"""Adapter of rule `assemble_cohort`: files in, `morpho.infer.cohort.assemble_cohort`, files out."""

from morpho.covariates import describe_participants, standardise_participants, varying_columns
from morpho.failures import sort_failures
from morpho.infer.cohort import (
    assemble_cohort,
    describe_cohort,
    describe_exclusions,
    describe_volumes,
    gather_volumes,
)
from morpho.logs import log_to
from morpho.participants import join_sessions, read_participants, read_sessions
from morpho.scans import read_scans
from morpho.tables import read_table, write_table

log_to(snakemake.log[0])
given, out, settings = snakemake.input, snakemake.output, snakemake.params.participants
scans = read_scans(given.scans)
chosen = scans.loc[scans["chosen"], "scan"].tolist()
tables, failures = sort_failures(dict(zip(chosen, given.volumes, strict=True)))
quality, unjudged = sort_failures(dict(zip(chosen, given.quality, strict=True)))
failures = unjudged | failures
raw = read_participants(given.participants[0]) if given.participants else None
sessions = read_sessions(snakemake.params.bids_dir, scans["participant_id"])
raw = join_sessions(raw, sessions, varying_columns(settings))
participants = None if raw is None else standardise_participants(raw, **settings)
volumes = gather_volumes({scan: read_table(path) for scan, path in tables.items() if scan not in failures}, scans)
kinds = {scan: read_table(path)["input_kind"].iloc[0] for scan, path in quality.items()}
cohort, exclusions = assemble_cohort(volumes, scans, participants, failures, input_kinds=kinds)
covariates = {} if participants is None else describe_participants(participants, settings["variables"])
write_table(volumes, out.volumes, describe_volumes())
write_table(cohort, out.cohort, describe_cohort(cohort, covariates))
write_table(exclusions, out.exclusions, describe_exclusions())
