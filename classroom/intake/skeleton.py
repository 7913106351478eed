"""A notebook on the skeleton of the release."""

from __future__ import annotations

import copy
import hashlib
from dataclasses import dataclass, field
from typing import Any

import nbformat
from nbformat import NotebookNode

from classroom.intake.matching import Alignment, Release
from classroom.intake.reading import VALID_ID, Cell

__all__ = ["Content", "build"]


@dataclass
class Content:
    """What of a submission goes into the release."""

    sources: dict[int, str] = field(default_factory=dict)  # slot: text of its answer
    pictures: dict[int, dict[str, Any]] = field(default_factory=dict)  # slot: attachments
    before: dict[int, list[str]] = field(default_factory=dict)  # slot: code cells before it
    extra: dict[int, str] = field(default_factory=dict)  # submitted cell: text of an added cell


def build(release: Release, cells: list[Cell], found: Alignment, content: Content) -> NotebookNode:
    """The release's cells with this content, the student's own cells in their places."""
    after: dict[int, list[NotebookNode]] = {}
    used = set(release.ids)
    last = -1
    added = 0
    for i in range(len(cells)):
        if i in content.extra and i not in found.place:
            after.setdefault(last, []).append(_added(cells[i], content.extra[i], used))
            added += 1
        last = found.place.get(i, last)
        if i in content.extra and i in found.place:
            after.setdefault(last, []).append(_added(cells[i], content.extra[i], used))
            added += 1
    notebook = copy.deepcopy(release.notebook)
    made = after.get(-1, [])
    for slot in release.slots:
        for text in content.before.get(slot.index, []):
            made.append(_new("code", text, used))
        cell = notebook.cells[slot.index]
        cell.source = content.sources.get(slot.index, cell.source)
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        elif content.pictures.get(slot.index):
            cell.attachments = nbformat.from_dict(content.pictures[slot.index])
        made.append(cell)
        made += after.get(slot.index, [])
    notebook.cells = made
    return notebook


def _added(cell: Cell, text: str, used: set[str]) -> NotebookNode:
    made = _new(cell.kind, text.strip("\n"), used, cell.id)
    if "train" in cell.tags and cell.kind == "code":
        made.metadata["tags"] = ["train"]
    if cell.attachments and cell.kind != "code":
        made.attachments = nbformat.from_dict(cell.attachments)
    return made


def _new(kind: str, text: str, used: set[str], wanted: str | None = None) -> NotebookNode:
    """A cell without nbgrader metadata and with an id of its own."""
    if wanted is None or wanted in used or not VALID_ID.fullmatch(wanted):
        digest = hashlib.sha256(f"{kind}\n{text}".encode()).hexdigest()[:12]
        numbers = (f"added-{digest}" + (f"-{k}" if k else "") for k in range(len(used) + 1))
        wanted = next(name for name in numbers if name not in used)
    used.add(wanted)
    make = {"code": nbformat.v4.new_code_cell, "markdown": nbformat.v4.new_markdown_cell}
    return make.get(kind, nbformat.v4.new_raw_cell)(text, id=wanted)
