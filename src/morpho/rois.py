"""Regions of interest: what hippocampus, anterior cingulate, prefrontal cortex ... are, as labels of an atlas.

Reads the table of regions and the label table of an atlas, checks them, and resolves every region into label indices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from morpho.errors import AtlasError, ConfigError, MorphoError
from morpho.tables import describe_column, read_table

ROI_COLUMNS = ("roi", "hemisphere", "atlas", "labels", "parts", "description")
LABEL_COLUMNS = ("index", "name", "hemisphere", "tissue")
SPLIT_COLUMNS = ("split_of", "max_z_mm")
NUMERIC_COLUMNS = {"index", "max_z_mm"}
SIDES = ("L", "R")
TISSUES = ("cortex", "subcortex", "other")
TOTALS = ("total_grey_matter", "total_white_matter", "total_csf", "brain_volume", "tiv", "affine_tiv")
VOLUMES = {
    "roi": describe_column("Region (config volumes.rois) or total"),
    "hemisphere": describe_column(
        "Hemisphere", levels={"L": "left", "R": "right", "mean": "mean of left and right", "whole": "whole head"}
    ),
    "n_voxels": describe_column("Voxels with labels of the region (a mean has none); of a total, of the brain mask"),
    "volume_mm3": describe_column("Grey-matter volume of a region, or volume of a total", units="mm^3"),
}


def read_rois(path: str | Path) -> pd.DataFrame:
    """Read the table of regions and check it.

    Parameters
    ----------
    path
        TSV with the columns of `ROI_COLUMNS`: ``labels`` are names of atlas labels, ``parts`` names of other regions
        of the same hemisphere; both are separated by commas, and a region has at least one of them.

    Returns
    -------
    One row per region and hemisphere, in the order of the file; ``labels`` and ``parts`` are tuples of names.

    Raises
    ------
    ConfigError
        With all problems: unknown or absent columns, repeated rows, a hemisphere that is absent or not L or R, a
        region without labels and parts, parts that are no region or contain one another.
    """
    table = _read_user_table(path, ROI_COLUMNS, (), ConfigError)
    table["labels"] = table["labels"].map(_split_names)
    table["parts"] = table["parts"].map(_split_names)
    table["description"] = table["description"].fillna("")
    problems = _row_problems(table) + _part_problems(table)
    if problems:
        raise ConfigError(_list_problems("region table", path, problems))
    return table[list(ROI_COLUMNS)]


def read_labels(path: str | Path) -> pd.DataFrame:
    """Read the label table of an atlas and check it.

    Parameters
    ----------
    path
        TSV with the columns index, name, hemisphere (L, R, B for both), tissue (cortex, subcortex, other), and, if
        labels are carved out of others, split_of (name of the other label, same hemisphere) and max_z_mm (height in
        template space below which its voxels get this label's index).

    Returns
    -------
    One row per label; index is int, max_z_mm float, split_of text or NaN.

    Raises
    ------
    AtlasError
        With all problems of the table.
    """
    table = _read_user_table(path, LABEL_COLUMNS, SPLIT_COLUMNS, AtlasError)
    problems = []
    if not pd.api.types.is_integer_dtype(table["index"]) or (table["index"] < 1).any():
        problems.append("column 'index' must hold whole numbers above 0")
    for columns in (["index"], ["name", "hemisphere"]):
        twice = table.loc[table.duplicated(columns), columns].to_dict("records")
        problems += [f"{', '.join(columns)} {', '.join(map(str, row.values()))} is there twice" for row in twice]
    if table["name"].isna().any():
        problems.append(f"{int(table['name'].isna().sum())} label(s) have no name")
    for column, allowed in (("hemisphere", (*SIDES, "B")), ("tissue", TISSUES)):
        seen = sorted(set(table[column].fillna("n/a").astype(str)).difference(allowed))
        problems += [f"column '{column}' has '{value}'; allowed are {', '.join(allowed)}" for value in seen]
    problems += _split_problems(table)
    if problems:
        raise AtlasError(_list_problems("label table", path, problems))
    return table


def resolve_rois(rois: pd.DataFrame, labels: pd.DataFrame) -> pd.DataFrame:
    """Resolve every region into the indices of its atlas labels.

    Parameters
    ----------
    rois
        From `read_rois`.
    labels
        From `read_labels`.

    Returns
    -------
    One row per region and hemisphere, in the order of `rois`: roi, hemisphere, label_indices (sorted list of int,
    each once, the labels of its parts included).

    Raises
    ------
    AtlasError
        Naming all labels that the atlas does not have in that hemisphere.
    """
    indices = {(row["name"], row["hemisphere"]): int(row["index"]) for row in labels.to_dict("records")}
    regions = {(row["roi"], row["hemisphere"]): row for row in rois.to_dict("records")}
    missing: list[str] = []
    for (roi, side), row in regions.items():
        absent = [name for name in row["labels"] if (name, side) not in indices]
        missing += [f"{name} ({side}, region {roi})" for name in absent]
    if missing:
        message = (
            f"The region table names labels that the atlas does not have: {', '.join(missing)}. Its labels are "
            f"{', '.join(dict.fromkeys(labels['name']))}. Correct the names, or the hemisphere of the label table."
        )
        raise AtlasError(message)
    resolved = {key: sorted({indices[name, key[1]] for name in _all_labels(key, regions)}) for key in regions}
    return pd.DataFrame(
        {
            "roi": [roi for roi, _ in resolved],
            "hemisphere": [side for _, side in resolved],
            "label_indices": list(resolved.values()),
        }
    )


def check_regions(rois: pd.DataFrame, *, atlas: str, families: Mapping[str, Mapping[str, Sequence[str]]]) -> None:
    """Check that the regions belong to the atlas and that the families of tests name regions that exist.

    Parameters
    ----------
    rois
        From `read_rois`.
    atlas
        Name of the atlas in use.
    families
        config models.families: name -> ``rois`` and ``hemispheres``. Regions have the hemispheres L, R and mean;
        totals (`TOTALS`) have "whole".

    Raises
    ------
    ConfigError
        With all problems.
    """
    others = sorted(set(rois["atlas"].fillna("n/a")) - {atlas})
    problems = [f"the region table has regions of atlas '{name}', config atlas.name is '{atlas}'" for name in others]
    known = list(dict.fromkeys(rois["roi"]))
    clash = sorted(set(known).intersection(TOTALS))
    problems += [f"the region table has a region '{name}', which is the name of a total" for name in clash]
    for family, content in families.items():
        key = f"config models.families.{family}"
        unknown = [name for name in content["rois"] if name not in known and name not in TOTALS]
        if unknown:
            allowed = ", ".join([*known, *TOTALS])
            problems.append(f"{key}.rois names {', '.join(unknown)}; known are {allowed}")
        n_totals = sum(name in TOTALS for name in content["rois"])
        whole = list(content["hemispheres"]) == ["whole"]
        if n_totals and not (whole and n_totals == len(content["rois"])):
            problems.append(f"{key}: totals need hemispheres: [whole] and a family of their own")
        elif not n_totals and "whole" in content["hemispheres"]:
            problems.append(f"{key}.hemispheres has 'whole', which only totals have; regions have L, R, mean")
    if problems:
        raise ConfigError(_list_problems("configuration", "config.yaml", problems))


def _read_user_table(
    path: str | Path, required: tuple[str, ...], optional: tuple[str, ...], error: type[MorphoError]
) -> pd.DataFrame:
    """Read a table that a person wrote; its columns are closed."""
    if not Path(path).is_file():
        message = f"There is no file '{path}'. Set the config key that names it to an existing table."
        raise error(message)
    table = read_table(path, text={*required, *optional} - NUMERIC_COLUMNS)
    absent = [name for name in required if name not in table.columns]
    unknown = [str(name) for name in table.columns if name not in required + optional]
    problems = [f"column '{name}' is absent" for name in absent]
    problems += [f"column '{name}' is unknown" for name in unknown]
    if problems:
        problems.append(f"columns are {', '.join(required)}{', optional ' + ', '.join(optional) if optional else ''}")
        raise error(_list_problems("table", path, problems))
    return table


def _split_names(cell: Any) -> tuple[str, ...]:
    """Names separated by commas."""
    return tuple(name.strip() for name in str(cell).split(",") if name.strip()) if isinstance(cell, str) else ()


def _row_problems(table: pd.DataFrame) -> list[str]:
    """Problems of single rows, and of the pair of rows of a region."""
    problems = []
    sides: dict[str, list[str]] = {}
    for row in table.to_dict("records"):
        name = f"region '{row['roi']}' ({row['hemisphere']})"
        sides.setdefault(str(row["roi"]), []).append(str(row["hemisphere"]))
        if row["hemisphere"] not in SIDES:
            problems.append(f"{name}: the hemisphere must be L or R")
        if not str(row["roi"]).replace("_", "a").isalnum() or not isinstance(row["roi"], str):
            problems.append(f"{name}: the name may have letters, digits and underscores only")
        if not row["labels"] and not row["parts"]:
            problems.append(f"{name} has neither labels nor parts")
    for roi, found in sides.items():
        if sorted(found) != sorted(SIDES) and set(found) <= set(SIDES):
            problems.append(f"region '{roi}' must have one row for L and one for R, it has {', '.join(found)}")
    return problems


def _part_problems(table: pd.DataFrame) -> list[str]:
    """Parts that are no region, and regions that contain themselves."""
    regions = {(row["roi"], row["hemisphere"]): row for row in table.to_dict("records")}
    problems = []
    for (roi, side), row in regions.items():
        unknown = [part for part in row["parts"] if (part, side) not in regions]
        problems += [f"region '{roi}' ({side}): its part '{part}' is no region" for part in unknown]
    if problems:
        return problems
    for key in regions:
        if key in _reachable(key, regions):
            problems.append(f"region '{key[0]}' ({key[1]}) contains itself through its parts")
    return problems


def _reachable(start: tuple[Any, Any], regions: Mapping[tuple[Any, Any], Mapping[Any, Any]]) -> set[tuple[Any, Any]]:
    """All regions below `start`, which is among them only if it contains itself."""
    found: set[tuple[Any, Any]] = set()
    waiting = [start]
    while waiting:
        parts = [(part, start[1]) for part in regions[waiting.pop()]["parts"]]
        waiting += [part for part in parts if part not in found]
        found.update(parts)
    return found


def _all_labels(key: tuple[Any, Any], regions: Mapping[tuple[Any, Any], Mapping[Any, Any]]) -> set[str]:
    """Names of the labels of a region and of all its parts."""
    return {name for region in {key} | _reachable(key, regions) for name in regions[region]["labels"]}


def _split_problems(table: pd.DataFrame) -> list[str]:
    """Problems of the labels that are carved out of others."""
    present = [column for column in SPLIT_COLUMNS if column in table.columns]
    if len(present) == 1:
        return [f"split labels need both columns {' and '.join(SPLIT_COLUMNS)}, there is only '{present[0]}'"]
    if not present:
        return []
    names = set(zip(table["name"], table["hemisphere"], strict=True))
    problems = []
    if not pd.api.types.is_numeric_dtype(table["max_z_mm"]):
        problems.append("column 'max_z_mm' must hold numbers or n/a")
    for row in table[table["split_of"].notna() | table["max_z_mm"].notna()].to_dict("records"):
        name = f"label '{row['name']}' ({row['hemisphere']})"
        if pd.isna(row["split_of"]) or pd.isna(row["max_z_mm"]):
            problems.append(f"{name} needs both split_of and max_z_mm, or neither")
        elif (row["split_of"], row["hemisphere"]) not in names or row["split_of"] == row["name"]:
            problems.append(f"{name} is split of '{row['split_of']}', no other label of that hemisphere")
    return problems


def _list_problems(what: str, path: str | Path, problems: Sequence[str]) -> str:
    """One message for all problems of a table."""
    return f"The {what} '{path}' cannot be used:\n" + "\n".join(f"- {problem}" for problem in problems)
