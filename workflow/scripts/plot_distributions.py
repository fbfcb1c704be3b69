"""Adapter of rule `plot_distributions`: tables in, `morpho.present.figures.plot_group_distributions`, figures out."""

from pathlib import Path

import yaml

from morpho.infer.dictionaries import ADJUSTED_VOLUMES
from morpho.job_start import start_job
from morpho.present.captions import caption_group_distributions
from morpho.present.figures import plot_group_distributions
from morpho.present.rendering import render_figure
from morpho.present.style import read_style
from morpho.tables import read_table, write_json, write_table

start_job(snakemake)
given, params = snakemake.input, snakemake.params
style = read_style(yaml.safe_load(Path(given.style).read_text(encoding="utf-8")))
effects, adjusted = read_table(given.effects), read_table(given.adjusted)
asked = {f"distributions_{family}": {"family": family, "confidence": params.confidence} for family in params.families}
figures = {name: plot_group_distributions(adjusted, effects, style=style, **what) for name, what in asked.items()}
for path in map(Path, snakemake.output.figures):
    path.write_bytes(render_figure(figures[path.stem], path.suffix[1:], dpi=params.dpi))
for path in map(Path, snakemake.output.data):
    write_table(adjusted[adjusted["family"] == asked[path.stem]["family"]], path, ADJUSTED_VOLUMES)
captions = {name: caption_group_distributions(effects, **what) for name, what in asked.items()}
write_json(captions, snakemake.output.captions)
