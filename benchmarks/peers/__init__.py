"""Runners for tools that a user may have; compare.py puts them beside the manual labels."""
