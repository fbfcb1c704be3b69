"""The way from scans found to people analysed, as a diagram for the paper: boxes, arrows, and who was lost and why.

Takes the flow in words (`morpho.present.flow_views`), gives a matplotlib figure. Captions:
`morpho.present.cohort_captions`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from morpho.present.flow_views import Flow, FlowStep, Loss
from morpho.present.lettering import wrap_text
from morpho.present.panels import plot_nothing
from morpho.present.style import MM_PER_INCH, FigureStyle
from morpho.present.wording import TIE
from morpho.tables import describe_column

LINE_MM, PAD_MM, GAP_MM, MARGIN_MM = 3.7, 1.8, 6.0, 1.0
MAIN_SHARE, SIDE_SHARE = 0.52, 0.42  # of the width, for the boxes of what is left and of what was lost
LINE_COLOUR, SIDE_FILL = "#444444", "#F2F2F2"
ARROW_LINE: dict[str, Any] = {"color": LINE_COLOUR, "linewidth": 0.7, "solid_capstyle": "butt"}

FLOW_DIAGRAM = {
    "row": describe_column("Row of the diagram, from the top"),
    "part": describe_column(
        "What the box counts", levels={"left": "scans or people left", "lost": "lost on the way to this row"}
    ),
    "count": describe_column("Scans (or, in the last row, people in the models); a range where models differ"),
    "words": describe_column("What is counted, or why it was lost"),
    "people": describe_column("Participants of these scans"),
}


@dataclass(frozen=True)
class _Page:
    """Width of the figure, of the boxes of what is left, and of those of what was lost (mm)."""

    width: float
    main: float
    side: float


@dataclass(frozen=True)
class _Box:
    """A box in a row: left edge and width (mm), and its lines of text."""

    left: float
    width: float
    lines: tuple[str, ...]

    @property
    def height(self) -> float:
        """Height that the lines need with the padding around them."""
        return len(self.lines) * LINE_MM + 2 * PAD_MM

    @property
    def middle(self) -> float:
        """Where arrows enter and leave."""
        return self.left + self.width / 2


@dataclass(frozen=True)
class _Row:
    """Boxes side by side, below the boxes of the row above if there are as many, and the box of those lost."""

    boxes: tuple[_Box | None, ...]
    losses: _Box | None

    @property
    def height(self) -> float:
        """Height of all boxes of the row."""
        return max(box.height for box in self.boxes if box)

    @property
    def gap(self) -> float:
        """Room above the row, which holds the box of those lost."""
        return GAP_MM if self.losses is None else max(GAP_MM, self.losses.height + PAD_MM)


def plot_flow(flow: Flow, *, style: FigureStyle) -> Figure:
    """Plot the flow of a cohort: what is left from top to bottom, what was lost at the side, groups at the end.

    Parameters
    ----------
    flow
        From `morpho.present.flow_views.view_flow`.
    style
        Look of the figure.

    Returns
    -------
    Figure across the page; one column wide if nobody was lost.
    """
    page = _choose_page(flow, style)
    rows = _arrange(flow, page, style)
    if not rows:
        return plot_nothing("There are no scans to count.", style)
    height_mm = 2 * MARGIN_MM + sum(row.gap + row.height for row in rows) - rows[0].gap
    with rc_context(style.rc_params()):
        size = (page.width / MM_PER_INCH, height_mm / MM_PER_INCH)
        figure = Figure(figsize=size, facecolor="white")
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_xlim(0, page.width)
        axes.set_ylim(height_mm, 0)
        axes.set_axis_off()
        bottom = MARGIN_MM - rows[0].gap
        for number, row in enumerate(rows):
            top = bottom + row.gap
            if number:
                _draw_arrows(axes, rows[number - 1], row, (bottom, top))
            _draw_losses(axes, row, (bottom + top) / 2, style)
            for box in filter(None, row.boxes):
                _draw_box(axes, box, (top, row.height), style)
            bottom = top + row.height
    return figure


def _choose_page(flow: Flow, style: FigureStyle) -> _Page:
    """Widths of the page and of its two columns of boxes."""
    if any(step.losses for step in flow.steps) or (flow.analysed and flow.not_analysed):
        width = float(style.double_column_mm)
        return _Page(width, MAIN_SHARE * width - MARGIN_MM, SIDE_SHARE * width)
    return _Page(float(style.single_column_mm), style.single_column_mm - 2 * MARGIN_MM, 0.0)


def _arrange(flow: Flow, page: _Page, style: FigureStyle) -> list[_Row]:
    """Rows of the diagram that have boxes; people in the models stand below their group."""
    rows = [_Row(_place_boxes([step], page, style), _place_losses(step.losses, page, style)) for step in flow.steps]
    if flow.groups:
        rows.append(_Row(_place_boxes(flow.groups, page, style), None))
    if flow.analysed:
        below = [
            next((step for step in flow.analysed if group.words == f"in group {step.words.partition(':')[0]}"), None)
            for group in flow.groups
        ]
        known = len([step for step in below if step]) == len(flow.analysed)
        boxes = _place_boxes(below if known else flow.analysed, page, style)
        rows.append(_Row(boxes, _place_losses(flow.not_analysed, page, style)))
    return rows


def _place_boxes(steps: Sequence[FlowStep | None], page: _Page, style: FigureStyle) -> tuple[_Box | None, ...]:
    """Boxes side by side in the main column."""
    each = (page.main - (len(steps) - 1) * PAD_MM) / len(steps)
    # A space that does not break keeps "(25 participants)" on one line.
    texts = ["" if step is None else " ".join(filter(None, _say_box(step))) for step in steps]
    return tuple(
        _Box(
            MARGIN_MM + place * (each + PAD_MM), each, wrap_text(text, each - 2 * PAD_MM, style.font_size_pt)
        ) if text else None
        for place, text in enumerate(texts)
    )  # fmt: skip


def _say_box(step: FlowStep) -> tuple[str, str, str]:
    """Count, what it counts, and the people in brackets."""
    return step.count, step.words, f"({step.people})".replace(" ", TIE) if step.people else ""


def _place_losses(losses: Sequence[Loss], page: _Page, style: FigureStyle) -> _Box | None:
    """Box of those lost before a row: how many in all, if that is known, then each reason."""
    if not losses:
        return None
    counts = [loss.count for loss in losses]
    total = f": {sum(map(int, counts))}" if all(count.isdigit() for count in counts) else ""
    said = [wrap_text(f"{x.count}:{TIE}{x.reason}", page.side - 2 * PAD_MM, style.font_size_pt - 1) for x in losses]
    lines = (f"left out{total}", *(line for lines in said for line in lines))
    return _Box(page.width - MARGIN_MM - page.side, page.side, lines)


def _draw_box(axes: Axes, box: _Box, place: tuple[float, float], style: FigureStyle, *, side: bool = False) -> None:
    """Draw a box at a place (top, height); those at the side have a heading and smaller lines from the left."""
    top, height = place
    fill = SIDE_FILL if side else "white"
    axes.add_patch(
        FancyBboxPatch(
            (box.left, top), box.width, height, boxstyle="round,pad=0,rounding_size=0.8", facecolor=fill,
            edgecolor=LINE_COLOUR, linewidth=0.6, zorder=2,
        )
    )  # fmt: skip
    first = top + (height - (len(box.lines) - 1) * LINE_MM) / 2
    look: dict[str, Any] = {"va": "center", "zorder": 3, "fontsize": style.font_size_pt - side}
    x = box.left + PAD_MM if side else box.middle
    for number, line in enumerate(box.lines):
        weight = "bold" if side and not number else "normal"
        align = "left" if side else "center"
        axes.text(x, first + number * LINE_MM, line, ha=align, fontweight=weight, **look)


def _draw_losses(axes: Axes, row: _Row, middle: float, style: FigureStyle) -> None:
    """Draw the box of those lost at a height of the page, with an arrow to it from the last arrow of the row."""
    if row.losses is None:
        return
    place = (middle - row.losses.height / 2, row.losses.height)
    _draw_box(axes, row.losses, place, style, side=True)
    start = max(box.middle for box in row.boxes if box)
    _draw_arrow(axes, (start, middle), (row.losses.left, middle))


def _draw_arrows(axes: Axes, above: _Row, row: _Row, heights: tuple[float, float]) -> None:
    """Draw arrows from the row above: straight ones if there are as many boxes, else over a common line."""
    bottom, top = heights
    pairs = list(zip(above.boxes, row.boxes, strict=False))
    if len(above.boxes) == len(row.boxes):
        for upper, lower in pairs:
            if upper and lower:
                _draw_arrow(axes, (upper.middle, bottom), (lower.middle, top))
        return
    bar = top - GAP_MM / 2
    middles = [box.middle for box in (*above.boxes, *row.boxes) if box]
    axes.plot([min(middles), max(middles)], [bar, bar], **ARROW_LINE)
    for box in filter(None, above.boxes):
        axes.plot([box.middle, box.middle], [bottom, bar], **ARROW_LINE)
    for box in filter(None, row.boxes):
        _draw_arrow(axes, (box.middle, bar), (box.middle, top))


def _draw_arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Draw one arrow."""
    look = {"arrowstyle": "-|>,head_width=0.15,head_length=0.3", "shrinkA": 0, "shrinkB": 0, "color": LINE_COLOUR}
    axes.annotate("", end, start, arrowprops={**look, "linewidth": 0.7})


def tabulate_flow(flow: Flow) -> pd.DataFrame:
    """Write what `plot_flow` draws as a table.

    Parameters
    ----------
    flow
        As for `plot_flow`.

    Returns
    -------
    Columns of `FLOW_DIAGRAM`, one row per box and per reason of those lost.
    """
    levels = [*((step.losses, (step,)) for step in flow.steps), ((), flow.groups), (flow.not_analysed, flow.analysed)]
    rows: list[tuple[int, str, str, str, str]] = []
    for number, (losses, steps) in enumerate(levels, start=1):
        rows += [(number, "lost", loss.count, loss.reason, "") for loss in losses]
        rows += [(number, "left", step.count, step.words, step.people) for step in steps]
    return pd.DataFrame(rows, columns=list(FLOW_DIAGRAM))
