"""Adapter of rule `export_effects`: tables in, `morpho.infer.sharing.sharing.build_enigma_export`, tables out."""

from pathlib import Path

from morpho.infer.sharing.dictionaries import EXPORT
from morpho.infer.sharing.exports import choose_contrasts
from morpho.infer.sharing.sharing import build_enigma_export, check_export
from morpho.job_start import start_job
from morpho.tables import read_table, write_table

start_job(snakemake)
given, folder = snakemake.input, Path(snakemake.output.folder)
contrasts = choose_contrasts(read_table(given.effects), read_table(given.contrasts))
export = build_enigma_export(contrasts, smallest=snakemake.params.smallest)
check_export(export, read_table(given.cohort)["participant_id"], smallest=snakemake.params.smallest)
folder.mkdir(parents=True, exist_ok=True)
for name, table in export.items():
    write_table(table, folder / f"{name}.tsv", EXPORT, digits=17)
