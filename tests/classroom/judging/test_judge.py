"""Whole submissions: the gate, honest students, follow-through, and both doors agree."""

import copy
import random

import nbformat
import pytest
from course import NAME, ROOT

from classroom.authoring.preprocessors import cleared
from classroom.authoring.source import NotebookSource, read_source
from classroom.judging.judge import Judge, plan_of
from classroom.judging.trial import Task
from classroom.judging.trial import judge as try_answers

ANSWERS = ROOT / "tests" / "answers" / NAME
SOURCE = read_source(ROOT, NAME)


@pytest.fixture(scope="module")
def judge():
    with Judge(ROOT, NAME) as judge:
        yield judge


def filled(answers, added=()):
    """Fill the model solution with other answers; ``added`` cells come first."""
    notebook = copy.deepcopy(SOURCE.notebook)
    for cell in notebook.cells:
        key = cell.metadata.get("nbgrader", {}).get("grade_id")
        if key in answers:
            cell.source = answers[key]
    notebook.cells[3:3] = [nbformat.v4.new_code_cell(text) for text in added]
    return notebook


def release():
    return cleared(SOURCE.notebook)


def right(exercise):
    return sorted((ANSWERS / exercise).glob("right_*.py"))


# --- which cells run ----------------------------------------------------------------------------


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


# --- files that are no notebooks ----------------------------------------------------------------


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


# --- judged -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_gate(judge):
    judge.gate()


@pytest.mark.slow
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


@pytest.mark.slow
def test_the_release_is_not_attempted(judge):
    result = judge.judge_cells(release())
    assert result["status"] == "graded"
    assert {r["status"] for r in result["exercises"].values()} == {"not attempted"}
    assert sum(r["points"] for r in result["exercises"].values()) == 0


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_own_cells_and_helpers_are_used(judge):
    helper = "def my_mean(x, m):\n    return (x * m).sum(1) / m.sum(1).clamp(min=1)"
    answer = (
        "def masked_mean_pool(x, is_token):\n    return my_mean(x, is_token[..., None].to(x.dtype))"
    )
    result = judge.judge_cells(filled({"masked_mean_pool": answer}, [helper]), ["masked_mean_pool"])
    assert result["exercises"]["masked_mean_pool"]["points"] == 3


OWN = [  # cells of their own, as students write them in Jupyter
    "torch.manual_seed(3)\nx = torch.randn(2, 3)\nprint(x)",
    "torch.set_default_dtype(torch.float32)\nnp.random.seed(0)",
    "import warnings\nwarnings.filterwarnings('ignore')\nplt.plot([1, 2]); plt.show()",
    "assert 1 == 2, 'a cell that fails'",
    "torch.set_grad_enabled(False)\nF = torch.nn.functional",
    "device = torch.device('cpu')\nB, T, D = 2, 5, 8\n%timeit 1 + 1",
    "def show(x): display(x)\nscaled_dot_product_attention = None",
    "print('checks passed' * 100)\nfor i in range(3): checks",
    "files = !ls\n!pip install -q einops\n%config InlineBackend.figure_format = 'retina'",
    "%load_ext autoreload\n%autoreload 2\nif True:\n    %matplotlib inline",
    "%%writefile my_helpers.py\ndef twice(x):\n    return 2 * x",
    "import asyncio\nawait asyncio.sleep(0)\nfrom tqdm.auto import tqdm",
    "length = len(train_notes.lengths)\nD_MODEL, VOCABULARY[:3]",
    "get_ipython().run_line_magic('timeit', '1 + 1')\ndisplay(torch.eye(2))",
    "%%bash\nls -l",
    "from google.colab import drive\ndrive.mount('/content/drive')",
]
AROUND = [  # what stands before and after an answer in its own cell
    ("", ""),
    ("%%time\n", ""),
    ("", "\nassert False, 'a test of mine'"),
    ("", "\ndisplay(train_notes)"),
    ("%%capture out\n", ""),
    ("notes = train_notes.token_ids[:2]\n", "\nprint(notes.shape)"),
    ("%matplotlib inline\nfound = !ls\n", "\nplt.imshow(torch.eye(3)); plt.show()"),
    ("", "\n%timeit -n 2 1 + 1\nget_ipython().system('ls')"),
    ("SEED, D_MODEL\n", "\nawait asyncio.sleep(0)"),
]


def honest_notebooks(count):
    """Notebooks of right answers in all styles and of Jupyter's habits, with own cells."""
    pick = random.Random(20)
    for number in range(count):
        answers = {e: pick.choice(right(e)).read_text("utf-8") for e in SOURCE.exercises}
        for place, (name, text) in enumerate(answers.items()):
            before, after = AROUND[(number + place) % len(AROUND)]
            answers[name] = before + text + after
        yield filled(answers, [OWN[number % len(OWN)]])


@pytest.mark.slow
@pytest.mark.parametrize("number", range(3))
def test_honest_students_get_their_points(judge, number):
    """``tests/classroom/honest.py`` does the same for sixty."""
    notebook = list(honest_notebooks(3))[number]
    result = judge.judge_cells(notebook)
    assert result["status"] == "graded", result["reason"]
    assert {n: r["message"] for n, r in result["exercises"].items() if r["status"] != "right"} == {}


@pytest.mark.slow
@pytest.mark.parametrize("exercise", SOURCE.exercises)
def test_both_doors_agree(judge, exercise):
    """The ``try`` command and the judge of submissions give the same verdict and message."""
    pick = random.Random(exercise)
    for path in pick.sample(sorted((ANSWERS / exercise).glob("*.py")), 2):
        (want,) = try_answers(ROOT, NAME, [Task(exercise, path)])
        got = judge.judge_cells(filled({exercise: path.read_text("utf-8")}), [exercise])
        assert got["status"] == "graded", got["reason"]
        found = got["exercises"][exercise]
        keys = ["status", "points", "max_points", "message"]
        if "in a further case" in want["message"]:  # of a hidden case the judge says the kind alone
            assert "in a further case" in found["message"]
            keys.remove("message")
        assert {k: found[k] for k in keys} == {k: want[k] for k in keys}, path.name
