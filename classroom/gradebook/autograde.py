"""Judge all submissions of an assignment, one task each on dask.distributed, and score them.

Workers judge; this process alone writes: first the result of each submission, at once or not at
all, then its scores in nbgrader's gradebook (about half a second a submission, while the workers
judge others). So nothing has to be merged, and a run that was killed goes on where it stopped. No
student code runs here and torch is not imported.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from tqdm.auto import tqdm

from classroom.authoring.source import read_source
from classroom.files import write_whole
from classroom.gradebook.workspace import Class

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["Submission", "autograde", "read_results", "read_submissions", "undecided"]

PATIENCE = 30.0  # seconds in which a scheduler has to answer
LATE = "The learning platform marks it as late."
MakeJudge = Callable[..., Any]


@dataclass(frozen=True)
class Submission:
    """One student's submission after collecting and repairing."""

    student: str
    notebook: Path | None  # None: it could not be read
    reason: str = ""  # why it could not
    repairs: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)  # what the repair wants a person to look at
    timestamp: str | None = None

    def fingerprint(self, checks: str) -> str:
        """Digest of everything that the result depends on."""
        content = self.notebook.read_bytes() if self.notebook else self.reason.encode()
        digest = hashlib.sha256(checks.encode() + content)
        digest.update(json.dumps([self.repairs, self.remarks]).encode())
        return digest.hexdigest()


def read_submissions(workspace: Path, assignment: str) -> list[Submission]:
    """List the repaired submissions, and those that could not be read, by student.

    Raises
    ------
    FileNotFoundError
        If nothing was collected for this assignment, or something was not repaired.
    """
    found = {}
    marked = _marked_late(workspace, assignment)
    for path in sorted((workspace / "repaired").glob(f"*/{assignment}/repair.json")):
        told = json.loads(path.read_text(encoding="utf-8"))
        student = path.parts[-3]
        stamp = workspace / "submitted" / student / assignment / "timestamp.txt"
        found[student] = Submission(
            student,
            path.with_name(f"{assignment}.ipynb") if told["status"] == "ok" else None,
            told.get("reason", ""),
            list(told.get("repairs", [])),
            list(told.get("flags", [])) + [LATE] * (student in marked),
            stamp.read_text(encoding="utf-8").strip() if stamp.is_file() else None,
        )
    for path in sorted((workspace / "submitted").glob(f"*/{assignment}/{assignment}.ipynb")):
        if path.parts[-3] not in found:
            raise FileNotFoundError(
                f"the submission of {path.parts[-3]!r} is not repaired yet: run `repair` first"
            )
    if not found:
        raise FileNotFoundError(
            f"{workspace} holds no submission of {assignment}: run `collect` and `repair` first"
        )
    return sorted(found.values(), key=lambda s: s.student)


def _marked_late(workspace: Path, assignment: str) -> set[str]:
    """Students whose submission the platform calls late without saying when it came."""
    log = workspace / "collected" / assignment / "log.jsonl"
    if not log.is_file():
        return set()
    records = map(json.loads, log.read_text(encoding="utf-8").splitlines())
    return {r["student"] for r in records if r["status"] == "accepted" and r.get("late")}


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
            book.record(submission, _failed(assignment, submission.reason), again=True)
        else:
            waiting.append(submission)
    if waiting:
        with _cluster(workers or _cores(), len(waiting), scheduler) as client:
            judged = _judge_all(
                client, root, assignment, waiting, {"unsafe": unsafe}, make_judge, progress
            )
            for submission, result in judged:
                book.record(submission, result, again=True)
    final = read_results(workspace, assignment)
    return [final[s.student] | {"timestamp": s.timestamp} for s in submissions]


def read_results(workspace: Path, assignment: str) -> dict[str, dict[str, Any]]:
    """Results of an assignment by student."""
    paths = sorted((workspace / "results").glob(f"*/{assignment}.json"))
    return {p.parent.name: json.loads(p.read_text(encoding="utf-8")) for p in paths}


def undecided(result: Mapping[str, Any]) -> dict[str, str]:
    """Exercises of a graded submission that have no result, and why; its total waits for them."""
    if result["status"] != "graded":
        return {}
    return {n: e["message"] for n, e in result["exercises"].items() if e["status"] == "failed"}


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
        broke = result.get("fingerprint") == ""
        fingerprint = "" if broke else submission.fingerprint(self.checks)
        key = [fingerprint, self.klass.db, self.due, submission.timestamp]
        recorded = hashlib.sha256(json.dumps(key).encode()).hexdigest()
        if not again and result.get("recorded") == recorded and submission.student in self.known:
            return
        result = result | {
            "student": submission.student,
            "repairs": submission.repairs,
            "remarks": submission.remarks,
            "fingerprint": fingerprint,
        }
        path = self.klass.workspace / "results" / submission.student / f"{self.assignment}.json"
        _write(path, result | {"recorded": ""})
        notebook = (
            nbformat.read(submission.notebook, as_version=4)
            if submission.notebook
            else self.release
        )
        self.klass.record(
            self.assignment, submission.student, notebook, result, submission.timestamp
        )
        _write(path, result | {"recorded": recorded})


