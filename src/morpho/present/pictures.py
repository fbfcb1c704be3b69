"""Pictures of the report: embedded in the page, and checked so that nothing leads out of it."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass

from morpho.errors import ConfigError

MIME_TYPES = {"svg": "image/svg+xml", "png": "image/png", "jpg": "image/jpeg"}
EMBEDDED = re.compile(r"data:image/(svg\+xml|png|jpeg);base64,[A-Za-z0-9+/=]+")
RELATIVE = re.compile(r"(?!/)[^:?#\\]+")  # no scheme, no host, no root


@dataclass(frozen=True)
class Picture:
    """A picture with its words. `source` is a data URI (`embed_image`) or a path relative to the report."""

    title: str
    source: str
    caption: str


def embed_image(content: bytes, file_format: str) -> str:
    """Encode a picture as a data URI.

    Parameters
    ----------
    content
        Content of the picture file.
    file_format
        "svg", "png" or "jpg".

    Returns
    -------
    Text for the ``src`` of an image; inside it, an SVG can neither run scripts nor clash with another one.

    Raises
    ------
    ConfigError
        If the format is none of the three.

    Examples
    --------
    >>> embed_image(b"<svg/>", "svg")
    'data:image/svg+xml;base64,PHN2Zy8+'
    """
    if file_format not in MIME_TYPES:
        message = f"A '{file_format}' picture cannot be shown in the report. Use {', '.join(MIME_TYPES)}."
        raise ConfigError(message)
    return f"data:{MIME_TYPES[file_format]};base64,{base64.b64encode(content).decode('ascii')}"


def embed_pictures(
    contents: Mapping[str, bytes], captions: Mapping[str, str], *, file_format: str
) -> dict[str, Picture]:
    """Embed pictures of one format, in their order.

    Parameters
    ----------
    contents
        Name -> content of the picture file.
    captions
        Name -> sentences under the picture.
    file_format
        "svg", "png" or "jpg".

    Returns
    -------
    Name -> picture; figures are titled by their name in words, scans by their name as it is. A picture whose caption
    is empty has nothing to show and is left out.
    """
    return {
        name: Picture(
            title=name if name.startswith("sub-") else name.replace("_", " ").capitalize(),
            source=embed_image(content, file_format),
            caption=captions[name],
        )
        for name, content in contents.items()
        if captions[name]
    }


def check_address(address: str, *, embedded: bool) -> None:
    """Refuse an address that leads out of the report's folder or onto the network.

    Parameters
    ----------
    address
        Of a picture or link.
    embedded
        Whether a picture inside the page is allowed as well.

    Raises
    ------
    ConfigError
        If it is neither embedded nor relative to the report.
    """
    if (embedded and EMBEDDED.fullmatch(address)) or (RELATIVE.fullmatch(address) and not address.startswith("data")):
        return
    message = f"The report cannot use '{address[:80]}'. Give a path relative to the report, or embed the picture."
    raise ConfigError(message)
