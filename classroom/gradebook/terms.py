"""Exercises over terms: difficulty and discrimination from gradebooks, in a page and a CSV."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from nbgrader.api import Gradebook
from sqlalchemy.exc import SQLAlchemyError

from classroom.files import write_whole
from classroom.gradebook.export import write_csv
from classroom.gradebook.items import cronbach, item_rest
from classroom.pages import page

__all__ = ["TermItem", "TermNotebook", "read_terms", "write_terms"]

COLUMNS = (
    "term",
    "assignment",
    "exercise",
    "students",
    "difficulty",
    "discrimination",
    "low",
    "high",
    "alpha",
)


@dataclass
class TermItem:
    """An exercise in one term: as :class:`classroom.gradebook.items.Item` describes it."""

    name: str
    shares: np.ndarray  # of the points, one a student with a score
    discrimination: float
    low: float
    high: float

    @property
    def difficulty(self) -> float:
        """Mean share of the points; nan for nobody."""
        return float(self.shares.mean()) if len(self.shares) else math.nan


@dataclass
class TermNotebook:
    """An assignment in one term."""

    term: str
    assignment: str
    students: int
    alpha: float
    items: dict[str, TermItem]


def read_terms(gradebooks: Sequence[str]) -> list[TermNotebook]:
    """Read gradebooks, in the order given.

    Parameters
    ----------
    gradebooks
        Each a workspace, a gradebook file or a database address, with a name in front of it or
        not: ``2026=grading``. Without one the folder's name is the term.

    Raises
    ------
    FileNotFoundError
        If there is no such gradebook.
    ValueError
        If two have the same name, or one is no gradebook.
    """
    found: list[TermNotebook] = []
    seen: set[str] = set()
    for given in gradebooks:
        term, address = _address(given)
        if term in seen:
            raise ValueError(f"two gradebooks are called {term!r}: write NAME=PATH")
        seen.add(term)
        try:
            with Gradebook(address) as book:
                found += [_notebook(book, term, a.name) for a in book.assignments]
        except SQLAlchemyError as error:
            raise ValueError(f"{given} is no gradebook: {str(error).splitlines()[0]}") from None
    return [n for n in found if n.students]


def _address(given: str) -> tuple[str, str]:
    """Name of the term and the address of its database."""
    match = re.fullmatch(r"(?:(?P<name>[^=/\\:]+)=)?(?P<place>.+)", given, re.S)
    if match is None:
        raise FileNotFoundError("a gradebook without a name or a path")
    place = match["place"]
    if "://" in place:
        return match["name"] or place.rpartition("/")[2], place
    path = Path(place)
    path = path / "gradebook.db" if path.is_dir() else path
    if not path.is_file():
        raise FileNotFoundError(f"no gradebook at {path}")
    path = path.resolve()
    return match["name"] or path.parent.name, f"sqlite:///{path}"


def _notebook(book: Gradebook, term: str, assignment: str) -> TermNotebook:
    by_student: dict[str, dict[str, list[tuple[float | None, float]]]] = {}
    for submission in book.assignment_submissions(assignment):
        mine = by_student.setdefault(submission.student.id, {})
        for notebook in submission.notebooks:
            for grade in notebook.grades:
                code = grade.cell.cell_type == "code"
                score = grade.auto_score if grade.manual_score is None else grade.manual_score
                if not code and grade.needs_manual_grade:
                    score = None
                name = re.sub(r"_check(_.+)?$", "", grade.name) if code else grade.name
                mine.setdefault(name, []).append((score, float(grade.max_score)))
    names = list(dict.fromkeys(name for mine in by_student.values() for name in mine))
    shares = np.full((len(by_student), len(names)), np.nan)
    for row, mine in enumerate(by_student.values()):
        for column, name in enumerate(names):
            parts = mine.get(name, [])
            most = sum(m for _, m in parts)
            if most and all(score is not None for score, _ in parts):
                shares[row, column] = sum(score or 0.0 for score, _ in parts) / most
    items = {}
    for column, name in enumerate(names):
        known = shares[~np.isnan(shares[:, column]), column]
        if len(known):
            items[name] = TermItem(name, known, *item_rest(shares, column))
    known_columns = [column for column, name in enumerate(names) if name in items]
    alpha = cronbach(shares[:, known_columns])
    return TermNotebook(term, assignment, len(by_student), alpha, items)


def write_terms(gradebooks: Sequence[str], out: Path) -> tuple[Path, Path]:
    """Write the page to ``out`` and a CSV beside it; return both.

    Raises
    ------
    FileNotFoundError
        If there is no such gradebook, or none holds a submission.
    """
    notebooks = read_terms(gradebooks)
    if not notebooks:
        raise FileNotFoundError("the gradebooks hold no submission")
    terms = list(dict.fromkeys(n.term for n in notebooks))
    sections = []
    for assignment in sorted({n.assignment for n in notebooks}):
        mine = {n.term: n for n in notebooks if n.assignment == assignment}
        names = list(dict.fromkeys(name for n in mine.values() for name in n.items))
        rows = [
            (name, [mine[t].items.get(name) if t in mine else None for t in terms])
            for name in names
        ]
        sections.append((assignment, mine, [(n, c, _change(c)) for n, c in rows]))
    text = page("terms.html", terms=terms, sections=sections)
    write_whole(out, text)
    table = out.with_suffix(".csv")
    lines = [
        dict(
            zip(
                COLUMNS, (n.term, n.assignment, i.name, len(i.shares), *_numbers(n, i)), strict=True
            )
        )
        for n in notebooks
        for i in n.items.values()
    ]
    write_csv(table, COLUMNS, lines)
    return out, table


def _numbers(notebook: TermNotebook, item: TermItem) -> list[float | None]:
    values = (item.difficulty, item.discrimination, item.low, item.high, notebook.alpha)
    return [None if math.isnan(v) else v for v in values]


def _change(cells: Sequence[TermItem | None]) -> tuple[float, float, float] | None:
    """Last term's difficulty less the first one's, with a 95 % interval; None without two."""
    known = [c for c in cells if c is not None and len(c.shares) > 2]
    if len(known) < 2:
        return None
    first, last = known[0].shares, known[-1].shares
    change = float(last.mean() - first.mean())
    half = 1.96 * math.sqrt(first.var(ddof=1) / len(first) + last.var(ddof=1) / len(last))
    return change, change - half, change + half
