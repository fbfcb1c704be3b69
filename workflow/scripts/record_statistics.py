"""Adapter of rule `record_statistics`: tables in, `morpho.infer.sharing.record.record_statistics`, JSON out."""

from pathlib import Path

import pandas as pd

from morpho.atlas import file_sha256
from morpho.infer.sharing.record import record_statistics
from morpho.job_start import start_job
from morpho.provenance import software_versions
from morpho.tables import read_table, write_json

start_job(snakemake)
given = snakemake.input
exclusions = pd.concat([read_table(path) for path in given.exclusions]).drop_duplicates()
tables = {"exclusions": exclusions, "effects": read_table(given.effects), "claims": read_table(given.claims)}
sha256 = file_sha256(Path(given.claims_file))
record = record_statistics(snakemake.params.models, versions=software_versions(), claims_sha256=sha256, **tables)
write_json(record, snakemake.output.record)
