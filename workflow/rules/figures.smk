"""Takes tables and images, gives figures; nothing is measured or modelled here."""

FORMATS = config["figures"]["formats"]
SCALES = list(drop_removed(config)["participants"]["severity"])
FAMILIES = list(drop_removed(config)["models"]["families"])
FAMILY_REGIONS = dict.fromkeys(
    roi for family in drop_removed(config)["models"]["families"].values() for roi in family["rois"]
)
EFFECT_FIGURES = ["effects_forest", "effects_on_brain"]
SPECIFICATION_FIGURES = ["specification"]
CLAIM_FIGURES = ["claims"]
FLOW_FIGURES = ["flow"]
QUALITY_FIGURES = ["quality_groups"]
DISTRIBUTION_FIGURES = [f"distributions_{family}" for family in FAMILIES]
SEVERITY_FIGURES = [f"severity_{scale}" for scale in SCALES]
REGION_FIGURES = [f"region_{roi}" for roi in FAMILY_REGIONS]


def figure_files(names):
    """Paths of figures in all formats."""
    return expand(group_file("figures/{name}.{format}"), name=names, format=FORMATS)


def figure_tables(names):
    """Paths of the tables beside figures."""
    return expand(group_file("figures/{name}.tsv"), name=names)


rule plot_overlay:
    """Draw the regions and tissue borders over one scan: for the eye, for the report, and as a thumbnail."""
    input:
        t1w=rules.measure_scan.output.t1w,
        brain_mask=rules.measure_scan.output.brain_mask,
        grey_matter=rules.measure_scan.output.grey_matter,
        white_matter=rules.measure_scan.output.white_matter,
        regions=rules.measure_scan.output.regions,
        rois=project_file(config["volumes"]["rois"]),
        labels=project_file(config["atlas"]["labels"]),
        style=project_file(config["figures"]["style"]),
    output:
        png=f"{OUT}/{{folder}}/figures/{{scan}}_desc-regions_T1w.png",
        webp=f"{OUT}/{{folder}}/figures/{{scan}}_desc-regions_T1w.webp",
        thumbnail=f"{OUT}/{{folder}}/figures/{{scan}}_desc-thumbnail_T1w.webp",
    log:
        log_file("plot_overlay"),
    benchmark:
        benchmark_file("plot_overlay")
    resources:
        mem_mb=lambda wildcards, attempt: 700 * attempt,  # 380 MB measured
        runtime=lambda wildcards, attempt: 5 * attempt,
    params:
        dpi=config["figures"]["overlay_dpi"],
        webp={"width_px": 1000, "largest_bytes": 70_000},  # 500 scans stay under 40 MB
        thumbnail={"width_px": 320, "largest_bytes": 7_000},
        code=source_digest("morpho.present.overlay", "morpho.present.rendering", "morpho.present.slices"),
    script:
        "../scripts/plot_overlay.py"


rule plot_effects:
    """Draw the group differences: their estimates with intervals, and where they are in the brain."""
    input:
        effects=rules.compare_groups.output.effects,
        atlas=project_file(config["atlas"]["image"]),
        rois=project_file(config["volumes"]["rois"]),
        labels=project_file(config["atlas"]["labels"]),
        style=project_file(config["figures"]["style"]),
    output:
        figures=figure_files(EFFECT_FIGURES),
        data=figure_tables(EFFECT_FIGURES),
        captions=group_file("figures/effects_captions.json"),
    log:
        log_file("plot_effects", "cohort"),
    params:
        dpi=config["figures"]["dpi"],
        confidence=config["models"]["confidence"],
        code=source_digest(
            "morpho.present.brainmaps",
            "morpho.present.figures",
            "morpho.present.captions",
            "morpho.present.rendering",
            "morpho.infer.dictionaries",
            "morpho.infer.quality.dictionaries",
            "morpho.infer.sharing.references",
        ),
    script:
        "../scripts/plot_effects.py"


rule plot_specification:
    """Draw the group differences of the first family in every variant of the analysis."""
    input:
        sensitivity=rules.compare_groups.output.sensitivity,
        effects=rules.compare_groups.output.effects,
        style=project_file(config["figures"]["style"]),
    output:
        figures=figure_files(SPECIFICATION_FIGURES),
        data=figure_tables(SPECIFICATION_FIGURES),
        captions=group_file("figures/specification_captions.json"),
    log:
        log_file("plot_specification", "cohort"),
    params:
        dpi=config["figures"]["dpi"],
        family=FAMILIES[0],
        confidence=config["models"]["confidence"],
        code=source_digest(
            "morpho.present.specification",
            "morpho.present.captions",
            "morpho.present.rendering",
            "morpho.infer.dictionaries",
        ),
    script:
        "../scripts/plot_specification.py"


