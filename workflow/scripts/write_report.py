"""Adapter of rule `write_report`: tables and figures in, `morpho.present.report.render_report`, one HTML file out."""

import json
from pathlib import Path

import pandas as pd

from morpho.failures import sort_failures
from morpho.stats.effects import smallest_detectable_g
from morpho.logs import log_to
from morpho.measure.quality import QUALITY_DICTIONARY
from morpho.present.captions import caption_overlays
from morpho.present.headline import find_detectable
from morpho.present.report import ReportContent, embed_pictures, render_report
from morpho.provenance import software_versions
from morpho.tables import read_table, write_text

log_to(snakemake.log[0])
given, params = snakemake.input, snakemake.params
tables = {name: read_table(given[name]) for name in ("effects", "associations", "quality", "flow", "scans")}
exclusions = pd.concat([read_table(path) for path in given.exclusions]).drop_duplicates()
captions = {name: text for path in given.captions for name, text in json.loads(Path(path).read_text("utf-8")).items()}
figures = {Path(path).stem: Path(path).read_bytes() for path in given.figures if path.endswith(params.figure_format)}
scans = tables["scans"].loc[tables["scans"]["chosen"], "scan"]
drawn, _ = sort_failures(dict(zip(scans, given.overlays, strict=True)))
overlays = {scan: path.read_bytes() for scan, path in drawn.items()}
chance = {"alpha": 1 - params.confidence, "power": params.power}
content = ReportContent(
    **tables,
    title=params.title,
    exclusions=exclusions,
    quality_dictionary=QUALITY_DICTIONARY,
    figures=tuple(embed_pictures(figures, captions, file_format=params.figure_format).values()),
    overlays=embed_pictures(overlays, caption_overlays(params.outlined, overlays), file_format="jpg"),
    methods=Path(given.methods).read_text(encoding="utf-8"),
    notes=(),
    detectable=find_detectable(tables["effects"], smallest_detectable_g, **chance),
    confidence=params.confidence,
    provenance=software_versions(),
    links={name: f"group/{name}.tsv" for name in params.linked},
)
write_text(render_report(content, template=Path(given.template).read_text(encoding="utf-8")), snakemake.output.report)
