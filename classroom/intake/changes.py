"""What had changed in a notebook on its way, in sentences for people."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable
from typing import Any

from classroom.intake.answers import normal
from classroom.intake.matching import Alignment, Release
from classroom.intake.reading import Cell, Reading

__all__ = ["odd_metadata", "told"]

HIDDEN = 2000  # characters of unknown metadata that are worth a look
COLAB = {"colab", "id", "outputId", "executionInfo", "colab_type", "cellView", "collapsed"}
USUAL = COLAB | {"nbgrader", "tags", "deletable", "editable", "jupyter", "slideshow", "scrolled"}
USUAL |= {"execution", "trusted", "papermill", "vscode", "pycharm", "ExecuteTime", "hidden"}


def told(reading: Reading, release: Release, found: Alignment) -> list[str]:
    """Sentences about what was put right, apart from the answers."""
    repairs: list[str] = []
    cells = reading.cells
    slots = release.slots
    missing = Counter(s.role for s in slots if s.fixed and s.index not in found.fixed)
    edited = Counter(
        slots[i].role
        for i, (at, how) in found.fixed.items()
        if how == "edited" and normal(cells[at].text) != slots[i].text
    )
    words = {"check": "check", "given": "given code", "text": "text"}
    for role, word in words.items():
        if missing[role]:
            repairs.append(f"{_count(missing[role], f'missing {word} cell')} restored.")
        if edited[role] and role != "check":
            repairs.append(f"{_count(edited[role], f'edited {word} cell')} restored.")
    if found.joined:
        names = sorted({slots[i].name for i in found.joined})
        repairs.append(f"The split answer to {', '.join(names)} was put together.")
    if found.merged:
        repairs.append(f"{_count(len(set(found.merged)), 'merged cell')} taken apart.")
    if found.copies:
        repairs.append(f"{_count(len(found.copies), 'copy', 'copies')} of cells left out.")
    order = [found.place[i] for i, (_, how) in sorted((i, x) for i, x in _ordered(found))]
    if order != sorted(order):
        repairs.append("Cells in another order were put back.")
    return repairs + _marks_lost(reading, release, found)


def _ordered(found: Alignment) -> Iterable[tuple[int, tuple[int, str]]]:
    return ((at, (at, how)) for at, how in found.fixed.values() if how != "merged")


def _marks_lost(reading: Reading, release: Release, found: Alignment) -> list[str]:
    repairs: list[str] = []
    cells = reading.cells
    marks = retyped = 0
    places = [(s, i) for s, (i, how) in found.fixed.items() if how != "merged"]
    moved = set(found.moved_prose)
    places += [
        (s, c.at)
        for s, cs in found.answers.items()
        for c in cs
        if c.whole and s not in moved and (c.own or not any(other.own for other in cs))
    ]
    for s, i in places:
        slot, cell = release.slots[s], cells[i]
        if slot.name and cell.grade_id != slot.name:
            marks += 1
        retyped += cell.kind != slot.cell.cell_type
    if marks:
        repairs.append(f"{_count(marks, 'cell')} got lost nbgrader metadata back.")
    if retyped:
        repairs.append(f"{_count(retyped, 'cell')} of another type changed back.")
    old = [c for c in cells if c.grade_id and c.nbgrader.get("schema_version") != 3]
    if old:
        repairs.append(f"{_count(len(old), 'cell')} of another nbgrader schema restored.")
    kernel = reading.metadata.get("kernelspec")
    if not isinstance(kernel, dict) or not kernel.get("name"):
        repairs.append("The missing kernelspec was restored.")
    return repairs


def odd_metadata(cells: list[Cell], release: Release, added: Collection[int]) -> list[str]:
    """Sentences about metadata that a person should look at; ``added`` are the added cells."""
    flags: list[str] = []
    for i, cell in enumerate(cells):
        known = release.marks.get(cell.grade_id or "")
        meta = cell.nbgrader
        if cell.grade_id and known is None and i in added:
            flags.append(
                f"A cell carries the nbgrader id {cell.grade_id[:60]!r}, which the release "
                "does not have; it is not graded."
            )
        elif known is not None:
            ours = known.cell.metadata["nbgrader"].get("points")
            theirs = meta.get("points")
            if isinstance(theirs, int | float) and ours is not None and theirs != ours:
                flags.append(
                    f"The points of {known.name} had been changed from {ours} to {theirs}; "
                    "the release's count."
                )
        for key, value in cell.metadata.items():
            if key not in USUAL and len(_dumped(value)) > HIDDEN:
                flags.append(f"Much text in a cell's metadata, under {str(key)[:60]!r}.")
    return flags


def _dumped(value: Any) -> str:
    try:
        return json.dumps(value)
    except (RecursionError, ValueError, TypeError):
        return " " * (HIDDEN + 1)


def _count(n: int, one: str, many: str | None = None) -> str:
    return f"{n} {one if n == 1 else many or one + 's'}"
