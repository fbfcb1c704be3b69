"""The picture of all verdicts: signs, words, and what was not tested."""

from types import ModuleType

import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from morpho.present.captions import caption_claims
from morpho.present.claim_figure import SIGNS, plot_claims
from morpho.present.rendering import render_figure
from morpho.present.style import FigureStyle
from morpho.present.verdicts import group_verdicts, say_needs


@pytest.fixture
def figure(study: ModuleType, style: FigureStyle) -> Figure:
    return plot_claims(study.make_claims(), style=style)


def heights(figure: Figure) -> dict[str, float]:
    """Read where each text stands, from the top."""
    return {text.get_text(): text.get_position()[1] for text in figure.axes[0].texts}


def test_each_tested_claim_has_its_sign_and_its_word_in_the_order_of_the_file(figure: Figure) -> None:
    places = heights(figure)
    ids = [f"C{number:02d}" for number in range(1, 9)]
    assert sorted(ids, key=places.__getitem__) == ids
    for claim_id, verdict in zip(ids, SIGNS, strict=False):
        assert places[verdict] == places[claim_id]
        assert places[SIGNS[verdict][0]] == places[claim_id]
    discs = [patch.center[1] for patch in figure.axes[0].patches if isinstance(patch, Circle)]
    assert discs == pytest.approx([places[claim_id] for claim_id in ids[:6]])


def test_signs_and_words_tell_verdicts_apart_without_colour() -> None:
    signs = [sign for sign, *_ in SIGNS.values()]
    assert len(set(signs)) == len(SIGNS)


def test_claims_not_tested_are_grey_and_say_what_they_need(figure: Figure) -> None:
    texts = {text.get_text(): text for text in figure.axes[0].texts}
    needing = texts["Claim 7. Needs relapse and a second session."]
    assert needing.get_color() == "#777777"
    assert "Claim 8. Out of reach of T1w scans." in texts
    assert texts["Claim 1."].get_color() == "#000000"
    assert {"tested in this sample (6)", "not tested (2)"} <= set(texts)


def test_text_stays_inside_the_figure(study: ModuleType, style: FigureStyle) -> None:
    long = study.make_claims().assign(claim="Women may remember more symptoms whenever summer warms. " * 4)
    figure = plot_claims(long, style=style)
    render_figure(figure, "png", dpi=figure.dpi)
    right = max(text.get_window_extent().x1 for text in figure.axes[0].texts)
    assert right <= figure.bbox.x1
    bottom = min(text.get_window_extent().y0 for text in figure.axes[0].texts)
    assert bottom >= 0


def test_only_untested_claims_or_none_at_all_are_figures_too(study: ModuleType, style: FigureStyle) -> None:
    untested = study.make_claims().iloc[6:]
    assert "not tested (2)" in heights(plot_claims(untested, style=style))
    assert group_verdicts(untested) == {}
    caption = caption_claims(untested, meanings=study.MEANINGS)
    assert caption.startswith("Verdict of this sample on 0 of 2 claims")
    assert "Intervals" not in caption
    none = plot_claims(untested.iloc[:0], style=style)
    assert "no claims" in none.texts[0].get_text()
    assert caption_claims(untested.iloc[:0], meanings=study.MEANINGS) == ""


def test_caption_explains_the_verdicts_that_are_shown(study: ModuleType) -> None:
    claims = study.make_claims()
    caption = caption_claims(claims.iloc[[0, 2, 5]], meanings=study.MEANINGS)
    assert "consistent: in the direction of the claim; inconclusive: this sample cannot tell; described only" in caption
    assert "contrary" not in caption
    assert say_needs(claims.iloc[6].to_dict()) == "Needs relapse and a second session."
