"""Questions on a small class: every key holds when the programs run again."""

import copy
import random
from html.parser import HTMLParser

import nbformat
import pytest
from canned import put, result
from course import ROOT

from classroom.authoring.source import read_source
from classroom.gradebook.results import write_result
from classroom.judging.trial import notebook_spec
from classroom.judging.trial_worker import plain
from classroom.viva.inputs import as_shown, recorded
from classroom.viva.laboratory import Run
from classroom.viva.lines import Change
from classroom.viva.probe import outcome_of, verdict
from classroom.viva.questions import Specimen, ask
from classroom.viva.sheets import viva

NAME = "00_start_here"
SOURCE = read_source(ROOT, NAME)
WRONG = """def masked_softmax(scores: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    # <script>alert(1)</script>
    hidden = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    made = hidden.softmax(dim=0)
    return made.masked_fill(~mask, 0.0)
"""


def filled(answers):
    notebook = nbformat.read(ROOT / "notebooks" / NAME / f"{NAME}.ipynb", as_version=4)
    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        key = cell.metadata.get("nbgrader", {}).get("grade_id")
        cell.source = answers.get(key, cell.source)
    return notebook


class Bench:
    """A laboratory in this process: the same programs and checks, without a box."""

    recorded = None

    def __init__(self, root, assignment, *, unsafe=False):
        self.source, self.space = SOURCE, {"__name__": "bench"}
        exec(plain(SOURCE.imports), self.space)
        spec = notebook_spec(SOURCE)
        Bench.recorded = Bench.recorded or recorded(spec, dict(self.space))
        self.calls = as_shown(Bench.recorded)
        self.checks = {e["name"]: e for e in spec["exercises"]}

    def __exit__(self, *_):
        pass

    def measure(self, notebook, exercise, texts, *, calls, check=()):
        runs = []
        for number, text in enumerate(texts):
            run, space = Run(), dict(self.space)
            exec(text, space)
            for index in calls:
                call = Bench.recorded[exercise][index]
                run.outcomes[index] = outcome_of(space[exercise], call)
            if number in check:
                run.check = verdict(exercise, self.checks[exercise], space)
            runs.append(run)
        return runs


@pytest.fixture(scope="module")
def klass(tmp_path_factory):
    """Two students with the same answers, one with a wrong one, one without a readable file."""
    workspace = tmp_path_factory.mktemp("viva")
    model = {name: e.answer for name, e in SOURCE.exercises.items()}
    for student in ("ann", "bob"):
        put(workspace, student, NAME, filled(model))
        write_result(workspace, student, NAME, result(SOURCE) | {"fingerprint": "x"})
    put(workspace, "cy", NAME, filled({"masked_softmax": WRONG}))
    told = result(SOURCE, {"masked_softmax": "wrong"})
    write_result(workspace, "cy", NAME, told | {"fingerprint": "x"})
    put(workspace, "dee", NAME, None, reason="The file is empty.")
    return workspace, viva(ROOT, workspace, NAME, progress=False, make_lab=Bench)


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
    for exercise in SOURCE.exercises.values():
        for cell in exercise.checks.values():
            part = cell.partition("### BEGIN HIDDEN")[2]
            hidden |= {line.strip() for line in part.splitlines() if len(line.strip()) > 40}
    for path in made.pages.values():
        text = Page(path.read_text()).text
        assert "What was run" not in text
        assert not [line for line in hidden if line in text]


def test_the_wrong_dimension_is_mended(klass):
    _, made = klass
    keys = Page(made.keys.read_text()).text
    assert "Line 4: made = hidden.softmax(dim=-1)" in " ".join(keys.split())
    assert "dim=-1" not in Page(made.pages["cy"].read_text()).text


def test_the_same_call_gives_the_same_pages(klass):
    workspace, made = klass
    before = made.pages["ann"].read_text()
    again = viva(ROOT, workspace, NAME, students=["ann"], progress=False, make_lab=Bench)
    assert again.pages["ann"].read_text() == before
    assert again.keys.name == f"{NAME}_keys_ann.html"  # the sheet of the whole class is still there
    assert "bob" in made.keys.read_text()


def test_wrong_arguments(klass):
    workspace, _ = klass
    with pytest.raises(ValueError, match="at least 1"):
        viva(ROOT, workspace, NAME, questions=0)
    with pytest.raises(ValueError, match="'nobody'"):
        viva(ROOT, workspace, NAME, students=["nobody"])


def test_a_difference_that_the_key_cannot_show_is_not_asked_about():
    def run(number, text):
        leaf = {"path": "", "kind": "tensor (1,) float32", "numbers": [number], "text": text}
        return Run(outcomes={0: {"error": "", "leaves": [leaf]}})

    change = Change(1, 1, "x = 1", "x = 2", "x = 2")
    for shown, asked in (("", False), ("[{}]", True)):
        runs = [run(n, shown.format(n)) for n in (1.0, 2.0)]
        one = Specimen("f", "x = 1", [change], runs, [{"shown": ["x"]}])
        assert (ask(one, "differ", random.Random(0)) is not None) == asked
