"""Takes a raw T1w scan, gives the scan without shading, the brain mask and coarse shares of tissues."""


rule preprocess_t1w:
    """Find the brain, correct the bias field and crop one scan."""
    input:
        t1w=raw_t1w,
    output:
        t1w=scan_file("desc-preproc_T1w.nii.gz"),
        sidecar=scan_file("desc-preproc_T1w.json"),
        brain_mask=scan_file("desc-brain_mask.nii.gz"),
        coarse_shares=temp(scan_file("desc-coarse_probseg.nii.gz")),
    log:
        log_file("preprocess_t1w"),
    benchmark:
        benchmark_file("preprocess_t1w")
    resources:
        mem_mb=lambda wildcards, attempt: 2500 * attempt,
    params:
        brain=config["preprocess"]["brain"],
        margin_mm=config["preprocess"]["margin_mm"],
        raw=lambda wildcards: CHOSEN.loc[wildcards.scan, "path"],
        weights=weights_sha256("networks"),
        code=source_digest("morpho.measure.preprocess", "morpho.t1w", "morpho.networks"),
    script:
        "../scripts/preprocess_t1w.py"
