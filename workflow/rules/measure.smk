"""Takes a raw T1w scan, gives its derivatives, its table of volumes and its table of quality metrics.

One rule for all stages of a scan (preprocess, segment, register, parcellate, volumes, quality): a cohort of 10,000 is
planned in a minute, and a cluster gets one job for each scan. Within the job, a stage that is done and whose inputs,
settings and code are the same is not done again (morpho.stages).
"""

from morpho.scan.digests import measured_with

ATLAS_FILES = {
    "image": project_file(config["atlas"]["image"]),
    "labels": project_file(config["atlas"]["labels"]),
    "rois": project_file(config["volumes"]["rois"]),
}
MEASURING = {
    "preprocess": config["preprocess"],
    "segment": config["segment"],
    "register": config["register"],
    "parcellate": config["parcellate"],
    "volumes": {"min_voxels": config["volumes"]["min_voxels"]},
}
MEASURED_WITH = measured_with(MEASURING, config["atlas"]["name"], ATLAS_FILES)


def memory_mb(path):
    """Memory that a scan takes (MB): what the libraries need, and 22 bytes for a voxel of at least half a byte on disk."""
    try:
        size_mb = os.stat(path).st_size / 1e6
    except OSError:
        size_mb = 0
    return round(1500 + 45 * size_mb * (1 if path.endswith(".gz") else 0.25))


rule measure_scan:
    """Measure one scan: volumes of its regions, and how far they can be trusted."""
    input:
        **ATLAS_FILES,
        t1w=raw_t1w,
    output:
        volumes=update(scan_file(f"{SEGMENTATION}_desc-volumes_morph.tsv")),
        metrics=update(scan_file("desc-quality_metrics.tsv")),
        t1w=update(scan_file("desc-preproc_T1w.nii.gz")),
        brain_mask=update(scan_file("desc-brain_mask.nii.gz")),
        grey_matter=update(scan_file("label-GM_probseg.nii.gz")),
        white_matter=update(scan_file("label-WM_probseg.nii.gz")),
        regions=update(scan_file(f"{SEGMENTATION}_dseg.nii.gz")),
        record=update(scan_file("desc-stages_provenance.json")),
    log:
        log_file("measure_scan"),
    benchmark:
        benchmark_file("measure_scan")
    resources:
        mem_mb=lambda wildcards, attempt: memory_mb(raw_t1w(wildcards)) * attempt,
        runtime=lambda wildcards, attempt: 20 * attempt,
    params:
        raw=raw_path,
        atlas=config["atlas"]["name"],
        settings=MEASURING,
        measured_with=MEASURED_WITH,
        code=source_digest("morpho.scan.plan"),
    script:
        "../scripts/measure_scan.py"
