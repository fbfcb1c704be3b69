"""Adapter of rule `plot_severity`: tables in, `morpho.present.figures.plot_severity_association`, figures out."""

from pathlib import Path

import yaml

from morpho.infer.dictionaries import PARTIAL_RESIDUALS
from morpho.job_start import start_job
from morpho.present.captions import caption_severity_association
from morpho.present.figures import plot_severity_association
from morpho.present.rendering import render_figure
from morpho.present.style import read_style
from morpho.tables import read_table, write_json, write_table

start_job(snakemake)
given, params = snakemake.input, snakemake.params
style = read_style(yaml.safe_load(Path(given.style).read_text(encoding="utf-8")))
associations, residuals = read_table(given.associations), read_table(given.residuals)
what = {f"severity_{s}": {"family": params.family, "scale": s, "confidence": params.confidence} for s in params.scales}
figures = {
    name: plot_severity_association(residuals, associations, style=style, **asked) for name, asked in what.items()
}
for path in map(Path, snakemake.output.figures):
    path.write_bytes(render_figure(figures[path.stem], path.suffix[1:], dpi=params.dpi))
for path in map(Path, snakemake.output.data):
    shown = (residuals["scale"] == what[path.stem]["scale"]) & (residuals["family"] == params.family)
    write_table(residuals[shown], path, PARTIAL_RESIDUALS)
captions = {name: caption_severity_association(associations, **asked) for name, asked in what.items()}
write_json(captions, snakemake.output.captions)
