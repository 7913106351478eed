"""Rebuild damaged submissions on the release's skeleton.

Colab and students strip, edit, copy, delete, reorder, retype, split and merge cells. The repaired
notebook holds the release's cells in the release's order with the release's metadata; of the
submission it takes the answers, and the cells that the student added. Nothing is run.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import nbformat
from nbformat import NotebookNode

from classroom.intake.answers import (
    attempted,
    defines,
    helpers,
    normal,
    same_code,
    statements,
)
from classroom.intake.changes import odd_metadata, told
from classroom.intake.matching import Candidate, Release, Slot, align
from classroom.intake.reading import NotANotebook, Reading, read_bytes, read_object
from classroom.intake.skeleton import Content, build

__all__ = ["NotANotebook", "Repaired", "repair_bytes", "repair_notebook"]


@dataclass
class Repaired:
    """A repaired notebook, what was done to it, and what a person should look at."""

    notebook: NotebookNode
    repairs: list[str] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)


def repair_notebook(submitted: NotebookNode | dict[str, Any], release: NotebookNode) -> Repaired:
    """Rebuild a submitted notebook on the release.

    Parameters
    ----------
    submitted
        Parsed notebook of any nbformat version, valid or not.
    release
        The notebook that students were given.

    Returns
    -------
    The cells of the release in its order with its metadata, the student's answers in them, and the
    cells that the student added, in place; without outputs.

    Raises
    ------
    NotANotebook
        If ``submitted`` has no cells, or none that belongs to the release.
    """
    return _Repair(read_object(submitted), Release(release)).run()


def repair_bytes(data: bytes, release: NotebookNode) -> Repaired:
    """The same for a file's content."""
    return _Repair(read_bytes(data), Release(release)).run()


class _Repair:
    def __init__(self, reading: Reading, release: Release) -> None:
        self.reading = reading
        self.cells = reading.cells
        self.release = release
        self.repairs: list[str] = list(reading.notes)
        self.flags: list[str] = []
        self.content = Content()

    def run(self) -> Repaired:
        self.found = align(self.cells, self.release)
        roles = {self.release.slots[i].role for i in self.found.answers}
        if not self.found.fixed and "answer" not in roles:
            raise NotANotebook("no cell of it belongs to this assignment")
        self.content.extra = dict(self.found.foreign)
        for slot in self.release.slots:
            if slot.role == "answer":
                self._answer(slot)
            elif slot.role == "written":
                self._written(slot)
            else:
                self._fixed(slot)
        self.repairs += told(self.reading, self.release, self.found)
        self.flags += odd_metadata(self.cells, self.release, self.content.extra)
        notebook = build(self.release, self.cells, self.found, self.content)
        nbformat.validate(notebook)
        repairs = _once_for_all(self.repairs, list(self.release.marks))
        return Repaired(notebook, repairs, list(dict.fromkeys(self.flags)))

    # ---- answers

    def _answer(self, slot: Slot) -> None:
        found = self.found.answers.get(slot.index, [])
        if not found:
            self.repairs.append(f"The cell of {slot.name} was missing: the empty one is back.")
            return
        stub, name = slot.cell.source, slot.name
        check = self.release.check_of(slot)
        seen = self.found.fixed.get(check.index) if check else None
        limit = seen[0] if seen else len(self.cells)

        def rank(c: Candidate) -> tuple[bool, bool, bool, int]:
            mine = attempted(c.text, stub, name)
            return defines(c.text, name), mine, c.own or c.at < limit, c.at

        best = max(found, key=rank)
        self.content.sources[slot.index] = best.text.strip("\n") or stub
        if not best.text.strip():
            self.repairs.append(f"The cell of {name} was empty: the empty answer is back.")
        if not best.own and any(c.own for c in found):
            self.repairs.append(f"The answer to {name} was in another cell and is back in its own.")
        for other in found:
            if other is not best:
                self._other(slot, best, other)

    def _other(self, slot: Slot, best: Candidate, other: Candidate) -> None:
        """A second candidate for one answer."""
        name, stub = slot.name, slot.cell.source
        alike = same_code(other.text, best.text)
        if alike or not attempted(other.text, stub, name):
            helping = helpers(other.text, self.release.taken | _names(best.text))
            if not defines(other.text, name) and other.text.strip():
                self.content.extra[other.at] = other.text
            elif helping:
                self.content.before.setdefault(slot.index, []).append(helping)
            kind = "A copy of the answer to" if alike else "An empty copy of the cell of"
            if alike or normal(other.text) == slot.text:
                self.repairs.append(f"{kind} {name} was left out.")
            return
        which = "later" if best.at > other.at else "earlier"
        if other.own or not other.whole:
            self.flags.append(
                f"{name} was answered twice and differently: the {which} one is graded, the other "
                "is in the submission."
            )
            helping = helpers(other.text, self.release.taken | _names(best.text))
            if helping:
                self.content.before.setdefault(slot.index, []).append(helping)
        else:
            self.flags.append(
                f"{name} is also defined, differently, in an added cell: the {which} one is graded."
            )
            self.content.extra[other.at] = other.text

    def _written(self, slot: Slot) -> None:
        found = self.found.answers.get(slot.index, [])
        if not found:
            self.repairs.append(f"The cell of {slot.name} was missing: the empty one is back.")
            return
        real = [c for c in found if normal(c.text) not in ("", slot.text)]
        best = max(real or found, key=lambda c: (c.own, c.at) if real else (False, c.at))
        self.content.sources[slot.index] = best.text.strip("\n") or slot.cell.source
        self.content.pictures[slot.index] = self.cells[best.at].attachments
        others = {normal(c.text) for c in real if c.own} - {normal(best.text)}
        if others:
            self.flags.append(
                f"{slot.name} was answered twice and differently: the later answer is kept, the "
                "other is in the submission."
            )
        if slot.index in self.found.moved_prose and real:
            self.repairs.append(f"The answer to {slot.name} was beside its cell and is in it now.")

    # ---- what is not the student's

    def _fixed(self, slot: Slot) -> None:
        i, how = self.found.fixed.get(slot.index, (-1, "missing"))
        if how != "edited":
            return
        text = self.cells[i].text
        if slot.role == "check":
            if same_code(text, slot.cell.source):
                return
            self.repairs.append(f"The check {slot.name} was changed: the release's is back.")
            self.flags.append(f"The check {slot.name} had been edited; the release's is used.")
        elif slot.role == "given" and not same_code(text, slot.cell.source):
            kept = helpers(text, self.release.taken | self._answered())
            if kept:
                self.content.before.setdefault(slot.index + 1, []).insert(0, kept)
                what = "imports" if "imports" in slot.cell.metadata.get("tags", []) else "our code"
                self.repairs.append(
                    f"What was added to a cell of {what} is kept in a cell of its own."
                )

    def _answered(self) -> set[str]:
        return {self.release.slots[i].name for i in self.found.answers}


def _names(text: str) -> set[str]:
    return {n for s in statements(text) or [] for n in s.names}


def _once_for_all(sentences: list[str], names: list[str]) -> list[str]:
    """Sentences that differ only in the exercise's name become one that lists the others."""
    pattern = re.compile(rf"\b(?:{'|'.join(map(re.escape, names)) or 'no name'})\b")
    found: dict[str, tuple[str, list[str]]] = {}
    for sentence in sentences:
        named = pattern.findall(sentence)
        first, others = found.setdefault(pattern.sub("#", sentence), (sentence, []))
        if sentence != first:
            others += [name for name in named if name not in others]
    return [
        f"{one} (so too: {', '.join(others)})" if others else one for one, others in found.values()
    ]
