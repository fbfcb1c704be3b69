"""Stage `parcellate` of a scan: transforms and tissue shares in; the region of each voxel out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from morpho.atlas import load_atlas
from morpho.derivatives import derivative_sidecar
from morpho.images import load_image, save_image
from morpho.measure.parcellate import STRUCTURE_MARGIN_MM, crop_to_structures, label_regions, overlap_with_atlas
from morpho.measure.register import warp_to_scan
from morpho.rois import read_labels
from morpho.scan.files import ScanFiles
from morpho.stages import Stage
from morpho.structures import load_subcortical_atlas, structures_by_label, unstack_structures
from morpho.tables import write_json


def make_stage(files: ScanFiles, settings: Mapping[str, Any], code: str) -> Stage:
    """Make the stage for one scan.

    Parameters
    ----------
    files
        Files of the scan and of the atlas.
    settings
        Blocks of the configuration; of them, ``parcellate`` is used.
    code
        Digest of the code and weights of this stage.

    Returns
    -------
    Stage for `morpho.stages.run_stages`.
    """
    options = dict(settings["parcellate"])

    def parcellate() -> None:
        atlas = load_atlas(files.atlas.name, files.atlas.image, read_labels(files.atlas.labels))
        grey_matter = load_image(files.tissue("grey_matter"))
        carried = warp_to_scan(atlas.image, grey_matter, files.transforms, nearest=True)
        found = structures_by_label(unstack_structures(load_image(files.structures)), atlas.labels)
        regions = label_regions(carried, grey_matter, found, atlas.labels, **options)
        save_image(regions, files.regions, kind="label")
        near = crop_to_structures(found, margin_mm=STRUCTURE_MARGIN_MM) if found else {}
        maps = structures_by_label(load_subcortical_atlas(), atlas.labels)
        expected = {label: warp_to_scan(maps[label], near[label], files.transforms, nearest=False) for label in near}
        overlap = {"StructureOverlap": overlap_with_atlas(near, expected) if near else None}
        text = f"Regions of {atlas.name}"
        about = derivative_sidecar([files.raw_name], description=text, spatial_reference="orig", **overlap)
        write_json(about, files.regions_sidecar)

    given = (
        files.tissue("grey_matter"), files.structures, *asdict(files.transforms).values(),
        files.atlas.image, files.atlas.labels,
    )  # fmt: skip
    settings_used = {"options": options, "atlas": files.atlas.name, "code": code}
    return Stage("parcellate", parcellate, given, (files.regions, files.regions_sidecar), settings_used)
