"""What nbgrader does to our notebooks: releasing, executing submissions, giving feedback."""

from __future__ import annotations

from typing import Any

from nbformat import NotebookNode
from nbgrader import utils
from nbgrader.preprocessors import (
    ClearHiddenTests,
    ClearSolutions,
    Execute,
    NbGraderPreprocessor,
)

__all__ = ["ClearAnswers", "ExecuteAnswers", "HideChecks", "TagForStudents"]

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
