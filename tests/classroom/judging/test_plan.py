"""Which cells of a submission run, and files that are no notebooks."""

import pytest
from course import NAME, ROOT
from habits import SOURCE, filled

from classroom.judging.examination import Submission, calls_earlier
from classroom.judging.judge import Judge, plan_of
from classroom.judging.sandbox import Limits
from classroom.judging.trial import notebook_spec


def test_only_answers_and_own_cells_run():
    plan = plan_of(SOURCE.notebook, SOURCE)
    names = list(SOURCE.exercises)
    for number, name in enumerate(names):
        before = plan["cells"][: plan["ends"][name]]
        assert [c["answer"] for c in before if c["part"] != "given"] == names[: number + 1]


def test_own_cells_run_whole_and_changed_ones_give_definitions():
    own = "helper = 1\n%matplotlib inline\n!pip install x\nother = 2"
    notebook = filled({}, added=[own])
    given = next(
        c for c in notebook.cells if c.cell_type == "code" and c.source.startswith("options =")
    )
    given.source += "\ndef my_helper():\n    return 1\n"
    parts = {c["source"]: c["part"] for c in plan_of(notebook, SOURCE)["cells"]}
    assert parts[own] == "whole"
    assert parts[given.source] == "definitions"


def test_given_constants_are_there_and_what_takes_long_is_named():
    answer = "def masked_mean_pool(x, y): return D_MODEL, train_notes"
    plan = plan_of(filled({"masked_mean_pool": answer}), SOURCE)
    texts = [c["source"] for c in plan["cells"] if c["part"] == "given" and c["source"]]
    assert any(t.startswith("D_MODEL, D_FF") for t in texts)
    assert not any("make_clinical_notes(" in t for t in texts)
    assert "train_notes" in plan["absent"]


def test_check_cells_never_run():
    notebook = filled({f"{name}_check": "raise SystemExit" for name in SOURCE.exercises})
    assert not [c for c in plan_of(notebook, SOURCE)["cells"] if "SystemExit" in c["source"]]


def reaches(name, answers, added=()):
    """Whether earlier answers can matter to an exercise of a submission."""
    exercises = {e["name"]: e for e in notebook_spec(SOURCE)["exercises"]}
    plan = plan_of(filled(answers, added), SOURCE)
    return calls_earlier(Submission(Limits(), plan, {}, exercises), name)


@pytest.mark.parametrize(
    ("answer", "added", "wanted"),
    [
        ("def f1_scores(labels, predictions): return 1", "", False),
        ("def f1_scores(labels, predictions): return masked_mean_pool(labels)", "", True),
        ("def f1_scores(labels, predictions): return mine(labels)", "", False),
        ("def f1_scores(labels, predictions): return mine(labels)", "mine = EncoderBlock", True),
        ("def f1_scores(labels, predictions): return globals()['masked_' + 'mean_pool']", "", True),
    ],
)
def test_an_exercise_is_followed_only_when_earlier_ones_can_matter(answer, added, wanted):
    assert reaches("f1_scores", {"f1_scores": answer}, [added]) is wanted


def test_an_answer_in_another_cell_is_looked_at_there():
    both = "def twice(x): return masked_mean_pool(x)\ndef f1_scores(a, b): return twice(a)"
    assert reaches("f1_scores", {"multilabel_loss": both, "f1_scores": "pass"})


@pytest.mark.parametrize("text", ["", "{", "[]", '{"cells": 3}', "\x00" * 50, '{"nbformat": 99}'])
def test_a_damaged_file_fails_with_its_reason(tmp_path, text):
    path = tmp_path / "x.ipynb"
    path.write_text(text)
    result = Judge(ROOT, NAME).judge(path)
    assert result["status"] == "failed"
    assert result["reason"]


def test_an_unknown_assignment_is_refused():
    with pytest.raises(ValueError, match="99_nothing"):
        Judge(ROOT, "99_nothing")
