"""Adapter of rule `compare_harmonised`: tables in, ComBat and `morpho.infer.models.compare_groups`, tables out."""

from dataclasses import replace

from morpho.covariates import text_variables
from morpho.infer.dictionaries import EFFECTS
from morpho.infer.models import compare_groups
from morpho.infer.sites.dictionaries import HARMONISATION
from morpho.infer.sites.harmonise import harmonise_cohort
from morpho.infer.study import list_places, name_column, prepare_study
from morpho.logs import log_to
from morpho.tables import read_table, write_table

log_to(snakemake.log[0])
given, out, params = snakemake.input, snakemake.output, snakemake.params
cohort = read_table(given.cohort, text=text_variables(params.participants["variables"]))
study, _ = prepare_study(cohort, params.models, params.participants)
columns = [name_column(place) for place in list_places(study.settings.families)]
present = [name for name in dict.fromkeys(columns) if name in study.people and study.people[name].notna().any()]
harmonised = harmonise_cohort(study.people, study.settings, present)
result = compare_groups(replace(study, people=harmonised.people))
write_table(result.effects, out.effects, EFFECTS, digits=17)
write_table(harmonised.notes, out.notes, HARMONISATION, digits=17)
