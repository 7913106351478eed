"""Cells run as Jupyter runs them; what fails in one is passed over and named."""

import types

import pytest

from classroom.judging.cells import Shell, definitions
from classroom.judging.trial_worker import about_given, noted


@pytest.fixture
def shell(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr("torch.compile", None)  # the shell sets it; this gives it back
    monkeypatch.setattr("sys.breakpointhook", None)
    monkeypatch.setattr("bdb.Bdb.set_trace", None)
    for name in ("get_ipython", "display", "input"):
        monkeypatch.setattr(f"builtins.{name}", None, raising=False)
    return Shell(types.ModuleType("__main__"))


HABITS = {
    "assigned shell line": "files = !echo one\nassert files == ['one']\nanswer = 1",
    "assigned magic": "took = %timeit -o sum(range(9))\nassert took.best > 0\nanswer = 1",
    "indented magics": "if True:\n    %matplotlib inline\n    !ls\n    answer = 1",
    "continuation": "a, b = 7, 4\nanswer = (a\n    % b) - 2",
    "help": "len?\nanswer = 1\nlen??",
    "time": "%%time\nanswer = 1",
    "timeit": "%%timeit -n 3\nanswer = 1",
    "capture": "%%capture out\nprint('seen')\nanswer = 1",
    "an unknown cell magic": "%%heat\nanswer = 1",
    "an unknown line magic": "%tensorflow_version 2.x\n%load_ext autoreload\nanswer = 1",
    "configuration": "%config InlineBackend.figure_format = 'retina'\nanswer = 1",
    "installation": "!pip install -q einops\n%pip install einops\nanswer = 1",
    "await": "import asyncio\nawait asyncio.sleep(0)\nanswer = 1",
    "async for": "async def f():\n    yield 1\nasync for answer in f(): pass",
    "display": "display({'a': 1})\nanswer = 1",
    "get_ipython": "get_ipython().run_line_magic('timeit', '1')\nanswer = 1",
    "displayed import": "from IPython.display import display, HTML, clear_output\nclear_output()\n"
    "display(HTML('<b>x</b>'))\nanswer = 1",
    "input": "input('press enter')\nanswer = 1",
    "breakpoint": "import pdb\nbreakpoint()\npdb.Pdb().set_trace()\nanswer = 1",
    "lines of Windows": "def f():\r\n    return 1\r\nanswer = f()\r\n",
    "future": "from __future__ import annotations\ndef f(x: nothing_such): pass\nanswer = 1",
    "compiled": "import torch\n@torch.compile(mode='max-autotune')\ndef f(x): return x + 1\n"
    "answer = int(torch.compile(f)(torch.zeros(1)))",
    "source is there": "import inspect\ndef f(): return 1\nanswer = len(inspect.getsource(f)) > 9",
    "line by line": "answer = 1;\nanswer",
}


@pytest.mark.parametrize("name", HABITS)
def test_a_habit_costs_nothing(shell, name):
    assert shell.execute(HABITS[name]) == []
    assert shell.user_ns["answer"] == 1


def test_written_helpers_can_be_imported(shell):
    assert shell.execute("%%writefile helpers_of_mine.py\ndef two(): return 2") == []
    assert shell.execute("from helpers_of_mine import two\nanswer = two()") == []
    assert shell.user_ns["answer"] == 2


@pytest.mark.parametrize("other", ["bash", "html", "R", "script python"])
def test_other_languages_are_left_out(shell, other):
    assert shell.execute(f"%%{other}\nanswer = 1") == []
    assert "answer" not in shell.user_ns


def test_a_line_that_fails_is_named_and_the_rest_runs(shell):
    failed = shell.execute("x = nothing_such\ndef answer(): return 1\nassert answer() == 2, 'two'")
    assert failed[0] == ["NameError", "name 'nothing_such' is not defined", False, 1]
    assert failed[1] == ["AssertionError", "two", False, 3]
    assert shell.user_ns["answer"]() == 1


def test_any_number_of_lines_may_fail_before_the_definition(shell):
    failed = shell.execute("nothing_such\n" * 9 + "def answer(): return 1")
    assert [line for *_, line in failed] == [1, 2, 3]
    assert shell.user_ns["answer"]() == 1


def test_lines_of_a_cell_magic_fail_one_by_one(shell):
    failed = shell.execute("%%time\nnothing_such\ndef answer(): return 1\nassert False, 'no'")
    assert [(kind, line) for kind, _, _, line in failed] == [
        ("NameError", 2),
        ("AssertionError", 4),
    ]
    assert shell.user_ns["answer"]() == 1


def test_a_stub_says_that_it_is_one(shell):
    (failure,) = shell.execute(
        "ANSWER = None\nraise NotImplementedError('ANSWER: not written yet')"
    )
    assert failure[2]


@pytest.mark.parametrize("text", ["def f(:", "\x00", "if True:\n", "%%", "(" * 500, "\ud800 = 1"])
def test_what_is_no_python_is_one_failure(shell, text):
    assert len(shell.execute(text)) <= 1
    assert shell.execute("answer = 1") == []


def test_definitions_of_a_changed_cell(shell):
    text = "%%time\nimport os\nfiles = !ls\ndef f(): return 1\nf()"
    assert definitions(text, shell.transform_cell) == "import os\n\ndef f():\n    return 1"
    assert definitions("def f(:", shell.transform_cell) == ""


def test_a_given_variable_is_named():
    text = "It raised NameError: name 'train_notes' is not defined"
    assert "`train_notes`, a variable of a given cell" in about_given(text, ["train_notes"])
    assert about_given(text, ["other"]) == ""


def test_what_failed_beside_a_right_answer_is_said():
    result = {"status": "right", "points": 2, "message": ""}
    told = noted(result, "f", [["AssertionError", "no", False, 4]], [], [])["message"]
    assert told == "f: right.\n  A line of its cell did not run (line 4): AssertionError: no"
