"""A classifier of people by their regional volumes, every step of which is learned in the training fold alone.

Takes numbers and folds (`morpho.infer.prediction.folds`) and gives one out-of-fold score per person. How good the
scores are is the business of `morpho.infer.prediction.prediction`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy import special, stats
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from morpho.infer.prediction.folds import Fold, Labels, Names, leave_sites_out, mix_folds

Array = npt.NDArray[np.float64]

PENALTIES = (0.001, 0.01, 0.1, 1.0, 10.0)  # inverse strengths C among which the inner folds choose
FIXED_PENALTY = 0.1  # C of the permutation test, where tuning every shuffle would take hours
WEAK_PENALTY = 1.0  # C in large cohorts, whose data outweigh any of the penalties
N_INNER_SPLITS = 5


@dataclass(frozen=True)
class Problem:
    """What is to be predicted from what: features, then covariates, as columns of `X` (NaN: not measured)."""

    X: Array
    n_features: int
    label: Labels
    site: Names
    family: Names


@dataclass(frozen=True)
class PreparedFold:
    """A fold with features ready to be classified."""

    fold: Fold
    X_train: Array
    X_test: Array


@dataclass(frozen=True)
class Scores:
    """Out-of-fold results per person, averaged over repeats, and the area under the curve of every single fold.

    `log_odds` is of having the label, for probabilities. `excess`, for ranking and calling people, is the log odds
    minus those of the label in the training fold: a fold that happens to test more of the label leaves less to learn
    from, which would turn the ranks of different folds round. Above 0 the person is called positive. `test_fraction`
    is the mean share of people whom a fold predicts; `penalties` are the C that the inner folds chose.
    """

    log_odds: Array
    excess: Array
    fold_areas: tuple[float, ...]
    test_fraction: float
    penalties: tuple[float, ...]

    @property
    def probability(self) -> Array:
        """Predicted probability of having the label."""
        return np.asarray(special.expit(self.log_odds), dtype=np.float64)


def score_out_of_fold(
    problem: Problem, repeats: Sequence[Sequence[Fold]], *, by_site: bool, seed: int, tuned: bool = True
) -> Scores:
    """Predict everyone by models that have not seen them, the penalty tuned by inner folds of each training fold.

    Parameters
    ----------
    problem
        Features, covariates, labels.
    repeats
        Folds of each repetition.
    by_site
        Whether the inner folds leave sites out too (where two or more sites are learned from), or mix.
    seed
        Seed of the inner folds.
    tuned
        Whether there are inner folds; otherwise the penalty is `WEAK_PENALTY`.

    Returns
    -------
    Scores per person: the mean over repetitions.

    Notes
    -----
    ASSUME: volumes of all training people, whatever their class, show how volumes depend on the covariates; the class
    is not told to that step. What group and covariates share is thereby taken from the volumes, which errs on the
    careful side.
    """
    n = len(problem.label)
    log_odds, excess = np.full((len(repeats), n), np.nan), np.full((len(repeats), n), np.nan)
    areas, penalties, shares = [], [], []
    for repeat, folds in enumerate(repeats):
        for fold in folds:
            model, penalty = _tune(problem, fold, by_site=by_site, seed=seed) if tuned else _learn(problem, fold)
            log_odds[repeat, fold.test] = model.decision_function(problem.X[fold.test])
            excess[repeat, fold.test] = log_odds[repeat, fold.test] - _log_odds_of(problem.label[fold.train])
            areas.append(rank_area(problem.label[fold.test], log_odds[repeat, fold.test]))
            penalties.append(penalty)
            shares.append(len(fold.test) / (len(fold.test) + len(fold.train)))
    fraction = float(np.mean(shares))
    return Scores(log_odds.mean(axis=0), excess.mean(axis=0), tuple(areas), fraction, tuple(penalties))


def prepare_fold(problem: Problem, fold: Fold) -> PreparedFold:
    """Do the steps before classification, none of which is told the labels, so that shuffled labels can share them."""
    preparation = build_pipeline(problem.n_features, FIXED_PENALTY)[:-1].fit(problem.X[fold.train])
    return PreparedFold(fold, preparation.transform(problem.X[fold.train]), preparation.transform(problem.X[fold.test]))


def score_with_fixed_penalty(label: Labels, prepared: Sequence[PreparedFold]) -> Array:
    """Predict everyone once with the penalty `FIXED_PENALTY`; log odds in excess of the training fold's, (people,)."""
    excess = np.full(len(label), np.nan)
    for part in prepared:
        excess[part.fold.test] = _classify(part, label, FIXED_PENALTY) - _log_odds_of(label[part.fold.train])
    return excess


