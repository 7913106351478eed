"""The report: right numbers, nothing from outside, and no word of a student as markup."""

import re
from html.parser import HTMLParser

import pytest
from canned import put, result
from course import NAME, ROOT

from classroom.authoring.source import read_source
from classroom.gradebook.lookalikes import Group, Lookalikes, Pair
from classroom.gradebook.report import (
    class_report,
    common_mistakes,
    exercise_rows,
    histogram,
    render,
)

SOURCE = read_source(ROOT, NAME)
NAMES = list(SOURCE.exercises)
ATTACK = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


def of(student, *args, **more):
    return result(SOURCE, *args, **more) | {"student": student, "repairs": [], "remarks": []}


def some():
    return [
        of("ann"),
        of("bob", {NAMES[0]: "right", NAMES[1]: "wrong", NAMES[2]: 0.5}),
        of("cy", {NAMES[1]: "wrong"}),
        of("dee", status="flagged", reason="A check was replaced.", flags=["`torch.equal`"]),
        of("eve", status="failed", reason="The file is empty."),
        of("fay", dict.fromkeys(NAMES, "right") | {NAMES[3]: "failed"}),
    ]


class Page(HTMLParser):
    """Elements, and the text outside of styles."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.words, self.inside = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.inside.append(tag)

    def handle_endtag(self, tag):
        while self.inside and self.inside.pop() != tag:
            pass

    def handle_data(self, data):
        if "style" not in self.inside:
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def test_numbers():
    page = Page(render(NAME, some(), {"ann": {"score": 48.0, "max_score": 55.0, "waits": 2}}))
    for words in ("6 submissions", "4 graded", "1 flagged", "1 failed", "2 written answers"):
        assert words in page.text
    assert "The file is empty." in page.text
    assert f"No result for {NAMES[3]} :" in page.text
    assert "over 3 graded submissions" in page.text


def test_exercises():
    first, second, third = exercise_rows(some())[:3]
    assert first["counts"] == {"right": 3, "not attempted": 1}
    assert second["counts"] == {"right": 2, "wrong": 2}
    assert second["rate"] == 0.5
    assert third["counts"]["partly right"] == 1


def test_common_mistakes_are_counted_together():
    results = [
        of("ann", {NAMES[0]: "wrong"}, message="f: not right yet.\n  Expected 1.5, got 2e-3."),
        of("bob", {NAMES[0]: "wrong"}, message="f: not right yet.\n  Expected 1.7, got 4."),
        of("cy", {NAMES[0]: "wrong"}, message="f: no.\n  Expected 3.\n  It looks like this: a sum"),
        of("dee", {NAMES[0]: "wrong"}, status="flagged"),
    ]
    first, second = common_mistakes(results)
    assert first["students"] == ["ann", "bob"]
    assert second["title"] == "a sum"


@pytest.mark.parametrize(
    ("shares", "counts"), [([0.0, 0.1, 1.0], {0: 1, 1: 1, 9: 1}), ([0.3], {3: 1}), ([], {})]
)
def test_histogram(shares, counts):
    made = histogram(shares)["counts"]
    assert {i: n for i, n in enumerate(made) if n} == counts


def test_nobody_graded():
    page = Page(render(NAME, [of("eve", status="failed", reason="Empty.")], {}))
    assert "No submission has a score yet." in page.text


def test_students_words_stay_words():
    bad = of(ATTACK, {NAMES[0]: "wrong", NAMES[1]: "failed"}, message=ATTACK)
    bad |= {"repairs": [ATTACK], "remarks": [ATTACK]}
    flagged = of("x", status="flagged", reason=ATTACK, flags=[ATTACK])
    page = Page(render(NAME, [bad, flagged], {}))
    assert not {"script", "img"} & {tag for tag, _ in page.elements}
    assert not [a for _, attrs in page.elements for a in attrs if a.startswith("on")]
    assert page.text.count("alert(1)") >= 8


def test_nothing_comes_from_outside():
    text = render(NAME, some(), {})
    page = Page(text)
    for _, attrs in page.elements:
        for name in ("src", "href", "srcset", "data"):
            assert not re.match(r"(\w+:)?//|data:", attrs.get(name) or "")
    assert "url(" not in text
    assert "@import" not in text
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.elements}


def test_accessible():
    text = render(NAME, some(), {})
    page = Page(text)
    assert ("html", {"lang": "en"}) in page.elements
    for tag, attrs in page.elements:
        if tag == "th":
            assert attrs.get("scope") in ("row", "col")
        if tag == "svg" or attrs.get("role") == "img":
            assert attrs.get("aria-label") or attrs.get("aria-labelledby")
    ids = {attrs["id"] for _, attrs in page.elements if "id" in attrs}
    named = [a["aria-labelledby"].split() for _, a in page.elements if "aria-labelledby" in a]
    assert {name for names in named for name in names} <= ids
    assert "<title id=" in text


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize(
    ("front", "back"),
    [("ink", "paper"), ("soft", "paper"), ("soft", "back"), ("paper", "failed"), ("paper", "ink")],
)
def test_contrast_of_text(front, back):
    text = render(NAME, some(), {})
    colours = dict(re.findall(r"--(\w+): (#\w{6})", text))
    light, dark = sorted((luminance(colours[n]) for n in (front, back)), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_nothing_graded_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match="run `collect` and `repair` first"):
        class_report(ROOT, tmp_path, NAME)
    put(tmp_path, "ann", NAME, None, reason="The file is empty.")
    with pytest.raises(FileNotFoundError, match="run `autograde` first"):
        class_report(ROOT, tmp_path, NAME)


def test_an_interrupted_run_says_how_many_have_no_result():
    page = Page(render(NAME, some(), {}, ["gil", "hal"]))
    assert "8 submissions" in page.text
    assert "2 without a result yet" in page.text
    assert "2 of 8 submissions have no result yet" in page.text
    assert "gil , hal" in page.text
    assert "without a result" not in Page(render(NAME, some(), {})).text


def test_repairs_are_told_once_for_all_exercises():
    one, two = of("ann"), of("bob")
    one["repairs"] = [f"The cell of {NAMES[0]} was missing: the empty one is back."]
    two["repairs"] = [
        f"The cell of {NAMES[1]} was missing: the empty one is back. (so too: {NAMES[2]})"
    ]
    page = Page(render(NAME, [one, two], {}))
    assert page.text.count("was missing: the empty one is back") == 1


def test_look_alikes_are_escaped_and_can_be_left_out():
    pair = Pair(("ann", ATTACK), 0.0, [(NAMES[0], 3, 4, [(f"x = {ATTACK!r}", 2)])])
    alike = Lookalikes([Group(["ann", ATTACK], [pair])], 30, 12, 200, 0.05, 0.04)
    page = Page(render(NAME, some(), {}, alike=alike))
    assert "script" not in {tag for tag, _ in page.elements}
    assert "none of 200 shuffled classes" in page.text
    assert "Look-alikes" not in Page(render(NAME, some(), {})).text
