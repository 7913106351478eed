"""The classroom's pages in a real browser, wide and on a phone: structure, contrast, no scroll."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "classroom"))

from canned import result
from course import NAME, ROOT
from pages import ATTACK, about, graded_notebook

from classroom.authoring.source import read_source
from classroom.files import write_whole
from classroom.gradebook.feedback_page import rendered
from classroom.gradebook.lookalikes import Group, Lookalikes, Pair
from classroom.gradebook.report import render
from classroom.gradebook.terms import TermItem, TermNotebook
from classroom.pages import page as fill
from classroom.viva.questions import Question

CONTRAST = """() => {
  const part = x => (x /= 255) <= .03928 ? x / 12.92 : ((x + .055) / 1.055) ** 2.4;
  const light = c => .2126 * part(c[0]) + .7152 * part(c[1]) + .0722 * part(c[2]);
  const numbers = c => c.match(/[\\d.]+/g).map(Number);
  const behind = e => {
    for (; e; e = e.parentElement) {
      const c = numbers(getComputedStyle(e).backgroundColor);
      if (c.length < 4 || c[3] > 0) return c;
    }
    return [255, 255, 255];
  };
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !e.getClientRects().length || e.closest('svg')) continue;
    const pair = [light(numbers(getComputedStyle(e).color)), light(behind(e))];
    const [dark, bright] = pair.sort((x, y) => x - y);
    if ((bright + .05) / (dark + .05) < 4.5) found.push(e.outerHTML.slice(0, 120));
  }
  return found;
}"""


def made():
    source = read_source(ROOT, NAME)
    names = list(source.exercises)
    rows = [
        result(source, {n: "right" if j <= i else "wrong" for j, n in enumerate(names)})
        | {"student": f"s{i}", "repairs": [], "remarks": []}
        for i in range(len(names))
    ]
    part = ("weights = weights / weights.sum(-1, keepdim=True).clamp_min(1e-9)" * 2, 2)
    alike = Lookalikes(
        [Group(["s1", "s2"], [Pair(("s1", "s2"), 0.0, [(names[0], 9, 12, [part])])])]
    )
    alike.students = 30
    change = {"where": "Line 2", "old": "    x = 1", "new": f"    x = {ATTACK}", "single": True}
    question = Question(
        "happens",
        names[0],
        change,
        "Which of these happens on this input?",
        shown=["x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])" * 3],
        shown_words="It is called with:",
        before="[1, 2]",
        options=[
            ("It gives", "[0.1, 0.2]"),
            ("It raises ValueError.", ""),
            ("Nothing changes.", ""),
        ],
        key=1,
        answer="It raises ValueError.",
        runs=[("unchanged", "[1, 2]")],
        number=1,
    )
    code = source.exercises[names[0]].answer.splitlines()
    terms = ["spring 2026", "autumn 2026", "spring 2027"]
    item = TermItem(names[0], np.linspace(0, 1, 30), 0.4, 0.1, 0.6)
    notebooks = {t: TermNotebook(t, NAME, 30, 0.8, {names[0]: item}) for t in terms[1:]}
    rows_of_terms = [(n, [None, item, item], (0.1, -0.05, 0.25)) for n in names]
    return {
        "feedback": rendered(graded_notebook(), about()),
        "report": render(NAME, rows, {}, [], alike),
        "viva": fill(
            "viva.html", assignment=NAME, student="ann", exercises=[(names[0], code, [question])]
        ),
        "terms": fill("terms.html", terms=terms, sections=[(NAME, notebooks, rows_of_terms)]),
        "keys": fill(
            "viva_keys.html", assignment=NAME, seed=0, pages=[("ann", [question])], without=[]
        ),
    }


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    for name, text in made().items():
        write_whole(folder / f"{name}.html", text)
    return folder


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", ["feedback", "report", "viva", "keys", "terms"])
def test_a_page_fits_is_readable_and_runs_nothing(pages, browser, tmp_path, name, width):
    requests = []
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.on("request", lambda r: requests.append(r.url))
    page.goto((pages / f"{name}.html").as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.title() != "owned"
    assert [u for u in requests if not u.startswith("data:")] == [(pages / f"{name}.html").as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("h1").count() == 1 or name == "feedback"
    assert page.locator("main h2").count() >= 1
    assert page.evaluate("[...document.querySelectorAll('img')].every(i => i.alt !== '')")
    assert page.evaluate(CONTRAST) == []
    if name == "feedback":
        assert page.locator("math msqrt").first.is_visible()
        page.locator("table a").first.click()
        assert page.evaluate("document.querySelector(':target') !== null")
    page.screenshot(path=tmp_path / f"{name}-{width}.png", full_page=True)
    page.close()
