"""Parts of an answer that stay the same under other names, comments, layout and order.

A part is a statement or an expression of some size with its variables numbered as they come in
that part. An answer is the set of its parts, so names and the order of statements do not count.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

__all__ = ["code_parts", "prose_parts"]

SMALLEST = 6  # nodes of an expression that is a part
LARGEST = 400
WORDS = 5  # words of a shingle


def code_parts(source: str) -> dict[str, str]:
    """Parts of a code cell, each with its text as it was written first; empty for no Python."""
    try:
        tree = ast.parse(re.sub(r"(?m)^\s*[%!].*$", "", source))
    except (SyntaxError, ValueError, RecursionError):
        return {}
    local = _local(tree)
    found: dict[str, str] = {}
    for node in _pieces(tree):
        key = _key(node, local)
        if key not in found:
            found[key] = " ".join(ast.unparse(node).split())[:200]
    return found


def prose_parts(text: str) -> dict[str, str]:
    """Runs of five words of a written answer."""
    words = re.findall(r"[^\W_]+", text.lower())
    runs = (" ".join(words[i : i + WORDS]) for i in range(len(words) - WORDS + 1))
    return {run: run for run in runs}


def _local(tree: ast.AST) -> set[str]:
    """Names that the answer chooses: parameters, what it assigns, its inner functions."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            found.add(node.name)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            found.add(f".{node.attr}")
    return found


def _pieces(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        simple = isinstance(node, ast.stmt) and not hasattr(node, "body")
        if not simple and not isinstance(node, ast.expr):
            continue
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue  # a docstring
        size = sum(1 for n in ast.walk(node) if not isinstance(n, ast.expr_context))
        if SMALLEST <= size <= LARGEST:
            yield node


def _key(node: ast.AST, local: set[str]) -> str:
    """The piece with its own names numbered."""
    numbers: dict[str, int] = {}

    def write(value: object) -> str:
        if isinstance(value, ast.Name):
            if value.id not in local:
                return value.id
            return f"#{numbers.setdefault(value.id, len(numbers))}"
        if isinstance(value, ast.Attribute):
            own = f".{value.attr}" in local
            name = f"#{numbers.setdefault('.' + value.attr, len(numbers))}" if own else value.attr
            return f"{write(value.value)}.{name}"
        if isinstance(value, ast.JoinedStr):
            return "text"
        if isinstance(value, ast.Constant):
            return (
                "text" if isinstance(value.value, str) and " " in value.value else repr(value.value)
            )
        if isinstance(value, ast.arg):
            return f"#{numbers.setdefault(value.arg, len(numbers))}"
        if isinstance(value, ast.AnnAssign):
            return f"Assign({write(value.target)},{write(value.value)})"
        if isinstance(value, ast.Assign):
            return f"Assign({','.join(map(write, value.targets))},{write(value.value)})"
        if isinstance(value, list):
            return f"[{','.join(map(write, value))}]"
        if isinstance(value, ast.expr_context | ast.Load):
            return ""
        if isinstance(value, ast.AST):
            inner = (
                write(v) for n, v in ast.iter_fields(value) if n not in ("ctx", "type_comment")
            )
            return f"{type(value).__name__}({','.join(inner)})"
        return repr(value)

    return write(node)
