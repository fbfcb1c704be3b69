"""Takes tables and images, gives figures; nothing is measured or modelled here."""

FORMATS = config["figures"]["formats"]
SCALES = list(drop_removed(config)["participants"]["severity"])
FAMILIES = list(drop_removed(config)["models"]["families"])
EFFECT_FIGURES = ["effects_forest", "effects_on_brain"]
SPECIFICATION_FIGURES = ["specification"]
CLAIM_FIGURES = ["claims"]
DISTRIBUTION_FIGURES = [f"distributions_{family}" for family in FAMILIES]
SEVERITY_FIGURES = [f"severity_{scale}" for scale in SCALES]


def figure_files(names):
    """Paths of figures in all formats."""
    return expand(group_file("figures/{name}.{format}"), name=names, format=FORMATS)


rule plot_overlay:
    """Draw the regions and tissue borders over one scan."""
    input:
        t1w=rules.preprocess_t1w.output.t1w,
        brain_mask=rules.preprocess_t1w.output.brain_mask,
        grey_matter=rules.segment_tissue.output.grey_matter,
        white_matter=rules.segment_tissue.output.white_matter,
        regions=rules.label_regions.output.regions,
        rois=project_file(config["volumes"]["rois"]),
        labels=project_file(config["atlas"]["labels"]),
        style=project_file(config["figures"]["style"]),
    output:
        png=f"{OUT}/{{folder}}/figures/{{scan}}_desc-regions_T1w.png",
        jpg=f"{OUT}/{{folder}}/figures/{{scan}}_desc-regions_T1w.jpg",
    log:
        log_file("plot_overlay"),
    benchmark:
        benchmark_file("plot_overlay")
    params:
        dpi=config["figures"]["dpi"],
        code=source_digest("morpho.present.brainmaps", "morpho.present.figures"),
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
        data=expand(group_file("figures/{name}.tsv"), name=EFFECT_FIGURES),
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
            "morpho.infer.dictionaries",
            "morpho.infer.sharing.references",
        ),
    script:
        "../scripts/plot_effects.py"


rule plot_specification:
    """Draw the group differences of the first family in every variant of the analysis."""
    input:
        sensitivity=rules.compare_groups.output.sensitivity,
        style=project_file(config["figures"]["style"]),
    output:
        figures=figure_files(SPECIFICATION_FIGURES),
        data=expand(group_file("figures/{name}.tsv"), name=SPECIFICATION_FIGURES),
        captions=group_file("figures/specification_captions.json"),
    log:
        log_file("plot_specification", "cohort"),
    params:
        dpi=config["figures"]["dpi"],
        family=FAMILIES[0],
        confidence=config["models"]["confidence"],
        code=source_digest("morpho.present.specification", "morpho.present.captions", "morpho.infer.dictionaries"),
    script:
        "../scripts/plot_specification.py"


rule plot_claims:
    """Draw the verdict on every claim, and what the claims need that were not tested."""
    input:
        claims=rules.test_claims.output.claims,
        style=project_file(config["figures"]["style"]),
    output:
        figures=figure_files(CLAIM_FIGURES),
        data=expand(group_file("figures/{name}.tsv"), name=CLAIM_FIGURES),
        captions=group_file("figures/claims_captions.json"),
    log:
        log_file("plot_claims", "cohort"),
    params:
        dpi=config["figures"]["dpi"],
        code=source_digest("morpho.present.claim_figure", "morpho.present.captions", "morpho.infer.claims.dictionaries"),
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
        data=expand(group_file("figures/{name}.tsv"), name=DISTRIBUTION_FIGURES),
        captions=group_file("figures/distributions_captions.json"),
    log:
        log_file("plot_distributions", "cohort"),
    params:
        dpi=config["figures"]["dpi"],
        families=FAMILIES,
        confidence=config["models"]["confidence"],
        code=source_digest("morpho.present.figures", "morpho.present.captions", "morpho.infer.dictionaries"),
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
        data=expand(group_file("figures/{name}.tsv"), name=SEVERITY_FIGURES),
        captions=group_file("figures/severity_captions.json"),
    log:
        log_file("plot_severity", "cohort"),
    params:
        dpi=config["figures"]["dpi"],
        scales=SCALES,
        family=FAMILIES[0],
        confidence=config["models"]["confidence"],
        code=source_digest("morpho.present.figures", "morpho.present.captions", "morpho.infer.dictionaries"),
    script:
        "../scripts/plot_severity.py"
