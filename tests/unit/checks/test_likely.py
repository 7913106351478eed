"""What a wrong shape, a wrong number and a message tell of their cause."""

import numpy as np
import pytest

from course_utils.checks.likely import message_hint, relation, shape_hint

WANT = np.array([[0.5, 0.25], [0.125, 1.0]])


@pytest.mark.parametrize(
    ("got", "want", "words"),
    [
        ((), (3,), "one number"),
        ((3, 1, 4), (3, 4), "an axis too many"),
        ((3,), (3, 4), "an axis is gone"),
        ((4, 3), (3, 4), "exchanged"),
        ((3, 1), (3, 4), "added up or averaged over that axis"),
        ((3, 5), (3, 4), "one too many or one too few"),
        ((3, 9), (3, 4), "wrong axis"),
    ],
)
def test_a_shape_names_its_cause(got, want, words):
    assert words in shape_hint(got, want)


def test_a_shape_without_likeness_has_no_cause():
    assert shape_hint((2, 3, 4, 5), (7,)) is None


@pytest.mark.parametrize(
    ("got", "words"),
    [
        (2 * WANT, "too large by one factor"),
        (WANT / 3, "too small by one factor"),
        (-WANT, "the sign"),
        (1 - WANT, "turned round"),
        (WANT.T, "rows and columns"),
        (WANT + 3, "the same amount"),
        (WANT[::-1], "another order"),
        (np.floor(WANT), "cut off"),
        (np.full_like(WANT, 0.3), "the same number everywhere"),
        (np.zeros_like(WANT), "zero everywhere"),
    ],
)
def test_numbers_that_all_differ_alike_name_the_cause(got, words):
    assert words in relation(got, WANT, "the result")


def test_half_a_gradient_is_called_so():
    assert "detached" in relation(WANT / 2, WANT, "the gradient of x")


def test_one_number_is_any_multiple_of_another():
    assert relation(np.array(0.7), np.array(0.4), "the loss") is None
    assert "too large" in relation(np.array(0.8), np.array(0.4), "the loss")


@pytest.mark.parametrize("got", [WANT + np.diag([0, 0.1]), np.full_like(WANT, np.nan)])
def test_other_numbers_have_no_cause(got):
    assert relation(got, WANT, "the result") is None


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        ("Expected a dict, got NoneType.", "return"),
        ("Expected pooled with shape (2, 3), got (3, 2).", "exchanged"),
        ("Expected the shape (2, 1, 5, 5), got (2, 5, 5).", "an axis is gone"),
        ("Expected weights as torch.float64, got torch.float32.", "conversion"),
    ],
)
def test_a_message_tells_what_it_saw(seen, words):
    assert words in message_hint(seen)


def test_another_message_tells_nothing():
    assert message_hint("Expected 3 rows, got 4.") is None
