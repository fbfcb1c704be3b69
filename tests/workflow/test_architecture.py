"""The shape of the project: rules, scripts and library keep to their own side, and say what they do."""

import ast
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import nilearn
import pytest

ROOT = Path(__file__).parents[2]
LIBRARY = sorted((ROOT / "src/morpho").rglob("*.py"))
SCRIPTS = sorted((ROOT / "workflow/scripts").glob("*.py"))
RULE_FILES = [ROOT / "Snakefile", *sorted((ROOT / "workflow").rglob("*.smk"))]
WEIGHTS = ROOT / "src/morpho/weights"

LONGEST_SCRIPT = 25
LONGEST_BODY = 40
LONGEST_MODULE = 300
# A function this short, or without parameters, may say in its summary what it takes and gives.
SUMMARY_SUFFICES = 12
STOREYS = ("morpho.measure.", "morpho.infer.", "morpho.present.", "morpho.stats.", "morpho.phantom")

RULE = re.compile(r"^rule (\w+):\n((?:[ \t]+.*\n|\n)*)", re.MULTILINE)
SCRIPT = re.compile(r'script:\s*"([^"]+)"')
LOCAL_RULES = re.compile(r"^localrules:\n((?:[ \t]+.*\n)*)", re.MULTILINE)
DIGEST = re.compile(r"source_digest\(([^)]*)\)")
CHECKSUM = re.compile(r"^\| `([0-9a-f]{64})` \| `([^`]+)` \|$", re.MULTILINE)

Rule = tuple[Path, str]
Function = ast.FunctionDef


def assert_none(offenders: Mapping[str, object] | Iterable[str], rule: str) -> None:
    """Fail with the whole list of those who break a rule."""
    entries = offenders.items() if isinstance(offenders, Mapping) else [(name, "") for name in offenders]
    lines = [f"- {name} {detail}".rstrip() for name, detail in entries]
    assert not lines, "\n".join([rule, *lines])


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def read_rules() -> dict[str, Rule]:
    """File and text of each rule."""
    texts = {path: path.read_text(encoding="utf-8") for path in RULE_FILES}
    return {name: (path, body) for path, text in texts.items() for name, body in RULE.findall(text)}


RULES = read_rules()
SCRIPT_RULES = {name: (path, SCRIPT.findall(body)) for name, (path, body) in RULES.items() if SCRIPT.search(body)}
LOCAL = {
    name
    for path in RULE_FILES
    for block in LOCAL_RULES.findall(path.read_text(encoding="utf-8"))
    for name in re.findall(r"\w+", block)
}


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    first = body[0] if body else None
    has_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return body[1:] if has_docstring else body


def statements_after_imports(tree: ast.Module) -> list[ast.stmt]:
    return [node for node in without_docstring(tree.body) if not isinstance(node, ast.Import | ast.ImportFrom)]


def imported_modules(tree: ast.Module) -> set[str]:
    return {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}


def reachable_modules(names: set[str]) -> set[str]:
    """`names` and all modules of morpho that they import, directly or not."""
    found: set[str] = set()
    waiting = set(names)
    while waiting:
        name = waiting.pop()
        found.add(name)
        path = ROOT.joinpath("src", *name.split(".")).with_suffix(".py")
        new = imported_modules(parse(path)) if path.is_file() else set()
        waiting |= {module for module in new if module.startswith("morpho.")} - found
    return found


def all_functions() -> Iterator[tuple[str, Function]]:
    """Where each function of the library is, and the function."""
    for path in LIBRARY:
        for node in ast.walk(parse(path)):
            if isinstance(node, Function):
                yield f"{relative(path)}: {node.name}", node


def public_functions() -> Iterator[tuple[str, Function]]:
    """Functions and methods of public classes whose names do not begin with an underscore."""
    for path in LIBRARY:
        for node in parse(path).body:
            nodes = node.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_") else [node]
            for function in nodes:
                if isinstance(function, Function) and not function.name.startswith("_"):
                    yield f"{relative(path)}: {function.name}", function


def body_lines(function: Function) -> int:
    body = without_docstring(function.body)
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def parameter_names(function: Function) -> set[str]:
    spec = function.args
    given = [*spec.posonlyargs, *spec.args, *spec.kwonlyargs, spec.vararg, spec.kwarg]
    return {argument.arg for argument in given if argument is not None} - {"self", "cls"}


