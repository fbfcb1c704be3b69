"""Adapter of rule `write_report`: tables and figures in, `morpho.present.report.render_report`, one HTML file out."""

import json
from pathlib import Path

import pandas as pd

from morpho.failures import sort_failures
from morpho.infer.claims.verdicts import MEANINGS
from morpho.infer.sensitivity_names import VARIANTS
from morpho.infer.sharing.precision import COUNTS, TEXTS, say_precision
from morpho.infer.sharing.sample import render_sample
from morpho.logs import log_to
from morpho.measure.quality import QUALITY_DICTIONARY
from morpho.present.captions import caption_overlays
from morpho.present.pictures import embed_pictures
from morpho.present.report import ReportContent, ReportTables, ReportWords, render_report
from morpho.provenance import software_versions
from morpho.rois import read_rois
from morpho.tables import read_table, write_text

log_to(snakemake.log[0])
given, params = snakemake.input, snakemake.params
tables = {name: read_table(given[name]) if given[name] else None for name in params.tables}
tables["regions"] = read_rois(given.rois) if given.quality else None
tables["sample"] = render_sample(read_table(given.sample).fillna({"level": ""}))
planned = read_table(given.precision, text=TEXTS).astype(dict.fromkeys(COUNTS, "Int64"))
tables["precision"] = planned.fillna(dict.fromkeys(TEXTS, ""))
tables["exclusions"] = pd.concat([read_table(path) for path in given.exclusions]).drop_duplicates()
expected = tables["precision"][planned["expected"].notna() & (planned["family"] == params.family)].to_dict("records")
captions = {name: text for path in given.captions for name, text in json.loads(Path(path).read_text("utf-8")).items()}
figures = {Path(path).stem: Path(path).read_bytes() for path in given.figures if path.endswith(params.figure_format)}
scans = zip(tables["scans"].query("chosen")["scan"], given.overlays, strict=bool(given.overlays))
overlays = {scan: path.read_bytes() for scan, path in sort_failures(dict(scans))[0].items()}
methods = Path(given.methods).read_text(encoding="utf-8")
content = ReportContent(
    title=params.title,
    tables=ReportTables(**tables),
    words=ReportWords(MEANINGS, VARIANTS, QUALITY_DICTIONARY, tuple(map(say_precision, expected)), methods),
    settings=params.settings,
    figures=tuple(embed_pictures(figures, captions, file_format=params.figure_format).values()),
    overlays=embed_pictures(overlays, caption_overlays(params.outlined, overlays), file_format="jpg"),
    provenance=software_versions() | params.provenance,
    links={name: f"group/{name}.tsv" for name in params.linked},
)
write_text(render_report(content, template=Path(given.template).read_text(encoding="utf-8")), snakemake.output.report)
