"""What nbgrader does to a solution notebook when it makes the student release, in our words."""

from __future__ import annotations

from typing import Any

from nbformat import NotebookNode
from nbgrader import utils
from nbgrader.preprocessors import ClearSolutions, NbGraderPreprocessor

__all__ = ["ClearAnswers", "TagForStudents"]


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
    """Tag the cells that may raise while an exercise is unsolved, so that *Run all* goes on.

    These are the check cells, the cells tagged ``needs-answer`` and the stubs of constants, which raise
    when they run. In the solution these cells stay untagged: there nothing may raise.
    """

    def preprocess_cell(
        self, cell: NotebookNode, resources: dict[str, Any], cell_index: int
    ) -> tuple[NotebookNode, dict[str, Any]]:
        tags = list(cell.metadata.get("tags", []))
        raises_at_once = "\nraise NotImplementedError(" in f"\n{cell.source}"
        if cell.cell_type == "code" and (
            utils.is_grade(cell) or "needs-answer" in tags or raises_at_once
        ):
            cell.metadata["tags"] = sorted({*tags, "raises-exception"})
        return cell, resources
