"""Mutants of small texts: what each operator makes, in a fixed order, without duplicates."""

import ast

import pytest

from classroom.mutants import mutants, pairs, sample, solution_lines

CASES = [  # source, operator, what must be among its mutants
    ("y = a + b", "arithmetic", "y = a - b"),
    ("y = a - b", "swap operands", "y = b - a"),
    ("y = a * b", "drop operand", "y = a"),
    ("y = a >= 3", "compare", "y = a > 3"),
    ("y = 0 <= a < 3", "compare", "y = 0 <= a"),
    ("y = a and b", "and, or", "y = a or b"),
    ("y = a and b", "drop condition", "y = b"),
    ("y = f(~mask)", "drop not", "y = f(mask)"),
    ("y = -x.sum()", "drop minus", "y = x.sum()"),
    ("y = x.sum(-1)", "dimension", "y = x.sum(-2)"),
    ("y = x.sum(dim=1)", "dimension", "y = x.sum(dim=2)"),
    ("y = x.sum(-1)", "drop argument", "y = x.sum()"),
    ("y = x.clamp(min=1e-9)", "constant", "y = x.clamp(min=1e-06)"),
    ("y = x.clamp(min=1e-9)", "drop keyword", "y = x.clamp()"),
    ("y = x.clamp(min=1e-9)", "drop method", "y = x"),
    ("y = x.clamp(min=1e-9)", "in place", "y = x.clamp_(min=1e-09)"),
    ("y = f(a, b)", "swap arguments", "y = f(b, a)"),
    ("y = list(a)", "unwrap", "y = a"),
    ("y = x.any()", "rename", "y = x.all()"),
    ("y = x.to(torch.float64)", "rename", "y = x.to(torch.float32)"),
    ("y = x[1:n]", "slice", "y = x[:n]"),
    ("y = x[1:n]", "slice", "y = x[1:n + 1]"),
    ("y = x[i, j]", "drop index", "y = x"),
    ("y = f(keepdim=True)", "flag", "y = f(keepdim=False)"),
    ("y = {'a': 1, 'b': 2}", "drop key", "y = {'b': 2}"),
    ("y = {'a': 1}", "text", "y = {'a_': 1}"),
    ("y = [a, b]", "swap values", "y = [b, a]"),
    ("y = [a for a in b if a]", "drop condition", "y = [a for a in b]"),
    ("y = a if b else c", "one branch", "y = c"),
    ("y = sorted(a)", "sorting", "y = sorted(a, reverse=True)"),
    ("def f(a, b=0.1):\n    return a", "default", "def f(a, b=0.2):\n    return a"),
    ("def f(a, b=None):\n    return a", "default", "def f(a, b=0):\n    return a"),
    ("def f(a):\n    a = a + 1\n    return a", "in place", "def f(a):\n    a += 1\n    return a"),
    ("def f(a):\n    g(a)\n    return a", "drop statement", "def f(a):\n    return a"),
    ("def f(a):\n    return a", "detach", "def f(a):\n    return a.detach()"),
    ("def f(a):\n    return a", "to float32", "def f(a):\n    return a.float()"),
    (
        "def f(a):\n    return (a, b)",
        "half the gradient",
        "def f(a):\n    return (a / 2 + (a / 2).detach(), b)",
    ),
    ("if a:\n    b()\nelse:\n    c()", "guard", "c()"),
    ("with a:\n    b()", "drop context", "b()"),
    ("try:\n    b()\nfinally:\n    c()", "drop finally", "b()\nc()"),
    ("for a in b:\n    break", "loop", "for a in b:\n    continue"),
    ("raise ValueError(f'{a} is odd')", "message", "raise ValueError(f'… is odd')"),
    ("raise ValueError('odd')", "exception", "raise RuntimeError('odd')"),
    ("y = f'x{a}'", "f-string", "y = f'x…'"),
    (r"y = r'[^\W_]+'", "pattern", r"y = '[A-Za-z0-9]+'"),
    (
        "y = 'SELECT a, b FROM c WHERE d >= e'",
        "SQL comparison",
        "y = 'SELECT a, b FROM c WHERE d > e'",
    ),
    (
        "y = 'SELECT a, b FROM c WHERE d >= e'",
        "SQL columns",
        "y = 'SELECT b, a FROM c WHERE d >= e'",
    ),
    ("y = 'SELECT a FROM c ORDER BY a, b'", "SQL order", "y = 'SELECT a FROM c ORDER BY a'"),
    ("y = 'SELECT a UNION ALL SELECT b'", "SQL rows", "y = 'SELECT a UNION SELECT b'"),
]


@pytest.mark.parametrize(
    ("source", "operator", "wanted"), CASES, ids=[f"{c[1]}: {c[0]}" for c in CASES]
)
def test_operator(source, operator, wanted):
    found = [m for m in mutants(source) if m.text == wanted + "\n"]
    assert [m.operator for m in found] == [operator]


ANSWER = '''
def masked_mean(x, mask, eps=1e-9):
    """Average over what is kept."""
    ### BEGIN SOLUTION
    keep = mask.unsqueeze(-1).to(x.dtype)
    total = (x * keep).sum(dim=1)
    return total / keep.sum(dim=1).clamp(min=eps)
    ### END SOLUTION
'''


def test_mutants_are_code_and_different():
    found = list(mutants(ANSWER))
    assert len({m.text for m in found}) == len(found) > 30
    assert len({m.key for m in found}) == len(found)
    for mutant in found:
        ast.parse(mutant.text)
        assert mutant.text != ast.unparse(ast.parse(ANSWER))
    assert [m.text for m in mutants(ANSWER)] == [m.text for m in found]


def test_only_the_solution_and_the_defaults_change():
    lines = solution_lines(ANSWER)
    assert lines == [(5, 7)]
    given = "def g(x):\n    return x + 1\n"
    found = list(mutants(given + ANSWER, [(first + 2, last + 2) for first, last in lines]))
    assert all("return x + 1" in m.text for m in found)
    assert any(m.operator == "default" for m in found)


def test_pairs_change_two_things_in_one_line():
    found = list(pairs(ANSWER, solution_lines(ANSWER), per_line=5))
    singles = {m.text for m in mutants(ANSWER)}
    assert 10 <= len(found) <= 15 + 5  # three lines and the default's
    assert not singles & {m.text for m in found}
    assert [m.text for m in pairs(ANSWER, solution_lines(ANSWER), per_line=5)] == [
        m.text for m in found
    ]


def test_the_key_is_the_codes_alone():
    commented = ANSWER.replace("Average over", "The mean of").replace(
        "    keep =", "    # why\n    keep ="
    )
    one = {m.what: m.key for m in mutants(ANSWER) if m.operator == "drop operand"}
    two = {m.what: m.key for m in mutants(commented) if m.operator == "drop operand"}
    assert one == two
    changed = {
        m.what: m.key for m in mutants(ANSWER.replace("dim=1", "1")) if m.operator == "drop operand"
    }
    assert not set(one.values()) & set(changed.values())


def test_a_sample_takes_every_operator_in_turn():
    found = list(mutants(ANSWER))
    operators = {m.operator for m in found}
    drawn = sample(found, len(operators))
    assert {m.operator for m in drawn} == operators
    assert drawn == sample(found, len(operators))


def test_gradients_are_not_cut_where_there_are_none():
    source = "def f(a):\n    with torch.no_grad():\n        b = a * 2\n        return b"
    assert "detach" not in {m.operator for m in mutants(source)}
