"""Takes the tissue shares and regions of a scan, gives its volumes in mm3 and the metrics of its quality."""


rule measure_volumes:
    """Measure the regional and total volumes of one scan, and how far they can be trusted."""
    input:
        t1w=rules.preprocess_t1w.output.t1w,
        sidecar=rules.preprocess_t1w.output.sidecar,
        brain_mask=rules.preprocess_t1w.output.brain_mask,
        alignment=rules.register_to_template.output.alignment,
        grey_matter=rules.segment_tissue.output.grey_matter,
        white_matter=rules.segment_tissue.output.white_matter,
        csf=rules.segment_tissue.output.csf,
        regions=rules.label_regions.output.regions,
        structures=rules.segment_tissue.output.structures,
        overlap=rules.label_regions.output.sidecar,
        rois=project_file(config["volumes"]["rois"]),
        labels=project_file(config["atlas"]["labels"]),
    output:
        volumes=scan_file(f"{SEGMENTATION}_desc-volumes_morph.tsv"),
        quality=scan_file("desc-quality_metrics.tsv"),
    log:
        log_file("measure_volumes"),
    benchmark:
        benchmark_file("measure_volumes")
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
    params:
        min_voxels=config["volumes"]["min_voxels"],
        code=source_digest("morpho.measure.volumes", "morpho.measure.quality", "morpho.rois", "morpho.structures"),
    script:
        "../scripts/measure_volumes.py"
