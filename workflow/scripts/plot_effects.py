"""Adapter of rule `plot_effects`: tables in, `morpho.present` figures of the group comparison, figures out."""

from pathlib import Path

import yaml

from morpho.atlas import load_atlas, load_template
from morpho.infer.dictionaries import EFFECTS
from morpho.infer.quality.dictionaries import QUALITY_DIFFERENCE
from morpho.infer.sharing.references import COMPARISON_COLUMNS
from morpho.job_start import start_job
from morpho.present.brainmaps import plot_effects_on_brain
from morpho.present.captions import caption_effects_forest, caption_effects_on_brain
from morpho.present.figures import plot_effects_forest
from morpho.present.rendering import render_figure
from morpho.present.style import read_style
from morpho.rois import read_labels, read_rois, resolve_rois
from morpho.tables import read_table, write_json, write_table

start_job(snakemake)
given, params = snakemake.input, snakemake.params
style = read_style(yaml.safe_load(Path(given.style).read_text(encoding="utf-8")))
effects, labels = read_table(given.effects), read_labels(given.labels)
rois, atlas = resolve_rois(read_rois(given.rois), labels), load_atlas("atlas", Path(given.atlas), labels)
figures = {
    "effects_forest": plot_effects_forest(effects, style=style, confidence=params.confidence),
    "effects_on_brain": plot_effects_on_brain(effects, atlas.image, rois, load_template().t1w, style=style),
}
captions = {
    "effects_forest": caption_effects_forest(effects, confidence=params.confidence),
    "effects_on_brain": caption_effects_on_brain(effects),
}
for path in map(Path, snakemake.output.figures):
    path.write_bytes(render_figure(figures[path.stem], path.suffix[1:], dpi=params.dpi))
for path in snakemake.output.data:
    write_table(effects, path, {**EFFECTS, **COMPARISON_COLUMNS, **QUALITY_DIFFERENCE})
write_json(captions, snakemake.output.captions)
