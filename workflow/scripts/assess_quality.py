"""Adapter of rule `assess_quality`: files in, `morpho.measure.quality.flag_scans`, files out."""

import pandas as pd

from morpho.failures import sort_failures
from morpho.logs import log_to
from morpho.measure.quality import METRICS, QUALITY_DICTIONARY, flag_scans
from morpho.scans import read_scans
from morpho.tables import read_table, write_table

log_to(snakemake.log[0])
params = dict(snakemake.params)
params.pop("code")
scans = read_scans(snakemake.input.scans)
chosen = scans.loc[scans["chosen"], "scan"].tolist()
measured, _ = sort_failures(dict(zip(chosen, snakemake.input.metrics, strict=True)))
nobody = pd.DataFrame({name: pd.Series(dtype=float) for name in METRICS}).assign(scan="", input_kind="")
rows = [read_table(path).assign(scan=scan) for scan, path in measured.items()]
flagged = flag_scans(pd.concat(rows, ignore_index=True) if rows else nobody, **params)
write_table(flagged[list(QUALITY_DICTIONARY)], snakemake.output.metrics, QUALITY_DICTIONARY)
