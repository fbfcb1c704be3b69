"""Adapter of rule `compare_groups`: tables in, `morpho.infer.models.compare_groups`, tables out."""

from morpho.infer.cohort import describe_exclusions
from morpho.infer.design import resolve_head_size
from morpho.infer.dictionaries import ADJUSTED_VOLUMES, EFFECTS
from morpho.infer.models import compare_groups
from morpho.logs import log_to
from morpho.tables import read_table, write_table

log_to(snakemake.log[0])
out, settings = snakemake.output, dict(snakemake.params.settings)
cohort = read_table(snakemake.input.cohort)
substitute = settings.pop("head_size_substitute")
settings["head_size"] = resolve_head_size(cohort, head_size=settings["head_size"], substitute=substitute)
result = compare_groups(cohort, **settings)
write_table(result.effects, out.effects, EFFECTS)
write_table(result.adjusted_volumes, out.adjusted, ADJUSTED_VOLUMES)
write_table(result.exclusions, out.exclusions, describe_exclusions())
