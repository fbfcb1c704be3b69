"""Adapter of rule `write_report`: tables and pictures in, `morpho.present.report.render_pages`, a folder out."""

from pathlib import Path

from morpho.infer.claims.verdicts import MEANINGS
from morpho.infer.quality.set_names import SETS
from morpho.infer.sensitivity_names import VARIANTS
from morpho.infer.sharing.precision import TEXTS
from morpho.infer.sharing.precision_words import render_precision
from morpho.infer.sharing.sample import render_sample, suppress_sample
from morpho.job_start import start_job
from morpho.population import tell_sample
from morpho.present.report import choose_files, render_pages
from morpho.present.report_content import ReportContent, ReportOptions, ReportTables, ReportWords
from morpho.present.report_files import (
    find_pictures,
    find_vendored,
    make_viewer,
    place_figures,
    read_exclusions,
    read_sources,
    read_tables,
    write_report,
)
from morpho.present.sharing import make_salt, write_config
from morpho.provenance import software_versions
from morpho.rois import read_rois
from morpho.run_cost import read_run_cost
from morpho.scans import name_scan_files
from morpho.tables import read_table

start_job(snakemake)
given, params = snakemake.input, snakemake.params
tables = {name: read_table(given[name]) if given[name] else None for name in params.tables}
tables["regions"] = read_rois(given.rois) if given.metrics else None
sample = read_table(given.sample).fillna({"level": ""})
tables["sample"] = render_sample(suppress_sample(sample, params.smallest))
notes = tell_sample(sample, shown=not params.smallest) if given.metrics else ()
tables["precision"], expected = render_precision(read_table(given.precision, text=TEXTS), family=params.family)
tables |= {"exclusions": read_exclusions(given.exclusions), "run_cost": read_run_cost(params.logs)}
templates = [params[name] for name in ("thumbnail", "t1w", "brain_mask", "regions")]
paths = name_scan_files(tables["scans"], templates if given.metrics else [])
overlays = find_pictures(paths, given.pictures, [beside[0] for beside in paths.values()])
images = {scan: beside[1:] for scan, beside in paths.items()}
names = {name: given[name] for name in ("label_table", "rois", "style")}
viewer = make_viewer(tables["metrics"], images, **names, limit_mb=params.viewer_mb)
drawn = place_figures(given.figures, given.captions, file_format=params.figure_format)
methods, config = Path(given.methods).read_text("utf-8"), write_config(params.config, private=params.hashed)
content = ReportContent(
    tables=ReportTables(**tables), words=ReportWords(MEANINGS, VARIANTS, SETS, expected, methods, config, notes),
    options=ReportOptions(**params.options, salt=make_salt(wanted=params.hashed)), settings=params.settings,
    figures=drawn.pictures, failures=overlays.failures, provenance=software_versions() | params.provenance,
    texts=read_tables(given.linked) | drawn.texts | viewer,
    files={**drawn.files, **overlays.files, **find_vendored(viewer)},
)  # fmt: skip
write_report(snakemake.output.report, render_pages(content, read_sources(given.templates)), choose_files(content))