def section(function: Function, title: str) -> str | None:
    """Text of a section of a numpydoc docstring; None if there is no such section."""
    found = re.search(rf"^{title}\n-+\n(.*?)(?=^\w[\w ]*\n-+\n|\Z)", ast.get_docstring(function) or "", re.M | re.S)
    return found and found.group(1)


def documented_parameters(function: Function) -> set[str]:
    lines = (section(function, "Parameters") or "").splitlines()
    heads = [line.split(" : ")[0] for line in lines if line and not line[0].isspace()]
    return {name.strip().lstrip("*") for head in heads for name in head.split(",")}


def missing_sections(function: Function) -> list[str]:
    """Sections that a public function's docstring lacks."""
    returns_nothing = isinstance(function.returns, ast.Constant) and function.returns.value is None
    raises = any(isinstance(node, ast.Raise) for node in ast.walk(function))
    summary_suffices = body_lines(function) <= SUMMARY_SUFFICES or not parameter_names(function)
    needed = {
        "Parameters": bool(parameter_names(function)) and not summary_suffices,
        "Returns": not returns_nothing and not summary_suffices and section(function, "Yields") is None,
        "Raises": raises,
    }
    return [title for title, is_needed in needed.items() if is_needed and section(function, title) is None]


def test_the_patterns_of_this_file_find_rules() -> None:
    assert {"all", "measure_scan", "compare_groups", "simulate_cohort"} <= set(RULES)
    text = "".join(path.read_text(encoding="utf-8") for path in RULE_FILES)
    assert len(RULES) == len(re.findall(r"^\s*(?:rule|checkpoint)\s+\w+\s*:", text, re.MULTILINE))


def test_each_rule_has_the_script_of_its_name_and_each_script_its_rule() -> None:
    wrong = {
        name: scripts
        for name, (_, scripts) in SCRIPT_RULES.items()
        if [Path(script).stem for script in scripts] != [name]
    }
    assert_none(wrong, "a rule calls the script of its own name:")
    absent = [name for name, (path, scripts) in SCRIPT_RULES.items() if not (path.parent / scripts[0]).is_file()]
    assert_none(absent, "rules whose script does not exist:")
    assert sorted(SCRIPT_RULES) == [path.stem for path in SCRIPTS]


def test_a_rule_without_script_makes_nothing() -> None:
    makers = [
        name for name, (_, body) in RULES.items() if name not in SCRIPT_RULES and re.search(r"^\s+output:", body, re.M)
    ]
    assert_none(makers, "rules with outputs but no script:")
    direct = re.compile(r"^\s+(run|shell|notebook|wrapper):", re.MULTILINE)
    assert_none([name for name, (_, body) in RULES.items() if direct.search(body)], "rules do their work in a script:")


def test_each_rule_is_described() -> None:
    silent = [name for name, (_, body) in RULES.items() if not body.lstrip().startswith('"""')]
    silent += [relative(path) for path in RULE_FILES if not path.read_text(encoding="utf-8").startswith('"""')]
    assert_none(silent, "rules and rule files without docstring:")


def test_each_rule_names_its_log() -> None:
    silent = {name for name, (_, body) in RULES.items() if not re.search(r"^\s+log:", body, re.MULTILINE)}
    assert_none(silent - (LOCAL - set(SCRIPT_RULES)), "rules without log:")


def test_a_rule_runs_again_when_the_storey_code_of_its_script_changes() -> None:
    unseen = {}
    for script in SCRIPTS:
        if script.stem in LOCAL:
            continue
        used = {name for name in imported_modules(parse(script)) if name.startswith(STOREYS)}
        digests = " ".join(DIGEST.findall(RULES[script.stem][1]))
        watched = reachable_modules(set(re.findall(r'"(morpho[\w.]*)"', digests)))
        if used - watched or not digests:
            unseen[script.stem] = sorted(used - watched) or "no source_digest"
    assert_none(unseen, "source_digest of these rules does not cover modules that their script uses:")


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_is_short_and_logs_first(path: Path) -> None:
    tree = parse(path)
    assert ast.get_docstring(tree)
    statements = statements_after_imports(tree)
    assert ast.unparse(statements[0]) in {"log_to(snakemake.log[0])", "start_job(snakemake)"}
    lines = path.read_text(encoding="utf-8").splitlines()[statements[0].lineno - 1 :]
    code = [line for line in lines if line.strip() and not line.strip().startswith("#")]
    assert len(code) <= LONGEST_SCRIPT


