"""Run one linear test over the regions of a family: fit, permute, correct, and put every number into rows.

Takes people and a question and gives one row per region with the columns of `morpho.infer.dictionaries`; a region that
was refused is a row with the reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd

from morpho.errors import DesignError
from morpho.infer.contrasts import Effect, check_levels, find_contrast, find_joint_columns
from morpho.infer.design import Model, Sample, select_sample
from morpho.infer.fit import RegionModel, fit_regions
from morpho.infer.levels import build_matrix
from morpho.infer.rows import Row, describe_difference, describe_joint, describe_model, describe_slope
from morpho.infer.study import Settings, name_column
from morpho.stats.effects import Correction, adjust_p
from morpho.stats.permutation import permute_freedman_lane

EVERYBODY = "everybody_whole_mm3"  # a volume that nobody lacks
CORRECTIONS: Mapping[str, Correction] = {"p_fdr": "fdr_bh", "p_by": "fdr_by", "p_holm": "holm"}


@dataclass(frozen=True)
class Question:
    """What is asked of every region: model, effect, and the places (family, roi, hemisphere) to look at."""

    model: Model
    effect: Effect
    places: Sequence[Mapping[str, str]]


@dataclass(frozen=True)
class LinearResult:
    """Fitted models, and one row of numbers for each, in the order of the places."""

    models: tuple[RegionModel, ...]
    rows: pd.DataFrame


def run_linear(people: pd.DataFrame, question: Question, settings: Settings, *, permute: bool = True) -> LinearResult:
    """Fit a question to every place, and correct within each family.

    Parameters
    ----------
    people
        One row per participant of the population.
    question
        Model, effect and places.
    settings
        Confidence, smallest group, permutations, smallest effects.
    permute
        Whether permutation p values are wanted (the costly part in large cohorts); 0 permutations are none, too.

    Returns
    -------
    Models and rows.
    """
    effect, model = question.effect, question.model
    check = partial(_check_sample, effect=effect, fewest=settings.min_group_size)
    if effect.joint:
        rows = [_run_joint(people, question, dict(place), settings) for place in question.places]
        models: tuple[RegionModel, ...] = ()
    else:
        models = tuple(fit_regions(people, model, effect, question.places, check=check, confidence=settings.confidence))
        rows = [_describe(region, question, settings) for region in models]
    table = pd.DataFrame(rows)
    table["p_permutation"] = table["p_familywise"] = np.nan
    for family in dict.fromkeys(table["family"]):
        inside = (table["family"] == family).to_numpy()
        fitted = inside & (table["status"] == "fitted").to_numpy()
        if permute and settings.n_permutations and fitted.any():
            columns = [name_column(place) for place, wanted in zip(question.places, fitted, strict=True) if wanted]
            alone, together = permute_family(people, question, columns, settings)
            table.loc[fitted, "p_permutation"], table.loc[fitted, "p_familywise"] = alone, together
    return LinearResult(models, correct_families(table, ["family"]))


def permute_family(
    people: pd.DataFrame, question: Question, columns: Sequence[str], settings: Settings
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Permute the residuals of a family's regions together, within sites.

    Parameters
    ----------
    people
        One row per participant.
    question
        Model and effect.
    columns
        Volumes of the family; people who lack one of them are permuted in the others.
    settings
        Number of permutations and seed.

    Returns
    -------
    p of each region alone, and corrected for the family by the largest statistic; NaN where it could not be made.
    """
    ordered = people.sort_values("participant_id")  # so that the order of rows has no say in random numbers
    constant = ordered.assign(**{EVERYBODY: np.arange(len(people), dtype=float)})
    sample = select_sample(constant, EVERYBODY, question.model)
    design = build_matrix(sample.formula.partition("~")[2], sample.data)
    volumes = people.set_index(people["participant_id"].astype(str)).loc[sample.data["participant_id"], list(columns)]
    sites = sample.data["site"]
    try:
        result = permute_freedman_lane(
            volumes.to_numpy(dtype=float),
            design.to_numpy(),
            _find_contrasts(question.effect, sample, design),
            blocks=pd.factorize(sites)[0] if len(sites.dropna().unique()) > 1 else None,
            n_permutations=settings.n_permutations,
            seed=settings.seed,
        )
    except (
        DesignError
    ):  # refused regions say why in their rows; a term that is the same within sites has no permutations
        nothing = np.full(len(columns), np.nan)
        return nothing, nothing
    return result.p_uncorrected, result.p_familywise


def correct_families(table: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Correct p within each family; its size counts refused models too.

    Parameters
    ----------
    table
        Rows with ``p``.
    keys
        Columns that tell families apart.

    Returns
    -------
    The table with ``p_fdr`` (Benjamini-Hochberg), ``p_by`` (Benjamini-Yekutieli), ``p_holm`` and ``family_size``.
    """
    table = table.copy()
    for places in table.groupby(list(keys), sort=False).indices.values():
        rows = table.index[places]
        for column, method in CORRECTIONS.items():
            table.loc[rows, column] = adjust_p(table.loc[rows, "p"].to_numpy(dtype=float), method)
        table.loc[rows, "family_size"] = len(rows)
    return table


def _describe(region: RegionModel, question: Question, settings: Settings) -> Row:
    """Put one model into a row."""
    row = describe_model(region, question.model, question.effect)
    if region.fit is None or region.sample is None:
        return row
    describe = describe_slope if question.effect.is_slope else describe_difference
    return row | describe(region.sample, region.fit, question.effect, settings)


def _run_joint(people: pd.DataFrame, question: Question, place: dict[str, str], settings: Settings) -> Row:
    """Test several columns of one region's model together."""
    sample = None
    try:
        sample = select_sample(people, name_column(place), question.model)
        _check_sample(sample, question.effect, settings.min_group_size)
        numbers = describe_joint(sample, question.effect, settings.confidence)
    except DesignError as refusal:
        region = RegionModel(place, sample, None, str(refusal))
        return describe_model(region, question.model, question.effect)
    region = RegionModel(place, sample, None, "; ".join(sample.notes))
    return describe_model(region, question.model, question.effect) | numbers


def _find_contrasts(effect: Effect, sample: Sample, design: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Find the rows of weights of an effect of either kind."""
    if effect.joint:
        return find_joint_columns(effect, design.design_info)
    return find_contrast(effect, sample.data, design.design_info)[np.newaxis]


def _check_sample(sample: Sample, effect: Effect, fewest: int) -> None:
    """Refuse a sample with too few people in a cell, and say what they lack."""
    try:
        if effect.joint:
            categories = [name for name in effect.joint if not pd.api.types.is_numeric_dtype(sample.data[name])]
            for name in categories:
                levels = dict.fromkeys(sample.data[name].astype(str), 1.0)
                check_levels(Effect(of=name, weights=levels), sample.data.astype({name: str}), fewest)
        else:
            check_levels(effect, sample.data, fewest)
    except DesignError as refusal:
        lacks = Counter(column for columns in sample.missing.values() for column in columns)
        listed = ", ".join(f"{column} {n}" for column, n in sorted(lacks.items()))
        msg = f"{refusal}; without a value: {listed}" if lacks else str(refusal)
        raise DesignError(msg) from refusal
