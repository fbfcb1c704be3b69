"""What quality control says of a scan, in words for people: verdicts, reasons, decisions, and what to do.

Takes rows of the tables of quality, gives sentences. Nobody's group is known here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from morpho.present.wording import join_words, text_or
from morpho.quality_metrics import FLAGS, HARD_FAILURES, METRICS

MOST_SCANS = 2000  # that the report shows one by one: more cards, rows and files than a browser and a disk should bear
VERDICT_ORDER = ("failed", "flagged", "passed")
UNITLESS = ("ratio", "count", "score", "r", "1", "")
# Hard failure -> what somebody can do about it.
ADVICE = {
    "unreadable_image": "Open the file in another program. If it is broken there too, fetch or convert it again from "
    "the scanner's files.",
    "empty_image": "Convert the scan again from the scanner's files, and look at it before the next run.",
    "not_a_brain": "Look at the file: is it a T1-weighted image of a head? Correct its name or its place in the data "
    "set if it is something else.",
    "empty_brain_mask": "Look at the file. If it shows a brain that was extracted before, set preprocess.brain to "
    "'extracted' in the configuration; if a whole head, to 'whole_head'.",
    "orientation_uncertain": "Convert the scan again with a converter that writes the orientation (dcm2niix), so that "
    "qform or sform say which side is left.",
    "left_right_flipped": "Compare with a capsule or another marker of the scanner, or convert again. If the sides are "
    "right after all, decide to keep the scan.",
    "missing_hemisphere": "Look at the picture. A lesion or an operation cannot be measured here; a cut image may be "
    "there in full elsewhere.",
    "brain_cut_by_field_of_view": "The missing part was never scanned. If it lies outside the regions of interest "
    "(look at the picture), decide to keep the scan.",
    "implausible_region_volume": "Look at the picture: does the outline miss the structure, or is there a lesion?",
    "registration_failed": "Look at the picture. Strong rotation, large lesions and other contrasts than T1w are the "
    "usual causes.",
    "stage_failed": "Read the log. If the reason lies in morpho, report it with the log.",
}


def metric_label(name: str) -> str:
    """Name of a metric in words, with its unit if it has one."""
    unit = METRICS.get(name, {}).get("Units", "")
    shown = name
    for ending in ("_percent", "_ml", "_mm3", "_mm2", "_mm"):
        shown = shown.removesuffix(ending)
    words = shown.replace("_", " ").replace(" snr", " SNR").replace("csf", "CSF").replace("tiv", "TIV")
    unit = {"percent": "%", "mm3": "mm³", "mm2": "mm²"}.get(unit, unit)
    return words if unit in UNITLESS else f"{words}, {unit}"


def split_codes(codes: Any) -> list[str]:
    """Split codes that are joined by commas; none if the cell is missing."""
    return [code.strip() for code in text_or(codes).split(",") if code.strip()]


def name_code(code: str) -> str:
    """Name a hard failure or flag in words."""
    return HARD_FAILURES.get(code) or FLAGS.get(code) or code.replace("_", " ")


def tell_reasons(reason: Any) -> list[str]:
    """Tell why a scan was flagged or failed, one sentence per code.

    Parameters
    ----------
    reason
        Column reason of the metrics: ``code: what was seen (limit)``, several joined by "; "; may be missing.

    Returns
    -------
    Sentences that begin with the meaning of the code.

    Examples
    --------
    >>> tell_reasons("noisy: white_matter_snr 9.3 (limit 3.5)")
    ['Much noise: white matter snr 9.3 (limit 3.5).']
    """
    sentences: list[str] = []
    for part in text_or(reason).split("; "):
        code, separator, seen = part.partition(": ")
        is_code = bool(separator) and (code in HARD_FAILURES or code in FLAGS)
        if not is_code:
            if part.strip():
                sentences.append(part.strip())
            continue
        for metric in METRICS:
            seen = seen.replace(metric, metric.replace("_", " "))
        words = name_code(code)
        sentences.append(f"{words[0].upper()}{words[1:]}: {seen.rstrip('.')}.")
    return sentences


def tell_decision(row: Mapping[Any, Any] | None) -> str:
    """Tell whether the statistics have a scan, and who decided that.

    Parameters
    ----------
    row
        Row of the decisions; None if there is none.

    Returns
    -------
    One sentence; "" if there is no decision.
    """
    if row is None:
        return ""
    kept = "In the statistics" if row["decision"] == "keep" else "Left out of the statistics"
    if row["basis"] != "human":
        unsure = " (people were not of one mind)" if text_or(row["human_decision"]) == "unsure" else ""
        return f"{kept}, as quality control decides{unsure}."
    reason = text_or(row["human_reason"])
    return f"{kept}, as people decided ({text_or(row['raters'])}{f'; {reason}' if reason else ''})."


def advise(codes: list[str]) -> list[str]:
    """Say what can be done about hard failures."""
    return [ADVICE[code] for code in codes if code in ADVICE]


def worst_scans(metrics: pd.DataFrame) -> pd.DataFrame:
    """Take the scans that the report shows one by one: all, or of a large cohort the `MOST_SCANS` in most trouble."""
    return rank_scans(metrics).head(MOST_SCANS)


def tell_limit(metrics: pd.DataFrame, *, link: str) -> str:
    """Say which scans are shown one by one; "" if all are.

    Parameters
    ----------
    metrics
        Quality metrics of all scans.
    link
        Address of the full table, "" if the report has none.
    """
    n_hidden = len(metrics) - MOST_SCANS
    if n_hidden <= 0:
        return ""
    counts = rank_scans(metrics)["verdict"].iloc[MOST_SCANS:].value_counts()
    verdicts = join_words([f"{counts[name]:,} {name}" for name in VERDICT_ORDER if name in counts])
    where = f" The table {link} has all of them." if link else ""
    return (
        f"Shown one by one, with picture and page: the {MOST_SCANS:,} of {len(metrics):,} scans in most trouble. The "
        f"other {n_hidden:,} ({verdicts}) count in every number of this report.{where}"
    )


def rank_scans(metrics: pd.DataFrame) -> pd.DataFrame:
    """Sort scans by trouble: failed, flagged, passed; within each the largest quality index first, missing before all.

    Parameters
    ----------
    metrics
        Columns scan, verdict and quality_index.

    Returns
    -------
    The rows in that order.
    """
    verdicts = {name: rank for rank, name in enumerate(VERDICT_ORDER)}
    rank = pd.DataFrame(
        {
            "verdict": metrics["verdict"].map(verdicts).fillna(len(verdicts)),
            "index": -metrics["quality_index"].astype(float).fillna(float("inf")),
            "scan": metrics["scan"].astype(str),
        }
    )
    return metrics.loc[rank.sort_values(["verdict", "index", "scan"], kind="stable").index]
