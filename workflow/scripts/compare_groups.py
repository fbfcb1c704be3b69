"""Adapter of rule `compare_groups`: tables in, `morpho.infer.models.compare_groups`, tables out."""

from morpho.covariates import text_variables
from morpho.infer.cohort import describe_exclusions
from morpho.infer.dictionaries import ADJUSTED_VOLUMES, EFFECTS, SENSITIVITY
from morpho.infer.models import EXCLUSION_COLUMNS, compare_groups, join_tables
from morpho.infer.quality.comparison import add_quality
from morpho.infer.quality.dictionaries import QUALITY_DIFFERENCE
from morpho.infer.quality.sets import prepare_sets
from morpho.infer.sharing.references import COMPARISON_COLUMNS, choose_age_band, compare_with_published
from morpho.job_start import start_job
from morpho.reference_data import load_references
from morpho.tables import read_table, write_table

start_job(snakemake)
given, out, params = snakemake.input, snakemake.output, snakemake.params
cohort = read_table(given.cohort, text=text_variables(params.participants["variables"]))
studies = prepare_sets(cohort, read_table(given.decisions), params.models, params.participants)
quality = read_table(given.quality[0]) if given.quality else None
result = compare_groups(studies.main, studies.others)
published = {"contrast": "patient_control", "age_band": choose_age_band(studies.main.people)}
confidence = params.models["confidence"]
effects = compare_with_published(result.effects, load_references(), **published, confidence=confidence)
effects = add_quality(effects, quality)
exclusions = join_tables([studies.left_out, result.exclusions], EXCLUSION_COLUMNS)
write_table(effects, out.effects, {**EFFECTS, **COMPARISON_COLUMNS, **QUALITY_DIFFERENCE}, digits=17)
write_table(result.sensitivity, out.sensitivity, SENSITIVITY, digits=17)
write_table(result.adjusted_volumes, out.adjusted, ADJUSTED_VOLUMES, digits=17)
write_table(exclusions, out.exclusions, describe_exclusions())
