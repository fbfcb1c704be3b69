"""Adapter of rule `associate_severity`: tables in, `morpho.infer.models.associate_severity`, tables out."""

from morpho.infer.cohort import describe_exclusions
from morpho.infer.design import resolve_head_size
from morpho.infer.dictionaries import ASSOCIATIONS, PARTIAL_RESIDUALS
from morpho.infer.models import associate_severity
from morpho.logs import log_to
from morpho.tables import read_table, write_table

log_to(snakemake.log[0])
out, settings = snakemake.output, dict(snakemake.params.settings)
cohort = read_table(snakemake.input.cohort)
substitute = settings.pop("head_size_substitute")
settings["head_size"] = resolve_head_size(cohort, head_size=settings["head_size"], substitute=substitute)
del settings["reference_group"]
result = associate_severity(cohort, scales=snakemake.params.scales, **settings)
write_table(result.associations, out.associations, ASSOCIATIONS)
write_table(result.partial_residuals, out.residuals, PARTIAL_RESIDUALS)
write_table(result.exclusions, out.exclusions, describe_exclusions())
