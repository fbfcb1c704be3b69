"""Who is learned from and who is predicted: folds that leave a whole site out, and folds that mix sites.

Takes labels, sites and families of the people and gives row numbers. Members of one family never stand on both sides
of a fold. Knows no features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from morpho.errors import DesignError

Integers = npt.NDArray[np.int64]
Labels = npt.NDArray[np.bool_]
Names = npt.NDArray[np.str_]


@dataclass(frozen=True)
class Fold:
    """Row numbers of the people a model learns from, and of those it then predicts."""

    train: Integers
    test: Integers


def find_sites(site: Names, label: Labels, fewest: int) -> list[str]:
    """List the sites that have at least `fewest` people with and without the label, in the order of their names."""
    return [
        str(name)
        for name in np.unique(site)
        if min(int(label[site == name].sum()), int((~label[site == name]).sum())) >= fewest
    ]


def leave_sites_out(site: Names, family: Names) -> list[Fold]:
    """Make one fold per site: its people are predicted from all other sites.

    Parameters
    ----------
    site, family : shape (people,)
        Site and family of each person. Relatives of a predicted person at another site are not learned from.

    Returns
    -------
    One fold per site, in the order of their names.

    Raises
    ------
    DesignError
        If there is only one site.
    """
    names = np.unique(site)
    if len(names) < 2:
        msg = f"Leaving sites out needs at least 2 sites; there is {', '.join(names)} only. Use mixed folds instead."
        raise DesignError(msg)
    folds = []
    for name in names:
        inside = site == name
        related = np.isin(family, family[inside])
        folds.append(Fold(np.flatnonzero(~related), np.flatnonzero(inside)))
    return folds


def mix_folds(label: Labels, site: Names, family: Names, *, n_splits: int, seed: int) -> list[Fold]:
    """Deal the people into folds with equal shares of every site and of the label at every site.

    Parameters
    ----------
    label, site : shape (people,)
        Class and site of each person.
    family : shape (people,)
        Families stay together; all different if nobody has relatives.
    n_splits
        Number of folds; fewer if the smaller class has fewer people or families.
    seed
        Seed of the deal.

    Returns
    -------
    Folds; each person is predicted in exactly one.

    Raises
    ------
    DesignError
        If a class has fewer than 2 people or families.

    Notes
    -----
    Were a site's share of the label left to chance, a fold with more of it would leave less to learn from, and scores
    inside sites would be turned round. A site without `n_splits` people of a class is dealt with the other such sites.
    """
    has_relatives = len(np.unique(family)) < len(family)
    counts = [len(np.unique(family[label == value])) for value in (False, True)]
    if min(counts) < 2:
        msg = f"Folds need 2 people (or families) of each class; there are {counts[0]} and {counts[1]}. Add people."
        raise DesignError(msg)
    n_folds = min(n_splits, *counts)
    strata = _join_strata(label, site, n_folds)
    kind = StratifiedGroupKFold if has_relatives else StratifiedKFold
    splitter = kind(n_splits=n_folds, shuffle=True, random_state=seed)
    pairs = splitter.split(np.zeros(len(label)), strata, family if has_relatives else None)
    return [Fold(train, test) for train, test in pairs]


def shuffle_within(label: Labels, site: Names, rng: np.random.Generator) -> Labels:
    """Shuffle the labels among the people of each site, so that every site keeps its share."""
    shuffled = label.copy()
    for name in np.unique(site):
        rows = np.flatnonzero(site == name)
        shuffled[rows] = rng.permutation(label[rows])
    return shuffled


def name_families(family: Sequence[object]) -> Names:
    """Give everyone a family name; people without one are a family of their own."""
    is_missing = pd.isna(pd.Series(list(family), dtype="object")).tolist()
    return np.array(
        [f"row {row}" if is_missing[row] or value == "" else f"family {value}" for row, value in enumerate(family)]
    )


def _join_strata(label: Labels, site: Names, fewest: int) -> Names:
    """Name the stratum of each person: class, and site; too small sites go together, or with the first large one."""
    large = find_sites(site, label, fewest)
    names = np.where(np.isin(site, large), np.char.add("site ", site), "")
    rest = names == ""
    if large and rest.any() and min(int(label[rest].sum()), int((~label[rest]).sum())) < fewest:
        names = np.where(rest, f"site {large[0]}", names)
    return np.array([f"{name} {int(value)}" for name, value in zip(names, label, strict=True)])
