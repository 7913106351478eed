"""Which submitted cell is which cell of the release.

Marks first (nbgrader's ``grade_id``, the cell id), then text, then what a cell defines, then
similarity within the place where a cell is missing. A mark is not believed against the text: a
copied cell keeps its marks whatever is written into it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property

from nbformat import NotebookNode
from rapidfuzz import fuzz

from classroom.intake.answers import (
    continues,
    defines,
    is_prose,
    normal,
    separate,
    statements,
    unfenced,
    without,
)
from classroom.intake.reading import Cell

__all__ = ["Alignment", "Candidate", "Release", "Slot", "align"]

SIMILAR, SURE = 60.0, 85.0  # per cent, in the place of the missing cell and anywhere
COMPARED = 4000  # characters of a cell that similarity looks at
TELLING = 15  # characters of a text that may be looked for inside another


@dataclass
class Slot:
    """A cell of the release. ``role``: answer, written, check, given or text."""

    index: int
    cell: NotebookNode
    role: str
    name: str

    @cached_property
    def text(self) -> str:
        """Text without what does not count."""
        return normal(self.cell.source)

    @property
    def fixed(self) -> bool:
        """Whether the release's text stands, whatever was handed in."""
        return self.role not in ("answer", "written")


class Release:
    """The release as the skeleton of every submission."""

    def __init__(self, notebook: NotebookNode) -> None:
        self.notebook = notebook
        self.slots = [_slot(i, cell) for i, cell in enumerate(notebook.cells)]
        self.marks = {s.name: s for s in self.slots if s.name}
        self.ids = {s.cell.id: s for s in self.slots if s.cell.get("id")}
        self.answers = {s.name: s for s in self.slots if s.role == "answer"}
        self.texts: dict[str, list[Slot]] = defaultdict(list)
        for slot in self.slots:
            if slot.role != "written":
                self.texts[slot.text].append(slot)

    @cached_property
    def taken(self) -> set[str]:
        """Names that the release itself binds, exercises included."""
        found = set(self.answers)
        for slot in self.slots:
            if slot.cell.cell_type == "code" and slot.fixed:
                found |= {n for s in statements(slot.cell.source) or [] for n in s.names}
        return found

    def check_of(self, slot: Slot) -> Slot | None:
        """First check cell after an answer."""
        after = self.slots[slot.index + 1 :]
        return next((s for s in after if s.role == "check"), None)


def _slot(index: int, cell: NotebookNode) -> Slot:
    meta = cell.metadata.get("nbgrader", {})
    if meta.get("solution"):
        role = "answer" if cell.cell_type == "code" else "written"
    elif meta.get("grade"):
        role = "check"
    else:
        role = "given" if cell.cell_type == "code" else "text"
    return Slot(index, cell, role, meta.get("grade_id", ""))


@dataclass
class Candidate:
    """Something that may be the answer of an exercise, found in submitted cell ``at``."""

    at: int
    text: str
    own: bool  # whether the cell carries the exercise's marks
    whole: bool = True  # whether it is all of that cell


@dataclass
class Alignment:
    """What every submitted cell turned out to be."""

    fixed: dict[int, tuple[int, str]] = field(default_factory=dict)  # slot: (cell, how)
    answers: dict[int, list[Candidate]] = field(default_factory=lambda: defaultdict(list))
    place: dict[int, int] = field(default_factory=dict)  # cell: slot after which its place is
    foreign: dict[int, str] = field(default_factory=dict)  # cell: text
    copies: list[int] = field(default_factory=list)
    joined: list[int] = field(default_factory=list)  # slots whose cell had been split
    merged: list[int] = field(default_factory=list)  # cells that held several
    moved_prose: list[int] = field(default_factory=list)  # written answers found elsewhere


def align(cells: list[Cell], release: Release) -> Alignment:
    """Find every cell's place."""
    return _Aligner(cells, release).run()


