"""Whole submissions: the gate, follow-through, helpers of one's own."""

import pytest
from course import NAME, ROOT
from habits import SOURCE, filled, release

from classroom.authoring.source import NotebookSource
from classroom.judging.judge import Judge

pytestmark = pytest.mark.slow


def test_gate(judge):
    judge.gate()


def test_the_gate_refuses_checks_that_do_not_work():
    judge = Judge(ROOT, NAME)  # the examiner gets the checks when it starts
    first = next(iter(judge.source.exercises.values()))
    key = next(iter(first.checks))
    cell = next(
        c
        for c in judge.source.notebook.cells
        if c.metadata.get("nbgrader", {}).get("grade_id") == key
    )
    cell.source += "\nimport a_package_that_is_missing"
    with judge, pytest.raises(RuntimeError, match=first.name):
        judge.gate()


def test_the_release_is_not_attempted(judge):
    result = judge.judge_cells(release())
    assert result["status"] == "graded"
    assert {r["status"] for r in result["exercises"].values()} == {"not attempted"}
    assert sum(r["points"] for r in result["exercises"].values()) == 0


def test_follow_through(judge):
    """A wrong earlier answer costs its own points, not those of the exercise that calls it."""
    wrong = (
        "def scaled_dot_product_attention(q, k, v, attn_mask=None, scale=None):\n    return v, q"
    )
    user = SOURCE.exercises["MultiHeadSelfAttention"].answer
    assert "scaled_dot_product_attention(" in user
    result = judge.judge_cells(
        filled({"scaled_dot_product_attention": wrong}),
        ["scaled_dot_product_attention", "MultiHeadSelfAttention"],
    )
    found = result["exercises"]
    assert found["scaled_dot_product_attention"]["points"] == 0
    assert found["MultiHeadSelfAttention"]["points"] == 8
    assert found["MultiHeadSelfAttention"]["follow_through"]


def test_model_answers_are_never_quoted(judge):
    """A failing answer that prints its surroundings meets no model answer in its message."""
    spy = """
def masked_mean_pool(x, is_token):
    raise RuntimeError("SEEN " + str(scaled_dot_product_attention.__code__.co_varnames))
"""
    name = "scaled_dot_product_attention"
    stub = NotebookSource(NAME, release()).exercises[name].answer
    result = judge.judge_cells(
        filled({name: stub, "masked_mean_pool": spy}),
        [name, "masked_mean_pool"],
    )
    message = result["exercises"]["masked_mean_pool"]["message"]
    assert "SEEN" in message
    assert "scores" not in message  # a name inside the model answer


def test_own_cells_and_helpers_are_used(judge):
    helper = "def my_mean(x, m):\n    return (x * m).sum(1) / m.sum(1).clamp(min=1)"
    answer = (
        "def masked_mean_pool(x, is_token):\n    return my_mean(x, is_token[..., None].to(x.dtype))"
    )
    result = judge.judge_cells(filled({"masked_mean_pool": answer}, [helper]), ["masked_mean_pool"])
    assert result["exercises"]["masked_mean_pool"]["points"] == 3


def test_a_slow_earlier_answer_costs_no_later_one(strict_judge):
    """An answer that only calls what is slow is judged with the model's earlier answers, too."""
    name, later = "scaled_dot_product_attention", "MultiHeadSelfAttention"
    slow = f"""
import time
def {name}(query, key, value, attn_mask=None, scale=None):
    end = time.process_time() + 2
    while time.process_time() < end:
        pass
    scores = query @ key.transpose(-2, -1) * (scale or query.shape[-1] ** -0.5)
    weights = scores.softmax(-1)
    return weights @ value, weights
"""
    found = strict_judge.judge_cells(filled({name: slow}), [name, later])["exercises"]
    assert found[name]["status"] == "failed"
    assert found[later]["status"] == "right"
    assert found[later]["follow_through"]
