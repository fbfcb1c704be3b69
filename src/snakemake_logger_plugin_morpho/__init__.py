"""Snakemake's messages as morpho shows them: one line per finished step, with counts and the time left.

Snakemake finds this package by its name and uses it for ``--logger morpho``, which `profiles/default` asks for.
"""

from snakemake_logger_plugin_morpho.handler import LogHandler

__all__ = ["LogHandler"]
