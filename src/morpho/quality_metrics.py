"""Vocabulary of quality control: the numbers that each scan has, and the names of what can be wrong with a scan.

`morpho.measure.quality` measures the numbers, `morpho.infer.quality` judges them, the report shows both. Nothing here
computes anything.
"""

from __future__ import annotations

# Metric -> meaning and unit, as written to the JSON dictionary beside the table.
METRICS: dict[str, dict[str, str]] = {
    "brain_mask_volume_ml": {"Description": "Volume of the brain mask", "Units": "mL"},
    "grey_matter_ml": {"Description": "Sum of grey-matter shares", "Units": "mL"},
    "white_matter_ml": {"Description": "Sum of white-matter shares", "Units": "mL"},
    "csf_ml": {"Description": "Sum of fluid shares inside the mask", "Units": "mL"},
    "grey_to_white_ratio": {"Description": "Grey matter over white matter", "Units": "ratio"},
    "csf_share": {"Description": "Fluid over the brain mask", "Units": "ratio"},
    "tiv_ml": {
        "Description": "Intracranial volume: of the mask of a whole head; missing for brain-extracted scans",
        "Units": "mL",
    },
    "affine_tiv_ml": {
        "Description": "Intracranial volume that follows from the affine alignment with the template",
        "Units": "mL",
    },
    "tiv_difference_percent": {
        "Description": "Affine estimate of intracranial volume minus that of the mask, percent of the mask's; missing "
        "for brain-extracted scans",
        "Units": "percent",
    },
    "contrast_to_noise": {
        "Description": "Mean white minus mean grey signal, over the root of the mean variance of both, in voxels that "
        "are at least 95 % one tissue",
        "Units": "ratio",
    },
    "white_to_grey_contrast": {
        "Description": "Mean white over mean grey signal, in voxels that are at least 95 % one tissue",
        "Units": "ratio",
    },
    "white_matter_snr": {"Description": "Mean over standard deviation of the signal in white matter", "Units": "ratio"},
    "noise_white_percent": {
        "Description": "Noise within white matter, from differences of neighbouring voxels, percent of its mean signal",
        "Units": "percent",
    },
    "noise_air_percent": {
        "Description": "Noise in the air around the head, corrected for the Rician distribution of magnitudes, percent "
        "of the mean signal of white matter; missing without air (brain extracted, air set to zero)",
        "Units": "percent",
    },
    "ghost_percent": {
        "Description": "Largest mean signal that the head casts into the air when shifted by half the field of view "
        "along one axis, above that of the other air, percent of the mean signal of white matter; missing without air",
        "Units": "percent",
    },
    "air_artefact_percent": {
        "Description": "Share of the air whose signal is structured (survives an opening) and above its noise; missing "
        "without air",
        "Units": "percent",
    },
    "brain_ghost_percent": {
        "Description": "Ghost that the head casts upon its own brain, moved by half the field of view along one axis, "
        "as slope of the signal that tissues do not explain on the moved scan, largest of the axes; missing if too "
        "little brain lies under the moved scan",
        "Units": "percent",
    },
    "bias_field_percent": {
        "Description": "Shading by the coil inside the brain mask: 95th minus 5th percentile of raw over corrected "
        "signal, percent of its median",
        "Units": "percent",
    },
    "blur_fwhm_mm": {
        "Description": "Smoothness of what the tissues do not explain of the signal, as full width at half maximum of "
        "a Gaussian",
        "Units": "mm",
    },
    "edge_width_mm": {
        "Description": "Width of the border of grey and white matter: their contrast over the slope of the signal",
        "Units": "mm",
    },
    "mask_parts": {"Description": "Connected parts of the brain mask (1 is right)", "Units": "count"},
    "mask_holes_mm3": {"Description": "Volume of holes inside the brain mask", "Units": "mm3"},
    "edge_contact_mm2": {
        "Description": "Largest area in which the brain mask touches one face of the field of view, or of the box that "
        "has signal",
        "Units": "mm2",
    },
    "defacing_contact_mm2": {
        "Description": "Area in which the brain mask of a whole head touches voxels that defacing blanked; missing for "
        "brain-extracted scans",
        "Units": "mm2",
    },
    "laterality_score": {
        "Description": "How clearly the brain's own asymmetries agree with the header about left and right: 1 is the "
        "mean of true scans, -1 that of mirrored ones, 0 no evidence",
        "Units": "score",
    },
    "hemisphere_ratio": {
        "Description": "Grey and white matter on that side of the template's mid-plane that has less, over the other",
        "Units": "ratio",
    },
    "mirror_correlation": {
        "Description": "Pearson correlation of the tissue shares left of the template's mid-plane with the mirror of "
        "those right of it, after affine alignment",
        "Units": "r",
    },
    "registration_correlation": {
        "Description": "Pearson correlation of template and aligned scan, as images of their tissues, inside the "
        "template's brain",
        "Units": "r",
    },
    "structure_overlap": {
        "Description": "Smallest Dice of left and right hippocampus and amygdala, as the network finds them, with "
        "where the aligned atlas expects them; missing if the atlas labels neither",
        "Units": "ratio",
    },
    "structure_odd_signal_percent": {
        "Description": "Largest share of left or right hippocampus or amygdala, where the aligned atlas expects them, "
        "whose signal is that of fluid or white matter",
        "Units": "percent",
    },
    "hippocampus_asymmetry_percent": {
        "Description": "Left minus right hippocampus, percent of the mean of both, without sign",
        "Units": "percent",
    },
    "asymmetry_percent": {"Description": "Largest |L - R| / mean of both over the regions", "Units": "percent"},
    "jacobian_low": {
        "Description": "1st percentile of local volume change of the deformable alignment",
        "Units": "ratio",
    },
    "jacobian_high": {"Description": "99th percentile of local volume change", "Units": "ratio"},
    "voxel_size_max_mm": {"Description": "Longest edge of a voxel", "Units": "mm"},
    "voxel_volume_mm3": {"Description": "Volume of a voxel", "Units": "mm3"},
}

