"""Adapter of rule `combine_exports`: exports in, `morpho.infer.sharing.sharing.combine_exports`, a table out."""

from morpho.infer.sharing.dictionaries import COMBINED
from morpho.infer.sharing.sharing import combine_exports
from morpho.job_start import start_job
from morpho.tables import read_table, write_table

start_job(snakemake)
studies = snakemake.params.studies
exports = {name: read_table(path) for name, path in zip(studies, snakemake.input, strict=True)}
combined = combine_exports(exports, confidence=snakemake.params.confidence)
write_table(combined, snakemake.output.combined, COMBINED, digits=17)
