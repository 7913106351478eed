"""All mutants of a source text, in a fixed order and without duplicates."""

from __future__ import annotations

import ast
import hashlib
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from classroom.mutants.calls import attribute_edits, call_edits
from classroom.mutants.edits import Edit, Place
from classroom.mutants.expressions import expression_edits
from classroom.mutants.statements import statement_edits

__all__ = ["Mutant", "mutants", "pairs", "sample", "solution_lines"]

Lines = Sequence[tuple[int, int]]
UNTOUCHED = ("annotation", "returns", "decorator_list", "bases")


@dataclass(frozen=True)
class Mutant:
    """A source text with one small change, or two in one line.

    ``key`` identifies it by the code alone: docstrings, comments and layout do not count.
    """

    operator: str
    what: str
    line: int
    text: str

    @property
    def key(self) -> str:
        """Sixteen hexadecimal digits of the mutated code's hash."""
        tree = ast.parse(self.text)
        for node in ast.walk(tree):
            kinds = ast.Module | ast.ClassDef | ast.FunctionDef
            if isinstance(node, kinds) and ast.get_docstring(node, clean=False) is not None:
                node.body = node.body[1:]
        return hashlib.sha256(ast.dump(tree).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class _Change:
    position: int  # in the order of `_places`
    line: int
    edit: Edit


def solution_lines(source: str) -> list[tuple[int, int]]:
    """Return the (first, last) lines of the nbgrader solution regions of a cell."""
    found, start = [], 0
    for n, line in enumerate(source.splitlines(), 1):
        if "### BEGIN SOLUTION" in line:
            start = n + 1
        elif "### END SOLUTION" in line:
            found.append((start, n - 1))
    return found


def mutants(source: str, lines: Lines | None = None) -> Iterator[Mutant]:
    """Yield the mutants with one change.

    Parameters
    ----------
    source
        Code of an answer, a model's or a student's.
    lines
        (first, last) lines in which changes are made, default arguments apart, which count
        wherever they stand; by default everywhere.

    Raises
    ------
    SyntaxError
        If the source is not Python.
    """
    tree = ast.parse(source)
    seen = {ast.unparse(tree) + "\n"}
    places = _places(tree)
    for change in _changes(places, lines):
        text = _apply(tree, places, [change])
        if text is not None and text not in seen:
            seen.add(text)
            yield Mutant(change.edit.operator, change.edit.what, change.line, text)


def pairs(source: str, lines: Lines | None = None, *, per_line: int = 6) -> Iterator[Mutant]:
    """Yield mutants with two changes in one line, at most ``per_line`` drawn for each line.

    The draw depends on the source alone. Two changes can hide each other's traces, or make an
    answer plausible that one of them would have crashed.
    """
    tree = ast.parse(source)
    seen = {ast.unparse(tree) + "\n"}
    by_line: dict[int, list[_Change]] = defaultdict(list)
    places = _places(tree)
    for change in _changes(places, lines):
        if isinstance(change.edit.new, ast.expr):
            by_line[change.line].append(change)
    ends = _ends(places)
    for line, changes in sorted(by_line.items()):
        apart = [
            (first, second)
            for i, first in enumerate(changes)
            for second in changes[i + 1 :]
            if second.position >= ends[first.position]  # neither stands inside the other
        ]
        rng = random.Random(f"{line}:{len(apart)}")
        rng.shuffle(apart)
        made = 0
        for first, second in apart:
            text = _apply(tree, places, [first, second])
            if made < per_line and text is not None and text not in seen:
                seen.add(text)
                made += 1
                what = f"{first.edit.what}; {second.edit.what}"
                yield Mutant("pair", what, line, text)


def sample(found: Iterable[Mutant], count: int) -> list[Mutant]:
    """Draw ``count`` mutants, every operator in turn; the draw depends on the mutants alone."""
    groups: dict[str, list[Mutant]] = defaultdict(list)
    for mutant in found:
        groups[mutant.operator].append(mutant)
    rng = random.Random("".join(sorted(groups)))
    for group in groups.values():
        rng.shuffle(group)
    waiting = [groups[name] for name in sorted(groups)]
    rng.shuffle(waiting)
    drawn: list[Mutant] = []
    while len(drawn) < count and any(waiting):
        for group in waiting:
            if group and len(drawn) < count:
                drawn.append(group.pop())
    return sorted(drawn, key=lambda m: (m.line, m.operator, m.what))


def _places(tree: ast.AST) -> list[Place]:
    """Every node below ``tree`` in the order in which the code is read."""
    found: list[Place] = []

    def visit(node: ast.AST, above: tuple[ast.AST, ...]) -> None:
        above = (*above, node)
        for name, value in ast.iter_fields(node):
            items = enumerate(value) if isinstance(value, list) else [(None, value)]
            for index, child in items:
                if isinstance(child, ast.AST):
                    found.append(Place(child, node, name, index, above))
                    visit(child, above)

    visit(tree, ())
    return found


def _ends(places: Sequence[Place]) -> list[int]:
    """For each place the position behind its last descendant."""
    position = {id(place.node): i for i, place in enumerate(places)}
    ends = list(range(1, len(places) + 1))
    for i, place in enumerate(places):
        for node in place.above[1:]:
            ends[position[id(node)]] = i + 1
    return ends


def _changes(places: Sequence[Place], lines: Lines | None) -> Iterator[_Change]:
    for position, place in enumerate(places):
        node = place.node
        line = getattr(node, "lineno", 0)
        default = place.name in ("defaults", "kw_defaults")
        inside = lines is None or any(first <= line <= last for first, last in lines)
        if not (inside or default) or place.name in UNTOUCHED:
            continue
        if place.inside(ast.arguments) and not default:
            continue
        if isinstance(node, ast.stmt):
            edits = statement_edits(place)
        elif isinstance(node, ast.expr):
            edits = _of_expression(place)
        else:
            continue
        for edit in edits:
            yield _Change(position, line, edit)


def _of_expression(place: Place) -> Iterator[Edit]:
    yield from expression_edits(place)
    if isinstance(place.node, ast.Attribute):
        yield from attribute_edits(place.node, place)
    if isinstance(place.node, ast.Call):
        yield from call_edits(place.node, place)


def _apply(tree: ast.AST, places: Sequence[Place], changes: Sequence[_Change]) -> str | None:
    """Code with the changes made, the tree left as it was; None where it is not Python any more."""
    before: list[tuple[Place, Any]] = []
    for change in changes:
        place, new = places[change.position], change.edit.new
        now = getattr(place.parent, place.name)
        before.append((place, now))
        if place.index is not None:
            body = new if isinstance(new, list) else [new]
            new = [*now[: place.index], *body, *now[place.index + 1 :]]
            if not new and place.name == "body":
                new = [ast.Pass()]
        setattr(place.parent, place.name, new)
    try:
        text = ast.unparse(tree)
        compile(text, "<mutant>", "exec")
    except (SyntaxError, ValueError, TypeError, AttributeError):
        return None
    finally:
        for place, old in reversed(before):
            setattr(place.parent, place.name, old)
    return text + "\n"
