"""Judge all submissions of an assignment, one task each on dask.distributed, and score them.

Workers judge; this process alone writes: first the result of each submission, at once or not at
all, then its scores in nbgrader's gradebook (about half a second a submission, while the workers
judge others). So nothing has to be merged, and a run that was killed goes on where it stopped. No
student code runs here and torch is not imported.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat

from classroom.authoring.source import read_source
from classroom.files import one_line
from classroom.gradebook.cluster import MakeJudge, cluster, cores, judge_all
from classroom.gradebook.results import (
    Submission,
    failed,
    read_results,
    read_submissions,
    write_result,
)
from classroom.gradebook.workspace import Class

__all__ = ["autograde"]


def autograde(
    root: Path,
    workspace: Path,
    assignment: str,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    db: str | None = None,
    unsafe: bool = False,
    due: str | None = None,
    again: bool = False,
    progress: bool = True,
    make_judge: MakeJudge | None = None,
) -> list[dict[str, Any]]:
    """Judge and score every submission that has no result yet.

    The environment gate comes before any student: the model solution must get full marks and the
    empty release none.

    Parameters
    ----------
    workers
        Submissions judged at the same time on this machine; the number of cores by default.
    scheduler
        Address of a running dask scheduler, for example ``tcp://host:8786``, instead. Its workers
        need the course at the same path.
    db
        Address of nbgrader's database; a SQLite file in the workspace by default.
    unsafe
        Judge without a sandbox.
    due
        Due time for nbgrader's late policy, for example ``"2026-11-20 23:59 UTC"``.
    again
        Judge also what has a result.
    make_judge
        Makes the judge on a worker; :class:`classroom.judging.judge.Judge` by default.

    Returns
    -------
    One result a student, as the judge gives it, with ``student``, ``repairs``, ``remarks`` and
    ``timestamp``.

    Raises
    ------
    FileNotFoundError
        If there is nothing to grade.
    RuntimeError
        If the gate does not open, nbgrader refuses the assignment, or the scheduler does not answer
        or has no worker.
    """
    read_source(root, assignment)  # raises for an unknown assignment
    submissions = read_submissions(workspace, assignment)
    klass = Class(root, workspace, db)
    release = klass.prepare(assignment, due)
    checks = _checks_digest(root, assignment)
    results = read_results(workspace, assignment)
    book = _Recorder(klass, assignment, release, checks)
    waiting = []
    for submission in submissions:
        known = results.get(submission.student)
        fresh = known is not None and known["fingerprint"] == submission.fingerprint(checks)
        if known is not None and fresh and not again:
            book.record(submission, known)
        elif submission.notebook is None:
            book.record(submission, failed(assignment, submission.reason), again=True)
        else:
            waiting.append(submission)
    if waiting:
        with cluster(workers or cores(), len(waiting), scheduler) as client:
            judged = judge_all(
                client, root, assignment, waiting, {"unsafe": unsafe}, make_judge, progress
            )
            for submission, result in judged:
                book.record(submission, result, again=True)
    final = read_results(workspace, assignment)
    return [final[s.student] | {"timestamp": s.timestamp} for s in submissions]


class _Recorder:
    """Write results, and their scores into the gradebook where it does not hold them yet."""

    def __init__(self, klass: Class, assignment: str, release: Any, checks: str) -> None:
        self.klass, self.assignment, self.release = klass, assignment, release
        self.checks, self.known = checks, klass.graded(assignment)
        with klass.gradebook() as book:
            self.due = str(book.find_assignment(assignment).duedate)

    def record(
        self, submission: Submission, result: dict[str, Any], *, again: bool = False
    ) -> None:
        """Write a result and its scores.

        What nbgrader cannot take in of one submission makes that submission a failed one; what it
        cannot take in of the release either is not the submission's fault and is raised.
        """
        if not again and self._stands(submission, result):
            return
        try:
            self._record(submission, result)
        except (Exception, SystemExit) as error:
            why = f"{type(error).__name__}: {one_line(error)}"
            reason = f"The result could not be entered into the gradebook ({why})."
            broken = failed(self.assignment, reason) | {"fingerprint": ""}
            self._record(replace(submission, notebook=None), broken)

    def _stands(self, submission: Submission, result: dict[str, Any]) -> bool:
        recorded = self._mark(submission, result.get("fingerprint") != "")
        return result.get("recorded") == recorded and submission.student in self.known

    def _mark(self, submission: Submission, complete: bool) -> str:
        """Digest of what a record in the gradebook depends on."""
        fingerprint = submission.fingerprint(self.checks) if complete else ""
        key = [fingerprint, self.klass.db, self.due, submission.timestamp]
        return hashlib.sha256(json.dumps(key).encode()).hexdigest()

    def _record(self, submission: Submission, result: dict[str, Any]) -> None:
        complete = result.get("fingerprint") != ""  # else the next run tries again
        result = result | {
            "student": submission.student,
            "repairs": submission.repairs,
            "remarks": submission.remarks,
            "readable": submission.notebook is not None,
            "fingerprint": submission.fingerprint(self.checks) if complete else "",
        }
        where = self.klass.workspace, submission.student, self.assignment
        write_result(*where, result | {"recorded": ""})
        notebook = (
            nbformat.read(submission.notebook, as_version=4)
            if submission.notebook
            else self.release
        )
        self.klass.record(
            self.assignment, submission.student, notebook, result, submission.timestamp
        )
        write_result(*where, result | {"recorded": self._mark(submission, complete)})


def _checks_digest(root: Path, assignment: str) -> str:
    """Digest of solution, library and judge: when they change, results are out of date."""
    digest = hashlib.sha256(nbformat.writes(read_source(root, assignment).notebook).encode("utf-8"))
    for folder in (root / "course_utils", root / "classroom" / "judging"):
        for path in sorted(folder.rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()
