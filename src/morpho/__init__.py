"""morpho: regional grey-matter volumes from T1-weighted MRI, and honest statistics on them."""
