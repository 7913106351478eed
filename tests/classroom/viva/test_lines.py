"""A mutant shown in the student's text is that mutant's code, with the rest left as it was."""

import ast

import pytest
from course import NAME, ROOT

from classroom.mutants import mutants
from classroom.viva.lines import shown
from classroom.viva.mends import candidates
from classroom.viva.outcomes import differ, label, of_error, of_value, same

ANSWERS = sorted((ROOT / "tests" / "answers" / NAME / "masked_mean_pool").glob("right_*.py"))
TEXT = '''def f(x, mask):
    """Mean — of rows."""
    total = (x * mask[..., None]).sum(1)   # größer
    count = mask.sum(
        1, keepdim=True,
    )
    if count is None:
        return total
    return total / count.clamp(min=1)
'''


@pytest.mark.parametrize("text", [TEXT, *(p.read_text() for p in ANSWERS[:2])])
def test_the_change_is_the_mutant(text):
    found = [(m, shown(text, m)) for m in mutants(text)]
    assert sum(c is not None for _, c in found) > 0.9 * len(found)
    for mutant, change in found:
        if change is None:
            continue
        assert ast.dump(ast.parse(change.text)) == ast.dump(ast.parse(mutant.text))
        lines = text.splitlines()
        kept = change.text.splitlines()
        assert kept[: change.first - 1] == lines[: change.first - 1]
        rest = len(lines) - change.last
        assert kept[len(kept) - rest :] == lines[change.last :]


def test_a_small_change_keeps_layout_and_comments():
    changes = [c for m in mutants(TEXT) if (c := shown(TEXT, m)) is not None and c.first == 3]
    assert any(c.new.endswith("# größer") for c in changes)


def test_one_model_statement_mends_an_answer_with_other_names():
    wrong = "def f(a, b):\n    s = a @ b\n    return s.softmax(0)\n"
    right = "def f(q, k):\n    scores = q @ k\n    return scores.softmax(-1)\n"
    texts = [ast.unparse(ast.parse(c.text)) for b in candidates(wrong, [right]) for c in b]
    assert "def f(a, b):\n    s = a @ b\n    return s.softmax(-1)" in texts
    missing = "def f(a, b):\n    return (a @ b).softmax(-1)\n"
    scaled = "def f(q, k):\n    q = q / 2\n    return (q @ k).softmax(-1)\n"
    texts = [ast.unparse(ast.parse(c.text)) for b in candidates(missing, [scaled]) for c in b]
    assert "def f(a, b):\n    a = a / 2\n    return (a @ b).softmax(-1)" in texts


def test_outcomes():
    import torch

    one, near = of_value((torch.ones(2, 2), 3)), of_value((torch.ones(2, 2) + 1e-8, 3))
    assert same(one, near)
    assert label(near, one) == ("Nothing changes: it gives the same as before.", "")
    between = of_value((torch.ones(2, 2) * 1.005, 3))
    assert not same(one, between)
    assert not differ(one, between)  # neither: it is not asked about
    wide = of_value((torch.ones(2, 3), 3))
    assert differ(one, wide)
    assert label(wide, one)[0] == "It gives"
    assert differ(one, of_error(ValueError("<b>")))
    assert label(of_error(ValueError("x")), one) == ("It raises ValueError.", "")
    nan = of_value(torch.tensor(float("nan")))
    assert same(nan, nan)
    assert differ(nan, of_value(torch.tensor(1.0)))
    double = of_value((torch.ones(2, 2, dtype=torch.float64), 3))
    assert differ(one, double)
    assert "float64" in label(double, one)[1]