# What leaves a scan out of the statistics, unless somebody decided to keep it: code -> meaning.
HARD_FAILURES: dict[str, str] = {
    "unreadable_image": "the file cannot be read, or is not one volume of plain numbers with a possible geometry",
    "empty_image": "the image holds no signal",
    "not_a_brain": "what the image shows is not a brain with the contrast of T1w",
    "empty_brain_mask": "no brain was found in the image",
    "orientation_uncertain": "the header does not say, or contradicts itself about, which side is left or what is up",
    "left_right_flipped": "the brain's own asymmetries say that left and right are swapped in the header",
    "missing_hemisphere": "one hemisphere is missing, or much smaller than the other",
    "brain_cut_by_field_of_view": "the field of view cuts the brain",
    "implausible_region_volume": "a structure came out empty or with a size that no brain has",
    "registration_failed": "the scan could not be aligned with the template",
    "stage_failed": "a stage broke off for a reason that has no name of its own",
}

# What marks a scan but leaves it in: code -> meaning.
FLAGS: dict[str, str] = {
    "noisy": "much noise",
    "low_contrast": "little contrast between grey and white matter",
    "ghosting": "ghosts of the head in the air beside it or upon the brain, as motion and unstable scanners make",
    "blurred": "blurred, as motion and smoothing make",
    "strong_shading": "strong shading by the coil",
    "mask_in_parts": "the brain mask falls into parts",
    "mask_has_holes": "the brain mask has holes",
    "face_cut_into_brain": "defacing cut into the brain",
    "brain_touches_field_of_view": "the brain touches the edge of the field of view",
    "tiv_estimators_differ": "the two estimates of intracranial volume differ",
    "implausible_tiv": "intracranial volume that few adults have",
    "unusual_tissue_volumes": "unusual volumes of grey matter, white matter or fluid",
    "left_right_uncertain": "the brain's own asymmetries hardly tell left from right",
    "unequal_hemispheres": "hemispheres of unequal size",
    "poor_alignment": "poor alignment with the template",
    "low_structure_overlap": "hippocampus or amygdala lie where the template does not expect them",
    "structure_partly_missing": "part of hippocampus or amygdala has the signal of fluid or white matter",
    "asymmetric_hippocampus": "left and right hippocampus of unequal volume",
    "asymmetric_regions": "left and right of a region of unequal volume",
    "extreme_deformation": "the alignment had to deform the brain much",
    "thick_voxels": "thick voxels",
    "region_volume_outlier": "a region's volume is far from what age, sex, head size and site predict in this cohort",
    "unusual_overall": "all metrics together are far from the cohort",
}

