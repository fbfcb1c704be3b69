"""Compare other tools with the manual labels, in the same table as manual_labels.py.

    python benchmarks/peers/compare.py DATA_DIR --pairs 1003-1023 --hippodeep CHECKOUT --freesurfer SUBJECTS_DIR

Each tool is run, or its tables are read, if its path is given; a tool without path is a row "not run" with the reason.
Where a tool fails on a scan that is a row too, and the comparison goes on. Columns: see manual_labels.py. Nothing is
installed or fetched here, though a tool may fetch its own weights.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from agreement import COLUMNS, compare_volumes, dice, overlap_rows, row_of
from grids import on_grid_of
from manual_labels import summarise
from manual_set import PROTOCOL, ManualScan, find_manual_scans, manual_volumes, parse_pairs, read_manual
from measuring import BenchmarkError, summary_line, write_results

from peers import brainchop, deepmriprep, hippodeep
from peers.naming import PeerError, PeerScan, Where
from peers.tables import read_freesurfer, read_synthseg

Runner = Callable[[ManualScan, Path], PeerScan]


def runners(arguments: argparse.Namespace) -> dict[str, Runner | str]:
    """Runner of each tool, or why it is not run."""
    found: dict[str, Runner | str] = {}
    for name, module in (("hippodeep", hippodeep), ("brainchop104", brainchop), ("deepmriprep", deepmriprep)):
        path = getattr(arguments, name)
        try:
            found[name] = _runner_of(module, path) if path else f"no path given (--{name})"
        except PeerError as error:
            found[name] = str(error)
    found["freesurfer"] = found["synthseg"] = "no path given"
    if arguments.freesurfer:
        found["freesurfer"] = lambda scan, _: read_freesurfer(arguments.freesurfer, scan.name)
    if arguments.synthseg:
        found["synthseg"] = lambda scan, _: read_synthseg(arguments.synthseg, scan.name)
    return found


def _runner_of(module: object, path: Path) -> Runner:
    """Runner of a program after a check of its path."""
    module.check(path)
    return lambda scan, folder: module.run(path, scan.t1w, folder)


def compare_tool(
    tool: str, runner: Runner, scans: Sequence[ManualScan], manual: pd.DataFrame, pairs: Sequence[tuple[str, str]]
) -> pd.DataFrame:
    """All figures of one tool."""
    rows, overlaps, failed = [], {}, []
    for scan in scans:
        try:
            with tempfile.TemporaryDirectory(prefix="peer-") as folder:
                result = runner(scan, Path(folder))
                overlaps |= _overlaps(scan, result)
        except PeerError as error:
            failed.append(row_of(tool, ("scan", scan.name, "all", "both"), "failure", n=0, note=str(error)))
            continue
        rows += [(scan.name, *where, volume) for where, volume in with_sums(result.volumes_mm3).items()]
    volumes = pd.DataFrame(rows, columns=["scan", "structure", "side", "volume_mm3"])
    table = compare_volumes(tool, volumes, manual, pairs)
    return pd.concat([table, overlap_rows(tool, overlaps), pd.DataFrame(failed, columns=list(COLUMNS))])


def _overlaps(scan: ManualScan, result: PeerScan) -> dict[tuple[str, str, str], float]:
    """Dice of each mask with the manual labels, on their grid."""
    if not result.masks:
        return {}
    manual = read_manual(scan)
    labels = np.asanyarray(manual.dataobj)
    overlaps = {}
    for (structure, side), mask in result.masks.items():
        drawn = np.isin(labels, [pair["RL".index(side)] for pair in PROTOCOL[structure].values()])
        overlaps[scan.name, structure, side] = dice(on_grid_of(mask, manual) > 0, drawn)
    return overlaps


def with_sums(volumes: Mapping[Where, float]) -> dict[Where, float]:
    """Volumes of both sides with their sums.

    Examples
    --------
    >>> with_sums({("amygdala", "L"): 1.0, ("amygdala", "R"): 2.0})["amygdala", "both"]
    3.0
    """
    sums = {(structure, "both"): volumes[structure, "L"] + volumes[structure, "R"] for structure, _ in volumes}
    return {**volumes, **sums}


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data_dir", type=Path, help="folder with ID_SS.nii.gz, ID_glm.nii.gz and labels.csv")
    parser.add_argument("--pairs", nargs="*", default=[], metavar="A-B", help="scans of one person, such as 1003-1023")
    parser.add_argument("--hippodeep", type=Path, help="checkout of hippodeep_pytorch")
    parser.add_argument("--brainchop104", type=Path, help="folder of brainchop's 104-class model")
    parser.add_argument("--deepmriprep", type=Path, help="a Python that has deepmriprep, or a checkout of it")
    parser.add_argument("--freesurfer", type=Path, help="FreeSurfer's folder of subjects, named by scan")
    parser.add_argument("--synthseg", type=Path, nargs="+", help="tables of mri_synthseg --parc --vol")
    parser.add_argument("--out", type=Path, default=Path("peers.tsv"), help="table to write")
    return parser.parse_args()


def main() -> None:
    """Run, compare, write the table, print the summary."""
    arguments = parse_arguments()
    try:
        scans = find_manual_scans(arguments.data_dir)
        pairs = parse_pairs(arguments.pairs, scans)
        manual = manual_volumes(scans)
    except BenchmarkError as error:
        sys.exit(f"compare: {error}")
    raters = compare_volumes("manual", manual, manual, pairs)
    tables = [raters[raters["measure"].isin(["volume_mm3", "rescan_percent"])]]
    values: dict[str, float | int | str] = {}
    for tool, runner in runners(arguments).items():
        if isinstance(runner, str):
            note = f"not run: {runner}"
            row = row_of(tool, ("tool", "all", "all", "both"), "not run", n=0, note=note)
            tables.append(pd.DataFrame([row], columns=list(COLUMNS)))
            sys.stdout.write(f"{tool}: {note}\n")
            values[tool] = "not_run"
            continue
        table = compare_tool(tool, runner, scans, manual, pairs)
        tables.append(table)
        figures = summarise(table, tool)
        values |= {f"{tool}_{key}": value for key, value in figures.items() if not key.endswith("_manual")}
    write_results(pd.concat(tables, ignore_index=True), arguments.out)
    sys.stdout.write(summary_line(values) + "\n")


if __name__ == "__main__":
    main()
