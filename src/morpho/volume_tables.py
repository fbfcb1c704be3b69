"""Volumes that were measured elsewhere: one table of them in place of scans.

Takes a table as people have it, one row per participant (and session) or one per volume, and gives the long table of
volumes and the table of scans that measuring would have given. Nothing is filled in but the mean of left and right.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection
from pathlib import Path

import pandas as pd

from morpho.columns import read_numbers
from morpho.errors import ParticipantsError
from morpho.participants import normalise_ids
from morpho.scans import COLUMNS, row_without_scan
from morpho.user_tables import list_some, read_cells

LOGGER = logging.getLogger(__name__)

KEYS = ["participant_id", "session_id"]
HEMISPHERES = {
    "l": "L", "left": "L", "lh": "L", "r": "R", "right": "R", "rh": "R", "mean": "mean", "whole": "whole",
}  # fmt: skip
TIV = "tiv"
TIV_NAMES = frozenset({"tiv", "etiv", "estimatedtotalintracranialvol", "icv"})
WIDE_NAME = re.compile(r"(.+)_(L|R|mean|whole)_mm3")
SMALLEST_TIV_MM3 = 1e5  # a tenth of a small head: below it, the unit is hardly mm3
NO_VOLUME = "no volume in the table of volumes"
NO_ROW = "no row in the table of volumes"


def read_volume_table(
    path: str | Path, *, regions: Collection[str], totals: Collection[str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read a table of volumes that were measured elsewhere.

    Parameters
    ----------
    path
        Separated by tabs, or by commas if its name ends with ``.csv``. Either long, with the columns
        ``participant_id``, ``roi``, ``hemisphere`` (L, R, mean, whole) and ``volume_mm3``; or wide, with
        ``participant_id`` and one column ``<roi>_<hemisphere>_mm3`` per volume. ``session_id`` may be there. The
        intracranial volume may be called as in `TIV_NAMES`.
    regions
        Names of regions, which have the hemispheres L, R and mean.
    totals
        Names of totals, which have the hemisphere whole.

    Returns
    -------
    volumes
        Columns participant_id, session_id ("" if there is none), scan, roi, hemisphere, volume_mm3 (missing is NaN).
        Where the mean of a region is missing and both sides are there, it is their mean.
    scans
        The scans table (`morpho.bids.find_scans`), one row per participant and session of the table, all chosen but
        those without any volume; ``path`` is the name of the table.

    Raises
    ------
    ParticipantsError
        If `morpho.user_tables.read_cells` refuses the file, it holds no known volume, or, with all problems, rows lack
        their participant, volumes are there twice, or cells are no number above 0.
    """
    path = Path(path)
    cells = normalise_ids(read_cells(path))
    if cells.empty:
        message = f"{path.name} has a header, but no rows. It needs one row per participant (and session), or volume."
        raise ParticipantsError(message)
    if "session_id" not in cells:
        cells.insert(1, "session_id", "")
    is_long = {"roi", "volume_mm3"}.issubset(cells.columns)
    rows = _read_long(cells) if is_long else _read_wide(cells)
    known = _is_known(rows, regions, totals)
    unknown = sorted(set(rows.loc[~known, "name"]))
    if unknown:
        LOGGER.warning(
            "%s: these are no volumes of config volumes.rois and are ignored: %s", path.name, list_some(unknown)
        )
    if not known.any():
        example = f"{next(iter(regions))}_L_mm3"
        message = (
            f"{path.name} holds no volume that is known. Columns: {list_some(map(str, cells.columns))}. Name them "
            f"<roi>_<hemisphere>_mm3, such as {example}, or use the columns roi, hemisphere and volume_mm3."
        )
        raise ParticipantsError(message)
    rows = rows[known].reset_index(drop=True)
    rows["volume_mm3"] = _parse_volumes(rows, path.name)
    return _arrange(cells[KEYS].drop_duplicates(ignore_index=True), rows, [*regions, *totals], path.name)


def _read_long(cells: pd.DataFrame) -> pd.DataFrame:
    """Rows of a long table: its keys, roi, hemisphere, the name of the volume and its cell."""
    roi = cells["roi"].fillna("n/a")
    is_tiv = roi.str.casefold().isin(TIV_NAMES)
    side = cells["hemisphere"] if "hemisphere" in cells else pd.Series("", index=cells.index, dtype="str")
    hemisphere = side.str.strip().str.casefold().map(HEMISPHERES).astype("str").fillna("whole")
    name = roi + "_" + side.fillna("n/a")
    return cells[KEYS].assign(roi=roi.mask(is_tiv, TIV), hemisphere=hemisphere, name=name, cell=cells["volume_mm3"])


