"""Mechanics of the checks: outcomes, messages, and what student code may do without harm."""

import random
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from course_utils import layers
from course_utils.checks import CheckFailed, NotAttempted, Notebook, call, fail, hidden, same

X = torch.arange(6.0).reshape(2, 3)


@pytest.fixture
def notebook():
    return Notebook("99_test", written=4)


@pytest.fixture
def double(notebook):
    @notebook.exercise(points=2)
    def double(answer):
        same(call(answer, X), 2 * X, "twice x", mistakes={"one was added": X + 1})
        return "a small tensor"

    return double


def message(check, answer):
    with pytest.raises(CheckFailed) as caught:
        check(answer)
    lines = str(caught.value).splitlines()
    assert len(lines) <= 8
    assert caught.value._render_traceback_() == lines
    return str(caught.value)


def test_right_prints_one_line(double, capsys):
    double(lambda x: x * 2)
    assert capsys.readouterr().out == "double: right. Verified: a small tensor.\n"


@pytest.mark.parametrize(
    "error", [NotImplementedError("double: not written yet"), NotImplementedError()]
)
def test_a_stub_is_not_attempted(double, error):
    def stub(x):
        raise error

    with pytest.raises(NotAttempted, match="double: not attempted yet"):
        double(stub)
    with pytest.raises(NotAttempted):
        double(None)


def test_a_needed_exercise_is_named(double):
    def needs(x):
        raise NotImplementedError("other: not written yet")

    with pytest.raises(NotAttempted, match="needs `other`"):
        double(needs)


def test_another_not_implemented_error_is_wrong(double):
    def broken(x):
        raise NotImplementedError("no kernel for this dtype")

    with pytest.raises(CheckFailed) as caught:
        double(broken)
    assert not isinstance(caught.value, NotAttempted)


def change_in_place(x):
    x *= 2
    return x


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda x: x + 1, "one was added"),
        (lambda x: None, "is there a `return`"),
        (lambda x: (2 * x).T, "shape (2, 3), got shape (3, 2)"),
        (lambda x: (2 * x).double(), "dtype torch.float32, got torch.float64"),
        (lambda x: (2 * x).tolist(), "got list"),
        (lambda x: "text", "got str"),
        (lambda x: x * float("nan"), "not-a-number"),
        (lambda x: x.nothing, "AttributeError"),
        (lambda x: sys.exit(), "SystemExit"),
        (lambda x, y: x, "TypeError"),
        (change_in_place, "input `x` was changed"),
    ],
)
def test_wrong_answers_are_explained(double, answer, words):
    assert words in message(double, answer)


def test_long_messages_are_cut(notebook):
    @notebook.exercise(points=1)
    def long(answer):
        fail("\n".join("x" * 300 for _ in range(30)), "the hint stays")

    text = message(long, lambda: 0)
    assert text.splitlines()[-1].endswith("the hint stays")
    assert max(map(len, text.splitlines())) <= 160


def test_the_library_version_is_no_answer(notebook):
    @notebook.exercise(points=1, forbids=("MultiHeadAttention", "scaled_dot_product_attention"))
    def attention(answer):
        call(answer, X)
        return "nothing"

    class Inherited(layers.MultiHeadAttention):
        pass

    def hands_on(x):
        return layers.MultiHeadAttention(3, 1)(x[None], need_weights=True)

    def ready_made(x, sdpa=nn.functional.scaled_dot_product_attention):
        return sdpa(x, x, x)

    assert "library's own" in message(attention, layers.MultiHeadAttention)
    assert "library's own" in message(attention, Inherited)
    assert "MultiHeadAttention" in message(attention, hands_on)
    assert "scaled_dot_product_attention" in message(attention, ready_made)

    def scaled_dot_product_attention(x):  # the student's own function may have the same name
        return x

    attention(scaled_dot_product_attention)


