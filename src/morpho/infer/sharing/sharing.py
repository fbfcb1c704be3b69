"""Group statistics to share: ENIGMA's table of a study, and the tables of several studies pooled without a scan.

Takes tables of effects, gives tables that hold numbers of groups only, and none of a group of few people.
`check_export` refuses a bundle that names a person or has columns that are not on the list.
"""

import logging
import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from morpho.errors import ConfigError, DesignError
from morpho.infer.sharing.dictionaries import (
    COMBINED,
    COMBINED_TEXT,
    EXPORT,
    FROM_EFFECTS,
    NUMBERS,
    SIDES,
    SPLITS,
    STRUCTURES,
    TO_POOL,
)
from morpho.infer.sharing.small_cells import SMALLEST_CELL
from morpho.stats.effects import adjust_p, standardise_as_enigma
from morpho.stats.meta_analysis import leave_one_out, pool_effects

logger = logging.getLogger(__name__)

SUBJECT = re.compile(r"\bsub-[0-9A-Za-z]+")


def build_enigma_export(
    effects: Mapping[str, pd.DataFrame], *, smallest: int = SMALLEST_CELL
) -> dict[str, pd.DataFrame]:
    """Write the effects of each contrast as ENIGMA's tables of summary statistics, ready for a meta-analysis.

    Parameters
    ----------
    effects
        Contrast (``patient_control`` ...) -> table with the columns of `FROM_EFFECTS` and, if there are any, formula,
        head_size and status; one row per region and side. Refused rows are left out.
    smallest
        Fewest people of a group. Rows with fewer are withheld, and so are those of other contrasts that part the same
        patients (`SPLITS`), from which they could be worked out.

    Returns
    -------
    Contrast -> table with the columns of `EXPORT`.

    Raises
    ------
    ConfigError
        If a table lacks a column, or has a region and side twice.

    Notes
    -----
    d: `morpho.stats.effects.standardise_as_enigma`. Columns are named as in the ENIGMA Toolbox.
    """
    tables = {contrast: _export_contrast(contrast, table) for contrast, table in effects.items()}
    small = {
        contrast: set(table.loc[(table[["n_controls", "n_patients"]] < smallest).any(axis=1), "Structure"])
        for contrast, table in tables.items()
    }
    for contrast, table in tables.items():
        siblings = {name for split in SPLITS if contrast in split for name in split if name in tables} - {contrast}
        beside = set().union(*(small[name] for name in siblings)) - small[contrast]
        reasons = dict.fromkeys(small[contrast], f"fewer than {smallest} people in a group")
        reasons |= dict.fromkeys(beside, "would give away the numbers of a small group")
        table["withheld"] = [reasons.get(name, "") for name in table["Structure"]]
        table["fdr_p"] = adjust_p(table["pobs"])
        table.loc[table["withheld"] != "", list(NUMBERS)] = np.nan
        logger.info("export %s: %d regions, %d withheld", contrast, len(table), (table["withheld"] != "").sum())
    return {name: table[list(EXPORT)] for name, table in tables.items()}


def check_export(
    tables: Mapping[str, pd.DataFrame],
    participants: Iterable[str] = (),
    *,
    columns: Iterable[str] = tuple(EXPORT),
    counts: Sequence[str] = ("n_controls", "n_patients"),
    smallest: int = SMALLEST_CELL,
) -> None:
    """Refuse a bundle that names a person, has a column that is not on the list, or shows a small group.

    Parameters
    ----------
    tables
        File name -> table.
    participants
        Identifiers of the participants, with or without "sub-".
    columns, counts, smallest
        All columns that may be shared, those with numbers of people among them, and the fewest to be shown.

    Raises
    ------
    ConfigError
        With all problems; identifiers are counted, not repeated.
    """
    allowed = set(columns)
    names = {str(name).removeprefix("sub-") for name in participants}
    problems = []
    for file, table in tables.items():
        foreign = [str(column) for column in table.columns if column not in allowed]
        if foreign:
            problems.append(f"{file} has the columns {', '.join(foreign)}, which are not among those to share")
        cells = (value for column in table for value in table[column].tolist())
        n_named = sum(isinstance(cell, str) and _names_someone(cell, names) for cell in cells)
        if n_named:
            problems.append(f"{file} has {n_named} cells with the identifier of a participant")
        for column in (name for name in counts if name in table):
            n_small = int(((table[column] > 0) & (table[column] < smallest)).sum())
            if n_small:
                problems.append(f"{file} shows {n_small} groups of fewer than {smallest} people in {column}")
    if problems:
        msg = f"These tables cannot be shared: {'; '.join(problems)}. Share only tables of build_enigma_export."
        raise ConfigError(msg)


