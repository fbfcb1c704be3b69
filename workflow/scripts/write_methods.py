"""Adapter of rule `write_methods`: tables in, `morpho.present.methods.write_methods`, text out."""

from pathlib import Path

from morpho.logs import log_to
from morpho.present.methods import collect_facts, write_methods
from morpho.provenance import software_versions
from morpho.scans import read_scans
from morpho.tables import read_table, write_text

log_to(snakemake.log[0])
given = snakemake.input
tables = {name: read_table(given[name]) for name in ("cohort", "effects", "associations")}
versions = software_versions()
facts = collect_facts(scans=read_scans(given.scans), **tables, config=snakemake.params.config, versions=versions)
template = Path(given.template).read_text(encoding="utf-8")
write_text(write_methods(facts, template=template), snakemake.output.methods)
