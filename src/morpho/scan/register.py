"""Stage `register` of a scan: tissue shares in; transforms between scan and template and their score out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from morpho.atlas import TEMPLATE_SPACE, load_template
from morpho.derivatives import derivative_sidecar
from morpho.disk import write_whole
from morpho.images import load_image
from morpho.measure.register import TissueImages, register_to_template
from morpho.scan.files import TISSUES, ScanFiles
from morpho.stages import Stage
from morpho.tables import write_json


def make_stage(files: ScanFiles, settings: Mapping[str, Any], code: str) -> Stage:
    """Make the stage for one scan.

    Parameters
    ----------
    files
        Files of the scan.
    settings
        Blocks of the configuration; of them, ``register`` is used.
    code
        Digest of the code and template of this stage.

    Returns
    -------
    Stage for `morpho.stages.run_stages`.
    """
    options = dict(settings["register"])
    given = {"brain_mask": files.brain_mask} | {name: files.tissue(name) for name in TISSUES}

    def register() -> None:
        scan = TissueImages(**{name: load_image(path) for name, path in given.items()})
        template = load_template()
        reference = TissueImages(**{field.name: getattr(template, field.name) for field in fields(TissueImages)})
        with TemporaryDirectory(prefix="morpho-") as folder:
            made, alignment = register_to_template(scan, reference, **options, folder=Path(folder))
            for name, path in asdict(made).items():
                write_whole(Path(path).read_bytes(), getattr(files.transforms, name))
        text = f"Alignment of the scan with {TEMPLATE_SPACE}: affine, then deformable (ANTs)"
        about = derivative_sidecar([files.raw_name], description=text, **asdict(alignment))
        write_json(about, files.alignment)

    outputs = (*asdict(files.transforms).values(), files.alignment)
    return Stage("register", register, tuple(given.values()), outputs, {"options": options, "code": code})
