"""nbgrader's own exchange between an instructor and two students, each with a home of their own.

Released, fetched, submitted and collected with nbgrader's commands; graded with the course's; the
feedback goes back the way it came.
"""

import os
import shutil
import sys
from pathlib import Path

import nbformat
import pytest
from canned import result
from course import NAME, ROOT
from jupyter_core.application import NoStart
from nbgrader.apps.nbgraderapp import NbGraderApp

from classroom.authoring.source import read_source
from classroom.gradebook.feedback import feedback
from classroom.gradebook.results import read_submissions, write_result
from classroom.gradebook.workspace import Class
from classroom.intake.collect import collect
from classroom.intake.repair_all import repair_all

SOURCE = read_source(ROOT, NAME)
COURSE = "attention-in-medicine"
EXERCISE = "masked_mean_pool"
pytestmark = pytest.mark.filterwarnings("ignore")


class User:
    """Somebody with a home, who runs nbgrader's commands there."""

    def __init__(self, name, base, exchange, monkeypatch):
        self.name, self.home, self.patch = name, base / name, monkeypatch
        self.exchange = exchange
        self.home.mkdir()

    def nbgrader(self, *words, at=None):
        with self.patch.context() as here:
            here.chdir(at or self.home)
            for key, value in {
                "HOME": self.home,
                "JUPYTERHUB_USER": self.name,
                "JUPYTER_DATA_DIR": self.home / ".local",
                "JUPYTER_CONFIG_DIR": self.home / ".jupyter",
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            }.items():
                here.setenv(key, str(value))
            # As in a container of a JupyterHub, where everybody's system name is jovyan.
            here.setattr("nbgrader.utils.get_osusername", lambda: "jovyan")
            here.setattr("nbgrader.utils.find_owner", lambda path: "jovyan")
            NbGraderApp.clear_instance()
            app = NbGraderApp.instance()
            app.initialize([*words, f"--Exchange.root={self.exchange}"])
            code = None
            try:
                app.start()
            except NoStart:  # it ran the subcommand
                pass
            except SystemExit as end:
                code = end.code
            finally:
                type(app.subapp).clear_instance()
                NbGraderApp.clear_instance()
            assert not code, f"nbgrader {' '.join(words)}: {code}"

    def answer(self, text):
        path = self.home / NAME / f"{NAME}.ipynb"
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            if cell.metadata.get("nbgrader", {}).get("grade_id") == EXERCISE:
                cell.source = text
        nbformat.write(notebook, path)


@pytest.mark.slow
def test_there_and_back(tmp_path, monkeypatch):
    exchange = tmp_path / "exchange"
    exchange.mkdir()
    exchange.chmod(0o777)
    prof, ann, bob = (User(n, tmp_path, exchange, monkeypatch) for n in ("prof", "ann", "bob"))
    course = prof.home / "course"
    (course / "notebooks").mkdir(parents=True)
    shutil.copy(ROOT / "nbgrader_config.py", course)
    shutil.copytree(ROOT / "notebooks" / NAME, course / "notebooks" / NAME)

    prof.nbgrader("release_assignment", NAME, at=course)
    answers = {"ann": SOURCE.exercises[EXERCISE].answer, "bob": "def masked_mean_pool(x, m): x"}
    for user in (ann, bob):
        user.nbgrader("fetch_assignment", NAME, "--course", COURSE)
        user.answer(answers[user.name])
        user.nbgrader("submit", NAME, "--course", COURSE)
    assert not (ann.home / NAME / "solutions").exists()
    prof.nbgrader("collect", NAME, at=course)
    assert sorted(p.name for p in (course / "submitted").iterdir()) == ["ann", "bob"]

    workspace = course / "grading"
    summary = collect(course / "submitted", NAME, workspace, root=ROOT, progress=False)
    assert summary.students == ["ann", "bob"]
    repair_all(ROOT, workspace, NAME, progress=False)
    klass = Class(ROOT, workspace)
    klass.prepare(NAME)
    for submission in read_submissions(workspace, NAME):
        told = result(SOURCE, {EXERCISE: "right" if submission.student == "ann" else "wrong"})
        told |= {"student": submission.student, "repairs": [], "remarks": []}
        write_result(workspace, submission.student, NAME, told | {"fingerprint": "x"})
        notebook = nbformat.read(submission.notebook, as_version=4)
        klass.record(NAME, submission.student, notebook, told, submission.timestamp)
        assert submission.timestamp  # nbgrader's, for its late policy
    assert len(feedback(ROOT, workspace, NAME, progress=False)) == 2

    prof.nbgrader("release_feedback", NAME, at=workspace)
    pages = {}
    for user in (ann, bob):
        user.nbgrader("fetch_feedback", NAME, "--course", COURSE)
        (page,) = (user.home / NAME / "feedback").glob(f"*/{NAME}.html")
        pages[user.name] = page.read_text("utf-8")
    assert "Feedback for ann" in pages["ann"]
    assert "bob" not in pages["ann"]
    assert "Score: 3 / " in pages["ann"]
    assert "Score: 0 / " in pages["bob"]
