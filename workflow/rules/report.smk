"""Takes all tables and figures, gives one HTML file and the description of the derivative data set."""

import yaml

STYLE = yaml.safe_load(Path(project_file(config["figures"]["style"])).read_text(encoding="utf-8"))
FIGURE_RULES = [rules.plot_effects, rules.plot_distributions, rules.plot_severity]
METHODS_BLOCKS = ("preprocess", "register", "segment", "atlas", "parcellate", "volumes", "quality", "models")


rule write_methods:
    """Write the methods paragraph from what was run."""
    input:
        scans=rules.list_scans.output.scans,
        cohort=rules.assemble_cohort.output.cohort,
        effects=rules.compare_groups.output.effects,
        associations=rules.associate_severity.output.associations,
        template=Path(workflow.basedir, "workflow", "report", "methods.jinja"),
    output:
        methods=group_file("methods.txt"),
    log:
        log_file("write_methods", "cohort"),
    params:
        config={block: config[block] for block in METHODS_BLOCKS},
        code=source_digest("morpho.present.methods", "morpho.provenance", "morpho.scans"),
    script:
        "../scripts/write_methods.py"


rule write_report:
    """Write the report: one file that needs nothing beside it."""
    input:
        scans=rules.list_scans.output.scans,
        flow=rules.assemble_cohort.output.flow,
        exclusions=[
            rules.assemble_cohort.output.exclusions,
            rules.compare_groups.output.exclusions,
            rules.associate_severity.output.exclusions,
        ],
        effects=rules.compare_groups.output.effects,
        associations=rules.associate_severity.output.associations,
        quality=rules.assess_quality.output.metrics,
        methods=rules.write_methods.output.methods,
        captions=[rule.output.captions for rule in FIGURE_RULES],
        figures=[rule.output.figures for rule in FIGURE_RULES],
        overlays=every_scan(rules.plot_overlay.output.jpg),
        template=Path(workflow.basedir, "workflow", "report", "report.html.jinja"),
    output:
        report=f"{OUT}/report.html",
    log:
        log_file("write_report", "cohort"),
    params:
        title=config["report"]["title"],
        confidence=config["models"]["confidence"],
        power=0.8,
        outlined=list(STYLE["region_colours"]),
        figure_format="svg" if "svg" in FORMATS else FORMATS[0],
        linked=["group_comparison", "severity_association", "quality", "exclusions", "scans"],
        code=source_digest(
            "morpho.present.report", "morpho.present.captions", "morpho.stats.effects", "morpho.measure.quality"
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
