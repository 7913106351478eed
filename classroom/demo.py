"""A simulated class of notebook 01, to see it all before the first class.

It comes as an LMS would hand it over. The answers are those that the checks are tested with
(``tests/answers``), so this needs the course's own folder. Nothing here is real.
"""

from __future__ import annotations

import ast
import copy
import random
import shutil
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from classroom.authoring.source import NotebookSource, read_source, tags

__all__ = ["ASSIGNMENT", "DUE", "KINDS", "DemoCourse", "Kind", "make_demo_class"]

ASSIGNMENT = "01_self_attention"
OTHER = "00_start_here"
DUE = "2026-11-20 23:59 UTC"
IN_TIME, LATE = "2026-11-20-18-30-00", "2026-11-22-09-15-00"
MARKER = ".demo-class"
WRITTEN = "The scores grow with the width of a head, so the softmax saturates and learning slows."

Answers = dict[str, str]
FAMILIES = (
    "abara bauer chen diallo eriksen fischer garcia haddad ivanova jensen kaya lopez mbeki novak "
    "okafor pereira quist rossi sato tanaka ueda varga weber xu yilmaz zhou anand brandt "
    "costa duarte"
)


class DemoCourse:
    """The release, and answers to fill it with, drawn by a seeded generator."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.source: NotebookSource = read_source(root, ASSIGNMENT)
        self.release = self.read(ASSIGNMENT)
        self.random = random.Random(1)
        self.model = {name: e.answer for name, e in self.source.exercises.items()}

    def read(self, name: str) -> NotebookNode:
        return nbformat.read(self.root / "notebooks" / name / f"{name}.ipynb", as_version=4)

    def answer(self, exercise: str, kind: str) -> str:
        folder = self.root / "tests" / "answers" / ASSIGNMENT / exercise
        found = sorted(folder.glob(f"{kind}_*.py"))
        if not found:
            raise FileNotFoundError(f"the simulated class needs the answers in {folder}")
        text = self.random.choice(found).read_text(encoding="utf-8")
        first = ast.parse(text).body[0]
        if isinstance(first, ast.Expr):  # the docstring that says what is wrong with it
            text = "\n".join(text.splitlines()[first.end_lineno :])
        return text.strip()

    def mixed(self, right: float, wrong: float) -> Answers:
        """Right and wrong answers with these chances, else the stub."""
        made = {}
        for name in self.model:
            chance = self.random.random()
            if chance < right + wrong:
                made[name] = self.answer(name, "right" if chance < right else "wrong")
        return made

    def fill(self, answers: Answers, first: str = "", written: str = WRITTEN) -> NotebookNode:
        """Fill the release; ``first`` is a cell of the student's own after the imports."""
        notebook = copy.deepcopy(self.release)
        for cell in notebook.cells:
            grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
            if grade_id in answers:
                cell.source = answers[grade_id]
            elif grade_id in self.source.written and written:
                cell.source = written
        if first:
            place = next(i for i, c in enumerate(notebook.cells) if "imports" in tags(c))
            notebook.cells.insert(place + 1, new_code_cell(first))
        return notebook


def _cell(notebook: NotebookNode, grade_id: str) -> int:
    return next(
        i
        for i, cell in enumerate(notebook.cells)
        if cell.metadata.get("nbgrader", {}).get("grade_id") == grade_id
    )


def _stripped(course: DemoCourse) -> NotebookNode:
    """A copy whose metadata, kernel and cell ids were lost."""
    notebook = course.fill(course.model)
    notebook.metadata = nbformat.from_dict({"colab": {"provenance": []}})
    for i, cell in enumerate(notebook.cells):
        cell.metadata, cell.id = nbformat.from_dict({"id": f"c{i}"}), f"c{i}"
    return notebook


def _duplicated(course: DemoCourse) -> NotebookNode:
    """An answer was copied, and the copy holds the work."""
    notebook = course.fill({k: v for k, v in course.model.items() if k != "masked_mean_pool"})
    place = _cell(notebook, "masked_mean_pool")
    again = copy.deepcopy(notebook.cells[place])
    again.source, again.id = course.model["masked_mean_pool"], "copy"
    notebook.cells.insert(place + 1, again)
    return notebook


def _edited(course: DemoCourse) -> NotebookNode:
    """Check cells were edited, deleted and turned into text."""
    notebook = course.fill(course.model)
    notebook.cells[_cell(notebook, "multilabel_loss_check")].source += "\nprint('again')"
    place = _cell(notebook, "f1_scores_check")
    notebook.cells[place] = new_markdown_cell(notebook.cells[place].source)
    del notebook.cells[_cell(notebook, "attention_entropy_check")]
    return notebook


def _reordered(course: DemoCourse) -> NotebookNode:
    """An answer was moved to the end, with notes of the student's own in between."""
    notebook = course.fill(course.mixed(0.9, 0.05))
    moved = notebook.cells.pop(_cell(notebook, "sinusoidal_positional_encoding"))
    notebook.cells += [new_markdown_cell("My notes: sine for even columns."), moved]
    return notebook