def combine_exports(exports: Mapping[str, pd.DataFrame], *, confidence: float = 0.95) -> pd.DataFrame:
    """Pool the exported tables of several studies, region by region, without any scan or person.

    Parameters
    ----------
    exports
        Study -> its table: columns Structure, d_icv, se_icv, n_controls, n_patients, and Contrast if there are several.
        Tables of the ENIGMA Toolbox will do (dots in names are read as underscores).
    confidence
        Coverage of all intervals.

    Returns
    -------
    One row per contrast and structure, columns of `COMBINED`; refused, with the reason, below two studies.

    Raises
    ------
    ConfigError
        If there is no table, or one lacks a column or has a structure twice.

    Notes
    -----
    ASSUME: no person is in two studies. Sources: `morpho.stats.meta_analysis.pool_effects`.
    """
    if not exports:
        msg = "There are no tables to combine. Give the exported tables of at least two studies."
        raise ConfigError(msg)
    rows = pd.concat([_read_export(study, table) for study, table in exports.items()], ignore_index=True)
    combined = [
        _combine_region(str(contrast), str(structure), part, len(exports), confidence)
        for (contrast, structure), part in rows.groupby(["Contrast", "Structure"], sort=False)
    ]
    table = pd.DataFrame(combined, columns=list(COMBINED))
    for places in table.groupby("Contrast", sort=False).indices.values():
        table.loc[places, "p_fdr"] = adjust_p(table.loc[places, "p_hk"].to_numpy(float))
    kinds = {name: "float64" for name in COMBINED if name not in COMBINED_TEXT}
    return table.astype(kinds | dict.fromkeys(["k", "n_controls", "n_patients"], "Int64"))


def _names_someone(text: str, names: set[str]) -> bool:
    """Whether a cell is, or as a word of three letters or more contains, the identifier of a participant."""
    words = {word for word in re.findall(r"[\w-]+", text) if len(word) > 2}
    return bool(SUBJECT.search(text)) or text.strip() in names or not names.isdisjoint(words)


def _export_contrast(contrast: str, effects: pd.DataFrame) -> pd.DataFrame:
    """One table of ENIGMA's, nothing withheld yet."""
    _check_columns(contrast, effects, FROM_EFFECTS, ["roi", "hemisphere"])
    fitted = effects[effects["t"].notna() & (effects.get("status", "fitted") != "refused")]
    return pd.DataFrame([_export_row(contrast, row) for row in fitted.to_dict("records")], columns=list(EXPORT))


def _export_row(contrast: str, row: Mapping[Hashable, Any]) -> dict[str, object]:
    """One region."""
    n_controls, n_patients = int(row["n_reference"]), int(row["n_comparison"])
    enigma = standardise_as_enigma(float(row["t"]), float(row["df"]), n_controls, n_patients)
    head_size = row.get("head_size", "")
    return {
        "Contrast": contrast,
        "Structure": SIDES[row["hemisphere"]] + STRUCTURES.get(row["roi"], str(row["roi"]).replace("_", "")),
        "roi": row["roi"],
        "hemisphere": row["hemisphere"],
        "d_icv": enigma.value,
        "se_icv": enigma.se,
        "low_ci_icv": enigma.ci_low,
        "up_ci_icv": enigma.ci_high,
        "n_controls": n_controls,
        "n_patients": n_patients,
        "pobs": row["p"],
        "icv_adjusted": "not stated" if head_size == "" else "no" if head_size == "none" else "yes",
        "model": row.get("formula", ""),
    }


def _check_columns(name: str, table: pd.DataFrame, needed: Sequence[str], keys: Sequence[str]) -> None:
    """Refuse a table without the columns it needs, or with rows that cannot be told apart."""
    absent = [column for column in needed if column not in table]
    problems = [f"it lacks {', '.join(absent)}"] if absent else []
    if not absent and table.duplicated(list(keys)).any():
        problems.append(f"it has rows with the same {', '.join(keys)}")
    if problems:
        msg = (
            f"The table of {name} cannot be used: {'; '.join(problems)}. Needed are {', '.join(needed)}, one row each."
        )
        raise ConfigError(msg)


def _read_export(study: str, export: pd.DataFrame) -> pd.DataFrame:
    """Columns of one study's table that pooling needs."""
    table = export.rename(columns=lambda name: str(name).replace(".", "_"))
    if "Contrast" not in table:
        table["Contrast"] = ""
    _check_columns(study, table, TO_POOL, ["Contrast", "Structure"])
    return table[list(TO_POOL)].assign(study=study)


def _combine_region(
    contrast: str, structure: str, part: pd.DataFrame, n_studies: int, confidence: float
) -> dict[str, object]:
    """Pool one region."""
    given = part[part["d_icv"].notna() & (part["se_icv"] > 0)]
    row: dict[str, object] = {"Contrast": contrast, "Structure": structure, "studies": ", ".join(given["study"])}
    row |= {"k": len(given), "n_controls": given["n_controls"].sum(), "n_patients": given["n_patients"].sum()}
    d, variances = given["d_icv"].to_numpy(float), given["se_icv"].to_numpy(float) ** 2
    try:
        pooled = pool_effects(d, variances, confidence)
    except DesignError as error:
        return row | {"status": "refused", "reason": str(error)}
    row |= {name: value for name, value in asdict(pooled).items() if name in COMBINED} | {"status": "fitted"}
    if len(given) > 2:
        others = leave_one_out(d, variances)
        row |= {"leave_one_out_low": others.lowest, "leave_one_out_high": others.highest}
    n_silent = n_studies - len(given)
    return row | {"reason": f"{n_silent} of {n_studies} studies do not give this region" if n_silent else ""}
