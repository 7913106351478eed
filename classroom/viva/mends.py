"""Small mends of a wrong answer: one statement changed, and then every check passes."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterator, Sequence

from classroom.mutants import mutants
from classroom.viva.lines import Change, shown

__all__ = ["candidates"]

MOST = 50


def candidates(source: str, rights: Sequence[str]) -> Iterator[list[Change]]:
    """Yield batches of changes of one statement that might mend an answer; run them to know.

    The first batch are statements of right answers where the rest of the code is as theirs
    (whatever the variables are called), the second mutants of the answer.

    Parameters
    ----------
    source
        The wrong answer.
    rights
        Right answers: the model's, and those of others.
    """
    seen: set[str] = set()
    learnt = (text for right in rights for text in _transplants(source, right))
    for texts in (learnt, (m.text for m in mutants(source))):
        batch = []
        for text in texts:
            change = shown(source, text)
            if change is not None and change.text not in seen:
                seen.add(change.text)
                batch.append(change)
            if len(batch) == MOST:
                break
        if batch:
            yield batch


def _transplants(source: str, right: str) -> Iterator[str]:
    """The answer with one piece of a right one in the place of its own."""
    try:
        mine, names = _numbered(source)
        other, theirs = _numbered(right)
    except (SyntaxError, ValueError, RecursionError):
        return
    pieces = difflib.SequenceMatcher(None, mine, other, autojunk=False).get_opcodes()
    back = {number: name for name, number in names.items()}
    for name, number in theirs.items():
        back.setdefault(number, name if name not in names else f"{name}_2")
    for kind, first, last, start, end in pieces:
        if kind == "equal":
            continue
        lines = [*mine[:first], *other[start:end], *mine[last:]]
        try:
            tree = ast.parse("\n".join(lines))
        except SyntaxError:
            continue
        yield ast.unparse(_renamed(tree, back)) + "\n"


def _numbered(source: str) -> tuple[list[str], dict[str, str]]:
    """Lines of the code with its variables numbered in the order in which they come."""
    tree = ast.parse(source)
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            if ast.get_docstring(node) is not None:
                node.body = node.body[1:] or [ast.Pass()]
            if isinstance(node, ast.FunctionDef):
                node.returns = None
        if isinstance(node, ast.arg):
            node.annotation = None
    for name in _order(tree):
        names.setdefault(name, f"v_{len(names)}_")
    return ast.unparse(_renamed(tree, names)).splitlines(), names


def _order(tree: ast.AST) -> Iterator[str]:
    """Parameters and assigned names as the code reads."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.arg):
            yield child.arg
        elif isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store):
            yield child.id
        yield from _order(child)


def _renamed(tree: ast.AST, names: dict[str, str]) -> ast.AST:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            node.id = names.get(node.id, node.id)
        elif isinstance(node, ast.arg):
            node.arg = names.get(node.arg, node.arg)
    return tree
