"""Takes all tables and figures, gives the folder of the report and the description of the derivative data set."""

FIGURE_RULES = [
    rules.plot_claims,
    rules.plot_effects,
    rules.plot_specification,
    rules.plot_distributions,
    rules.plot_severity,
    rules.plot_regions,
    rules.plot_flow,
]
if not TABLES:
    FIGURE_RULES.append(rules.plot_quality)
CLAIMS_FILE = project_file(config["models"]["claims"])
CLAIMS_SHA256 = file_sha256(Path(CLAIMS_FILE))
# Report: name of a table -> its file. Volumes that come from a table have no scans whose quality could be looked at.
RESULTS = {
    "claims": rules.test_claims.output.claims,
    "claim_tests": rules.test_claims.output.claim_tests,
    "effects": rules.compare_groups.output.effects,
    "sensitivity": rules.compare_groups.output.sensitivity,
    "associations": rules.associate_severity.output.associations,
    "sites": rules.describe_sample.output.sites,
    "flow": rules.decide_scans.output.flow,
    "scans": rules.assemble_cohort.output.scans,
    "columns": rules.assemble_cohort.output.columns,
    "decisions": rules.decide_scans.output.decisions,
    "agreement": rules.decide_scans.output.agreement,
}
QUALITY = {
    "metrics": [] if TABLES else rules.assess_quality.output.metrics,
    "deviations": [] if TABLES else rules.assess_quality.output.deviations,
    "comparison": [] if TABLES else rules.compare_quality.output.comparison,
}
EXCLUSIONS = [
    rules.decide_scans.output.exclusions,
    rules.compare_groups.output.exclusions,
    rules.associate_severity.output.exclusions,
]
# Tables that travel with the report.
LINKED = [
    *(path for name, path in RESULTS.items() if name != "columns" or not config["report"]["share"]),
    *(path for name, path in QUALITY.items() if path and name != "deviations"),  # large, and on the pages of scans
    rules.describe_precision.output.precision,
    rules.describe_sample.output.sample,
    rules.decide_scans.output.exclusions,
]
SHARE = config["report"]["share"]
# What shipped with morpho measured the scans: name -> SHA-256.
WEIGHTS = {
    f"weights {path.name}": f"SHA-256 {file_sha256(path)}"
    for path in sorted(find_data_file("morpho:weights/networks.json").parent.iterdir())
    if path.suffix in (".onnx", ".gz")
}
ATLAS = {"atlas": f"{config['atlas']['name']}, SHA-256 {file_sha256(Path(project_file(config['atlas']['image'])))}"}
METHODS_BLOCKS = ("preprocess", "register", "segment", "atlas", "parcellate", "volumes", "quality", "models")


rule write_methods:
    """Write the methods paragraph from what was run."""
    input:
        scans=rules.assemble_cohort.output.scans,
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
    """Write the report: a folder of pages that needs nothing beside it."""
    input:
        **RESULTS,
        **QUALITY,
        precision=rules.describe_precision.output.precision,
        sample=rules.describe_sample.output.sample,
        exclusions=EXCLUSIONS,
        linked=LINKED,
        rois=project_file(config["volumes"]["rois"]),
        label_table=project_file(config["atlas"]["labels"]),
        style=project_file(config["figures"]["style"]),
        methods=rules.write_methods.output.methods,
        captions=[rule.output.captions for rule in FIGURE_RULES],
        figures=[rule.output.figures for rule in FIGURE_RULES],
        pictures=every_scan(rules.plot_overlay.output.webp),
        viewer=find_data_file("morpho:vendor/niivue/niivue.umd.js"),
        templates=sorted(map(str, Path(workflow.basedir, "workflow", "report").iterdir())),
    output:
        report=directory(f"{OUT}/report"),
    log:
        log_file("write_report", "cohort"),
    params:
        options={
            "title": config["report"]["title"],
            "share": SHARE,
            "smallest": config["models"]["smallest_shared_cell"],
            "region_mads": config["quality"]["region_mads"],
        },
        hashed=SHARE or config["report"]["hash_ids"],
        smallest=config["models"]["smallest_shared_cell"] if SHARE else 0,
        viewer_mb=0 if SHARE else config["report"]["viewer_mb"],
        config=config,
        settings=drop_removed(config)["models"],
        family=FAMILIES[0],
        tables=[*RESULTS, *QUALITY],
        # Made together with the pictures, and not named as inputs: 10,000 of each would slow every start down.
        thumbnail=template_of(rules.plot_overlay.output.thumbnail),
        t1w=template_of(rules.measure_scan.output.t1w),
        brain_mask=template_of(rules.measure_scan.output.brain_mask),
        regions=template_of(rules.measure_scan.output.regions),
        logs=f"{OUT}/logs",
        figure_format="png" if "png" in FORMATS else "svg",
        provenance={
            "claims file": f"{Path(CLAIMS_FILE).name}, SHA-256 {CLAIMS_SHA256}",
            **({} if TABLES else ATLAS | WEIGHTS),
            "seed": config["models"]["seed"],
        },
        code=source_digest(
            "morpho.present.report",
            "morpho.present.report_files",
            "morpho.infer.sharing.precision_words",
            "morpho.infer.sharing.sample",
            "morpho.infer.sensitivity_names",
            "morpho.infer.quality.set_names",
            "morpho.infer.claims.verdicts",
            "morpho.population",
            "morpho.run_cost",
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
