"""All stages of one scan, in their order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from morpho.failures import Failure
from morpho.scan.digests import digest_stage
from morpho.scan.files import RECORD, AtlasFiles, ScanFiles
from morpho.scan.parcellate import make_stage as make_parcellate
from morpho.scan.preprocess import make_stage as make_preprocess
from morpho.scan.quality import make_stage as make_quality
from morpho.scan.register import make_stage as make_register
from morpho.scan.segment import make_stage as make_segment
from morpho.scan.volumes import make_stage as make_volumes
from morpho.stages import Stage, run_stages

Maker = Callable[[ScanFiles, Mapping[str, Any], str], Stage]

# In the order of the work.
MAKERS: dict[str, Maker] = {
    "preprocess": make_preprocess,
    "segment": make_segment,
    "register": make_register,
    "parcellate": make_parcellate,
    "volumes": make_volumes,
    "quality": make_quality,
}


def plan_stages(files: ScanFiles, settings: Mapping[str, Any]) -> list[Stage]:
    """List the stages of a scan in their order.

    Parameters
    ----------
    files
        Files of the scan and of the atlas.
    settings
        Blocks ``preprocess``, ``segment``, ``register``, ``parcellate`` and ``volumes``, each with the arguments of
        its stage.

    Returns
    -------
    Stages for `morpho.stages.run_stages`.
    """
    return [make(files, settings, digest_stage(name)) for name, make in MAKERS.items()]


def measure_scan(
    files: ScanFiles,
    settings: Mapping[str, Any],
    about: Mapping[str, Any],
    *,
    log: str,
    announce: Callable[[str], None] = lambda _: None,
) -> Failure | None:
    """Measure one scan: run all stages that are not done; see `morpho.stages.run_stages`."""
    return run_stages(plan_stages(files, settings), files.record, about=about, log=log, announce=announce)


def scan_files(raw: str, raw_name: str, record: str, atlas: Mapping[str, str]) -> ScanFiles:
    """Files of a scan whose record lies at `record`; `atlas` has the keys name, image, labels and rois."""
    start = Path(record.removesuffix(f"_{RECORD}"))
    paths = {key: Path(atlas[key]) for key in ("image", "labels", "rois")}
    return ScanFiles(Path(raw), raw_name, start, AtlasFiles(atlas["name"], **paths))
