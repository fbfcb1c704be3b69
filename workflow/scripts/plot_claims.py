"""Adapter of rule `plot_claims`: claims in, `morpho.present.claim_figure.plot_claims`, figure out."""

from pathlib import Path

import yaml

from morpho.infer.claims.dictionaries import CLAIMS
from morpho.infer.claims.verdicts import MEANINGS
from morpho.job_start import start_job
from morpho.present.captions import caption_claims
from morpho.present.claim_figure import plot_claims
from morpho.present.rendering import render_figure
from morpho.present.style import read_style
from morpho.tables import read_table, write_json, write_table

start_job(snakemake)
given, params = snakemake.input, snakemake.params
style = read_style(yaml.safe_load(Path(given.style).read_text(encoding="utf-8")))
claims = read_table(given.claims)
figure = plot_claims(claims, style=style)
for path in map(Path, snakemake.output.figures):
    path.write_bytes(render_figure(figure, path.suffix[1:], dpi=params.dpi))
for path in map(Path, snakemake.output.data):
    write_table(claims, path, CLAIMS)
    write_json({path.stem: caption_claims(claims, meanings=MEANINGS)}, snakemake.output.captions)
