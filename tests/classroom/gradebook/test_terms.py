"""Exercises over terms, from gradebooks that hold known scores."""

import csv
import math
import os
import sys
from pathlib import Path

import pytest
from nbgrader.api import Gradebook

from classroom.gradebook.terms import read_terms, write_terms

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")
POINTS = {"first_check": 2, "second_check_a": 1, "second_check_b": 3}
EVIL = "<script>x</script>"


def gradebook(path, students):
    """One assignment; ``students`` maps a name to the scores of the check cells."""
    path.parent.mkdir(parents=True)
    with Gradebook(f"sqlite:///{path}") as book:
        book.add_assignment("nb")
        book.add_notebook("nb", "nb")
        for name, most in POINTS.items():
            book.add_grade_cell(name, "nb", "nb", max_score=most, cell_type="code")
        book.add_grade_cell("written_1", "nb", "nb", max_score=5, cell_type="markdown")
        for student, scores in students.items():
            book.add_student(student)
            book.add_submission("nb", student)
            for name, score in scores.items():
                grade = book.find_grade(name, "nb", "nb", student)
                grade.auto_score, grade.needs_manual_grade = score, False
            book.find_grade("written_1", "nb", "nb", student).needs_manual_grade = True
        book.db.commit()


def scores(first, second):
    return {"first_check": first, "second_check_a": second / 4, "second_check_b": 3 * second / 4}


@pytest.fixture
def terms(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    rows = {f"s{i}": scores(2 if i > 4 else 0, 4 if i > 2 else 0) for i in range(12)}
    gradebook(tmp_path / "autumn" / "gradebook.db", rows)
    rows = {f"t{i}": scores(0 if i else 2, 4 if i > 6 else 0) for i in range(12)}
    rows["t3"]["first_check"] = None
    gradebook(tmp_path / EVIL.replace("/", "") / "gradebook.db", rows)
    return [str(p.parent) for p in sorted(tmp_path.glob("*/gradebook.db"))]


def test_numbers_from_the_gradebook(terms):
    other, autumn = read_terms(terms)
    assert autumn.term == "autumn"
    assert list(autumn.items) == ["first", "second"]
    assert autumn.items["first"].difficulty == pytest.approx(7 / 12)
    assert autumn.items["second"].difficulty == pytest.approx(9 / 12)
    assert 0 < autumn.items["first"].low < autumn.items["first"].discrimination < 1
    assert len(other.items["first"].shares) == 11  # one has no score, which is not zero
    assert 0 < autumn.alpha < 1


def test_page_and_table(terms, tmp_path):
    page, table = write_terms(["a=" + terms[1], "b=" + terms[0]], tmp_path / "out" / "terms.html")
    text = page.read_text("utf-8")
    assert "<b>-0.49</b>" in text
    assert "default-src 'none'" in text
    rows = list(csv.DictReader(table.open()))
    assert [(r["term"], r["exercise"]) for r in rows][:2] == [("a", "first"), ("a", "second")]
    assert math.isclose(float(rows[0]["difficulty"]), 7 / 12, abs_tol=1e-3)
    assert EVIL not in write_terms(terms, tmp_path / "x.html")[0].read_text("utf-8")


def test_what_is_no_gradebook(terms, tmp_path):
    with pytest.raises(FileNotFoundError, match="no gradebook at"):
        read_terms([str(tmp_path / "nothing")])
    broken = tmp_path / "broken.db"
    broken.write_text("not a database, and long enough to be looked at as one " * 20)
    with pytest.raises(ValueError, match="is no gradebook"):
        read_terms([str(broken)])
    with pytest.raises(ValueError, match="write NAME=PATH"):
        read_terms([f"x={terms[0]}", f"x={terms[1]}"])
