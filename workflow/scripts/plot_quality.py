"""Adapter of rule `plot_quality`: table in, `morpho.present.quality_figure.plot_quality`, figure out."""

from pathlib import Path

import yaml

from morpho.infer.quality.dictionaries import QUALITY_COMPARISON
from morpho.job_start import start_job
from morpho.present.cohort_captions import caption_quality
from morpho.present.quality_figure import plot_quality
from morpho.present.rendering import render_figure
from morpho.present.style import read_style
from morpho.tables import read_table, write_json, write_table

start_job(snakemake)
given, params = snakemake.input, snakemake.params
style = read_style(yaml.safe_load(Path(given.style).read_text(encoding="utf-8")))
comparison = read_table(given.comparison, text=["metric"])
what = {"groups": tuple(params.groups), "confidence": params.confidence}
figure = plot_quality(comparison, style=style, **what)
for path in map(Path, snakemake.output.figures):
    path.write_bytes(render_figure(figure, path.suffix[1:], dpi=params.dpi))
for path in map(Path, snakemake.output.data):
    write_table(comparison, path, QUALITY_COMPARISON)
    write_json({path.stem: caption_quality(comparison, **what)}, snakemake.output.captions)
