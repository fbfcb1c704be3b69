"""Puts the workflow into wheels: a command that was installed from one finds the Snakefile beside its code.

An editable installation (`make`) needs no copy: `morpho.cli.pipeline` finds the checkout around the package.
"""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

WORKFLOW = ("Snakefile", "workflow", "config", "profiles")


class WorkflowHook(BuildHookInterface):
    """Adds the files of the workflow as ``morpho/pipeline``."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name the files; `version` is "editable" for an editable installation."""
        if version != "editable":
            build_data["force_include"] |= {name: f"morpho/pipeline/{name}" for name in WORKFLOW}
