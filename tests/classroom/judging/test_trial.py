"""Judging single answers, on a notebook of three tiny exercises."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from classroom.authoring.build import build, make_release
from classroom.authoring.source import read_source
from classroom.judging.trial import Task, judge

ROOT = Path(__file__).resolve().parents[3]
META = {"grade": False, "locked": False, "schema_version": 3, "solution": True, "task": False}

SOURCE = """
# %% tags=["imports"]
%precision 3
import os
from course_utils.checks import MODULES
class Failed(AssertionError): pass
# %% nbgrader=ANSWER(double)
def double(x):
    '''Twice x.'''
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION
# %% nbgrader=CHECK(double_check,2)
assert double(3) == 6, "not twice"
### BEGIN HIDDEN TESTS
assert double(-1) == -2, "not twice below zero"
### END HIDDEN TESTS
# %% nbgrader=ANSWER(quadruple)
def quadruple(x):
    ### BEGIN SOLUTION
    return double(double(x))
    ### END SOLUTION
# %% nbgrader=CHECK(quadruple_check_value,3)
assert quadruple(1) == 4, "value"
# %% nbgrader=CHECK(quadruple_check_type,1)
assert isinstance(quadruple(1), int), "type"
# %% nbgrader=ANSWER(QUERY)
QUERY = None
### BEGIN SOLUTION
QUERY = "SELECT 1"
### END SOLUTION
# %% nbgrader=CHECK(QUERY_check,1)
assert QUERY == "SELECT 1", "another query"
"""


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    folder = tmp_path_factory.mktemp("course")
    shutil.copy(ROOT / "nbgrader_config.py", folder)
    text = SOURCE
    for name in ("double", "quadruple", "QUERY"):
        text = text.replace(f"ANSWER({name})", json.dumps(META | {"grade_id": name}))
    for key, points in [
        ("double_check", 2),
        ("quadruple_check_value", 3),
        ("quadruple_check_type", 1),
        ("QUERY_check", 1),
    ]:
        meta = META | {"grade": True, "solution": False, "locked": True, "points": points}
        text = text.replace(f"CHECK({key},{points})", json.dumps(meta | {"grade_id": key}))
    (folder / "solutions" / "tiny").mkdir(parents=True)
    (folder / "solutions" / "tiny" / "tiny.py").write_text(text)
    return folder


ANSWERS = {
    "right": ("double", "def double(x): return x + x", "right", 2, ""),
    "loop": ("double", "def double(x):\n    while True: pass", "failed", 0, "endless loop"),
    "sleep": ("double", "import time\ndef double(x): time.sleep(99)", "failed", 0, "too long"),
    "exit": ("double", "def double(x): os._exit(3)", "failed", 0, "exit code 3"),
    "kill": ("double", "def double(x): os.kill(os.getpid(), 9)", "failed", 0, "SIGKILL"),
    "hidden": ("double", "def double(x): return abs(2 * x)", "wrong", 0, "below zero"),
    "syntax": ("double", "def double(x:", "wrong", 0, "SyntaxError"),
    "import": ("double", "import nothing_such", "wrong", 0, "ModuleNotFoundError"),
    "quit": ("double", "raise SystemExit", "wrong", 0, "SystemExit"),
    "other": ("double", "def twice(x): return 2 * x", "wrong", 0, "does not define"),
    "loud": (
        "double",
        "print('{}')\nos.system('echo {}')\ndef double(x): return 2*x",
        "right",
        2,
        "",
    ),
    "part": ("quadruple", "def quadruple(x): return 4.0 * x", "wrong", 3, "type"),
    "given": ("quadruple", "def quadruple(x): return double(x) * 2", "right", 4, ""),
    "follow": (
        "quadruple",
        "def double(x): return 3 * x\ndef quadruple(x): return double(double(x))",
        "right",
        4,
        "",
    ),
    "constant": ("QUERY", "QUERY = 'SELECT 1'", "right", 1, ""),
    "daemon": (
        "double",
        "import subprocess\nsubprocess.Popen(['sleep', '60'])\ndef double(x): return 2*x",
        "right",
        2,
        "",
    ),
    "memory": ("double", "def double(x): return bytearray(2**36)", "wrong", 0, "MemoryError"),
    "stub": (
        "QUERY",
        "raise NotImplementedError('QUERY: not written yet')",
        "not attempted",
        0,
        "not attempted",
    ),
}


def test_every_kind_of_answer(course, tmp_path):
    tasks = []
    for name, (exercise, code, *_) in ANSWERS.items():
        (tmp_path / f"{name}.py").write_text(code)
        tasks.append(Task(exercise, tmp_path / f"{name}.py"))
    results = dict(zip(ANSWERS, judge(course, "tiny", tasks, seconds=2), strict=True))
    for name, (_, _, status, points, words) in ANSWERS.items():
        assert results[name]["status"] == status, results[name]
        assert results[name]["points"] == points, results[name]
        assert words in results[name]["message"], results[name]
    assert list(results["right"]) == ["file", "status", "points", "max_points", "message"]


def command(course, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "classroom", *arguments],
        cwd=course,
        capture_output=True,
        text=True,
    )


def test_the_command_prints_json_and_its_status_tells(course, tmp_path):
    (tmp_path / "a.py").write_text(ANSWERS["right"][1])
    (tmp_path / "b.py").write_text(ANSWERS["exit"][1])
    done = command(course, "try", "tiny", "double", str(tmp_path / "a.py"))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "right"
    assert json.loads(done.stdout)["file"] == str(tmp_path / "a.py")
    done = command(course, "try", "tiny", "double", str(tmp_path / "a.py"), str(tmp_path / "b.py"))
    assert done.returncode == 1
    assert [json.loads(s)["status"] for s in done.stdout.splitlines()] == ["right", "failed"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("try", "nothing", "double", __file__), "assignment must be one of ['tiny']"),
        (("try", "tiny", "triple", __file__), "exercise must be one of ['double'"),
        (("try", "tiny", "double", "none.py"), "no such answer: none.py"),
        (("release", "nothing"), "NOTEBOOK must be one of"),
    ],
)
def test_wrong_use_is_explained(course, arguments, words):
    done = command(course, *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_release_of_it(course, tmp_path):
    text = make_release(course, "tiny", tmp_path).read_text()
    assert "double: not written yet" in text
    assert "QUERY: not written yet" in text
    assert "SELECT 1" not in text.replace('== \\"SELECT 1\\"', "")
    assert "below zero" not in text


def test_an_interrupted_build_changes_nothing(course, monkeypatch):
    path = course / "solutions" / "tiny" / "tiny.ipynb"
    build(course, "tiny", run=False)
    before = path.read_bytes()
    monkeypatch.setattr("classroom.authoring.build.execute", lambda *a, **k: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        build(course, "tiny")
    assert path.read_bytes() == before
    assert {p.name for p in path.parent.iterdir()} == {"tiny.py", "tiny.ipynb"}


def test_cell_ids_are_stable_and_unique(course):
    first = [c.id for c in read_source(course, "tiny").notebook.cells]
    assert first == [c.id for c in read_source(course, "tiny").notebook.cells]
    assert len(set(first)) == len(first)
    assert "double_check" in first
