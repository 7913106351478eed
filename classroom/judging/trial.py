"""Judge single answers by the checks of a solution notebook, each in a process of its own.

The parent imports nothing heavy. One worker a notebook pays for the imports once and forks a child
for each answer; see :mod:`classroom.judging.trial_worker`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from classroom.authoring.build import ONE_THREAD
from classroom.authoring.source import NotebookSource, read_source
from classroom.judging.given import Values, statements
from course_utils.checks import MODULES

__all__ = ["Task", "judge", "notebook_spec"]

SECONDS = 30


@dataclass(frozen=True)
class Task:
    """One answer to judge: the exercise and the file that defines the answer."""

    exercise: str
    path: Path


def notebook_spec(source: NotebookSource) -> dict[str, Any]:
    """What a worker needs of a notebook: imports, model answers, checks and points, in order."""
    return {
        "name": source.name,
        "module": MODULES.get(source.name),
        "imports": source.imports,
        "exercises": [
            {"name": e.name, "answer": e.answer, "checks": e.checks, "points": e.points}
            for e in source.exercises.values()
        ],
    }


def judge(
    root: Path,
    assignment: str,
    tasks: Sequence[Task],
    *,
    seconds: float = SECONDS,
    workers: int | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield one result a task, in the order given.

    A result has ``file``, ``status`` (``right``, ``wrong``, ``not attempted`` or ``failed``),
    ``points``, ``max_points`` and ``message``.

    Parameters
    ----------
    seconds
        CPU time that one answer may take; half as much again of wall time.
    workers
        Answers judged at the same time; the number of cores by default.

    Raises
    ------
    ValueError
        If there is no such assignment or exercise.
    RuntimeError
        If the worker could not start or died.
    """
    source = read_source(root, assignment)
    known = list(source.exercises)
    for task in tasks:
        if task.exercise not in known:
            raise ValueError(f"exercise must be one of {known}, got {task.exercise!r}")
    values = statements(source)
    job = {
        "notebook": notebook_spec(source) | {"absent": sorted(values.absent)},
        "tasks": [[t.exercise, str(t.path), _given(source, values, t)] for t in tasks],
        "seconds": seconds,
        "workers": workers or len(os.sched_getaffinity(0)),
    }
    environment = os.environ | ONE_THREAD | {"MPLBACKEND": "Agg", "CUDA_VISIBLE_DEVICES": ""}
    environment |= {"COURSE_STRICT": "0", "COURSE_SEED": "0", "HF_HUB_OFFLINE": "1"}
    environment.pop("COURSE_CLAIMS", None)
    command = [sys.executable, "-m", "classroom.judging.trial_worker"]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=root / "solutions" / assignment,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(json.dumps(job))
        process.stdin.close()
        count = 0
        for line in process.stdout:
            count += 1
            yield json.loads(line)
        trouble = process.stderr.read()
    if process.returncode or count != len(tasks):
        raise RuntimeError(f"the worker for {assignment} died:\n{trouble[-2000:]}")


def _given(source: NotebookSource, values: Values, task: Task) -> str:
    """Cheap statements of given cells before the exercise's check that an answer file mentions."""
    wanted = values.wanted([task.path.read_text("utf-8", "replace")])
    made: list[str] = []
    for cell in source.notebook.cells:
        if (
            cell.metadata.get("nbgrader", {}).get("grade_id")
            in source.exercises[task.exercise].checks
        ):
            break
        made += [s.source for s in values.cells.get(cell.source, ()) if s.makes & wanted]
    return "\n".join(made)