class _Aligner:
    def __init__(self, cells: list[Cell], release: Release) -> None:
        self.cells = cells
        self.release = release
        self.texts = [cell.text for cell in cells]
        self.done: set[int] = set()
        self.found = Alignment()

    def run(self) -> Alignment:
        self.claims = {i: self._claim(cell) for i, cell in enumerate(self.cells)}
        self._exact()
        self._doubt()
        self._join()
        self._take_apart()
        self._edited()
        self._similar()
        self._prose()
        for index in [index for index, found in self.found.answers.items() if not found]:
            del self.found.answers[index]
        for i, text in enumerate(self.texts):
            if i not in self.done and text.strip():
                self.found.foreign[i] = text
        return self.found

    def _claim(self, cell: Cell) -> Slot | None:
        for key, known in ((cell.grade_id, self.release.marks), (cell.id, self.release.ids)):
            if key is not None and key in known:
                return known[key]
        return None

    def _settle(self, i: int, slot: Slot, how: str | None = None) -> None:
        """Cell ``i`` is ``slot``."""
        self.done.add(i)
        self.found.place[i] = max(slot.index, self.found.place.get(i, -1))
        if how:
            self.found.fixed[slot.index] = (i, how)

    def _exact(self) -> None:
        """Cells whose text is the release's; more of the same are copies."""
        waiting = []
        for i, text in enumerate(self.texts):
            slots = self.release.texts.get(normal(text), [])
            if not slots or slots[0].role == "answer":
                continue
            claim = self.claims[i]
            if claim in slots and claim.index not in self.found.fixed:
                self._settle(i, claim, "exact")
            else:
                waiting.append((i, slots))
        for i, slots in waiting:
            free = [s for s in slots if s.index not in self.found.fixed]
            if free:
                self._settle(i, free[0], "exact")
            else:
                self.done.add(i)
                self.found.copies.append(i)
            self.claims[i] = None

    def _names(self, i: int, text: str) -> list[str]:
        """Exercises that a text defines, in the release's order."""
        cell = self.cells[i]
        if cell.kind != "code":
            text = unfenced(text)
            begins = text.lstrip()[:1] in ("@", "d", "c", "i", "f") or self._stubs_start(text)
            if statements(text) is None and not begins:
                return []
        return [name for name in self.release.answers if defines(text, name)]

    def _stubs_start(self, text: str) -> bool:
        return any(text.lstrip().startswith(name) for name in self.release.answers)

    def _doubt(self) -> None:
        """Correct the marks of cells whose text says otherwise; claim by definition."""
        for i, text in enumerate(self.texts):
            if i in self.done:
                continue
            names, claim = self._names(i, text), self.claims[i]
            if not names:
                continue
            mine = self.release.answers[names[0]]
            unlike = claim is not None and claim.fixed and not self._resembles(text, claim)
            other = claim is not None and claim.role == "answer" and claim.name not in names
            if claim is None or unlike or other:
                self.claims[i] = mine

    def _resembles(self, text: str, slot: Slot) -> bool:
        if slot.text in normal(text):
            return True
        return fuzz.ratio(normal(text)[:COMPARED], slot.text[:COMPARED]) >= SIMILAR

    def _join(self) -> None:
        """Put answers together whose cell was split; other cells may have come between."""
        for i in range(len(self.cells)):
            slot, k = self.claims[i], i + 1
            if slot is None or slot.role != "answer" or i in self.done:
                continue
            while (k := self._next(k)) < len(self.cells):
                if (
                    self.cells[k].kind != "code"
                    or self.claims[k] not in (None, slot)
                    or not self._is_rest(i, k, slot)
                ):
                    break
                self.texts[i] = self.texts[i].rstrip("\n") + "\n" + self.texts[k].strip("\n")
                self.texts[k] = ""
                self._settle(k, slot)
                self.found.joined.append(slot.index)

    def _next(self, k: int) -> int:
        """The next cell from ``k`` on that has a text of its own."""
        while k < len(self.cells) and (k in self.done or not self.texts[k].strip()):
            k += 1
        return k

    def _is_rest(self, i: int, k: int, slot: Slot) -> bool:
        if continues(self.texts[i], self.texts[k], slot.name):
            return True
        same = self.claims[k] is slot and self.cells[k].grade_id == slot.name
        parsed = statements(self.texts[i]) is not None and statements(self.texts[k]) is not None
        return same and not parsed and not defines(self.texts[k], slot.name)

    def _take_apart(self) -> None:
        """Find answers in cells, also in cells that hold several things."""
        missing = [
            s
            for s in self.release.slots
            if s.fixed and s.index not in self.found.fixed and len(s.text) >= TELLING
        ]
        for i, text in enumerate(self.texts):
            if i in self.done or not text.strip():
                continue
            flat = normal(text)
            inside = [s for s in missing if s.text in flat]
            rest = without(text, [s.cell.source for s in inside])
            inside = [s for s in inside if s.text not in normal(rest)]
            claim = self.claims[i]
            if claim is not None and claim.fixed and claim not in inside:
                rest = _minus(rest, claim)
            self._contribute(i, rest, inside)

    def _contribute(self, i: int, rest: str, inside: list[Slot]) -> None:
        claim = self.claims[i]
        names = self._names(i, rest)
        text = rest if self.cells[i].kind == "code" else unfenced(rest)
        if claim is not None and claim.role == "answer" and not names:
            self._candidate(claim, Candidate(i, text, True, not inside))
        elif len(names) == 1:
            slot = self.release.answers[names[0]]
            kept = claim is None or not claim.fixed
            self._candidate(slot, Candidate(i, text, claim is slot and self._marked(i), kept))
        elif names:
            self.found.merged.append(i)
            for name, piece in separate(text, names).items():
                slot = self.release.answers[name]
                self._candidate(slot, Candidate(i, piece, claim is slot, False))
        elif claim is not None and claim.role == "written" and rest.strip():
            self._candidate(claim, Candidate(i, rest, True, not inside))
        elif inside and rest.strip() and not self._belongs_to_written(i, rest, inside):
            if len(inside) == 1:
                self._settle(i, inside[0], "edited")
                return
            self.found.foreign[i] = rest
        for slot in inside:
            self._settle(i, slot, "merged")
        if inside and (names or rest.strip()):
            self.found.merged.append(i)

    def _marked(self, i: int) -> bool:
        return self._claim(self.cells[i]) is self.claims[i]

    def _candidate(self, slot: Slot, candidate: Candidate) -> None:
        self.found.answers[slot.index].append(candidate)
        self._settle(candidate.at, slot)

    def _belongs_to_written(self, i: int, rest: str, inside: list[Slot]) -> bool:
        """Text under (or over) the text cell next to a written answer is that answer."""
        around = [s for slot in inside for s in self.release.slots[slot.index + 1 :][:1]]
        around += [s for slot in inside if slot.index for s in [self.release.slots[slot.index - 1]]]
        for slot in around:
            if slot.role == "written":
                self.found.answers[slot.index].append(Candidate(i, rest, False, False))
                self.found.moved_prose.append(slot.index)
                return True
        return False

    def _edited(self) -> None:
        """Cells that carry the marks of a fixed cell but another text."""
        for i, claim in self.claims.items():
            if claim is None or not claim.fixed or claim.index in self.found.fixed:
                continue
            if i in self.done and not any(
                c.at == i for found in self.found.answers.values() for c in found
            ):
                continue
            believed = claim.role == "check" or self.cells[i].grade_id
            if believed or not self.texts[i].strip() or self._resembles(self.texts[i], claim):
                self._settle(i, claim, "edited")

    def _gap(self, slot: Slot) -> tuple[int, int]:
        """First and last submitted cell between those that are the slot's neighbours."""
        at = {s: i for s, (i, _) in self.found.fixed.items()}
        for s, found in self.found.answers.items():
            if not found:
                continue
            at.setdefault(s, next((c.at for c in found if c.own), found[0].at))
        before = [s for s in at if s < slot.index]
        after = [s for s in at if s > slot.index]
        low = at[max(before)] + 1 if before else 0
        high = at[min(after)] if after else len(self.cells)
        return low, high

    def _similar(self) -> None:
        """Edited cells without marks."""
        free = [i for i in range(len(self.cells)) if i not in self.done and self.texts[i].strip()]
        pairs = []
        for slot in self.release.slots:
            if not slot.fixed or slot.index in self.found.fixed or len(slot.text) < TELLING:
                continue
            low, high = self._gap(slot)
            for i in free:
                here = normal(self.texts[i][:COMPARED])
                least = SIMILAR if low <= i < high else SURE
                score = fuzz.ratio(here, slot.text[:COMPARED], score_cutoff=least)
                if score:
                    pairs.append((score + 5 * (low <= i < high), -i, slot.index))
        for _, minus, index in sorted(pairs, reverse=True):
            if -minus not in self.done and index not in self.found.fixed:
                self._settle(-minus, self.release.slots[index], "edited")

    def _prose(self) -> None:
        """Written answers whose cell was lost or left alone."""
        for slot in self.release.slots:
            if slot.role != "written":
                continue
            found = self.found.answers[slot.index]
            if any(normal(c.text) not in ("", slot.text) for c in found):
                continue
            low, high = self._gap_without(slot)
            here = [
                i
                for i in range(low, high)
                if i not in self.done
                and self.texts[i].strip()
                and (self.cells[i].kind != "code" or is_prose(self.texts[i]))
            ]
            real = [i for i in here if normal(self.texts[i]) != slot.text]
            for i in here:
                self._settle(i, slot)
            if real:
                text = "\n\n".join(self.texts[i].strip("\n") for i in real)
                found.append(Candidate(real[0], text, False))
                self.found.moved_prose.append(slot.index)
            elif here:
                found.append(Candidate(here[0], self.texts[here[0]], False))

    def _gap_without(self, slot: Slot) -> tuple[int, int]:
        own = self.found.answers.pop(slot.index, None)
        gap = self._gap(slot)
        if own is not None:
            self.found.answers[slot.index] = own
        return gap


def _minus(text: str, slot: Slot) -> str:
    """What an edited copy of a fixed cell holds beyond it."""
    mine, known = statements(text), statements(slot.cell.source)
    if mine is None or known is None:
        return without(text, [slot.cell.source])
    dumps = {s.dump for s in known}
    names = {n for s in known for n in s.names}
    kept = [s for s in mine if s.dump not in dumps and not s.names & names]
    return "\n\n\n".join(s.text.strip("\n") for s in kept)
