"""The page of feedback: what stands on it, and nothing that a student could make run."""

import html
import math
import re

import pytest
from course import NAME
from pages import ATTACK, about, graded_notebook

from classroom.gradebook.feedback_page import best_hint, rendered


@pytest.fixture(scope="module")
def text():
    return rendered(graded_notebook(), about())


def test_names_points_messages_comments_and_links(text):
    plain = html.unescape(re.sub(r"<[^>]+>", " ", text))
    assert "No score yet , of 68 points" in " ".join(plain.split())
    assert "the scores are not divided by the square root of d_k" in plain
    assert "none yet, of 8" in plain
    assert "costs no points" in plain
    assert "Nearly there." in plain
    for target in re.findall(r'href="#([^"]+)"', text):
        assert f'id="{target}"' in text
    scored = rendered(graded_notebook(), about(41.5))
    assert "Score: 41.5 / 68" in scored


def test_the_hint_that_meets_the_message():
    hints = [("Hint 1", "Split the heads with view."), ("Hint 2", "Divide by the square root.")]
    hints.append(("Hint 3: nearly all of it", "the square root divides the scores"))
    assert best_hint("not divided by the square root", hints) == hints[1]
    assert best_hint("", hints) == hints[0]
    assert best_hint("", hints[:1]) == hints[0]
    assert best_hint("x", []) is None


def test_nothing_of_a_student_is_markup(text):
    assert "<script" not in text
    assert "onerror=" not in re.sub(r"&lt;.*?&gt;", "", text)
    assert not re.search(r"<[^>]* on\w+=", text)
    assert "<iframe" not in text
    assert "default-src 'none'" in text
    assert html.escape(ATTACK, quote=False)[:20] in text


def test_formulas_are_mathml(text):
    pytest.importorskip("latex2mathml")
    assert "<msqrt>" in text
    assert 'display="block"' in text
    assert "$" not in re.sub(r"<(pre|code|style).*?</\1>", "", text, flags=re.S)


@pytest.mark.parametrize("source", ["$" * 500, "[" * 5000, "<" * 3000, "> " * 2000, "$\\frac$", ""])
def test_any_text_makes_a_page(source):
    notebook = graded_notebook()
    notebook.cells[5].source = source
    notebook.cells[6].source, notebook.cells[6].metadata["tags"] = "\ud800", 5
    assert NAME in rendered(notebook, about(math.nan))
