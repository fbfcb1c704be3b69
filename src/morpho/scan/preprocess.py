"""Stage `preprocess` of a scan: the raw T1w in; scan without shading, brain mask and coarse tissue shares out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from morpho.derivatives import derivative_sidecar
from morpho.images import save_image
from morpho.measure.preprocess import preprocess_t1w
from morpho.networks import load_network
from morpho.scan.files import ScanFiles, sidecar_of, with_sidecars
from morpho.stages import Stage
from morpho.t1w import load_t1w
from morpho.tables import write_json


def make_stage(files: ScanFiles, settings: Mapping[str, Any], code: str) -> Stage:
    """Make the stage for one scan.

    Parameters
    ----------
    files
        Files of the scan.
    settings
        Blocks of the configuration; of them, ``preprocess`` is used.
    code
        Digest of the code and weights of this stage.

    Returns
    -------
    Stage for `morpho.stages.run_stages`.
    """
    options = dict(settings["preprocess"])

    def preprocess() -> None:
        raw, notes = load_t1w(files.raw)
        scan = preprocess_t1w(raw, **options)
        save_image(scan.t1w, files.t1w, kind="intensity")
        save_image(scan.brain_mask, files.brain_mask, kind="label")
        save_image(scan.coarse_shares, files.coarse_shares, kind="probability")
        kind = {"SkullStripped": scan.input_kind == "extracted", "InputKind": scan.input_kind, "Repairs": notes}
        text = "T1w divided by its bias field, cropped around the brain; white matter is near 1"
        about = derivative_sidecar([files.raw_name], description=text, spatial_reference="orig", **kind)
        write_json(about, files.t1w_sidecar)
        mask = derivative_sidecar([files.raw_name], description="Brain mask", spatial_reference="orig", Type="Brain")
        write_json(mask, sidecar_of(files.brain_mask))
        text = f"Rough shares on a grid of 2 mm, in this order: {', '.join(load_network('head').classes)}"
        shares = derivative_sidecar([files.raw_name], description=text, spatial_reference="orig", Units="0 to 1")
        write_json(shares, sidecar_of(files.coarse_shares))

    outputs = with_sidecars((files.t1w, files.brain_mask, files.coarse_shares))
    return Stage("preprocess", preprocess, (files.raw,), outputs, {"options": options, "code": code})
