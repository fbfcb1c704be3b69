"""The permutation test of a prediction in a large cohort: all shuffles of the labels are learned from together.

Takes a problem and folds that do not depend on the labels; gives the p value of the within-site area. For cohorts whose
shuffles would take hours one by one (`morpho.infer.prediction.prediction.Validation.many`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import special
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from morpho.errors import DesignError
from morpho.infer.prediction.classifier import FIXED_PENALTY, Array, Problem
from morpho.infer.prediction.folds import Fold
from morpho.stats.bootstrap import BlockAreas

LABELS_AT_ONCE = 50
SMALLEST_STEP = 1e-8  # of log odds per standard deviation: the search ends there
MOST_STEPS = 200
LEAST_WEIGHT = 1 / 8  # half of the largest that a person's weight can have: steps never grow
TIE = 1e-10


def deal_by_site(problem: Problem, n_splits: int, seed: int) -> list[Fold]:
    """Deal the people of each site into folds without a look at the labels; relatives stay together."""
    has_relatives = len(np.unique(problem.family)) < len(problem.family)
    kind = StratifiedGroupKFold if has_relatives else StratifiedKFold
    pairs = kind(n_splits=n_splits, shuffle=True, random_state=seed).split(
        np.zeros(len(problem.label)), problem.site, problem.family if has_relatives else None
    )
    return [Fold(train, test) for train, test in pairs]


def permute_labels(problem: Problem, folds: Sequence[Fold], n_permutations: int, seed: int) -> float:
    """Test the within-site area of a classifier with a fixed penalty by shuffling the labels within sites.

    Parameters
    ----------
    problem
        Features, covariates, labels.
    folds
        Folds that were dealt without the labels; each person is predicted in one.
    n_permutations
        Shuffles.
    seed
        Of the shuffles.

    Returns
    -------
    Share of the shuffles whose area is at least that of the true labels, which count as one of them.

    Notes
    -----
    ASSUME: labels may be swapped within a site under the null hypothesis.
    """
    site = np.unique(problem.site, return_inverse=True)[1]
    rows_of = [np.flatnonzero(site == number) for number in range(site.max() + 1)]
    rng, labels = np.random.default_rng(seed), np.repeat(problem.label[:, None], n_permutations + 1, axis=1)
    for number in range(1, n_permutations + 1):
        for rows in rows_of:
            labels[rows, number] = rng.permutation(problem.label[rows])
    scores = score_labels(problem, folds, labels)
    everybody = np.arange(len(site))
    areas = [BlockAreas(label, site, score)(everybody) for label, score in zip(labels.T, scores.T, strict=True)]
    return float(np.mean(np.array(areas) >= areas[0] - TIE))


def score_labels(problem: Problem, folds: Sequence[Fold], labels: npt.NDArray[np.bool_]) -> Array:
    """Predict everyone out of fold, once for each of many labels.

    Parameters
    ----------
    problem
        Features and covariates.
    folds
        Who is learned from, who is predicted.
    labels : shape (people, labels)
        Classes.

    Returns
    -------
    Log odds in excess of the training fold's, shape (people, labels), as
    `morpho.infer.prediction.classifier.score_with_fixed_penalty` gives them.

    Raises
    ------
    DesignError
        If the iterations do not converge.

    Notes
    -----
    Covariates are taken out, and features scaled, by the sums of squares and products of the training people. A missing
    value is the median of all people, where the classifier takes that of the training people.
    """
    Z = _arrange(problem)
    total, n_covariates = Z.T @ Z, Z.shape[1] - problem.n_features
    excess = np.full(labels.shape, np.nan)
    for fold in folds:
        trained = np.zeros(len(Z), dtype=bool)
        trained[fold.train] = True
        products = total - Z[~trained].T @ Z[~trained]
        mix = _mix(products, n_covariates, len(fold.train))
        for first in range(0, labels.shape[1], LABELS_AT_ONCE):
            part = labels[:, first : first + LABELS_AT_ONCE]
            weights = _learn(Z[trained], part[trained], mix, products)
            share = part[trained].mean(axis=0)
            excess[fold.test, first : first + LABELS_AT_ONCE] = Z[fold.test] @ weights - special.logit(share)
    return excess


def _arrange(problem: Problem) -> Array:
    """Put a constant, covariates and features side by side, at mean 0 and spread 1; gaps are medians."""
    X = np.hstack([problem.X[:, problem.n_features :], problem.X[:, : problem.n_features]])
    for column in X.T:
        gaps = np.isnan(column)
        if gaps.any():
            column[gaps] = 0.0 if gaps.all() else np.median(column[~gaps])
    spread = X.std(axis=0)
    return np.hstack([np.ones((len(X), 1)), (X - X.mean(axis=0)) / np.where(spread > 0, spread, 1.0)])


def _mix(products: Array, n_known: int, n: int) -> Array:
    """Find the columns' weights in a constant and in the scaled residuals of features, (columns, 1 + features)."""
    slopes = np.linalg.pinv(products[:n_known, :n_known], hermitian=True) @ products[:n_known, n_known:]
    left = np.diag(products)[n_known:] - np.einsum("ij,ij->j", slopes, products[:n_known, n_known:])
    spread = np.sqrt(np.maximum(left, 0) / n)
    scale = np.where(spread > SMALLEST_STEP, spread, 1.0)
    mix = np.zeros((len(products), 1 + len(left)))
    mix[0, 0], mix[:n_known, 1:], mix[n_known:, 1:] = 1.0, -slopes / scale, np.diag(1 / scale)
    return mix


def _learn(Z: Array, labels: npt.NDArray[np.bool_], mix: Array, products: Array) -> Array:
    """Find the columns' weights in the log odds of each label, (columns, labels), with one curvature for all steps."""
    share = labels.mean(axis=0)
    weight = max(float((share * (1 - share)).max()), LEAST_WEIGHT)
    ridge = np.full(mix.shape[1], 1 / FIXED_PENALTY)
    ridge[0] = 0.0  # the constant is free
    curvature = weight * mix.T @ products @ mix + np.diag(ridge)
    found = np.zeros((mix.shape[1], labels.shape[1]))
    found[0] = special.logit(share)
    for _ in range(MOST_STEPS):
        left = labels - special.expit(Z @ (mix @ found))
        step = np.linalg.solve(curvature, mix.T @ (Z.T @ left) - ridge[:, None] * found)
        found += step
        if np.abs(step).max() < SMALLEST_STEP:
            return np.asarray(mix @ found)
    message = f"The shuffled classifier did not converge within {MOST_STEPS} steps; look for extreme volumes."
    raise DesignError(message)
