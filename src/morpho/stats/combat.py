"""ComBat: take differences between sites out of many volumes of the same people, in mean and in spread.

Takes volumes (people x features), the site of each person, and columns whose effects must stay (age, sex, ...), and
gives volumes as if all came from one typical site. Learning and applying are apart, so that a prediction can learn
from its training people only. For a comparison of groups, site columns in the model are simpler and exact. Tests on
harmonised volumes that forget the site overstate certainty; and do not preserve the outcome that a prediction is
about, because that carries the answer into the volumes.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from morpho.errors import DesignError

STOP_CHANGE = 1e-4  # relative change that ends the iterations; the published one, on which the result depends
NEGLIGIBLE = 1e-12  # a spread below this share of the size of the values is rounding

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class CombatModel:
    """What `learn_combat` found: a volume is grand mean + preserved @ slopes + residual_sd * site effects.

    sites
        Labels of the sites, in the order of the rows of `shift` and `variance_ratio`.
    grand_mean, residual_sd : shape (features,)
        Mean over sites weighted by their people, and pooled standard deviation within sites, in units of the volumes.
    slopes : shape (columns, features)
        Effects of the preserved columns.
    shift, variance_ratio : shape (sites, features)
        Site's difference from the grand mean in units of `residual_sd`, and its variance over ``residual_sd**2``.
    """

    sites: tuple[str, ...]
    grand_mean: FloatArray
    slopes: FloatArray
    residual_sd: FloatArray
    shift: FloatArray
    variance_ratio: FloatArray


def learn_combat(
    Y: npt.ArrayLike,
    site: Iterable[object],
    preserved: npt.ArrayLike | None = None,
    *,
    empirical_bayes: bool = True,
    min_site_size: int = 5,
) -> CombatModel:
    """Learn how sites differ in mean and spread of each feature, at equal preserved columns.

    Parameters
    ----------
    Y : shape (people, features)
        Volumes; with `empirical_bayes` all of one kind (volumes only, not volumes and thicknesses).
    site : shape (people,)
        Label of each person's site.
    preserved : shape (people, columns) or None
        Columns whose effects must stay in the volumes, without an intercept.
    empirical_bayes
        Draw each site's differences towards their mean over features, which steadies small sites. False takes each
        feature by itself: the better choice for few features.
    min_site_size
        Fewest people a site may have, at least 2.

    Returns
    -------
    The model for `apply_combat`. One site alone is left as it is: shift 0, variance ratio 1.

    Raises
    ------
    DesignError
        If the numbers of people differ; if a volume, a preserved value or a site is missing; if a site has too few
        people, no spread in a feature, or cannot be told from the preserved columns; if a feature is constant; if
        there is a single feature and `empirical_bayes` is on.

    Notes
    -----
    Parametric ComBat, with the stopping rule of the published code. Sources: Johnson WE, Li C, Rabinovic A,
    Biostatistics 2007;8:118-127, doi:10.1093/biostatistics/kxj037; Fortin JP et al., NeuroImage 2018;167:104-120,
    doi:10.1016/j.neuroimage.2017.11.024.
    ASSUME: preserved columns act alike at all sites; residuals are normal; with `empirical_bayes`, a site's shifts
    are normal and its variance ratios inverse gamma over the features.
    """
    Y, X = _check_people(Y, preserved)
    sites, members = _check_sites(site, X, max(2, min_site_size))
    design = np.column_stack([np.eye(len(sites))[members], X])
    coefficients: FloatArray = np.linalg.lstsq(design, Y, rcond=None)[0].astype(np.float64)
    slopes = coefficients[len(sites) :]
    grand_mean = np.bincount(members) / members.size @ coefficients[: len(sites)]
    residual = Y - design @ coefficients
    residual_sd = np.sqrt((residual**2).mean(axis=0))
    _check_features(Y, residual_sd, empirical_bayes=empirical_bayes)
    _check_spread(Y, residual, members, sites)
    standardised = (Y - grand_mean - X @ slopes) / residual_sd
    groups = [standardised[members == number] for number in range(len(sites))]
    shift = np.array([group.mean(axis=0) for group in groups])
    ratio = np.array([group.var(axis=0, ddof=1) for group in groups])
    if len(sites) == 1:
        shift, ratio = np.zeros_like(shift), np.ones_like(ratio)
    elif empirical_bayes:
        shrunken = [_shrink(*parts) for parts in zip(groups, shift, ratio, strict=True)]
        shift, ratio = (np.array(rows) for rows in zip(*shrunken, strict=True))
    return CombatModel(sites, grand_mean, slopes, residual_sd, shift, ratio)


def apply_combat(
    model: CombatModel, Y: npt.ArrayLike, site: Iterable[object], preserved: npt.ArrayLike | None = None
) -> FloatArray:
    """Take the learnt differences between sites out of the volumes of the same or of other people.

    Parameters
    ----------
    model
        What `learn_combat` found.
    Y : shape (people, features)
        Volumes, with the features of the model in their order; a single person is enough.
    site : shape (people,)
        Label of each person's site, one of those of the model.
    preserved : shape (people, columns) or None
        The preserved columns of the model, in their order and coding.

    Returns
    -------
    Harmonised volumes, shape (people, features), in the units of `Y`.

    Raises
    ------
    DesignError
        If features or preserved columns are not as many as the model has; if the numbers of people differ; if a
        value or a site is missing; if a site was not among those learnt.
    """
    Y, X = _check_people(Y, preserved)
    if (Y.shape[1], X.shape[1]) != (model.grand_mean.size, len(model.slopes)):
        msg = (
            f"ComBat was learnt from {model.grand_mean.size} features and {len(model.slopes)} preserved columns, and "
            f"is applied to {Y.shape[1]} and {X.shape[1]}. Give the same columns in the same order."
        )
        raise DesignError(msg)
    labels = _read_labels(site, len(Y))
    unseen = sorted(set(labels) - set(model.sites))
    if unseen:
        msg = (
            f"ComBat has not learnt the sites {', '.join(unseen)}; it knows {', '.join(model.sites)}. Learn from "
            "people of all sites, or leave out those of other sites."
        )
        raise DesignError(msg)
    members = np.array([model.sites.index(label) for label in labels], dtype=np.int64)
    expected = model.grand_mean + X @ model.slopes
    standardised = (Y - expected) / model.residual_sd
    harmonised = (standardised - model.shift[members]) / np.sqrt(model.variance_ratio[members])
    volumes: FloatArray = harmonised * model.residual_sd + expected
    return volumes


def _shrink(group: FloatArray, shift: FloatArray, ratio: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Posterior shift and variance ratio of one site, (features,), from its standardised volumes (people, features).

    The inverse gamma prior with mean m and variance s2 has shape a = 2 + m^2 / s2 and scale b = m (a - 1); numerator
    and denominator are taken times s2, so that features with equal spread (s2 = 0) are no special case.
    """
    n = len(group)
    prior_mean, prior_variance = shift.mean(), shift.var(ddof=1)
    m, s2 = ratio.mean(), ratio.var(ddof=1)
    new_shift, new_ratio = shift, ratio
    while True:
        old_shift, old_ratio = new_shift, new_ratio
        new_shift = (prior_variance * n * shift + old_ratio * prior_mean) / (prior_variance * n + old_ratio)
        squares = ((group - new_shift) ** 2).sum(axis=0)
        new_ratio = (s2 * squares / 2 + m * (s2 + m**2)) / (s2 * (n / 2 + 1) + m**2)
        moved = np.abs(new_shift - old_shift) > STOP_CHANGE * np.abs(old_shift) + NEGLIGIBLE
        if not (moved.any() or (np.abs(new_ratio - old_ratio) > STOP_CHANGE * old_ratio).any()):
            return new_shift, new_ratio


