"""Adapter of rule `register_to_template`: files in, `morpho.measure.register.register_to_template`, files out."""

import shutil
from dataclasses import asdict, fields
from pathlib import Path
from tempfile import TemporaryDirectory

from morpho.atlas import TEMPLATE_SPACE, load_template
from morpho.derivatives import derivative_sidecar
from morpho.failures import run_stage
from morpho.images import load_image
from morpho.logs import log_to
from morpho.measure.register import TissueImages, register_to_template
from morpho.tables import write_json

log_to(snakemake.log[0])
given, out, params = snakemake.input, snakemake.output, snakemake.params


def register() -> None:
    names = [field.name for field in fields(TissueImages)]
    scan = TissueImages(**{name: load_image(given[name]) for name in names})
    template = load_template()
    reference = TissueImages(**{name: getattr(template, name) for name in names})
    with TemporaryDirectory() as folder:
        settings = {"resolution_mm": params.resolution_mm, "iterations": params.iterations, "folder": Path(folder)}
        files, alignment = register_to_template(scan, reference, **settings)
        for name, path in asdict(files).items():
            shutil.move(path, out[name])
    text = f"Alignment of the scan with {TEMPLATE_SPACE}: affine, then deformable (ANTs)"
    write_json(derivative_sidecar([params.raw], description=text, **asdict(alignment)), out.alignment)


run_stage("register", register, inputs=given, outputs=out, log=snakemake.log[0])
