"""What an answer may read of the cells that the course gives: constants, seeds, definitions.

The judge does not run given cells: some take minutes. Of each it knows the statements that cost
nothing, and the names of all others, so that a message can say which variable is not there.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from classroom.authoring.source import NotebookSource, tags

__all__ = ["Statement", "Values", "statements"]

# Cheap for the sizes that a notebook writes down.
CHEAP = """
abs arange array bool compile Counter default_rng device dict enumerate exp eye float format
    fromkeys frozenset Generator geomspace get int items keys len linspace list log lower
    manual_seed max min ones OrderedDict Path range replace round set SimpleNamespace sorted split
    sqrt str sum tensor tuple upper join values zeros zip"""
CALLS = frozenset(CHEAP.split())
DEFINITIONS = (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef, ast.Import, ast.ImportFrom)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Lambda)


@dataclass(frozen=True)
class Statement:
    """One cheap statement of a given cell: its text, the names that it makes, and what it reads."""

    source: str
    makes: frozenset[str]
    reads: frozenset[str]


@dataclass(frozen=True)
class Values:
    """Cheap statements by the text of their cell, in order, and the names of all other values."""

    cells: dict[str, list[Statement]]
    absent: frozenset[str]

    def wanted(self, texts: Iterable[str]) -> frozenset[str]:
        """Names that these texts mention, and those that they need in turn."""
        found: set[str] = set()
        words = {word for text in texts for word in re.findall(r"[^\W\d]\w*", text)}
        while words - found:
            found |= words
            for made in (s for cell in self.cells.values() for s in cell):
                if made.makes & found:
                    words |= made.reads
        return frozenset(found)


def statements(source: NotebookSource) -> Values:
    """Sort the given cells of a notebook into what is cheap and what is not."""
    known: set[str] = set(dir(builtins))
    absent: set[str] = set()
    for cell in source.notebook.cells:
        if "imports" in tags(cell):
            known |= {name for node in _parse(cell.source) for name in _makes(node)}
    cells: dict[str, list[Statement]] = {}
    for cell in source.notebook.cells:
        graded = cell.metadata.get("nbgrader")
        if cell.cell_type != "code" or graded or {"imports", "install"} & set(tags(cell)):
            continue
        made: list[Statement] = []
        for node in _parse(cell.source):
            makes = frozenset(_makes(node))
            if _is_cheap(node, known):
                known |= makes
                absent -= makes
                reads = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)} - makes
                made.append(Statement(ast.unparse(node), makes, frozenset(reads)))
            else:
                known -= makes
                absent |= makes
        cells[cell.source] = made
    return Values(cells, frozenset(absent - {"_"} - set(source.exercises)))


def _parse(text: str) -> list[ast.stmt]:
    lines = text.splitlines()
    return ast.parse("\n".join("" if x.lstrip()[:1] in ("%", "!") else x for x in lines)).body


def _makes(node: ast.AST) -> list[str]:
    """Names that a statement binds in the notebook."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
        return [node.name]
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [(a.asname or a.name).split(".")[0] for a in node.names]
    if isinstance(node, COMPREHENSIONS):
        return []
    own = [node.id] if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) else []
    return own + [name for child in ast.iter_child_nodes(node) for name in _makes(child)]


def _is_cheap(node: ast.stmt, known: set[str]) -> bool:
    if isinstance(node, DEFINITIONS):
        decorators: list[Any] = getattr(node, "decorator_list", [])
        bases: list[Any] = getattr(node, "bases", [])
        return all(_names(part) <= known for part in [*decorators, *bases])
    if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
        return False
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    plain = (ast.Name, ast.Tuple)
    if not all(isinstance(t, plain) for t in targets):
        return False
    calls = [n.func for n in ast.walk(node.value) if isinstance(n, ast.Call)]
    called = {getattr(f, "attr", getattr(f, "id", "")) for f in calls}
    return called <= CALLS and _names(node.value) <= known


def _names(node: ast.AST) -> set[str]:
    found = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
    inner = [n for n in ast.walk(node) if isinstance(n, COMPREHENSIONS)]
    bound = {
        n.id
        for part in inner
        for n in ast.walk(part)
        if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }
    bound |= {a.arg for part in inner for a in ast.walk(part) if isinstance(a, ast.arg)}
    return found - bound
