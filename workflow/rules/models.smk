"""Takes the cohort table, gives effect-size tables: groups compared, and severity related to volume."""


rule compare_groups:
    """Compare the volume of each region between the two groups."""
    input:
        cohort=rules.assemble_cohort.output.cohort,
    output:
        effects=group_file("group_comparison.tsv"),
        adjusted=group_file("adjusted_volumes.tsv"),
        exclusions=group_file("group_comparison_exclusions.tsv"),
    log:
        log_file("compare_groups", "cohort"),
    params:
        settings=drop_removed(config)["models"],
        code=source_digest("morpho.infer.models", "morpho.infer.cohort"),
    script:
        "../scripts/compare_groups.py"


rule associate_severity:
    """Relate the volume of each region to each severity scale, in the comparison group only."""
    input:
        cohort=rules.assemble_cohort.output.cohort,
    output:
        associations=group_file("severity_association.tsv"),
        residuals=group_file("severity_residuals.tsv"),
        exclusions=group_file("severity_association_exclusions.tsv"),
    log:
        log_file("associate_severity", "cohort"),
    params:
        settings=drop_removed(config)["models"],
        scales=list(drop_removed(config)["participants"]["severity"]),
        code=source_digest("morpho.infer.models", "morpho.infer.cohort"),
    script:
        "../scripts/associate_severity.py"
