"""Takes the cohort table, gives the tables of the statistics: groups, severity, claims, precision, individuals."""

STATISTICS = {
    "models": drop_removed(config)["models"],
    "participants": drop_removed(config)["participants"],
}
CLAIM_TABLES = [
    "claims",
    "claim_tests",
    "contrasts",
    "associations",
    "interactions",
    "change",
    "outcome",
    "prediction",
    "prediction_subgroups",
    "prediction_calibration",
    "site_effects",
    "site_pooled",
    "subgroups",
    "variability",
    "extremes",
]


rule compare_groups:
    """Compare the volume of each region between the two groups, in several ways, and with what was published."""
    input:
        cohort=rules.assemble_cohort.output.cohort,
        decisions=rules.decide_scans.output.decisions,
        quality=[] if TABLES else [rules.compare_quality.output.comparison],
    output:
        effects=group_file("group_comparison.tsv"),
        sensitivity=group_file("sensitivity.tsv"),
        adjusted=group_file("adjusted_volumes.tsv"),
        exclusions=group_file("group_comparison_exclusions.tsv"),
    log:
        log_file("compare_groups", "cohort"),
    params:
        **STATISTICS,
        code=source_digest(
            "morpho.infer.models",
            "morpho.infer.cohort",
            "morpho.infer.quality.comparison",
            "morpho.infer.sharing.references",
            "morpho.reference_data",
        ),
    script:
        "../scripts/compare_groups.py"


rule associate_severity:
    """Relate the volume of each region to each severity scale, in the comparison group only."""
    input:
        cohort=rules.assemble_cohort.output.cohort,
        decisions=rules.decide_scans.output.decisions,
    output:
        associations=group_file("severity_association.tsv"),
        residuals=group_file("severity_residuals.tsv"),
        exclusions=group_file("severity_association_exclusions.tsv"),
    log:
        log_file("associate_severity", "cohort"),
    params:
        **STATISTICS,
        code=source_digest("morpho.infer.models", "morpho.infer.cohort"),
    script:
        "../scripts/associate_severity.py"


rule test_claims:
    """Test every claim whose columns the cohort has, and give a verdict on each."""
    input:
        cohort=rules.assemble_cohort.output.cohort,
        decisions=rules.decide_scans.output.decisions,
        claims=project_file(config["models"]["claims"]),
    output:
        **{name: group_file(f"{name}.tsv") for name in CLAIM_TABLES},
    log:
        log_file("test_claims", "cohort"),
    params:
        **STATISTICS,
        code=source_digest(
            "morpho.infer.claims.tables",
            "morpho.infer.claims.parsing",
            "morpho.infer.claims.engine",
            "morpho.claims_file",
        ),
    script:
        "../scripts/test_claims.py"


rule describe_sample:
    """Describe the people of each group and site."""
    input:
        cohort=rules.assemble_cohort.output.cohort,
        decisions=rules.decide_scans.output.decisions,
    output:
        sample=group_file("sample.tsv"),
        sites=group_file("sites.tsv"),
        site_counts=group_file("site_counts.tsv"),
    log:
        log_file("describe_sample", "cohort"),
    params:
        **STATISTICS,
        code=source_digest("morpho.infer.sharing.sample", "morpho.infer.sites.sites", "morpho.infer.quality.sets"),
    script:
        "../scripts/describe_sample.py"


rule describe_precision:
    """Say what effects a sample of this size can find, and how wide its intervals are."""
    input:
        effects=rules.compare_groups.output.effects,
        associations=rules.associate_severity.output.associations,
    output:
        precision=group_file("precision.tsv"),
    log:
        log_file("describe_precision", "cohort"),
    params:
        confidence=config["models"]["confidence"],
        power=0.8,
        measured=TABLES is None,  # what morpho loses in measuring says nothing about the volumes of others
        code=source_digest("morpho.infer.sharing.precision", "morpho.reference_data"),
    script:
        "../scripts/describe_precision.py"


rule score_individuals:
    """Set every person against the controls: deviations for research, never part of what is shared."""
    input:
        cohort=rules.assemble_cohort.output.cohort,
        decisions=rules.decide_scans.output.decisions,
        norm_table=[config["models"]["norm_table"]] if config["models"]["norm_table"] else [],
    output:
        deviations=group_file("individual_deviations.tsv"),
        calibration=group_file("individual_calibration.tsv"),
        extremes=group_file("individual_extremes.tsv"),
    log:
        log_file("score_individuals", "cohort"),
    params:
        **STATISTICS,
        family=next(iter(STATISTICS["models"]["families"])),
        code=source_digest("morpho.infer.sites.individuals", "morpho.infer.quality.sets"),
    script:
        "../scripts/score_individuals.py"


rule compare_harmonised:
    """Compare the groups once more after ComBat, beside the site term of every model."""
    input:
        cohort=rules.assemble_cohort.output.cohort,
        decisions=rules.decide_scans.output.decisions,
    output:
        effects=group_file("group_comparison_combat.tsv"),
        notes=group_file("harmonisation.tsv"),
    log:
        log_file("compare_harmonised", "cohort"),
    params:
        **STATISTICS,
        code=source_digest("morpho.infer.models", "morpho.infer.sites.harmonise"),
    script:
        "../scripts/compare_harmonised.py"


rule export_effects:
    """Write the differences in ENIGMA's columns, small cells withheld: what a study can give to others."""
    input:
        cohort=rules.assemble_cohort.output.cohort,
        effects=rules.compare_groups.output.effects,
        contrasts=rules.test_claims.output.contrasts,
    output:
        folder=directory(f"{OUT}/enigma_export"),
    log:
        log_file("export_effects", "cohort"),
    params:
        smallest=config["models"]["smallest_shared_cell"],
        code=source_digest("morpho.infer.sharing.sharing", "morpho.infer.sharing.exports"),
    script:
        "../scripts/export_effects.py"


rule record_statistics:
    """Write down what was done: versions, seeds, families, exclusions, numbers of people."""
    input:
        effects=rules.compare_groups.output.effects,
        claims=rules.test_claims.output.claims,
        claims_file=project_file(config["models"]["claims"]),
        exclusions=[
            rules.decide_scans.output.exclusions,
            rules.compare_groups.output.exclusions,
            rules.associate_severity.output.exclusions,
        ],
    output:
        record=group_file("statistics.json"),
    log:
        log_file("record_statistics", "cohort"),
    params:
        models=STATISTICS["models"],
        code=source_digest("morpho.infer.sharing.record"),
    script:
        "../scripts/record_statistics.py"


STATISTICS_FILES = [
    rules.compare_groups.output,
    rules.associate_severity.output,
    rules.test_claims.output,
    rules.describe_sample.output,
    rules.describe_precision.output,
    rules.score_individuals.output,
    rules.export_effects.output,
    rules.record_statistics.output,
    [rules.compare_harmonised.output] if config["models"]["harmonise"] == "combat" else [],
]
