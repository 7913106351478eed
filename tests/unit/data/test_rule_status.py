"""The rule that says asserted, negated or possible of one finding in its sentence."""

import numpy as np
import pytest

from course_utils.data import corpus
from course_utils.data.notes import rule_status


@pytest.mark.parametrize(
    ("sentence", "status"),
    [
        ("Patient denies cough.", 1),
        ("Patient denies fever but reports cough.", 0),
        ("No increase in cough.", 0),
        ("Cough was ruled out by CT.", 1),
        ("Cough could not be ruled out.", 2),
        ("Suspected cough.", 2),
        ("The mother says that she has cough.", 0),
        ("No fever. Cough since Monday.", 0),
        ("Cough since Monday. No fever.", 0),
    ],
)
def test_cues_their_reach_and_what_ends_it(sentence, status):
    start = sentence.lower().index("cough")
    assert rule_status(sentence, start, start + 5) == status


def test_the_rule_is_a_strong_baseline():
    data = corpus.make_assertion_sentences(600, random_state=3, possible=True)
    said = [rule_status(*row) for row in zip(data.texts, data.start, data.end, strict=True)]
    assert np.mean(np.array(said) == data.status) > 0.9
