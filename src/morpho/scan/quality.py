"""Stage `quality` of a scan: everything before it in; the table of its quality metrics out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from morpho.images import load_image
from morpho.measure.laterality import measure_laterality
from morpho.measure.parcellate import STRUCTURE_MARGIN_MM, crop_to_structures
from morpho.measure.quality import MeasuredScan, measure_quality
from morpho.measure.register import warp_to_scan
from morpho.quality_metrics import METRICS
from morpho.scan.files import TISSUES, ScanFiles
from morpho.stages import Stage
from morpho.structures import load_subcortical_atlas, unstack_structures
from morpho.t1w import load_t1w
from morpho.tables import dictionary_path, read_table, write_table

KIND = {"input_kind": {"Description": "whole_head, or extracted: the brain was extracted before it came to morpho"}}


def make_stage(files: ScanFiles, settings: Mapping[str, Any], code: str) -> Stage:
    """Make the stage for one scan.

    Parameters
    ----------
    files
        Files of the scan.
    settings
        Blocks of the configuration; none is used.
    code
        Digest of the code and weights of this stage.

    Returns
    -------
    Stage for `morpho.stages.run_stages`.
    """
    del settings
    paths = {"t1w": files.t1w, "brain_mask": files.brain_mask} | {name: files.tissue(name) for name in TISSUES}
    sidecars = (files.t1w_sidecar, files.alignment, files.regions_sidecar)

    def quality() -> None:
        scan, alignment, overlap = (json.loads(path.read_text("utf-8")) for path in sidecars)
        near = crop_to_structures(unstack_structures(load_image(files.structures)), margin_mm=STRUCTURE_MARGIN_MM)
        atlas = load_subcortical_atlas()
        expected = {name: warp_to_scan(atlas[name], near[name], files.transforms, nearest=False) for name in near}
        maps = {name: load_image(path) for name, path in paths.items()}
        measured = MeasuredScan(raw=load_t1w(files.raw)[0], **maps, expected=expected, input_kind=scan["InputKind"])
        sides = measure_laterality(maps["grey_matter"], maps["white_matter"], files.transforms.affine)
        volumes = read_table(files.volumes)
        table = measure_quality(measured, volumes, alignment, overlap["StructureOverlap"], sides)
        write_table(table, files.metrics, KIND | METRICS, digits=6)

    given = (
        files.raw, *paths.values(), *sidecars, files.structures, *asdict(files.transforms).values(), files.volumes,
    )  # fmt: skip
    return Stage("quality", quality, given, (files.metrics, dictionary_path(files.metrics)), {"code": code})
