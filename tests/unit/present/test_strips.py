"""Places on a strip: from the smallest to the largest of the cohort, the scan itself included."""

import numpy as np
import pandas as pd

from morpho.present.strips import measure_spread, place_on_strip


def test_places_are_linear_between_the_edges() -> None:
    spread = measure_spread(pd.Series([*np.linspace(0, 100, 101), np.nan]))
    assert spread is not None
    assert (spread.smallest, spread.low, spread.median, spread.high, spread.largest) == (0, 5, 50, 95, 100)
    strip = place_on_strip(100, spread)
    assert strip is not None
    assert (strip.start, strip.end, strip.median, strip.value) == (8, 92, 50, 97)


def test_a_scan_beyond_the_others_stretches_the_strip() -> None:
    spread = measure_spread(pd.Series([0.0, 1.0]))
    strip = place_on_strip(-1.0, spread)
    assert strip is not None
    assert strip.value == 3
    assert strip.median == 74  # 3 + 94 * 0.75 = 73.5


def test_where_there_is_nothing_to_place_there_is_no_strip() -> None:
    assert measure_spread(pd.Series([np.nan])) is None
    same = measure_spread(pd.Series([2.0, 2.0]))
    assert place_on_strip(2.0, same) is None
    assert place_on_strip(np.nan, same) is None
    assert place_on_strip(1.0, None) is None
