"""Where an edit stands in a syntax tree, and what it puts there."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

__all__ = ["Edit", "Place", "call_name", "literal", "number", "short", "words"]


@dataclass(frozen=True)
class Place:
    """A node with the way that leads to it: its parent's ``name`` (at ``index`` in a list)."""

    node: ast.AST
    parent: ast.AST
    name: str
    index: int | None
    above: tuple[ast.AST, ...] = field(default=(), repr=False)  # from the module down to the parent

    def inside(self, kind: type[ast.AST] | tuple[type[ast.AST], ...]) -> bool:
        """Whether an ancestor is of this kind."""
        return any(isinstance(node, kind) for node in self.above)


@dataclass(frozen=True)
class Edit:
    """One small change: the operator's name, what it does in words, and the new node.

    For a statement ``new`` may be a list of statements; an empty one takes it out.
    """

    operator: str
    what: str
    new: ast.AST | list[ast.stmt]


def words(text: str) -> frozenset[str]:
    """Return the words of a text, for tables of names."""
    return frozenset(text.split())


def short(node: ast.AST, width: int = 60) -> str:
    """First line of the code of a node, cut to ``width``."""
    text = ast.unparse(node).splitlines()[0]
    return text if len(text) <= width else text[: width - 1] + "…"


def call_name(node: ast.AST) -> str:
    """Last part of the name of what is called: ``mean`` for ``x.mean(0)`` and ``torch.mean(x)``."""
    if not isinstance(node, ast.Call):
        return ""
    function = node.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def number(node: ast.AST | None) -> int | float | None:
    """Value of a number in the code, its minus included; None for anything else."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = number(node.operand)
        return None if inner is None else -inner
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        assert isinstance(node.value, int | float)
        return node.value
    return None


def literal(value: int | float) -> ast.expr:
    """Code of a number."""
    return ast.UnaryOp(ast.USub(), ast.Constant(-value)) if value < 0 else ast.Constant(value)
