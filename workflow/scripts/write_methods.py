"""Adapter of rule `write_methods`: tables in, `morpho.present.methods.write_methods`, text out."""

from pathlib import Path

import pandas as pd

from morpho.job_start import start_job
from morpho.present.methods import collect_claim_facts, collect_facts, write_methods
from morpho.provenance import software_versions
from morpho.scans import read_scans
from morpho.tables import read_table, write_text

start_job(snakemake)
given, params = snakemake.input, snakemake.params
tables = {name: read_table(given[name]) for name in ("cohort", "effects", "associations", "precision")}
tables["exclusions"] = pd.concat([read_table(path) for path in given.exclusions]).drop_duplicates()
claims, tests = read_table(given.claims), read_table(given.claim_tests)
tables["claims"] = collect_claim_facts(claims, tests, file=Path(given.claims_file).name, sha256=params.claims_sha256)
facts = collect_facts(scans=read_scans(given.scans), **tables, config=params.config, versions=software_versions())
template = Path(given.template).read_text(encoding="utf-8")
write_text(write_methods(facts, template=template), snakemake.output.methods)
