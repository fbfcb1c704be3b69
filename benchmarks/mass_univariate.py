"""Time morpho's linear models and permutation tests beside the plain loop over regions, models and permutations.

    python benchmarks/mass_univariate.py --people 10000 --regions 40 --models 12 --permutations 5000 --cores 2

The volumes are simulated. The models test different terms with different covariates, 7 to 12 columns with site dummies,
in the same people. morpho's side fits each model to all regions (`fit_linear`, `estimate_contrast`) and permutes all
models together (`permute_together`). The loop fits statsmodels' OLS to each region in each model and calls nilearn's
`permuted_ols` once per model, for all its regions at once, with a job per core. It gives only p corrected for the
regions; morpho gives the uncorrected ones too.

Each side runs in a process of its own, in turn. Seconds are those of the work, without imports and simulation; the
ratio is that of medians over the repeats. CPU seconds include waiting threads and the start of the loop's workers.
peak_rss_mb is the largest memory of the process, imports included, of the loop without its workers. t_difference is the
largest difference of t between statsmodels and morpho, relative to t or to 1 if t is smaller; p_difference the largest
difference of corrected p, in standard errors of two Monte Carlo runs. With --loop-permutations the loop makes fewer
permutations; their seconds are scaled up, which the output says.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import statsmodels.api as sm
from measuring import BenchmarkError, summary_line
from nilearn.mass_univariate import permuted_ols
from numpy.typing import NDArray

from morpho.stats.linear import estimate_contrast, fit_linear
from morpho.stats.permutation import PlannedTest, permute_together

FloatArray = NDArray[np.float64]

SIDES = ("loop", "morpho")
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
TESTED = ("group", "severity", "duration", "episodes", "onset", "stress")
COVARIATES = (
    (),
    ("head",),
    ("head", "age_squared"),
    ("head", "education", "handedness"),
    ("head", "age_squared", "education", "handedness", "quality"),
)
ALL_MODELS = ("age", "sex", "site_b", "site_c", "site_d")
EFFECT = 0.05  # standard deviations of volume per standard deviation of a clinical variable, in some regions
SAME_T = 1e-10
BYTES_PER_KIB, BYTES_PER_MB = 1024, 1e6


@dataclass(frozen=True)
class Size:
    """How large the problem is."""

    people: int
    regions: int
    models: int
    permutations: int


@dataclass(frozen=True)
class Side:
    """What one side took and found; `t` and `p` have shape (models, regions), p corrected for the regions."""

    t: FloatArray
    p: FloatArray
    fit_seconds: float
    permute_seconds: float
    permutations: int
    cpu_seconds: float = float("nan")
    peak_rss_mb: float = float("nan")


def simulate(size: Size, seed: int = 0) -> tuple[FloatArray, list[FloatArray]]:
    """Volumes, shape (people, regions), and designs with the tested column first and the intercept second."""
    rng = np.random.default_rng(seed)
    site = rng.integers(0, 4, size.people)
    age = rng.normal(size=size.people)
    columns = {name: rng.normal(size=size.people) + 0.3 * age for name in TESTED}
    columns["group"] = (columns["severity"] + rng.normal(size=size.people) > 0).astype(float)
    columns |= {name: rng.normal(size=size.people) for name in ("head", "education", "quality")}
    columns |= {"age": age, "age_squared": age**2}
    columns |= {name: rng.integers(0, 2, size.people).astype(float) for name in ("sex", "handedness")}
    columns |= {f"site_{name}": (site == number).astype(float) for number, name in enumerate("abcd")}
    shared = rng.normal(size=size.people) + 0.5 * columns["head"] - 0.2 * age + 0.1 * site
    volumes = shared[:, None] + rng.normal(size=(size.people, size.regions))
    volumes[:, ::4] -= EFFECT * columns["group"][:, None]
    designs = []
    for number in range(size.models):
        names = (*ALL_MODELS, *COVARIATES[number % len(COVARIATES)])
        tested = columns[TESTED[number % len(TESTED)]]
        designs.append(np.column_stack([tested, np.ones(size.people), *(columns[name] for name in names)]))
    return 4000 + 300 * volumes, designs


def run_morpho(volumes: FloatArray, designs: list[FloatArray], permutations: int) -> Side:
    """Fit and permute as morpho does."""
    began = time.perf_counter()
    t = [estimate_contrast(fit_linear(volumes, X), np.eye(X.shape[1])[0]).t for X in designs]
    fitted = time.perf_counter()
    planned = [PlannedTest(X, np.eye(X.shape[1])[0]) for X in designs]
    tests = permute_together(volumes, planned, n_permutations=permutations)
    ended = time.perf_counter()
    p = np.array([test.p_familywise for test in tests])
    return Side(np.array(t), p, fitted - began, ended - fitted, tests[0].n_permutations)


def run_loop(
    volumes: FloatArray, designs: list[FloatArray], permutations: int, cores: int, scale_to: int | None = None
) -> Side:
    """Fit every region in every model with statsmodels, and permute every model with nilearn.

    With `scale_to`, seconds are those expected of so many permutations: start of the workers, plus as many times what
    the permutations took beyond calls with next to none.
    """
    began = time.perf_counter()
    t = [[sm.OLS(region, X).fit().tvalues[0] for region in volumes.T] for X in designs]
    fit_seconds = time.perf_counter() - began
    if scale_to is None or scale_to == permutations:
        p, permute_seconds = permute_loop(volumes, designs, permutations, cores)
    else:
        few = 2 * cores  # nilearn warns of fewer
        _, start = permute_loop(volumes, designs, few, cores)
        _, idle = permute_loop(volumes, designs, few, cores)
        p, work = permute_loop(volumes, designs, permutations, cores)
        permute_seconds = start + max(work - idle, 0) * scale_to / (permutations - few)
    return Side(np.array(t), p, fit_seconds, permute_seconds, permutations)


def permute_loop(
    volumes: FloatArray, designs: list[FloatArray], permutations: int, cores: int
) -> tuple[FloatArray, float]:
    """Permute every model with nilearn: p corrected for the regions, shape (models, regions), and seconds."""
    began, p = time.perf_counter(), []
    for X in designs:
        # Covariates without the intercept: with it, nilearn changes signs instead of places.
        found = permuted_ols(X[:, :1], volumes, X[:, 2:], n_perm=permutations, n_jobs=cores, random_state=0)
        p.append(10 ** -found["logp_max_t"][0])
    return np.array(p), time.perf_counter() - began


def compare_sides(ours: Side, loop: Side) -> dict[str, float]:
    """Compare what the sides took and found."""
    loop_seconds, seconds = loop.fit_seconds + loop.permute_seconds, ours.fit_seconds + ours.permute_seconds
    variance = ours.p * (1 - ours.p) + 1 / loop.permutations
    error = np.sqrt(variance * (1 / ours.permutations + 1 / loop.permutations))
    return {
        "loop_seconds": loop_seconds,
        "morpho_seconds": seconds,
        "wall_ratio": loop_seconds / seconds,
        "fit_ratio": loop.fit_seconds / ours.fit_seconds,
        "permute_ratio": loop.permute_seconds / ours.permute_seconds,
        "loop_cpu_seconds": loop.cpu_seconds,
        "morpho_cpu_seconds": ours.cpu_seconds,
        "loop_permutations": loop.permutations,
        "t_difference": float((np.abs(ours.t - loop.t) / np.maximum(np.abs(loop.t), 1)).max()),
        "p_difference": float((np.abs(ours.p - loop.p) / error).max()),
        "peak_rss_mb": ours.peak_rss_mb,
        "loop_peak_rss_mb": loop.peak_rss_mb,
    }


def summarise(repeats: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Medians over the repeats; of what may not be exceeded, the largest; ratios are those of median seconds."""
    table = pd.DataFrame(repeats)
    values = {str(name): float(value) for name, value in table.median().items()}
    values |= {name: float(table[name].max()) for name in ("t_difference", "p_difference", "peak_rss_mb")}
    return values | {"wall_ratio": values["loop_seconds"] / values["morpho_seconds"]}


