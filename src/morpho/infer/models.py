"""The two questions that every study is asked: do groups differ in volume, and does volume go with severity.

Takes a study and gives one row per family, region and hemisphere, with the tables behind the figures and the people who
did not enter. A model that cannot be estimated is a row with status "refused" and the reason; the others go on. What
each column means and how it is computed: `morpho.infer.dictionaries`. All further questions:
`morpho.infer.claims.engine`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from morpho.formulas import quote_name
from morpho.infer.contrasts import Effect
from morpho.infer.design import Model
from morpho.infer.dictionaries import ADJUSTED_VOLUMES, EFFECTS, PARTIAL_RESIDUALS, SENSITIVITY, SEVERITY
from morpho.infer.fit import RegionModel
from morpho.infer.linear_tests import LinearResult, Question, run_linear
from morpho.infer.quality.set_names import SET_COUNTS
from morpho.infer.quality.sets import EFFECT_TABLES, add_effects, run_others
from morpho.infer.sensitivity import append_sets, vary_analysis, widen_variants
from morpho.infer.study import ROLES, Study, list_places
from morpho.tables import TEXT_COLUMNS

EXCLUSION_COLUMNS = ("participant_id", "session_id", "scan", "stage", "reason")
COUNT_COLUMNS = {"n", "n_reference", "n_comparison", "n_sites", "df", "family_size", "n_high_leverage", *SET_COUNTS}
KEYS = ["family", "roi", "hemisphere"]
NO_OTHERS: Mapping[str, Study] = {}
BY_GROUP = Effect(of="group", weights={"control": -1.0, "patient": 1.0})


@dataclass(frozen=True)
class GroupComparison:
    """Effects of group on volume, their variants, the adjusted volumes behind the figure, and who did not enter."""

    effects: pd.DataFrame
    sensitivity: pd.DataFrame
    adjusted_volumes: pd.DataFrame
    exclusions: pd.DataFrame


@dataclass(frozen=True)
class SeverityAssociation:
    """Slopes of volume on severity, the partial residuals behind the figure, and who did not enter."""

    associations: pd.DataFrame
    partial_residuals: pd.DataFrame
    exclusions: pd.DataFrame


def compare_groups(study: Study, others: Mapping[str, Study] = NO_OTHERS) -> GroupComparison:
    """Compare the volume of every region between patients and controls, by one linear model each.

    ``volume ~ group + age + sex + head size + site``, by ordinary least squares; the sign is patients minus controls.
    People with a missing value leave only the models that need it.

    Parameters
    ----------
    study
        People and settings.
    others
        The same with other sets of scans (`morpho.infer.quality.sets.StudySets`); their effects stand beside the main
        ones, and among the variants where the scans differ.

    Returns
    -------
    Tables with the columns of `EFFECTS`, `SENSITIVITY`, `ADJUSTED_VOLUMES` (`morpho.infer.dictionaries`) and
    `EXCLUSION_COLUMNS`; groups are called by the cohort's own names.

    Notes
    -----
    ASSUME: volumes are linear in the covariates, with the same slopes and spread in both groups. Terms follow ENIGMA
    (Schmaal L et al., Molecular Psychiatry 2016;21:806-812, doi:10.1038/mp.2015.69). Percent is of the adjusted mean
    of the controls; its interval is that of the estimate scaled, so that mean is taken as known.
    """
    people, question = _ask_groups(study)
    result = run_linear(people, question, study.settings)
    sets = run_others(study, others, result.rows, lambda other: run_linear(*_ask_groups(other), other.settings).rows)
    differing = {name: rows for name, rows in sets.items() if others[name] is not study}
    variants = append_sets(vary_analysis(people, question, study.settings), differing)
    fitted = result.rows.loc[result.rows["status"] == "fitted", KEYS]
    wide = widen_variants(variants).merge(fitted, on=KEYS)
    effects = add_effects(result.rows.merge(wide, on=KEYS, how="left"), sets, EFFECT_TABLES["group_comparison"])
    effects["contrast"] = f"{study.group_names['patient']} - {study.group_names['control']}"
    adjusted = [
        region.sample.data[["participant_id", "group", "volume_mm3"]].assign(
            **region.place, adjusted_volume_mm3=region.fit.adjusted
        )
        for region in result.models
        if region.sample is not None and region.fit is not None
    ]
    drawn = join_tables(adjusted, tuple(ADJUSTED_VOLUMES))
    return GroupComparison(
        effects=tabulate(effects, tuple(EFFECTS)),
        sensitivity=tabulate(variants, tuple(SENSITIVITY)),
        adjusted_volumes=drawn.assign(group=drawn["group"].map(dict(study.group_names))),
        exclusions=describe_missing(people, result.models, "group"),
    )


def _ask_groups(study: Study) -> tuple[pd.DataFrame, Question]:
    """Give the people of both groups, and the question how they differ."""
    people = study.people[study.people["group"].isin(ROLES)] if "group" in study.people else study.people
    model = choose_model(study, "C(group, Treatment('control'))", ("group",))
    return people, Question(model, BY_GROUP, list_places(study.settings.families))


def associate_severity(study: Study, others: Mapping[str, Study] = NO_OTHERS) -> SeverityAssociation:
    """Relate the volume of every region to severity within the patients, one scale at a time.

    ``volume ~ severity + age + sex + head size + site``. Controls take no part: severity 0 for all of them would be
    group under another name. Each scale has its own families of tests.

    Parameters
    ----------
    study
        People and settings; the scales are the columns of domain "severity".
    others
        The same with other sets of scans, whose effects stand beside the main ones.

    Returns
    -------
    Tables with the columns of `SEVERITY`, `PARTIAL_RESIDUALS` (`morpho.infer.dictionaries`) and `EXCLUSION_COLUMNS`.

    Notes
    -----
    ASSUME: volume is linear in the score.
    """
    results = _relate_scales(study)
    table = _stack_scales(results)
    sets = run_others(study, others, table, lambda other: _stack_scales(_relate_scales(other)))
    residuals = [
        region.sample.data[["participant_id"]].assign(
            **region.place,
            scale=scale,
            severity_residual=region.fit.term_residual,
            volume_residual_mm3=region.fit.volume_residual,
        )
        for scale, result in results.items()
        for region in result.models
        if region.sample is not None and region.fit is not None
    ]
    models = [region for result in results.values() for region in result.models]
    return SeverityAssociation(
        associations=tabulate(add_effects(table, sets, EFFECT_TABLES["severity_association"]), tuple(SEVERITY)),
        partial_residuals=join_tables(residuals, tuple(PARTIAL_RESIDUALS)),
        exclusions=describe_missing(_take_patients(study), models, "severity"),
    )


def _take_patients(study: Study) -> pd.DataFrame:
    """Take the patients; everybody where there are no groups."""
    return study.people[study.people["group"] == "patient"] if "group" in study.people else study.people


def _relate_scales(study: Study) -> dict[str, LinearResult]:
    """Relate the volume of every region to each scale."""
    results = {}
    for column in study.domains.get("severity", ()):
        model = choose_model(study, quote_name(column), (column,))
        question = Question(model, Effect(of=column), list_places(study.settings.families))
        results[column.removeprefix("severity_")] = run_linear(_take_patients(study), question, study.settings)
    return results


def _stack_scales(results: Mapping[str, LinearResult]) -> pd.DataFrame:
    """Put the rows of all scales under each other."""
    names = {"slope_mm3_per_unit": "slope_mm3_per_point"}
    rows = [result.rows.assign(scale=scale).rename(columns=names) for scale, result in results.items()]
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=["scale", *KEYS])


def choose_model(study: Study, terms: str, variables: Sequence[str]) -> Model:
    """Set terms of interest against the covariates of the study."""
    settings = study.settings
    chosen = (settings.covariates, settings.head_size, settings.age_model, settings.min_residual_df)
    return Model(terms, tuple(variables), *chosen)


def describe_missing(people: pd.DataFrame, models: Sequence[RegionModel], kind: str) -> pd.DataFrame:
    """List the people who did not enter all models, with the number of models and the columns without a value.

    Parameters
    ----------
    people
        One row per participant, with ``session_id`` and ``scan``.
    models
        Models of all regions.
    kind
        What the models are of, in words.

    Returns
    -------
    Columns of `EXCLUSION_COLUMNS`.
    """
    samples = [model.sample for model in models if model.sample is not None]
    n_missed = Counter(who for sample in samples for who in sample.missing)
    columns = {who: sorted({c for sample in samples for c in sample.missing.get(who, [])}) for who in n_missed}
    rows = people.loc[people["participant_id"].isin(list(n_missed)), ["participant_id", "session_id", "scan"]]
    listed = rows.assign(
        stage="models",
        reason=[
            f"not in {n_missed[who]} of {len(models)} {kind} models: no value for {', '.join(columns[who])}"
            for who in rows["participant_id"]
        ],
    )
    return join_tables([listed], EXCLUSION_COLUMNS)


def tabulate(rows: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Give a table its columns in order, with numbers as numbers also where no row has any."""
    table = rows.reindex(columns=list(columns))
    kinds = {name: "Int64" if name in COUNT_COLUMNS else "float64" for name in columns if name not in TEXT_COLUMNS}
    return table.astype({name: kind for name, kind in kinds.items() if table[name].dtype != "bool"})


def join_tables(parts: Sequence[pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
    """Put tables under each other, with the columns in order; an empty table if there are none."""
    filled = [part for part in parts if len(part)]
    if not filled:
        return pd.DataFrame(columns=list(columns))
    return pd.concat(filled, ignore_index=True)[list(columns)]