def build_pipeline(n_features: int, penalty: float) -> Pipeline:
    """Chain the steps: median for missing features, covariates regressed out, unit variance, logistic regression."""
    return Pipeline(
        [
            ("impute", SimpleImputer(strategy="median", keep_empty_features=True)),
            ("residualise", Residualiser(n_features)),
            ("scale", StandardScaler()),
            ("classify", _build_classifier(penalty)),
        ]
    )


class Residualiser(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Take out of the first columns what the remaining ones explain of them in the people it was fitted to."""

    def __init__(self, n_features: int) -> None:
        self.n_features = n_features

    def fit(self, X: Array, y: object = None) -> Self:  # noqa: ARG002 - the class must not be told to this step
        """Regress the features on the covariates and a constant."""
        self.coefficients_ = np.linalg.lstsq(self._design(X), X[:, : self.n_features])[0]
        return self

    def transform(self, X: Array) -> Any:
        """Give the residuals, shape (people, features)."""
        return X[:, : self.n_features] - self._design(X) @ self.coefficients_

    def _design(self, X: Array) -> Array:
        """Put a constant before the covariates."""
        return np.column_stack([np.ones(len(X)), X[:, self.n_features :]])


def rank_area(label: Labels, score: Array) -> float:
    """Compute the area under the ROC curve, ties counting half; NaN where a class has nobody.

    Examples
    --------
    Of the 2 x 2 pairs of a positive and a negative, the positive scores higher in 3: 3 / 4.

    >>> rank_area(np.array([False, True, False, True]), np.array([0.1, 0.3, 0.4, 0.9]))
    0.75
    """
    n_positive, n_negative = int(label.sum()), int((~label).sum())
    if min(n_positive, n_negative) == 0:
        return float("nan")
    ranks = float(stats.rankdata(score)[label].sum())
    return (ranks - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative)


def _learn(problem: Problem, fold: Fold) -> tuple[Pipeline, float]:
    """Learn with the penalty of large cohorts."""
    pipeline = build_pipeline(problem.n_features, WEAK_PENALTY)
    return pipeline.fit(problem.X[fold.train], problem.label[fold.train]), WEAK_PENALTY


def _tune(problem: Problem, fold: Fold, *, by_site: bool, seed: int) -> tuple[Pipeline, float]:
    """Choose the penalty by the log loss in inner folds of the training people, then learn from all of them."""
    inside = replace(
        problem,
        X=problem.X[fold.train],
        label=problem.label[fold.train],
        site=problem.site[fold.train],
        family=problem.family[fold.train],
    )
    if by_site and len(np.unique(inside.site)) > 1:
        inner = leave_sites_out(inside.site, inside.family)
    else:
        inner = mix_folds(inside.label, inside.site, inside.family, n_splits=N_INNER_SPLITS, seed=seed)
    losses = np.zeros(len(PENALTIES))
    for part in inner:
        prepared = prepare_fold(inside, part)
        sign = np.where(inside.label[part.test], 1.0, -1.0)
        for place, penalty in enumerate(PENALTIES):
            losses[place] -= special.log_expit(sign * _classify(prepared, inside.label, penalty)).sum()
    best = PENALTIES[int(np.argmin(losses))]
    return build_pipeline(problem.n_features, best).fit(inside.X, inside.label), best


def _classify(part: PreparedFold, label: Labels, penalty: float) -> Array:
    """Learn from the training people of a fold; log odds of the others."""
    model = _build_classifier(penalty).fit(part.X_train, label[part.fold.train])
    return np.asarray(model.decision_function(part.X_test), dtype=np.float64)


def _log_odds_of(label: Labels) -> float:
    """Log odds of the label among some people, both classes being present."""
    return float(special.logit(label.mean()))


def _build_classifier(penalty: float) -> LogisticRegression:
    """Set up logistic regression with an L2 penalty; Newton's method, so that nothing depends on chance."""
    return LogisticRegression(C=penalty, solver="newton-cholesky", max_iter=200)
