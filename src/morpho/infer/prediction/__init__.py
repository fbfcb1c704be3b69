"""Telling a class or an event of single people, validated on people not seen."""
