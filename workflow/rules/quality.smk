"""Takes the quality metrics of all scans, gives one table with flags."""


rule assess_quality:
    """Flag scans that look wrong by themselves or against their cohort."""
    input:
        scans=group_file("scans.tsv"),
        metrics=every_scan(rules.measure_volumes.output.quality),
    output:
        metrics=group_file("quality.tsv"),
    params:
        **config["quality"],
        code=source_digest("morpho.measure.quality", "morpho.tables"),
    log:
        log_file("assess_quality", "cohort"),
    script:
        "../scripts/assess_quality.py"
