"""Differences between sites, between people, and in spread."""
