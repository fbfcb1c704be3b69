"""Whom morpho knows: the ages of the people behind its template and its trials, and what to say of other ages."""

from __future__ import annotations

import pandas as pd

TEMPLATE_YEARS = (18.5, 43.5)  # the people averaged in ICBM 152; Fonov V et al., doi:10.1016/j.neuroimage.2010.07.033
TRIED_YEARS = (19, 50)  # the people of ds002748 and ds000011, whose scans are in benchmarks/README.md
ADULT_YEARS = 18


def tell_ages(youngest: float, oldest: float, *, shown: bool = True) -> tuple[str, ...]:
    """Say what ages of a cohort lie outside of those that morpho knows.

    Parameters
    ----------
    youngest, oldest
        Ages in years; NaN if they are not known.
    shown
        Whether the ages, which are those of two people, may be told.

    Returns
    -------
    At most two sentences.

    Examples
    --------
    >>> tell_ages(20, 45)
    ()
    >>> tell_ages(20, 71)[0].partition(".")[0]
    'The oldest person is 71 years old'
    """
    template = f"{TEMPLATE_YEARS[0]:g} to {TEMPLATE_YEARS[1]:g} years"
    said = []
    if youngest < ADULT_YEARS:
        who = (
            f"The youngest person is {youngest:g} years old" if shown else f"Some are younger than {ADULT_YEARS} years"
        )
        said.append(
            f"{who}. Networks and template know adults only (template: {template}); the volumes of others may be wrong "
            "in a way that goes with age. Look at their overlays, or leave them out (config scans.participants)."
        )
    if oldest > TRIED_YEARS[1]:
        who = f"The oldest person is {oldest:g} years old" if shown else f"Some are older than {TRIED_YEARS[1]} years"
        said.append(
            f"{who}. morpho was tried on real scans of people aged {TRIED_YEARS[0]} to {TRIED_YEARS[1]} (template: "
            f"{template}). Look at the overlays of the oldest, and at registration_correlation in metrics.tsv."
        )
    return tuple(said)


def tell_sample(sample: pd.DataFrame, *, shown: bool) -> tuple[str, ...]:
    """Say the same of the table that describes a sample (``sample.tsv``).

    Parameters
    ----------
    sample
        Columns variable, minimum and maximum; nothing is said if it does not hold the age.
    shown
        Whether the ages, which are those of two people, may be told.
    """
    ages = sample[sample["variable"] == "age_years"]
    return tell_ages(float(ages["minimum"].min()), float(ages["maximum"].max()), shown=shown)
