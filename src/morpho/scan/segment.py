"""Stage `segment` of a scan: preprocessed scan in; shares of tissues, hippocampus and amygdala out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from morpho.derivatives import derivative_sidecar
from morpho.images import load_image, save_image
from morpho.measure.segment import segment_tissue
from morpho.scan.files import TISSUES, ScanFiles, sidecar_of, with_sidecars
from morpho.stages import Stage
from morpho.structures import stack_structures
from morpho.tables import write_json

STRUCTURES_TEXT = "Shares of left and right hippocampus, left and right amygdala (in this order)"


def make_stage(files: ScanFiles, settings: Mapping[str, Any], code: str) -> Stage:
    """Make the stage for one scan.

    Parameters
    ----------
    files
        Files of the scan.
    settings
        Blocks of the configuration; of them, ``segment`` is used.
    code
        Digest of the code and weights of this stage.

    Returns
    -------
    Stage for `morpho.stages.run_stages`.
    """
    options = dict(settings["segment"])
    given = (files.t1w, files.brain_mask, files.coarse_shares)
    maps = {name: files.tissue(name) for name in TISSUES} | {"structures": files.structures}

    def segment() -> None:
        found = segment_tissue(*(load_image(path) for path in given), **options)
        images = vars(found.tissue) | {"structures": stack_structures(found.structures)}
        for name, path in maps.items():
            # The faint rims of the structures add up to 2 % of an amygdala; 8 bits would lose them.
            save_image(images[name], path, kind="intensity" if name == "structures" else "probability")
            text = STRUCTURES_TEXT if name == "structures" else f"Share of {name.replace('_', ' ')} in each voxel"
            about = derivative_sidecar([files.raw_name], description=text, spatial_reference="orig", Units="0 to 1")
            write_json(about, sidecar_of(path))

    return Stage("segment", segment, given, with_sidecars(maps.values()), {"options": options, "code": code})
