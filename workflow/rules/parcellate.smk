"""Takes the transforms and the grey matter of a scan, gives the region of each voxel in native space."""


rule label_regions:
    """Carry the atlas to one scan and give the grey matter it misses to the nearest parcel."""
    input:
        grey_matter=rules.segment_tissue.output.grey_matter,
        structures=rules.segment_tissue.output.structures,
        affine=rules.register_to_template.output.affine,
        warp=rules.register_to_template.output.warp,
        inverse_warp=rules.register_to_template.output.inverse_warp,
        atlas=project_file(config["atlas"]["image"]),
        labels=project_file(config["atlas"]["labels"]),
    output:
        regions=scan_file(f"{SEGMENTATION}_dseg.nii.gz"),
        sidecar=scan_file(f"{SEGMENTATION}_dseg.json"),
    log:
        log_file("label_regions"),
    benchmark:
        benchmark_file("label_regions")
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
    params:
        atlas_name=config["atlas"]["name"],
        reach_mm=config["parcellate"]["reach_mm"],
        raw=lambda wildcards: CHOSEN.loc[wildcards.scan, "path"],
        weights=weights_sha256("subcortical_atlas"),
        code=source_digest("morpho.measure.parcellate", "morpho.measure.register", "morpho.atlas", "morpho.structures"),
    script:
        "../scripts/label_regions.py"
