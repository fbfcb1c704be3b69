"""Which group differences a study shares with others: the main one, and those between groups of patients."""

from __future__ import annotations

import pandas as pd

# contrast of the export -> claim and test of the shipped claims file
SHARED_TESTS = {
    "first_control": ("C08", "first_control"),
    "recurrent_control": ("C08", "recurrent_control"),
    "recurrent_first": ("C08", "recurrent_first"),
    "early_control": ("C14", "early_onset_control"),
    "late_early": ("C14", "early_late_onset"),
}
MIRRORED = {"late_early"}  # the claim has early minus late onset
SIGNED = ("estimate_mm3", "t", "d", "g", "percent", "d_enigma")


def choose_contrasts(effects: pd.DataFrame, contrasts: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Choose the tables that go into an export.

    Parameters
    ----------
    effects
        ``group_comparison.tsv``.
    contrasts
        ``contrasts.tsv`` of the claims.

    Returns
    -------
    Contrast as ENIGMA names it -> rows, one per region and side; contrasts that were not tested are absent.
    """
    chosen = {"patient_control": effects.drop_duplicates(["roi", "hemisphere"])}
    for name, (claim, test) in SHARED_TESTS.items():
        rows = contrasts[(contrasts["claim_id"] == claim) & (contrasts["test"] == test)]
        if not len(rows) or rows["t"].isna().all():
            continue
        if name in MIRRORED:
            rows = rows.assign(
                **{column: -rows[column] for column in SIGNED},
                n_reference=rows["n_comparison"],
                n_comparison=rows["n_reference"],
            )
        chosen[name] = rows.drop_duplicates(["roi", "hemisphere"])
    return chosen
