"""Published effects and measured properties of morpho itself, as tables that ship with the package.

Reads the files of ``morpho/reference``; a JSON dictionary beside each says what its columns are and where its numbers
come from. Nothing is computed or downloaded here.
"""

from importlib import resources

import pandas as pd

from morpho.errors import MorphoError
from morpho.tables import read_table

TEXT_COLUMNS = (
    "age_band", "dk_region", "measure", "source", "note", "study", "population", "effect_size", "bound", "measured_on",
)  # fmt: skip


def load_references() -> pd.DataFrame:
    """Load the published effects of ENIGMA-MDD on the regions of morpho.

    Returns
    -------
    One row per contrast, age band, region, hemisphere and measure; columns and their levels as in
    ``morpho/reference/enigma_mdd.json``. d is of the group named first minus the one named second.

    Raises
    ------
    MorphoError
        If the file is missing from the package.

    Notes
    -----
    Sources: Schmaal L et al., Molecular Psychiatry 2016;21:806-812, doi:10.1038/mp.2015.69 (volumes), and
    2017;22:900-909, doi:10.1038/mp.2016.60 (cortex), by way of the ENIGMA Toolbox; what was put right is in ``note``.
    """
    return _load("enigma_mdd.tsv")


def load_other_effects() -> pd.DataFrame:
    """Load other published effects: meta-analyses, treatment, severity, prediction.

    Raises
    ------
    MorphoError
        If the file is missing from the package.
    """
    return _load("other_effects.tsv")


def load_recovery() -> pd.DataFrame:
    """Load the share of a planted change of volume that morpho's own measurement shows, by region.

    Raises
    ------
    MorphoError
        If the file is missing from the package.
    """
    return _load("recovery.tsv")


def _load(name: str) -> pd.DataFrame:
    """Read a table of the package; missing notes are empty text."""
    file = resources.files("morpho").joinpath("reference", name)
    if not file.is_file():
        message = f"The table {name} is missing from the package. Install morpho again."
        raise MorphoError(message)
    with resources.as_file(file) as path:
        table = read_table(path, text=TEXT_COLUMNS)
    text = [name for name in ("note", "roi", "hemisphere") if name in table]
    return table.fillna(dict.fromkeys(text, ""))