def _check_people(Y: npt.ArrayLike, preserved: npt.ArrayLike | None) -> tuple[FloatArray, FloatArray]:
    """Give volumes and preserved columns as tables, the latter with no column if there are none; refuse gaps."""
    volumes = np.asarray(Y, dtype=np.float64)
    columns = np.empty((len(volumes), 0)) if preserved is None else np.asarray(preserved, dtype=np.float64)
    if volumes.ndim != 2 or columns.ndim != 2 or len(volumes) != len(columns):
        msg = (
            "ComBat needs tables with one row per person; got volumes of shape "
            f"{volumes.shape} and preserved columns of shape {columns.shape}. Give a single feature as one column."
        )
        raise DesignError(msg)
    missing = int((~np.isfinite(volumes)).sum()), int((~np.isfinite(columns)).sum())
    if any(missing):
        msg = (
            f"ComBat needs complete data; {missing[0]} volumes and {missing[1]} preserved values are missing or not "
            "finite. Leave out the people or the features that have them."
        )
        raise DesignError(msg)
    return volumes, columns


def _read_labels(site: Iterable[object], n_people: int) -> list[str]:
    """Labels of sites as text; refuses missing ones and a wrong number of them."""
    values = list(site)
    missing = int(pd.isna(np.array(values, dtype=object)).sum())
    if missing or len(values) != n_people:
        msg = (
            f"ComBat needs the site of each of {n_people} people; got {len(values)}, of which {missing} are missing. "
            "Leave out people whose site is unknown."
        )
        raise DesignError(msg)
    return [str(value) for value in values]


