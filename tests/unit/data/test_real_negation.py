"""Sentences from a table: what is read, what is refused, what is cut."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score

from course_utils.data.negation import around, read_negation
from course_utils.data.notes import rule_status

REAL = Path(__file__).resolve().parents[4] / "shared" / "data" / "negex" / "half.tsv"

HEAD = "Concept\tSentence\tNegation\n"


def table(tmp_path, text):
    path = tmp_path / "sentences.tsv"
    path.write_text(text, encoding="utf-8")
    return path


def test_spans_statuses_and_marks(tmp_path):
    path = table(
        tmp_path,
        HEAD
        + "Chest  Pain\tMr **NAME[AAA] had no\u00a0chest wall pain,  but CHEST PAIN.\tAffirmed\n"
        + "pain\tPainful, no pain.\tNegated\n",
    )
    real = read_negation(path)
    assert real.texts == ("Mr name had no chest wall pain, but chest pain.", "Painful, no pain.")
    assert [t[s:e] for t, s, e in zip(real.texts, real.start, real.end, strict=True)] == [
        "chest pain",
        "pain",
    ]
    assert real.start[1] == 12
    assert np.array_equal(real.negated, [False, True])
    assert real.left_out == 0


def test_the_capitals_say_which_of_two_places(tmp_path):
    real = read_negation(table(tmp_path, HEAD + "pain\tNo pain now, had PAIN.\tAffirmed\n"))
    assert real.start.tolist() == [17]


@pytest.mark.parametrize("concept", ["fever", "cough and wheeze", ""])
def test_a_concept_that_is_absent_or_cut_off_is_counted(tmp_path, concept):
    real = read_negation(table(tmp_path, HEAD + f"{concept}\tNo cough and\tNegated\n"))
    assert (real.texts, real.left_out) == ((), 1)
    assert real.start.shape == real.negated.shape == (0,)


def test_bad_tables_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="no table"):
        read_negation(tmp_path / "nothing.tsv")
    with pytest.raises(ValueError, match="lacks the columns Negation"):
        read_negation(table(tmp_path, "Concept\tSentence\na\tb\n"))
    with pytest.raises(ValueError, match=r"row 2: status 'Possible'"):
        read_negation(table(tmp_path, HEAD + "pain\tPain.\tPossible\n"))


def test_around_keeps_what_fits():
    text = "a b c d no pain e f g h."
    start = text.index("pain")
    assert around(text, start, start + 4, lambda part: True) == (text, start, start + 4)
    part, begin, end = around(text, start, start + 4, lambda part: len(part.split()) <= 8)
    assert part == "c d no pain e f g"
    assert part[begin:end] == "pain"
    assert around(text, start, start + 4, lambda part: len(part) < 5) == ("pain", 0, 4)
    with pytest.raises(ValueError, match="too long"):
        around(text, start, start + 4, lambda part: False)


@pytest.mark.skipif(not REAL.is_file(), reason="no real sentences beside the project")
def test_the_rule_on_real_sentences():
    real = read_negation(REAL)
    assert (len(real.texts), real.left_out) == (1181, 7)
    rows = zip(real.texts, real.start, real.end, strict=True)
    said = np.array([rule_status(*row) == 1 for row in rows])
    assert f1_score(real.negated, said) > 0.92
