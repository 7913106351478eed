"""An untouched release runs from top to bottom; only stubs and what needs them may raise."""

import re
from pathlib import Path

import nbformat
import pytest

from classroom.authoring.build import execute
from classroom.authoring.source import read_source

ROOT = Path(__file__).resolve().parents[2]
STUB = re.compile(
    r"(\w+: not written yet|\w+: not attempted yet\.|\w+: needs `\w+`, which is not written yet\.)"
)


@pytest.mark.slow
def test_an_untouched_release_runs(notebook_name, tmp_path):
    path = ROOT / "notebooks" / notebook_name / f"{notebook_name}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    execute(notebook, notebook_name, folder=tmp_path, allow_errors=True, progress=False)
    source = read_source(ROOT, notebook_name)
    raised = set()
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                assert STUB.fullmatch(output.evalue), (
                    f"{output.ename}: {output.evalue}\n{cell.source}"
                )
                assert "raises-exception" in cell.metadata.get("tags", []), cell.source
                assert len("\n".join(output.traceback)) < 200, output.traceback
                raised.add(cell.metadata.get("nbgrader", {}).get("grade_id"))
    checks = {key for exercise in source.exercises.values() for key in exercise.checks}
    assert checks <= raised
    summary = "\n".join(o.get("text", "") for c in notebook.cells for o in c.get("outputs", []))
    assert summary.count("not attempted") >= len(source.exercises)
