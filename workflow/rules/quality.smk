"""Takes the metrics of all scans and what people decided; gives verdicts, decisions, and what groups differ in."""

DECISIONS = config["quality"]["decisions"]


rule assess_quality:
    """Judge every scan by itself and against its cohort, blind to group."""
    input:
        scans=rules.assemble_cohort.output.scans,
        cohort=rules.assemble_cohort.output.cohort,
        metrics=[] if TABLES else rules.assemble_cohort.output.metrics,
    output:
        metrics=group_file("metrics.tsv"),
        deviations=group_file("region_deviations.tsv"),
    log:
        log_file("assess_quality", "cohort"),
    params:
        quality={key: value for key, value in drop_removed(config)["quality"].items() if key != "decisions"},
        participants=drop_removed(config)["participants"],
        code=source_digest("morpho.infer.quality.assessment", "morpho.infer.measured", "morpho.tables"),
    script:
        "../scripts/assess_quality.py"


rule decide_scans:
    """Decide which scans the statistics take, and record who is left out and why."""
    input:
        scans=rules.assemble_cohort.output.scans,
        cohort=rules.assemble_cohort.output.cohort,
        exclusions=rules.assemble_cohort.output.exclusions,
        metrics=[] if TABLES else [rules.assess_quality.output.metrics],
        human=[DECISIONS] if DECISIONS else [],
    output:
        decisions=group_file("scan_decisions.tsv"),
        agreement=group_file("rater_agreement.tsv"),
        exclusions=group_file("exclusions.tsv"),
        flow=group_file("flow.tsv"),
    log:
        log_file("decide_scans", "cohort"),
    params:
        participants=drop_removed(config)["participants"],
        code=source_digest(
            "morpho.infer.quality.decisions", "morpho.infer.flow", "morpho.infer.cohort", "morpho.qc_decisions"
        ),
    script:
        "../scripts/decide_scans.py"


rule compare_quality:
    """Compare the quality of the kept scans between the groups."""
    input:
        cohort=rules.assemble_cohort.output.cohort,
        metrics=rules.assess_quality.output.metrics,
        decisions=rules.decide_scans.output.decisions,
    output:
        comparison=group_file("quality_comparison.tsv"),
    log:
        log_file("compare_quality", "cohort"),
    params:
        models=drop_removed(config)["models"],
        participants=drop_removed(config)["participants"],
        code=source_digest("morpho.infer.quality.comparison", "morpho.infer.quality.sets"),
    script:
        "../scripts/compare_quality.py"