def run_apart(side: str, size: Size, cores: int, loop_permutations: int) -> Side:
    """Run a side in a process of its own.

    Raises
    ------
    BenchmarkError
        If it fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "side.npz"
        options = {"side": side, "into": file, "cores": cores, "loop-permutations": loop_permutations} | asdict(size)
        command = [sys.executable, __file__, *(f"--{name}={value}" for name, value in options.items())]
        # The loop has a job per core: more threads in each would be in each other's way.
        environment = os.environ | dict.fromkeys(THREAD_VARIABLES, str(cores) if side == "morpho" else "1")
        if subprocess.run(command, env=environment, check=False).returncode:
            message = f"The side '{side}' failed; its messages are above."
            raise BenchmarkError(message)
        with np.load(file) as found:
            fit, permute, permutations_made, cpu, peak_mb = found["costs"].tolist()
            return Side(found["t"], found["p"], fit, permute, int(permutations_made), cpu, peak_mb)


def run_here(side: str, into: Path, size: Size, cores: int, loop_permutations: int) -> None:
    """Run a side in this process, and save what it took and found."""
    volumes, designs = simulate(size)
    began = cpu_seconds()
    if side == "morpho":
        found = run_morpho(volumes, designs, size.permutations)
    else:
        found = run_loop(volumes, designs, loop_permutations, cores, scale_to=size.permutations)
    cpu = cpu_seconds() - began
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * BYTES_PER_KIB / BYTES_PER_MB
    costs = [found.fit_seconds, found.permute_seconds, found.permutations, cpu, peak_mb]
    np.savez(into, t=found.t, p=found.p, costs=costs)


def cpu_seconds() -> float:
    """CPU seconds of this process and the workers that it runs."""
    workers = [worker.cpu_times() for worker in psutil.Process().children(recursive=True)]
    return time.process_time() + sum(float(times.user + times.system) for times in workers)


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in asdict(Size(10_000, 40, 12, 5000)).items():
        parser.add_argument(f"--{name}", type=int, default=default, help=f"number of {name} (default: {default})")
    parser.add_argument("--cores", type=int, default=2, help="threads of morpho, jobs of the loop (default: 2)")
    parser.add_argument("--loop-permutations", type=int, help="permutations of the loop (default: as many)")
    parser.add_argument("--repeats", type=int, default=1, help="how often each side runs (default: 1)")
    parser.add_argument("--output", type=Path, help="JSON file to write")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def run(arguments: argparse.Namespace, size: Size) -> dict[str, Any]:
    """Run both sides in turn, print a line per repeat, and summarise.

    Raises
    ------
    BenchmarkError
        If their t values differ.
    """
    loop_permutations = arguments.loop_permutations or size.permutations
    repeats = []
    for _ in range(arguments.repeats):
        loop, ours = (run_apart(side, size, arguments.cores, loop_permutations) for side in SIDES)
        repeats.append(compare_sides(ours, loop))
        sys.stdout.write(summary_line(repeats[-1]) + "\n")
    values = summarise(repeats)
    if not values["t_difference"] <= SAME_T:
        message = f"t values differ by {values['t_difference']:.3g}; at most {SAME_T} is rounding. One side is wrong."
        raise BenchmarkError(message)
    return asdict(size) | {"cores": arguments.cores, "repeats": arguments.repeats} | values


def main() -> None:
    """Run one side if told so, else both; print a table and the summary."""
    arguments = parse_arguments()
    size = Size(arguments.people, arguments.regions, arguments.models, arguments.permutations)
    if arguments.side:
        run_here(arguments.side, arguments.into, size, arguments.cores, arguments.loop_permutations)
        return
    try:
        values = run(arguments, size)
    except BenchmarkError as error:
        sys.exit(f"mass_univariate: {error}")
    if values["loop_permutations"] != size.permutations:
        made = f"{values['loop_permutations']:g} permutations"
        sys.stdout.write(f"The loop made {made} only; its seconds are scaled to {size.permutations}.\n")
    for name, value in values.items():
        sys.stdout.write(f"{name:<20}{value:>12.4g}\n")
    if arguments.output:
        arguments.output.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
