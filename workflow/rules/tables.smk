"""Takes a table of volumes that were measured elsewhere and a participants table, gives what scans would have given."""


rule import_tables:
    """Join volumes that were measured elsewhere with the participants, and record who is lost and why."""
    input:
        volumes=TABLES["volumes"],
        participants=TABLES["participants"],
    output:
        scans=group_file("scans.tsv"),
        columns=group_file("participants_columns.tsv"),
        volumes=group_file("roi_volumes.tsv"),
        cohort=group_file("cohort.tsv"),
        exclusions=group_file("cohort_exclusions.tsv"),
    log:
        log_file("import_tables", "cohort"),
    params:
        regions=REGIONS,
        participants=drop_removed(config)["participants"],
        code=source_digest(
            "morpho.infer.cohort",
            "morpho.covariates",
            "morpho.participants",
            "morpho.volume_tables",
        ),
    script:
        "../scripts/import_tables.py"


# Everything downstream asks this rule for their outputs, wherever the volumes come from.
rules.assemble_cohort = rules.import_tables
