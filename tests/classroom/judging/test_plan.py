"""Which cells of a submission run, and files that are no notebooks."""

import pytest
from course import NAME, ROOT
from habits import SOURCE, filled

from classroom.judging.judge import Judge, plan_of


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
