"""Adapter of rule `plot_regions`: tables in, `morpho.present.region_figure.plot_region`, one figure per region out."""

from pathlib import Path

import yaml

from morpho.infer.dictionaries import ADJUSTED_VOLUMES, PARTIAL_RESIDUALS, SENSITIVITY
from morpho.infer.sensitivity_names import VARIANTS
from morpho.job_start import start_job
from morpho.present.cohort_captions import caption_region
from morpho.present.region_figure import PART, RegionTables, gather_region, plot_region
from morpho.present.rendering import render_figure
from morpho.present.style import read_style
from morpho.tables import read_table, write_json, write_table

start_job(snakemake)
given, params = snakemake.input, snakemake.params
style = read_style(yaml.safe_load(Path(given.style).read_text(encoding="utf-8")))
names = ("effects", "adjusted", "associations", "residuals", "sensitivity")
tables = RegionTables(**{name: read_table(given[name]) for name in names})
asked = {f"region_{roi}": {"roi": roi, "labels": VARIANTS, "confidence": params.confidence} for roi in params.rois}
for path in map(Path, snakemake.output.data):
    figure = plot_region(tables, style=style, **asked[path.stem])
    for file_format in params.formats:
        path.with_suffix(f".{file_format}").write_bytes(render_figure(figure, file_format, dpi=params.dpi))
    shown = gather_region(tables, roi=asked[path.stem]["roi"])
    write_table(shown, path, PART | ADJUSTED_VOLUMES | PARTIAL_RESIDUALS | SENSITIVITY)
write_json({name: caption_region(tables, **what) for name, what in asked.items()}, snakemake.output.captions)
