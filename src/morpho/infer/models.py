"""The two questions of the study: do groups differ in volume, and does volume go with severity.

Takes the cohort table and gives one row per family, region and hemisphere, with the tables behind the figures and the
people who did not enter. A model that cannot be estimated is a row with status "refused" and the reason; the others
go on. What each column means and how it is computed: `morpho.infer.dictionaries`.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import pandas as pd

from morpho.errors import DesignError
from morpho.infer.design import HeadSize, Question, Sample, choose_baseline
from morpho.infer.dictionaries import ADJUSTED_VOLUMES, ASSOCIATIONS, EFFECTS, PARTIAL_RESIDUALS
from morpho.infer.effects import adjust_p, correlate_partially, standardise_as_enigma, standardise_difference
from morpho.infer.fit import Families, RegionModel, TermFit, fit_regions
from morpho.tables import TEXT_COLUMNS

EXCLUSION_COLUMNS = ("participant_id", "session_id", "scan", "stage", "reason")
COUNT_COLUMNS = {"n", "n_reference", "n_comparison", "n_sites", "df", "family_size"}

Row = dict[str, object]


@dataclass(frozen=True)
class GroupComparison:
    """Effects of group on volume, the volumes adjusted for covariates behind the figure, and who did not enter."""

    effects: pd.DataFrame
    adjusted_volumes: pd.DataFrame
    exclusions: pd.DataFrame


@dataclass(frozen=True)
class SeverityAssociation:
    """Slopes of volume on severity, the partial residuals behind the figure, and who did not enter."""

    associations: pd.DataFrame
    partial_residuals: pd.DataFrame
    exclusions: pd.DataFrame


def compare_groups(
    cohort: pd.DataFrame,
    *,
    families: Families,
    reference_group: str,
    comparison_group: str,
    covariates: Sequence[str],
    head_size: HeadSize,
    min_group_size: int,
    confidence: float,
) -> GroupComparison:
    """Compare the volume of every region between two groups, by one linear model each.

    ``volume ~ group + age + sex + head size + site``, by ordinary least squares with parametric t; the sign is
    comparison minus reference. People with a missing value leave only the models that need it.

    Parameters
    ----------
    cohort
        One row per measured scan (``cohort.tsv``); of several sessions the first is taken.
    families
        Regions and hemispheres that are corrected together, by name of the family.
    reference_group, comparison_group
        Two values of column ``group``.
    covariates
        Of "age" and "sex". Site joins by itself when there is more than one.
    head_size
        Head-size term, from `resolve_head_size`.
    min_group_size
        Fewer people with all values in either group: the model is refused.
    confidence
        Coverage of the intervals, between 0 and 1.

    Returns
    -------
    Tables with the columns of `EFFECTS`, `ADJUSTED_VOLUMES` (`morpho.infer.dictionaries`) and `EXCLUSION_COLUMNS`.

    Notes
    -----
    ASSUME: volumes are linear in the covariates, with the same slopes and spread in both groups. Terms follow ENIGMA
    (Schmaal L et al., Molecular Psychiatry 2016;21:806-812, doi:10.1038/mp.2015.69). Percent is of the adjusted mean
    of the reference group; its interval is that of the estimate scaled, so that mean is taken as known.
    """
    baseline, later = choose_baseline(cohort)
    groups = (reference_group, comparison_group)
    question = Question("group", "group", f"C(group, Treatment({reference_group!r}))", covariates, head_size)
    people, outsiders = _select_groups(baseline, groups)
    check = partial(_check_groups, groups=groups, fewest=min_group_size)
    models = list(fit_regions(people, question, families, check=check, confidence=confidence))
    rows, adjusted = [], []
    for model in models:
        row = _describe_model(model, question) | {"contrast": f"{comparison_group} - {reference_group}"}
        if model.sample is not None and model.fit is not None:
            row |= _describe_groups(model.sample, model.fit, groups)
            row |= _describe_difference(model.sample, model.fit, groups, confidence)
            kept = model.sample.data[["participant_id", "group", "volume_mm3"]]
            adjusted.append(kept.assign(**model.place, adjusted_volume_mm3=model.fit.adjusted))
        rows.append(row)
    return GroupComparison(
        effects=_correct(_tabulate(rows, tuple(EFFECTS)), ["family"]),
        adjusted_volumes=_join(adjusted, tuple(ADJUSTED_VOLUMES)),
        exclusions=_join([later, outsiders, _describe_missing(people, models, "group")], EXCLUSION_COLUMNS),
    )


def associate_severity(
    cohort: pd.DataFrame,
    *,
    scales: Iterable[str],
    families: Families,
    comparison_group: str,
    covariates: Sequence[str],
    head_size: HeadSize,
    min_group_size: int,
    confidence: float,
) -> SeverityAssociation:
    """Relate the volume of every region to severity within the comparison group, one scale at a time.

    ``volume ~ severity + age + sex + head size + site``. The reference group takes no part: severity 0 for everyone in
    it would be group under another name. Each scale has its own families of tests.

    Parameters
    ----------
    cohort
        One row per measured scan (``cohort.tsv``), with ``severity_<scale>``; of several sessions the first is taken.
    scales
        Names of the scales.
    families, covariates, head_size, confidence
        As for `compare_groups`.
    comparison_group
        Value of column ``group`` of the people to take.
    min_group_size
        Fewer people with all values: the model is refused.

    Returns
    -------
    Tables with the columns of `ASSOCIATIONS`, `PARTIAL_RESIDUALS` (`morpho.infer.dictionaries`) and
    `EXCLUSION_COLUMNS`.

    Notes
    -----
    ASSUME: volume is linear in the score.
    """
    baseline, later = choose_baseline(cohort)
    people, _ = _select_groups(baseline, (comparison_group,))
    check = partial(_check_groups, groups=(comparison_group,), fewest=min_group_size)
    rows, residuals, models = [], [], []
    for scale in scales:
        question = Question(f"severity_{scale}", "severity", "severity", covariates, head_size)
        for model in fit_regions(people, question, families, check=check, confidence=confidence):
            row = _describe_model(model, question) | {"scale": scale}
            if model.sample is not None and model.fit is not None:
                row |= {"n": len(model.sample.data)} | _describe_slope(model.fit, confidence)
                kept = model.sample.data[["participant_id"]].assign(**model.place, scale=scale)
                kept["severity_residual"] = model.fit.term_residual
                kept["volume_residual_mm3"] = model.fit.volume_residual
                residuals.append(kept)
            rows.append(row)
            models.append(model)
    return SeverityAssociation(
        associations=_correct(_tabulate(rows, tuple(ASSOCIATIONS)), ["family", "scale"]),
        partial_residuals=_join(residuals, tuple(PARTIAL_RESIDUALS)),
        exclusions=_join([later, _describe_missing(people, models, "severity")], EXCLUSION_COLUMNS),
    )


def _select_groups(baseline: pd.DataFrame, groups: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Part the people of the wanted groups from all others, who become exclusions with a reason."""
    if "group" not in baseline:
        return baseline, pd.DataFrame()
    wanted = baseline["group"].isin(groups)
    others = baseline.loc[~wanted, ["participant_id", "session_id", "scan"]].assign(stage="models")
    others["reason"] = [
        "no group known" if pd.isna(group) else f"group {group} is not compared ({' and '.join(groups)} are)"
        for group in baseline.loc[~wanted, "group"]
    ]
    return baseline[wanted], others


