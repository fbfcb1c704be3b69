"""Takes the tissue shares and regions of a scan, gives its volumes in mm3."""


rule measure_volumes:
    """Measure the regional and total volumes of one scan."""
    input:
        sidecar=rules.preprocess_t1w.output.sidecar,
        brain_mask=rules.preprocess_t1w.output.brain_mask,
        alignment=rules.register_to_template.output.alignment,
        grey_matter=rules.segment_tissue.output.grey_matter,
        white_matter=rules.segment_tissue.output.white_matter,
        csf=rules.segment_tissue.output.csf,
        regions=rules.label_regions.output.regions,
        structures=rules.segment_tissue.output.structures,
        rois=project_file(config["volumes"]["rois"]),
        labels=project_file(config["atlas"]["labels"]),
    output:
        volumes=scan_file(f"{SEGMENTATION}_desc-volumes_morph.tsv"),
    log:
        log_file("measure_volumes"),
    benchmark:
        benchmark_file("measure_volumes")
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
    params:
        min_voxels=config["volumes"]["min_voxels"],
        code=source_digest("morpho.measure.volumes", "morpho.rois", "morpho.structures"),
    script:
        "../scripts/measure_volumes.py"
