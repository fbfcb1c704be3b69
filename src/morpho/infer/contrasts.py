"""Effects as linear combinations of coefficients, found by moving the people of a sample, not by naming columns.

A difference between groups is what a model predicts for its people if all were patients, minus what it predicts if all
were controls; a slope is the prediction one unit further, minus the prediction here. Written so, the effect does not
depend on how factors are coded, and an interaction is a difference of differences.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import patsy

from morpho.errors import DesignError
from morpho.formulas import find_names
from morpho.infer.levels import code_levels

Array = npt.NDArray[np.float64]
Weights = Mapping[str, float]


@dataclass(frozen=True)
class Effect:
    """Which quantity of a model is wanted.

    `of` is the variable of interest. With `weights` (level -> weight, summing to 0) it is a difference between levels,
    without them the slope per `unit`. `between` asks how that differs between levels of a second variable
    (`between_weights`), or per `between_unit` of a numeric one. `where` fixes variables for everyone. `joint` asks for
    all columns in which the variables named there enter together (an F test) and stands alone.
    """

    of: str = ""
    weights: Weights | None = None
    unit: float = 1.0
    between: str = ""
    between_weights: Weights | None = None
    between_unit: float = 1.0
    where: Mapping[str, str] = field(default_factory=dict)
    joint: Sequence[str] = ()

    @property
    def variables(self) -> tuple[str, ...]:
        """The variables that the effect speaks of."""
        return tuple(dict.fromkeys(name for name in (self.of, self.between, *self.where, *self.joint) if name))

    @property
    def is_slope(self) -> bool:
        """Whether the effect is per unit of a number, so that a partial correlation expresses it."""
        return not self.joint and self.weights is None

    def __str__(self) -> str:
        if self.joint:
            return f"joint test of {' x '.join(self.joint)}"
        text = _say(self.of, self.weights, self.unit)
        if self.between:
            text = f"({text}) x ({_say(self.between, self.between_weights, self.between_unit)})"
        if self.where:
            text += f" in {', '.join(self.where.values())}"
        return text


def find_contrast(effect: Effect, data: pd.DataFrame, design: patsy.DesignInfo) -> Array:
    """Find the coefficients' weights that make up an effect.

    Parameters
    ----------
    effect
        A difference or slope.
    data
        The people of the model; the effect is averaged over them.
    design
        Description of the design matrix that patsy built from `data`.

    Returns
    -------
    Weights, shape (columns of the design,).

    Raises
    ------
    DesignError
        If a level has nobody, so that nothing is known of it.
    """
    contrast, data = np.zeros(len(design.column_names)), code_levels(data)
    for values, weight in _list_points(effect, data):
        contrast += weight * _predict_row(values, data, design)
    contrast[np.abs(contrast) < 1e-12 * np.abs(contrast).max(initial=0)] = 0
    return contrast


def find_reference(effect: Effect, data: pd.DataFrame, design: patsy.DesignInfo) -> Array:
    """Find the weights of the prediction from which a difference starts: its levels of negative weight.

    Parameters
    ----------
    effect, data, design
        As for `find_contrast`; the effect has weights.

    Returns
    -------
    Weights, shape (columns of the design,).
    """
    data = code_levels(data)
    negative = {level: -weight for level, weight in (effect.weights or {}).items() if weight < 0}
    rows = [share * _predict_row({effect.of: level, **effect.where}, data, design) for level, share in negative.items()]
    reference: Array = np.sum(rows, axis=0) / sum(negative.values())
    return reference


def find_joint_columns(effect: Effect, design: patsy.DesignInfo) -> Array:
    """Find the columns in which all variables of a joint effect enter together.

    Parameters
    ----------
    effect
        With `joint`.
    design
        Description of the design matrix.

    Returns
    -------
    One row of weights per column, shape (columns found, columns of the design).

    Raises
    ------
    DesignError
        If the formula has no such term.
    """
    columns = [
        column
        for term in design.terms
        if all(any(_names(factor.name(), name) for factor in term.factors) for name in effect.joint)
        for column in range(*design.term_slices[term].indices(len(design.column_names)))
    ]
    if not columns:
        msg = (
            f"The formula has no term with {' and '.join(effect.joint)}: {design.describe()}. Add it, or drop the test."
        )
        raise DesignError(msg)
    return np.eye(len(design.column_names))[columns]


def check_levels(effect: Effect, data: pd.DataFrame, fewest: int) -> None:
    """Refuse an effect when a level, or a combination of levels, that it compares has too few people.

    Parameters
    ----------
    effect
        The effect.
    data
        The people of the model.
    fewest
        Least number of people in each.

    Raises
    ------
    DesignError
        With the number of people in every cell.
    """
    factors = [
        (name, weights)
        for name, weights in ((effect.of, effect.weights), (effect.between, effect.between_weights))
        if weights is not None
    ]
    fixed = np.logical_and.reduce([data[name] == level for name, level in effect.where.items()] or [[True] * len(data)])
    counts: dict[str, int] = {}
    for levels in itertools.product(*[weights for _, weights in factors]):
        inside = fixed.copy()
        for (name, _), level in zip(factors, levels, strict=True):
            inside &= (data[name] == level).to_numpy()
        counts[" ".join([*levels, *effect.where.values()]) or "people"] = int(inside.sum())
    if min(counts.values(), default=0) >= fewest:
        return
    seen = ", ".join(f"{n} {name}" for name, n in counts.items()) or "nobody"
    start = "only one group is present" if len(counts) > 1 and 0 in counts.values() else "too few people"
    msg = f"{start}: {seen} with all values, where config models.min_group_size asks for {fewest} of each"
    raise DesignError(msg)


def _say(name: str, weights: Weights | None, unit: float) -> str:
    """Put one difference or slope into words."""
    if weights is None:
        return f"slope on {name}" if unit == 1 else f"slope on {name} per {unit:g}"
    plus = [level for level, weight in weights.items() if weight > 0]
    minus = [level for level, weight in weights.items() if weight < 0]
    if len(plus) == len(minus) == 1:
        return f"{plus[0]} - {minus[0]}"
    return " ".join(f"{weight:+g} {level}" for level, weight in weights.items())


def _list_points(effect: Effect, data: pd.DataFrame) -> Iterator[tuple[dict[str, object], float]]:
    """List the values that the variables take, with the weight of each prediction."""
    first = _list_moves(effect.of, effect.weights, effect.unit, data)
    second = (
        _list_moves(effect.between, effect.between_weights, effect.between_unit, data) if effect.between else [({}, 1)]
    )
    for (moved, weight), (moved_too, weight_too) in itertools.product(first, second):
        yield {**moved, **moved_too, **effect.where}, weight * weight_too


def _list_moves(
    name: str, weights: Weights | None, unit: float, data: pd.DataFrame
) -> list[tuple[dict[str, object], float]]:
    """List the values one variable takes in an effect, with their weights."""
    if weights is None:
        return [({name: data[name] + unit}, 1.0), ({name: data[name]}, -1.0)]
    return [({name: level}, weight) for level, weight in weights.items() if weight]


def _predict_row(values: Mapping[str, Any], data: pd.DataFrame, design: patsy.DesignInfo) -> Array:
    """Average design row of the people after some of their values were changed."""
    moved = data.copy()
    for name, value in values.items():
        if isinstance(value, str) and value not in (seen := set(data[name].unique().tolist())):
            msg = f"Nobody has {name} {value!r}; seen are {', '.join(map(str, sorted(seen)))}."
            raise DesignError(msg)
        levels = data[name].dtype
        if isinstance(levels, pd.CategoricalDtype):
            place = levels.categories.get_loc(str(value))
            moved[name] = pd.Categorical.from_codes(np.full(len(data), place), dtype=levels)
        else:
            moved = moved.assign(**{name: value})
    row: Array = np.asarray(patsy.build_design_matrices([design], moved, NA_action="raise")[0]).mean(axis=0)
    return row


def _names(factor: str, variable: str) -> bool:
    """Whether a factor of a formula is made of a variable, such as C(sex, Sum) of sex."""
    return variable in find_names(factor)
