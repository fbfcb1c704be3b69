"""Takes the tables of all scans and the participants table, gives the cohort table and everyone who is left out."""

from morpho.participants import find_sessions

PARTICIPANTS = Path(config["bids_dir"], "participants.tsv")


rule assemble_cohort:
    """Join the volumes of all scans with the participants, and record who is lost and why."""
    input:
        participants=[str(PARTICIPANTS)] if PARTICIPANTS.exists() else [],
        sessions=list(map(str, find_sessions(config["bids_dir"], SCANS["participant_id"]))),
        volumes=every_scan(rules.measure_scan.output.volumes),
        quality=every_scan(rules.measure_scan.output.metrics),
    output:
        scans=group_file("scans.tsv"),
        metrics=group_file("scan_metrics.tsv"),
        columns=group_file("participants_columns.tsv"),
        volumes=group_file("roi_volumes.tsv"),
        cohort=group_file("cohort.tsv"),
        exclusions=group_file("cohort_exclusions.tsv"),
    log:
        log_file("assemble_cohort", "cohort"),
    params:
        manifest=str(MANIFEST),
        record=template_of(rules.measure_scan.output.record),
        sidecar=template_of(rules.measure_scan.output.t1w.replace(".nii.gz", ".json")),
        content=sha256(SCANS.to_csv().encode()).hexdigest()[:16],
        bids_dir=config["bids_dir"],
        participants=drop_removed(config)["participants"],
        code=source_digest(
            "morpho.infer.cohort",
            "morpho.covariates",
            "morpho.infer.measured",
            "morpho.participants",
            "morpho.scans",
            "morpho.tables",
        ),
    script:
        "../scripts/assemble_cohort.py"


rule check_measured:
    """Make an error of a cohort of which too few scans could be measured; everything else is made all the same."""
    input:
        scans=rules.assemble_cohort.output.scans,
    output:
        share=group_file("measured_share.tsv"),
    log:
        log_file("check_measured", "cohort"),
    params:
        smallest=config["failures"]["min_measured_fraction"],
        code=source_digest("morpho.infer.measured"),
    script:
        "../scripts/check_measured.py"