def _write(path: Path, result: dict[str, Any]) -> None:
    write_whole(path, json.dumps(result, ensure_ascii=False, indent=1))


def _failed(assignment: str, reason: str) -> dict[str, Any]:
    return {
        "assignment": assignment,
        "status": "failed",
        "reason": reason,
        "flags": [],
        "exercises": {},
        "seconds": {"start": 0.0, "cells": 0.0, "checks": 0.0, "total": 0.0},
        "peak_mib": 0.0,
    }


def _checks_digest(root: Path, assignment: str) -> str:
    """Digest of solution, library and judge: when they change, results are out of date."""
    digest = hashlib.sha256(nbformat.writes(read_source(root, assignment).notebook).encode("utf-8"))
    for folder in (root / "course_utils", root / "classroom" / "judging"):
        for path in sorted(folder.rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _cores() -> int:
    return len(os.sched_getaffinity(0))


@contextlib.contextmanager
def _cluster(workers: int, tasks: int, scheduler: str | None) -> Iterator[Client]:
    import dask
    from distributed import Client, LocalCluster

    with dask.config.set(
        {
            "distributed.scheduler.allowed-failures": 1,
            "distributed.worker.daemon": False,  # a judge has processes of its own
            "distributed.admin.large-graph-warning-threshold": "1GB",
        }
    ):
        if scheduler:
            try:
                client = Client(scheduler, timeout=PATIENCE)
            except OSError as error:
                raise RuntimeError(f"scheduler: nobody answers at {scheduler} ({error})") from None
            with client, _closing(client):
                try:
                    client.wait_for_workers(1, timeout=PATIENCE)
                except TimeoutError:
                    raise RuntimeError(f"scheduler: {scheduler} has no worker") from None
                yield client
            return
        with (
            tempfile.TemporaryDirectory() as scratch,
            LocalCluster(
                n_workers=min(workers, tasks),
                threads_per_worker=1,
                dashboard_address=None,
                memory_limit=0,  # the judge limits the memory of each submission
                local_directory=scratch,
                silence_logs="ERROR",
            ) as cluster,
            Client(cluster) as client,
            _closing(client),
        ):
            yield client


@contextlib.contextmanager
def _closing(client: Client) -> Iterator[None]:
    try:
        yield
    finally:
        with contextlib.suppress(Exception):
            client.run(_close_judges)


def _judge_all(
    client: Client,
    root: Path,
    assignment: str,
    waiting: list[Submission],
    options: dict[str, Any],
    make_judge: MakeJudge | None,
    progress: bool,
) -> Iterator[tuple[Submission, dict[str, Any]]]:
    from distributed import as_completed

    common = (str(root), assignment, options, make_judge)
    hosts = {w["host"]: address for address, w in client.scheduler_info(-1)["workers"].items()}
    with tqdm(total=len(waiting), desc="gate", unit="notebook", disable=not progress) as bar:
        gates = [
            client.submit(_gate, *common, workers=[address], pure=False)
            for address in hosts.values()
        ]
        client.gather(gates)  # raises what a gate raised
        bar.set_description(assignment)
        tasks = {
            client.submit(
                _judge,
                s.notebook.read_text(encoding="utf-8"),
                *common,
                key=f"{s.student}-{s.fingerprint('')[:12]}",
                pure=False,
            ): s
            for s in waiting
            if s.notebook
        }
        for future in as_completed(tasks):
            submission = tasks[future]
            if future.status == "finished":
                result = future.result()
            else:  # ours, not the student's: no fingerprint, so the next run tries again
                reason = f"Grading broke down and will be tried again: {future.exception()!r:.300}"
                result = _failed(assignment, reason) | {"fingerprint": ""}
            future.release()
            bar.set_postfix_str(f"{submission.student}: {result['status']}"[:40])
            bar.update()
            yield submission, result


_judges: dict[Any, Any] = {}


def _the_judge(
    root: str, assignment: str, options: dict[str, Any], make_judge: MakeJudge | None
) -> Any:
    """Return this worker's judge of an assignment, kept from task to task: it starts slowly."""
    if make_judge is None:
        from classroom.judging.judge import Judge

        make_judge = Judge
    key = (root, assignment, json.dumps(options), getattr(make_judge, "__qualname__", ""))
    if key not in _judges:
        judge = make_judge(Path(root), assignment, **options)
        _judges[key] = judge.__enter__()
    return _judges[key]


def _close_judges() -> None:
    while _judges:
        _, judge = _judges.popitem()
        with contextlib.suppress(Exception):
            judge.__exit__(None, None, None)


def _gate(*common: Any) -> None:
    _the_judge(*common).gate()


def _judge(text: str, *common: Any) -> dict[str, Any]:
    judge = _the_judge(*common)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "submission.ipynb"
        path.write_text(text, encoding="utf-8")
        try:
            return judge.judge(path)
        except Exception:
            _close_judges()  # the next submission gets a new one
            raise
