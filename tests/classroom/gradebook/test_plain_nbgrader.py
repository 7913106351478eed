"""A perfect, a blank, a partly right and a wrong submission through nbgrader as it comes."""

import re
from pathlib import Path

import pytest
from course import NAME, ROOT

STUDENTS = ("perfect", "blank", "partly", "wrong")


def wrong_answer(exercise):
    """A wrong answer that defines nothing but its exercise."""
    folder = ROOT / "tests" / "answers" / NAME / exercise
    return sorted(folder.glob("wrong_*.py"))[0].read_text("utf-8")


@pytest.fixture(scope="module")
def graded(course):
    exercises = course.source.exercises
    model = {name: e.answer for name, e in exercises.items()}
    half = dict(list(model.items())[::2])
    half |= {name: wrong_answer(name) for name in list(model)[3:4]}
    course.submit("perfect", model, "Because the scores grow with the width of the head.")
    course.submit("blank", {})
    course.submit("partly", half, "I think so.")
    course.submit("wrong", {name: wrong_answer(name) for name in exercises})
    course.nbgrader("autograde", NAME)
    course.nbgrader("generate_feedback", NAME)
    return course, half


@pytest.fixture(scope="module")
def scores(graded):
    """student -> grade id -> (automatic score, maximum, waits for a person)."""
    from nbgrader.api import Gradebook

    course, _ = graded
    with Gradebook(f"sqlite:///{course.folder / 'gradebook.db'}", "attention-in-medicine") as book:
        return {
            student: {
                g.name: (g.auto_score, g.max_score, g.needs_manual_grade)
                for g in book.find_submission(NAME, student).notebooks[0].grades
            }
            for student in STUDENTS
        }


@pytest.mark.slow
def test_every_point_is_as_it_should_be(graded, scores):
    course, half = graded
    wrong_in_half = list(course.source.exercises)[3]
    for name, exercise in course.source.exercises.items():
        for key, points in exercise.points.items():
            assert scores["perfect"][key] == (points, points, False), key
            assert scores["blank"][key] == (0, points, False), key
            right = name in half and name != wrong_in_half
            if right:
                assert scores["partly"][key][0] == points, key
            elif name == wrong_in_half or name not in half:
                assert scores["partly"][key][0] < points or exercise.points.__len__() > 1, key
    earned = sum(scores["wrong"][k][0] for e in course.source.exercises.values() for k in e.points)
    whole = sum(sum(e.points.values()) for e in course.source.exercises.values())
    assert earned < 0.2 * whole
    for exercise in course.source.exercises.values():
        assert sum(scores["wrong"][k][0] for k in exercise.points) < sum(exercise.points.values())


@pytest.mark.slow
def test_written_answers_wait_for_a_person(graded, scores):
    course, _ = graded
    for key, points in course.source.written.items():
        assert scores["perfect"][key] == (None, points, True)
        assert scores["partly"][key] == (None, points, True)
        assert scores["blank"][key][0] == 0


@pytest.mark.slow
@pytest.mark.parametrize("student", STUDENTS)
def test_feedback_shows_no_hidden_check(graded, student):
    course, _ = graded
    page = Path(course.folder / "feedback" / student / NAME / f"{NAME}.html").read_text("utf-8")
    text = re.sub(r"<[^>]+>", "", page)
    released = course.released_text()
    assert "BEGIN HIDDEN" not in text
    assert "checks.hidden" not in text
    for exercise in course.source.exercises.values():
        for check in exercise.checks.values():
            hidden = check.split("### BEGIN HIDDEN TESTS")[1].splitlines()[2:-1]
            lines = [line.strip() for line in hidden if len(line.strip()) > 40]
            assert not [line for line in lines if line in text and line not in released]
    if student == "wrong":
        assert "not right yet" in text
    if student == "blank":
        assert "not attempted yet" in text
