"""The flow diagram: boxes from top to bottom, who was lost between them, and groups at the end."""

from __future__ import annotations

import pytest
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from morpho.present.cohort_captions import caption_flow
from morpho.present.flow_figure import plot_flow, tabulate_flow
from morpho.present.flow_views import Flow, FlowStep, Loss
from morpho.present.rendering import render_figure
from morpho.present.style import FigureStyle

STEPS = (
    FlowStep("62", "T1w scans found", "61 participants"),
    FlowStep("61", "chosen, at most one per session", "61 participants", (Loss("1", "run-1 comes first"),)),
    FlowStep(
        "57", "measured", "57 participants",
        (Loss("3", "the image holds no signal " * 8), Loss("1", "the field of view cuts the brain")),
    ),
)  # fmt: skip
GROUPS = (FlowStep("24", "in group control", "24 participants"), FlowStep("33", "in group patient", "33 participants"))
ANALYSED = (FlowStep("33", "patient: in the group models", ""), FlowStep("23", "control: in the group models", ""))
FLOW = Flow(STEPS, GROUPS, ANALYSED, (Loss("1", "no value for age_years"),))


def boxes(figure: Figure) -> list[tuple[float, float, float, float]]:
    """Read left, top, right and bottom of every box, mm."""
    found = [patch for patch in figure.axes[0].patches if isinstance(patch, FancyBboxPatch)]
    return [(b.get_x(), b.get_y(), b.get_x() + b.get_width(), b.get_y() + b.get_height()) for b in found]


def texts(figure: Figure) -> dict[str, tuple[float, float]]:
    return {text.get_text(): text.get_position() for text in figure.axes[0].texts if text.get_text()}


@pytest.fixture
def figure(style: FigureStyle) -> Figure:
    return plot_flow(FLOW, style=style)


def test_steps_follow_from_top_to_bottom_and_losses_lie_between(figure: Figure) -> None:
    places = texts(figure)
    order = [
        "62 T1w scans found (61\N{NO-BREAK SPACE}participants)",
        "1:\N{NO-BREAK SPACE}run-1 comes first",
        "61 chosen, at most one per session (61\N{NO-BREAK SPACE}participants)",
        "left out: 4",
        "57 measured (57\N{NO-BREAK SPACE}participants)",
    ]
    heights = [places[text][1] for text in order]
    assert heights == sorted(heights)
    assert places["left out: 4"][0] > places[order[0]][0]


def test_boxes_do_not_overlap_and_stay_on_the_page_with_their_text(figure: Figure, style: FigureStyle) -> None:
    placed = boxes(figure)
    assert len(placed) == 3 + 2 + 2 + 3
    for number, (left, top, right, bottom) in enumerate(placed):
        assert 0 <= left < right <= style.double_column_mm
        assert 0 <= top < bottom <= figure.axes[0].get_ylim()[0]
        for other_left, other_top, other_right, other_bottom in placed[number + 1 :]:
            apart = right <= other_left or other_right <= left or bottom <= other_top or other_bottom <= top
            assert apart
    render_figure(figure, "png", dpi=figure.dpi)
    to_mm = figure.axes[0].transData.inverted()
    for text in figure.axes[0].texts:
        if not text.get_text():
            continue
        box = text.get_window_extent().transformed(to_mm)
        assert any(
            left <= box.xmin
            and box.xmax <= right
            and top <= min(box.ymin, box.ymax)
            and max(box.ymin, box.ymax) <= bottom
            for left, top, right, bottom in placed
        ), text.get_text()


def test_people_in_the_models_stand_below_their_group(figure: Figure) -> None:
    places = texts(figure)
    for group in ("control", "patient"):
        above = next(x for text, (x, _) in places.items() if f"in group {group}" in text)
        below = next(x for text, (x, _) in places.items() if f"{group}: in" in text)
        assert above == below


def test_a_flow_that_lost_nobody_fills_one_column(figure: Figure, style: FigureStyle) -> None:
    bare = plot_flow(Flow(STEPS[:1], GROUPS, ANALYSED, ()), style=style)
    assert figure.get_figwidth() * 25.4 == pytest.approx(style.double_column_mm)
    assert bare.get_figwidth() * 25.4 == pytest.approx(style.single_column_mm)
    assert max(right for _, _, right, _ in boxes(bare)) <= style.single_column_mm


def test_counts_that_are_not_told_are_not_added(style: FigureStyle) -> None:
    step = FlowStep("57", "measured", "", (Loss("few", "a"), Loss("12", "b")))
    assert "left out" in texts(plot_flow(Flow((STEPS[0], step), (), (), ()), style=style))


def test_a_flow_without_groups_or_without_anything_is_drawn(style: FigureStyle) -> None:
    assert len(boxes(plot_flow(Flow(STEPS[:1], (), (), ()), style=style))) == 1
    assert len(boxes(plot_flow(Flow(STEPS[:1], (), ANALYSED, ()), style=style))) == 3
    nothing = plot_flow(Flow((), (), (), ()), style=style)
    assert "no scans to count" in nothing.texts[0].get_text()
    assert caption_flow(Flow((), (), (), ())).startswith("Flow of the cohort")


def test_the_table_beside_has_every_box_and_reason() -> None:
    table = tabulate_flow(FLOW)
    assert (table["part"] == "left").sum() == 3 + 2 + 2
    assert table.loc[table["part"] == "lost", "count"].tolist() == ["1", "3", "1", "1"]
    assert table.loc[table["words"] == "measured", "row"].tolist() == [3]


def test_caption_names_the_first_and_the_last_count() -> None:
    assert "n = 62 T1w scans found, 57 measured." in caption_flow(FLOW)
    assert "people in the group models" in caption_flow(FLOW)
    assert "models" not in caption_flow(Flow(STEPS, (), (), ()))
