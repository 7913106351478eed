"""Write the questions of a class: one page a student, and one sheet of keys."""

from __future__ import annotations

import hashlib
import queue
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from tqdm.auto import tqdm

from classroom.files import one_line, write_whole
from classroom.gradebook.results import Submission, read_results, read_submissions
from classroom.pages import page
from classroom.viva.laboratory import Laboratory
from classroom.viva.questions import KINDS, Question, Specimen, ask, mend, specimen

__all__ = ["Viva", "viva"]

TRIED = 3  # right answers looked at beyond the number of questions, when some give none
MakeLab = Callable[..., Any]
RIGHTS = 8  # right answers of the course and the class that a mend is learnt from


@dataclass
class Viva:
    """What :func:`viva` wrote: pages by student, the keys, and why somebody has no page."""

    pages: dict[str, Path] = field(default_factory=dict)
    keys: Path = Path()
    without: dict[str, str] = field(default_factory=dict)


def viva(
    root: Path,
    workspace: Path,
    assignment: str,
    *,
    students: Sequence[str] = (),
    questions: int = 4,
    seed: int = 0,
    workers: int = 1,
    unsafe: bool = False,
    progress: bool = True,
    make_lab: MakeLab = Laboratory,
) -> Viva:
    """Write ``viva/<assignment>/<student>.html`` for each student, and a sheet of keys for you.

    The keys are beside that folder, so that it can be handed out; those of named students have a
    sheet of their own.

    The draw depends on the seed, the student and the answers, so students with the same code get
    different questions, and the same call gives the same pages.

    Parameters
    ----------
    students
        Only these; everybody who was graded by default.
    questions
        Number a student, at most one of them on an answer that is wrong.
    make_lab
        Makes what runs the programs.

    Raises
    ------
    ValueError
        If ``questions`` is below one or a student is unknown.
    FileNotFoundError
        If nothing of this assignment was graded.
    """
    if questions < 1:
        raise ValueError(f"questions must be at least 1, got {questions}")
    submissions = {s.student: s for s in read_submissions(workspace, assignment)}
    results = read_results(workspace, assignment)
    unknown = sorted(set(students) - submissions.keys())
    if unknown:
        raise ValueError(f"students: no submission of {', '.join(map(repr, unknown))}")
    if not results:
        raise FileNotFoundError(f"{workspace} holds no graded {assignment}: run `autograde` first")
    chosen = [submissions[s] for s in sorted(students or submissions)]
    made, folder = Viva(), workspace / "viva" / assignment
    named = "_".join(["", *sorted(students)])[:80]
    made.keys = folder.with_name(f"{assignment}_keys{named}.html")
    waiting: list[Submission] = []
    for submission in chosen:
        why = _why_not(submission, results.get(submission.student))
        if why:
            made.without[submission.student] = why
        else:
            waiting.append(submission)
    found: dict[str, list[Question]] = {}
    if waiting:
        with tqdm(total=len(waiting), desc="viva", unit="student", disable=not progress) as tell:
            rights = _class_rights(root, submissions, results, assignment)
            labs = _Labs(root, assignment, min(workers, len(waiting)), unsafe, make_lab)
            with labs, ThreadPoolExecutor(labs.count) as pool:
                tasks = {
                    pool.submit(
                        labs.use, _questions, s, results[s.student], rights, questions, seed
                    ): s
                    for s in waiting
                }
                for task in as_completed(tasks):
                    student = tasks[task].student
                    try:
                        code, found[student] = task.result()
                    except Exception as error:  # one student never stops the others
                        made.without[student] = f"{type(error).__name__}: {one_line(error)}"
                    else:
                        if found[student]:
                            path = folder / f"{student}.html"
                            text = _student_page(assignment, student, code, found[student])
                            write_whole(path, text)
                            made.pages[student] = path
                        else:
                            made.without[student] = "no answer that a question could be measured on"
                    tell.update()
    asked = sorted((s, q) for s, q in found.items() if q)
    text = page(
        "viva_keys.html",
        assignment=assignment,
        seed=seed,
        pages=asked,
        without=sorted(made.without.items()),
    )
    write_whole(made.keys, text)
    made.pages = dict(sorted(made.pages.items()))
    return made


class _Labs:
    """As many laboratories as threads, each used by one at a time."""

    def __init__(
        self, root: Path, assignment: str, count: int, unsafe: bool, make_lab: MakeLab
    ) -> None:
        self.count = max(1, count)
        first = make_lab(root, assignment, unsafe=unsafe)
        self.all = [first, *(first.copy() for _ in range(self.count - 1))]
        self.expected: dict[str, dict[int, dict[str, Any]]] = {}
        self._free: queue.Queue[Laboratory] = queue.Queue()
        for lab in self.all:
            self._free.put(lab)

    def __enter__(self) -> _Labs:
        return self

    def __exit__(self, *_: object) -> None:
        for lab in self.all:
            lab.__exit__(None, None, None)

    def use(self, task: Any, *arguments: Any) -> Any:
        """Run a task with a laboratory that is free."""
        lab = self._free.get()
        try:
            return task(lab, self.expected, *arguments)
        finally:
            self._free.put(lab)


