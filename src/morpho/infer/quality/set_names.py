"""The sets of scans that every effect is estimated in, besides the main one, in words: one list for all tables."""

from collections.abc import Mapping

from morpho.tables import describe_column

SETS: Mapping[str, str] = {
    "all_scans": "with all measured scans, whatever quality control or people say",
    "unflagged": "without scans that quality control flagged or failed",
    "human": "with the decisions of people alone, whatever quality control says",
}
_EFFECT = (
    ("n", "People (or other units that this table counts) {}", "as the counts of this table"),
    ("effect", "The effect of this row {}; same scale as the main one", "as the effect of this table"),
    ("ci_low", "Lower limit of the effect {}", "as the effect of this table"),
    ("ci_high", "Upper limit of the effect {}", "as the effect of this table"),
)
SET_COLUMNS: dict[str, dict[str, object]] = {
    f"{column}_{name}": describe_column(description.format(words), units=units)
    for name, words in SETS.items()
    for column, description, units in _EFFECT
}
SET_COUNTS = frozenset(f"n_{name}" for name in SETS)
