"""Hostile submissions of notebook 01: no point that was not earned, or a flag with its reason.

Every notebook is the model solution with something bad in one cell. ``TARGET`` is the exercise
that the bad code wants to win without an answer; ``BYSTANDER`` is an honest one that must keep its
points wherever the box survives. ``HOSTILE_TABLE=file`` writes what became of each, a JSON line a
submission.
"""

import copy
import json
import os

TARGET, BYSTANDER = "masked_mean_pool", "attention_entropy"
WRONG = "def masked_mean_pool(x, is_token):\n    return x.mean(1)\n"
ZEROS = "def masked_mean_pool(x, is_token):\n    return torch.zeros_like(x[:, 0])\n"
TELL = """
def masked_mean_pool(x, is_token):
    raise RuntimeError("SEEN " + str(look()))
"""


def submit(judge, answer, *, exercise=TARGET, others=None, only=(TARGET,), cells=()):
    """Judge the model solution with ``answer`` in one cell and ``cells`` put in front of it."""
    notebook = copy.deepcopy(judge.source.notebook)
    answers = {exercise: answer} | (others or {})
    for number, cell in enumerate(notebook.cells):
        key = cell.metadata.get("nbgrader", {}).get("grade_id")
        if key in answers:
            cell.source = answers[key]
        if key == exercise:
            place = number
    for text in reversed(cells):
        extra = copy.deepcopy(notebook.cells[place])
        extra.metadata, extra.id, extra.source = type(extra.metadata)(), "extra", text
        notebook.cells.insert(place, extra)
    result = judge.judge_cells(notebook, only)
    if os.environ.get("HOSTILE_TABLE"):
        with open(os.environ["HOSTILE_TABLE"], "a") as table:
            name = os.environ["PYTEST_CURRENT_TEST"].split("::")[-1].split(" ")[0]
            found = {
                n: [r["status"], r["points"], r["message"]] for n, r in result["exercises"].items()
            }
            table.write(json.dumps([name, result["status"], result["reason"], found]) + "\n")
    return result


def unearned(result, exercise=TARGET):
    """Whether the exercise counts although it was not answered."""
    return result["status"] == "graded" and result["exercises"][exercise]["points"] > 0


def said(result):
    """What a looking answer has seen."""
    message = result["exercises"][TARGET]["message"]
    assert "SEEN" in message, message
    return " ".join(message.split("SEEN", 1)[1].split())
