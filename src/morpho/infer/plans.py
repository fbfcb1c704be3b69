"""The design of a model and the effect's place in it: what regions with the same people share.

Takes a sample (`morpho.infer.design`). A design that cannot be estimated is refused with the reason in words;
statsmodels itself would fit it in silence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import statsmodels.api as sm

from morpho.errors import DesignError
from morpho.infer.contrasts import Effect, find_contrast, find_reference
from morpho.infer.design import MIN_RESIDUAL_DF, Sample
from morpho.infer.diagnostics import share_design
from morpho.infer.levels import build_matrix, code_levels
from morpho.stats.linear import LinearFit, decompose, fit_linear

RANK_TOLERANCE = 1e-9  # smallest singular value of the design, its columns at length 1, relative to the largest

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Plan:
    """What the models of regions with the same people share: the design, and the effect's place in it.

    `contrast` gives the coefficients' weights, `reference` those of the mean from which a difference starts (of the
    overall mean, for a slope), `by_level` those of each level of the variable of interest; `alone` is the unit variance
    that the effect would have without covariates. `solved` keeps the decompositions of the design.
    """

    X: pd.DataFrame
    contrast: Array
    reference: Array
    of: str
    by_level: Mapping[object, Array]
    alone: float
    solved: list[Any] = field(default_factory=list)

    def fit(self, volume_mm3: Array) -> sm.regression.linear_model.RegressionResults:
        """Fit the design to volumes by ordinary least squares with statsmodels."""
        if not self.solved:
            X = self.X.to_numpy()
            self.solved[:] = [sm.OLS(volume_mm3, X), decompose(X)]
            self.solved[0].fit()
        return share_design(self.solved[0], volume_mm3).fit()

    def fit_again(self, volume_mm3: Array) -> LinearFit:
        """Fit the same with `morpho.stats.linear`."""
        self.fit(volume_mm3)
        return fit_linear(volume_mm3[:, None], self.solved[1])


def plan_effect(sample: Sample, effect: Effect) -> Plan:
    """Build the design of a sample and find the effect in it.

    Parameters
    ----------
    sample
        Analysis set and formula; its volumes are not looked at.
    effect
        A difference or slope.

    Returns
    -------
    Plan for `fit_effect`.

    Raises
    ------
    DesignError
        If a variable of interest does not vary, columns repeat each other, or too few people remain.
    """
    X, data = build_design(sample), code_levels(sample.data)
    reference, by_level = X.to_numpy().mean(axis=0), {}
    if effect.weights is not None:
        reference = find_reference(effect, data, X.design_info)
        by_level = {
            level: find_reference(Effect(of=effect.of, weights={level: -1.0}), data, X.design_info)
            for level in dict.fromkeys(data[effect.of].tolist())
        }
    contrast = find_contrast(effect, data, X.design_info)
    return Plan(X, contrast, reference, effect.of, by_level, _vary_alone(sample, effect))


def build_design(sample: Sample) -> pd.DataFrame:
    """Build the design matrix of a sample.

    Parameters
    ----------
    sample
        Analysis set and formula.

    Returns
    -------
    Patsy's table, shape (people, columns), with its ``design_info``.

    Raises
    ------
    DesignError
        If a variable of interest does not vary, columns repeat each other, or too few people remain.
    """
    for name in sample.variables:
        check_spread(sample.data[name], name)
    right = sample.formula.partition("~")[2]
    X = build_matrix(right, sample.data)
    _check_estimable(sample, X)
    return X


def check_spread(values: pd.Series[Any], name: str) -> None:
    """Refuse a volume or a variable of interest that is the same for everyone.

    Raises
    ------
    DesignError
        With the value that everyone has.
    """
    if values.nunique() < 2:
        seen = f"it is {values.iloc[0]} for all {len(values)} people" if len(values) else "nobody has a value"
        msg = f"{name} does not vary: {seen}"
        raise DesignError(msg)


def say_too_few(n_people: int, n_columns: int, *, fewest: int) -> str:
    """Say that a design leaves fewer residual degrees of freedom than are asked for."""
    asked = (
        f"config models.min_residual_df asks for {fewest}" if fewest > MIN_RESIDUAL_DF else f"{fewest} are the least"
    )
    return (
        f"{n_people} people for {n_columns} columns of the design leave {n_people - n_columns} residual degrees of "
        f"freedom; {asked}. Drop covariates or add people"
    )


def _vary_alone(sample: Sample, effect: Effect) -> float:
    """Give the unit variance that the effect would have without covariates."""
    X = build_matrix(sample.terms, sample.data)
    contrast = find_contrast(effect, sample.data, X.design_info)
    return float(contrast @ np.linalg.pinv(X.to_numpy().T @ X.to_numpy()) @ contrast)


def _check_estimable(sample: Sample, X: pd.DataFrame) -> None:
    """Refuse a design whose columns repeat each other (statsmodels would fit it in silence) or use up the people."""
    df = len(X) - X.shape[1]
    if df < sample.min_df:
        raise DesignError(say_too_few(*X.shape, fewest=sample.min_df))
    _, singular, directions = np.linalg.svd(X.to_numpy() / np.linalg.norm(X.to_numpy(), axis=0), full_matrices=False)
    silent = directions[singular <= RANK_TOLERANCE * singular[0]]
    if len(silent) == 0:
        return
    aliased = [
        name
        for name, share in zip(X.columns, np.abs(silent).max(axis=0), strict=True)
        if share > 1e-6 and name != "Intercept"
    ]
    msg = f"the effects of {', '.join(aliased)} cannot be told apart: these columns of the design repeat each other"
    if {"group", "site"} <= set(sample.data) and any("site" in name for name in aliased):
        counts = Counter(zip(sample.data["site"], sample.data["group"], strict=True))
        msg += f" ({', '.join(f'site {site}: {n} {group}' for (site, group), n in sorted(counts.items()))})"
    raise DesignError(msg)
