"""The stages of one scan with their files: from a raw T1w to the tables of its volumes and of its quality."""
