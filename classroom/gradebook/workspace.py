"""The workspace of a class and nbgrader's gradebook in it.

A workspace is a folder that nbgrader can be used in as ever: it holds the gradebook, the autograded
notebooks and the feedback. Scores come from the judge (:mod:`classroom.judging.judge`); no
student code runs here.
"""

from __future__ import annotations

import contextlib
import html
import logging
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.converters import Autograde, GenerateAssignment
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import Execute, SaveAutoGrades
from sqlalchemy.exc import SAWarning
from traitlets.config.loader import PyFileConfigLoader

from classroom.authoring.build import write_notebook
from classroom.authoring.preprocessors import InjectResults, SaveScores
from classroom.authoring.source import read_source
from classroom.files import copy_whole
from classroom.intake.exchange import SECRET

__all__ = ["Class", "note"]

COURSE = "attention-in-medicine"
CONFIG = '''"""nbgrader in this workspace; the grading commands keep it so."""

c = get_config()  # noqa: F821
load_subconfig("nbgrader_config.py", path={root!r})  # noqa: F821
c.CourseDirectory.source_directory = {solutions!r}
c.CourseDirectory.submitted_directory = "repaired"
'''


class Class:
    """One class: its folder and its gradebook.

    Parameters
    ----------
    root
        Folder of the course.
    workspace
        Folder of the class; made when it is missing.
    db
        Address of nbgrader's database, for example ``postgresql://user@host/name``; a SQLite file
        in the workspace by default.
    """

    def __init__(self, root: Path, workspace: Path, db: str | None = None) -> None:
        self.root, self.workspace = root.resolve(), workspace.resolve()
        self.workspace.mkdir(parents=True, exist_ok=True)
        self.db = db or f"sqlite:///{self.workspace / 'gradebook.db'}"
        bin_folder = str(Path(sys.executable).parent)  # nbgrader looks there for alembic
        if bin_folder not in os.environ.get("PATH", "").split(os.pathsep):
            os.environ["PATH"] = bin_folder + os.pathsep + os.environ.get("PATH", "")
        path = self.workspace / "nbgrader_config.py"
        text = CONFIG.format(root=str(self.root), solutions=str(self.root / "solutions"))
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
        self.config = PyFileConfigLoader(
            "nbgrader_config.py", path=str(self.workspace)
        ).load_config()
        self.log = logging.getLogger("classroom.nbgrader")
        self.log.setLevel(logging.ERROR)

    @contextlib.contextmanager
    def gradebook(self) -> Iterator[Gradebook]:
        """Open the gradebook."""
        with Gradebook(self.db, COURSE) as book:
            yield book

    def converter(self, kind: type, assignment: str, student: str = "*", **folders: Path) -> Any:
        """Make one of nbgrader's converters for this class, with its configuration."""
        folders = folders or {"root": self.workspace}
        course = CourseDirectory(config=self.config)
        course.assignment_id, course.student_id = assignment, student
        course.root = str(folders.pop("root", self.workspace))
        course.db_url = self.db
        for name, folder in folders.items():
            setattr(course, name, str(folder))
        made = kind(coursedir=course, config=self.config)
        made.log, made.force = self.log, True
        return made

    def prepare(self, assignment: str, due: str | None = None) -> NotebookNode:
        """Enter an assignment with its cells into the gradebook; return the student release.

        Parameters
        ----------
        due
            Due time as nbgrader reads it, for example ``"2026-11-20 23:59 UTC"``; when it is None,
            what the gradebook holds stays.

        Raises
        ------
        RuntimeError
            If nbgrader refuses, for example because check cells were added after the first grading.
        """
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            target = folder / "solutions" / assignment / f"{assignment}.ipynb"
            target.parent.mkdir(parents=True)
            write_notebook(read_source(self.root, assignment).notebook, target)
            made = self.converter(
                GenerateAssignment, assignment, ".", root=folder, source_directory=Path("solutions")
            )
            try:
                made.start()
            except Exception as error:
                raise RuntimeError(
                    f"nbgrader could not enter {assignment} into the gradebook: {error}. Were "
                    "cells added or removed since the first grading? Then grade in a new workspace."
                ) from error
            release = folder / "notebooks" / assignment / f"{assignment}.ipynb"
            notebook = nbformat.read(release, as_version=4)
        with self.gradebook() as book:
            kept = {"duedate": due} if due else {}
            book.update_or_create_assignment(assignment, **kept)
        return notebook

    def record(
        self,
        assignment: str,
        student: str,
        notebook: NotebookNode,
        result: Mapping[str, Any],
        timestamp: str | None = None,
    ) -> None:
        """Score one submission by its result, through nbgrader's own autograding.

        A submission that failed or was flagged, and an exercise that failed, get no score: they
        wait for a person, who sees why. Manual scores and comments stay.

        Parameters
        ----------
        notebook
            The repaired notebook, or the release for one that could not be read.
        result
            What the judge found.
        timestamp
            When it was handed in; nbgrader's late policy needs it.
        """
        scored = result["status"] == "graded"
        parts = {
            key: part | {"message": part["message"] or f"{name}: {part['status']}."}
            for name, exercise in result["exercises"].items()
            for key, part in exercise["parts"].items()
        }
        missing = [key for key, part in parts.items() if part["status"] == "failed"]
        inject = InjectResults(parts, "" if scored else result["reason"], note(result))
        save = SaveScores(missing if scored else None)
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "s" / student / assignment
            folder.mkdir(parents=True)
            write_notebook(notebook, folder / f"{assignment}.ipynb")
            if timestamp:
                (folder / "timestamp.txt").write_text(timestamp, encoding="utf-8")
            secret = self.workspace / "submitted" / student / assignment / SECRET
            if secret.is_file():  # nbgrader's exchange brings the feedback back by it
                copy_whole(secret, folder / SECRET)
            made = self.converter(
                Autograde, assignment, student, submitted_directory=Path(scratch) / "s"
            )
            made.autograde_preprocessors = [
                inject if issubclass(p, Execute) else save if p is SaveAutoGrades else p
                for p in made.autograde_preprocessors
            ]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SAWarning)  # nbgrader's own, about its autoflush
                made.start()

    def graded(self, assignment: str) -> set[str]:
        """Students whose submission the gradebook holds."""
        with self.gradebook() as book:
            try:
                return {s.student.id for s in book.assignment_submissions(assignment)}
            except MissingEntry:
                return set()


