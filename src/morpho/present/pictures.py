"""Pictures of the report: files beside its pages, checked so that nothing leads out of its folder."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from morpho.errors import ConfigError

RELATIVE = re.compile(r"(?!/)(?!data)[^:?#\\]+")  # no scheme, no host, no root
TITLES = {
    "effects_forest": "Effect sizes",
    "effects_on_brain": "Effect sizes in the brain",
    "claims": "Verdicts on the claims",
    "specification": "The effect in every variant of the analysis",
    "quality_groups": "Quality of the scans in both groups",
    "flow": "From scans found to people analysed",
}


@dataclass(frozen=True)
class Picture:
    """A picture with its words. `source` is a path relative to the report, `size` width and height on the page.

    The size is in pixels of the page (1/96 inch); None leaves it to the file.
    """

    title: str
    source: str
    caption: str
    size: tuple[int, int] | None = None


def choose_figures(
    paths: Iterable[str], captions: Mapping[str, str], *, file_format: str
) -> dict[str, tuple[Picture, Path]]:
    """Choose the figures of one format, in their order.

    Parameters
    ----------
    paths
        Files of the figures in all formats; the name of a figure is that of its file.
    captions
        Name -> sentences under the picture.
    file_format
        Ending to choose, such as "svg".

    Returns
    -------
    Name -> picture in the folder ``figures`` of the report, and its file. A figure whose caption is empty has nothing
    to show and is left out.
    """
    files = {Path(path).stem: Path(path) for path in paths if Path(path).suffix == f".{file_format}"}
    return {
        name: (Picture(name_figure(name), f"figures/{path.name}", captions[name]), path)
        for name, path in files.items()
        if captions.get(name)
    }


def name_figure(name: str) -> str:
    """Title of a figure."""
    words = name.replace("_", " ")
    return TITLES.get(name, words[:1].upper() + words[1:])


def check_address(address: str) -> None:
    """Refuse an address that leads out of the report's folder or onto the network.

    Parameters
    ----------
    address
        Of a picture, a link or a file.

    Raises
    ------
    ConfigError
        If it is not relative to the report.
    """
    if RELATIVE.fullmatch(address) and ".." not in address.split("/"):
        return
    message = f"The report cannot use '{address[:80]}'. Give a path relative to the report."
    raise ConfigError(message)
