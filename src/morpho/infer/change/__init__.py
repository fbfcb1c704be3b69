"""Several sessions: change within people, between groups and with treatment."""
