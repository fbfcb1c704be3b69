"""Takes the tables of all scans and the participants table, gives the cohort table and everyone who is left out."""

from hashlib import sha256

from morpho.participants import find_sessions

PARTICIPANTS = Path(config["bids_dir"], "participants.tsv")


rule list_scans:
    """List every T1w found, which one of each session was chosen, and why the others were not."""
    output:
        scans=group_file("scans.tsv"),
    log:
        log_file("list_scans", "cohort"),
    params:
        bids_dir=config["bids_dir"],
        output_dir=OUT,
        choice=config["scans"],
        content=sha256(SCANS.to_csv().encode()).hexdigest()[:16],
        code=source_digest("morpho.bids", "morpho.scans", "morpho.tables"),
    script:
        "../scripts/list_scans.py"


rule assemble_cohort:
    """Join the volumes of all scans with the participants, and record who is lost and why."""
    input:
        scans=rules.list_scans.output.scans,
        participants=[str(PARTICIPANTS)] if PARTICIPANTS.exists() else [],
        sessions=list(map(str, find_sessions(config["bids_dir"], SCANS["participant_id"]))),
        volumes=every_scan(rules.measure_volumes.output.volumes),
        quality=every_scan(scan_file("desc-quality_metrics.tsv")),
    output:
        volumes=group_file("roi_volumes.tsv"),
        cohort=group_file("cohort.tsv"),
        exclusions=group_file("cohort_exclusions.tsv"),
    log:
        log_file("assemble_cohort", "cohort"),
    params:
        bids_dir=config["bids_dir"],
        participants=drop_removed(config)["participants"],
        code=source_digest(
            "morpho.infer.cohort",
            "morpho.covariates",
            "morpho.participants",
            "morpho.tables",
        ),
    script:
        "../scripts/assemble_cohort.py"
