"""Edits of statements: left out, forced, in place, and what they hand on cut from the gradient."""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Callable, Iterator

from classroom.mutants.edits import Edit, Place, short
from classroom.mutants.expressions import ARITHMETIC

__all__ = ["statement_edits"]

KEPT = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Pass, ast.Import, ast.ImportFrom)
NO_GRADIENTS = re.compile(r"no_grad|inference_mode")  # nothing to cut off inside


def statement_edits(place: Place) -> Iterator[Edit]:
    """Yield the edits of one statement."""
    node = place.node
    assert isinstance(node, ast.stmt)
    if _can_go(node, place):
        yield Edit("drop statement", f"without: {short(node)}", [])
    flat = any(isinstance(a, ast.With) and NO_GRADIENTS.search(short(a)) for a in place.above)
    for kind, edits in KINDS:
        if isinstance(node, kind):
            for edit in edits(node):
                if not (flat and edit.operator in ("detach", "half the gradient")):
                    yield edit


def _can_go(node: ast.stmt, place: Place) -> bool:
    if isinstance(node, KEPT) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    ):
        return False
    alone = isinstance(place.parent, ast.Module) and len(place.parent.body) == 1
    return not alone and not (isinstance(node, ast.Assign) and isinstance(place.parent, ast.Module))


def guards(node: ast.If) -> Iterator[Edit]:
    yield Edit("guard", f"always: {short(node)}", copy.deepcopy(node.body))
    if node.orelse:
        yield Edit("guard", f"never: {short(node)}", copy.deepcopy(node.orelse))
    new = copy.deepcopy(node)
    new.test = ast.UnaryOp(ast.Not(), new.test)
    yield Edit("guard", f"negated: {short(node)}", new)


def contexts(node: ast.With) -> Iterator[Edit]:
    yield Edit("drop context", f"without: {short(node)}", copy.deepcopy(node.body))


def attempts(node: ast.Try) -> Iterator[Edit]:
    if node.finalbody:
        yield Edit("drop finally", "nothing is put back", copy.deepcopy(node.body))
        both = copy.deepcopy(node.body + node.finalbody)
        yield Edit("drop finally", "put back only when nothing is raised", both)


def assignments(node: ast.Assign) -> Iterator[Edit]:
    target, value = node.targets[0], node.value
    if isinstance(target, ast.Tuple) and len(target.elts) >= 2:
        new = copy.deepcopy(node)
        names = new.targets[0].elts  # type: ignore[attr-defined]
        names[0], names[1] = names[1], names[0]
        yield Edit("swap values", f"{short(node)} → {short(new)}", new)
    if isinstance(target, ast.Name) and isinstance(value, ast.BinOp):
        left = value.left
        if isinstance(left, ast.Name) and left.id == target.id:
            short_form = ast.AugAssign(target, value.op, value.right)
            what = f"{short(node)} → {short(short_form)}"
            yield Edit("in place", what, copy.deepcopy(short_form))
    if isinstance(target, ast.Name | ast.Attribute) and isinstance(value, ast.BinOp | ast.Call):
        yield from _of_value(node, value, "detach", "half the gradient")


def augmented(node: ast.AugAssign) -> Iterator[Edit]:
    for other in ARITHMETIC.get(type(node.op), []):
        new: ast.stmt = ast.AugAssign(node.target, other(), node.value)
        yield Edit("arithmetic", f"{short(node)} → {short(new)}", copy.deepcopy(new))
    new = ast.Assign([node.target], node.value, lineno=1)
    yield Edit("arithmetic", f"{short(node)} → {short(new)}", copy.deepcopy(new))
    if isinstance(node.target, ast.Name):
        value = ast.BinOp(ast.Name(node.target.id, ast.Load()), node.op, node.value)
        new = ast.Assign([node.target], value, lineno=1)
        yield Edit("in place", f"{short(node)} → {short(new)}", copy.deepcopy(new))


def returns(node: ast.Return) -> Iterator[Edit]:
    value = node.value
    if isinstance(value, ast.Tuple):
        for part in value.elts:
            yield from _of_value(node, part, *WRAPPINGS)
    elif value is not None and not isinstance(value, ast.Constant):
        yield from _of_value(node, value, *WRAPPINGS)


def loops(node: ast.Break | ast.Continue) -> Iterator[Edit]:
    new = ast.Continue() if isinstance(node, ast.Break) else ast.Break()
    yield Edit("loop", f"{short(node)} → {short(new)}", new)


def _method(value: ast.expr, name: str) -> ast.expr:
    return ast.Call(ast.Attribute(value, name, ast.Load()), [], [])


def _half(value: ast.expr) -> ast.expr:
    half = ast.BinOp(value, ast.Div(), ast.Constant(2))
    return ast.BinOp(half, ast.Add(), _method(half, "detach"))


WRAPPINGS: dict[str, Callable[[ast.expr], ast.expr]] = {
    "detach": lambda value: _method(value, "detach"),
    "half the gradient": _half,
    "to float32": lambda value: _method(value, "float"),
    "to float64": lambda value: _method(value, "double"),
}


def _of_value(node: ast.Assign | ast.Return, part: ast.expr, *names: str) -> Iterator[Edit]:
    """``part`` of what a statement assigns or returns, wrapped."""
    for name in names:
        new = copy.deepcopy(node)
        if new.value is not None and node.value is part:
            new.value = WRAPPINGS[name](new.value)
        elif isinstance(node.value, ast.Tuple) and isinstance(new.value, ast.Tuple):
            i = node.value.elts.index(part)
            new.value.elts[i] = WRAPPINGS[name](new.value.elts[i])
        yield Edit(name, short(part), new)


KINDS: list[tuple[type[ast.stmt] | tuple[type[ast.stmt], ...], Callable[..., Iterator[Edit]]]] = [
    (ast.If, guards),
    (ast.With, contexts),
    (ast.Try, attempts),
    (ast.Assign, assignments),
    (ast.AugAssign, augmented),
    (ast.Return, returns),
    ((ast.Break, ast.Continue), loops),
]
