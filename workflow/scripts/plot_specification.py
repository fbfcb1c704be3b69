"""Adapter of rule `plot_specification`: variants in, `morpho.present.specification.plot_specification`, figure out."""

from pathlib import Path

import yaml

from morpho.infer.dictionaries import SENSITIVITY
from morpho.infer.sensitivity_names import VARIANTS
from morpho.job_start import start_job
from morpho.present.captions import caption_specification
from morpho.present.rendering import render_figure
from morpho.present.specification import plot_specification
from morpho.present.style import read_style
from morpho.tables import read_table, write_json, write_table

start_job(snakemake)
given, params = snakemake.input, snakemake.params
style = read_style(yaml.safe_load(Path(given.style).read_text(encoding="utf-8")))
sensitivity, effects = read_table(given.sensitivity), read_table(given.effects)
what = {"family": params.family, "labels": VARIANTS, "confidence": params.confidence}
figure = plot_specification(sensitivity, style=style, **what)
for path in map(Path, snakemake.output.figures):
    path.write_bytes(render_figure(figure, path.suffix[1:], dpi=params.dpi))
for path in map(Path, snakemake.output.data):
    write_table(sensitivity[sensitivity["family"] == params.family], path, SENSITIVITY)
    write_json({path.stem: caption_specification(sensitivity, effects, **what)}, snakemake.output.captions)
