"""What nbgrader does to our notebooks: releasing, executing or scoring, giving feedback."""

from __future__ import annotations

import copy
import math
from collections.abc import Collection, Mapping
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_output
from nbgrader import utils
from nbgrader.preprocessors import (
    ClearHiddenTests,
    ClearSolutions,
    Execute,
    GetGrades,
    NbGraderPreprocessor,
    SaveAutoGrades,
)

__all__ = [
    "ClearAnswers",
    "ExecuteAnswers",
    "GetScores",
    "HideChecks",
    "InjectResults",
    "SaveScores",
    "TagForStudents",
    "bounded",
    "cleared",
]

GIVEN = "given"


class ClearAnswers(ClearSolutions):
    """Replace each solution region by a stub that says which exercise is not written yet."""

    def preprocess_cell(
        self, cell: NotebookNode, resources: dict[str, Any], cell_index: int
    ) -> tuple[NotebookNode, dict[str, Any]]:
        if cell.cell_type == "code" and utils.is_solution(cell):
            name = cell.metadata.nbgrader.grade_id
            stub = f'# TODO: write {name}\nraise NotImplementedError("{name}: not written yet")'
            self.code_stub = {"python": stub}
        return super().preprocess_cell(cell, resources, cell_index)


def cleared(notebook: NotebookNode) -> NotebookNode:
    """Return a copy with the stubs of the release in place of the answers; checks stay whole."""
    return ClearAnswers().preprocess(copy.deepcopy(notebook), {})[0]


class TagForStudents(NbGraderPreprocessor):
    """Tag cells for what comes after the release.

    ``raises-exception`` lets *Run all* go on: check cells, cells tagged ``needs-answer`` and stubs
    of constants raise while an exercise is unsolved. (In the solution they stay untagged: there
    nothing may raise.) ``given`` marks the code that is ours, the imports excepted: grading need
    not run it.
    """

    def preprocess_cell(
        self, cell: NotebookNode, resources: dict[str, Any], cell_index: int
    ) -> tuple[NotebookNode, dict[str, Any]]:
        if cell.cell_type != "code":
            return cell, resources
        tags = set(cell.metadata.get("tags", []))
        raises_at_once = "\nraise NotImplementedError(" in f"\n{cell.source}"
        if utils.is_grade(cell) or "needs-answer" in tags or raises_at_once:
            tags.add("raises-exception")
        if not utils.is_grade(cell) and not utils.is_solution(cell) and "imports" not in tags:
            tags.add(GIVEN)
        if tags:
            cell.metadata["tags"] = sorted(tags)
        return cell, resources


class ExecuteAnswers(Execute):
    """Execute of a submission the imports, the answers, the checks and what the student added.

    No exercise depends on any other cell, so training and pictures are left out.
    """

    def preprocess_cell(
        self, cell: NotebookNode, resources: dict[str, Any], index: int
    ) -> tuple[NotebookNode, dict[str, Any]]:
        if cell.cell_type == "code" and GIVEN in cell.metadata.get("tags", []):
            cell.outputs, cell.execution_count = [], None
            return cell, resources
        return super().preprocess_cell(cell, resources, index)


class GetScores(GetGrades):
    """Bring the scores into the feedback, not-a-number for zero where there is none yet."""

    def preprocess(
        self, nb: NotebookNode, resources: dict[str, Any]
    ) -> tuple[NotebookNode, dict[str, Any]]:
        self.undecided = False
        nb, resources = super().preprocess(nb, resources)
        if self.undecided:
            resources["nbgrader"]["score"] = math.nan
        return nb, resources

    def _get_score(self, cell: NotebookNode, resources: dict[str, Any]) -> None:
        super()._get_score(cell, resources)
        grade = self.gradebook.find_grade(
            cell.metadata["nbgrader"]["grade_id"],
            self.notebook_id,
            self.assignment_id,
            self.student_id,
        )
        if grade.auto_score is None and grade.manual_score is None:
            cell.metadata.nbgrader["score"] = math.nan
            self.undecided |= cell.cell_type == "code"


