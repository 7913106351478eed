"""CSV for nbgrader, Canvas and Moodle: no score is an empty cell, and no name is a formula."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest
from canned import result
from course import NAME, ROOT

from classroom.authoring.source import read_source
from classroom.gradebook.export import (
    NBGRADER,
    ROSTER,
    _write_canvas,
    export,
    read_roster,
    safe,
)
from classroom.gradebook.workspace import Class

SOURCE = read_source(ROOT, NAME)
WARM_UP = "00_start_here"


def table(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """Of notebook 01 ann has half, bob failed, cy was flagged and dan gave nothing."""
    other = "03_multimodal_fusion_ecg"
    klass = Class(ROOT, tmp_path_factory.mktemp("export"))
    for name in (WARM_UP, NAME, other):
        release, source = klass.prepare(name), read_source(ROOT, name)
        for student in ("ann", "bob", "cy"):
            found = result(source)
            if name == NAME and student == "ann":
                found = result(source, dict.fromkeys(source.exercises, 0.5))
            if name == NAME and student == "bob":
                found = result(source, status="failed", reason="It never ended.")
            if name == NAME and student == "cy":
                found = result(source, status="flagged", reason="It patches the checks.")
            klass.record(name, student, release, found)
    roster = klass.workspace / "roster.csv"
    roster.write_text(
        "student_id,first_name,last_name,email,canvas_id\n"
        'ann,Ann,"=HYPERLINK(""http://x"")",ann@uni.example,17\n'
        "dan,Dan,+Doe,dan@uni.example,18\n",
        encoding="utf-8",
    )
    export(ROOT, klass.workspace, roster=roster)
    return klass, other


def test_nbgraders_layout(graded):
    klass, _ = graded
    rows = {(r["assignment"], r["student_id"]): r for r in table(klass.workspace / "grades.csv")}
    assert ",".join(next(iter(rows.values()))) == (
        "assignment,duedate,timestamp,student_id,last_name,first_name,email,raw_score,"
        "late_submission_penalty,score,max_score"
    )
    most = sum(sum(e.points.values()) for e in SOURCE.exercises.values())
    assert float(rows[NAME, "ann"]["score"]) == most / 2
    assert float(rows[NAME, "ann"]["max_score"]) == most + sum(SOURCE.written.values())
    for student in ("bob", "cy", "dan"):
        assert rows[NAME, student]["score"] == rows[NAME, student]["raw_score"] == ""


def test_nbgraders_own_command_writes_no_zero_either(graded):
    klass, _ = graded
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(
        [sys.executable, "-m", "nbgrader", "export", "--to", "own.csv"],
        cwd=klass.workspace,
        env=os.environ | {"PATH": path},
        check=True,
        capture_output=True,
    )
    own, ours = (klass.workspace / name for name in ("own.csv", "grades.csv"))
    assert own.read_text("utf-8") == ours.read_text("utf-8")


def test_canvas_and_moodle(graded):
    klass, other = graded
    rows = table(klass.workspace / "grades_canvas.csv")
    assert rows[0]["Student"] == "Points Possible"
    assert float(rows[0][NAME]) == 68  # 61 for exercises, 7 for written answers
    by_login = {r["SIS Login ID"]: r for r in rows[1:]}
    assert by_login["ann"]["ID"] == "17"
    assert by_login["bob"][NAME] == ""
    assert float(by_login["bob"][other]) > 0
    by_name = {r["Username"]: r for r in table(klass.workspace / "grades_moodle.csv")}
    assert by_name["ann"]["Email address"] == "ann@uni.example"
    assert by_name["cy"][f"{NAME} (Real)"] == ""
    assert float(by_name["ann"][f"{NAME} (Real)"]) == 30.5  # half of 61


def test_notebooks_weigh_equally_in_the_course_grade(graded):
    klass, other = graded
    rows = {r["student_id"]: r for r in table(klass.workspace / "grades_course.csv")}
    assert WARM_UP not in rows["ann"]  # it has no points
    shares = [float(rows["ann"][name]) for name in (NAME, other)]
    assert float(rows["ann"]["course_percent"]) == pytest.approx(sum(shares) / 2, abs=1e-3)
    assert rows["bob"]["course_percent"] == ""
    assert rows["bob"]["without_score"] == NAME
    assert float(rows["dan"]["course_percent"]) == 0
    assert NAME in rows["dan"]["not_submitted"]


def test_a_spreadsheet_sees_no_formula(graded):
    klass, _ = graded
    for name in ("grades", "grades_canvas", "grades_moodle", "grades_course"):
        with open(klass.workspace / f"{name}.csv", newline="", encoding="utf-8") as file:
            cells = [cell for row in csv.reader(file) for cell in row]
        assert not [c for c in cells if c.lstrip()[:1] in ("=", "+", "-", "@")]
    assert any(r["last_name"] == "'+Doe" for r in table(klass.workspace / "grades.csv"))


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "  =1", "\r=1"])
def test_dangerous_text_is_marked(text):
    assert safe(text) == f"'{text}"


@pytest.mark.parametrize(
    ("value", "text"), [(None, ""), ("", ""), (0.0, "0"), (2.5, "2.5"), ("Ann", "Ann")]
)
def test_plain_values_stay(value, text):
    assert safe(value) == text


def test_a_bad_roster_is_named(tmp_path):
    path = tmp_path / "roster.csv"
    path.write_text("name\nann\n")
    with pytest.raises(ValueError, match="needs a column student_id"):
        read_roster(path)
    path.write_text("student_id\nann\nann\n")
    with pytest.raises(ValueError, match="'ann' twice"):
        read_roster(path)


def test_nothing_graded_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match="no grades"):
        export(ROOT, tmp_path)


@pytest.mark.parametrize(
    "text", ["2026-01-30", "1-2", "3/4", "Mar 1", "MAR1", "1E5", "007", "Dec-12"]
)
def test_what_looks_like_a_date_or_a_number_goes_out_as_it_came(text, tmp_path):
    """Canvas matches students by these texts; it takes them in without a spreadsheet."""
    assert safe(text) == text
    known = {text: dict.fromkeys(ROSTER, "") | {"sis_user_id": text, "canvas_id": text}}
    row = dict.fromkeys(NBGRADER) | {"student_id": text, "assignment": "a", "max_score": 5.0}
    _write_canvas(tmp_path / "canvas.csv", [row | {"score": 4.5}], known)
    with (tmp_path / "canvas.csv").open(encoding="utf-8", newline="") as file:
        (_, mine) = csv.DictReader(file)
    assert [mine[c] for c in ("ID", "SIS User ID", "SIS Login ID", "a")] == [text] * 3 + ["4.5"]
