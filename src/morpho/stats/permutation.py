"""Permutation tests of linear models: Freedman and Lane's residuals, the maximum over outcomes, exchangeable blocks.

Random orders are products of two short lists. With lists s and t of random orders, both beginning with the identity,
one large matrix product gives the statistics of all orders t[b] s[a]^-1: the design permuted by s, times the outcomes
permuted by t. Each product is uniform and any two are independent, so p values have the usual Monte Carlo error; since
any of them could as well have been the identity, they are valid (Besag J, Clifford P, Biometrika 1989;76:633-642).
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from morpho.errors import DesignError
from morpho.stats.linear import RELATIVE_RANK, RELATIVE_ZERO, FloatArray, fit_linear, measure_columns, partition_design

TIE = 1e-10  # statistics count as equal if they differ by less, relatively
ZERO = 1e-18  # share of variance that counts as none
FIXED = 1e-11  # share of the squared length of a direction within blocks, below which no permutation moves it
DESIGN_BYTES, OUTCOME_BYTES = 2**27, 2**25  # size of permuted designs, and of permuted outcomes or products

IntArray = npt.NDArray[np.intp]


@dataclass(frozen=True)
class PlannedTest:
    """A design, shape (n, p), and the contrasts, shape (q, p) or (p,), that are all 0 under the hypothesis."""

    X: npt.ArrayLike
    contrasts: npt.ArrayLike


@dataclass(frozen=True)
class PermutationTest:
    """Permutation p values of m outcomes, shape (m,); NaN for an outcome that cannot be tested.

    `statistic` is the absolute t of one contrast, or F of several. `n_permutations` leaves out the identity, which the
    p values count; if `exhaustive`, these are all distinct permutations.
    """

    p_uncorrected: FloatArray
    p_familywise: FloatArray
    statistic: FloatArray
    n_permutations: int
    exhaustive: bool


@dataclass(frozen=True)
class _Model:
    """A test in the people who have the same outcomes.

    `tested` (n, q) and `moved` (n, k): orthonormal directions of the design, tested ones and those of the nuisance that
    permutations move. `residuals` (n, c) of the nuisance model, at length 1; `lengths` (c,) before that, `left` (c,)
    after taking out the tested directions. `columns` (c,) of these people's outcomes, `outcomes` (c,) of all.
    """

    tested: FloatArray
    moved: FloatArray
    residuals: FloatArray
    lengths: FloatArray
    left: FloatArray
    columns: IntArray
    outcomes: IntArray
    df: int


@dataclass(frozen=True)
class _Tally:
    """Counts of a test, filled in place; `limits` (m,) and `largest` (a, b) are shares as in `_share`."""

    statistic: FloatArray
    limits: FloatArray
    exceeding: FloatArray
    largest: FloatArray
    df: int


def permute_freedman_lane(
    Y: npt.ArrayLike,
    X: npt.ArrayLike,
    contrasts: npt.ArrayLike,
    *,
    blocks: npt.ArrayLike | None = None,
    n_permutations: int = 5000,
    seed: int = 0,
) -> PermutationTest:
    """Test contrasts of many outcomes by permuting residuals: `permute_together` of one test."""
    return permute_together(Y, [PlannedTest(X, contrasts)], blocks=blocks, n_permutations=n_permutations, seed=seed)[0]


def permute_together(
    Y: npt.ArrayLike,
    tests: Sequence[PlannedTest],
    *,
    blocks: npt.ArrayLike | None = None,
    n_permutations: int = 5000,
    seed: int = 0,
) -> list[PermutationTest]:
    """Make permutation tests of the same people with the same random orders, at little more than the cost of one.

    Parameters
    ----------
    Y : shape (n, m)
        Outcomes; NaN where a person has none.
    tests
        Designs of the same n people, without gaps, and their contrasts.
    blocks : shape (n,)
        Labels, such as sites; people change places only within their block.
    n_permutations
        At least so many random permutations; all distinct ones are made instead if these are no more than that.
    seed
        Of the random orders, which depend on nothing else but n and `blocks`.

    Returns
    -------
    For each test, p values of its outcomes: alone, and corrected for the maximum over all outcomes.

    Raises
    ------
    DesignError
        If a design does not fit the people, cannot be estimated, or tests what no permutation within blocks changes.

    Notes
    -----
    Residuals of the nuisance model are permuted and the full model is fitted to them (Freedman D, Lane D, 1983; Winkler
    AM et al., NeuroImage 2014;92:381-397, doi:10.1016/j.neuroimage.2014.01.060). p = (1 + #{permuted >= observed}) /
    (1 + permutations) is never 0 (Phipson B, Smyth GK, 2010, doi:10.2202/1544-6115.1585). Family-wise p: distribution
    of the largest statistic (Nichols TE, Holmes AP, Human Brain Mapping 2002;15:1-25, doi:10.1002/hbm.1058).
    A permutation of all people becomes one of those who have an outcome by passing over the others: who would get the
    place of a missing one gets the place that this one gets. Uniform too, it keeps most pairs, hence dependence.
    ASSUME: residuals are exchangeable within blocks; who lacks an outcome has nothing to do with its value.
    """
    outcomes, designs, block_of = _check(Y, tests, blocks)
    left, right, exhaustive = _draw_orders(np.bincount(block_of), n_permutations, seed)
    (n, m), shape = outcomes.shape, (len(left), len(right))
    tallies = [
        _Tally(np.full(m, np.nan), np.full(m, np.nan), np.zeros(m), np.zeros(shape), n - X.shape[1]) for X, _ in designs
    ]
    patterns = [pattern.tobytes() for pattern in ~np.isnan(outcomes.T)]
    for pattern in dict.fromkeys(patterns):
        rows, columns = np.frombuffer(pattern, dtype=bool), np.flatnonzero([other == pattern for other in patterns])
        present = outcomes[np.ix_(rows, columns)]
        models = [_prepare(present, columns, X[rows], contrasts, block_of[rows]) for X, contrasts in designs]
        pairs = [(model, tally) for model, tally in zip(models, tallies, strict=True) if model is not None]
        if pairs:
            _count(pairs, present, _restrict(left, rows), _restrict(right, rows))
    return [_conclude(tally, exhaustive=exhaustive) for tally in tallies]


def _check(
    Y: npt.ArrayLike, tests: Sequence[PlannedTest], blocks: npt.ArrayLike | None
) -> tuple[FloatArray, list[tuple[FloatArray, npt.ArrayLike]], IntArray]:
    """Outcomes, designs with contrasts, and the number of everyone's block; people sorted by block."""
    outcomes = np.asarray(Y, dtype=np.float64)
    labels = np.zeros(len(outcomes)) if blocks is None else np.asarray(blocks)
    if outcomes.ndim != 2 or np.isinf(outcomes).any() or labels.shape != outcomes.shape[:1]:
        seen = f"shapes {outcomes.shape} and {labels.shape}, {int(np.isinf(outcomes).sum())} outcomes being infinite"
        msg = f"Give a table of outcomes, finite or NaN, and one block label per person; got {seen}."
        raise DesignError(msg)
    block_of = np.unique(labels, return_inverse=True)[1]
    order, designs = np.argsort(block_of, kind="stable"), []
    for test in tests:
        fit_linear(np.zeros((len(outcomes), 1)), test.X)  # says what is wrong with a design
        X = np.asarray(test.X, dtype=np.float64)[order]
        if not _split(X, test.contrasts, block_of[order])[0].size:
            seen = f"the same for all people of each of the {block_of.max() + 1} blocks"
            msg = f"A tested term is {seen}: no permutation within blocks changes it. Choose other blocks, or none."
            raise DesignError(msg)
        designs.append((X, test.contrasts))
    return outcomes[order], designs, block_of[order]


def _draw_orders(sizes: IntArray, n_permutations: int, seed: int) -> tuple[IntArray, IntArray, bool]:
    """Draw two lists of orders, shapes (a, n) and (b, n), whose products are tested; or list all there are (True)."""
    identity, places = np.arange(sizes.sum())[None], np.split(np.arange(sizes.sum()), np.cumsum(sizes)[:-1])
    if special.gammaln(sizes + 1.0).sum() <= math.log(max(n_permutations, 1)) + TIE:
        orders = itertools.product(*map(itertools.permutations, places))
        return np.array([list(itertools.chain(*order)) for order in orders]), identity, True
    n_left, rng = math.isqrt(n_permutations) + 1, np.random.default_rng(seed)
    drawn = np.tile(identity, (n_left + -(-(n_permutations + 1) // n_left), 1))
    for place in places:
        drawn[:, place] = rng.permuted(drawn[:, place], axis=1)
    drawn[[0, n_left]] = identity
    return drawn[:n_left], drawn[n_left:], False


def _restrict(orders: IntArray, rows: npt.NDArray[np.bool_]) -> IntArray:
    """Orders of some of the people, shape (a, rows): pass over the others until one of them is met."""
    reached = orders[:, rows]
    while (outside := ~rows[reached]).any():
        reached[outside] = orders[np.nonzero(outside)[0], reached[outside]]
    return (np.cumsum(rows) - 1)[reached]


def _prepare(
    Y: FloatArray, outcomes: IntArray, X: FloatArray, contrasts: npt.ArrayLike, block_of: IntArray
) -> _Model | None:
    """Fit a test in the people who have these outcomes; None if nothing can be tested."""
    if (df := len(X) - X.shape[1]) < 1:
        return None
    tested, nuisance, moved = _split(X, contrasts, block_of)
    reduced = Y - nuisance @ (nuisance.T @ Y)
    left = np.linalg.norm(reduced - tested @ (tested.T @ reduced), axis=0)
    some = np.flatnonzero(left > RELATIVE_ZERO * np.linalg.norm(Y, axis=0))
    if not (some.size and tested.size):
        return None
    lengths = np.linalg.norm(reduced[:, some], axis=0)
    return _Model(tested, moved, reduced[:, some] / lengths, lengths, left[some] / lengths, some, outcomes[some], df)


def _split(X: FloatArray, contrasts: npt.ArrayLike, block_of: IntArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Orthonormal bases of the tested columns beyond the others, the nuisance, and its part that permutations move.

    The first has no columns if columns depend on each other, or a tested term, given the others, is constant in blocks.
    """
    tested, nuisance = partition_design(X, contrasts)
    columns = np.hstack([nuisance, tested])
    basis, triangle = np.linalg.qr(columns / measure_columns(columns))
    nuisance, tested = np.hsplit(basis, [nuisance.shape[1]])
    singular, moved = np.linalg.svd(triangle, compute_uv=False), _drop_fixed(nuisance, block_of)
    is_fixed = _drop_fixed(basis, block_of).shape[1] < tested.shape[1] + moved.shape[1]
    return tested[:, :0] if is_fixed or singular[-1] <= RELATIVE_RANK * singular[0] else tested, nuisance, moved


def _drop_fixed(basis: FloatArray, block_of: IntArray) -> FloatArray:
    """Orthonormal basis without the directions that are constant in each block; residuals stay orthogonal to these."""
    starts = np.flatnonzero(np.diff(block_of, prepend=-1))
    means = np.add.reduceat(basis, starts, axis=0) / np.sqrt(np.diff(starts, append=len(block_of)))[:, None]
    between, directions = np.linalg.eigh(means.T @ means)
    return np.asarray(basis @ directions[:, 1 - between > FIXED])


def _count(pairs: list[tuple[_Model, _Tally]], Y: FloatArray, left: IntArray, right: IntArray) -> None:
    """Permute outcomes with the same gaps, and count in all tests at once."""
    for model, tally in pairs:
        q, explained = model.tested.shape[1], ((model.tested.T @ model.residuals) ** 2).sum(axis=0)
        F = explained / q / (model.left**2 / model.df)
        tally.statistic[model.outcomes] = np.sqrt(F) if q == 1 else F
        tally.limits[model.outcomes] = _share(explained, model.left**2, model.df / tally.df) * (1 - TIE) - ZERO
    design, response, mixers = _combine([model for model, _ in pairs], Y)
    for place, products in _multiply(design, response, left, right):
        u, a, b, v = products.shape
        for (model, tally), (from_design, from_response) in zip(pairs, mixers, strict=True):
            mixed = (from_design.T @ products.reshape(u, -1)).reshape(-1, v) @ from_response
            squares = np.square(mixed, out=mixed).reshape(-1, a, b, len(model.columns))
            explained = squares[: model.tested.shape[1]].sum(axis=0)
            shares = _share(explained, 1 - squares.sum(axis=0), model.df / tally.df)
            tally.exceeding[model.outcomes] += (shares >= tally.limits[model.outcomes]).sum(axis=(0, 1))
            tally.largest[place] = np.maximum(tally.largest[place], shares.max(axis=2))


def _combine(models: list[_Model], Y: FloatArray) -> tuple[FloatArray, FloatArray, list[tuple[FloatArray, FloatArray]]]:
    """Columns (n, u) and (n, v) to permute and multiply, and how each model's products mix from theirs.

    Permuted residuals are permuted outcomes minus the permuted nuisance part, so that models can share both.
    """
    bases = [np.hstack([model.tested, model.moved]) for model in models]
    if len(models) == 1:
        return bases[0], models[0].residuals, [(np.eye(bases[0].shape[1]), np.eye(len(models[0].columns)))]
    directions, singular, _ = np.linalg.svd(np.hstack(bases), full_matrices=False)
    design = directions[:, singular > RELATIVE_ZERO * singular[0]]
    mixers = []
    for model, basis in zip(models, bases, strict=True):
        nuisance = design.T @ model.moved @ (model.moved.T @ Y[:, model.columns])
        from_response = np.vstack([np.eye(Y.shape[1])[:, model.columns], -nuisance]) / model.lengths
        mixers.append((design.T @ basis, from_response))
    return design, np.hstack([Y, design]), mixers


def _multiply(
    design: FloatArray, response: FloatArray, left: IntArray, right: IntArray
) -> Iterator[tuple[tuple[slice, slice], FloatArray]]:
    """Products of permuted columns, shape (u, a, b, v), and which part of the table of orders they are."""
    (n, u), v = design.shape, response.shape[1]
    a = min(len(left), max(1, DESIGN_BYTES // (8 * u * max(n, v))))
    b = max(1, OUTCOME_BYTES // (8 * v * max(n, a * u)))
    for first in range(0, len(left), a):
        designs = np.take(design, left[first : first + a].T, axis=0).reshape(n, -1)
        for second in range(0, len(right), b):
            responses = np.take(response, right[second : second + b].T, axis=0).reshape(n, -1)
            products = (designs.T @ responses).reshape(-1, u, responses.shape[1] // v, v)
            yield (slice(first, first + a), slice(second, second + b)), np.ascontiguousarray(products.swapaxes(0, 1))


def _share(explained: FloatArray, left: FloatArray, weight: float) -> FloatArray:
    """Explained share of explained and left; `weight`, df over df without gaps, makes shares rank as F does."""
    weighed = explained * weight
    return np.asarray(weighed / np.maximum(weighed + np.maximum(left, 0), RELATIVE_ZERO))


def _conclude(tally: _Tally, *, exhaustive: bool) -> PermutationTest:
    """Turn counts into p values; the identity is among what was counted."""
    total, untested = tally.largest.size, np.isnan(tally.limits)
    at_least = total - np.searchsorted(np.sort(tally.largest, axis=None), tally.limits)
    alone, together = (np.where(untested, np.nan, count / total) for count in (tally.exceeding, at_least))
    return PermutationTest(alone, together, tally.statistic, total - 1, exhaustive)