def _read_wide(cells: pd.DataFrame) -> pd.DataFrame:
    """Rows of a wide table in the form of `_read_long`."""
    names = {number: str(name) for number, name in enumerate(cells.columns) if name not in KEYS}
    numbered = cells.rename(columns={name: number for number, name in names.items()})
    rows = numbered.melt(id_vars=KEYS, var_name="number", value_name="cell")
    split = {number: _split_name(name) for number, name in names.items()}
    numbers = rows.pop("number").tolist()
    rows["name"] = pd.Series([names[number] for number in numbers], dtype="str")
    rows["roi"] = pd.Series([split[number][0] for number in numbers], dtype="str")
    rows["hemisphere"] = pd.Series([split[number][1] for number in numbers], dtype="str")
    return rows


def _split_name(name: str) -> tuple[str, str]:
    """Region and hemisphere of a column of a wide table, "" if it is no volume."""
    if name.casefold() in TIV_NAMES:
        return TIV, "whole"
    match = WIDE_NAME.fullmatch(name)
    return (match[1], match[2]) if match else ("", "")


def _is_known(rows: pd.DataFrame, regions: Collection[str], totals: Collection[str]) -> pd.Series[bool]:
    """Which rows are volumes of known regions and totals."""
    is_whole = rows["hemisphere"] == "whole"
    return (rows["roi"].isin(list(totals)) & is_whole) | (rows["roi"].isin(list(regions)) & ~is_whole)


def _parse_volumes(rows: pd.DataFrame, name: str) -> pd.Series[float]:
    """Volumes in mm3; missing participants, repeated volumes and cells that are no volume are refused."""
    problems = []
    n_lost = int(rows["participant_id"].isna().sum())
    if n_lost:
        problems.append(f"volumes in {n_lost} row(s) without participant_id")
    where = (rows["participant_id"].fillna("?") + " " + rows["session_id"]).str.strip() + " " + rows["name"]
    twice = sorted(set(where[rows.duplicated([*KEYS, "roi", "hemisphere"], keep=False)]))
    if twice:
        problems.append(f"volumes that are there more than once: {list_some(twice)}")
    volumes_mm3 = read_numbers(rows["cell"])
    wrong = rows["cell"].notna() & ~(volumes_mm3 > 0)
    if wrong.any():
        seen = list_some(f"{where[row]}: '{rows['cell'][row]}'" for row in rows.index[wrong])
        problems.append(f"cells that are no volume in mm3 (a number above 0, decimal point '.', or n/a): {seen}")
    if problems:
        message = f"{name} cannot be used; it has:\n" + "\n".join(f"- {line}" for line in problems) + "\nCorrect these."
        raise ParticipantsError(message)
    tiv_mm3 = volumes_mm3[rows["roi"] == TIV].median()
    if tiv_mm3 < SMALLEST_TIV_MM3:
        LOGGER.warning("%s: the median intracranial volume is %g mm3; is it in another unit?", name, tiv_mm3)
    return volumes_mm3


def _arrange(keys: pd.DataFrame, rows: pd.DataFrame, order: list[str], name: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Long table of volumes in the order of `keys` and `order`, means added, and the table of scans."""
    keys = keys.dropna(subset=["participant_id"]).reset_index(drop=True)
    keys["scan"] = (keys["participant_id"] + "_" + keys["session_id"]).str.removesuffix("_")
    wide = rows.set_index([*KEYS, "roi", "hemisphere"])["volume_mm3"].unstack(["roi", "hemisphere"])  # noqa: PD010
    wide = wide.reindex(pd.MultiIndex.from_frame(keys[KEYS]))
    columns = {(str(key[0]), str(key[1])): wide[key].to_numpy(dtype=float) for key in wide.columns.tolist()}
    for roi in [roi for roi, side in list(columns) if side == "L" and (roi, "R") in columns]:
        mean = pd.Series((columns[roi, "L"] + columns[roi, "R"]) / 2)
        columns[roi, "mean"] = pd.Series(columns.get((roi, "mean"), mean)).fillna(mean).to_numpy()
    stacked = [
        keys.assign(roi=roi, hemisphere=side, volume_mm3=columns[roi, side])
        for roi in dict.fromkeys(order)
        for side in ("L", "R", "mean", "whole")
        if (roi, side) in columns
    ]
    volumes = pd.concat(stacked).sort_index(kind="stable").reset_index(drop=True)
    measured = set(volumes.loc[volumes["volume_mm3"].notna(), "scan"])
    scans = []
    for row in keys.to_dict("records"):
        reason = "" if row["scan"] in measured else NO_VOLUME
        scan = row_without_scan(str(row["participant_id"]), str(row["session_id"]))
        scans.append({**scan, "path": name, "chosen": not reason, "reason": reason})
    LOGGER.info("%s: volumes of %d scans, %d volumes each", name, len(measured), len(columns))
    return volumes[volumes["scan"].isin(measured)].reset_index(drop=True), pd.DataFrame(scans, columns=list(COLUMNS))
