"""Questions on a small class: every key holds when the programs run again."""

import re
from html.parser import HTMLParser

import pytest
from canned import put, result
from course import NAME, ROOT

from classroom.demo import DemoCourse
from classroom.gradebook.results import write_result
from classroom.viva.sheets import viva

EXERCISES = ("scaled_dot_product_attention", "masked_mean_pool", "multilabel_loss")
UNSCALED = """def scaled_dot_product_attention(query, key, value, attn_mask=None, scale=None):
    # <script>alert(1)</script>
    scores = query @ key.transpose(-2, -1)
    if attn_mask is not None:
        scores = scores.masked_fill(~attn_mask, torch.finfo(scores.dtype).min)
    weights = scores.softmax(dim=-1)
    if attn_mask is not None:
        weights = weights.masked_fill(~attn_mask, 0.0)
    return weights @ value, weights
"""


@pytest.fixture(scope="module")
def klass(tmp_path_factory):
    """Two students with the same answers, one with a wrong one, one without a readable file."""
    workspace = tmp_path_factory.mktemp("viva")
    course = DemoCourse(ROOT)
    model = {name: course.model[name] for name in EXERCISES}
    for student in ("ann", "bob"):
        put(workspace, student, NAME, course.fill(model))
        told = result(course.source, dict.fromkeys(EXERCISES, "right"))
        write_result(workspace, student, NAME, told | {"fingerprint": "x"})
    put(workspace, "cy", NAME, course.fill({EXERCISES[0]: UNSCALED}))
    told = result(course.source, {EXERCISES[0]: "wrong"})
    write_result(workspace, "cy", NAME, told | {"fingerprint": "x"})
    put(workspace, "dee", NAME, None, reason="The file is empty.")
    return workspace, viva(ROOT, workspace, NAME, progress=False)


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def test_everybody_has_a_page_or_a_reason(klass):
    _, made = klass
    assert set(made.pages) == {"ann", "bob", "cy"}
    assert made.without == {"dee": "The file is empty."}
    for student in ("ann", "bob"):
        assert Page(made.pages[student].read_text()).text.count("Question ") == 4


def test_pages_stand_alone_and_are_escaped(klass):
    _, made = klass
    for path in (*made.pages.values(), made.keys):
        page = Page(path.read_text())
        names = {tag for tag, _ in page.tags}
        assert not names & {"script", "img", "link", "iframe", "form"}
        metas = [a for tag, a in page.tags if tag == "meta"]
        assert any("default-src 'none'" in m.get("content", "") for m in metas)
        assert any(m.get("name") == "viewport" for m in metas)
    assert "<script>" in Page(made.pages["cy"].read_text()).text


def test_students_with_the_same_code_get_different_questions(klass):
    _, made = klass
    ann, bob = (made.pages[s].read_text().replace(s, "x") for s in ("ann", "bob"))
    assert ann != bob


def test_no_key_and_no_hidden_check_is_on_a_students_page(klass):
    _, made = klass
    hidden = set()
    for exercise in DemoCourse(ROOT).source.exercises.values():
        for cell in exercise.checks.values():
            part = cell.partition("### BEGIN HIDDEN")[2]
            hidden |= {line.strip() for line in part.splitlines() if len(line.strip()) > 40}
    for path in made.pages.values():
        text = Page(path.read_text()).text
        assert "What was run" not in text
        assert not [line for line in hidden if line in text]


def test_the_missing_scale_is_mended(klass):
    _, made = klass
    keys = Page(made.keys.read_text()).text
    mend = re.search(r"cy.*?One change in one place.*?(Lines? \d.*?)\. Another change", keys, re.S)
    assert mend
    assert "scale" in mend[1] or "sqrt" in mend[1] or "** 0.5" in mend[1]


def test_the_same_call_gives_the_same_pages(klass):
    workspace, made = klass
    before = made.pages["ann"].read_text()
    again = viva(ROOT, workspace, NAME, students=["ann"], progress=False)
    assert again.pages["ann"].read_text() == before


def test_wrong_arguments(klass):
    workspace, _ = klass
    with pytest.raises(ValueError, match="at least 1"):
        viva(ROOT, workspace, NAME, questions=0)
    with pytest.raises(ValueError, match="'nobody'"):
        viva(ROOT, workspace, NAME, students=["nobody"])
