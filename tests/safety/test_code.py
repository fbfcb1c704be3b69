"""What no part of morpho may do with what it is given: run it, unpickle it, hand it to a shell, or send it away."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = [
    *sorted((ROOT / "src").rglob("*.py")),
    *sorted((ROOT / "workflow/scripts").glob("*.py")),
]
RULE_FILES = [ROOT / "Snakefile", *sorted((ROOT / "workflow").rglob("*.smk"))]

UNSAFE_MODULES = {
    "pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal",  # loading runs what the file says
    "socket", "ssl", "http", "urllib.request", "urllib3", "requests", "ftplib", "smtplib", "webbrowser",  # the network
    "pty", "commands",
}  # fmt: skip
UNSAFE_CALLS = {
    "eval", "exec", "compile", "__import__", "input", "importlib.import_module",
    "os.system", "os.popen", "os.startfile", "os.chmod", "tempfile.mktemp",
    "subprocess.getoutput", "subprocess.getstatusoutput",
    "yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.full_load",
    "np.load", "np.fromfile", "pd.read_pickle", "pd.eval", "joblib.load", "torch.load",
}  # fmt: skip
UNSAFE_METHODS = {"eval", "to_pickle", "read_pickle", "chmod"}
UNSAFE_ARGUMENTS = {("shell", True), ("allow_pickle", True)}


def find_unsafe(tree: ast.AST) -> Iterator[str]:
    """Say what a program does that it must not."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if is_unsafe_module(alias.name))
        elif isinstance(node, ast.ImportFrom) and node.module and is_unsafe_module(node.module):
            yield node.module
        elif isinstance(node, ast.ImportFrom):
            yield from (
                full for alias in node.names if (full := f"{node.module}.{alias.name}") in UNSAFE_CALLS | UNSAFE_MODULES
            )
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            is_query = method == "query" and isinstance(next(iter(node.args), None), ast.Name | ast.JoinedStr)
            if called in UNSAFE_CALLS or method in UNSAFE_METHODS or is_query:  # pandas evaluates the text of a query
                yield f"{called}()"
            yield from (
                f"{entry.arg}=True"
                for entry in node.keywords
                if isinstance(entry.value, ast.Constant) and (entry.arg, entry.value.value) in UNSAFE_ARGUMENTS
            )


def is_unsafe_module(name: str) -> bool:
    return any(name == unsafe or name.startswith(f"{unsafe}.") for unsafe in UNSAFE_MODULES)


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_program_runs_unpickles_or_sends_what_it_reads(path: Path) -> None:
    assert list(find_unsafe(ast.parse(path.read_text(encoding="utf-8")))) == []


@pytest.mark.parametrize(
    "program",
    [
        "import pickle", "from pickle import load", "import urllib.request", "from os import system",
        "eval(text)", "os.system(command)", "yaml.load(text)", "table.query(text)", "table.query(f'a == {b}')",
        "np.load(path)", "subprocess.run(command, shell=True)", "from urllib import request",
    ],
)  # fmt: skip
def test_what_is_unsafe_is_found(program: str) -> None:
    assert list(find_unsafe(ast.parse(program)))


@pytest.mark.parametrize(
    "program", ["yaml.safe_load(text)", "subprocess.run([a, b])", "from urllib.parse import quote"]
)
def test_what_is_safe_is_not(program: str) -> None:
    assert not list(find_unsafe(ast.parse(program)))


@pytest.mark.parametrize("path", RULE_FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_rule_passes_anything_through_a_shell(path: Path) -> None:
    """All rules run Python scripts, so that no path or name of a user can end up in a command line."""
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"^\s+(shell|run|wrapper|notebook|cwl):", text, re.MULTILINE)
    assert not re.search(r"\bshell\(|\beval\(|\bexec\(|\bos\.system\(|\bpickle\b|\bstorage\b|http", text)
