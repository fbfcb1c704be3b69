"""Adapter of rule `plot_flow`: tables in, `morpho.present.flow_figure.plot_flow`, figure out."""

from pathlib import Path

import pandas as pd
import yaml

from morpho.job_start import start_job
from morpho.present.cohort_captions import caption_flow
from morpho.present.flow_figure import FLOW_DIAGRAM, plot_flow, tabulate_flow
from morpho.present.flow_views import FlowTables, view_flow
from morpho.present.rendering import render_figure
from morpho.present.style import read_style
from morpho.scans import read_scans
from morpho.tables import read_table, write_json, write_table

start_job(snakemake)
given, params = snakemake.input, snakemake.params
style = read_style(yaml.safe_load(Path(given.style).read_text(encoding="utf-8")))
exclusions = pd.concat([read_table(path) for path in given.exclusions], ignore_index=True)
metrics = read_table(given.metrics[0]) if given.metrics else None
scans, effects = read_scans(given.scans), read_table(given.effects)
flow = view_flow(FlowTables(read_table(given.flow), scans, exclusions, effects, metrics))
figure = plot_flow(flow, style=style)
for path in map(Path, snakemake.output.figures):
    path.write_bytes(render_figure(figure, path.suffix[1:], dpi=params.dpi))
for path in map(Path, snakemake.output.data):
    write_table(tabulate_flow(flow), path, FLOW_DIAGRAM)
    write_json({path.stem: caption_flow(flow)}, snakemake.output.captions)
