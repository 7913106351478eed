"""Item analysis: known numbers, nothing where there is nothing to say, faults of a check."""

import math

import numpy as np
import pytest
from canned import result
from course import NAME, ROOT

from classroom.authoring.source import read_source
from classroom.gradebook.items import analyse, cronbach, item_rest, matrix

SOURCE = read_source(ROOT, NAME)
NAMES = list(SOURCE.exercises)


def of(student, *args, **more):
    return result(SOURCE, *args, **more) | {"student": student, "repairs": [], "remarks": []}


def graded(shares):
    """A class whose students are right in the first exercises, as many as its entry says."""
    return [
        of(f"s{i}", {n: "right" if j < k else "wrong" for j, n in enumerate(NAMES)})
        for i, k in enumerate(shares)
    ]


def test_matrix_holds_shares_and_no_undecided_result():
    names, shares = matrix([of("a", {NAMES[0]: 0.5, NAMES[1]: "failed"}), of("b", status="failed")])
    assert names == NAMES
    assert shares.shape == (1, len(NAMES))
    assert shares[0, 0] == 0.5
    assert math.isnan(shares[0, 1])


def test_item_rest_is_the_correlation_with_the_others():
    shares = np.random.default_rng(0).random((30, 4))
    r, low, high = item_rest(shares, 1)
    assert r == pytest.approx(np.corrcoef(shares[:, 1], shares[:, [0, 2, 3]].mean(1))[0, 1])
    assert low < r < high


def test_alpha():
    column = np.linspace(0, 1, 20)[:, None]
    assert cronbach(np.repeat(column, 5, axis=1)) == pytest.approx(1)
    # Two columns: alpha = 2 (1 - (1 + 1) / (2 + 2 r)), with r = 0.5 it is 2/3.
    x = np.random.default_rng(1).standard_normal((20000, 2))
    x[:, 1] = 0.5 * x[:, 0] + math.sqrt(0.75) * x[:, 1]
    assert cronbach(x) == pytest.approx(2 / 3, abs=0.02)


@pytest.mark.parametrize("shares", [[], [3], [3] * 20, [1, 2, 3]])
def test_nothing_is_said_of_small_or_equal_classes(shares):
    for item in analyse(graded(shares)).items:
        assert math.isnan(item.discrimination)
        assert all(doubt.startswith("one message") for doubt in item.doubts)
    assert math.isnan(analyse(graded(shares)).alpha)


def test_difficulty_and_attempts():
    items = analyse(graded([len(NAMES)] * 6 + [1] * 4)).items
    assert [i.difficulty for i in items[:2]] == [1.0, 0.6]
    assert analyse([of("a", {})]).items[0].attempted == 0.0


def test_a_check_that_good_students_fail_is_doubted():
    bad = NAMES[3]
    rows = [
        of(f"s{i}", {n: "right" if (i < 10) != (n == bad) else "wrong" for n in NAMES})
        for i in range(20)
    ]
    doubted = {i.name: i.doubts for i in analyse(rows).items if i.doubts}
    assert set(doubted) == {bad} | {n for n in NAMES if doubted.get(n, [""])[0].startswith("one")}
    assert any("no better here" in d for d in doubted[bad])
    assert any("best quarter" in d for d in doubted[bad])
