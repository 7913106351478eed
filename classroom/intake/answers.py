"""Python text of students, parsed or not: what it defines, and how to take it apart.

Nothing here runs code. What the parser refuses is looked at line by line.
"""

from __future__ import annotations

import ast
import re
import symtable
import textwrap
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field

__all__ = [
    "Statement",
    "attempted",
    "continues",
    "defines",
    "helpers",
    "is_prose",
    "normal",
    "same_code",
    "separate",
    "statements",
    "without",
]

MAX_PARSED = 200_000
FORM = re.compile(r"^\s*#\s*@(title|markdown)\b.*$", re.MULTILINE)  # Colab's form fields
MAGIC = re.compile(r"^(\s*)[%!].*$", re.MULTILINE)
FENCE = re.compile(r"\s*```[a-zA-Z0-9]*\n(?P<inside>.*?)\n?```\s*", re.DOTALL)


@dataclass
class Statement:
    """One statement at the top level, with the comments before it."""

    text: str
    names: frozenset[str] = frozenset()
    dump: str = ""
    node: ast.stmt | None = field(default=None, repr=False)


def normal(text: str) -> str:
    """Text for comparing: without blank lines, spaces at line ends and Colab's titles."""
    lines = (line.rstrip() for line in FORM.sub("", text.replace("\r", "")).split("\n"))
    return "\n".join(line for line in lines if line).strip()


def unfenced(text: str) -> str:
    """The inside of a text that is one Markdown code block, else the text."""
    match = FENCE.fullmatch(text)
    return match["inside"] if match else text


