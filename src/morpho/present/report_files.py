"""The files of the report on disk: what is read for it, and the folder that it is written to.

The only part of the report that opens files.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

import pandas as pd
import yaml
from PIL import Image

from morpho.atlas import find_data_file
from morpho.failures import Failure, sort_failures
from morpho.images import load_image
from morpho.present.pictures import Picture, choose_figures
from morpho.present.quality_words import rank_scans
from morpho.present.report_content import ScanFailure
from morpho.present.viewer import ScanImages, pack_scans, write_label_script
from morpho.rois import read_labels, read_rois, resolve_rois
from morpho.tables import dictionary_path, read_table, write_text

LOG_LINES = 25
DPI = 300  # of a figure that does not say
PAGE_DPI = 96
ENLARGED = 1.25  # a figure drawn for print has small letters
VENDORED = "viewer/"


@dataclass(frozen=True)
class ScanFiles:
    """Files of the scans, path in the report -> source, and why the others have none."""

    files: Mapping[str, Path]
    failures: Mapping[str, ScanFailure]


@dataclass(frozen=True)
class FigureFiles:
    """Figures of the report: name -> picture, and path in the report -> text of an SVG or content of pixels."""

    pictures: Mapping[str, Picture]
    texts: Mapping[str, str]
    files: Mapping[str, bytes]


def read_sources(paths: Iterable[str | Path]) -> dict[str, str]:
    """Read text files: name -> text."""
    return {Path(path).name: _read(path) for path in paths}


def read_tables(paths: Iterable[str | Path]) -> dict[str, str]:
    """Read tables and their dictionaries as they are: path in the report -> text."""
    found = [file for path in paths for file in (Path(path), dictionary_path(path)) if file.is_file()]
    return {f"tables/{file.name}": _read(file) for file in found}


def find_pictures(scans: Iterable[str], pictures: Sequence[str], thumbnails: Sequence[str]) -> ScanFiles:
    """Sort the pictures of the scans from the notes of scans that failed.

    Parameters
    ----------
    scans
        Names.
    pictures, thumbnails
        One path per scan, in the same order; both may be empty.

    Returns
    -------
    Pictures as ``pictures/<scan>.webp`` and ``thumbnails/<scan>.webp``, and the failures with the end of their logs.
    """
    files: dict[str, Path] = {}
    failures: dict[str, Failure] = {}
    for folder, paths in (("pictures", pictures), ("thumbnails", thumbnails)):
        drawn, failed = sort_failures(dict(zip(scans, paths, strict=bool(paths))))
        files |= {f"{folder}/{scan}.webp": path for scan, path in drawn.items()}
        failures |= failed
    return ScanFiles(files, {scan: _describe_failure(failure) for scan, failure in failures.items()})


def _describe_failure(failure: Failure) -> ScanFailure:
    """Add the last lines of the log to a failure."""
    log = Path(failure.log)
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.is_file() else []
    shown = "logs/" + failure.log.partition("/logs/")[2] if "/logs/" in failure.log else failure.log
    return ScanFailure(failure.stage, failure.reason, shown, "\n".join(lines[-LOG_LINES:]))


def make_viewer(
    metrics: pd.DataFrame | None,
    images: Mapping[str, Sequence[str]],
    *,
    label_table: str | Path,
    rois: str | Path,
    style: str | Path,
    limit_mb: float,
) -> dict[str, str]:
    """Make the data of the viewer for the scans in most trouble, as far as there is room.

    Parameters
    ----------
    metrics
        Quality metrics, which say who is in most trouble; None if no scan was measured.
    images
        Scan -> paths of the bias-corrected scan, the brain mask and the labels; failed scans have notes there.
    label_table, rois, style
        Paths of the tables of labels and of regions, and of the style of figures, for names and colours.
    limit_mb
        Room for the data of all scans, in 10^6 bytes; 0: none is made.

    Returns
    -------
    Path in the report -> text; nothing if there is no scan to show.
    """
    if metrics is None or limit_mb <= 0:
        return {}
    measured = sort_failures({scan: paths[-1] for scan, paths in images.items()})[0]
    worst = [str(scan) for scan in rank_scans(metrics)["scan"] if str(scan) in measured]

    def load(scan: str) -> ScanImages:
        return ScanImages(*(load_image(path) for path in images[scan]))

    scripts = {f"{VENDORED}{scan}.js": text for scan, text in pack_scans(worst, load, limit_mb=limit_mb).items()}
    if not scripts:
        return {}
    labels = read_labels(label_table)
    colours = yaml.safe_load(_read(style))["region_colours"]
    names = write_label_script(labels, resolve_rois(read_rois(rois), labels), colours)
    return {**scripts, f"{VENDORED}labels.js": names}


def find_vendored(viewer: Mapping[str, str]) -> dict[str, Path]:
    """Find the viewer itself and its licence: path in the report -> file; nothing if there is no scan to show."""
    names = ("niivue.umd.js", "LICENSE-niivue.txt") if viewer else ()
    return {f"{VENDORED}{name}": find_data_file(f"morpho:vendor/niivue/{name}") for name in names}


def place_figures(paths: Iterable[str], caption_files: Iterable[str], *, file_format: str) -> FigureFiles:
    """Choose the figures of the report and read them.

    Parameters
    ----------
    paths
        Files of all figures in all formats.
    caption_files
        JSON files, name of a figure -> caption.
    file_format
        Ending to choose: "png", whose pixels are packed without loss as WebP (a third of the room), or "svg".

    Returns
    -------
    The figures that have something to show.
    """
    captions = {name: text for path in caption_files for name, text in json.loads(_read(path)).items()}
    chosen = choose_figures(paths, captions, file_format=file_format)
    pictures = {name: picture for name, (picture, _) in chosen.items()}
    sources = {picture.source: path for picture, path in chosen.values()}
    if file_format == "svg":
        return FigureFiles(pictures, {address: _read(path) for address, path in sources.items()}, {})
    packed = {name: _pack_figure(picture, path) for name, (picture, path) in chosen.items()}
    return FigureFiles(
        {name: picture for name, (picture, _) in packed.items()},
        {},
        {picture.source: content for picture, content in packed.values()},
    )


def _pack_figure(picture: Picture, path: Path) -> tuple[Picture, bytes]:
    """Pack the pixels of a figure; on the page it has its printed size, a fourth larger."""
    with Image.open(path) as image:
        dots = image.info.get("dpi", (DPI, DPI))[0] or DPI
        size = tuple(round(n / dots * PAGE_DPI * ENLARGED) for n in image.size)
        content = BytesIO()
        image.convert("RGB").save(content, "WEBP", lossless=True, quality=40, method=3)
    address = str(Path(picture.source).with_suffix(".webp").as_posix())
    return replace(picture, source=address, size=(size[0], size[1])), content.getvalue()


def read_exclusions(paths: Iterable[str | Path]) -> pd.DataFrame:
    """Read several tables of exclusions as one, each row once."""
    return pd.concat([read_table(path) for path in paths]).drop_duplicates(ignore_index=True)


def _read(path: str | Path) -> str:
    """Text of a file."""
    return Path(path).read_text(encoding="utf-8")


def write_report(folder: str | Path, texts: Mapping[str, str], files: Mapping[str, Path | bytes]) -> None:
    """Write the folder of the report; what was there before is removed.

    Parameters
    ----------
    folder
        The folder.
    texts
        Path in the folder -> text.
    files
        Path in the folder -> content, or file to copy.
    """
    folder = Path(folder)
    if folder.exists():
        shutil.rmtree(folder)
    for path, text in texts.items():
        write_text(text, folder / path)
    for path, source in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(source, bytes):
            target.write_bytes(source)
        else:
            shutil.copyfile(source, target)
