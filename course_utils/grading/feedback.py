"""Feedback for every student: nbgrader's page, without hidden checks."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from nbgrader.converters import GenerateFeedback
from tqdm.auto import tqdm

from course_utils.grading.gradebook import Class

__all__ = ["feedback"]


def feedback(
    root: Path, workspace: Path, assignment: str, *, db: str | None = None, progress: bool = True
) -> list[Path]:
    """Write ``feedback/<student>/<assignment>/<assignment>.html`` where anything changed.

    Manual scores, comments and late penalties are changes, too.

    Returns
    -------
    All pages, by student.

    Raises
    ------
    FileNotFoundError
        If nothing of this assignment was graded.
    """
    klass = Class(root, workspace, db)
    graded = sorted((workspace / "autograded").glob(f"*/{assignment}/{assignment}.ipynb"))
    if not graded:
        raise FileNotFoundError(f"{workspace} holds no graded {assignment}: run `autograde` first")
    pages = []
    for path in tqdm(graded, desc="feedback", unit="page", disable=not progress):
        student = path.parts[-3]
        page = workspace / "feedback" / student / assignment / f"{assignment}.html"
        state = _state(klass, assignment, student, path)
        marker = workspace / "results" / student / f"{assignment}.feedback"
        if not (page.is_file() and marker.is_file() and marker.read_text("utf-8") == state):
            klass.converter(GenerateFeedback, assignment, student).start()
            marker.parent.mkdir(parents=True, exist_ok=True)
            marker.write_text(state, encoding="utf-8")
        pages.append(page)
    return pages


def _state(klass: Class, assignment: str, student: str, autograded: Path) -> str:
    """Digest of everything that a page shows."""
    digest = hashlib.sha256(autograded.read_bytes())
    with klass.gradebook() as book:
        for notebook in book.find_submission(assignment, student).notebooks:
            rows = [(g.name, g.score, g.manual_score, g.extra_credit) for g in notebook.grades]
            words = [(c.name, c.comment) for c in notebook.comments]
            told = [sorted(rows), sorted(words), notebook.late_submission_penalty]
            digest.update(json.dumps(told).encode())
    return digest.hexdigest()
