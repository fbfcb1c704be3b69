"""The table of docs/robustness.md names all 31 pains, and tests that are there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/robustness.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (\d+) \| (.+?) \| (.+?) \| (.+) \|$", GUIDE, re.MULTILINE)
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
FILE = re.compile(r"`((?:tests|src|config|docs|benchmarks)/[\w./-]+)`")


def list_tests(path: Path) -> set[str]:
    """Name the test functions of a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def test_all_pains_are_there_once_and_in_order() -> None:
    assert [int(number) for number, *_ in ROWS] == list(range(1, 32))


@pytest.mark.parametrize(("number", "pain", "seen", "tests"), ROWS, ids=[f"pain {row[0]}" for row in ROWS])
def test_each_pain_has_an_answer_and_tests_that_exist(number: str, pain: str, seen: str, tests: str) -> None:
    assert min(len(pain), len(seen)) > 15, number
    named = TEST.findall(tests)
    assert named
    assert TEST.sub("", tests).split() == [], "the last column holds tests alone"
    missing = [f"{file}::{name}" for file, name in named if name not in list_tests(ROOT / file)]
    assert missing == []


def test_files_that_the_guide_names_exist() -> None:
    assert [name for name in FILE.findall(GUIDE) if not (ROOT / name).exists()] == []
