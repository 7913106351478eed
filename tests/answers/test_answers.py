"""Every right answer passes the visible and hidden checks, every wrong one fails with its message."""

import ast
from pathlib import Path

import pytest
from record import verdicts

from classroom.authoring.preprocessors import cleared
from classroom.authoring.source import NotebookSource, notebook_names, read_source
from classroom.judging.trial import Task

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
NOTEBOOKS = [name for name in notebook_names(ROOT) if read_source(ROOT, name).exercises]
ANSWERS = [path for name in NOTEBOOKS for path in sorted((HERE / name).glob("*/*.py"))]


def docstring_lines(path):
    """The lines ``Mistake:`` and ``Message:`` of a wrong answer's docstring."""
    text = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    rows = (line.split(":", 1) for line in text.splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, value in rows}


@pytest.fixture(scope="session")
def results(tmp_path_factory):
    """All answers, model answers and stubs of a notebook, judged at once when one is asked for."""
    known = {}

    def result(notebook):
        if notebook not in known:
            tasks = [Task(p.parent.name, p) for p in ANSWERS if p.parts[-3] == notebook]
            tasks += made_tasks(notebook, tmp_path_factory.mktemp(notebook))
            judged = verdicts(notebook, tasks)
            known[notebook] = {
                (t.exercise, t.path.stem): r for t, r in zip(tasks, judged, strict=True)
            }
        return known[notebook]

    return result


def made_tasks(notebook, folder):
    """The model answer of each exercise as ``model.py`` and its stub as ``stub.py``."""
    source = read_source(ROOT, notebook)
    stubs = NotebookSource(notebook, cleared(source.notebook)).exercises
    for name, exercise in source.exercises.items():
        (folder / name).mkdir()
        for kind, text in (("model", exercise.answer), ("stub", stubs[name].answer)):
            path = folder / name / f"{kind}.py"
            path.write_text(text, "utf-8")
            yield Task(name, path)


@pytest.mark.parametrize("path", ANSWERS, ids=lambda p: "/".join(p.parts[-3:]))
def test_answer(path, results):
    result = results(path.parts[-3])[path.parent.name, path.stem]
    if path.stem.startswith("right_"):
        assert result["status"] == "right", result["message"]
        assert result["points"] == result["max_points"]
    else:
        docs = docstring_lines(path)
        assert docs["Mistake"], "say which mistake it is"
        assert docs["Message"], "say which words the message must hold"
        assert result["status"] == "wrong", result
        assert result["points"] < result["max_points"] or result["max_points"] == 0
        assert docs["Message"].lower() in result["message"].lower(), result["message"]
        assert len(result["message"].splitlines()) <= 8
        assert "Traceback" not in result["message"]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_enough_answers(name):
    for exercise in read_source(ROOT, name).exercises:
        folder = HERE / name / exercise
        assert len(list(folder.glob("right_*.py"))) >= 3, exercise
        assert len(list(folder.glob("wrong_*.py"))) >= 5, exercise


@pytest.mark.parametrize("name", NOTEBOOKS)
@pytest.mark.parametrize(("kind", "status"), [("model", "right"), ("stub", "not attempted")])
def test_model_answers_and_stubs(name, kind, status, results):
    judged = [results(name)[exercise, kind] for exercise in read_source(ROOT, name).exercises]
    assert {r["status"] for r in judged} == {status}, [r["message"] for r in judged]
    assert all(r["points"] == (r["max_points"] if kind == "model" else 0) for r in judged)