# Metric -> flag when it is too low, flag when it is too high ("" is none: that direction is harmless).
METRIC_FLAGS: dict[str, tuple[str, str]] = {
    "brain_mask_volume_ml": ("unusual_tissue_volumes", "unusual_tissue_volumes"),
    "grey_matter_ml": ("unusual_tissue_volumes", "unusual_tissue_volumes"),
    "white_matter_ml": ("unusual_tissue_volumes", "unusual_tissue_volumes"),
    "csf_ml": ("", "unusual_tissue_volumes"),
    "grey_to_white_ratio": ("unusual_tissue_volumes", "unusual_tissue_volumes"),
    "csf_share": ("", "unusual_tissue_volumes"),
    "tiv_ml": ("implausible_tiv", "implausible_tiv"),
    "affine_tiv_ml": ("implausible_tiv", "implausible_tiv"),
    "tiv_difference_percent": ("tiv_estimators_differ", "tiv_estimators_differ"),
    "contrast_to_noise": ("low_contrast", ""),
    "white_to_grey_contrast": ("low_contrast", ""),
    "white_matter_snr": ("noisy", ""),
    "noise_white_percent": ("", "noisy"),
    "noise_air_percent": ("", "noisy"),
    "ghost_percent": ("", "ghosting"),
    "air_artefact_percent": ("", "ghosting"),
    "brain_ghost_percent": ("", "ghosting"),
    "bias_field_percent": ("", "strong_shading"),
    "blur_fwhm_mm": ("", "blurred"),
    "edge_width_mm": ("", "blurred"),
    "mask_parts": ("", "mask_in_parts"),
    "mask_holes_mm3": ("", "mask_has_holes"),
    "edge_contact_mm2": ("", "brain_touches_field_of_view"),
    "defacing_contact_mm2": ("", "face_cut_into_brain"),
    "laterality_score": ("left_right_uncertain", ""),
    "hemisphere_ratio": ("unequal_hemispheres", ""),
    "mirror_correlation": ("unequal_hemispheres", ""),
    "registration_correlation": ("poor_alignment", ""),
    "structure_overlap": ("low_structure_overlap", ""),
    "structure_odd_signal_percent": ("", "structure_partly_missing"),
    "hippocampus_asymmetry_percent": ("", "asymmetric_hippocampus"),
    "asymmetry_percent": ("", "asymmetric_regions"),
    "jacobian_low": ("extreme_deformation", ""),
    "jacobian_high": ("", "extreme_deformation"),
    "voxel_size_max_mm": ("", "thick_voxels"),
}

# Metric -> hard failure below the lowest and above the highest of `quality.hard_limits`.
METRIC_FAILURES: dict[str, tuple[str, str]] = {
    "brain_mask_volume_ml": ("not_a_brain", "not_a_brain"),
    "grey_to_white_ratio": ("not_a_brain", "not_a_brain"),
    "csf_share": ("", "not_a_brain"),
    "contrast_to_noise": ("not_a_brain", ""),
    "registration_correlation": ("registration_failed", ""),
    "structure_overlap": ("registration_failed", ""),
    "laterality_score": ("left_right_flipped", ""),
    "hemisphere_ratio": ("missing_hemisphere", ""),
    "mirror_correlation": ("missing_hemisphere", ""),
    "edge_contact_mm2": ("", "brain_cut_by_field_of_view"),
}