def _check_groups(sample: Sample, groups: Sequence[str], fewest: int) -> None:
    """Refuse a sample with too few people in a group."""
    sizes = {group: int((sample.data["group"] == group).sum()) for group in groups}
    if min(sizes.values()) >= fewest:
        return
    lacks = Counter(column for columns in sample.missing.values() for column in columns)
    counts = ", ".join(f"{n} {group}" for group, n in sizes.items())
    msg = (
        f"only one group is present: {counts}"
        if len(sizes) > 1 and 0 in sizes.values()
        else f"too few people: {counts}"
    )
    msg += f" with all values, where config models.min_group_size asks for {fewest} of each"
    if lacks:
        msg += f"; without a value: {', '.join(f'{column} {n}' for column, n in sorted(lacks.items()))}"
    raise DesignError(msg)


def _describe_model(model: RegionModel, question: Question) -> Row:
    """Give the columns that both tables share."""
    head_size = question.head_size if model.sample is None else model.sample.head_size
    row: Row = {**model.place, "status": "refused", "reason": model.reason, "formula": ""}
    row |= {"head_size": head_size.column, "head_size_note": head_size.note}
    if model.sample is not None and model.fit is not None:
        n_sites = max(model.sample.data["site"].nunique(), 1)
        row |= {"status": "fitted", "formula": model.sample.formula, "n_sites": n_sites}
        row |= {"t": model.fit.t, "df": model.fit.df, "p": model.fit.p}
    return row


