"""Show a mutant in the student's own text: which line it changes and how that line reads then."""

from __future__ import annotations

import ast
import textwrap
from dataclasses import dataclass
from typing import Any

from classroom.mutants import Mutant

__all__ = ["Change", "shown"]

BODIES = ("body", "orelse", "finalbody", "handlers", "cases")


@dataclass(frozen=True)
class Change:
    """One change of a text: lines ``first`` to ``last`` read ``new`` (empty: they are gone)."""

    first: int
    last: int
    old: str
    new: str
    text: str  # the whole answer with the change


def shown(source: str, mutant: Mutant | str) -> Change | None:
    """Place a mutant in the text that it was made from, with as little rewritten as can be.

    A statement that is new is shown with the line that it stands before.

    Returns
    -------
    The change, or None where it cannot be shown on neighbouring lines: the text with the change is
    parsed again and must be the mutant's code.
    """
    text = mutant if isinstance(mutant, str) else mutant.text
    before, after = ast.parse(source), ast.parse(text)
    pair = _statement(before.body, after.body)
    if pair is None:
        return None
    want = ast.dump(after)
    for edit in _edits(source, *pair):
        try:
            same = ast.dump(ast.parse(edit.text)) == want
        except SyntaxError:
            continue
        if same and edit.old != edit.new:
            return edit
    return None


def _statement(
    before: list[ast.stmt], after: list[ast.stmt]
) -> tuple[ast.stmt, ast.stmt | list[ast.stmt] | None] | None:
    """The innermost statement that differs, with what it becomes; None for one that is gone."""
    if len(after) == len(before) + 1:
        kept = [ast.dump(node) for node in before]
        for place in range(len(before)):
            if [ast.dump(n) for n in after[:place] + after[place + 1 :]] == kept:
                return before[place], [after[place], before[place]]
        return None
    if len(after) == len(before) - 1:
        kept = [ast.dump(node) for node in after]
        for place in range(len(before)):
            if [ast.dump(n) for n in before[:place] + before[place + 1 :]] == kept:
                return before[place], None
        return None
    if len(after) != len(before):
        return None
    pairs = [(b, a) for b, a in zip(before, after, strict=True) if ast.dump(b) != ast.dump(a)]
    if len(pairs) != 1:
        return None
    old, new = pairs[0]
    if type(old) is type(new):
        inner = [
            (getattr(old, name), getattr(new, name))
            for name in BODIES
            if isinstance(getattr(old, name, None), list)
        ]
        changed = [(b, a) for b, a in inner if [*map(ast.dump, b)] != [*map(ast.dump, a)]]
        if len(changed) == 1 and _header(old) == _header(new):
            return _statement(*changed[0])
    return old, new


def _header(node: ast.stmt) -> str:
    fields = [(n, v) for n, v in ast.iter_fields(node) if n not in BODIES]
    return repr([(n, _dump(v)) for n, v in fields])


def _dump(value: Any) -> str:
    if isinstance(value, list):
        return repr([_dump(v) for v in value])
    return ast.dump(value) if isinstance(value, ast.AST) else repr(value)


def _edits(source: str, old: ast.stmt, new: ast.stmt | list[ast.stmt] | None) -> list[Change]:
    """Ways to write the change, the smallest piece of text first."""
    lines = source.splitlines()
    first, last = old.lineno, old.end_lineno or old.lineno
    if isinstance(new, list):
        rest = textwrap.dedent("\n".join(lines[first - 1 : last]))
        return [_replaced(lines, first, last, f"{ast.unparse(new[0])}\n{rest}")]
    if new is None or isinstance(new, ast.Pass):
        found = [_replaced(lines, first, last, "pass" if new else "")]
        alone = _replaced(lines, first, last, "pass")
        return [*found, alone]
    edits = []
    for before, after in reversed(_way_down(old, new)):
        if isinstance(after, ast.expr):
            text = ast.unparse(after)
            edits += [_spliced(lines, before, words) for words in (text, f"({text})")]
    body = getattr(new, "body", None)
    if isinstance(body, list):  # only the line that opens a block differs
        until = max(first, old.body[0].lineno - 1)  # type: ignore[attr-defined]
        text = ast.unparse(new).split("\n" + " " * 4)[0]
        edits.append(_replaced(lines, first, until, text))
    else:
        edits.append(_replaced(lines, first, last, ast.unparse(new)))
    return edits


def _way_down(old: ast.AST, new: ast.AST) -> list[tuple[Any, Any]]:
    """Pairs of nodes from the statement to the smallest part that differs."""
    way = [(old, new)]
    while type(old) is type(new):
        differing = []
        for name, value in ast.iter_fields(old):
            other = getattr(new, name, None)
            if isinstance(value, list) and isinstance(other, list) and len(value) == len(other):
                differing += [(v, o) for v, o in zip(value, other, strict=True) if _differ(v, o)]
            elif _differ(value, other):
                differing.append((value, other))
        if len(differing) != 1 or not all(isinstance(n, ast.expr) for n in differing[0]):
            break
        old, new = differing[0]
        way.append((old, new))
    return way


def _differ(one: Any, two: Any) -> bool:
    return _dump(one) != _dump(two)


def _replaced(lines: list[str], first: int, last: int, new: str) -> Change:
    old = "\n".join(lines[first - 1 : last])
    indent = old[: len(old) - len(old.lstrip())]
    text = textwrap.indent(new, indent) if new else ""
    whole = [*lines[: first - 1], *text.splitlines(), *lines[last:]]
    return Change(first, last, old, text, "\n".join(whole) + "\n")


def _spliced(lines: list[str], node: ast.expr, new: str) -> Change:
    """Put new text in the place of an expression; columns count bytes of UTF-8."""
    first, last = node.lineno, node.end_lineno or node.lineno
    head = lines[first - 1].encode()[: node.col_offset].decode()
    tail = lines[last - 1].encode()[node.end_col_offset :].decode()
    text = head + new + tail
    whole = [*lines[: first - 1], *text.splitlines(), *lines[last:]]
    return Change(first, last, "\n".join(lines[first - 1 : last]), text, "\n".join(whole) + "\n")
