"""Takes the metrics of all scans and what people decided; gives verdicts, decisions, and what groups differ in."""

DECISIONS = config["quality"]["decisions"]


rule measure_quality:
    """Measure how far the volumes of one scan can be trusted."""
    input:
        raw=raw_t1w,
        t1w=rules.preprocess_t1w.output.t1w,
        sidecar=rules.preprocess_t1w.output.sidecar,
        brain_mask=rules.preprocess_t1w.output.brain_mask,
        grey_matter=rules.segment_tissue.output.grey_matter,
        white_matter=rules.segment_tissue.output.white_matter,
        csf=rules.segment_tissue.output.csf,
        structures=rules.segment_tissue.output.structures,
        affine=rules.register_to_template.output.affine,
        warp=rules.register_to_template.output.warp,
        inverse_warp=rules.register_to_template.output.inverse_warp,
        alignment=rules.register_to_template.output.alignment,
        overlap=rules.label_regions.output.sidecar,
        volumes=rules.measure_volumes.output.volumes,
    output:
        metrics=scan_file("desc-quality_metrics.tsv"),
    log:
        log_file("measure_quality"),
    benchmark:
        benchmark_file("measure_quality")
    resources:
        mem_mb=lambda wildcards, attempt: 2500 * attempt,
    params:
        weights=[weights_sha256("subcortical_atlas"), weights_sha256("asymmetry_map")],
        code=source_digest(
            "morpho.measure.quality",
            "morpho.measure.laterality",
            "morpho.measure.parcellate",
            "morpho.measure.register",
            "morpho.structures",
            "morpho.t1w",
        ),
    script:
        "../scripts/measure_quality.py"


rule assess_quality:
    """Judge every scan by itself and against its cohort, blind to group."""
    input:
        scans=rules.list_scans.output.scans,
        cohort=rules.assemble_cohort.output.cohort,
        volumes=every_scan(rules.measure_volumes.output.volumes),
        metrics=every_scan(rules.measure_quality.output.metrics),
    output:
        metrics=group_file("metrics.tsv"),
        deviations=group_file("region_deviations.tsv"),
    log:
        log_file("assess_quality", "cohort"),
    params:
        quality={key: value for key, value in drop_removed(config)["quality"].items() if key != "decisions"},
        participants=drop_removed(config)["participants"],
        code=source_digest("morpho.infer.quality.assessment", "morpho.failures", "morpho.tables"),
    script:
        "../scripts/assess_quality.py"


rule decide_scans:
    """Decide which scans the statistics take, and record who is left out and why."""
    input:
        scans=rules.list_scans.output.scans,
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