def _why_not(submission: Submission, result: dict[str, Any] | None) -> str:
    if submission.notebook is None:
        return submission.reason
    if result is None:
        return "it has no result yet: run `autograde`"
    if result["status"] != "graded":
        return f"{result['status']}: {result['reason']}"
    return ""


def _answers(notebook: NotebookNode) -> dict[str, str]:
    found: dict[str, str] = {}
    for cell in notebook.cells:
        meta = cell.metadata.get("nbgrader", {})
        if cell.cell_type == "code" and meta.get("solution") and not meta.get("grade"):
            found[meta["grade_id"]] = cell.source
    return found


def _class_rights(
    root: Path, submissions: dict[str, Submission], results: dict[str, Any], assignment: str
) -> dict[str, list[str]]:
    """Right answers by exercise, those that the course's tests have and some of the class."""
    found: dict[str, list[str]] = {}
    for path in sorted((root / "tests" / "answers" / assignment).glob("*/right_*.py")):
        found.setdefault(path.parent.name, []).append(path.read_text(encoding="utf-8"))
    for student, result in sorted(results.items()):
        submission = submissions.get(student)
        right = [n for n, e in result["exercises"].items() if e["status"] == "right"]
        few = any(len(found.get(n, ())) < RIGHTS for n in right)
        if submission is None or submission.notebook is None or not few:
            continue
        answers = _answers(nbformat.read(submission.notebook, as_version=4))
        for name in right:
            texts = found.setdefault(name, [])
            if len(texts) < RIGHTS and name in answers and answers[name] not in texts:
                texts.append(answers[name])
    return found


def _questions(
    lab: Laboratory,
    expected: dict[str, dict[int, dict[str, Any]]],
    submission: Submission,
    result: dict[str, Any],
    rights: dict[str, list[str]],
    count: int,
    seed: int,
) -> tuple[dict[str, str], list[Question]]:
    """Draw the questions of one student; also the answers that they are about."""
    assert submission.notebook is not None
    notebook = nbformat.read(submission.notebook, as_version=4)
    answers = _answers(notebook)
    digest = hashlib.sha256(repr((seed, submission.student, sorted(answers.items()))).encode())
    rng = random.Random(digest.hexdigest())
    status = {n: e["status"] for n, e in result["exercises"].items() if n in answers}
    wrong = rng.sample(w := [n for n in status if status[n] == "wrong"], len(w))
    right = rng.sample(r := [n for n in status if status[n] == "right"], len(r))
    asked: list[Question] = []
    for name in wrong[:TRIED]:
        known = _expected(lab, expected, name)
        texts = [lab.source.exercises[name].answer, *rights.get(name, [])]
        question = mend(lab, notebook, name, answers[name], texts, known)
        if question is not None:
            asked.append(question)
            break
    kinds = rng.sample(KINDS, len(KINDS))
    specimens: list[Specimen] = []
    for name in right[: count + TRIED]:
        if len(asked) == count:
            break
        one = specimen(lab, notebook, name, answers[name], rng)
        if one is not None:
            specimens.append(one)
            _add(asked, one, kinds, rng)
    for one in specimens * 2:  # few right answers: further questions on them
        if len(asked) < count:
            _add(asked, one, kinds, rng)
    order = list(lab.source.exercises)
    asked.sort(key=lambda q: order.index(q.exercise))
    asked = [replace(q, number=n) for n, q in enumerate(asked, 1)]
    return {q.exercise: answers[q.exercise] for q in asked}, asked


def _add(asked: list[Question], one: Specimen, kinds: list[str], rng: random.Random) -> None:
    """Add a question of the kind whose turn it is, or of the next that fits."""
    for kind in list(kinds):
        question = ask(one, kind, rng)
        if question is not None:
            asked.append(question)
            kinds.remove(kind)
            kinds.append(kind)
            return


def _expected(
    lab: Laboratory, known: dict[str, dict[int, dict[str, Any]]], name: str
) -> dict[int, dict[str, Any]]:
    """What the model answer gives, by call; in a room of its own, without a student's code."""
    if name not in known:
        model = [lab.source.exercises[name].answer]
        calls = range(len(lab.calls.get(name, [])))
        known[name] = lab.measure(lab.source.notebook, name, model, calls=calls)[0].outcomes
    return known[name]


def _student_page(
    assignment: str, student: str, code: dict[str, str], questions: Sequence[Question]
) -> str:
    exercises = [
        (name, text.rstrip().splitlines(), [q for q in questions if q.exercise == name])
        for name, text in code.items()
    ]
    return page("viva.html", assignment=assignment, student=student, exercises=exercises)
