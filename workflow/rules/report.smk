"""Takes all tables and figures, gives one HTML file and the description of the derivative data set."""

import yaml

STYLE = yaml.safe_load(Path(project_file(config["figures"]["style"])).read_text(encoding="utf-8"))
FIGURE_RULES = [
    rules.plot_claims,
    rules.plot_effects,
    rules.plot_specification,
    rules.plot_distributions,
    rules.plot_severity,
]
CLAIMS_FILE = project_file(config["models"]["claims"])
CLAIMS_SHA256 = file_sha256(Path(CLAIMS_FILE))
# Report: name of a table -> its file. Volumes that come from a table have no scans whose quality could be looked at.
RESULTS = {
    "precision": rules.describe_precision.output.precision,
    "claims": rules.test_claims.output.claims,
    "claim_tests": rules.test_claims.output.claim_tests,
    "effects": rules.compare_groups.output.effects,
    "sensitivity": rules.compare_groups.output.sensitivity,
    "associations": rules.associate_severity.output.associations,
    "sites": rules.describe_sample.output.sites,
    "flow": rules.decide_scans.output.flow,
    "scans": rules.list_scans.output.scans,
}
LINKED = [
    "precision",
    "claims",
    "claim_tests",
    "group_comparison",
    "sensitivity",
    "severity_association",
    "sample",
    "sites",
    "exclusions",
    "scans",
]
EXCLUSIONS = [
    rules.decide_scans.output.exclusions,
    rules.compare_groups.output.exclusions,
    rules.associate_severity.output.exclusions,
]
METHODS_BLOCKS = ("preprocess", "register", "segment", "atlas", "parcellate", "volumes", "quality", "models")


rule write_methods:
    """Write the methods paragraph from what was run."""
    input:
        scans=rules.list_scans.output.scans,
        cohort=rules.assemble_cohort.output.cohort,
        effects=rules.compare_groups.output.effects,
        associations=rules.associate_severity.output.associations,
        precision=rules.describe_precision.output.precision,
        claims=rules.test_claims.output.claims,
        claim_tests=rules.test_claims.output.claim_tests,
        claims_file=CLAIMS_FILE,
        exclusions=EXCLUSIONS,
        template=Path(workflow.basedir, "workflow", "report", "methods.jinja"),
    output:
        methods=group_file("methods.txt"),
    log:
        log_file("write_methods", "cohort"),
    params:
        config={block: config[block] for block in METHODS_BLOCKS},
        claims_sha256=CLAIMS_SHA256,
        code=source_digest("morpho.present.methods", "morpho.provenance", "morpho.scans"),
    script:
        "../scripts/write_methods.py"


rule write_report:
    """Write the report: one file that needs nothing beside it."""
    input:
        **RESULTS,
        sample=rules.describe_sample.output.sample,
        exclusions=EXCLUSIONS,
        quality=[] if TABLES else rules.assess_quality.output.metrics,
        rois=project_file(config["volumes"]["rois"]),
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
        settings=drop_removed(config)["models"],
        family=FAMILIES[0],
        tables=[*(name for name in RESULTS if name != "precision"), "quality"],
        outlined=list(STYLE["region_colours"]),
        figure_format="svg" if "svg" in FORMATS else FORMATS[0],
        linked=LINKED if TABLES else [*LINKED, "quality"],
        provenance={
            "claims file": f"{Path(CLAIMS_FILE).name}, SHA-256 {CLAIMS_SHA256}",
            "seed": config["models"]["seed"],
        },
        code=source_digest(
            "morpho.present.report",
            "morpho.present.captions",
            "morpho.infer.sharing.precision",
            "morpho.infer.sharing.sample",
            "morpho.infer.sensitivity_names",
            "morpho.infer.claims.verdicts",
            "morpho.measure.quality",
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
