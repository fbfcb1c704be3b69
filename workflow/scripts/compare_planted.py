"""Adapter of rule `compare_planted`: tables in, `morpho.phantom_cohort.compare_planted`, a table out and printed."""

import sys

from morpho.logs import log_to
from morpho.phantom_cohort import compare_planted, describe_truth
from morpho.tables import read_table, write_table

log_to(snakemake.log[0])
given = snakemake.input
table = compare_planted(read_table(given.truth), read_table(given.effects), read_table(given.associations))
write_table(table, snakemake.output.table, describe_truth())
sys.stdout.write(f"\nPlanted and recovered effects:\n{table.to_string(index=False)}\n")
sys.stdout.flush()
