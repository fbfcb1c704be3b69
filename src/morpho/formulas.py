"""The language of model formulas: what may stand in one, and how names of columns get into it.

A formula of the claims file is given to patsy, which evaluates it as Python. So that a file from somebody else can do
no more than describe a model, only the functions listed here may be called, on columns and plain values.
"""

from __future__ import annotations

import ast
import io
import itertools
import json
import keyword
import math
import re
import tokenize
from collections.abc import Iterator

import patsy
from patsy.infix_parser import ParseNode
from patsy.parse_formula import parse_formula

from morpho.errors import ConfigError

FUNCTIONS = frozenset({"C", "Q", "I", "center", "standardize", "bs", "cr"})
SPLINES = frozenset({"bs", "cr"})
CODINGS = frozenset({"Treatment", "Sum", "Helmert", "Diff", "Poly"})
NUMPY = frozenset({"abs", "exp", "log", "log10", "log1p", "log2", "sqrt", "square"})
WORDS = FUNCTIONS | CODINGS | {"np", "each", "covariates"}  # no column may be called so
LONGEST = 500  # signs
MOST_TERMS = 100
LARGEST_POWER = 6
MOST_KNOTS = 20

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NUMBERS = frozenset({"nan", "inf", "infinity"})  # words that patsy takes for numbers
_PLAIN_NODES = (
    ast.Name, ast.Constant, ast.Call, ast.keyword, ast.BinOp, ast.UnaryOp, ast.List, ast.Tuple, ast.Attribute,
    ast.Load, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow, ast.USub, ast.UAdd,
)  # fmt: skip
_ALLOWED = f"{', '.join(sorted(FUNCTIONS))}, np.{', np.'.join(sorted(NUMPY))}"


def quote_name(name: str) -> str:
    """Write the name of a column as a formula does: as it is, or in Q("...") if it is not a plain word.

    Examples
    --------
    >>> quote_name("age_years"), quote_name("HADS-anx"), quote_name("class")
    ('age_years', 'Q("HADS-anx")', 'Q("class")')
    """
    is_word = _PLAIN_NAME.fullmatch(name) is not None and not keyword.iskeyword(name)
    is_plain = is_word and name.lower() not in _NUMBERS
    return name if is_plain else f"Q({json.dumps(name, ensure_ascii=False)})"