rule plot_claims:
    """Draw the verdict on every claim, and what the claims need that were not tested."""
    input:
        claims=rules.test_claims.output.claims,
        style=project_file(config["figures"]["style"]),
    output:
        figures=figure_files(CLAIM_FIGURES),
        data=figure_tables(CLAIM_FIGURES),
        captions=group_file("figures/claims_captions.json"),
    log:
        log_file("plot_claims", "cohort"),
    params:
        dpi=config["figures"]["dpi"],
        code=source_digest(
            "morpho.present.claim_figure",
            "morpho.present.captions",
            "morpho.present.rendering",
            "morpho.infer.claims.dictionaries",
            "morpho.infer.claims.verdicts",
        ),
    script:
        "../scripts/plot_claims.py"


rule plot_distributions:
    """Draw the adjusted volume of every person by group, one figure per family of regions."""
    input:
        effects=rules.compare_groups.output.effects,
        adjusted=rules.compare_groups.output.adjusted,
        style=project_file(config["figures"]["style"]),
    output:
        figures=figure_files(DISTRIBUTION_FIGURES),
        data=figure_tables(DISTRIBUTION_FIGURES),
        captions=group_file("figures/distributions_captions.json"),
    log:
        log_file("plot_distributions", "cohort"),
    params:
        dpi=config["figures"]["dpi"],
        families=FAMILIES,
        confidence=config["models"]["confidence"],
        code=source_digest(
            "morpho.present.figures",
            "morpho.present.captions",
            "morpho.present.rendering",
            "morpho.infer.dictionaries",
        ),
    script:
        "../scripts/plot_distributions.py"


rule plot_severity:
    """Draw the association of volume with each severity scale, as partial regressions."""
    input:
        associations=rules.associate_severity.output.associations,
        residuals=rules.associate_severity.output.residuals,
        style=project_file(config["figures"]["style"]),
    output:
        figures=figure_files(SEVERITY_FIGURES),
        data=figure_tables(SEVERITY_FIGURES),
        captions=group_file("figures/severity_captions.json"),
    log:
        log_file("plot_severity", "cohort"),
    params:
        dpi=config["figures"]["dpi"],
        scales=SCALES,
        family=FAMILIES[0],
        confidence=config["models"]["confidence"],
        code=source_digest(
            "morpho.present.figures",
            "morpho.present.captions",
            "morpho.present.rendering",
            "morpho.infer.dictionaries",
        ),
    script:
        "../scripts/plot_severity.py"


rule plot_regions:
    """Draw everything about each region: by group, with severity, in every variant of the analysis."""
    input:
        effects=rules.compare_groups.output.effects,
        adjusted=rules.compare_groups.output.adjusted,
        sensitivity=rules.compare_groups.output.sensitivity,
        associations=rules.associate_severity.output.associations,
        residuals=rules.associate_severity.output.residuals,
        style=project_file(config["figures"]["style"]),
    output:
        figures=figure_files(REGION_FIGURES),
        data=figure_tables(REGION_FIGURES),
        captions=group_file("figures/region_captions.json"),
    log:
        log_file("plot_regions", "cohort"),
    params:
        dpi=config["figures"]["dpi"],
        formats=FORMATS,
        rois=list(FAMILY_REGIONS),
        confidence=config["models"]["confidence"],
        code=source_digest(
            "morpho.present.region_figure",
            "morpho.present.cohort_captions",
            "morpho.present.rendering",
            "morpho.infer.dictionaries",
        ),
    script:
        "../scripts/plot_regions.py"


rule plot_flow:
    """Draw the way from the scans found to the people analysed, and who was lost."""
    input:
        flow=rules.decide_scans.output.flow,
        scans=rules.assemble_cohort.output.scans,
        exclusions=[rules.decide_scans.output.exclusions, rules.compare_groups.output.exclusions],
        effects=rules.compare_groups.output.effects,
        metrics=[] if TABLES else [rules.assess_quality.output.metrics],
        style=project_file(config["figures"]["style"]),
    output:
        figures=figure_files(FLOW_FIGURES),
        data=figure_tables(FLOW_FIGURES),
        captions=group_file("figures/flow_captions.json"),
    log:
        log_file("plot_flow", "cohort"),
    params:
        dpi=config["figures"]["dpi"],
        code=source_digest(
            "morpho.present.flow_figure",
            "morpho.present.cohort_captions",
            "morpho.present.rendering",
            "morpho.scans",
        ),
    script:
        "../scripts/plot_flow.py"


rule plot_quality:
    """Draw the difference between the groups in every metric of quality."""
    input:
        comparison=rules.compare_quality.output.comparison,
        style=project_file(config["figures"]["style"]),
    output:
        figures=figure_files(QUALITY_FIGURES),
        data=figure_tables(QUALITY_FIGURES),
        captions=group_file("figures/quality_captions.json"),
    log:
        log_file("plot_quality", "cohort"),
    params:
        dpi=config["figures"]["dpi"],
        groups=[config["models"]["comparison_group"], config["models"]["reference_group"]],
        confidence=config["models"]["confidence"],
        code=source_digest(
            "morpho.present.quality_figure",
            "morpho.present.cohort_captions",
            "morpho.present.rendering",
            "morpho.infer.quality.dictionaries",
        ),
    script:
        "../scripts/plot_quality.py"
