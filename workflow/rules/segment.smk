"""Takes a preprocessed scan and its transforms, gives the shares of grey matter, white matter and fluid."""


rule segment_tissue:
    """Estimate the tissue shares of one scan, with the template's maps as prior."""
    input:
        t1w=rules.preprocess_t1w.output.t1w,
        brain_mask=rules.preprocess_t1w.output.brain_mask,
        affine=rules.register_to_template.output.affine,
        warp=rules.register_to_template.output.warp,
        inverse_warp=rules.register_to_template.output.inverse_warp,
    output:
        grey_matter=scan_file("label-GM_probseg.nii.gz"),
        white_matter=scan_file("label-WM_probseg.nii.gz"),
        csf=scan_file("label-CSF_probseg.nii.gz"),
    log:
        log_file("segment_tissue"),
    benchmark:
        benchmark_file("segment_tissue")
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
    params:
        prior_weight=config["segment"]["prior_weight"],
        smoothing=config["segment"]["smoothing"],
        raw=lambda wildcards: CHOSEN.loc[wildcards.scan, "path"],
        code=source_digest("morpho.measure.segment", "morpho.measure.register", "morpho.atlas"),
    script:
        "../scripts/segment_tissue.py"