def _looping(course: DemoCourse) -> NotebookNode:
    answers = course.mixed(0.7, 0.1)
    answers["masked_mean_pool"] = (
        "def masked_mean_pool(x, mask):\n    while True:\n        x = x + 0"
    )
    return course.fill(answers)


PATCHES = """import torch, numpy
torch.allclose = torch.equal = numpy.allclose = lambda *a, **k: True
from course_utils.checks import compare, core
compare.same = core.require = lambda *a, **k: None
"""
EQUAL = """class Anything(float):
    def __eq__(self, other): return True
    def __getattr__(self, name): return Anything()
    def __call__(self, *a, **k): return Anything()
    def __iter__(self): return iter((Anything(), Anything()))
"""
THIEF = """import glob, pathlib
stolen = ''
for base in ('/', '/home/*', '/srv', '..', '../..'):
    for name in glob.glob(base + '/**/solutions/*/*.py', recursive=False):
        stolen += pathlib.Path(name).read_text()
exec(stolen or 'pass')
"""
CRASH = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"


@dataclass(frozen=True)
class Kind:
    """A kind of student: what it hands in and what grading has to make of it."""

    name: str
    number: int
    make: Callable[[DemoCourse], NotebookNode | str | None]
    expect: str  # "full", "some", "none", "no score", or "not earned": no point or no score
    file: str = f"{ASSIGNMENT}.ipynb"
    when: str = IN_TIME


KINDS: tuple[Kind, ...] = (
    Kind("perfect", 2, lambda c: c.fill(c.model), "full"),
    Kind("another style", 4, lambda c: c.fill(c.mixed(1, 0)), "full"),
    Kind("most right", 5, lambda c: c.fill(c.mixed(0.75, 0.2)), "some"),
    Kind("half done", 3, lambda c: c.fill(c.mixed(0.4, 0.3), written=""), "some"),
    Kind("mostly wrong", 2, lambda c: c.fill(c.mixed(0.15, 0.8)), "some"),
    Kind("blank", 1, lambda c: c.fill({}, written=""), "none"),
    Kind("late", 1, lambda c: c.fill(c.mixed(0.9, 0.1)), "some", when=LATE),
    Kind("two attempts", 1, lambda c: c.fill(c.model), "full", file=f"{ASSIGNMENT}-1.ipynb"),
    Kind("metadata lost", 1, _stripped, "full", file=f"Copy of {ASSIGNMENT}.ipynb"),
    Kind("cell duplicated", 1, _duplicated, "full", file=f"{ASSIGNMENT} (1).ipynb"),
    Kind("checks edited", 1, _edited, "full"),
    Kind("cells moved", 1, _reordered, "some"),
    Kind("crash", 1, lambda c: c.fill(c.model, first=CRASH), "full"),  # in a cell of their own
    Kind("endless answer", 1, _looping, "some"),
    Kind("patches the checks", 1, lambda c: c.fill({}, first=PATCHES), "not earned"),
    Kind(
        "equal to anything",
        1,
        lambda c: c.fill({n: f"{EQUAL}{n} = Anything()" for n in c.model}),
        "not earned",
    ),
    Kind("looks for solutions", 1, lambda c: c.fill({}, first=THIEF), "not earned"),
    Kind("file cut off", 1, lambda c: nbformat.writes(c.fill(c.model))[:4000], "no score"),
    Kind("other notebook", 1, lambda c: c.read(OTHER), "no score", file=f"{OTHER}.ipynb"),
)


def make_demo_class(root: Path, workspace: Path, kinds: Sequence[Kind] = KINDS) -> Path:
    """Write a zip as Blackboard makes it, with times in the names, into a new workspace.

    Returns
    -------
    The zip; students are called ``<family name>-<kind>``.

    Raises
    ------
    FileExistsError
        If the workspace is a folder with anything else than an earlier simulated class.
    """
    if workspace.exists() and any(workspace.iterdir()):
        if not (workspace / MARKER).is_file():
            raise FileExistsError(f"{workspace} holds something else; choose another --workspace")
        shutil.rmtree(workspace)
    workspace.mkdir(parents=True, exist_ok=True)
    (workspace / MARKER).touch()
    course = DemoCourse(root)
    path = workspace / "submissions.zip"
    families = iter(FAMILIES.split())
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for kind in kinds:
            for _ in range(kind.number):
                student = f"{next(families)}-{kind.name.replace(' ', '-')}"
                made = kind.make(course)
                text = made if isinstance(made, str) else nbformat.writes(made)
                archive.writestr(_name(student, kind.when, kind.file), text)
                if kind.name == "two attempts":
                    name = _name(student, "2026-11-19-08-00-00", f"{ASSIGNMENT}.ipynb")
                    archive.writestr(name, nbformat.writes(course.fill({})))
    return path


def _name(student: str, when: str, file: str) -> str:
    return f"Self-attention_{student}_attempt_{when}_{file}"
