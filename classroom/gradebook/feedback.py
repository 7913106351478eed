"""Feedback for every student: a page of the course's own, without hidden checks."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from nbgrader.api import Gradebook
from nbgrader.converters import GenerateFeedback
from tqdm.auto import tqdm

from classroom.files import one_line, write_whole
from classroom.gradebook.feedback_page import FeedbackPage
from classroom.gradebook.workspace import Class

__all__ = ["feedback"]


def feedback(
    root: Path, workspace: Path, assignment: str, *, db: str | None = None, progress: bool = True
) -> list[Path]:
    """Write ``feedback/<student>/<assignment>/<assignment>.html`` where anything changed.

    Manual scores, comments and late penalties are changes, too.

    Returns
    -------
    All pages, by student. For one that cannot be made the reason is printed.

    Raises
    ------
    FileNotFoundError
        If nothing of this assignment was graded.
    """
    klass = Class(root, workspace, db)
    graded = sorted((workspace / "autograded").glob(f"*/{assignment}/{assignment}.ipynb"))
    if not graded:
        raise FileNotFoundError(f"{workspace} holds no graded {assignment}: run `autograde` first")
    with klass.gradebook() as book:
        states = {path: _state(book, assignment, path) for path in graded}
    waiting = {p: state for p, state in states.items() if _kept(workspace, assignment, p) != state}
    tell = tqdm(total=len(waiting), desc="feedback", unit="page", disable=not progress)
    workers = min(len(os.sched_getaffinity(0)), len(waiting))
    with tell, ProcessPoolExecutor(workers or 1, multiprocessing.get_context("spawn")) as pool:
        tasks = {
            pool.submit(_make, root, workspace, assignment, path.parts[-3], db): (path, state)
            for path, state in waiting.items()
        }
        for task in as_completed(tasks):
            path, state = tasks[task]
            try:
                task.result()
            except (Exception, SystemExit) as error:  # one page never stops the others
                why = f"{type(error).__name__}: {one_line(error)}"
                tell.write(f"no page for {path.parts[-3]}: {why}", file=sys.stderr)
                continue
            marker = _marker(workspace, assignment, path)
            write_whole(marker, state)
            tell.update()
    pages = (_page(workspace, assignment, path) for path in graded)
    return [page for page in pages if page.is_file()]


def _make(root: Path, workspace: Path, assignment: str, student: str, db: str | None) -> None:
    made = Class(root, workspace, db).converter(GenerateFeedback, assignment, student)
    made.exporter_class = FeedbackPage
    made.start()


def _page(workspace: Path, assignment: str, autograded: Path) -> Path:
    return workspace / "feedback" / autograded.parts[-3] / assignment / f"{assignment}.html"


def _marker(workspace: Path, assignment: str, autograded: Path) -> Path:
    return workspace / "results" / autograded.parts[-3] / f"{assignment}.feedback"


def _kept(workspace: Path, assignment: str, autograded: Path) -> str:
    """State that the page was made from; empty when there is no page."""
    marker = _marker(workspace, assignment, autograded)
    there = marker.is_file() and _page(workspace, assignment, autograded).is_file()
    return marker.read_text(encoding="utf-8") if there else ""


def _state(book: Gradebook, assignment: str, autograded: Path) -> str:
    """Digest of everything that a page shows."""
    digest = hashlib.sha256(autograded.read_bytes())
    for notebook in book.find_submission(assignment, autograded.parts[-3]).notebooks:
        rows = [(g.name, g.score, g.manual_score, g.extra_credit) for g in notebook.grades]
        words = [(c.name, c.comment) for c in notebook.comments]
        told = [sorted(rows), sorted(words), notebook.late_submission_penalty]
        digest.update(json.dumps(told).encode())
    return digest.hexdigest()