class HideChecks(ClearHiddenTests):
    """Take hidden checks out of the feedback: their text, and their lines in tracebacks."""

    def preprocess_cell(
        self, cell: NotebookNode, resources: dict[str, Any], cell_index: int
    ) -> tuple[NotebookNode, dict[str, Any]]:
        if cell.cell_type == "code" and utils.is_grade(cell):
            for output in cell.outputs:
                if output.output_type == "error":
                    message = output.evalue if "\n" in output.evalue else ""
                    output.traceback = [message or f"{output.ename}: {output.evalue}"]
        return super().preprocess_cell(cell, resources, cell_index)


class InjectResults(NbGraderPreprocessor):
    """Put into the check cells what the judge found, where nbgrader would execute the notebook.

    A check cell that is right prints its line, one that is wrong holds an ``error`` output with its
    message, and one with a part of the points an ``execute_result`` with the number, within 0 and
    the cell's maximum: nbgrader's own rules make the scores of them. A check without a score (the
    submission or the exercise failed, or was flagged) says why; :class:`SaveScores` keeps it
    without one.

    Parameters
    ----------
    parts
        What the judge found by grade id: ``status``, ``points`` and ``message``.
    unscored
        Why nothing of this submission gets a score; empty when it does.
    note
        Markdown for a first cell that tells the student what was repaired or noticed.
    """

    def __init__(
        self, parts: Mapping[str, Mapping[str, Any]], unscored: str = "", note: str = "", **kw: Any
    ) -> None:
        super().__init__(**kw)
        self.parts, self.unscored, self.note = parts, unscored, note

    def preprocess(
        self, nb: NotebookNode, resources: dict[str, Any]
    ) -> tuple[NotebookNode, dict[str, Any]]:
        nb, resources = super().preprocess(nb, resources)
        if self.note:
            nb.cells.insert(0, new_markdown_cell(self.note, id="grading-note"))
        return nb, resources

    def preprocess_cell(
        self, cell: NotebookNode, resources: dict[str, Any], index: int
    ) -> tuple[NotebookNode, dict[str, Any]]:
        if cell.cell_type != "code":
            return cell, resources
        cell.execution_count = None
        if utils.is_grade(cell) and not utils.is_solution(cell):
            points = float(cell.metadata.nbgrader["points"])
            cell.outputs = self._outputs(cell.metadata.nbgrader["grade_id"], points)
        return cell, resources

    def _outputs(self, grade_id: str, maximum: float) -> list[NotebookNode]:
        if self.unscored:
            return [new_output("stream", name="stdout", text=f"No score yet. {self.unscored}\n")]
        if grade_id not in self.parts:  # no output at all would be full marks for nbgrader
            raise ValueError(f"the result says nothing about the check {grade_id}")
        part = self.parts[grade_id]
        message = part["message"]
        points = bounded(part["points"], maximum)
        if part["status"] == "failed":
            return [new_output("stream", name="stdout", text=f"No score yet. {message}\n")]
        if part["status"] == "right" and points == maximum:
            return [new_output("stream", name="stdout", text=f"{message}\n")]
        if points == 0:
            kind = "NotAttempted" if part["status"] == "not attempted" else "CheckFailed"
            return [new_output("error", ename=kind, evalue=message, traceback=[message])]
        return [
            new_output("stream", name="stdout", text=f"{message}\n"),
            new_output("execute_result", {"text/plain": f"{points:g}"}, execution_count=None),
        ]


def bounded(points: object, maximum: float) -> float:
    """Points as a number from 0 to ``maximum``; what is no number, or not finite, is 0."""
    number = float(points) if isinstance(points, int | float) else 0.0
    return min(max(number, 0.0), maximum) if math.isfinite(number) else 0.0


class SaveScores(SaveAutoGrades):
    """Save the scores, except where there is none: those wait for a person, and are no zeros.

    Parameters
    ----------
    unscored
        Grade ids without a score, or None for all.
    """

    def __init__(self, unscored: Collection[str] | None = (), **kw: Any) -> None:
        super().__init__(**kw)
        self.unscored = unscored

    def _add_score(self, cell: NotebookNode, resources: dict[str, Any]) -> None:
        super()._add_score(cell, resources)
        grade_id = cell.metadata["nbgrader"]["grade_id"]
        if self.unscored is None or grade_id in self.unscored:
            grade = self.gradebook.find_grade(
                grade_id, self.notebook_id, self.assignment_id, self.student_id
            )
            grade.auto_score, grade.needs_manual_grade = None, True
            self.gradebook.db.commit()
