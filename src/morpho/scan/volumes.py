"""Stage `volumes` of a scan: tissue shares and regions in; the table of volumes in mm3 and its dictionary out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

from morpho.images import load_image
from morpho.measure.volumes import measure_totals, measure_volumes
from morpho.rois import VOLUMES, read_labels, read_rois, resolve_rois
from morpho.scan.files import TISSUES, ScanFiles
from morpho.stages import Stage
from morpho.structures import structures_by_label, unstack_structures
from morpho.tables import dictionary_path, write_json, write_text


def make_stage(files: ScanFiles, settings: Mapping[str, Any], code: str) -> Stage:
    """Make the stage for one scan.

    Parameters
    ----------
    files
        Files of the scan and of the atlas.
    settings
        Blocks of the configuration; of them, ``volumes`` is used.
    code
        Digest of the code of this stage.

    Returns
    -------
    Stage for `morpho.stages.run_stages`.
    """
    options = dict(settings["volumes"])

    def volumes() -> None:
        grey, white, csf = (load_image(files.tissue(name)) for name in TISSUES)
        mask, regions = load_image(files.brain_mask), load_image(files.regions)
        scan, alignment = (json.loads(path.read_text("utf-8")) for path in (files.t1w_sidecar, files.alignment))
        labels = read_labels(files.atlas.labels)
        found = structures_by_label(unstack_structures(load_image(files.structures)), labels)
        rois = resolve_rois(read_rois(files.atlas.rois), labels)
        parts = measure_volumes(grey, regions, found, rois, **options)
        tiv = {"has_whole_head": scan["InputKind"] == "whole_head", "affine_tiv_mm3": alignment["affine_tiv_mm3"]}
        totals = measure_totals(grey, white, csf, mask, **tiv)
        table = pd.concat([parts, totals], ignore_index=True)
        write_text(table.to_csv(sep="\t", index=False, na_rep="n/a", float_format="%.3f"), files.volumes)
        write_json(VOLUMES, dictionary_path(files.volumes))

    given = (
        *(files.tissue(name) for name in TISSUES), files.brain_mask, files.regions, files.structures,
        files.t1w_sidecar, files.alignment, files.atlas.labels, files.atlas.rois,
    )  # fmt: skip
    made = (files.volumes, dictionary_path(files.volumes))
    return Stage("volumes", volumes, given, made, {"options": options, "code": code})
