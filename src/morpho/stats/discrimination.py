"""How well a score tells two classes apart: area under the curve, calibration, and their uncertainty.

Takes known classes and the scores or probabilities that a model gave to people it had not seen; trains nothing and
knows no tables. Classes are 0 and 1 (or false and true), 1 being the one that high scores should belong to.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import statsmodels.api as sm
from scipy import special, stats

from morpho.errors import DesignError
from morpho.stats.effects import Interval

SMALLEST_SE = 1e-12  # below this the standard error of a difference is rounding

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class AreaComparison:
    """Difference of two areas under the curve of the same people, with its standard error and DeLong's test."""

    difference: float
    se: float
    z: float
    p: float


@dataclass(frozen=True)
class Calibration:
    """Agreement of predicted and observed frequencies: 0 and 1 are perfect for `intercept` and `slope`, 0 for `brier`.

    An intercept above 0 means that the outcome is more frequent than predicted; a slope below 1, that predictions are
    too extreme.
    """

    intercept: float
    slope: float
    brier: float


@dataclass(frozen=True)
class PredictiveValues:
    """Share of true positives among positive results, and of true negatives among negative ones, 0 to 1."""

    positive: float
    negative: float


def area_under_curve(y: npt.ArrayLike, score: npt.ArrayLike, confidence: float) -> Interval:
    """Compute the area under the receiver operating characteristic curve, with DeLong's interval, cut to 0 and 1.

    The area is the chance that a person of class 1 has a higher `score` than one of class 0, ties counting one half.
    It is not turned round if high scores mean class 0. `y` and `score` have the shape (people,).

    Notes
    -----
    Sources: DeLong ER et al., Biometrics 1988;44:837-845, doi:10.2307/2531595; computed from ranks as in Sun X, Xu W,
    IEEE Signal Processing Letters 2014;21:1389-1393, doi:10.1109/LSP.2014.2337313.
    ASSUME: people are independent and the score was fixed before they were seen (for scores of cross-validation see
    `morpho.stats.bootstrap.bootstrap_within`). Where the classes separate completely the standard error is 0, which
    is too small.

    Examples
    --------
    Scores 1, 3 of class 0 and 2, 4 of class 1: three of four pairs are in order.

    >>> area_under_curve([0, 0, 1, 1], [1.0, 3.0, 2.0, 4.0], 0.95).value
    0.75
    """
    areas, covariance = _find_areas(_check_classes(y), [score])
    area, se = float(areas[0]), float(np.sqrt(covariance[0, 0]))
    half = float(stats.norm.ppf(0.5 + confidence / 2)) * se
    return Interval(area, se, max(0.0, area - half), min(1.0, area + half))


def compare_areas(y: npt.ArrayLike, a: npt.ArrayLike, b: npt.ArrayLike) -> AreaComparison:
    """Test whether scores `a` and `b` of the same people, shape (people,), have different areas under the curve.

    The difference is the area of `a` minus that of `b`. Scores of the same order give z = 0 and p = 1.

    Raises
    ------
    DesignError
        If classes or scores cannot be used, or the areas differ but have no sampling spread, so that no test exists.

    Notes
    -----
    DeLong's paired test, see `area_under_curve`. ASSUME: the scores were fixed before these people were seen; the
    test is not valid for nested models fitted to the same people (use a likelihood-ratio test).
    """
    areas, covariance = _find_areas(_check_classes(y), [a, b])
    difference = float(areas[0] - areas[1])
    se = float(np.sqrt(max(0.0, covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])))
    if difference != 0 and se < SMALLEST_SE:
        msg = (
            f"The areas {areas[0]:.4g} and {areas[1]:.4g} differ, but neither varies between people, so DeLong's test "
            "does not exist. Report the areas alone."
        )
        raise DesignError(msg)
    z = difference / se if difference != 0 else 0.0
    return AreaComparison(difference, se, z, float(2 * stats.norm.sf(abs(z))))