def test_only_scripts_know_the_workflow_engine() -> None:
    knowing = set()
    for path in LIBRARY:
        for node in ast.walk(parse(path)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [node.id] if isinstance(node, ast.Name) else []
            if any(name.split(".")[0] == "snakemake" for name in names):
                knowing.add(relative(path))
    assert_none(knowing, "modules that know the workflow engine:")


def test_modules_of_morpho_are_imported_by_their_full_names_only() -> None:
    """`source_digest` follows ``from morpho.x import y``, where x is a module and no package, and nothing else."""
    wrong = []
    for path in [*LIBRARY, *SCRIPTS]:
        for node in ast.walk(parse(path)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            is_plain = any(name.split(".")[0] == "morpho" for name in names)
            is_from = isinstance(node, ast.ImportFrom)
            is_relative = is_from and node.level > 0
            is_package = is_from and ROOT.joinpath("src", *(node.module or "").split("."), "__init__.py").is_file()
            if is_plain or is_relative or is_package:
                wrong.append(f"{relative(path)}:{node.lineno}")
    assert_none(wrong, "write `from morpho.x import y` instead, x being a module:")


def test_modules_and_functions_are_short() -> None:
    modules = {relative(path): len(path.read_text(encoding="utf-8").splitlines()) for path in LIBRARY}
    long = {name: lines for name, lines in modules.items() if lines > LONGEST_MODULE}
    long |= {name: lines for name, node in all_functions() if (lines := body_lines(node)) > LONGEST_BODY}
    assert_none(long, f"modules over {LONGEST_MODULE} lines and function bodies over {LONGEST_BODY}:")


def test_modules_and_public_functions_have_docstrings() -> None:
    silent = [relative(path) for path in LIBRARY if not ast.get_docstring(parse(path))]
    silent += [name for name, node in public_functions() if not ast.get_docstring(node)]
    assert_none(silent, "modules and public functions without docstring:")


def test_docstrings_of_public_functions_are_complete() -> None:
    incomplete = {name: missing for name, node in public_functions() if (missing := missing_sections(node))}
    assert_none(incomplete, "docstrings without these sections:")


def test_docstrings_name_parameters_that_exist() -> None:
    stale = {
        name: extra
        for name, node in public_functions()
        if (extra := documented_parameters(node) - parameter_names(node))
    }
    assert_none(stale, "docstrings with parameters that the function does not have:")


def test_data_readme_has_the_checksums_of_the_installed_files() -> None:
    packages = Path(nilearn.__file__).parents[1]
    rows = CHECKSUM.findall((ROOT / "data/README.md").read_text(encoding="utf-8"))
    assert len(rows) >= len(["t1w", "grey matter", "white matter", "atlas", "labels"])
    assert {name: hashlib.sha256((packages / name).read_bytes()).hexdigest() for _, name in rows} == {
        name: digest for digest, name in rows
    }


def test_shipped_weights_are_described_and_have_the_recorded_checksums() -> None:
    described = (ROOT / "data/README.md").read_text(encoding="utf-8")
    silent = [path.name for path in WEIGHTS.iterdir() if f"`{path.name}`" not in described]
    assert_none(silent, "files that data/README.md does not describe:")
    records = "".join(path.read_text(encoding="utf-8") for path in WEIGHTS.glob("*.json"))
    weights = [path for path in WEIGHTS.iterdir() if path.suffix in {".onnx", ".gz"}]
    changed = [path.name for path in weights if hashlib.sha256(path.read_bytes()).hexdigest() not in records]
    assert weights
    assert_none(changed, "files whose SHA-256 is in no JSON file beside them:")


def test_the_lock_has_hashes_and_no_address() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in lock
    requirements = re.findall(
        r"^([\w.-]+)==\S+(?: ; [^\\\n]+)? \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", lock, re.M
    )
    assert len(requirements) == len(re.findall(r"^\S", lock, re.MULTILINE))
    assert not {name for name, _ in requirements} & {"torch", "onnx"}, "what only training needs stays out"