def test_noise_and_state_do_no_harm(double, capfd):
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    random.seed(5)
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002

    def noisy(x):
        print("hello")
        print("hello", file=sys.stderr)
        warnings.warn("careful", stacklevel=1)
        torch.manual_seed(1)
        np.random.rand()  # noqa: NPY002
        random.random()
        torch.set_grad_enabled(False)
        torch.set_default_dtype(torch.float64)
        return x * 2

    double(noisy)
    out, err = capfd.readouterr()
    assert out.count("\n") == 1
    assert err == ""
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()  # noqa: NPY002
    assert random.getstate() == before[2]
    assert torch.is_grad_enabled()
    assert torch.get_default_dtype() == torch.float32


def test_misbehaving_results_fail_politely(double):
    class Strange(torch.Tensor):
        @property
        def dtype(self):
            raise RuntimeError("surprise")

    assert "surprise" in message(double, lambda x: (2 * x).as_subclass(Strange))


def test_hidden_checks_speak_for_their_exercise(double, capfd):
    with (
        pytest.raises(CheckFailed, match="double: not right yet in a further case"),
        hidden("double"),
    ):
        same(call(lambda x: print("quiet") or x, X), 2 * X)
    with hidden("double"):
        same(call(lambda x: 2 * x, X), 2 * X)
    assert capfd.readouterr() == ("", "")


def test_numbers_arrays_and_integers_compare():
    same(0.5, 0.5)
    same(np.float32(0.5), 0.5)
    same(torch.tensor(0.5), 0.5)
    same([1.0, float("nan")], np.array([1.0, float("nan")]))
    same(torch.tensor([1, 2]), torch.tensor([1, 2]))
    same(torch.tensor([True]), torch.tensor([True]))
    for got, want in [
        (0.5, 0.6),
        (np.ones(2), np.zeros(2)),
        (torch.tensor([1]), torch.tensor([2])),
    ]:
        with pytest.raises(CheckFailed):
            same(got, want)


def test_summary_tells_outcomes_and_points(notebook, double, capsys):
    @notebook.exercise(points={"first": 3, "second": 4})
    def parts(answer, part=None):
        if part != "first":
            fail("no")
        return "it"

    notebook.summary({"double": lambda x: 2 * x, "parts": lambda: 0})
    out = capsys.readouterr().out
    assert [line.split()[-3:] for line in out.splitlines()[1:4]] == [
        ["2", "/", "2"],
        ["3", "/", "7"],
        ["5", "/", "9"],
    ]
    assert "partly right" in out
    assert "4 points more" in out
    notebook.summary({})
    assert capsys.readouterr().out.count("not attempted") == 2


SHELL = """
from course_utils import checks
from course_utils.checks import Notebook, call, fail
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.colors = "NoColor" if hasattr(shell, "colors") else None
checks.setup()
n = Notebook("n")
@n.exercise(points=1)
def double(answer):
    call(answer, 1)
    fail("saw this", "that mistake")
shell.push({"double": double})
shell.run_cell("def stub(x): raise NotImplementedError('double: not written yet')")
shell.run_cell("double(lambda x: 1 / 0)")
print("=@=")
shell.run_cell("double(abs)")
print("=@=")
shell.run_cell("double(stub)")
print("=@=")
shell.run_cell("stub(3)")
print("=@=")
shell.run_cell("raise NotImplementedError('something else')")
"""


def test_messages_as_ipython_shows_them():
    done = subprocess.run([sys.executable, "-c", SHELL], capture_output=True, text=True, check=True)
    error, wrong, stub, bare, other = [s.strip() for s in done.stdout.split("=@=\n")]
    assert error.splitlines()[0] == "double: not right yet."
    assert "ZeroDivisionError" in error
    assert wrong == "double: not right yet.\n  saw this\n  It looks like this: that mistake"
    assert stub == "double: not attempted yet."
    assert bare == "double: not written yet"
    assert "Traceback" in other
    assert "Traceback" not in error + wrong + stub + bare
