"""Adapter of rule `combine_exports`: exports of studies in, `morpho.infer.sharing.combine_exports`, a table out."""

from morpho.infer.sharing import combine_exports
from morpho.infer.sharing_dictionaries import COMBINED
from morpho.logs import log_to
from morpho.tables import read_table, write_table

log_to(snakemake.log[0])
studies = snakemake.params.studies
exports = {name: read_table(path) for name, path in zip(studies, snakemake.input, strict=True)}
combined = combine_exports(exports, confidence=snakemake.params.confidence)
write_table(combined, snakemake.output.combined, COMBINED, digits=17)
