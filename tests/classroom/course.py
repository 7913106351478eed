"""A course folder with a release, and submissions made from it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat

from classroom.authoring.build import ONE_THREAD, write_notebook
from classroom.authoring.source import read_source

ROOT = Path(__file__).resolve().parents[2]
NAME = "01_self_attention"


class Course:
    """A small nbgrader course in a folder of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.source = read_source(ROOT, NAME)
        shutil.copy(ROOT / "nbgrader_config.py", folder)
        (folder / "solutions" / NAME).mkdir(parents=True)
        write_notebook(self.source.notebook, folder / "solutions" / NAME / f"{NAME}.ipynb")
        self.nbgrader("generate_assignment", NAME, "--force")

    def nbgrader(self, *arguments):
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # alembic
        done = subprocess.run(
            [sys.executable, "-m", "nbgrader", *arguments],
            cwd=self.folder,
            env=os.environ | ONE_THREAD | {"PATH": path, "MPLBACKEND": "Agg"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr[-3000:]

    def released_text(self):
        """All text that a student has anyway."""
        path = self.folder / "notebooks" / NAME / f"{NAME}.ipynb"
        return "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells)

    def submit(self, student, answers, written=None):
        """Fill the release; ``answers`` maps an exercise to its whole cell."""
        path = self.folder / "notebooks" / NAME / f"{NAME}.ipynb"
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
            if answers.get(grade_id) is not None:
                cell.source = answers[grade_id]
            if written and grade_id in self.source.written:
                cell.source = written
        target = self.folder / "submitted" / student / NAME
        target.mkdir(parents=True)
        nbformat.write(notebook, target / f"{NAME}.ipynb")
