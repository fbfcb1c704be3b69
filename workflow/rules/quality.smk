"""Takes the quality metrics of all scans, gives one table with flags."""


rule assess_quality:
    """Flag scans that look wrong by themselves or against their cohort."""
    input:
        scans=rules.list_scans.output.scans,
        metrics=every_scan(rules.measure_volumes.output.quality),
    output:
        metrics=group_file("quality.tsv"),
    log:
        log_file("assess_quality", "cohort"),
    params:
        **config["quality"],
        code=source_digest("morpho.measure.quality", "morpho.tables"),
    script:
        "../scripts/assess_quality.py"
