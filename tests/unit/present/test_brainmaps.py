"""Maps of effects: they are painted where they belong."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from morpho.errors import ConfigError
from morpho.present.brainmaps import paint_effects, plot_effects_on_brain
from morpho.present.style import FigureStyle


def test_effects_are_painted_into_the_voxels_of_their_side(study: ModuleType, effects: pd.DataFrame) -> None:
    head = study.make_head()
    effects["roi"] = effects["roi"].replace("dlpfc", "prefrontal_cortex")
    painted = np.asarray(paint_effects(effects, head["regions"], study.make_roi_labels()).dataobj)
    labels = np.asarray(head["regions"].dataobj)
    for row in study.make_roi_labels().to_dict("records"):
        wanted = effects[(effects["roi"] == row["roi"]) & (effects["hemisphere"] == row["hemisphere"])]["g"].iloc[0]
        np.testing.assert_allclose(painted[labels == row["label_indices"][0]], wanted, rtol=1e-6)
    assert not painted[labels == 0].any()


def test_refused_and_bilateral_effects_stay_uncoloured_and_zero_does_not(
    study: ModuleType, effects: pd.DataFrame
) -> None:
    head = study.make_head()
    bilateral = effects[effects["family"] == "primary"]
    assert not np.asarray(paint_effects(bilateral, head["regions"], study.make_roi_labels()).dataobj).any()
    sided = effects.assign(g=0.0)
    painted = np.asarray(paint_effects(sided, head["regions"], study.make_roi_labels()).dataobj)
    assert (painted[np.asarray(head["regions"].dataobj) == 1] > 0).all()
    refused = sided.assign(status="refused")
    assert not np.asarray(paint_effects(refused, head["regions"], study.make_roi_labels()).dataobj).any()


def test_effects_on_the_brain_have_a_symmetric_colour_bar_and_leave_no_figure_open(
    study: ModuleType, effects: pd.DataFrame, style: FigureStyle
) -> None:
    head = study.make_head()
    figure = plot_effects_on_brain(effects, head["regions"], study.make_roi_labels(), head["t1w"], style=style)
    bars = [axes for axes in figure.axes if axes.get_xlabel().startswith("Hedges' g")]
    assert len(bars) == 1
    low, high = bars[0].get_xlim()
    assert low == -high
    assert high == pytest.approx(
        abs(effects.loc[(effects["roi"] == "hippocampus") & (effects["hemisphere"] == "L"), "g"].iloc[0])
    )
    assert plt.get_fignums() == []


def test_an_unknown_colour_map_is_refused(study: ModuleType, style: FigureStyle) -> None:
    style = type(style)(**{**style.__dict__, "effect_colour_map": "rainbowfish"})
    head = study.make_head()
    with pytest.raises(ConfigError, match="rainbowfish"):
        plot_effects_on_brain(study.make_effects(), head["regions"], study.make_roi_labels(), head["t1w"], style=style)
