"""Captions of the figures about a whole cohort or one region: who is in it, which model, and what every mark means.

Each function belongs to the plot of the same name in `morpho.present.region_figure`, `flow_figure` or `quality_figure`
and takes the same tables. The other captions: `morpho.present.captions`.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from morpho.present.captions import describe_groups, describe_model, describe_refused, tell_points
from morpho.present.flow_views import Flow
from morpho.present.quality_words import metric_label
from morpho.present.region_figure import RegionTables, choose_side
from morpho.present.wording import (
    count_things,
    describe_adjustment,
    format_counts,
    join_words,
    percent_of,
    roi_name,
    split_contrast,
    text_or,
)


def caption_region(tables: RegionTables, *, roi: str, labels: Mapping[str, str], confidence: float) -> str:
    """Write the caption of `plot_region`.

    Parameters
    ----------
    tables
        Tables of all regions.
    roi
        Name of the region.
    labels
        Variant -> what it is, in words.
    confidence
        Coverage of all intervals, between 0 and 1.

    Returns
    -------
    A few sentences.
    """
    here = tables.of_region(roi)
    fitted = here.effects[here.effects["status"] == "fitted"]
    comparison, reference = split_contrast(here.effects)
    interval = f"{percent_of(confidence)} confidence interval"
    model = (
        f"Model: {describe_model(fitted)} Points are people, boxes median and quartiles, diamonds the mean of the "
        f"group with its {interval}; g is Hedges' g ({comparison} minus {reference}). Axes do not start at zero."
    )
    sentences = [
        f"{roi_name(roi).capitalize()}. (a) Adjusted volume by group. {describe_groups(fitted, comparison, reference)}",
        model if len(fitted) else "",
        tell_points(fitted),
        describe_refused(here.effects),
        _describe_scales(here, interval),
        _describe_variants(here.sensitivity, labels, interval),
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def _describe_scales(here: RegionTables, interval: str) -> str:
    """Say what the partial regressions of one region show."""
    rows = pd.DataFrame(choose_side(here.associations))
    if rows.empty:
        return "(b) No severity scale was analysed."
    fitted = rows[rows["status"] == "fitted"]
    if fitted.empty:
        return f"(b) Volume and severity: no model could be estimated. {describe_refused(rows)}"
    counts = [f"{row['scale']} {format_counts([row['n']])}" for row in fitted.to_dict("records")]
    return (
        f"(b) Volume and severity, both as residuals after {describe_adjustment(fitted['formula'])} (partial "
        f"regression); people with a score: {join_words(counts)}. Lines have the slope of the model, bands its "
        f"{interval}; r is the partial correlation. {describe_refused(rows)}"
    ).strip()


def _describe_variants(sensitivity: pd.DataFrame, labels: Mapping[str, str], interval: str) -> str:
    """Say what the variants of the analysis are."""
    fitted = sensitivity[sensitivity["status"] == "fitted"]
    if fitted.empty:
        return "(c) The region could not be analysed in any variant."
    present = set(sensitivity["variant"])
    words = [f"{name.replace('_', ' ')}: {text}" for name, text in labels.items() if name in present]
    return (
        f"(c) Group difference in every variant of the analysis ({format_counts(fitted['n'])} people) with its "
        f"{interval}; black and grey band: the main analysis; a cross: not estimated. {'; '.join(words)}."
    )


def caption_flow(flow: Flow) -> str:
    """Write the caption of `plot_flow`.

    Parameters
    ----------
    flow
        The flow that is plotted.

    Returns
    -------
    A few sentences.
    """
    sentences = ["Flow of the cohort: what is left at every step (white), and what was left out and why (grey)."]
    if flow.steps:
        first, last = flow.steps[0], flow.steps[-1]
        sentences.append(f"n = {first.count} {first.words}, {last.count} {last.words}.")
    if flow.analysed:
        sentences.append("Last row: people in the group models; ranges where the models of regions differ.")
    return " ".join(sentences)


def caption_quality(comparison: pd.DataFrame, *, groups: tuple[str, str], confidence: float) -> str:
    """Write the caption of `plot_quality`; empty text if no metric was compared.

    Parameters
    ----------
    comparison
        The table that is plotted.
    groups
        Names of the comparison and the reference group.
    confidence
        Coverage of its intervals, between 0 and 1.

    Returns
    -------
    A few sentences.
    """
    fitted = comparison[comparison["status"] == "fitted"]
    if fitted.empty:
        return ""
    refused = comparison[comparison["status"] != "fitted"]
    reasons = refused.groupby(refused["reason"].map(lambda reason: text_or(reason, "no reason given")), sort=False)
    names = [f"{join_words([metric_label(str(m)) for m in rows['metric']])} ({reason})" for reason, rows in reasons]
    sentences = [
        f"Quality of the scans in the models: difference between groups ({groups[0]} minus {groups[1]}) in every "
        f"metric as Hedges' g with its {percent_of(confidence)} confidence interval, not adjusted for anything and not "
        "corrected for the number of metrics. Quality index (black): all metrics together, higher is worse. For single "
        "metrics, higher may be better or worse. Groups whose scans differ in quality may differ in measured volume "
        "because of that.",
        describe_groups(fitted, *groups),
        f"{count_things(len(refused), 'metric was', 'metrics were')} not compared: {'; '.join(names)}."
        if names
        else "",
    ]
    return " ".join(sentence for sentence in sentences if sentence)
