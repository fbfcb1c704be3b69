"""The table of precision as it is shown: counts that may be missing, and what each test can find, in words."""

from __future__ import annotations

import pandas as pd

from morpho.infer.sharing.precision import COUNTS, TEXTS, say_precision


def render_precision(planned: pd.DataFrame, *, family: str) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Prepare the table of precision for the report.

    Parameters
    ----------
    planned
        As read from ``precision.tsv``, its `TEXTS` kept as text.
    family
        Family of regions to tell of.

    Returns
    -------
    table
        Counts as whole numbers that may be missing, texts without missing cells.
    sentences
        What each test of the family can find of the effect that is to be expected; tests without one are left out.
    """
    table = planned.astype(dict.fromkeys(COUNTS, "Int64")).fillna(dict.fromkeys(TEXTS, ""))
    told = table[planned["expected"].notna() & (planned["family"] == family)].to_dict("records")
    return table, tuple(say_precision({str(name): value for name, value in row.items()}) for row in told)
