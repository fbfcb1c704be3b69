"""Estimates -> what people see: figures and the report."""
