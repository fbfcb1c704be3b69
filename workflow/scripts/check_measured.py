"""Adapter of rule `check_measured`: the scans table in, `morpho.infer.measured.check_share`, a table of one row out."""

from morpho.infer.measured import SHARE, check_share
from morpho.job_start import start_job
from morpho.scans import read_scans
from morpho.tables import write_table

start_job(snakemake)
share = check_share(read_scans(snakemake.input.scans), smallest=snakemake.params.smallest)
write_table(share, snakemake.output.share, SHARE)
