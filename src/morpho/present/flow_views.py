"""The way from scans found to people analysed, as a flow diagram: what is left at every step, and who was lost and why.

Takes the flow, the lists of scans and of exclusions, gives steps in words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from morpho.present.quality_words import name_code, split_codes
from morpho.present.wording import count_things, format_counts, text_or

STEP_NAMES = {
    "found": "T1w scans found",
    "chosen": "chosen, at most one per session",
    "measured": "measured",
    "kept": "kept after quality control",
    "with_participants_row": "with a row in participants.tsv",
}
TABLE_STEP_NAMES = {
    "found": "in the table of volumes",
    "kept": "kept after the decisions of people",
    "with_participants_row": "with a row in the participants table",
}
STAGES = {"measured": "measure", "kept": "quality", "with_participants_row": "cohort"}
MOST_REASONS = 5
LONGEST_REASON = 110
FEW = "few"
OTHER_MODELS = "severity models"  # who is not in these is still in the group models


@dataclass(frozen=True)
class Loss:
    """Who was lost before a step: how many, as text, and why."""

    count: str
    reason: str


@dataclass(frozen=True)
class FlowStep:
    """One box of the diagram: count, what it counts, people, and who was lost on the way to it."""

    count: str
    words: str
    people: str
    losses: tuple[Loss, ...] = ()


@dataclass(frozen=True)
class Flow:
    """The diagram: boxes below one another, then groups side by side, then those in the models, side by side.

    It is empty and `withheld` if it would tell the size of a small group.
    """

    steps: tuple[FlowStep, ...]
    groups: tuple[FlowStep, ...]
    analysed: tuple[FlowStep, ...]
    not_analysed: tuple[Loss, ...]
    withheld: bool = False


@dataclass(frozen=True)
class FlowTables:
    """What the diagram is drawn from; `metrics` is None where the volumes come from a table."""

    flow: pd.DataFrame
    scans: pd.DataFrame
    exclusions: pd.DataFrame
    effects: pd.DataFrame
    metrics: pd.DataFrame | None


def view_flow(tables: FlowTables, *, smallest: int = 0) -> Flow:
    """View the flow of scans and people.

    Parameters
    ----------
    tables
        Flow, scans, exclusions, group comparison and quality metrics.
    smallest
        Counts of reasons below it are told as "few"; if a group has fewer people, nothing is shown.

    Returns
    -------
    The diagram; counts are text, because models of different regions may differ.
    """
    is_table = tables.metrics is None
    names = TABLE_STEP_NAMES if is_table else STEP_NAMES
    rows = tables.flow.to_dict("records")
    groups = [row for row in rows if row["step"] == "group"]
    if any(0 < row["n_participants"] < smallest for row in groups):
        return Flow((), (), (), (), withheld=True)
    steps = [
        FlowStep(
            f"{int(row['n_scans'])}",
            names[str(row["step"])],
            count_things(int(row["n_participants"]), "participant"),
            _list_losses(tables, str(row["step"]), smallest),
        )
        for row in rows
        if row["step"] in names
    ]
    boxes = [
        FlowStep(
            f"{int(row['n_scans'])}",
            f"in group {text_or(row['group'], 'none')}",
            count_things(int(row["n_participants"]), "participant"),
        )
        for row in groups
    ]
    analysed = _view_analysed(tables.effects, smallest)
    lost = tables.exclusions[tables.exclusions["stage"] == "models"] if len(tables.exclusions) else tables.exclusions
    lost = lost[~lost["reason"].map(text_or).str.contains(OTHER_MODELS)] if len(lost) else lost
    return Flow(tuple(steps), tuple(boxes), analysed, _count_reasons(lost, smallest))


def _view_analysed(effects: pd.DataFrame, smallest: int) -> tuple[FlowStep, ...]:
    """Boxes of the people in the group models, one per group."""
    fitted = effects[effects["status"] == "fitted"] if len(effects) else effects
    if fitted.empty or (fitted[["n_reference", "n_comparison"]] < smallest).to_numpy().any():
        return ()
    comparison, _, reference = str(fitted["contrast"].iloc[0]).partition(" - ")
    roles = ((reference, "n_reference"), (comparison, "n_comparison"))
    return tuple(FlowStep(format_counts(fitted[name]), f"{group}: in the group models", "") for group, name in roles)


def _list_losses(tables: FlowTables, step: str, smallest: int) -> tuple[Loss, ...]:
    """Count who was lost on the way to a step, by reason."""
    if step == "chosen":
        scans = tables.scans
        left = scans[~scans["chosen"].astype(bool) & (scans["path"].map(text_or) != "")]
        return _count_reasons(left, smallest)
    if step not in STAGES or tables.exclusions.empty:
        return ()
    lost = tables.exclusions[tables.exclusions["stage"] == STAGES[step]]
    codes = _codes_by_scan(tables.metrics)
    reasons = [
        codes.get(str(row["scan"])) or text_or(row["reason"]) if step == "measured" else text_or(row["reason"])
        for row in lost.to_dict("records")
    ]
    return _count_reasons(lost.assign(reason=reasons), smallest)


def _codes_by_scan(metrics: pd.DataFrame | None) -> Mapping[str, str]:
    """Name the hard failures of every scan."""
    if metrics is None:
        return {}
    return {
        str(row["scan"]): "; ".join(name_code(code) for code in split_codes(row["hard_failures"]))
        for row in metrics.to_dict("records")
    }


def _count_reasons(rows: pd.DataFrame, smallest: int) -> tuple[Loss, ...]:
    """Count rows by reason, the most frequent first; what is particular to one scan is cut off."""
    if rows.empty:
        return ()
    named = list(rows["reason"].map(_shorten).value_counts().items())
    shown = named if len(named) <= MOST_REASONS + 1 else named[:MOST_REASONS]
    losses = [Loss(_say_count(int(count), smallest), str(reason)) for reason, count in shown]
    rest = [int(count) for _, count in named[len(shown) :]]
    if rest:
        losses.append(
            Loss(_say_count(sum(rest), smallest), f"for {len(rest)} other reasons, see the list of exclusions")
        )
    return tuple(losses)


def _say_count(count: int, smallest: int) -> str:
    """Write a count, or "few" if it is too small to be shared."""
    return FEW if count < smallest else str(count)


def _shorten(reason: object) -> str:
    """Cut a reason to what it shares with others: without the log, numbers in quotation marks, and its end if long."""
    text = re.sub(r"\s*\(log: [^)]*\)", "", text_or(reason, "no reason given")).split("; ")[0]
    code, separator, _ = text.partition(": ")
    if separator and name_code(code) != code.replace("_", " "):
        return name_code(code)
    return text if len(text) <= LONGEST_REASON else f"{text[:LONGEST_REASON].rsplit(' ', 1)[0]} …"
