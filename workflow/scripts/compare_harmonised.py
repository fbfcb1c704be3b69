"""Adapter of rule `compare_harmonised`: tables in, ComBat and `morpho.infer.models.compare_groups`, tables out."""

from dataclasses import replace

from morpho.covariates import text_variables
from morpho.infer.dictionaries import EFFECTS
from morpho.infer.models import compare_groups
from morpho.infer.quality.sets import prepare_sets
from morpho.infer.sites.dictionaries import HARMONISATION
from morpho.infer.sites.harmonise import Harmonisation, harmonise_cohort
from morpho.infer.study import Study, list_places, name_column
from morpho.job_start import start_job
from morpho.tables import read_table, write_table

start_job(snakemake)
given, out, params = snakemake.input, snakemake.output, snakemake.params
cohort = read_table(given.cohort, text=text_variables(params.participants["variables"]))
studies = prepare_sets(cohort, read_table(given.decisions), params.models, params.participants)


def harmonise(study: Study) -> Harmonisation:
    """Take site differences out of the volumes that are compared."""
    columns = dict.fromkeys(map(name_column, list_places(study.settings.families)))
    present = [name for name in columns if name in study.people and study.people[name].notna().any()]
    return harmonise_cohort(study.people, study.settings, present)


changed = studies.change(lambda study: replace(study, people=harmonise(study).people))
result = compare_groups(changed.main, changed.others)
write_table(result.effects, out.effects, EFFECTS, digits=17)
write_table(harmonise(studies.main).notes, out.notes, HARMONISATION, digits=17)
