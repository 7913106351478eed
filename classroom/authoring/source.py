"""The hand-written source of a notebook: cells, exercises and their points.

``solutions/<name>/<name>.py`` is in jupytext's percent format with nbgrader's metadata in the cell
headers. Cell ids are derived from it (the ``grade_id``, else a hash of the text), so that builds
are reproducible.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbformat import NotebookNode

from classroom.authoring.common_cells import FOLDED, install_cell, verified_cell

__all__ = ["ExerciseSource", "NotebookSource", "course_root", "notebook_names", "read_source"]

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
CHECK = re.compile(r"(?P<exercise>.+?)_check(?:_(?P<part>.+))?")


def course_root(start: Path | None = None) -> Path:
    """Folder of the course: the nearest one upwards with ``nbgrader_config.py`` and ``solutions/``.

    (The workspace of a class has a configuration of its own, and no solutions.)

    Raises
    ------
    FileNotFoundError
        If neither the working folder nor the package lies in a course.
    """
    package = Path(__file__).resolve().parents[2]
    for base in [start or Path.cwd(), package]:
        for folder in [base.resolve(), *base.resolve().parents]:
            if (folder / "nbgrader_config.py").is_file() and (folder / "solutions").is_dir():
                return folder
    raise FileNotFoundError("no course here: run this in the folder that holds nbgrader_config.py")


def notebook_names(root: Path) -> list[str]:
    """Names of all notebooks that have a source, in order."""
    return sorted(p.stem for p in root.glob("solutions/*/*.py") if p.stem == p.parent.name)


@dataclass(frozen=True)
class ExerciseSource:
    """One exercise: the model answer, its check cells by grade id, and the points of each."""

    name: str
    position: int
    answer: str
    checks: dict[str, str]
    points: dict[str, float]


@dataclass(frozen=True)
class NotebookSource:
    """A notebook made from its source, with what the tools look for in it."""

    name: str
    notebook: NotebookNode

    @property
    def imports(self) -> str:
        """Text of the cells tagged ``imports``."""
        return "\n".join(c.source for c in self.notebook.cells if "imports" in tags(c))

    @property
    def exercises(self) -> dict[str, ExerciseSource]:
        """Automatically graded exercises by name, in order.

        Raises
        ------
        ValueError
            If a check cell belongs to no exercise or an exercise has no check.
        """
        answers: dict[str, tuple[int, str]] = {}
        checks: dict[str, dict[str, NotebookNode]] = {}
        for position, cell in enumerate(self.notebook.cells):
            meta = cell.metadata.get("nbgrader", {})
            if cell.cell_type != "code" or not meta:
                continue
            if meta["solution"] and not meta["grade"]:
                answers[meta["grade_id"]] = (position, cell.source)
            elif meta["grade"]:
                match = CHECK.fullmatch(meta["grade_id"])
                if match is None or match["exercise"] not in answers:
                    raise ValueError(f"{self.name}: check {meta['grade_id']} follows no exercise")
                checks.setdefault(match["exercise"], {})[meta["grade_id"]] = cell
        if answers.keys() != checks.keys():
            raise ValueError(
                f"{self.name}: without a check: {sorted(answers.keys() - checks.keys())}"
            )
        return {
            name: ExerciseSource(
                name,
                position,
                answer,
                {key: cell.source for key, cell in checks[name].items()},
                {key: cell.metadata["nbgrader"]["points"] for key, cell in checks[name].items()},
            )
            for name, (position, answer) in answers.items()
        }

    @property
    def written(self) -> dict[str, float]:
        """Points of the written answers by grade id."""
        metas = [
            c.metadata.get("nbgrader", {}) for c in self.notebook.cells if c.cell_type != "code"
        ]
        return {m["grade_id"]: m["points"] for m in metas if m.get("grade")}


def tags(cell: NotebookNode) -> list[str]:
    """Tags of a cell."""
    return cell.metadata.get("tags", [])


def read_source(root: Path, name: str) -> NotebookSource:
    """Read ``solutions/<name>/<name>.py`` and put in the cells that all notebooks share.

    A cell tagged ``install`` becomes the common installation cell, folded away; where the notebook
    was last verified is said in a cell after the opening one.

    Raises
    ------
    ValueError
        If there is no such notebook.
    """
    path = root / "solutions" / name / f"{name}.py"
    if not path.is_file():
        raise ValueError(f"assignment must be one of {notebook_names(root)}, got {name!r}")
    notebook = jupytext.reads(path.read_text(encoding="utf-8"), fmt="py:percent")
    notebook.metadata = nbformat.from_dict(
        {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    )
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    seen: Counter[str] = Counter()
    for cell in notebook.cells:
        if "install" in tags(cell):
            cell.source = install_cell(root, name)
            cell.metadata.update(nbformat.from_dict(FOLDED))
        cell.metadata.pop("lines_to_next_cell", None)
        cell.id = _cell_id(cell, seen)
    verified = verified_cell(root, name)
    if verified is not None:
        notebook.cells.insert(1, verified)
    return NotebookSource(name, notebook)


def _cell_id(cell: Any, seen: Counter[str]) -> str:
    grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
    if grade_id:
        return grade_id[:64]
    digest = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]
    seen[digest] += 1
    return digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"
