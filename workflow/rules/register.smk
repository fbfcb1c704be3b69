"""Takes the tissue shares of a scan, gives the transforms between it and the template, and a score of the alignment."""


rule register_to_template:
    """Align one scan with the template, affinely and then deformably."""
    input:
        brain_mask=rules.preprocess_t1w.output.brain_mask,
        grey_matter=rules.segment_tissue.output.grey_matter,
        white_matter=rules.segment_tissue.output.white_matter,
        csf=rules.segment_tissue.output.csf,
    output:
        affine=scan_file(f"{TO_TEMPLATE}_desc-affine_xfm.mat"),
        warp=scan_file(f"{TO_TEMPLATE}_desc-warp_xfm.nii.gz"),
        inverse_warp=scan_file(f"{FROM_TEMPLATE}_desc-warp_xfm.nii.gz"),
        alignment=scan_file(f"{TO_TEMPLATE}_xfm.json"),
    log:
        log_file("register_to_template"),
    benchmark:
        benchmark_file("register_to_template")
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
    params:
        resolution_mm=config["register"]["resolution_mm"],
        iterations=config["register"]["iterations"],
        raw=lambda wildcards: CHOSEN.loc[wildcards.scan, "path"],
        code=source_digest("morpho.measure.register", "morpho.atlas"),
    script:
        "../scripts/register_to_template.py"
