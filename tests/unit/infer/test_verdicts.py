"""Verdicts follow from intervals: which side of no effect, how far from what was claimed, how near to nothing."""

import numpy as np
import pandas as pd
import pytest

from morpho.infer.claims.verdict_words import say_claim
from morpho.infer.claims.verdicts import MEANINGS, Judgement, combine_judgements, judge_row, widen_interval
from morpho.stats.effects import correlate_partially, standardise_difference

SMALLEST = 0.2


def make_row(low: float, high: float, direction: str = "negative", expected: float = np.nan, **others: object) -> dict:
    """Make a row with a symmetric normal interval."""
    row = {"effect_size": "log_odds_ratio", "estimate": (low + high) / 2, "ci_low": low, "ci_high": high}
    return {**row, "confidence": 0.95, "direction": direction, "expected": expected, **others}


def judge(low: float, high: float, direction: str = "negative", expected: float = np.nan, n: int = 1) -> str:
    return judge_row(make_row(low, high, direction, expected), n_deciding=n, smallest_effect=SMALLEST).verdict


@pytest.mark.parametrize(
    ("low", "high", "direction", "verdict"),
    [
        (-0.5, -0.1, "negative", "consistent"),
        (0.1, 0.5, "positive", "consistent"),
        (0.1, 0.5, "negative", "contrary"),
        (-0.5, -0.1, "positive", "contrary"),
        (-0.5, -0.1, "either", "consistent"),
        (0.1, 0.5, "either", "consistent"),
        (-0.5, 0.1, "negative", "inconclusive"),
        (-0.5, 0.1, "either", "inconclusive"),
        (-0.15, 0.15, "negative", "equivalent to none"),
        (-0.15, 0.15, "either", "equivalent to none"),
        (-0.15, 0.4, "negative", "contrary"),  # -0.2 is excluded, and 0.2 is not
        (-0.15, 0.4, "positive", "inconclusive"),
        (-0.15, 0.4, "either", "inconclusive"),
        (-0.15, -0.01, "negative", "consistent"),  # an effect, if a small one
    ],
)
def test_one_row(low: float, high: float, direction: str, verdict: str) -> None:
    assert judge(low, high, direction) == verdict


def test_a_claimed_size_takes_the_place_of_the_smallest_effect() -> None:
    assert judge(-0.5, 0.3, expected=-0.6) == "contrary"
    assert judge(-0.5, 0.3, expected=-0.4) == "inconclusive"
    given = judge_row(make_row(-0.5, 0.3, expected=-0.6), n_deciding=1, smallest_effect=SMALLEST)
    assert given.expected == -0.6
    assert judge_row(make_row(-0.5, 0.3), n_deciding=1, smallest_effect=SMALLEST).expected == -SMALLEST


def test_equivalence_takes_the_90_per_cent_interval() -> None:
    """[-0.22, 0.22] at 95 % is +-0.22 * 1.6449 / 1.9600 = +-0.1846 at 90 %."""
    assert judge(-0.22, 0.22) == "equivalent to none"
    assert judge(-0.24, 0.24) == "inconclusive"  # +-0.2014


def test_many_deciding_rows_need_a_wider_interval() -> None:
    """With 4 rows the interval is that of 98.75 %: z 2.4977 instead of 1.9600."""
    row = make_row(-0.45, -0.05)
    assert judge_row(row, n_deciding=1, smallest_effect=SMALLEST).verdict == "consistent"
    wide = judge_row(row, n_deciding=4, smallest_effect=SMALLEST)
    assert wide.verdict == "inconclusive"
    assert (wide.ci_low, wide.ci_high) == pytest.approx(
        (-0.25 - 0.2 * 2.497705 / 1.959964, -0.25 + 0.2 * 2.497705 / 1.959964), abs=1e-6
    )


def test_an_area_under_the_curve_is_compared_with_a_half() -> None:
    row = make_row(0.55, 0.65, "positive", effect_size="auc")
    assert judge_row(row, n_deciding=1, smallest_effect=0.056).verdict == "consistent"
    worse = make_row(0.38, 0.49, "positive", effect_size="auc")
    found = judge_row(worse, n_deciding=1, smallest_effect=0.056)
    assert (found.verdict, found.is_opposite) == ("contrary", True)
    none = judge_row(make_row(0.48, 0.52, "positive", effect_size="auc"), n_deciding=1, smallest_effect=0.056)
    assert (none.verdict, none.expected) == ("equivalent to none", pytest.approx(0.556))