def check_formula(formula: str) -> None:
    """Refuse a formula that is more than a description of a linear model.

    Parameters
    ----------
    formula
        In patsy's language, both sides.

    Raises
    ------
    ConfigError
        If it cannot be read, calls anything but `FUNCTIONS`, `CODINGS` and `NUMPY`, holds anything but names of
        columns, numbers, text and arithmetic, or is too long to be estimated.
    """
    if len(formula) > LONGEST:
        msg = f"the formula has {len(formula)} signs; {LONGEST} are the most"
        raise ConfigError(msg)
    try:
        tree = parse_formula(formula)
        codes = [str(node.token.extra) for node in _list_leaves(tree) if node.type == "PYTHON_EXPR"]
        expressions = [(code, ast.parse(code, mode="eval").body) for code in codes]
        n_terms = _count_terms(tree)
    except (patsy.PatsyError, SyntaxError, ValueError, tokenize.TokenError, RecursionError, MemoryError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        msg = f"the formula {formula!r} cannot be read: {reason}"
        raise ConfigError(msg) from error
    problems = [f"{problem}, in {code!r}" for code, body in expressions for problem in _find_forbidden(body)]
    if n_terms > MOST_TERMS:
        problems.append(f"it has more than {MOST_TERMS} terms once * and ** are written out")
    if problems:
        msg = f"the formula {formula!r} is refused: {'; '.join(dict.fromkeys(problems))}. Functions are {_ALLOWED}"
        raise ConfigError(msg)
    try:
        patsy.ModelDesc.from_formula(formula)
    except patsy.PatsyError as error:
        msg = f"the formula {formula!r} cannot be read: {str(error).splitlines()[0]}"
        raise ConfigError(msg) from error


def find_names(code: str) -> list[str]:
    """Find the names of columns in a factor of a formula.

    Examples
    --------
    >>> find_names("C(group, Treatment('control'))"), find_names('np.log(Q("CRP (mg)"))')
    (['group'], ['CRP (mg)'])
    """
    nodes = list(ast.walk(ast.parse(code, mode="eval")))
    called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    names = [str(node.args[0].value) for node in nodes if _is_quote(node)]  # type: ignore[attr-defined]
    names += [
        node.id
        for node in nodes
        if isinstance(node, ast.Name) and id(node) not in called and node.id not in CODINGS | {"np"}
    ]
    return names


def say_error(error: patsy.PatsyError) -> str:
    """Say in one line what patsy could not evaluate, and why."""
    where = f"{error.origin.relevant_code()}: " if error.origin else ""
    return f"the formula cannot be evaluated: {where}{error.message}"


def split_terms(right: str) -> list[str]:
    """Split the right side of a formula at each + that stands outside of brackets and quotes.

    Examples
    --------
    >>> split_terms('Q("a + b (c)") * group + age_years')
    ['Q("a + b (c)") * group', 'age_years']
    """
    depth, cuts = 0, []
    for token in tokenize.generate_tokens(io.StringIO(right).readline):
        depth += (token.string in {"(", "["}) - (token.string in {")", "]"}) if token.type == tokenize.OP else 0
        if token.type == tokenize.OP and token.string == "+" and depth == 0:
            cuts.append(token.start[1])
    edges = [-1, *cuts, len(right)]
    return [right[start + 1 : stop].strip() for start, stop in itertools.pairwise(edges)]


def _list_leaves(node: ParseNode) -> Iterator[ParseNode]:
    """Give the operands of a formula."""
    if not node.args:
        yield node
    for part in node.args:
        yield from _list_leaves(part)


def _count_terms(node: ParseNode) -> float:
    """Count the terms of a formula after all products are written out, from above; infinity if they are very many."""
    if not node.args:
        return 1.0
    counts = [_count_terms(part) for part in node.args]
    if node.type == "**":
        power = node.args[1].token.extra
        known = power.isdecimal() and int(power) <= LARGEST_POWER
        return (1.0 + counts[0]) ** int(power) if known else math.inf
    if len(counts) == 2 and node.type in {"*", "/", ":"}:
        return (1.0 + counts[0]) * (1.0 + counts[1]) - 1.0
    return sum(counts)


def _find_forbidden(body: ast.expr) -> Iterator[str]:
    """Say what in a factor is no column, plain value, arithmetic or allowed call."""
    nodes = list(ast.walk(body))
    functions = {id(node.func): node.func for node in nodes if isinstance(node, ast.Call)}
    modules = {id(function.value) for function in functions.values() if isinstance(function, ast.Attribute)}
    for node in nodes:
        if not isinstance(node, _PLAIN_NODES):
            yield f"{type(node).__name__} has no place in a formula"
        elif isinstance(node, ast.Call):
            yield from _find_in_call(node)
        elif isinstance(node, ast.BinOp):
            yield from _find_in_arithmetic(node)
        elif isinstance(node, ast.Constant) and not isinstance(node.value, (str, int, float, type(None))):
            yield f"{node.value!r} is neither a number nor a text"
        elif isinstance(node, ast.Attribute) and id(node) not in functions:
            yield f"'{ast.unparse(node)}' is no column"
        elif isinstance(node, ast.Name) and id(node) not in modules.union(functions) and node.id in FUNCTIONS | {"np"}:
            yield f"'{node.id}' is a function and no column"


def _find_in_call(call: ast.Call) -> Iterator[str]:
    """Say what is wrong with a call: its function, or how it is called."""
    function = ast.unparse(call.func)
    values = [*call.args, *(entry.value for entry in call.keywords)]
    if function not in {*FUNCTIONS, *CODINGS, *(f"np.{name}" for name in NUMPY)}:
        yield f"'{function}' may not be called"
    if any(entry.arg is None for entry in call.keywords):
        yield "** has no place in a call"
    if function == "Q" and not _is_quote(call):
        yield 'Q takes the name of a column in quotes, Q("...")'
    if function == "Q" and any(isinstance(value, ast.Constant) and value.value in WORDS for value in values):
        yield f"{ast.unparse(call)}: no column may be called so"
    numbers = [value.value for value in values if isinstance(value, ast.Constant)]
    if function in SPLINES and any(isinstance(number, (int, float)) and number > MOST_KNOTS for number in numbers):
        yield f"{function} takes {MOST_KNOTS} degrees of freedom at most"


def _find_in_arithmetic(node: ast.BinOp) -> Iterator[str]:
    """Say what is wrong with a sum, product or power: it holds no numbers, or may not end."""
    if any(
        isinstance(side, (ast.List, ast.Tuple)) or (isinstance(side, ast.Constant) and isinstance(side.value, str))
        for side in (node.left, node.right)
    ):
        yield f"{ast.unparse(node)!r} calculates with what is no number"
    if isinstance(node.op, ast.Pow):
        has_column = any(isinstance(part, ast.Name) for part in ast.walk(node.left))
        power = node.right.value if isinstance(node.right, ast.Constant) else None
        if not has_column or not isinstance(power, (int, float)) or not 0 <= power <= LARGEST_POWER:
            yield f"{ast.unparse(node)!r}: a power is of a column, and a number up to {LARGEST_POWER}"


def _is_quote(node: ast.AST) -> bool:
    """Whether a node of a formula is Q("name")."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id != "Q":
        return False
    is_text = [isinstance(value, ast.Constant) and isinstance(value.value, str) for value in node.args]
    return is_text == [True] and not node.keywords
