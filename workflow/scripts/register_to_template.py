"""Adapter of rule `register_to_template`: files in, `morpho.measure.register.register_to_template`, files out."""

import shutil
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from morpho.atlas import TEMPLATE_SPACE, load_template
from morpho.derivatives import derivative_sidecar
from morpho.failures import run_stage
from morpho.images import load_image
from morpho.logs import log_to
from morpho.measure.register import register_to_template
from morpho.tables import write_json

log_to(snakemake.log[0])
out, params = snakemake.output, snakemake.params


def register() -> None:
    template, t1w, mask = load_template(), load_image(snakemake.input.t1w), load_image(snakemake.input.brain_mask)
    with TemporaryDirectory() as folder:
        settings = {"resolution_mm": params.resolution_mm, "iterations": params.iterations, "folder": Path(folder)}
        files, alignment = register_to_template(t1w, mask, template.t1w, template.brain_mask, **settings)
        for name, path in asdict(files).items():
            shutil.move(path, out[name])
    text = f"Alignment of the scan with {TEMPLATE_SPACE}: affine, then deformable (ANTs)"
    write_json(derivative_sidecar([params.raw], description=text, **asdict(alignment)), out.alignment)


run_stage("register", register, inputs=snakemake.input, outputs=out, log=snakemake.log[0])
