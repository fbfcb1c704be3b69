"""The stages of one scan without Snakemake, with every output kept in a folder.

The same functions as in the workflow (morpho.scan). A second call reads what a first one left, so new metrics can be
tried on scans that were measured before.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from morpho.atlas import find_data_file
from morpho.failures import Failure
from morpho.scan.files import AtlasFiles, ScanFiles
from morpho.scan.plan import measure_scan

REPOSITORY = Path(__file__).resolve().parents[1]


@cache
def configuration() -> dict[str, Any]:
    """Read the default configuration."""
    text = (REPOSITORY / "config" / "config.yaml").read_text(encoding="utf-8")
    settings: dict[str, Any] = yaml.safe_load(text)
    return settings


def files_of(t1w: Path, folder: Path) -> ScanFiles:
    """Name the files of a scan whose outputs go to a folder."""
    atlas = configuration()["atlas"]
    tables = [REPOSITORY / path for path in (atlas["labels"], configuration()["volumes"]["rois"])]
    return ScanFiles(t1w, t1w.name, folder / "scan", AtlasFiles(atlas["name"], find_data_file(atlas["image"]), *tables))


def run_stages(t1w: Path, folder: Path) -> Failure | None:
    """Run all stages of a scan with the default configuration; gives why it failed, or None.

    Parameters
    ----------
    t1w
        Raw scan.
    folder
        Where the outputs go, named as `files_of` says. A stage that is done is not run again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    blocks = {name: configuration()[name] for name in ("preprocess", "segment", "register", "parcellate")}
    settings = blocks | {"volumes": {"min_voxels": configuration()["volumes"]["min_voxels"]}}
    return measure_scan(files_of(t1w, folder), settings, {}, log=str(folder / "log"))
