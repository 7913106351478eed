"""A small simulated class from the LMS's zip to report and CSV, with the real judge."""

import csv
import json

import pytest
from canned import scores
from course import ROOT

from classroom.__main__ import main
from classroom.authoring.source import read_source
from classroom.demo import ASSIGNMENT, DUE, KINDS, make_demo_class
from classroom.gradebook.workspace import Class

CHOSEN = ("half done", "metadata lost", "crash", "patches the checks", "file cut off")
SMALL = [k for k in KINDS if k.name in CHOSEN]
SOURCE = read_source(ROOT, ASSIGNMENT)
CHECKS = {key: most for e in SOURCE.exercises.values() for key, most in e.points.items()}


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """Kind of student -> grade id -> (automatic score, manual score, waits)."""
    workspace = tmp_path_factory.mktemp("demo") / "class"
    submissions = make_demo_class(ROOT, workspace, [*SMALL])
    arguments = ["grade", ASSIGNMENT, str(submissions), "--workspace", str(workspace), "--due", DUE]
    assert main(arguments) == 0
    found = scores(Class(ROOT, workspace), ASSIGNMENT)
    by_kind = {}
    for student, got in found.items():
        (kind,) = [k for k in SMALL if student.endswith(k.name.replace(" ", "-"))]
        by_kind.setdefault(kind, []).append((student, got))
    return workspace, by_kind


@pytest.mark.slow
def test_every_student_gets_what_is_expected(graded):
    _, by_kind = graded
    assert by_kind.keys() == set(SMALL)
    for kind, students in by_kind.items():
        assert len(students) == kind.number
        for student, got in students:
            automatic = [got[key][0] for key in CHECKS]
            if kind.expect == "full":
                assert {key: got[key][0] for key in CHECKS} == CHECKS, student
            elif kind.expect == "some":
                assert 0 < sum(automatic) < sum(CHECKS.values()), student
            elif kind.expect == "none":
                assert automatic == [0] * len(CHECKS), student
            elif kind.expect == "no score":  # of one exercise at least: then there is no total
                assert None in automatic, student
            else:
                assert not any(automatic), student


@pytest.mark.slow
def test_everything_is_written(graded):
    workspace, by_kind = graded
    students = {student for found in by_kind.values() for student, _ in found}
    for student in students:
        assert (workspace / "feedback" / student / ASSIGNMENT / f"{ASSIGNMENT}.html").is_file()
        told = json.loads((workspace / "results" / student / f"{ASSIGNMENT}.json").read_text())
        assert told["status"] == "graded" or told["reason"]
    report = (workspace / "reports" / f"{ASSIGNMENT}.html").read_text("utf-8")
    assert all(student in report for student in students)
    with open(workspace / "grades.csv", newline="", encoding="utf-8") as file:
        rows = {r["student_id"]: r["score"] for r in csv.DictReader(file)}
    assert rows.keys() == students
    for kind, found in by_kind.items():
        for student, _ in found:
            if kind.expect == "no score":
                assert rows[student] == ""
