"""Adapter of rule `list_scans`: `morpho.bids.find_scans`, one table out."""

from morpho.bids import find_scans
from morpho.logs import log_to
from morpho.scans import describe_scans
from morpho.tables import write_table

log_to(snakemake.log[0])
params = snakemake.params
scans = find_scans(params.bids_dir, output_dir=params.output_dir, **params.choice)
write_table(scans, snakemake.output.scans, describe_scans())
