"""How far a run is: which steps are done, how long they took, how long the rest will take.

Nothing here knows Snakemake or a terminal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from morpho.jobs import DAY_S, HOUR_S, MINUTE_S, format_duration

# Above this share of steps whose duration nobody knows yet, the time left is only a lower limit.
LARGEST_UNKNOWN_SHARE = 0.25
SHORTEST_SAID_S = 10
BAR_WIDTH = 24


@dataclass(frozen=True)
class TimeLeft:
    """Seconds until a run is done; `at_least`: steps of unknown duration come on top."""

    seconds: float
    at_least: bool


@dataclass(frozen=True)
class Step:
    """A step that runs: its rule, what it is about (a scan, mostly), when it started (seconds), and its files."""

    rule: str
    what: str
    started_s: float
    outputs: tuple[str, ...] = ()
    logs: tuple[str, ...] = ()


@dataclass
class Progress:
    """State of a run, told from outside: what is planned, what runs, what is done and how long it took."""

    n_cores: int = 1
    n_steps: int = 0
    n_done: int = 0
    planned: Counter[str] = field(default_factory=Counter)
    running: dict[int, Step] = field(default_factory=dict)
    failed: set[int] = field(default_factory=set)
    durations_s: dict[str, list[float]] = field(default_factory=dict)
    what_width: int = 0

    def plan(self, counts: Mapping[str, int]) -> None:
        """Take the number of steps of each rule, before the first one starts."""
        self.planned = Counter(counts)
        self.n_steps = sum(counts.values())

    def start(self, number: int, step: Step) -> None:
        """Take note of a step that starts; a step that is tried again starts again."""
        if number in self.failed:
            self.failed.remove(number)
            self.planned[step.rule] += 1
        self.running[number] = step
        self.what_width = max(self.what_width, len(step.what))

    def finish(self, number: int, now_s: float) -> tuple[Step, float] | None:
        """Take note of a step that is done; give it and its duration in seconds, or None if it never started."""
        step = self.running.pop(number, None)
        self.n_done += 1
        if step is None:
            return None
        self.planned[step.rule] -= 1
        seconds = max(now_s - step.started_s, 0.0)
        self.durations_s.setdefault(step.rule, []).append(seconds)
        return step, seconds

    def fail(self, number: int, now_s: float) -> float | None:
        """Take note of a step that failed; give the seconds it ran, or None if it never started."""
        self.failed.add(number)
        step = self.running.pop(number, None)
        if step is None:
            return None
        self.planned[step.rule] -= 1
        return max(now_s - step.started_s, 0.0)

    def time_left(self, now_s: float) -> TimeLeft | None:
        """Estimate the time until everything is done; see `estimate_time_left`."""
        ages = [(step.rule, max(now_s - step.started_s, 0.0)) for step in self.running.values()]
        waiting = self.planned - Counter(rule for rule, _ in ages)  # drops counts that are not positive
        return estimate_time_left(self.durations_s, waiting, ages, self.n_cores)


def estimate_time_left(
    durations_s: Mapping[str, Sequence[float]],
    waiting: Mapping[str, int],
    running: Sequence[tuple[str, float]],
    n_cores: int,
) -> TimeLeft | None:
    """Estimate how long the rest of a run takes from how long the steps of each rule took so far.

    ASSUME: a step takes one core, all cores are kept busy, and the rest of a rule's steps take the mean of those done.

    Parameters
    ----------
    durations_s
        Rule -> seconds of each of its steps that is done.
    waiting
        Rule -> number of its steps that are still to start.
    running
        Rule and seconds so far of each step that runs.
    n_cores
        Steps that can run at a time, at least 1.

    Returns
    -------
    The work left over the cores, and never less than the longest single step left. Steps of rules that were not seen
    yet count as the mean of all steps so far; where they are more than a quarter of the steps left, they do not count,
    and the time is a lower limit. None while nothing is known about what is left.
    """
    typical = {rule: fmean(seconds) for rule, seconds in durations_s.items() if seconds}
    to_start = {rule: count for rule, count in waiting.items() if rule in typical and count > 0}
    remainders = [max(typical[rule] - age, 0.0) for rule, age in running if rule in typical]
    n_known = sum(to_start.values()) + len(remainders)
    n_unknown = sum(count for count in waiting.values()) + len(running) - n_known
    if not n_known:
        return None
    work = sum(typical[rule] * count for rule, count in to_start.items()) + sum(remainders)
    at_least = n_unknown > LARGEST_UNKNOWN_SHARE * (n_unknown + n_known)
    if not at_least:
        work += n_unknown * fmean(second for seconds in durations_s.values() for second in seconds)
    longest = max([*(typical[rule] for rule in to_start), *remainders])
    return TimeLeft(max(work / n_cores, longest), at_least)


def format_time_left(left: TimeLeft | None) -> str:
    """Write the time left, no finer than it is known: ``about 9 min left``; "" for None or a limit below 10 s."""
    if left is None or (left.at_least and left.seconds < SHORTEST_SAID_S):
        return ""
    steps = ((MINUTE_S, SHORTEST_SAID_S), (20 * MINUTE_S, MINUTE_S), (2 * HOUR_S, 5 * MINUTE_S), (DAY_S, 10 * MINUTE_S))
    grain = next((grain for limit, grain in steps if left.seconds < limit), HOUR_S)
    grains = left.seconds // grain if left.at_least else round(left.seconds / grain)
    rounded = max(grains, 1) * grain
    return f"{'at least' if left.at_least else 'about'} {format_duration(rounded)} left"


def format_step(progress: Progress, step: Step, took: str, now_s: float) -> str:
    """Write the line of a step that is done: ``[ 37/156] measure_scan sub-12   58 s   24 % done, about 9 min left``.

    Parameters
    ----------
    progress
        State after the step.
    step
        The step.
    took
        How long it took, or what else became of it.
    now_s
        Time, on the clock of `Step.started_s`.

    Returns
    -------
    One line without a line break.
    """
    rule_width = max(map(len, progress.planned), default=0)
    count = f"[{progress.n_done:>{len(str(progress.n_steps))}}/{progress.n_steps}]"
    name = f"{step.rule:<{rule_width}} {step.what:<{progress.what_width}}"
    return f"{count} {name}  {took:>8}   {_format_state(progress, now_s)}"


def format_bar(progress: Progress, now_s: float, width: int) -> str:
    """Write the bar below the lines: ``[######......]  24 % done, about 9 min left; 2 steps running``.

    Parameters
    ----------
    progress
        State of the run.
    now_s
        Time, on the clock of `Step.started_s`.
    width
        Columns of the terminal; the line is cut to one less, so that it never wraps.

    Returns
    -------
    One line without a line break.
    """
    filled = BAR_WIDTH * progress.n_done // max(progress.n_steps, 1)
    bar = f"[{'#' * filled}{'.' * (BAR_WIDTH - filled)}]"
    running = ", ".join(f"{step.rule} {step.what}".rstrip() for step in progress.running.values())
    parts = [f"{bar} {_format_state(progress, now_s)}"]
    parts += [f"{len(progress.failed)} failed"] if progress.failed else []
    parts += [f"now {running}"] if running else []
    return "; ".join(parts)[: max(width - 1, 0)]


def _format_state(progress: Progress, now_s: float) -> str:
    """Share of steps that are done, and the time left if something is known about it."""
    share = 100 * progress.n_done // max(progress.n_steps, 1)
    left = format_time_left(progress.time_left(now_s)) if progress.n_done < progress.n_steps else ""
    return f"{share:>3} % done" + (f", {left}" if left else "")
