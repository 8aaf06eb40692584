"""A digest of what sources mean: moving a file, rewording a sentence or using another Python does not change it.

Meaning is the syntax tree without what computes nothing: docstrings, comments, annotations, the texts of messages, and
the places that the package's own modules are imported from. Needs only the standard library.
"""

import ast
import hashlib
import re
from collections.abc import Iterable, Iterator
from typing import Any

_OWN_PATH = re.compile(r"enhance_sweep(\.\w+)+")
#: Calls that only print a line.
_TELLING = ("print", "warnings.warn")
#: Parts of a node that compute nothing, or that only some versions of Python have.
_MEANINGLESS = ("annotation", "returns", "type_comment", "type_params", "kind", "ctx", "simple", "type_ignores")


def digest_of(sources: Iterable[str]) -> str:
    """The digest of sources, whatever their names and order; those that compute nothing do not count."""
    meanings = sorted(filter(None, (meaning(source) for source in sources)))
    return hashlib.sha256("\n".join(meanings).encode()).hexdigest()[:12]


def meaning(source: str) -> str:
    """What a source means, on one line; "" if it computes nothing."""
    return " ".join(_statements(ast.parse(source).body))


def _statements(body: list[ast.stmt]) -> list[str]:
    return [_node(statement) for statement in body if not _computes_nothing(statement)]


def _computes_nothing(statement: ast.stmt) -> bool:
    match statement:
        case ast.Expr(value=ast.Constant()) | ast.Pass():
            return True
        case ast.Expr(value=ast.Call(func=function)):
            return ast.unparse(function) in _TELLING
        case ast.Import(names=names):
            return all(alias.name.startswith("enhance_sweep") for alias in names)
        case ast.ImportFrom(module=module, level=level, names=names):
            own = level > 0 or (module or "").partition(".")[0] in ("enhance_sweep", "typing", "collections")
            return own and all(alias.asname is None for alias in names)
        case ast.If(test=ast.Name(id="TYPE_CHECKING")) | ast.Assign(targets=[ast.Name(id="__all__")]):
            return True
    return False


def _node(node: ast.AST) -> str:
    """A node and its meaningful parts, as an expression in parentheses."""
    match node:
        case ast.Raise(exc=ast.Call(func=function)):
            return f"(Raise {_node(function)})"  # whatever its message
        case ast.Assert(test=test):
            return f"(Assert {_node(test)})"
        case ast.ImportFrom(names=names, module=module):
            place = "" if (module or "").startswith("enhance_sweep") else f"{module} "
            return f"(ImportFrom {place}{' '.join(map(_node, names))})"
        case ast.AnnAssign(target=target, value=value) if value is not None:
            return f"(Assign (targets {_node(target)}) (value {_node(value)}))"
        case ast.Constant(value=str() as text) if _OWN_PATH.fullmatch(text):
            return f"(Constant {text.rpartition('.')[2]!r})"
        case ast.Constant(value=value):
            return f"(Constant {value!r})"
    return f"({type(node).__name__}{''.join(_parts(node))})"


def _parts(node: ast.AST) -> Iterator[str]:
    for name, value in ast.iter_fields(node):
        if name in _MEANINGLESS or value is None or value == []:
            continue
        yield f" ({name} {_part(value)})"


def _part(value: Any) -> str:
    if isinstance(value, ast.AST):
        return _node(value)
    if isinstance(value, list):
        are_statements = isinstance(value[0], ast.stmt)
        return " ".join(_statements(value) if are_statements else map(_part, value))
    return repr(value)
