"""Adapter of rule `write_report`: tables and figures in, `morpho.present.report.render_report`, one HTML file out."""

import json
from pathlib import Path

import pandas as pd

from morpho.failures import sort_failures
from morpho.infer.effects import smallest_detectable_g
from morpho.logs import log_to
from morpho.measure.quality import QUALITY_DICTIONARY
from morpho.present.headline import DetectableEffect, analysed_sizes
from morpho.present.methods import collect_facts, write_methods
from morpho.present.report import Picture, ReportContent, embed_image, render_report
from morpho.provenance import software_versions
from morpho.scans import read_scans
from morpho.tables import read_table, write_text

log_to(snakemake.log[0])
given, config = snakemake.input, snakemake.params.config
folder = Path(snakemake.output.report).parent
names = ("cohort", "effects", "associations", "quality", "flow")
tables = {name: read_table(given[name]) for name in names} | {"scans": read_scans(given.scans)}
exclusions = pd.concat([read_table(path) for path in given.exclusions]).drop_duplicates()
texts = [json.loads(Path(path).read_text(encoding="utf-8")) for path in given.captions]
captions = {name: caption for text in texts for name, caption in text.items()}
files = {Path(path).stem: Path(path) for path in given.figures if path.endswith(snakemake.params.figure_format)}
shown = {name: embed_image(files[name].read_bytes(), files[name].suffix[1:]) for name in captions}
chosen = tables["scans"].loc[tables["scans"]["chosen"], "scan"]
drawn, _ = sort_failures(dict(zip(chosen, given.overlays, strict=True)))
overlays = {scan: embed_image(path.read_bytes(), path.suffix[1:]) for scan, path in drawn.items()}
sizes, chance = analysed_sizes(tables["effects"]), {"alpha": 0.05, "power": 0.8}
detectable = DetectableEffect(smallest_detectable_g(*sizes, **chance), **chance, **dict(zip(
    ("n_reference", "n_comparison"), sizes, strict=True))) if min(sizes) else None  # fmt: skip
asked = {name: tables[name] for name in ("scans", "cohort", "effects", "associations")}
facts = collect_facts(**asked, config=config, versions=software_versions())
del tables["cohort"]
content = ReportContent(
    **tables,
    title=config["report"]["title"],
    exclusions=exclusions,
    quality_dictionary=QUALITY_DICTIONARY,
    figures=tuple(Picture(name.replace("_", " ").capitalize(), shown[name], captions[name]) for name in captions),
    overlays={scan: Picture(scan, source, "") for scan, source in overlays.items()},
    methods=write_methods(facts, template=Path(given.methods_template).read_text(encoding="utf-8")),
    notes=(),
    detectable=detectable,
    confidence=config["models"]["confidence"],
    provenance=software_versions(),
    links={
        name: f"group/{name}.tsv"
        for name in ("group_comparison", "severity_association", "quality", "exclusions", "scans")
    },
)
write_text(
    render_report(content, template=Path(given.report_template).read_text(encoding="utf-8")), snakemake.output.report
)
