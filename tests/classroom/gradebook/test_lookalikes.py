"""Look-alikes: copies under other names are found, classes without copies stay unnamed."""

import pytest
from course import NAME, ROOT

from benchmarks.lookalikes import planted, read_pool
from classroom.authoring.source import read_source
from classroom.gradebook.lookalikes import common_parts, look_alikes
from classroom.gradebook.parts import code_parts, prose_parts

SOURCE = read_source(ROOT, NAME)
ONE = """def f(x, mask):
    # the mean
    kept = x * mask[..., None]
    number = mask.sum(1, keepdim=True)
    return kept.sum(1) / number.clamp(min=1)
"""
SAME = '''def f(values, valid):
    """Mittelwert."""
    n: int = valid.sum(1, keepdim=True)   # Anzahl
    z = (values
         * valid[..., None])
    return z.sum(1) / n.clamp(min=1)
'''
OTHER = """def f(x, mask):
    weights = mask.float()
    weights = weights / weights.sum(-1, keepdim=True).clamp_min(1.0)
    return torch.einsum("bt,btd->bd", weights, x)
"""


@pytest.fixture(scope="module")
def common():
    return common_parts(SOURCE)


def test_names_comments_layout_and_order_do_not_count():
    assert code_parts(ONE).keys() == code_parts(SAME).keys()
    assert not code_parts(ONE).keys() & code_parts(OTHER).keys()


@pytest.mark.parametrize("text", ["def f(:", "", "\x00", "(" * 2000, "%%bash\nls", "ü = 'ß' + x"])
def test_what_is_no_python_has_no_parts_or_some(text):
    assert isinstance(code_parts(text), dict)


def test_prose():
    assert len(prose_parts("One two, three four five SIX")) == 2
    assert prose_parts("one two") == {}


def test_the_model_answer_and_the_release_are_no_evidence(common):
    for name, exercise in SOURCE.exercises.items():
        assert code_parts(exercise.answer).keys() <= common[name]
    answers = {f"s{i}": {n: e.answer for n, e in SOURCE.exercises.items()} for i in range(8)}
    assert look_alikes(answers, common).groups == []


def test_copies_are_found_and_nobody_else(common):
    answers, pairs = planted(read_pool(ROOT), 30, 3, 1.0, seed=1)
    found = look_alikes(answers, common)
    assert {p.students for g in found.groups for p in g.pairs} == pairs
    for group in found.groups:
        assert group.pairs[0].rate == 0
        assert group.pairs[0].evidence[0][1] > 0
    again = look_alikes(dict(reversed(answers.items())), common)
    assert again == found


def test_a_class_without_copies_is_left_alone(common):
    answers, _ = planted(read_pool(ROOT), 30, 0, 0.0, seed=2)
    assert look_alikes(answers, common).groups == []


def test_small_or_empty_classes():
    assert look_alikes({}, {}).groups == []
    assert look_alikes({f"s{i}": {} for i in range(9)}, {}).groups == []
    assert look_alikes({"a": {"f": ONE}, "b": {"f": ONE}}, {}).groups == []
