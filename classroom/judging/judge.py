"""Judge whole submissions: student code in a box, checks in a process that it never enters.

:class:`Judge` is what the rest of the grading uses. It imports nothing heavy; the processes that
do are :mod:`classroom.judging.examiner` (trusted) and :mod:`classroom.judging.box` (in
the box).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

import nbformat
from nbformat import NotebookNode

from classroom.authoring.build import ONE_THREAD
from classroom.authoring.source import NotebookSource, read_source, tags
from classroom.judging.given import Values, statements
from classroom.judging.sandbox import Limits, furniture, require_bubblewrap
from classroom.judging.syscalls import MISSING, compiled
from classroom.judging.trial import notebook_spec
from classroom.judging.trial_worker import plain

__all__ = ["Judge", "plan_of"]


class Judge:
    """Judge the submissions of one assignment, one after the other.

    Parameters
    ----------
    root
        The course.
    assignment
        Name of the notebook.
    seconds
        CPU time for one exercise, half as much again (and ten seconds) of wall time.
    memory_mib
        Memory of all processes of a submission, MiB.
    unsafe
        Run student code without bubblewrap: it can then read and write whatever you can.

    Raises
    ------
    ValueError
        If there is no such assignment.
    RuntimeError
        If there is no bubblewrap here, or the examiner does not start.
    """

    def __init__(
        self,
        root: Path,
        assignment: str,
        *,
        seconds: float = 30.0,
        memory_mib: int = 4096,
        unsafe: bool = False,
    ) -> None:
        self.root, self.assignment = root, assignment
        self.source = read_source(root, assignment)
        self.values = statements(self.source)
        if unsafe:
            warnings.warn(
                "unsafe: student code runs WITHOUT a sandbox and can read and write whatever you "
                "can, the solutions and the gradebook included",
                stacklevel=2,
            )
        else:
            require_bubblewrap()
            if compiled() is None:
                print(MISSING, file=sys.stderr)
        self.limits = Limits(seconds=seconds, memory_mib=memory_mib)
        self.unsafe = unsafe
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Judge:
        self._start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the examiner."""
        if self._process is not None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            self._process.kill()
            self._process.wait()
            self._process = None

    def judge(self, notebook: Path, only: Sequence[str] | None = None) -> dict[str, Any]:
        """Judge one notebook file; whatever is in it, the result says what was found.

        Parameters
        ----------
        notebook
            The file.
        only
            Names of the exercises to judge; all by default.

        Returns
        -------
        A dict with ``assignment``, ``status`` (``graded``, ``flagged`` or ``failed``), ``reason``,
        ``flags``, ``exercises`` by name, ``seconds`` of wall time, ``cpu_seconds`` and
        ``peak_mib``.
        """
        try:
            read = nbformat.read(notebook, as_version=4)
        except Exception as error:  # a damaged file can raise nearly anything
            return self._failed(f"the notebook cannot be read: {type(error).__name__}: {error}")
        return self.judge_cells(read, only)

    def judge_cells(
        self, notebook: NotebookNode, only: Sequence[str] | None = None
    ) -> dict[str, Any]:
        """Judge a notebook that is at hand; see :meth:`judge`."""
        names = [n for n in self.source.exercises if only is None or n in only]
        try:
            plan = plan_of(notebook, self.source, self.values)
        except Exception as error:  # cells of any shape
            return self._failed(f"the notebook has no order: {type(error).__name__}: {error}")
        found = self._ask(plan | {"only": names})
        if "error" in found:
            return self._failed(_printable(found["error"]))
        found = _printable(found)
        exercises = found["exercises"]
        status, reason = "graded", ""
        broken = [r for r in exercises.values() if r["status"] == "failed"]
        if found["flags"]:
            status, reason = "flagged", found["flags"][0]
        elif exercises and len(broken) == len(exercises):
            status, reason = "failed", broken[0]["message"]
        return {"assignment": self.assignment, "status": status, "reason": reason} | found

    def gate(self) -> None:
        """Judge the model solution and the empty release: full marks and none.

        Raises
        ------
        RuntimeError
            If the checks do not work here; it names the exercises.
        """
        from classroom.authoring.preprocessors import cleared

        for notebook, share, words in (
            (self.source.notebook, 1, "the model solution"),
            (cleared(self.source.notebook), 0, "the empty release"),
        ):
            result = self.judge_cells(notebook)
            wrong = [
                f"{name}: {r['points']} of {r['max_points']} points ({r['message'][:200]})"
                for name, r in result["exercises"].items()
                if r["points"] != share * r["max_points"]
            ]
            if result["status"] != "graded" or wrong:
                raise RuntimeError(
                    f"grading {self.assignment} cannot start: {words} is judged wrongly here: "
                    + ("; ".join(wrong) or result["reason"])
                )

    def _failed(self, reason: str) -> dict[str, Any]:
        return {
            "assignment": self.assignment,
            "status": "failed",
            "reason": reason[:2000],
            "flags": [],
            "exercises": {},
            "seconds": dict.fromkeys(("start", "cells", "checks", "total"), 0.0),
            "cpu_seconds": 0.0,
            "peak_mib": 0.0,
        }

    def _ask(self, plan: dict[str, Any]) -> dict[str, Any]:
        process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(plan) + "\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())
        except (OSError, ValueError):
            self._process = None
            process.kill()
            process.wait()
            return {"error": "the examiner ended"}

    def _start(self) -> subprocess.Popen[str]:
        environment = os.environ | ONE_THREAD | {"MPLBACKEND": "Agg", "CUDA_VISIBLE_DEVICES": ""}
        environment |= {"COURSE_STRICT": "0", "COURSE_SEED": "0", "HF_HUB_OFFLINE": "1"}
        environment.pop("COURSE_CLAIMS", None)
        process = subprocess.Popen(
            [sys.executable, "-m", "classroom.judging.examiner"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(self._job()) + "\n")
        process.stdin.flush()
        if not process.stdout.readline():
            process.wait()
            raise RuntimeError(f"the examiner of {self.assignment} did not start")
        self._process = process
        return process

    def _job(self) -> dict[str, Any]:
        spec = notebook_spec(self.source)
        limits = asdict(self.limits)
        for exercise in spec["exercises"]:
            folder = self.root / "tests" / "answers" / self.assignment / exercise["name"]
            exercise["wrong"] = [p.read_text("utf-8") for p in sorted(folder.glob("wrong_*.py"))]
        program = compiled()
        inside = {"imports": plain(spec["imports"]), "module": None} | limits | furniture()
        inside["filter"] = (program or b"").hex()
        return spec | {"limits": limits, "unsafe": self.unsafe, "inside": inside}


def _printable(value: Any) -> Any:
    """Write out what no file can hold: halves of characters in the words of a student's error."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_printable(k): _printable(v) for k, v in value.items()}
    return [_printable(v) for v in value] if isinstance(value, list) else value


def plan_of(
    notebook: NotebookNode, source: NotebookSource, values: Values | None = None
) -> dict[str, Any]:
    """Choose the cells that run in the box, in order, and where each exercise ends.

    Answers and cells that the student added run whole; a cell of the release that the student
    changed gives its imports and definitions, an untouched one the constants and definitions that
    the student's cells mention; checks and training do not run, because every answer is a function
    of its arguments.
    """
    values = statements(source) if values is None else values
    given = {c.id: c for c in source.notebook.cells if c.cell_type == "code"}
    texts = {_text(c.source): c.source for c in given.values()}
    exercises = source.exercises
    owner = {key: name for name, e in exercises.items() for key in e.checks}
    cells: list[dict[str, Any]] = []
    ends: dict[str, int] = {}
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type != "code":
            continue
        meta = cell.metadata.get("nbgrader") or {}
        key = meta.get("grade_id") if isinstance(meta, dict) else None
        if key in owner:
            ends.setdefault(owner[key], len(cells))
            continue
        answer, part, text = (key if key in exercises else None), "whole", cell.source
        original = given.get(cell.get("id"))
        if answer is None and _text(text) in texts:
            part, text = "given", texts[_text(text)]
        elif answer is None and "train" in tags(cell):
            continue
        elif answer is None and original is not None and "imports" not in tags(original):
            part = "definitions"
        if text.strip():
            about = {"label": f"cell {number + 1}", "answer": answer, "part": part}
            cells.append(about | {"source": text})
    wanted = values.wanted(c["source"] for c in cells if c["part"] != "given")
    for cell in cells:
        if cell["part"] == "given":
            made = values.cells.get(cell["source"], ())
            cell["source"] = "\n".join(s.source for s in made if s.makes & wanted)
    stubs = _untouched(cells, ends, source)
    return {"cells": cells, "ends": ends, "absent": sorted(values.absent), "stubs": stubs}


def _untouched(
    cells: list[dict[str, Any]], ends: dict[str, int], source: NotebookSource
) -> list[str]:
    """Exercises whose stub stands as it was and that no other cell defines: nothing need run."""
    from classroom.authoring.preprocessors import cleared

    released = {}
    for cell in cleared(source.notebook).cells:
        key = cell.metadata.get("nbgrader", {}).get("grade_id")
        if key in source.exercises:
            released[key] = _text(cell.source)
    found = []
    for name, stub in released.items():
        own = [c for c in cells[: ends.get(name)] if c["part"] != "given"]
        others = "\n".join(c["source"] for c in own if c["answer"] != name)
        makes = re.compile(rf"\b(?:def|class|import|as)\s+{name}\b|\b{name}\b[^=\n(]*=|import\s+\*")
        answers = [c for c in own if c["answer"] == name]
        untouched = bool(answers) and all(_text(c["source"]) == stub for c in answers)
        if untouched and "not written yet" in stub and not makes.search(others):
            found.append(name)
    return found


def _text(source: str) -> str:
    return "\n".join(line.rstrip() for line in source.strip().splitlines())
