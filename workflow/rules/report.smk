"""Takes all tables and figures, gives one HTML file and the description of the derivative data set."""

# Photographs of scans are smaller as PNG, drawings as SVG.
OVERLAY_FORMAT = "png" if "png" in FORMATS else FORMATS[0]
FIGURE_FORMAT = "svg" if "svg" in FORMATS else FORMATS[0]


rule write_report:
    """Write the report: one file that needs nothing beside it."""
    input:
        scans=rules.list_scans.output.scans,
        cohort=rules.assemble_cohort.output.cohort,
        flow=rules.assemble_cohort.output.flow,
        exclusions=[
            rules.assemble_cohort.output.exclusions,
            rules.compare_groups.output.exclusions,
            rules.associate_severity.output.exclusions,
        ],
        effects=rules.compare_groups.output.effects,
        associations=rules.associate_severity.output.associations,
        quality=rules.assess_quality.output.metrics,
        captions=[
            rule.output.captions
            for rule in (
                rules.plot_effects,
                rules.plot_distributions,
                rules.plot_severity,
            )
        ],
        figures=[
            rule.output.figures
            for rule in (
                rules.plot_effects,
                rules.plot_distributions,
                rules.plot_severity,
            )
        ],
        overlays=every_scan(
            rules.plot_overlay.output.figures[FORMATS.index(OVERLAY_FORMAT)]
        ),
        report_template=Path(
            workflow.basedir, "workflow", "report", "report.html.jinja"
        ),
        methods_template=Path(workflow.basedir, "workflow", "report", "methods.jinja"),
    output:
        report=f"{OUT}/report.html",
    log:
        log_file("write_report", "cohort"),
    params:
        config={
            key: value
            for key, value in config.items()
            if key not in ("bids_dir", "output_dir")
        },
        figure_format=FIGURE_FORMAT,
        code=source_digest(
            "morpho.present.report", "morpho.present.methods", "morpho.infer.effects"
        ),
    script:
        "../scripts/write_report.py"


rule describe_dataset:
    """Write what makes the output folder a BIDS derivative: its description and the files that BIDS has no name for."""
    input:
        cohort=rules.assemble_cohort.output.cohort,
    output:
        description=f"{OUT}/dataset_description.json",
        ignore=f"{OUT}/.bidsignore",
        labels=f"{OUT}/{SEGMENTATION}_dseg.tsv",
    log:
        log_file("describe_dataset", "cohort"),
    params:
        bids_dir=config["bids_dir"],
        labels=project_file(config["atlas"]["labels"]),
        code=source_digest("morpho.derivatives"),
    script:
        "../scripts/describe_dataset.py"
