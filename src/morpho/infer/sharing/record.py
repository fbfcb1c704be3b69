"""What was done, for the record: settings, seeds, families and numbers of people, beside the tables of a study."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd


def record_statistics(
    models: Mapping[str, Any],
    *,
    versions: Mapping[str, str],
    claims_sha256: str,
    exclusions: pd.DataFrame,
    effects: pd.DataFrame,
    claims: pd.DataFrame,
) -> dict[str, Any]:
    """Put everything that one would need to repeat the statistics into one record.

    Parameters
    ----------
    models
        Block ``models`` of the configuration.
    versions
        Versions of the software.
    claims_sha256
        Checksum of the claims file.
    exclusions
        All exclusions, columns ``stage`` and ``reason``.
    effects
        ``group_comparison.tsv``.
    claims
        ``claims.tsv``.

    Returns
    -------
    Record that JSON can hold.
    """
    fitted = effects[effects["status"] == "fitted"]
    reasons = exclusions.groupby(["stage", "reason"]).size().reset_index(name="n") if len(exclusions) else exclusions
    return {
        "versions": dict(versions),
        "models": {key: value for key, value in models.items() if key != "families"},
        "families": {
            name: {"rois": list(family["rois"]), "hemispheres": list(family["hemispheres"])}
            for name, family in models["families"].items()
        },
        "claims_sha256": claims_sha256,
        "permutation": {"n_permutations": models["n_permutations"], "seed": models["seed"], "blocks": "site"},
        "head_size": sorted(set(effects["head_size"].dropna())),
        "formulas": sorted(set(fitted["formula"].dropna())),
        "n_reference": sorted({int(n) for n in fitted["n_reference"].dropna()}),
        "n_comparison": sorted({int(n) for n in fitted["n_comparison"].dropna()}),
        "exclusions": reasons.to_dict("records"),
        "claims": {str(name): int(n) for name, n in claims["status"].value_counts().items()},
        "verdicts": {str(name): int(n) for name, n in claims["verdict"].dropna().value_counts().items()},
    }