def parse(text: str) -> ast.Module | None:
    """Syntax tree, or None for what is not Python; magics of IPython count as ``pass``."""
    if len(text) > MAX_PARSED:
        return None
    body = MAGIC.sub(r"\1pass", text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for candidate in (body, textwrap.dedent(body)):
            try:
                return ast.parse(candidate)
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                continue
    return None


def _bound(node: ast.AST) -> set[str]:
    """Names that a statement binds, also inside ``if``, ``try`` and ``with``."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name.split(".")[0] for alias in node.names}
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if node.value is None:
            return set()
        return {n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)}
    found: set[str] = set()
    for part in ("body", "orelse", "handlers", "finalbody"):
        for child in getattr(node, part, []) if not isinstance(node, ast.Expr) else []:
            found |= _bound(child)
    return found


def _without_docstrings(node: ast.stmt) -> ast.stmt:
    for inner in ast.walk(node):
        body = getattr(inner, "body", None)
        if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and body:
            first = body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                inner.body = body[1:] or [ast.Pass()]
    return node


def statements(text: str) -> list[Statement] | None:
    """Statements at the top level in order, or None for what is not Python."""
    tree = parse(text)
    if tree is None:
        return None
    lines = text.split("\n")
    found: list[Statement] = []
    start = 0
    for node in tree.body:
        end = node.end_lineno or start
        while end < len(lines) and lines[end][:1].isspace():  # comments at the end of a block
            end += 1
        if end <= start and found:  # a second statement on one line
            found[-1].names |= _bound(node)
            continue
        piece = "\n".join(lines[start:end]).strip("\n")
        names = frozenset(_bound(node))
        try:
            dump = ast.dump(_without_docstrings(node))
        except RecursionError:
            dump = piece
        found.append(Statement(piece, names, dump, node))
        start = end
    rest = "\n".join(lines[start:]).strip("\n")
    if rest.strip():
        if found:
            found[-1].text += "\n" + rest
        else:
            found.append(Statement(rest))
    return found


def defines(text: str, name: str) -> bool:
    """Whether the text defines ``name`` at its top level."""
    if name not in text:
        return False
    parts = statements(text)
    if parts is None:
        return re.search(_start_of(name), text, re.MULTILINE) is not None
    return any(name in part.names for part in parts)


def _start_of(name: str) -> str:
    name = re.escape(name)
    block = rf"(?:(?:async[ \t]+)?def|class)[ \t]+{name}\b"
    return rf"^(?:{block}|{name}[ \t]*(?::[^=\n]*)?=(?!=))"


def attempted(text: str, stub: str, name: str) -> bool:
    """Whether ``text`` defines ``name`` otherwise than the stub; comments do not count."""
    if normal(text) in ("", normal(stub)):
        return False
    mine, theirs = statements(text), statements(stub)
    if mine is None or theirs is None:
        return defines(text, name)
    if not any(name in s.names for s in mine):
        return False
    known = {s.dump for s in theirs}
    return any(name in s.names and s.dump not in known for s in mine)


def same_code(one: str, other: str) -> bool:
    """Whether two texts are the same code but for comments, blank lines and docstrings."""
    if normal(one) == normal(other):
        return True
    first, second = statements(one), statements(other)
    if first is None or second is None:
        return False
    return [s.dump for s in first] == [s.dump for s in second]


def continues(first: str, second: str, name: str) -> bool:
    """Whether ``second`` is the rest of the answer ``first``, cut in two by a split cell.

    Two texts that are whole by themselves are halves of one answer only where one of them makes
    what the other uses; else one of them is a trial beside the answer.
    """
    body = [line for line in second.split("\n") if line.strip()]
    if not body or not first.strip():
        return False
    if body[0][0].isspace():
        return True
    together = statements(first.rstrip("\n") + "\n" + second)
    if together is None or not any(name in s.names for s in together):
        return False
    parts = statements(first), statements(second)
    if parts[0] is None or parts[1] is None:
        return True
    made = {n for part in parts[0] for n in part.names}
    return not defines(first, name) and bool(reads(second) & made)


def reads(text: str) -> set[str]:
    """Names from outside its functions that a text uses."""
    tree = parse(text)
    if tree is None:
        return set()
    try:
        table = symtable.symtable(ast.unparse(tree), "<answer>", "exec")
    except (SyntaxError, ValueError, RecursionError):
        return set()
    found, tables = set(), [table]
    while tables:
        table = tables.pop()
        tables += table.get_children()
        found |= {s.get_name() for s in table.get_symbols() if s.is_global() and s.is_referenced()}
    return found


def without(text: str, known: Iterable[str]) -> str:
    """Text without those of ``known`` that it holds line by line."""
    lines = text.split("\n")
    for other in known:
        wanted = normal(other).split("\n")
        if wanted == [""]:
            continue
        shown = [(i, line.rstrip()) for i, line in enumerate(lines) if line.strip()]
        for at in range(len(shown) - len(wanted) + 1):
            if [line for _, line in shown[at : at + len(wanted)]] == wanted:
                first, last = shown[at][0], shown[at + len(wanted) - 1][0]
                del lines[first : last + 1]
                break
    return "\n".join(lines).strip("\n")


def separate(text: str, names: list[str]) -> dict[str, str]:
    """Take a cell with several answers apart: ``{name: its text}``.

    A statement that defines none of ``names`` goes with the next answer, after the last with that.
    """
    parts = statements(text)
    found: dict[str, list[str]] = {}
    if parts is None:
        return _separate_lines(text, names)
    waiting: list[str] = []
    last = None
    for part in parts:
        mine = [name for name in names if name in part.names]
        waiting.append(part.text)
        if mine:
            last = mine[0]
            found.setdefault(last, []).extend(waiting)
            waiting = []
    if waiting and last is not None:
        found[last].extend(waiting)
    return {name: "\n\n\n".join(p.strip("\n") for p in texts) for name, texts in found.items()}


def _separate_lines(text: str, names: list[str]) -> dict[str, str]:
    lines = text.split("\n")
    starts = []
    for number, line in enumerate(lines):
        for name in names:
            if re.match(_start_of(name), line):
                while number and lines[number - 1].startswith(("@", "#")):
                    number -= 1
                starts.append((number, name))
    found: dict[str, str] = {}
    for k, (number, name) in enumerate(starts):
        begin = 0 if k == 0 else number
        end = starts[k + 1][0] if k + 1 < len(starts) else len(lines)
        piece = "\n".join(lines[begin:end]).strip("\n")
        found[name] = f"{found[name]}\n\n\n{piece}" if name in found else piece
    return found


def helpers(text: str, taken: set[str], *, literals: bool = True) -> str:
    """Imports, functions, classes and plain values in ``text`` whose names are not ``taken``."""
    kept = []
    for part in statements(text) or []:
        node = part.node
        if not part.names or part.names & taken:
            continue
        plain = isinstance(node, ast.Assign | ast.AnnAssign) and literals and _is_literal(node)
        named = isinstance(
            node,
            ast.Import | ast.ImportFrom | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef,
        )
        if plain or named:
            kept.append(part.text.strip("\n"))
    return "\n".join(kept)


def _is_literal(node: ast.Assign | ast.AnnAssign) -> bool:
    try:
        ast.literal_eval(node.value)  # type: ignore[arg-type]
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return False
    return True


def is_prose(text: str) -> bool:
    """Whether the text of a code cell is rather an answer in words: no Python, or comments only."""
    parts = statements(text)
    if parts is None:
        return True
    return all(
        part.node is None
        or (
            isinstance(part.node, ast.Expr) and isinstance(part.node.value, ast.Constant | ast.Name)
        )
        for part in parts
    )
