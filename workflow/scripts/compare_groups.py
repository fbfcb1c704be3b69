"""Adapter of rule `compare_groups`: tables in, `morpho.infer.models.compare_groups`, tables out."""

from morpho.covariates import text_variables
from morpho.infer.cohort import describe_exclusions
from morpho.infer.dictionaries import ADJUSTED_VOLUMES, EFFECTS, SENSITIVITY
from morpho.infer.models import EXCLUSION_COLUMNS, compare_groups, join_tables
from morpho.infer.sharing.references import COMPARISON_COLUMNS, choose_age_band, compare_with_published
from morpho.infer.study import list_flagged, prepare_study
from morpho.logs import log_to
from morpho.reference_data import load_references
from morpho.tables import read_table, write_table

log_to(snakemake.log[0])
given, out, params = snakemake.input, snakemake.output, snakemake.params
cohort = read_table(given.cohort, text=text_variables(params.participants["variables"]))
flagged = list_flagged([read_table(path) for path in given.quality])
study, left_out = prepare_study(cohort, params.models, params.participants, flagged=flagged)
result = compare_groups(study)
published = {"contrast": "patient_control", "age_band": choose_age_band(study.people)}
confidence = study.settings.confidence
effects = compare_with_published(result.effects, load_references(), **published, confidence=confidence)
exclusions = join_tables([left_out, result.exclusions], EXCLUSION_COLUMNS)
write_table(effects, out.effects, {**EFFECTS, **COMPARISON_COLUMNS}, digits=17)
write_table(result.sensitivity, out.sensitivity, SENSITIVITY, digits=17)
write_table(result.adjusted_volumes, out.adjusted, ADJUSTED_VOLUMES, digits=17)
write_table(exclusions, out.exclusions, describe_exclusions())
