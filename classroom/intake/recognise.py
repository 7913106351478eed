"""Which assignment a notebook is, by what is in it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import nbformat

from classroom.intake.answers import defines, normal
from classroom.intake.matching import Release
from classroom.intake.reading import Cell

__all__ = ["Recogniser"]


class Recogniser:
    """Compares notebooks with all releases; what several releases share does not count."""

    def __init__(self, root: Path) -> None:
        self.releases = {
            path.stem: Release(nbformat.read(path, as_version=4))
            for path in sorted(root.glob("notebooks/*/*.ipynb"))
            if path.stem == path.parent.name
        }
        texts = Counter(t for r in self.releases.values() for t in set(r.texts))
        marks = Counter(m for r in self.releases.values() for m in r.marks)
        self.texts = {
            name: {t for t in r.texts if texts[t] == 1} for name, r in self.releases.items()
        }
        self.marks = {
            name: {m for m in r.marks if marks[m] == 1} for name, r in self.releases.items()
        }

    def scores(self, cells: list[Cell]) -> dict[str, int]:
        """How many cells of each release there are traces of."""
        texts = {normal(cell.text) for cell in cells}
        marks = {cell.grade_id for cell in cells}
        everything = "\n".join(cell.text for cell in cells)
        found = {}
        for name, release in self.releases.items():
            defined = {
                answer
                for answer in release.answers
                if answer in everything and any(defines(cell.text, answer) for cell in cells)
            }
            kept = (self.marks[name] & marks) | (defined & self.marks[name])
            found[name] = len(kept) + len(self.texts[name] & texts)
        return found

    def objection(self, cells: list[Cell], assignment: str) -> str:
        """Why this is not the assignment, empty if it is."""
        scores = self.scores(cells)
        best = max(scores, key=lambda name: (scores[name], name == assignment))
        if scores[best] == 0:
            return "no cell of it belongs to this assignment"
        return "" if best == assignment else f"another assignment: this is {best}"
