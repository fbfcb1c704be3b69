"""Takes a preprocessed scan, gives the shares of grey matter, white matter, fluid, hippocampus and amygdala."""


rule segment_tissue:
    """Estimate the tissue shares of one scan, and find its hippocampi and amygdalae."""
    input:
        t1w=rules.preprocess_t1w.output.t1w,
        brain_mask=rules.preprocess_t1w.output.brain_mask,
        coarse_shares=rules.preprocess_t1w.output.coarse_shares,
    output:
        grey_matter=scan_file("label-GM_probseg.nii.gz"),
        white_matter=scan_file("label-WM_probseg.nii.gz"),
        csf=scan_file("label-CSF_probseg.nii.gz"),
        structures=scan_file("desc-structures_probseg.nii.gz"),
    log:
        log_file("segment_tissue"),
    benchmark:
        benchmark_file("segment_tissue")
    resources:
        mem_mb=lambda wildcards, attempt: 2500 * attempt,
    params:
        prior_weight=config["segment"]["prior_weight"],
        raw=lambda wildcards: CHOSEN.loc[wildcards.scan, "path"],
        weights=weights_sha256("networks"),
        code=source_digest("morpho.measure.segment", "morpho.structures", "morpho.networks"),
    script:
        "../scripts/segment_tissue.py"