def balanced_accuracy(y: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Average the shares of class 1 and of class 0 that were predicted correctly (0.5 is chance)."""
    is_case, is_called = _check_classes(y), np.asarray(predicted) == 1
    return float((is_called[is_case].mean() + (~is_called[~is_case]).mean()) / 2)


def calibration(y: npt.ArrayLike, probability: npt.ArrayLike) -> Calibration:
    """Compare predicted probabilities of class 1, shape (people,), with what happened.

    The slope is that of the outcome's log odds on the predicted log odds. The intercept is the shift of the predicted
    log odds that makes their average right, the slope being held at 1. The Brier score is the mean squared error.

    Raises
    ------
    DesignError
        If a probability is not above 0 and below 1, all are equal, or they separate the classes completely.

    Notes
    -----
    Sources: Cox DR, Biometrika 1958;45:562-565; Van Calster B et al., BMC Medicine 2019;17:230,
    doi:10.1186/s12916-019-1466-7; Brier GW, Monthly Weather Review 1950;78:1-3.
    """
    is_case, chance = _check_classes(y), np.asarray(probability, dtype=np.float64)
    low, high = ([float(values.min()), float(values.max())] for values in (chance[~is_case], chance[is_case]))
    if not (chance.min() > 0 and chance.max() < 1 and low[0] < high[1] and high[0] < low[1]):
        msg = (
            f"Calibration needs probabilities above 0 and below 1 that overlap between the classes; got {low} for "
            f"class 0 and {high} for class 1. Report the area under the curve, or assess more people."
        )
        raise DesignError(msg)
    outcome, log_odds, family = is_case.astype(float), special.logit(chance), sm.families.Binomial()
    intercept = sm.GLM(outcome, np.ones_like(outcome), family=family, offset=log_odds).fit().params[0]
    slope = sm.GLM(outcome, sm.add_constant(log_odds), family=family).fit().params[1]
    return Calibration(float(intercept), float(slope), float(np.mean((chance - outcome) ** 2)))


def correct_repeated_cv_se(scores: npt.ArrayLike, test_fraction: float) -> float:
    """Compute the standard error of the mean `scores`, shape (splits,), of repeated cross-validation.

    `test_fraction` is the share of people in the test set of a split, 0.1 for ten folds. The training sets overlap, so
    the scores are not independent, and their number alone would make the error too small.

    Raises
    ------
    DesignError
        If there are fewer than two splits, a score is missing, or `test_fraction` is not between 0 and 1.

    Notes
    -----
    The variance of the scores is multiplied by 1/splits + test/train, instead of 1/splits alone. Source: Nadeau C,
    Bengio Y, Machine Learning 2003;52:239-281, doi:10.1023/A:1024068626366. ASSUME: the correlation of two splits is
    the share of people tested. A t test has splits - 1 degrees of freedom.

    Examples
    --------
    Scores 0.5 and 0.7 (variance 0.02) of half the people each: sqrt(0.02 * (1/2 + 1)) = sqrt(0.03).

    >>> round(correct_repeated_cv_se([0.5, 0.7], 0.5), 6)
    0.173205
    """
    values = np.asarray(scores, dtype=np.float64)
    if len(values) < 2 or not np.isfinite(values).all() or not 0 < test_fraction < 1:
        msg = (
            f"A corrected standard error needs two or more finite scores and a test fraction between 0 and 1; got "
            f"{len(values)} scores, and {test_fraction}. Leave out splits without a score."
        )
        raise DesignError(msg)
    return float(np.sqrt(values.var(ddof=1) * (1 / len(values) + test_fraction / (1 - test_fraction))))


def predictive_values(sensitivity: float, specificity: float, prevalence: float) -> PredictiveValues:
    """Compute what a positive and a negative result mean where a disorder has a given frequency.

    All are shares from 0 to 1. `prevalence` is that of the clinic, not that of a case-control study. A value is NaN
    where no one would have such a result.

    Raises
    ------
    DesignError
        If a number is not between 0 and 1.

    Notes
    -----
    Bayes' theorem. ASSUME: sensitivity and specificity are the same at every prevalence.

    Examples
    --------
    Sensitivity and specificity 0.8, one in ten ill: 0.08 / (0.08 + 0.18) and 0.72 / (0.72 + 0.02).

    >>> values = predictive_values(0.8, 0.8, 0.1)
    >>> round(values.positive, 4), round(values.negative, 4)
    (0.3077, 0.973)
    """
    given = (sensitivity, specificity, prevalence)
    if not all(0 <= value <= 1 for value in given):
        msg = f"Sensitivity, specificity and prevalence are shares from 0 to 1; got {given}. Divide percentages by 100."
        raise DesignError(msg)
    true_positive, false_negative = sensitivity * prevalence, (1 - sensitivity) * prevalence
    true_negative, false_positive = specificity * (1 - prevalence), (1 - specificity) * (1 - prevalence)
    n_positive, n_negative = true_positive + false_positive, true_negative + false_negative
    return PredictiveValues(
        true_positive / n_positive if n_positive > 0 else float("nan"),
        true_negative / n_negative if n_negative > 0 else float("nan"),
    )


def _check_classes(y: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Classes as booleans, at least two people of each."""
    is_case: npt.NDArray[np.bool_] = np.asarray(y) == 1
    n_cases, n_others, n = int(is_case.sum()), int((np.asarray(y) == 0).sum()), len(is_case)
    if min(n_cases, n_others) < 2 or n_cases + n_others != n:
        msg = (
            f"Discrimination needs classes 0 and 1 with at least two people each; got {n_others} of class 0, {n_cases} "
            f"of class 1 and {n - n_cases - n_others} of neither. Add people, or code the classes."
        )
        raise DesignError(msg)
    return is_case


def _find_areas(is_case: npt.NDArray[np.bool_], scores: list[npt.ArrayLike]) -> tuple[Array, Array]:
    """Areas under the curve, shape (scores,), and DeLong's covariance of them, shape (scores, scores)."""
    values = np.array(scores, dtype=np.float64)
    if np.isnan(values).any():
        msg = f"{int(np.isnan(values).sum())} scores are missing, none may be. Leave those people out."
        raise DesignError(msg)
    n_cases, n_others = int(is_case.sum()), int((~is_case).sum())
    ranks = stats.rankdata(values, axis=1)
    above_others = (ranks[:, is_case] - stats.rankdata(values[:, is_case], axis=1)) / n_others
    below_cases = 1 - (ranks[:, ~is_case] - stats.rankdata(values[:, ~is_case], axis=1)) / n_cases
    covariance = np.atleast_2d(np.cov(above_others)) / n_cases + np.atleast_2d(np.cov(below_cases)) / n_others
    return above_others.mean(axis=1), covariance
