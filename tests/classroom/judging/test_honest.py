"""Honest students get their points, and both doors give the same verdict."""

import random

import pytest
from course import NAME, ROOT
from habits import ANSWERS, SOURCE, filled, honest_notebooks

from classroom.judging.trial import Task
from classroom.judging.trial import judge as try_answers

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("number", range(3))
def test_honest_students_get_their_points(judge, number):
    """``tests/classroom/honest.py`` does the same for sixty."""
    notebook = list(honest_notebooks(3))[number]
    result = judge.judge_cells(notebook)
    assert result["status"] == "graded", result["reason"]
    assert {n: r["message"] for n, r in result["exercises"].items() if r["status"] != "right"} == {}


@pytest.fixture(scope="module")
def tried():
    """What ``try`` says of two answers of each exercise, judged with one import."""
    tasks = []
    for exercise in SOURCE.exercises:
        paths = sorted((ANSWERS / exercise).glob("*.py"))
        tasks += [Task(exercise, p) for p in random.Random(exercise).sample(paths, 2)]
    return list(zip(tasks, try_answers(ROOT, NAME, tasks), strict=True))


@pytest.mark.parametrize("exercise", SOURCE.exercises)
def test_both_doors_agree(judge, tried, exercise):
    """The ``try`` command and the judge of submissions give the same verdict and message."""
    for path, want in [(task.path, want) for task, want in tried if task.exercise == exercise]:
        got = judge.judge_cells(filled({exercise: path.read_text("utf-8")}), [exercise])
        assert got["status"] == "graded", got["reason"]
        found = got["exercises"][exercise]
        keys = ["status", "points", "max_points", "message"]
        if "in a further case" in want["message"]:  # of a hidden case the judge says the kind alone
            assert "in a further case" in found["message"]
            keys.remove("message")
        assert {k: found[k] for k in keys} == {k: want[k] for k in keys}, path.name
