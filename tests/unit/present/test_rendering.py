"""Files of figures: the width of a column exactly, the same bytes each time, fonts that publishers take."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from morpho.errors import ConfigError
from morpho.present.brainmaps import plot_effects_on_brain
from morpho.present.claim_figure import plot_claims
from morpho.present.figures import plot_effects_forest, plot_group_distributions, plot_severity_association
from morpho.present.panels import new_panels, plot_nothing
from morpho.present.rendering import render_figure, render_webp
from morpho.present.specification import plot_specification
from morpho.present.style import FigureStyle

DPI = 300
MM_PER_INCH, POINTS_PER_INCH = 25.4, 72
Plot = Callable[[ModuleType, FigureStyle], Figure]


def plot_distributions(study: ModuleType, style: FigureStyle, family: str) -> Figure:
    effects = study.make_effects()
    return plot_group_distributions(
        study.make_adjusted(effects), effects, family=family, style=style, confidence=study.CONFIDENCE
    )


def plot_severity(study: ModuleType, style: FigureStyle) -> Figure:
    residuals = study.make_residuals()
    associations = study.make_associations(residuals)
    what = {"family": "primary", "scale": "BDI", "confidence": study.CONFIDENCE}
    return plot_severity_association(residuals, associations, style=style, **what)


def plot_brain(study: ModuleType, style: FigureStyle) -> Figure:
    head = study.make_head()
    return plot_effects_on_brain(
        study.make_effects(), head["regions"], study.make_roi_labels(), head["t1w"], style=style
    )


def plot_variants(study: ModuleType, style: FigureStyle) -> Figure:
    sensitivity = study.make_sensitivity(study.make_effects())
    return plot_specification(
        sensitivity, family="primary", labels=study.VARIANTS, style=style, confidence=study.CONFIDENCE
    )


# Every kind of figure -> the column it fills.
FIGURES: dict[str, tuple[Plot, str]] = {
    "forest": (lambda study, style: plot_effects_forest(study.make_effects(), style=style, confidence=0.95), "double"),
    "brain": (plot_brain, "double"),
    "four panels": (lambda study, style: plot_distributions(study, style, "primary"), "double"),
    "one panel": (lambda study, style: plot_distributions(study, style, "totals"), "single"),
    "severity": (plot_severity, "double"),
    "variants": (plot_variants, "double"),
    "claims": (lambda study, style: plot_claims(study.make_claims(), style=style), "double"),
    "nothing": (lambda _, style: plot_nothing("There is nothing.", style), "single"),
}


def width_of_png(content: bytes) -> float:
    """Read the printed width (mm) off the pixels and the resolution that the file names."""
    picture = Image.open(io.BytesIO(content))
    dpi = picture.info["dpi"][0]
    assert dpi == pytest.approx(DPI, rel=1e-4)
    return float(picture.width / dpi * MM_PER_INCH)


def width_of_pdf(content: bytes) -> float:
    """Read the printed width (mm) off the MediaBox."""
    (box,) = re.findall(rb"/MediaBox \[([^\]]+)\]", content)
    left, _, right, _ = map(float, box.split())
    return (right - left) / POINTS_PER_INCH * MM_PER_INCH


def width_of_svg(content: bytes) -> float:
    """Read the printed width (mm) off the width of the root element."""
    found = re.search(rb'<svg [^>]*?width="([\d.]+)pt"', content)
    assert found
    return float(found[1]) / POINTS_PER_INCH * MM_PER_INCH


@pytest.mark.parametrize("name", FIGURES)
def test_files_are_exactly_as_wide_as_their_column(name: str, study: ModuleType, style: FigureStyle) -> None:
    plot, column = FIGURES[name]
    figure = plot(study, style)
    wanted_mm = {"single": style.single_column_mm, "double": style.double_column_mm}[column]
    pixel_mm = MM_PER_INCH / DPI
    assert width_of_png(render_figure(figure, "png", dpi=DPI)) == pytest.approx(wanted_mm, abs=pixel_mm)
    assert width_of_pdf(render_figure(figure, "pdf", dpi=DPI)) == pytest.approx(wanted_mm, abs=0.01)
    assert width_of_svg(render_figure(figure, "svg", dpi=DPI)) == pytest.approx(wanted_mm, abs=0.01)


@pytest.mark.parametrize("name", ["forest", "four panels", "severity", "variants", "claims"])
def test_no_letter_is_cut_at_the_edge_of_the_page(name: str, study: ModuleType, style: FigureStyle) -> None:
    plot, _ = FIGURES[name]
    figure = plot(study, style)
    render_figure(figure, "png", dpi=figure.dpi)
    page = figure.bbox
    for text in (*figure.texts, *(text for axes in figure.axes for text in [*axes.texts, axes.title])):
        box = text.get_window_extent()
        assert box.x0 >= page.x0 - 1, text.get_text()
        assert box.x1 <= page.x1 + 1, text.get_text()


@pytest.mark.parametrize(("n", "column"), [(1, "single"), (2, "single"), (3, "double"), (4, "double"), (9, "double")])
def test_panels_fill_one_of_two_columns(n: int, column: str, style: FigureStyle) -> None:
    figure, panels = new_panels(n, style)
    assert len(panels) == n
    width_mm = figure.get_figwidth() * MM_PER_INCH
    assert width_mm == pytest.approx({"single": style.single_column_mm, "double": style.double_column_mm}[column])


def test_pdf_files_embed_true_type_fonts_and_have_no_date(study: ModuleType, style: FigureStyle) -> None:
    plot, _ = FIGURES["one panel"]
    first, second = (render_figure(plot(study, style), "pdf", dpi=DPI) for _ in range(2))
    assert first == second
    assert b"/CreationDate" not in first
    assert b"/FontFile2" in first
    assert b"/Type3" not in first


def test_webp_pictures_fit_in_the_best_quality_that_does() -> None:
    figure = Figure(figsize=(4, 3))
    noise = np.random.default_rng(2).random((300, 400))
    figure.add_axes((0, 0, 1, 1)).imshow(noise, cmap="gray", aspect="auto", interpolation="none")
    large, small = (render_webp(figure, width_px=400, largest_bytes=limit) for limit in (60_000, 20_000))
    assert len(small) <= 20_000 < len(large) <= 60_000
    errors = []
    for content in (large, small):
        picture = Image.open(io.BytesIO(content))
        assert (picture.format, picture.size) == ("WEBP", (400, 300))
        errors.append(np.abs(np.asarray(picture.convert("L"), dtype=float) / 255 - noise).mean())
    assert errors[0] < errors[1]
    with pytest.raises(ConfigError, match=r"400 x 300 pixels has \d+ bytes .* at most 100 .* fewer pixels"):
        render_webp(figure, width_px=400, largest_bytes=100)
