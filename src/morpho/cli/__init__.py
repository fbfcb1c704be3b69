"""The command line `morpho`: a BIDS App in front of the workflow, `morpho doctor` and `morpho init`."""
