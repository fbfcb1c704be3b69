"""Whether an effect differs between regions: region by group in one model, a person's regions being a cluster."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from morpho.errors import DesignError
from morpho.infer.contrasts import Effect, check_levels, find_contrast
from morpho.infer.design import Model, select_sample
from morpho.infer.linear_tests import EVERYBODY
from morpho.infer.plans import build_design, check_spread
from morpho.infer.study import Study, list_places, name_column
from morpho.stats.spread import partial_eta_squared

FEWEST_PEOPLE = 20


def compare_regions(study: Study, effect: Effect, rois: Sequence[str] | None, family: str) -> dict[str, object]:
    """Test whether a group difference is the same in all regions of a family.

    Parameters
    ----------
    study
        People and settings.
    effect
        A difference between levels of one variable.
    rois
        Regions to compare, at least two; None for all of the family.
    family
        Its regions and hemispheres.

    Returns
    -------
    One row: F test of region by group, partial eta squared with its interval.

    Raises
    ------
    DesignError
        If fewer than two regions or 20 people have all volumes, or the design cannot be estimated.

    Notes
    -----
    Volumes are standardised by region; each region has its own covariate slopes. Equal effects are tested on the
    effects of all regions at once, whose covariance is that of the people's residuals across regions: a Wald test with
    an F reference, Hotelling's T squared of the residuals' contrasts. Source: Rencher AC, Methods of multivariate
    analysis, 2nd ed. 2002, chapter 5. ASSUME: residuals are multivariate normal.
    """
    places = [place for place in list_places(study.settings.families, [family]) if rois is None or place["roi"] in rois]
    columns = [name_column(place) for place in places if name_column(place) in study.people]
    if len(columns) < 2:
        msg = f"Region specificity compares at least two measured regions; there are {len(columns)} of {len(places)}."
        raise DesignError(msg)
    complete = study.people.dropna(subset=columns)
    settings = study.settings
    chosen = (settings.covariates, settings.head_size, settings.age_model, settings.min_residual_df)
    model = Model(effect.of, (effect.of,), *chosen)
    sample = select_sample(complete.assign(**{EVERYBODY: np.arange(len(complete), dtype=float)}), EVERYBODY, model)
    check_levels(effect, sample.data, settings.min_group_size)
    if len(sample.data) < FEWEST_PEOPLE:
        msg = (
            f"Region specificity needs {FEWEST_PEOPLE} people with all {len(columns)} volumes; {len(sample.data)} have."
        )
        raise DesignError(msg)
    X = build_design(sample)
    contrast = find_contrast(effect, sample.data, X.design_info)
    volumes = complete.set_index(complete["participant_id"].astype(str)).loc[sample.data["participant_id"], columns]
    F, df_numerator, df = _test_equality(volumes, X.to_numpy(), contrast)
    share = partial_eta_squared(F, df_numerator, df, settings.confidence)
    return {
        "family": family, "roi": "", "hemisphere": "", "status": "fitted",
        "reason": f"regions: {', '.join(dict.fromkeys(place['roi'] for place in places))}",
        "formula": sample.formula.replace("volume_mm3", "standardised volumes of all regions"),
        "contrast": f"({effect}) x region", "n": len(sample.data), "f": F, "df_numerator": df_numerator, "df": df,
        "p": float(stats.f.sf(F, df_numerator, df)), "effect_size": "partial_eta_squared",
        "estimate": share.value, "ci_low": share.ci_low, "ci_high": share.ci_high,
    }  # fmt: skip


def _test_equality(
    volumes: pd.DataFrame, X: np.typing.NDArray[np.float64], contrast: np.typing.NDArray[np.float64]
) -> tuple[float, int, int]:
    """Test that the effect on all standardised volumes is the same, by Hotelling's T squared."""
    for name in volumes:
        check_spread(volumes[name], str(name))
    Y = ((volumes - volumes.mean()) / volumes.std()).to_numpy(dtype=float)
    inverse = np.linalg.inv(X.T @ X)
    coefficients = inverse @ X.T @ Y
    residuals = Y - X @ coefficients
    n, p = X.shape
    differences = np.eye(Y.shape[1])[:-1] - np.eye(Y.shape[1])[1:]
    effects = differences @ (contrast @ coefficients)
    spread = differences @ (residuals.T @ residuals / (n - p)) @ differences.T
    q = len(effects)
    if n - p - q + 1 < 1 or np.linalg.matrix_rank(spread) < q:
        msg = f"{n} people are too few to compare {q + 1} regions, or two regions say the same. Name fewer regions."
        raise DesignError(msg)
    t2 = float(effects @ np.linalg.solve(spread, effects)) / float(contrast @ inverse @ contrast)
    df = n - p - q + 1
    return t2 * df / ((n - p) * q), q, df
