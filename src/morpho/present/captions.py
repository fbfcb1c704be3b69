"""Captions of the figures: who is in it, which model, and what every mark means.

Each function belongs to the plot of the same name in `morpho.present.figures` or `morpho.present.brainmaps` and takes
the same tables.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from morpho.present.panels import MOST_POINTS
from morpho.present.verdicts import DESCRIBED, group_verdicts, is_judged
from morpho.present.wording import (
    NOT_THE_SAME,
    count_things,
    describe_adjustment,
    format_counts,
    join_words,
    percent_of,
    split_contrast,
    text_or,
)


def caption_effects_forest(effects: pd.DataFrame, *, confidence: float) -> str:
    """Write the caption of `plot_effects_forest`.

    Parameters
    ----------
    effects
        The table that is plotted.
    confidence
        Coverage of its intervals, between 0 and 1.

    Returns
    -------
    A few sentences.
    """
    comparison, reference = split_contrast(effects)
    fitted = effects[effects["status"] == "fitted"]
    sentences = [
        f"Difference in volume between groups ({comparison} minus {reference}) as Hedges' g, in residual standard "
        f"deviations. Marks are estimates, bars their {percent_of(confidence)} confidence intervals, not corrected "
        "for the number of regions; regions are in the order of the table.",
        describe_groups(fitted, comparison, reference),
        f"Model: {describe_model(fitted)}" if len(fitted) else "",
        _describe_published(fitted),
        describe_refused(effects),
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def _describe_published(fitted: pd.DataFrame) -> str:
    """Say what the bands of published effects are, and what they are not."""
    if "enigma_measure" not in fitted or fitted["enigma_ref_d"].isna().all():
        return ""
    measures = fitted.loc[fitted["enigma_ref_d"].notna(), "enigma_measure"].map(text_or)
    text = (
        "Bands behind the estimates: effect published by the ENIGMA-MDD consortium for the same contrast (thin line) "
        "with its 95 % confidence interval."
    )
    if not measures.str.contains(NOT_THE_SAME).all():
        text += " Plain bands are of volume; published for the mean of both sides only, they stand for each side too."
    if measures.str.contains(NOT_THE_SAME).any():
        text += " Hatched bands are of cortical thickness, not the same quantity as volume: compare the direction only."
    return text


def caption_specification(
    sensitivity: pd.DataFrame, effects: pd.DataFrame, *, family: str, labels: Mapping[str, str], confidence: float
) -> str:
    """Write the caption of `plot_specification`; empty text if no region of the family was analysed.

    Parameters
    ----------
    sensitivity
        The table that is plotted.
    effects
        Group comparison of the same models: its people and adjustment are those of the main analysis.
    family
        The family that is plotted.
    labels
        Variant -> what it is, in words.
    confidence
        Coverage of the intervals, between 0 and 1.

    Returns
    -------
    A few sentences.
    """
    rows = sensitivity[sensitivity["family"] == family]
    if not (rows["status"] == "fitted").any():
        return ""
    present = set(rows["variant"])
    words = [f"{name.replace('_', ' ')}: {text}" for name, text in labels.items() if name in present]
    refused = rows[(rows["status"] != "fitted") & (rows["variant"] != "main")]
    fitted = effects[(effects["family"] == family) & (effects["status"] == "fitted")]
    sentences = [
        f"Effect of group on the {family} regions in every variant of the analysis, with {percent_of(confidence)} "
        "confidence intervals. Black: the main analysis; the grey band carries its interval through the others. A line "
        "without mark: the variant does not apply to the region; a cross: it could not be estimated"
        f"{f' ({len(refused)})' if len(refused) else ''}. All variants are of the same study: their agreement is no "
        "replication.",
        f"{'; '.join(words)}.",
        f"Main analysis: {describe_model(fitted)} {describe_groups(fitted, *split_contrast(effects))}"
        if len(fitted)
        else "",
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def caption_claims(claims: pd.DataFrame, *, meanings: Mapping[str, str]) -> str:
    """Write the caption of `plot_claims`; empty text if there are no claims.

    Parameters
    ----------
    claims
        The table that is plotted.
    meanings
        Verdict -> what it means.

    Returns
    -------
    A few sentences.
    """
    if claims.empty:
        return ""
    n_judged = sum(is_judged(row) for row in claims.to_dict("records"))
    known = dict(meanings) | {DESCRIBED: "tests were made, but not the one that decides on the claim"}
    shown = [f"{name}: {known[name]}" for name in group_verdicts(claims) if name in known]
    of_all = count_things(len(claims), "claim")
    text = f"Verdict of this sample on {n_judged} of {of_all}, in the order of the claims file."
    if shown:
        text += (
            f" {'; '.join(shown)}. Intervals hold for all deciding regions of a claim together, not over all claims."
        )
    tests = " People and model of every test are in claim_tests.tsv." if n_judged else ""
    return f"{text}{tests} Grey: claims not tested, and what they need."


def caption_group_distributions(effects: pd.DataFrame, *, family: str, confidence: float) -> str:
    """Write the caption of `plot_group_distributions`.

    Parameters
    ----------
    effects
        Table of all families.
    family
        The family that is plotted.
    confidence
        Coverage of the intervals, between 0 and 1.

    Returns
    -------
    A few sentences.
    """
    chosen = effects[effects["family"] == family]
    fitted = chosen[chosen["status"] == "fitted"]
    comparison, reference = split_contrast(effects)
    sentences = [
        f"Volumes of the {family} regions, adjusted for {describe_adjustment(fitted['formula'])}: what the model gives "
        "to these covariates beyond their mean is taken off. Each point is one person, spread sideways at random; "
        "boxes show the median and quartiles, whiskers the range within 1.5 interquartile ranges; diamonds with bars "
        f"the mean and its {percent_of(confidence)} confidence interval within the group. Axes do not start at zero.",
        tell_points(fitted),
        describe_groups(fitted, comparison, reference),
        describe_refused(chosen),
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def caption_severity_association(associations: pd.DataFrame, *, family: str, scale: str, confidence: float) -> str:
    """Write the caption of `plot_severity_association`; empty text if the scale was not analysed.

    Parameters
    ----------
    associations
        Table of all families and scales.
    family, scale
        The part that is plotted.
    confidence
        Coverage of the intervals, between 0 and 1.

    Returns
    -------
    A few sentences.
    """
    chosen = associations[(associations["family"] == family) & (associations["scale"] == scale)]
    if chosen.empty:
        return ""
    fitted = chosen[chosen["status"] == "fitted"]
    sentences = [
        f"Volume against {scale} score, both as residuals after {describe_adjustment(fitted['formula'])} "
        f"(partial regression), {family} regions, n = {format_counts(fitted['n'])}. Each point is one person. The line "
        f"has the slope of the model, the band its {percent_of(confidence)} confidence interval; r is the partial "
        "correlation with its interval, not corrected for the number of regions.",
        tell_points(fitted),
        describe_refused(chosen),
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def caption_effects_on_brain(effects: pd.DataFrame) -> str:
    """Write the caption of `plot_effects_on_brain`.

    Parameters
    ----------
    effects
        Table of all families; rows of the left and right hemisphere are shown.

    Returns
    -------
    A few sentences.
    """
    sided = effects[effects["hemisphere"].isin(["L", "R"])]
    fitted = sided[sided["status"] == "fitted"]
    comparison, reference = split_contrast(effects)
    sentences = [
        f"Hedges' g ({comparison} minus {reference}) of each region, painted into its place in the template, left side "
        "on the left. The colour is the estimate alone and says nothing about its uncertainty (see the forest plot). "
        "Uncoloured brain was not estimated. Where regions share voxels, the first one of the table is shown.",
        f"Model: {describe_model(fitted)}" if len(fitted) else "",
        describe_groups(fitted, comparison, reference),
        describe_refused(sided),
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def tell_points(fitted: pd.DataFrame) -> str:
    """Say that not everybody is drawn, if any group of a table of fitted models has more than `MOST_POINTS` people."""
    names = [name for name in ("n_reference", "n_comparison") if name in fitted] or ["n"]
    if fitted.empty or not (fitted[names] > MOST_POINTS).any(axis=None):
        return ""
    return (
        f"Of a group with more than {MOST_POINTS:,} people, {MOST_POINTS:,} drawn at random are points; all else is of "
        "everybody."
    )


def describe_model(fitted: pd.DataFrame) -> str:
    """Say which model gave the rows of an effect table, in one sentence."""
    return f"ordinary least squares, adjusted for {describe_adjustment(fitted['formula'])}."


def describe_groups(fitted: pd.DataFrame, comparison: str, reference: str) -> str:
    """Say how many people of both groups were analysed."""
    if fitted.empty:
        return "No model could be estimated."
    sizes = [f"{format_counts(fitted[f'n_{role}'])} {group}" for role, group in _roles(comparison, reference)]
    return f"People analysed: {join_words(sizes)}."


def _roles(comparison: str, reference: str) -> list[tuple[str, str]]:
    """Role in the column names and name of both groups, the reference first."""
    return [("reference", reference), ("comparison", comparison)]


def describe_refused(table: pd.DataFrame) -> str:
    """Say how many regions were not estimated, and why."""
    refused = table[table["status"] == "refused"]
    if refused.empty:
        return ""
    reasons = dict.fromkeys(text_or(reason, "no reason given") for reason in refused["reason"])
    return f"{count_things(len(refused), 'region was', 'regions were')} not estimated: {'; '.join(reasons)}."