def _check_sites(site: Iterable[object], X: FloatArray, min_site_size: int) -> tuple[tuple[str, ...], IntArray]:
    """Sites in sorted order and the number of each person's; refuses small sites and those that X gives away."""
    labels, members, sizes = np.unique(_read_labels(site, len(X)), return_inverse=True, return_counts=True)
    small = [f"{label} ({size})" for label, size in zip(labels, sizes, strict=True) if size < min_site_size]
    if small or not labels.size:
        msg = (
            f"ComBat needs at least {min_site_size} people per site; these have fewer: {', '.join(small) or 'all'}. "
            "Leave these sites out, or lower min_site_size (not below 2)."
        )
        raise DesignError(msg)
    # Within sites, every preserved column must vary, and none may follow from the others.
    within = X - np.array([X[members == number].mean(axis=0) for number in range(labels.size)])[members]
    length = np.sqrt((X**2).sum(axis=0))
    scaled = within / np.where(length > 0, length, 1.0)
    if np.linalg.matrix_rank(scaled, tol=1e-9) < X.shape[1]:
        msg = (
            f"Sites cannot be told from the {X.shape[1]} preserved columns: within sites, these are constant or follow "
            "from each other. Drop such columns (an intercept is one), or leave out sites with a single group."
        )
        raise DesignError(msg)
    return tuple(str(label) for label in labels), members.astype(np.int64)


def _check_features(Y: FloatArray, residual_sd: FloatArray, *, empirical_bayes: bool) -> None:
    """Refuse a single feature with empirical Bayes, and features without spread within sites."""
    if Y.shape[1] < 2 and empirical_bayes:
        msg = (
            f"Empirical Bayes needs at least 2 features to learn from each other; got {Y.shape[1]}. "
            "Add features, or set empirical_bayes to False."
        )
        raise DesignError(msg)
    constant = np.flatnonzero(residual_sd <= NEGLIGIBLE * np.sqrt((Y**2).mean(axis=0)))
    if constant.size:
        msg = (
            f"ComBat needs features that vary within sites beyond the preserved columns; features {constant.tolist()} "
            "(counted from 0) do not. Leave them out, or preserve fewer columns."
        )
        raise DesignError(msg)


def _check_spread(Y: FloatArray, residual: FloatArray, members: IntArray, sites: tuple[str, ...]) -> None:
    """Refuse a site in which a feature has no spread, before or after the preserved columns are taken out."""
    seen = []
    for number, site in enumerate(sites):
        own = Y[members == number]
        negligible = NEGLIGIBLE * np.abs(own).max(axis=0)
        flat = (np.ptp(own, axis=0) <= negligible) | (residual[members == number].std(axis=0) <= negligible)
        seen += [f"site {site}, feature {feature}" for feature in np.flatnonzero(flat)]
    if seen:
        msg = (
            f"ComBat cannot scale a feature that has no spread at a site: {'; '.join(seen)} (counted from 0). Leave "
            "out the feature or the site, and look for scans entered twice."
        )
        raise DesignError(msg)
