"""The look of figures: sizes, colours and markers from ``config/figures.yaml``, and how figures are saved.

Takes the mapping of that file, gives a checked `FigureStyle`. Draws nothing and imports no plotting library.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from morpho.errors import ConfigError

MM_PER_INCH = 25.4
COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
FONT = "DejaVu Sans"  # ships with matplotlib, so figures look the same on every machine
FIXED_KEYS = {
    "side_colours": ("mean", "whole", "L", "R"),
    "outline_colours": ("brain_mask", "grey_matter", "white_matter"),
}


@dataclass(frozen=True)
class FigureStyle:
    """Look of all figures; lengths in mm or points (1/72 inch) at the printed size, colours as "#rrggbb".

    `group_colours` are those of the reference and the comparison group. `outline_colours` may be "", which draws no
    line. More than `vector_points` points in one figure become pixels in vector formats.
    """

    font_size_pt: float
    single_column_mm: float
    double_column_mm: float
    group_colours: tuple[str, str]
    side_colours: Mapping[str, str]
    region_colours: Mapping[str, str]
    outline_colours: Mapping[str, str]
    effect_colour_map: str
    point_area_pt2: float
    point_opacity: float
    jitter_width: float
    jitter_seed: int
    panel_columns: int
    vector_points: int

    def rc_params(self) -> dict[Any, Any]:
        """Choose the settings of matplotlib under which the figures are built."""
        size = self.font_size_pt
        return {
            "font.family": [FONT],
            "mathtext.fontset": "dejavusans",
            "font.size": size,
            "axes.titlesize": size,
            "axes.labelsize": size,
            "xtick.labelsize": size - 1,
            "ytick.labelsize": size - 1,
            "legend.fontsize": size,
            "axes.linewidth": 0.6,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.unicode_minus": True,
            "lines.linewidth": 1.0,
        }


def read_style(mapping: Mapping[str, Any]) -> FigureStyle:
    """Check the content of ``config/figures.yaml``.

    Parameters
    ----------
    mapping
        Exactly the keys of `FigureStyle`.

    Returns
    -------
    The style.

    Raises
    ------
    ConfigError
        With all problems: absent or unknown keys, numbers that are not above zero, colours that are not "#rrggbb".
    """
    known = [field.name for field in fields(FigureStyle)]
    problems = [f"key '{key}' is absent" for key in known if key not in mapping]
    problems += [f"key '{key}' is unknown; known are {', '.join(known)}" for key in mapping if key not in known]
    for field in fields(FigureStyle):
        if field.name in mapping:
            problems += _check_value(field.name, str(field.type), mapping[field.name])
    if problems:
        message = "The figure style (config/figures.yaml) cannot be used:\n" + "\n".join(f"- {p}" for p in problems)
        raise ConfigError(message)
    values = dict(mapping) | {"group_colours": tuple(mapping["group_colours"])}
    return FigureStyle(**values)


def _check_value(name: str, kind: str, value: Any) -> list[str]:
    """Problems of one value of the style."""
    if kind in ("float", "int"):
        allowed = int if kind == "int" else (int, float)
        is_number = isinstance(value, allowed) and not isinstance(value, bool)
        if is_number and (value > 0 or (value == 0 and name.startswith("jitter_"))):
            return []
        return [f"{name} is {value!r}; it must be a {'whole ' if kind == 'int' else ''}number above 0"]
    if kind == "str":
        return [] if isinstance(value, str) and value else [f"{name} is {value!r}; it must be a name"]
    if name == "group_colours":
        whole = isinstance(value, (list, tuple)) and len(value) == 2
        return (
            _check_colours(name, dict(enumerate(value))) if whole else [f"{name} is {value!r}; it must be two colours"]
        )
    if not isinstance(value, Mapping):
        return [f"{name} is {value!r}; it must map names to colours"]
    wanted = FIXED_KEYS.get(name, tuple(value))
    problems = [f"{name} needs exactly {', '.join(wanted)}"] if set(wanted) != set(value) else []
    return problems + _check_colours(name, value)


def _check_colours(name: str, colours: Mapping[Any, Any]) -> list[str]:
    """Problems of the colours of one block."""
    return [
        f"{name}.{key} is {colour!r}; a colour is written as '#0072B2'"
        for key, colour in colours.items()
        if not (COLOUR.fullmatch(str(colour)) or (colour == "" and name == "outline_colours"))
    ]


def save_options(file_format: str, *, dpi: float) -> dict[str, Any]:
    """Choose the keyword arguments of ``Figure.savefig`` that make equal figures equal files.

    Parameters
    ----------
    file_format
        "svg", "png" or "pdf".
    dpi
        Resolution of pixels, dots per inch.

    Returns
    -------
    format, dpi and metadata without a date.

    Raises
    ------
    ConfigError
        If the format is none of the three.
    """
    options: dict[str, dict[str, Any]] = {
        "svg": {"metadata": {"Date": None}},
        "png": {"metadata": {"Software": None}},
        "pdf": {"metadata": {"CreationDate": None}},
    }
    if file_format not in options:
        message = f"Figures cannot be saved as '{file_format}' (config figures.formats). Use {', '.join(options)}."
        raise ConfigError(message)
    return {"format": file_format, "dpi": dpi, **options[file_format]}
