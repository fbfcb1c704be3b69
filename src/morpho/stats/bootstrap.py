"""Intervals by drawing people anew within sites and classes, and areas under the curve that are quick to draw.

Takes classes, blocks and scores as arrays and knows no tables. Classes are 0 and 1 (or false and true).
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from morpho.errors import DesignError
from morpho.stats.effects import Interval

Array = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]


def bootstrap_within(
    statistic: Callable[[Rows], float],
    blocks: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    draws: int,
    confidence: float,
    rng: np.random.Generator,
) -> Interval:
    """Find the percentile interval of a statistic by drawing people anew within each block and class.

    Parameters
    ----------
    statistic
        Takes row numbers, shape (people,), some repeated, and gives one number.
    blocks : shape (people,)
        Block of each person, for example the site.
    y : shape (people,)
        Class of each person. Each block keeps its number of people of each class.
    draws
        How many times people are drawn.
    confidence
        Coverage of the interval, between 0 and 1.
    rng
        Source of random numbers.

    Returns
    -------
    The statistic of all people, the standard deviation of the draws as `se`, and their percentiles.

    Raises
    ------
    DesignError
        If the statistic does not exist for some draw.

    Notes
    -----
    Source: Efron B, Tibshirani RJ, An introduction to the bootstrap, Chapman & Hall 1993. ASSUME: people are
    independent within blocks. Blocks and the trained model are held fixed, so the interval says nothing about other
    sites and leaves out what another training set would change; it is too narrow for that.
    """
    estimates = draw_within([statistic], blocks, y, draws=draws, rng=rng)[:, 0]
    return summarise_draws(float(statistic(np.arange(len(np.asarray(y))))), estimates, confidence)


def draw_within(
    statistics: Sequence[Callable[[Rows], float]],
    blocks: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    draws: int,
    rng: np.random.Generator,
) -> Array:
    """Draw people anew within each block and class, and compute several statistics of the same draws.

    Parameters
    ----------
    statistics
        As for `bootstrap_within`.
    blocks, y, draws, rng
        As for `bootstrap_within`.

    Returns
    -------
    Statistics, shape (draws, statistics).
    """
    _, numbers = np.unique(np.asarray(blocks), return_inverse=True)
    _, classes = np.unique(np.asarray(y), return_inverse=True)
    kinds = numbers * (classes.max() + 1) + classes
    strata = [np.flatnonzero(kinds == kind) for kind in np.unique(kinds)]
    estimates = np.empty((draws, len(statistics)))
    for draw in range(draws):
        rows = np.concatenate([rng.choice(stratum, len(stratum)) for stratum in strata])
        estimates[draw] = [statistic(rows) for statistic in statistics]
    return estimates


def summarise_draws(value: float, estimates: Array, confidence: float) -> Interval:
    """Put a statistic of all people and its draws, shape (draws,), into an interval; see `bootstrap_within`.

    Raises
    ------
    DesignError
        If the statistic does not exist for some draw, or there are fewer than two draws.
    """
    n_missing, draws = int((~np.isfinite(estimates)).sum()), len(estimates)
    if n_missing or draws < 2:
        msg = (
            f"The statistic has no value in {n_missing} of {draws} bootstrap draws; two or more draws, each with a "
            "value, are needed. Leave out blocks with few people."
        )
        raise DesignError(msg)
    low, high = np.quantile(estimates, [0.5 - confidence / 2, 0.5 + confidence / 2])
    return Interval(value, float(estimates.std(ddof=1)), float(low), float(high))


class BlockAreas:
    """Area under the curve inside blocks, averaged over them, of draws that keep each block's people of each class.

    Everyone's score is ranked once, so that a draw costs counting instead of sorting. The weight of a block is
    n1 n0 / (n1 + n0), the effective size of a comparison of two groups; ties count one half.

    Parameters
    ----------
    y : shape (people,)
        Class of each person, 0 or 1.
    blocks : shape (people,)
        Block of each person, for example the site; None for the area of everybody together.
    score : shape (people,)
        Score of each person, not missing.

    Notes
    -----
    Counts and their products are whole or half numbers, which floating point holds exactly: the area is that of
    `scipy.stats.rankdata` to the last digit.

    Examples
    --------
    Of the 2 x 2 pairs of a positive and a negative, the positive scores higher in 3: 3 / 4.

    >>> BlockAreas([0, 1, 0, 1], None, [0.1, 0.3, 0.4, 0.9])(np.arange(4))
    0.75
    """

    def __init__(self, y: npt.ArrayLike, blocks: npt.ArrayLike | None, score: npt.ArrayLike) -> None:
        self._is_case, self._is_divided = np.asarray(y) == 1, blocks is not None
        labels = np.zeros(len(self._is_case)) if blocks is None else np.asarray(blocks)
        block = np.unique(labels, return_inverse=True)[1]
        values = np.unique(np.asarray(score, dtype=np.float64), return_inverse=True)[1]
        places, self._place = np.unique(block * (values.max() + 1) + values, return_inverse=True)
        of_block = places // (values.max() + 1)
        self._starts = np.flatnonzero(np.diff(of_block, prepend=-1))
        self._sizes = _count_classes(self._is_case, block)
        n_others = self._sizes[1]
        self._before = (np.cumsum(n_others) - n_others)[of_block]

    def __call__(self, rows: Rows) -> float:
        """Average the areas of some people, rows repeating; NaN if no block has both classes."""
        place, is_case, n = self._place[rows], self._is_case[rows], len(self._before)
        cases = np.bincount(place[is_case], minlength=n)
        others = np.bincount(place[~is_case], minlength=n)
        below = np.cumsum(others) - others / 2 - self._before
        won = np.add.reduceat(cases * below, self._starts)
        areas = won / np.where(pairs := self._sizes[0] * self._sizes[1], pairs, np.nan)
        return _average(areas, *self._sizes) if self._is_divided else float(areas[0])


class BlockRates:
    """Balanced accuracy inside blocks, averaged over them as `BlockAreas` does, of draws that keep their people.

    Parameters
    ----------
    y, blocks
        As for `BlockAreas`.
    is_called : shape (people,)
        Whether each person is called a case.
    """

    def __init__(self, y: npt.ArrayLike, blocks: npt.ArrayLike, is_called: npt.ArrayLike) -> None:
        is_case, self._block = np.asarray(y) == 1, np.unique(np.asarray(blocks), return_inverse=True)[1]
        called = np.asarray(is_called, dtype=bool)
        self._is_case, self._is_right = is_case, called == is_case
        self._sizes = _count_classes(is_case, self._block)

    def __call__(self, rows: Rows) -> float:
        """Average the rates of some people, rows repeating; NaN if no block has both classes."""
        block, is_case, is_right = self._block[rows], self._is_case[rows], self._is_right[rows]
        rates = [
            np.bincount(block[is_right & inside], minlength=len(sizes)) / np.maximum(sizes, 1)
            for inside, sizes in zip((is_case, ~is_case), self._sizes, strict=True)
        ]
        return _average((rates[0] + rates[1]) / 2, *self._sizes)


def _count_classes(is_case: npt.NDArray[np.bool_], block: Rows) -> tuple[Array, Array]:
    """Count cases and others in each block."""
    n_cases = np.bincount(block[is_case], minlength=block.max() + 1).astype(np.float64)
    return n_cases, np.bincount(block).astype(np.float64) - n_cases


def _average(values: Array, n_cases: Array, n_others: Array) -> float:
    """Average over the blocks with both classes; NaN if there is none."""
    total, weights = 0.0, 0.0
    for value, n1, n0 in zip(values.tolist(), n_cases.tolist(), n_others.tolist(), strict=True):
        if n1 * n0:
            weight = n1 * n0 / (n1 + n0)
            total, weights = total + weight * value, weights + weight
    return total / weights if weights else float("nan")
