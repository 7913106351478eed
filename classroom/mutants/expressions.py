"""Edits of constants, comparisons, arithmetic, conditions, slices and containers."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from typing import Any

from classroom.mutants.edits import Edit, Place, call_name, literal, number, short, words
from classroom.mutants.strings import string_edits

__all__ = ["expression_edits"]

COMPARE: dict[type[ast.cmpop], list[type[ast.cmpop]]] = {
    ast.Lt: [ast.LtE, ast.Gt],
    ast.LtE: [ast.Lt, ast.GtE],
    ast.Gt: [ast.GtE, ast.Lt],
    ast.GtE: [ast.Gt, ast.LtE],
    ast.Eq: [ast.NotEq],
    ast.NotEq: [ast.Eq],
    ast.Is: [ast.IsNot],
    ast.IsNot: [ast.Is],
    ast.In: [ast.NotIn],
    ast.NotIn: [ast.In],
}
ARITHMETIC: dict[type[ast.operator], list[type[ast.operator]]] = {
    ast.Add: [ast.Sub],
    ast.Sub: [ast.Add],
    ast.Mult: [ast.Div],
    ast.Div: [ast.Mult, ast.FloorDiv],
    ast.FloorDiv: [ast.Mult, ast.Div],
    ast.Mod: [ast.FloorDiv],
    ast.Pow: [ast.Mult],
    ast.BitAnd: [ast.BitOr, ast.BitXor],
    ast.BitOr: [ast.BitAnd, ast.BitXor],
    ast.BitXor: [ast.BitAnd, ast.BitOr],
}
ONE_SIDED = (ast.Sub, ast.Div, ast.FloorDiv, ast.MatMult, ast.Pow, ast.Mod)
DIMENSIONS = {"dim", "axis", "dims", "start_dim", "end_dim"}
TAKES_DIMENSION = words(
    "sum mean softmax any all argmax argmin transpose unsqueeze squeeze flatten permute max min "
    "cumsum sort topk gather scatter chunk unflatten size std var stack cat norm log_softmax amax "
    "amin roll flip index_select"
)


def expression_edits(place: Place) -> Iterator[Edit]:
    """Yield the edits of one expression, calls and attributes apart."""
    for kind, edits in KINDS.items():
        if isinstance(place.node, kind):
            yield from edits(place.node, place)


def constants(node: ast.Constant, place: Place) -> Iterator[Edit]:
    value = node.value
    if isinstance(value, bool):
        operator = "flag" if isinstance(place.parent, ast.keyword) else "boolean"
        yield Edit(operator, f"{value} → {not value}", ast.Constant(not value))
    elif isinstance(value, int | float) and not _negated(place):
        yield from _numbers(value, place)
    elif isinstance(value, str):
        yield from string_edits(node, place)
    elif value is None and place.name in ("defaults", "kw_defaults"):
        yield Edit("default", "None → 0", ast.Constant(0))


def _negated(place: Place) -> bool:
    return isinstance(place.parent, ast.UnaryOp) and isinstance(place.parent.op, ast.USub)


def _is_dimension(place: Place) -> bool:
    if isinstance(place.parent, ast.keyword):
        return place.parent.arg in DIMENSIONS
    return place.name == "args" and call_name(place.parent) in TAKES_DIMENSION


def _numbers(value: int | float, place: Place) -> Iterator[Edit]:
    if place.name in ("defaults", "kw_defaults"):
        operator, new = "default", [value + 1, 0] if isinstance(value, int) else [value * 2, 0.0]
    elif isinstance(value, int) and _is_dimension(place):
        near = {-1: [-2, 0], 0: [1, -1], 1: [0, 2], 2: [1, 3], -2: [-1, -3]}
        operator, new = "dimension", near.get(value, [value + 1, value - 1])
    else:
        operator, new = "constant", other_numbers(value)
    for other in new:
        if other != value:
            yield Edit(operator, f"{value} → {other}", literal(other))


def other_numbers(value: int | float) -> list[int | float]:
    """Numbers that one could write for this one."""
    if isinstance(value, int):
        far = [value * 2, value // 2] if abs(value) > 3 else []
        return [value + 1, value - 1, *far]
    if value == 0:
        return [1.0]
    if abs(value) < 2e-3 or abs(value) > 1e6:  # an epsilon or a large stand-in
        return [float(f"{value * factor:.12g}") for factor in (1000, 0.001, 0)]
    return [value * 2, value * 0.5]


def comparisons(node: ast.Compare, place: Place) -> Iterator[Edit]:
    for i, operator in enumerate(node.ops):
        for other in COMPARE.get(type(operator), []):
            new = copy.deepcopy(node)
            new.ops[i] = other()
            yield Edit("compare", f"{short(node)} → {short(new)}", new)
    if len(node.ops) == 2:
        first = ast.Compare(node.left, node.ops[:1], node.comparators[:1])
        second = ast.Compare(node.comparators[0], node.ops[1:], node.comparators[1:])
        for half in (first, second):
            yield Edit("compare", f"{short(node)} → {short(half)}", copy.deepcopy(half))
    elif number(node.comparators[0]) is not None:
        yield Edit("compare", f"{short(node)} → {short(node.left)}", copy.deepcopy(node.left))


def binary(node: ast.BinOp, place: Place) -> Iterator[Edit]:
    for other in ARITHMETIC.get(type(node.op), []):
        new = ast.BinOp(node.left, other(), node.right)
        yield Edit("arithmetic", f"{short(node)} → {short(new)}", copy.deepcopy(new))
    if isinstance(node.op, ONE_SIDED):
        new = ast.BinOp(node.right, node.op, node.left)
        yield Edit("swap operands", f"{short(node)} → {short(new)}", copy.deepcopy(new))
    for side in (node.left, node.right):
        yield Edit("drop operand", f"{short(node)} → {short(side)}", copy.deepcopy(side))


def conditions(node: ast.BoolOp, place: Place) -> Iterator[Edit]:
    other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    new = ast.BoolOp(other, node.values)
    yield Edit("and, or", f"{short(node)} → {short(new)}", copy.deepcopy(new))
    for i, value in enumerate(node.values):
        rest = node.values[:i] + node.values[i + 1 :]
        left = rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)
        yield Edit("drop condition", f"without {short(value)}", copy.deepcopy(left))


def unary(node: ast.UnaryOp, place: Place) -> Iterator[Edit]:
    if number(node) is not None:
        yield from _numbers(number(node) or 0, place)
    names = {ast.Not: "drop not", ast.Invert: "drop not", ast.USub: "drop minus"}
    if type(node.op) in names:
        yield Edit(
            names[type(node.op)],
            f"{short(node)} → {short(node.operand)}",
            copy.deepcopy(node.operand),
        )


def choices(node: ast.IfExp, place: Place) -> Iterator[Edit]:
    for branch in (node.body, node.orelse):
        yield Edit("one branch", f"always {short(branch)}", copy.deepcopy(branch))


def slices(node: ast.Slice, place: Place) -> Iterator[Edit]:
    def edit(**parts: ast.expr | None) -> Edit:
        new = copy.deepcopy(node)
        for name, value in parts.items():
            setattr(new, name, copy.deepcopy(value))
        return Edit("slice", f"[{short(node)}] → [{short(new)}]", new)

    for name in ("lower", "upper", "step"):
        if getattr(node, name) is not None:
            yield edit(**{name: None})
    for name in ("lower", "upper"):
        bound = getattr(node, name)
        if bound is not None and number(bound) is None:
            yield edit(**{name: ast.BinOp(bound, ast.Add(), ast.Constant(1))})
            yield edit(**{name: ast.BinOp(bound, ast.Sub(), ast.Constant(1))})
    if node.upper is None:
        yield edit(upper=literal(-1))


def subscripts(node: ast.Subscript, place: Place) -> Iterator[Edit]:
    if isinstance(node.ctx, ast.Load) and not isinstance(node.slice, ast.Constant):
        yield Edit("drop index", f"{short(node)} → {short(node.value)}", copy.deepcopy(node.value))


def _swapped(items: list[Any]) -> list[Any]:
    return [items[1], items[0], *items[2:]]


def sequences(node: ast.Tuple | ast.List, place: Place) -> Iterator[Edit]:
    if len(node.elts) >= 2 and isinstance(node.ctx, ast.Load):
        new = type(node)(_swapped(node.elts), node.ctx)
        yield Edit("swap values", f"{short(node)} → {short(new)}", copy.deepcopy(new))
        if isinstance(node, ast.List):
            new = ast.List(node.elts[:-1], node.ctx)
            yield Edit("drop value", f"{short(node)} → {short(new)}", copy.deepcopy(new))


def dictionaries(node: ast.Dict, place: Place) -> Iterator[Edit]:
    for i, key in enumerate(node.keys):
        new = copy.deepcopy(node)
        del new.keys[i], new.values[i]
        yield Edit("drop key", f"without {short(key) if key else '**'}", new)


def comprehensions(
    node: ast.ListComp | ast.GeneratorExp | ast.SetComp | ast.DictComp, place: Place
) -> Iterator[Edit]:
    for i, loop in enumerate(node.generators):
        for k, condition in enumerate(loop.ifs):
            new = copy.deepcopy(node)
            del new.generators[i].ifs[k]
            yield Edit("drop condition", f"without if {short(condition)}", new)
    if len(node.generators) > 1:
        new = copy.deepcopy(node)
        new.generators = _swapped(new.generators)
        yield Edit("swap values", f"{short(node)} → {short(new)}", new)


KINDS: dict[Any, Callable[[Any, Place], Iterator[Edit]]] = {
    ast.Constant: constants,
    ast.JoinedStr: string_edits,
    ast.Compare: comparisons,
    ast.BinOp: binary,
    ast.BoolOp: conditions,
    ast.UnaryOp: unary,
    ast.IfExp: choices,
    ast.Slice: slices,
    ast.Subscript: subscripts,
    (ast.Tuple, ast.List): sequences,
    ast.Dict: dictionaries,
    (ast.ListComp, ast.GeneratorExp, ast.SetComp, ast.DictComp): comprehensions,
}
