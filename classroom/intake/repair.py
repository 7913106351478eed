"""Rebuild damaged submissions on the release's skeleton.

Colab and students strip, edit, copy, delete, reorder, retype, split and merge cells. The repaired
notebook holds the release's cells in the release's order with the release's metadata; of the
submission it takes the answers, and the cells that the student added. Nothing is run.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from tqdm.auto import tqdm

from classroom.files import write_whole
from classroom.intake.answers import attempted, defines, helpers, normal, same_code
from classroom.intake.matching import Alignment, Candidate, Release, Slot, align
from classroom.intake.reading import VALID_ID, NotANotebook, Reading, read_bytes, read_object

__all__ = ["NotANotebook", "Repaired", "describe", "repair_all", "repair_bytes", "repair_notebook"]

HIDDEN = 2000  # characters of unknown metadata that are worth a look
COLAB = {"colab", "id", "outputId", "executionInfo", "colab_type", "cellView", "collapsed"}
USUAL = COLAB | {"nbgrader", "tags", "deletable", "editable", "jupyter", "slideshow", "scrolled"}
USUAL |= {"execution", "trusted", "papermill", "vscode", "pycharm", "ExecuteTime", "hidden"}


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
        self.before: dict[int, list[str]] = {}
        self.sources: dict[int, str] = {}
        self.pictures: dict[int, dict[str, Any]] = {}
        self.extra: dict[int, str] = {}  # submitted cell: text that is kept as an added cell

    def run(self) -> Repaired:
        self.found = align(self.cells, self.release)
        roles = {self.release.slots[i].role for i in self.found.answers}
        if not self.found.fixed and "answer" not in roles:
            raise NotANotebook("no cell of it belongs to this assignment")
        self.extra = dict(self.found.foreign)
        for slot in self.release.slots:
            if slot.role == "answer":
                self._answer(slot)
            elif slot.role == "written":
                self._written(slot)
            else:
                self._fixed(slot)
        self._say_what_was_done(self.found)
        self._look_at_metadata()
        notebook = self._build()
        nbformat.validate(notebook)
        return Repaired(notebook, _once(self.repairs), _once(self.flags))

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
        self.sources[slot.index] = best.text.strip("\n") or stub
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
                self.extra[other.at] = other.text
            elif helping:
                self.before.setdefault(slot.index, []).append(helping)
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
                self.before.setdefault(slot.index, []).append(helping)
        else:
            self.flags.append(
                f"{name} is also defined, differently, in an added cell: the {which} one is graded."
            )
            self.extra[other.at] = other.text

    def _written(self, slot: Slot) -> None:
        found = self.found.answers.get(slot.index, [])
        if not found:
            self.repairs.append(f"The cell of {slot.name} was missing: the empty one is back.")
            return
        real = [c for c in found if normal(c.text) not in ("", slot.text)]
        best = max(real or found, key=lambda c: (c.own, c.at) if real else (False, c.at))
        self.sources[slot.index] = best.text.strip("\n") or slot.cell.source
        self.pictures[slot.index] = self.cells[best.at].attachments
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
                self.before.setdefault(slot.index + 1, []).insert(0, kept)
                what = "imports" if "imports" in slot.cell.metadata.get("tags", []) else "our code"
                self.repairs.append(
                    f"What was added to a cell of {what} is kept in a cell of its own."
                )

    def _answered(self) -> set[str]:
        return {self.release.slots[i].name for i in self.found.answers}

    def _say_what_was_done(self, found: Alignment) -> None:
        slots = self.release.slots
        missing = Counter(s.role for s in slots if s.fixed and s.index not in found.fixed)
        edited = Counter(
            slots[i].role
            for i, (at, how) in found.fixed.items()
            if how == "edited" and normal(self.cells[at].text) != slots[i].text
        )
        words = {"check": "check", "given": "given code", "text": "text"}
        for role, word in words.items():
            if missing[role]:
                self.repairs.append(f"{_count(missing[role], f'missing {word} cell')} restored.")
            if edited[role] and role != "check":
                self.repairs.append(f"{_count(edited[role], f'edited {word} cell')} restored.")
        if found.joined:
            names = sorted({slots[i].name for i in found.joined})
            self.repairs.append(f"The split answer to {', '.join(names)} was put together.")
        if found.merged:
            self.repairs.append(f"{_count(len(set(found.merged)), 'merged cell')} taken apart.")
        if found.copies:
            self.repairs.append(f"{_count(len(found.copies), 'copy', 'copies')} of cells left out.")
        order = [found.place[i] for i, (_, how) in sorted((i, x) for i, x in self._ordered())]
        if order != sorted(order):
            self.repairs.append("Cells in another order were put back.")
        self._say_what_marks_were_lost(found)

    def _ordered(self) -> Iterable[tuple[int, tuple[int, str]]]:
        return ((at, (at, how)) for at, how in self.found.fixed.values() if how != "merged")

    def _say_what_marks_were_lost(self, found: Alignment) -> None:
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
            slot, cell = self.release.slots[s], self.cells[i]
            if slot.name and cell.grade_id != slot.name:
                marks += 1
            retyped += cell.kind != slot.cell.cell_type
        if marks:
            self.repairs.append(f"{_count(marks, 'cell')} got lost nbgrader metadata back.")
        if retyped:
            self.repairs.append(f"{_count(retyped, 'cell')} of another type changed back.")
        old = [c for c in self.cells if c.grade_id and c.nbgrader.get("schema_version") != 3]
        if old:
            self.repairs.append(f"{_count(len(old), 'cell')} of another nbgrader schema restored.")
        kernel = self.reading.metadata.get("kernelspec")
        if not isinstance(kernel, dict) or not kernel.get("name"):
            self.repairs.append("The missing kernelspec was restored.")

    def _look_at_metadata(self) -> None:
        for i, cell in enumerate(self.cells):
            known = self.release.marks.get(cell.grade_id or "")
            meta = cell.nbgrader
            if cell.grade_id and known is None and i in self.extra:
                self.flags.append(
                    f"A cell carries the nbgrader id {cell.grade_id[:60]!r}, which the release "
                    "does not have; it is not graded."
                )
            elif known is not None:
                ours = known.cell.metadata["nbgrader"].get("points")
                theirs = meta.get("points")
                if isinstance(theirs, int | float) and ours is not None and theirs != ours:
                    self.flags.append(
                        f"The points of {known.name} had been changed from {ours} to {theirs}; "
                        "the release's count."
                    )
            for key, value in cell.metadata.items():
                if key not in USUAL and len(_dumped(value)) > HIDDEN:
                    self.flags.append(f"Much text in a cell's metadata, under {key[:60]!r}.")

    # ---- the notebook

    def _build(self) -> NotebookNode:
        after: dict[int, list[NotebookNode]] = {}
        used = set(self.release.ids)
        last = -1
        added = 0
        for i in range(len(self.cells)):
            if i in self.extra and i not in self.found.place:
                after.setdefault(last, []).append(self._added(i, used))
                added += 1
            last = self.found.place.get(i, last)
            if i in self.extra and i in self.found.place:
                after.setdefault(last, []).append(self._added(i, used))
                added += 1
        notebook = copy.deepcopy(self.release.notebook)
        cells = after.get(-1, [])
        for slot in self.release.slots:
            for text in self.before.get(slot.index, []):
                cells.append(_new("code", text, used))
            cell = notebook.cells[slot.index]
            cell.source = self.sources.get(slot.index, cell.source)
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
            elif self.pictures.get(slot.index):
                cell.attachments = nbformat.from_dict(self.pictures[slot.index])
            cells.append(cell)
            cells += after.get(slot.index, [])
        notebook.cells = cells
        return notebook

    def _added(self, i: int, used: set[str]) -> NotebookNode:
        cell = self.cells[i]
        made = _new(cell.kind, self.extra[i].strip("\n"), used, cell.id)
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


def _names(text: str) -> set[str]:
    from classroom.intake.answers import statements

    return {n for s in statements(text) or [] for n in s.names}


def _dumped(value: Any) -> str:
    try:
        return json.dumps(value)
    except (RecursionError, ValueError, TypeError):
        return " " * (HIDDEN + 1)


def _count(n: int, one: str, many: str | None = None) -> str:
    return f"{n} {one if n == 1 else many or one + 's'}"


def _once(sentences: list[str]) -> list[str]:
    return list(dict.fromkeys(sentences))


# ---- a whole class


def repair_all(
    root: Path, workspace: Path, assignment: str, *, progress: bool = True
) -> list[dict[str, Any]]:
    """Repair every collected submission of an assignment; running it again changes nothing.

    Parameters
    ----------
    root
        The course, with the release in ``notebooks/``.
    workspace
        Reads ``submitted/``, writes ``repaired/<student>/<assignment>/`` with ``repair.json``.

    Returns
    -------
    A row for each student: ``student``, ``status`` (ok or failed), ``reason``, ``repairs`` and
    ``flags``. Students of whom nothing could be accepted are among the failed ones.

    Raises
    ------
    FileNotFoundError
        If the assignment has no release.
    """
    path = root / "notebooks" / assignment / f"{assignment}.ipynb"
    if not path.is_file():
        raise FileNotFoundError(f"assignment={assignment!r} has no release: {path} is not there")
    release = nbformat.read(path, as_version=4)
    found = sorted(workspace.glob(f"submitted/*/{assignment}/{assignment}.ipynb"))
    rows = []
    for file in tqdm(found, desc="repair", unit="notebook", disable=not progress):
        rows.append(_repair_one(file, release, workspace, assignment))
    have = {row["student"] for row in rows}
    for student, reason in sorted(_refused(workspace, assignment).items()):
        if student not in have:
            row = _row(student, "failed", reason)
            _write(workspace / "repaired" / student / assignment, assignment, row, None)
            rows.append(row)
    return rows


def _row(student: str, status: str, reason: str = "") -> dict[str, Any]:
    return {"student": student, "status": status, "reason": reason, "repairs": [], "flags": []}


def _repair_one(
    file: Path, release: NotebookNode, workspace: Path, assignment: str
) -> dict[str, Any]:
    student = file.parents[1].name
    made = None
    try:
        made = repair_bytes(file.read_bytes(), release)
        row = _row(student, "ok") | {"repairs": made.repairs, "flags": made.flags}
    except NotANotebook as error:
        row = _row(student, "failed", str(error))
    except Exception as error:  # one submission never stops the others
        row = _row(student, "failed", f"could not be repaired ({type(error).__name__}: {error})")
    folder = workspace / "repaired" / student / assignment
    _write(folder, assignment, row, made.notebook if made else None)
    return row


def _refused(workspace: Path, assignment: str) -> dict[str, str]:
    """Students of whom nothing was accepted, with the reason for the last refusal."""
    log = workspace / "collected" / assignment / "log.jsonl"
    if not log.is_file():
        return {}
    records = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    good = {r["student"] for r in records if r["status"] == "accepted"}
    return {
        r["student"]: f"{r['file']}: {r['reason']}"
        for r in records
        if r["status"] == "refused" and r["student"] and r["student"] not in good
    }


def _write(
    folder: Path, assignment: str, row: dict[str, Any], notebook: NotebookNode | None
) -> None:
    """Notebook and report, each at once or not at all, and untouched where nothing changed."""
    folder.mkdir(parents=True, exist_ok=True)
    target, report = folder / f"{assignment}.ipynb", folder / "repair.json"
    if notebook is None:
        target.unlink(missing_ok=True)
    else:
        text = nbformat.writes(notebook) + "\n"
        if not target.is_file() or target.read_text(encoding="utf-8") != text:
            report.unlink(missing_ok=True)  # an interruption must not leave a report of the old one
            write_whole(target, text)
    kept = {key: value for key, value in row.items() if key != "student"}
    text = json.dumps(kept, indent=1, ensure_ascii=False) + "\n"
    write_whole(report, text)


def describe(rows: list[dict[str, Any]]) -> str:
    """Summary of :func:`repair_all` for the terminal."""
    good = [row for row in rows if row["status"] == "ok"]
    touched = sum(bool(row["repairs"]) for row in good)
    lines = [f"{len(good)} of {len(rows)} submissions can be graded; {touched} were repaired."]
    for row in rows:
        if row["status"] != "ok":
            lines.append(f"  failed   {row['student']}: {row['reason']}")
        lines += [f"  look at  {row['student']}: {flag}" for flag in row["flags"]]
    return "\n".join(lines)