def test_widening_is_exact_for_g_and_partial_r() -> None:
    t, df, variance = -2.3, 45, 0.08
    g = standardise_difference(t, df, variance, 0.99)
    row = make_row(-1.2, -0.1, effect_size="g", t=t, df=df, unit_variance=variance)
    assert widen_interval(row, 0.99) == pytest.approx((g.g_ci_low, g.g_ci_high), rel=1e-10)
    r = correlate_partially(t, df, 0.99)
    row = make_row(-0.6, -0.1, effect_size="partial_r", t=t, df=df)
    assert widen_interval(row, 0.99) == pytest.approx((r.ci_low, r.ci_high), rel=1e-10)


def test_widening_keeps_the_halves_of_a_lopsided_interval_apart() -> None:
    row = make_row(0.0, 1.0) | {"estimate": 0.2}
    low, high = widen_interval(row, 0.99)
    assert (0.2 - low, high - 0.2) == pytest.approx((0.2 * 2.575829 / 1.959964, 0.8 * 2.575829 / 1.959964), rel=1e-6)
    assert widen_interval(row, 0.95) == pytest.approx((0.0, 1.0))


def test_g_without_its_t_is_stretched() -> None:
    """As pooled over sites, where there is no t of one model."""
    row = make_row(-0.4, 0.0, effect_size="g", t=np.nan, df=2.0, unit_variance=np.nan)
    assert widen_interval(row, 0.95) == pytest.approx((-0.4, 0.0))


OPPOSED = Judgement("contrary", 0.1, 0.5, -0.2, is_opposite=True)
SHORT = Judgement("contrary", -0.1, 0.4, -0.2, is_opposite=False)
FOUND = Judgement("consistent", -0.5, -0.1, -0.2, is_opposite=False)
OPEN = Judgement("inconclusive", -0.5, 0.5, -0.2, is_opposite=False)
NONE = Judgement("equivalent to none", -0.1, 0.1, -0.2, is_opposite=False)


@pytest.mark.parametrize(
    ("rows", "verdict"),
    [
        ([], "not estimable"),
        ([FOUND], "consistent"),
        ([FOUND, OPEN, SHORT, NONE], "consistent"),
        ([FOUND, OPPOSED], "inconclusive"),
        ([OPEN, OPPOSED], "contrary"),
        ([NONE, OPPOSED], "contrary"),
        ([NONE, NONE], "equivalent to none"),
        ([NONE, SHORT], "contrary"),
        ([SHORT, SHORT], "contrary"),
        ([OPEN, SHORT], "inconclusive"),
        ([OPEN, NONE], "inconclusive"),
    ],
)
def test_a_claim_from_its_rows(rows: list[Judgement], verdict: str) -> None:
    assert combine_judgements(rows) == verdict


@pytest.mark.parametrize("direction", ["negative", "positive", "either"])
def test_turning_everything_round_turns_the_verdict_round(direction: str) -> None:
    opposite = {"negative": "positive", "positive": "negative", "either": "either"}[direction]
    rng = np.random.default_rng(4)
    for middle, half in zip(rng.normal(0, 0.3, 200), rng.uniform(0.05, 0.5, 200), strict=True):
        assert judge(middle - half, middle + half, direction) == judge(-middle - half, -middle + half, opposite)


def test_the_sentence_says_verdict_numbers_and_who_was_refused() -> None:
    deciding = pd.DataFrame(
        [
            make_row(-0.5, -0.1, expected=-0.14)
            | {"roi": "hippocampus", "hemisphere": "mean", "effect_size": "g", "n": 40, "contrast": "patient - control",
               "simultaneous_ci_low": -0.55, "simultaneous_ci_high": -0.05, "smallest_effect": 0.2}
        ]
    )  # fmt: skip
    refused = pd.DataFrame(
        [{"roi": "subgenual_cingulate", "status": "refused", "reason": "no column", "decides": True}]
    )
    rows = pd.concat([deciding.assign(status="fitted", decides=True), refused], ignore_index=True)
    sentence = say_claim("consistent", rows, deciding)
    assert sentence == (
        f"Consistent: {MEANINGS['consistent']}. hippocampus g -0.30 [-0.55, -0.05], claimed -0.14, n = 40 "
        "(patient - control). Not estimable in subgenual cingulate."
    )
    assert say_claim("not estimable", refused, deciding.head(0)) == "Not estimable: no column."