def note(result: Mapping[str, Any]) -> str:
    """Tell the student what happened to the notebook, in markdown; empty when nothing did."""
    lines = []
    if result["status"] == "failed":
        lines.append(
            "**Your notebook has no score yet.** It could not be graded, which is not the same as "
            f"zero points: your instructor sees it and will be in touch. {_plain(result['reason'])}"
        )
    elif result["status"] == "flagged":
        lines.append(
            "**Your notebook has no score yet.** Something in it gets in the way of the checks, "
            f"and your instructor will look at it with you. {_plain(result['reason'])}"
        )
    if result["status"] == "flagged" and result["flags"]:
        lines.append("What was noticed:\n\n" + _list(result["flags"]))
    if result.get("repairs"):
        lines.append(
            "Your file had changed on its way. It was put right before grading, and this costs no "
            "points:\n\n" + _list(result["repairs"])
        )
    if result.get("remarks"):
        lines.append("Please look at this, too:\n\n" + _list(result["remarks"]))
    return "\n\n".join(lines)


def _list(items: list[str]) -> str:
    return "\n".join(f"- {_plain(item)}" for item in items)


def _plain(text: str) -> str:
    """Text that markdown shows as it is: a student can name a cell anything."""
    text = html.escape(" ".join(str(text).split()), quote=False)
    return re.sub(r"([\\`*_{}\[\]()#+!|~$])", r"\\\1", text)
