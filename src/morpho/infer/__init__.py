"""Numbers of a cohort -> estimates with intervals."""