def _describe_groups(sample: Sample, fit: TermFit, groups: Sequence[str]) -> Row:
    """Give size, raw and adjusted mean of both groups."""
    row: Row = {}
    for role, group, shift in (("reference", groups[0], 0.0), ("comparison", groups[1], fit.estimate)):
        volume_mm3 = sample.data.loc[sample.data["group"] == group, "volume_mm3"]
        row |= {f"n_{role}": len(volume_mm3), f"mean_{role}_mm3": volume_mm3.mean(), f"sd_{role}_mm3": volume_mm3.std()}
        row[f"adjusted_mean_{role}_mm3"] = fit.mean_at_zero + shift
    return row


def _describe_difference(sample: Sample, fit: TermFit, groups: Sequence[str], confidence: float) -> Row:
    """Give the difference in mm3, per cent and standard deviations, with intervals."""
    n_reference, n_comparison = ((sample.data["group"] == group).sum() for group in groups)
    enigma = standardise_as_enigma(fit.t, fit.df, n_reference, n_comparison)
    standardised = standardise_difference(fit.t, fit.df, fit.unit_variance, confidence)
    to_percent = 100 / fit.mean_at_zero  # ASSUME: the reference mean is known
    return {
        "estimate_mm3": fit.estimate,
        "se_mm3": fit.se,
        "ci_low_mm3": fit.ci_low,
        "ci_high_mm3": fit.ci_high,
        "percent": fit.estimate * to_percent,
        "percent_ci_low": fit.ci_low * to_percent,
        "percent_ci_high": fit.ci_high * to_percent,
        "d": standardised.d,
        "g": standardised.g,
        "g_ci_low": standardised.g_ci_low,
        "g_ci_high": standardised.g_ci_high,
        "d_enigma": enigma.value,
        "d_enigma_ci_low": enigma.ci_low,
        "d_enigma_ci_high": enigma.ci_high,
        "vif_group": fit.vif,
    }


def _describe_slope(fit: TermFit, confidence: float) -> Row:
    """Give the slope and the partial correlation, with intervals."""
    correlation = correlate_partially(fit.t, fit.df, confidence)
    return {
        "slope_mm3_per_point": fit.estimate,
        "slope_ci_low_mm3": fit.ci_low,
        "slope_ci_high_mm3": fit.ci_high,
        "partial_r": correlation.value,
        "partial_r_ci_low": correlation.ci_low,
        "partial_r_ci_high": correlation.ci_high,
    }


def _describe_missing(people: pd.DataFrame, models: Sequence[RegionModel], kind: str) -> pd.DataFrame:
    """List the people who did not enter all models, with the number of models and the columns without a value."""
    samples = [model.sample for model in models if model.sample is not None]
    n_missed = Counter(who for sample in samples for who in sample.missing)
    columns = {who: sorted({c for sample in samples for c in sample.missing.get(who, [])}) for who in n_missed}
    rows = people.loc[people["participant_id"].isin(list(n_missed)), ["participant_id", "session_id", "scan"]]
    return rows.assign(
        stage="models",
        reason=[
            f"not in {n_missed[who]} of {len(models)} {kind} models: no value for {', '.join(columns[who])}"
            for who in rows["participant_id"]
        ],
    )


def _tabulate(rows: Sequence[Row], columns: Sequence[str]) -> pd.DataFrame:
    """Make a table with numbers as numbers, also where no row has any."""
    table = pd.DataFrame(list(rows), columns=list(columns))
    kinds = {name: "Int64" if name in COUNT_COLUMNS else "float64" for name in columns if name not in TEXT_COLUMNS}
    return table.astype(kinds)


def _correct(table: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Correct p within each family; its size counts refused models too."""
    for places in table.groupby(list(keys), sort=False).indices.values():
        rows = table.index[places]
        table.loc[rows, "p_fdr"] = adjust_p(table.loc[rows, "p"].to_numpy())
        table.loc[rows, "family_size"] = len(rows)
    return table


def _join(parts: Sequence[pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
    """Put tables under each other, with the columns in order."""
    filled = [part for part in parts if len(part)]
    if not filled:
        return pd.DataFrame(columns=list(columns))
    return pd.concat(filled, ignore_index=True)[list(columns)]
