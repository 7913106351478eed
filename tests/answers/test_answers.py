"""Every right answer passes the visible and hidden checks, every wrong one fails with its message."""

import ast
from pathlib import Path

import pytest

from classroom.judging.trial import Task, judge
from classroom.authoring.preprocessors import cleared
from classroom.authoring.source import NotebookSource, notebook_names, read_source

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
def results():
    """Judge all answers of a notebook at once, when the first of them is asked for."""
    known = {}

    def result(path):
        notebook = path.parts[-3]
        if path not in known:
            tasks = [Task(p.parent.name, p) for p in ANSWERS if p.parts[-3] == notebook]
            judged = judge(ROOT, notebook, tasks)
            known.update({t.path: r for t, r in zip(tasks, judged, strict=True)})
        return known[path]

    return result


@pytest.mark.parametrize("path", ANSWERS, ids=lambda p: "/".join(p.parts[-3:]))
def test_answer(path, results):
    result = results(path)
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
def test_model_answers_and_stubs(name, tmp_path):
    tasks, expected = [], []
    source = read_source(ROOT, name)
    stubs = NotebookSource(name, cleared(source.notebook)).exercises
    for exercise in source.exercises.values():
        model = tmp_path / f"model_{exercise.name}.py"
        model.write_text(exercise.answer)
        stub = tmp_path / f"stub_{exercise.name}.py"
        stub.write_text(stubs[exercise.name].answer)
        tasks += [Task(exercise.name, model), Task(exercise.name, stub)]
        expected += ["right", "not attempted"]
    judged = list(judge(ROOT, name, tasks))
    assert [r["status"] for r in judged] == expected, [r["message"] for r in judged]
    assert all(r["points"] == (r["max_points"] if s == "right" else 0) for r, s in zip(judged, expected, strict=True))
